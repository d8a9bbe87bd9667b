"""How planning sees a source, and the one walk with the rules."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

from support.views import Seen

from inosync.planning.view import below, files, is_real, outermost
from inosync.rsync.filters import compile_filters


class Status(NamedTuple):
    st_mode: int


TREE = {
    b"top": stat.S_IFREG,
    b"link": stat.S_IFLNK,
    b"new/deep/giant": stat.S_IFREG,
    b"new/deep/small": stat.S_IFREG,
    b"new/skipped.tmp": stat.S_IFREG,
    b"new/tmp.d/giant": stat.S_IFREG,
}
FILTERS = compile_filters(["*.tmp", "tmp.d"])


def look(path: bytes) -> Status | None:
    if path in TREE:
        return Status(TREE[path])
    return Status(stat.S_IFDIR) if any(name.startswith(path + b"/") for name in TREE) else None


def listing(path: bytes) -> Iterator[tuple[bytes, bool]]:
    lead = path + b"/" if path else b""
    inner = {name[len(lead) :] for name in TREE if name.startswith(lead)}
    yield from sorted({(name.partition(b"/")[0], b"/" in name) for name in inner})


VIEW = Seen(look, listing)


def test_below() -> None:
    assert set(below(b"new", filters=FILTERS, view=VIEW)) == {
        (b"new/deep", True),
        (b"new/deep/giant", False),
        (b"new/deep/small", False),
    }
    assert {path for path, _ in below(b"", filters=FILTERS, view=VIEW)} >= {b"top", b"new/deep"}


def test_which_paths_are_files() -> None:
    assert files([b"top", b"link", b"new", b"gone"], VIEW) == {b"top", b"link"}


def test_outermost_directories() -> None:
    assert outermost([b"a/b", b"a", b"a.b", b"ab/c", b"c/d/e"]) == [b"a", b"a.b", b"ab/c", b"c/d/e"]
    assert outermost([b"a", b""]) == [b""]
    assert outermost([]) == []


def test_a_real_directory_has_no_link_on_its_way() -> None:
    modes = {b"a": stat.S_IFDIR, b"a/b": stat.S_IFDIR, b"l": stat.S_IFLNK, b"l/b": stat.S_IFDIR}
    view = Seen(lambda path: Status(modes[path]) if path in modes else None)
    assert [path for path in (*modes, b"gone", b"gone/b") if is_real(path, view)] == [b"a", b"a/b"]
