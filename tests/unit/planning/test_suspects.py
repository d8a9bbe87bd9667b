"""Which files are compared by content, and how many at once."""

from __future__ import annotations

import stat
from typing import NamedTuple

import pytest
from support.views import Seen

from inosync.changes.changes import Changes
from inosync.changes.doubts import LOST, Doubts
from inosync.planning.suspects import BOUNDS, Bounds, candidates, take
from inosync.rsync.filters import compile_filters

OLD, NEW = 100.0, 200.0
SINCE = 150.0


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int = stat.S_IFREG
    st_size: int = 10
    st_nlink: int = 1
    st_ctime: float = OLD


def folder(ctime: float = OLD) -> Status:
    return Status(stat.S_IFDIR, st_ctime=ctime)


TREE = {
    b"": folder(NEW),
    b"f": Status(),
    b"new": Status(st_ctime=NEW),
    b"link": Status(stat.S_IFLNK),
    b"d": folder(NEW),
    b"d/g": Status(),
    b"d/e": folder(OLD),
    b"d/e/h": Status(),
    b"quiet": folder(OLD),
    b"quiet/came": folder(NEW),
    b"quiet/i": Status(),
    b"quiet/j": Status(st_ctime=NEW),
}


def listing(path: bytes):
    return [
        (found.rpartition(b"/")[2], stat.S_ISDIR(status.st_mode))
        for found, status in TREE.items()
        if found and found.rpartition(b"/")[0] == path
    ]


VIEW = Seen(TREE.get, listing)


def taken(
    doubts: Doubts, since: float | None = SINCE, *, most: Bounds = BOUNDS, spare: bytes = b""
):
    def wants(path: bytes, _status: object) -> bool:
        return path != spare

    found, rest = take(doubts, view=VIEW, wants=wants, since=since, most=most)
    return set(found), rest


def test_where_links_are_followed_a_link_may_lead_to_other_content() -> None:
    doubts = Doubts(files=frozenset((b"link", b"f", b"d")))
    for links, found in ((False, [b"f"]), (True, [b"f", b"link"])):
        it = take(doubts, view=VIEW, wants=lambda *_: True, since=SINCE, links=links)
        assert it == (found, Doubts())


def named(changes: Changes | None, inside: list[bytes] | None = None, leave=(), rules=(), **more):
    filters = compile_filters(rules)
    return candidates(changes, filters=filters, view=VIEW, inside=inside, leave=leave, **more)


def test_what_was_written_and_what_is_in_new_directories_are_candidates() -> None:
    changes = Changes(
        entries={b"f": None},
        attributes={b"new": None},
        levels={b"quiet": None},
        trees={b"d": None, b"d/e": None},
        written={b"log": None},
    )
    assert named(changes) == ({b"f", b"log", b"d/g", b"d/e/h"}, Doubts())
    assert named(changes, rules=["e"])[0] == {b"f", b"log", b"d/g"}
    assert named(changes, inside=[b"d/x"], leave={b"log"})[0] == {b"f", b"d/x"}
    assert named(None) == named(Changes()) == (frozenset(), Doubts())


def test_too_much_in_new_directories_leaves_them_in_doubt() -> None:
    found, doubts = named(Changes(trees={b"d": None}), names=1)
    assert (found, doubts) == (frozenset(), Doubts(trees=frozenset({b"d"})))


def test_only_files_are_compared_and_only_this_mirror_s() -> None:
    files = frozenset({b"f", b"link", b"gone", b"d", b"new", b"link/x"})
    assert taken(Doubts(files)) == ({b"f", b"new"}, Doubts())
    assert taken(Doubts(files), spare=b"f")[0] == {b"new"}


def test_directories_and_trees() -> None:
    assert taken(Doubts(folders=frozenset({b"d", b"link", b"gone"})))[0] == {b"d/g"}
    assert taken(Doubts(trees=frozenset({b"d", b"link"})))[0] == {b"d/g", b"d/e/h"}


def test_of_lost_names_what_has_changed_since_tells() -> None:
    # d may have come from elsewhere: it changed below one that changed. quiet did not.
    assert taken(LOST) == ({b"new", b"d/g", b"d/e/h", b"quiet/j"}, Doubts())
    assert taken(LOST, None) == (set(), Doubts())


@pytest.mark.parametrize("most", [Bounds(files=1), Bounds(size=1), Bounds(looks=1)], ids=repr)
@pytest.mark.parametrize(
    "doubts",
    [
        Doubts(frozenset({b"f", b"new", b"d/g"})),
        Doubts(folders=frozenset({b"", b"d", b"d/e"})),
        Doubts(trees=frozenset({b""})),
        LOST,
    ],
)
def test_slices_come_to_the_whole(most: Bounds, doubts: Doubts) -> None:
    whole, _ = taken(doubts)
    found, slices = set[bytes](), 0
    while doubts:
        part, doubts = taken(doubts, most=most)
        assert not found & part
        found |= part
        slices += 1
        assert slices < 30
    assert found == whole
    assert slices > 1


def test_however_deep_a_file_lies_it_is_compared() -> None:
    deep = b"/".join([b"d"] * 1500)
    view = Seen(lambda path: Status() if path.endswith(b"f") else folder())
    doubts = Doubts(frozenset({deep + b"/f"}), frozenset({deep}))
    found, rest = take(doubts, view=view, wants=lambda *_: True, since=SINCE)
    assert (found, bool(rest)) == ([deep + b"/f"], False)
