"""Text for people."""

from __future__ import annotations

import re
from pathlib import Path

from inosync.text import many, printable

PACKAGE = Path(__file__).resolve().parents[2] / "inosync"


def test_one_is_no_plural() -> None:
    assert [many(count, "source") for count in (0, 1, 2)] == ["0 sources", "1 source", "2 sources"]
    assert (many(2, "directory"), many(2, "day")) == ("2 directories", "2 days")
    assert many(2, "full pass") == "2 full passes"
    assert (many(1, "more line"), many(3, "more line")) == ("1 more line", "3 more lines")
    assert many(12345, "file", ",") == "12,345 files"


def test_nothing_counts_in_plurals_by_hand() -> None:
    """What a message counts is counted by ``many``: "1 sources" is no English."""
    nouns = "sources?|nodes|mirrors|files|director(y|ies)|changes|runs|events|overflows|hooks|tries"
    counted = re.compile(rf"(\}}|%d) (more )?({nouns})\b")
    for path in PACKAGE.rglob("*.py"):
        assert not counted.search(path.read_text()), path


def test_what_is_shown_is_printable() -> None:
    assert printable("a\x1bb\n") == "a\\x1bb\\n"
    assert printable(b"\xff") == "\\udcff"
