"""The old versions that a node keeps."""

from __future__ import annotations

import pytest

from inosync.rsync.versions import Version, chosen, days, versions

NOON = 1_795_867_200.0  # 2026-11-28 12:00:00 UTC


def test_the_newest_day_comes_first() -> None:
    lines = [
        b"drwxr-xr-x          60 2026/11/28 10:52:21 .\n",
        b"drwxr-xr-x          60 2026/11/27 10:52:21 2026-11-27\n",
        b"drwxr-xr-x          60 2026/11/28 10:52:21 2026-11-28\n",
        b"drwxr-xr-x          60 2026/11/28 10:52:21 mine\n",
        b"-rw-r--r--           2 2026/11/28 10:52:21 2026-11-26\n",
        b"motd\n",
    ]
    assert days(lines) == ["2026-11-28", "2026-11-27"]


def test_what_is_listed_of_a_day() -> None:
    lines = [
        b"drwxr-xr-x          60 2026/11/28 10:52:21 120000.500000Z/d\n",
        b"-rw-r--r--         123 2026/11/28 11:59:00 120000.500000Z/d/new\\#012 -> line\n",
        b"lrwxrwxrwx           4 1970/01/01 00:00:01 120001.000000Z/li\n",
        b"-rw-r--r--           1 2026/11/28 11:59:00 notes/x\n",
        b"-rw-r--r--           1 2026/11/28 11:59:00 120000.500000Z\n",
        b"-rw-r--r--           1 2026/19/28 11:59:00 120000.500000Z/odd\n",
    ]
    run = "2026-11-28/120000.500000Z"
    assert list(versions("2026-11-28", lines)) == [
        Version(b"d/new\n -> line", NOON + 0.5, run, "-", 123, NOON - 60),
        Version(b"li", NOON + 1, "2026-11-28/120001.000000Z", "l", 4, 1.0),
        Version(b"odd", NOON + 0.5, run, "-", 1, 0.0),
    ]


def version(path: bytes, at: float, mtime: float = 0.0) -> Version:
    return Version(path, at, f"run {at}", "-", 1, mtime)


A1, A2, B3 = version(b"a", 10.0), version(b"a", 20.0), version(b"b/c", 30.0)


@pytest.mark.parametrize(
    ("when", "picked"),
    [
        (5.0, [A1, B3]),
        (10.0, [A1, B3]),
        (10.5, [A2, B3]),
        (25.0, [B3]),
        (31.0, []),
        (None, [B3, A2]),
    ],
)
def test_what_was_there_is_what_was_put_away_next(when: float | None, picked: list) -> None:
    assert chosen([B3, A2, A1], when, lambda _: True) == (picked, [])


def test_without_a_time_what_is_not_wanted_stays_away() -> None:
    assert chosen([A1, A2, B3], None, lambda each: each.path != b"a") == ([B3], [])


def test_what_was_written_later_was_not_there() -> None:
    late, odd = version(b"late", 20.0, mtime=15.0), version(b"odd", 20.0, mtime=99.0)
    assert chosen([late, odd, A1], 10.0, lambda _: True) == ([A1, odd], [late])
    assert chosen([late], 15.0, lambda _: True) == ([late], [])


def test_a_directory_that_became_a_file_and_the_other_way_round() -> None:
    inside, file = version(b"d/x", 10.0), version(b"d", 20.0)
    assert chosen([file, inside], 5.0, lambda _: True) == ([inside], [])
    assert chosen([file, inside], 15.0, lambda _: True) == ([file], [])
    assert chosen([file, inside], None, lambda _: True) == ([file], [])
