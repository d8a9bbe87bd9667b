"""What is documented or suggested as a config, or a line of one, is accepted as one."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.scripts import watching

from inosync.config.load import load
from inosync.config.settings import SETTINGS
from inosync.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.rst"), *ROOT.glob("docs/*.rst")])
MODULES = sorted((ROOT / "inosync").rglob("*.py"))
NAMES = {name for setting in SETTINGS for name in setting.names}
_NAME = f"(?<![\\w.])(?:{'|'.join(sorted(NAMES, key=len, reverse=True))})"

#: Lines of others that begin like ours, and what goes on in another cell of a table.
THEIRS = {"init = false", "rsync = {...}"}
PARTS = {'rexcludes = ["+ /passwd", "+ /group", "+ /shadow", "+ /ssh/",': '"+ /ssh/sshd_config"]'}


def problems(directory: Path, text: str) -> list[str]:
    """Return what is wrong with a config, or with a part of one."""
    for name, line in (("wpath", 'wpath = "/www/"\n'), ("rnodes", 'rnodes = ["a:/mirror"]\n')):
        if not re.search(rf"^{name}s? \+?= ", text, re.MULTILINE):
            text = line + text
    listed = directory / "excludes"
    listed.write_text("*.tmp\n# a comment\n")
    text = text.replace('"/etc/excludes"', repr(str(listed)))
    # What is to be there already.
    text = re.sub(r'"/usr/local/bin/[\w-]+"', '"/bin/sh"', text)
    text = text.replace('user = "inosync"', 'user = "nobody"')
    text = text.replace('"/var/lib/prometheus/node-exporter/', f'"{directory}/')
    file = directory / "default.py"
    file.write_text(watching(directory, text))
    file.chmod(0o644)
    try:
        load(str(file))
    except ConfigError as error:
        return error.problems
    return []


def blocks() -> Iterator[tuple[str, str]]:
    """Give the blocks of code in the pages that are, or could be meant as, configs."""
    for page in PAGES:
        lines = page.read_text().split("\n")
        for number, line in enumerate(lines):
            if not re.search(r"(::|code-block:: python)$", line):
                continue
            block = []
            for following in lines[number + 1 :]:
                if following and not following.startswith(" "):
                    break
                block.append(following)
            text = textwrap.dedent("\n".join(block)).strip("\n") + "\n"
            if re.search(rf"^{_NAME} \+?= ", text, re.MULTILINE):
                yield f"{page.relative_to(ROOT)}:{number + 1}", text


BLOCKS = list(blocks())


def test_the_blocks_are_found() -> None:
    assert len(BLOCKS) >= 10
    assert {place.partition(":")[0] for place, _ in BLOCKS} >= {
        *("README.rst", "docs/hooks.rst", "docs/inosync.conf.5.rst", "docs/moving-here.rst"),
        *("docs/nodes.rst", "docs/rrsync.rst", "docs/rsync.rst"),
    }


@pytest.mark.parametrize(("place", "text"), BLOCKS, ids=[place for place, _ in BLOCKS])
def test_the_blocks_of_the_pages(tmp_path: Path, place: str, text: str) -> None:
    assert problems(tmp_path, text) == []


def literals() -> dict[str, str]:
    """Return the literals in the pages that set something, by where they are."""
    found: dict[str, str] = {}
    for page in PAGES:
        for text in re.findall(r"``([^`]+)``", page.read_text()):
            line = re.sub(r"\s*\n\s*", " ", text)
            if re.match(rf"{_NAME}\s*\+?=(?!=)", line) and line not in THEIRS:
                line += PARTS.get(line, "")
                found[f"{page.name} {line}"] = line.replace("[...]", '["x"]')
    return found


LITERALS = literals()


def test_the_literals_are_found() -> None:
    pages = "\n".join(page.read_text() for page in PAGES)
    assert len(LITERALS) >= 40
    assert all(f"``{line}``" in pages for line in (*THEIRS, *PARTS))


@pytest.mark.parametrize("line", LITERALS.values(), ids=[*LITERALS])
def test_the_literals_of_the_pages(tmp_path: Path, line: str) -> None:
    assert problems(tmp_path, line) == []


def test_the_rules_that_become_patterns(tmp_path: Path) -> None:
    """The right column of the table of clsync's rules, and what rsync.rst shows of a rule."""
    guide = (ROOT / "docs/moving-here.rst").read_text()
    _, _, rules = guide.partition("\nRules\n-----\n")
    rules = rules.partition("\nLeft out on purpose")[0]
    found = re.findall(r'``("[^`]+")``', rules)
    assert len(found) >= 5
    for line in found:
        assert problems(tmp_path, f"rexcludes = [{line}]") == [], line


_VALUE = r"""("[^"]*"|'[^']*'|\[[^\]]*\]|True|False|\d[\d_.]*)"""


def suggestions() -> set[str]:
    """Return the lines of a config that our messages and our help suggest."""
    found: set[str] = set()
    for module in MODULES:
        tree = ast.parse(module.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {one[0] for one in re.finditer(rf"{_NAME} ?= ?{_VALUE}", node.value)}
                for own in re.finditer(rf'"({_NAME})": {_VALUE}', node.value):
                    found.add(f'rnodes = [{{"node": "a:/mirror", "{own[1]}": {own[2]}}}]')
    # What is still to be filled in is none yet: tests/unit/commands/test_init.py has it filled in.
    return {line for line in found if "_line" not in line and "{nodes}" not in line}


def test_what_messages_suggest(tmp_path: Path) -> None:
    assert suggestions() >= {
        "extra='--omit-dir-times'",  # --check, and the log
        'extra = "--modify-window=0"',  # --check
        "allow_empty = True",
        "extra = '--no-perms'",  # --from-lsyncd
        'rnodes = [{"node": "a:/mirror", "extra": "--password-file=/path"}]',
        'rpaths = ["/var/www/", "/etc/nginx/"]',  # inosync.conf.example
    }
    for line in suggestions():
        text = f'rpath = "/mirror"\n{line}' if "+ rpath" in line else line
        if line.startswith("wpaths"):
            text += "\nrpaths = ['/x', '/y']\nrnodes = ['a:']"
        if line.startswith("rpaths"):
            text += '\nwpaths = ["/a/", "/b/"]\nrnodes = ["a:"]'
        assert problems(tmp_path, text) == [], line


#: Mistakes whose messages say what to write: what stands before, the mistake, and behind.
MISTAKES = (
    ("rnodes = ", "'a:/x'", ""),
    ("rnodes = ", "[]", ""),
    ("rpath = '/w'\nrnodes = [", "'a::m'", "]"),
    ("rpath = '/w'\nrnodes = [", "'rsync://a/m'", "]"),
    ("rexcludes = ", "'x'", ""),
    ("rexcludes = [", "'P_x'", "]"),
    ("rexcludes = [", "'-/cache'", "]"),
    ("extra = ", "'--filter=P *'", ""),
    ("extra = ", "'-a --rsh=ssh -p 3 -z'", ""),
    ("extra = ", "5", ""),
    ("emask = ", "[]", ""),
    ("on_change = ", "'/bin/sh'", ""),
    ("rretry = ", "5", ""),
    ("rsettle = ", "5", ""),
    ("edelay = ", "'x'", ""),
    ("rtimeout = ", "0.5", ""),
    ("rparallel = ", "'x'", ""),
)
_CLOSED = r"""\[[^]]*\]|\{[^}]*\}|\([^)]*\)|'[^']*'|"[^"]*"|[\d.]+"""


def advice(problem: str) -> list[str]:
    """Return the values that a message suggests, as Python writes them."""
    inner = re.findall(r"write (--\S+='[^']*')", problem) + re.findall(r"quote it: (.*)$", problem)
    found = re.findall(
        rf"(?:write|or|such as|for the rule write) ({_CLOSED})(?=[;,)]| or|$)", problem
    )
    return [*map(repr, inner), *found]


@pytest.mark.parametrize(("before", "mistake", "behind"), MISTAKES)
def test_what_is_said_of_a_mistake(tmp_path: Path, before: str, mistake: str, behind: str) -> None:
    (problem,) = problems(tmp_path, before + mistake + behind)
    values = advice(problem)
    assert values, problem
    for value in values:
        assert problems(tmp_path, before + value + behind) == [], value
