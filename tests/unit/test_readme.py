"""What README.rst and the pages of docs list is what the program and the project have."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inosync.commands import arguments
from inosync.engine.mirror import State
from inosync.rsync.destination import parse_destination
from inosync.rsync.exits import Verdict, judge

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.rst").read_text()
PAGES = sorted([*ROOT.glob("*.rst"), *ROOT.glob("docs/*.rst")])
#: What manual pages are made from is read as these.
MANUALS = ("inosync.8.rst", "inosync.conf.5.rst")


def section(page: str, title: str) -> str:
    """Return the text under a title of a page."""
    _, _, text = (ROOT / page).read_text().partition(f"\n{title}\n===")
    assert text, title
    return re.split(r"\n[^\n]+\n={3,}\n\n", text)[0]


def options() -> set[str]:
    actions = [action for action in arguments.parser()._actions if action.help != argparse.SUPPRESS]
    return {name for action in actions for name in action.option_strings}


def test_each_option_is_explained_and_no_other() -> None:
    words = r"(?<![\w-])--?[a-zA-Z][\w-]*"
    explained = section("docs/commands.rst", "Options")
    terms = "\n".join(re.findall(r"^``-.*$", explained, re.MULTILINE))
    assert set(re.findall(words, terms)) == options()
    synopsis = section("docs/commands.rst", "Synopsis")
    for_all = {"--version", "-V", "-h", "--help", "--insecure-config"}
    long = {"--config", "--daemon", "--dry-run", "--verbose"}
    assert set(re.findall(words, synopsis)) == options() - for_all - long


def test_the_commands_of_the_readme_are_there() -> None:
    table = section("README.rst", "The ten commands")
    named = re.findall(r"^``inosync (--\w+)", table, re.MULTILINE)
    assert len(named) == 10
    assert set(named) < options()


#: How the table of exit statuses begins what follows from each.
SAID = {
    "is content": Verdict.OK,
    "tries again soon": Verdict.RETRY,
    "tries again at the ceiling": Verdict.SLOW,
    "holds the mirror": Verdict.HOLD,
}


def exits() -> dict[int, Verdict]:
    """Return the table of "When rsync fails"."""
    _, _, rows = section("docs/trouble.rst", "When rsync fails").partition(
        "rsync exits     inosync\n"
    )
    rows = rows.partition("\n")[2].partition("\n====")[0]
    result: dict[int, Verdict] = {}
    verdict = Verdict.OK
    for line in rows.splitlines():
        for words, meant in SAID.items():
            verdict = meant if line[16:].startswith(words) else verdict
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", line[:16]):
            result |= dict.fromkeys(range(int(first), int(last or first) + 1), verdict)
    return result


def test_what_follows_when_rsync_exits() -> None:
    here = parse_destination("/x")
    # What is not in the table is "other".
    said = {status: exits().get(status, Verdict.SLOW) for status in range(256)}
    assert len(exits()) > 20
    assert said == {status: judge(status, here).verdict for status in range(256)}
    assert judge(-9, here).verdict is Verdict.RETRY


def test_every_state_is_explained_and_no_other() -> None:
    text = (ROOT / "docs/monitoring.rst").read_text()
    _, _, rows = text.partition("state    meaning, and how a mirror leaves it\n")
    rows = rows.partition("\n")[2].partition("\n====")[0]
    assert re.findall(r"^\w+", rows, re.MULTILINE) == [state.value for state in State]


# ---- the pages -----------------------------------------------------------------------------


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.splitlines()) <= 250


def test_the_readme_names_every_page() -> None:
    listed = section("README.rst", "Where to read on")
    named = set(re.findall(r"<([\w./-]+\.rst)>`_", listed))
    assert named == {
        str(page.relative_to(ROOT)) for page in PAGES if page.name not in (*MANUALS, "README.rst")
    }


def links() -> Iterator[tuple[Path, str]]:
    """Give each page and what it links to or shows of this project, from where it lies."""
    for page in PAGES:
        text = page.read_text()
        targets = re.findall(r"<([^\s<>`]+)>`_", text)
        targets += re.findall(r"^(?:\.\. image:| +:target:):? (\S+)", text, re.MULTILINE)
        for target in targets:
            if not re.match(r"https?:|mailto:", target):
                yield page, target


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_links_lead_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).is_file()


def paths() -> set[str]:
    """Return what the pages name of the checkout."""
    folders = r"(?<![\w./*-])(?:docs|examples|benchmarks|scripts|tests)/[\w./@-]*\w"
    return {path for page in PAGES for path in re.findall(folders, page.read_text())}


@pytest.mark.parametrize("path", sorted(paths()))
def test_what_they_name_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_can_be_read(page: Path) -> None:
    core = pytest.importorskip("docutils.core", reason="docutils is missing")
    settings = {"report_level": 2, "halt_level": 2, "syntax_highlight": "none"}
    core.publish_doctree(page.read_text(), source_path=str(page), settings_overrides=settings)
