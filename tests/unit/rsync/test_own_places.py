"""Directories inside a mirror that rsync has for itself."""

from __future__ import annotations

import pytest

from inosync.rsync.destination import parse_destination
from inosync.rsync.own_places import own_places


@pytest.mark.parametrize(
    ("extra", "there", "found"),
    [
        (("--backup-dir=.bak",), "/m/", [".bak"]),
        (("--backup-dir=a/b/../c",), "h:m", ["a", "a/c"]),
        (("--backup-dir=/m/deleted/x",), "/m/", ["deleted", "deleted/x"]),
        (("--backup-dir=/m/deleted",), "h:/m", ["deleted"]),
        (("--backup-dir", "/m2/deleted"), "/m", []),
        (("--backup-dir=../old",), "/m", []),
        (("--backup-dir=.",), "/m", []),
        (("--backup-dir=/m",), "/m", []),
        (("--backup-dir=/x/old",), "h::mod/x/", ["old"]),
        (("--backup-dir=/old",), "rsync://h/mod", ["old"]),
        (("--backup-dir=/y/old",), "h::mod/x", []),
        (("--backup-dir=/home/me/m/old",), "h:m", []),
        (("-T", ".t", "--temp-dir=u"), "/m", [".t", "u"]),
        (("--partial-dir=.p",), "/m", []),
        (("--partial-dir=/m/p",), "/m", ["p"]),
        (("-aH",), "/m", []),
    ],
)
def test_they_are_named_below_the_mirror(extra: tuple, there: str, found: list) -> None:
    assert own_places(extra, parse_destination(there), restricted=False) == found


def test_absolute_paths_count_from_the_top_of_a_restricted_key() -> None:
    mirror = parse_destination("h:m")
    assert own_places(("--backup-dir=/m/old",), mirror, restricted=True) == ["old"]
    assert own_places(("--backup-dir=/old",), mirror, restricted=True) == []
