"""Where a node keeps what runs overwrite and delete."""

from __future__ import annotations

import datetime
import fnmatch
import itertools

import pytest

from inosync.rsync.destination import parse_destination
from inosync.rsync.kept import (
    PRUNED,
    backup_place,
    day_of,
    days_over,
    folder,
    moment,
    nothing_yet,
    patterns,
    write_only,
)

NOON = 1_795_867_200.0  # 2026-11-28 12:00:00 UTC


def test_a_folder_is_called_after_its_time_in_utc() -> None:
    assert folder(NOON + 61.25) == "2026-11-28/120101.250000Z"
    assert folder(NOON - 43_200.000001) == "2026-11-27/235959.999999Z"


def test_the_calendar_is_everybody_elses() -> None:
    for day in range(0, 60_000, 7):
        wall = day * 86_400 + 3_723.5
        told = datetime.datetime.fromtimestamp(wall, datetime.UTC)
        assert folder(wall) == told.strftime("%Y-%m-%d/%H%M%S.%fZ")
        assert moment(folder(wall)) == wall


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2026-11-28",
        "2026-11-28/120101Z",
        "2026-13-28/120101.000000Z",
        "2026-02-30/000000.000000Z",
    ],
)
def test_what_is_called_otherwise_is_no_folder_of_a_run(name: str) -> None:
    assert moment(name) is None


def test_a_day_is_over_when_its_last_run_is() -> None:
    assert list(itertools.islice(days_over(NOON, 1), 2)) == ["2026-11-26", "2026-11-25"]
    assert next(days_over(NOON, 0.5)) == "2026-11-27"
    assert next(days_over(NOON, 0.6)) == "2026-11-26"
    assert len(list(days_over(NOON, 30))) == PRUNED


def test_few_patterns_match_these_days_and_no_others() -> None:
    days = [folder(NOON - 86_400 * ago)[:10] for ago in range(1_000)]
    for begin, count in ((0, 1), (3, 3), (27, 30), (28, 30), (31, 400), (630, 60), (640, 92)):
        meant = days[begin : begin + count]
        few = patterns(meant)
        assert [day for day in days if any(fnmatch.fnmatch(day, one) for one in few)] == meant
        assert len(few) <= 6 + count / 20
    assert patterns(["2024-02-29", "2023-02-29"]) == ["2023-02-2[9]", "2024-02-2[9]"]


@pytest.mark.parametrize(
    ("node", "restricted", "up", "named"),
    [
        ("/m", False, 0, "k/x"),
        ("/m", False, 2, "../../k/x"),
        ("h:m", False, 1, "../k/x"),
        ("h:m", False, 0, "k/x"),
        ("h:/m/", False, 0, "/m/k/x"),
        ("h:m", True, 0, "/m/k/x"),
        ("h::mod/m", False, 0, "k/x"),
        ("h:/m/", False, 1, "/m/k/x"),
        ("h:m", True, 1, "/m/k/x"),
        ("h:/", True, 1, "/k/x"),
        ("h::mod", False, 1, "/k/x"),
        ("rsync://h/mod/sub/", False, 3, "/sub/k/x"),
    ],
)
def test_it_is_found_from_below(node: str, restricted: bool, up: int, named: str) -> None:
    found = backup_place(parse_destination(node), restricted=restricted, up=up, below="k/x")
    assert found == named


@pytest.mark.parametrize(
    ("place", "day"),
    [
        (".inosync-kept/2026-11-28/120000.000000Z", "2026-11-28"),
        ("../../.inosync-kept/2026-11-28/120000.000000Z/a/b\n", "2026-11-28"),
        ("/m/.inosync-kept/2026-11-28/120000.000000Z", "2026-11-28"),
        ("old", ""),
    ],
)
def test_the_day_for_which_a_run_keeps(place: str, day: str) -> None:
    assert day_of(("rsync", "--backup", f"--backup-dir={place}", "--", "/s/", "/m/")) == day
    assert day_of(("rsync", "--", "/s/", f"--backup-dir={place}"[2:])) == ""


def test_what_rsync_says_of_what_is_kept() -> None:
    missing = 'rsync: [sender] change_dir "/m/.inosync-kept" failed: No such file or directory (2)'
    assert nothing_yet(["rsync error: some files (code 23)", missing])
    assert not nothing_yet(["rsync: [sender] change_dir /m failed: No such file or directory (2)"])
    assert not nothing_yet([".inosync-kept", "No such file or directory"])
    assert write_only(["@ERROR: module is write only"])
    assert not write_only([missing])
