"""The man pages and the shell completions say what the program says."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from inosync.commands import arguments
from inosync.config.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("inosync.8", "inosync.conf.5")
AGAIN = "; run: python scripts/make_man.py"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_man = _load(ROOT / "scripts/make_man.py")


def option_names() -> set[str]:
    """Return what the parser knows and does not hide."""
    actions = arguments.parser()._actions
    shown = [action for action in actions if action.help != argparse.SUPPRESS]
    return {name for action in shown for name in action.option_strings}


def as_read(page: str) -> str:
    """Return the text of a man page, without what is only for roff."""
    text = (ROOT / "docs/man" / page).read_text()
    text = re.sub(r"\\f(\(..|\[[^]]*\]|.)|\\&", "", text)
    return text.replace("\\-", "-").replace("\\(aq", "'")


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_up_to_date(name: str) -> None:
    docutils = pytest.importorskip("docutils", reason="docutils, which makes them, is missing")
    kept = (ROOT / "docs/man" / name).read_text()
    if f"Docutils {docutils.__version__} " not in kept:
        pytest.skip(f"docutils {docutils.__version__} would write them in another way")
    assert make_man.page(name) == kept, f"docs/man/{name} is old{AGAIN}"


def test_the_page_has_every_option_and_no_other() -> None:
    text = as_read("inosync.8").partition("OPTIONS")[2].partition("SIGNALS")[0]
    terms = re.findall(r"^\.B (-.*)|^(-.*)$", text, re.MULTILINE)
    named = {name for term in terms for name in re.findall(r"(?<![\w-])--?\w[\w-]*", "".join(term))}
    assert named == option_names(), AGAIN


def test_help_has_every_option() -> None:
    shown = arguments.parser().format_help()
    assert all(re.search(rf"(?<![\w-]){name}\b", shown) for name in option_names())


def test_the_page_has_every_setting_and_no_other() -> None:
    text = as_read("inosync.conf.5").partition("SETTINGS")[2].partition("NOTES")[0]
    named = re.findall(r"^\.B (\w+)", text, re.MULTILINE)
    assert named == [setting.name for setting in SETTINGS], AGAIN


@pytest.mark.parametrize("path", [make_man.BASH, make_man.ZSH, make_man.FISH])
def test_the_completions_are_up_to_date(path: str) -> None:
    by_path = {
        make_man.BASH: make_man.bash,
        make_man.ZSH: make_man.zsh,
        make_man.FISH: make_man.fish,
    }
    made = by_path[path]()
    assert (ROOT / path).read_text() == made, f"{path} is old{AGAIN}"


def completed(*words: str, cwd: Path = ROOT, path: Path = ROOT / "docs") -> set[str]:
    """Return what bash offers for the last of the words."""
    script = (
        '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _inosync;'
        ' [ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = ["bash", "-c", script, str(ROOT / make_man.BASH), "inosync", *words]
    where = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"}
    ran = subprocess.run(command, cwd=cwd, env=where, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return set(ran.stdout.splitlines())


def test_bash_completes_every_option(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    assert completed("-") == option_names()
    for name in option_names():
        assert name in completed(name[:-1] if len(name) > 2 else name)
    verbs = {word for word, _ in make_man.verbs()}
    assert {"status", "help"} < verbs
    assert completed("", cwd=tmp_path) == {"a file"} | verbs
    assert completed("sta", cwd=tmp_path) == {"status"}
    assert completed("explain", "", cwd=tmp_path) == {"a file"}
    assert completed("--log", "", cwd=tmp_path) == {"text", "json"}
    assert completed("-c", "a", cwd=tmp_path) == {"a file"}
    assert completed("-c", "none", "--node", "", cwd=tmp_path) == set()


def test_bash_completes_the_nodes_that_the_daemon_has(tmp_path: Path) -> None:
    status = {"mirrors": [{"node": "web1", "lag": 1}, {"node": "we $(b)", "lag": 1}] * 2}
    program = tmp_path / "inosync"
    answer = json.dumps(status, indent=2)
    program.write_text(f"#!/bin/sh\n[ \"$*\" = '-c a file --status --json' ] && echo '{answer}'")
    program.chmod(0o755)
    given = ("-c", "a file", "sync", "--node")
    assert completed(*given, "we", cwd=tmp_path, path=tmp_path) == {"web1", "we $(b)"}
    assert completed(*given, "web", cwd=tmp_path, path=tmp_path) == {"web1"}


def test_bash_completes_the_nodes_of_the_config_where_no_daemon_runs(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    nodes = ["/srv/one", {"node": "b:/two"}]
    (tmp_path / "c").write_text(f"wpath = {str(tmp_path / 'source')!r}\nrnodes = {nodes}\n")
    program = tmp_path / "inosync"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m inosync "$@"\n')
    program.chmod(0o755)
    given = ("-c", "c", "once", "--node")
    assert completed(*given, "", cwd=tmp_path, path=tmp_path) == {"/srv/one", "b:/two"}
    assert completed(*given, "/s", cwd=tmp_path, path=tmp_path) == {"/srv/one"}


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_can_read_its_completion() -> None:
    subprocess.run(["zsh", "-n", ROOT / make_man.ZSH], check=True)


def test_zsh_completes_every_option() -> None:
    text = (ROOT / make_man.ZSH).read_text()
    assert set(re.findall(r"^    '(-[\w-]+)\[", text, re.MULTILINE)) == option_names()


def test_fish_completes_every_option() -> None:
    text = (ROOT / make_man.FISH).read_text()
    lines = re.findall(r"^complete -c inosync ((?:-[sl] \S+ )+)", text, re.MULTILINE)
    given = [each for line in lines for each in re.findall(r"-([sl]) (\S+)", line)]
    assert {f"{'--' if kind == 'l' else '-'}{name}" for kind, name in given} == option_names()
    assert set(re.findall(r" -a (\S+) -d ", text)) - {"text"} >= {
        word for word, _ in make_man.verbs()
    }


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes_what_is_typed() -> None:
    asked = f"source {ROOT / make_man.FISH}; complete --do-complete 'inosync {{}}'"
    for typed, wanted in (("--expl", "--explain"), ("stat", "status"), ("--log js", "json")):
        done = subprocess.run(
            ["fish", "--no-config", "-c", asked.format(typed)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [wanted]
