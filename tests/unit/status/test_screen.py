"""The screen of --top: the summary stays, all else is scrolled."""

from __future__ import annotations

import pytest
from support.scene import crowd_snapshot
from support.snapshots import plain

from inosync.status.layout import width
from inosync.status.screen import keys, notice, screen


@pytest.mark.parametrize(("columns", "rows"), [(60, 11), (80, 23), (200, 49), (20, 3), (60, 1)])
def test_it_fits_and_keeps_the_summary(columns: int, rows: int) -> None:
    now = crowd_snapshot()
    for first in (0, 7, 1000):
        shown = plain(screen(now, columns, rows, first).lines)
        assert len(shown) == rows
        assert max(map(width, shown)) <= columns
        assert shown[0].startswith("51 of 60 mirrors")


def test_what_ails_is_seen_at_once_on_the_smallest_screen() -> None:
    shown = plain(screen(crowd_snapshot(), 60, 11).lines)
    assert shown[3].startswith("backoff  mod4, mod11 (all 3 sources), 4 h behind")
    assert shown[-1] == "1-7 of 75 lines: arrows, Page Up/Down, Home, End; q"


def test_all_of_it_is_seen_without_a_word_about_keys() -> None:
    seen = screen(crowd_snapshot(1, 5), 80, 23)
    assert (seen.first, seen.seen, seen.count) == (0, 16, 16)
    assert plain(seen.lines)[-1].strip().startswith("mod5")
    assert seen.moved("down") == seen.moved("end") == 0


def test_each_line_can_be_reached() -> None:
    now = crowd_snapshot()
    seen = screen(now, 80, 23)
    whole = plain(screen(now, 80, 200).lines)[2:]
    met = plain(seen.lines)[2:-1]
    while (first := seen.moved("page down")) != seen.first:
        assert first - seen.first <= seen.seen - 1  # one line is seen twice
        met += plain(screen(now, 80, 23, first).lines)[2 + seen.first + seen.seen - first : -1]
        seen = screen(now, 80, 23, first)
    assert met == whole
    assert seen.moved("home") == 0
    assert seen.moved("end") == seen.first == seen.count - seen.seen
    assert seen.moved("up") == seen.first - 1
    assert seen.moved("page up") == seen.first - 19
    assert seen.moved("?") == seen.first


def test_keys() -> None:
    assert keys("jk\x1b[A\x1bOB\x1b[5~\x1b[6~") == [
        *("down", "up", "up", "down", "page up", "page down")
    ]
    assert keys("\x1b[Hg\x1b[4~G q") == ["home", "home", "end", "end", "page down", "quit"]
    assert keys("\x03x\x1b[1;5C") == ["quit"]


def test_a_daemon_that_does_not_answer() -> None:
    assert plain(notice("no daemon answers at all " * 3, 30, 2)) == [
        "no daemon answers at all no",
        "daemon answers at all no",
    ]
