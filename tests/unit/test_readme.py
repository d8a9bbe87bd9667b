"""What README.rst lists is what the program has."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from inosync import cli
from inosync.destination import parse_destination
from inosync.rsync import Verdict, judge

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.rst").read_text()


def section(title: str) -> str:
    """Return the text under a title."""
    _, _, text = README.partition(f"\n{title}\n===")
    assert text, title
    return re.split(r"\n[^\n]+\n={3,}\n\n", text)[0]


def options() -> set[str]:
    actions = [action for action in cli.parser()._actions if action.help != argparse.SUPPRESS]
    return {name for action in actions for name in action.option_strings}


def test_each_option_is_explained_and_no_other() -> None:
    _, _, text = section("Use").partition("::\n\n    inosync [")
    synopsis, explained = text.split("\n\n", 1)
    words = r"(?<![\w-])--?[a-z][\w-]*"
    terms = "\n".join(re.findall(r"^``-.*$", explained, re.MULTILINE))
    # These go with another one, under which they are explained.
    companions = {"--json", "--node", "--repair"}
    assert set(re.findall(words, terms)) | companions == options()
    assert all(f"``{name}" in explained for name in companions)
    for_all = {"--version", "-h", "--help", "--insecure-config"}
    assert set(re.findall(words, synopsis)) == options() - for_all


#: How the table of exit statuses begins what follows from each.
SAID = {
    "is content": Verdict.OK,
    "tries again soon": Verdict.RETRY,
    "tries again at the ceiling": Verdict.SLOW,
    "holds the mirror": Verdict.HOLD,
}


def exits() -> dict[int, Verdict]:
    """Return the table of "When things go wrong"."""
    _, _, rows = section("When things go wrong").partition("rsync exits     inosync\n")
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


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:docs|examples)/[\w./@-]*\w", README))))
def test_what_it_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
