"""Which changes concern big files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from support.views import Seen

from inosync.changes.changes import Change, Kind
from inosync.planning.big_files import big_changes
from inosync.rsync.filters import compile_filters


class Status(NamedTuple):
    st_mode: int
    st_size: int


TREE = {
    b"small": 100,
    b"giant": 101,
    b"new/deep/giant": 5000,
    b"new/deep/small": 5,
    b"new/skipped.tmp": 5000,
    b"new/tmp.d/giant": 5000,
}
FILTERS = compile_filters(["*.tmp", "tmp.d"])


def look(path: bytes) -> Status | None:
    if path in TREE:
        return Status(stat.S_IFREG, TREE[path])
    return Status(stat.S_IFLNK, 5000) if path == b"link" else None


def listing(path: bytes) -> Iterator[tuple[bytes, bool]]:
    lead = path + b"/" if path else b""
    inner = {name[len(lead) :] for name in TREE if name.startswith(lead)}
    yield from sorted({(name.partition(b"/")[0], b"/" in name) for name in inner})


def found(*changes: Change, **more: int) -> set[Change]:
    result = big_changes(changes, size=100, filters=FILTERS, view=Seen(look, listing), **more)
    assert len(set(result)) == len(result)
    return set(result)


@pytest.mark.parametrize(
    ("path", "kind", "concerns"),
    [
        (b"giant", Kind.ENTRY, True),
        (b"giant", Kind.WRITTEN, True),
        (b"small", Kind.ENTRY, False),
        (b"link", Kind.ENTRY, False),
        (b"gone", Kind.ENTRY, False),
        (b"new/deep", Kind.LEVEL, False),
    ],
)
def test_a_change_of_a_big_file(path: bytes, kind: Kind, *, concerns: bool) -> None:
    assert found(Change(path, kind)) == ({Change(path, Kind.ENTRY)} if concerns else set())


def test_new_directories_are_searched_once() -> None:
    giant = Change(b"new/deep/giant", Kind.ENTRY)
    assert found(Change(b"new", Kind.TREE), Change(b"new/deep", Kind.TREE), giant) == {giant}
    assert found(Change(b"", Kind.TREE)) == {giant, Change(b"giant", Kind.ENTRY)}


def test_a_directory_with_too_much_in_it_is_taken_for_one() -> None:
    trees = {Change(b"new", Kind.TREE), Change(b"", Kind.TREE)}
    assert found(*trees, most=2) == trees
    assert found(Change(b"new/deep", Kind.TREE), most=2) == {Change(b"new/deep/giant", Kind.ENTRY)}


def test_without_a_lane_nothing_is_big() -> None:
    changes = [Change(b"giant", Kind.ENTRY)]
    assert big_changes(changes, size=0, filters=FILTERS, view=Seen(look, listing)) == []


def test_of_attributes_no_more_is_told() -> None:
    view = Seen(lambda _: Status(stat.S_IFREG, 500))
    for kind, told in ((Kind.ATTRIBUTES, Kind.ATTRIBUTES), (Kind.WRITTEN, Kind.ENTRY)):
        found = big_changes([Change(b"a", kind)], size=100, filters=compile_filters(()), view=view)
        assert found == [Change(b"a", told)]
