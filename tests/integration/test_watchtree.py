"""Directories that are renamed just while they are looked up, between two system calls.

The tree's doors to inotify are real; what happens in between is done in them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from inosync.changes.inotify_bits import DEFAULT_EMASK as MASK
from inosync.changes.inotify_bits import (
    IN_CREATE,
    IN_IGNORED,
    IN_ISDIR,
    IN_MOVE_SELF,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
)
from inosync.rsync.filters import compile_filters
from inosync.watch.tree import WatchTree

_LIBC = ctypes.CDLL(None, use_errno=True)
_HEADER = struct.Struct("iIII")


class Raced:
    """A tree of watches on `root`, and what somebody else does while it looks.

    ``before[name]`` is done, once, as `name` was looked up and has no watch yet: it returns where
    that directory is by then, for the watch is on what was found. ``after[name]``, once, as it has
    its watch. ``at_the_end``, once, as all in a directory are looked up. ``entered`` counts the
    directories that were.
    """

    def __init__(self, root: Path) -> None:
        self.before: dict[bytes, Callable[[], Path]] = {}
        self.after: dict[bytes, Callable[[], object]] = {}
        self.at_the_end: Callable[[], object] | None = None
        self.entered = 0
        self._queue = os.fdopen(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "rb", 0)
        self._buffer = b""
        self.root = root
        self.tree = WatchTree(
            os.fsencode(root),
            filters=compile_filters(()),
            mask=MASK | IN_MOVE_SELF,
            add=self._add,
            remove=lambda wd: _LIBC.inotify_rm_watch(self._queue.fileno(), wd),
            waiting=self._waiting,
        )

    def close(self) -> None:
        self._queue.close()

    def _add(self, path: bytes, mask: int) -> int:
        self.entered += path == b"."
        found = os.fsencode(self.before.pop(path)()) if path in self.before else path
        wd = _LIBC.inotify_add_watch(self._queue.fileno(), found, mask)
        if path in self.after:
            self.after.pop(path)()
        return wd if wd >= 0 else -ctypes.get_errno()

    def _waiting(self) -> bool:
        if self.at_the_end is not None:
            at_the_end, self.at_the_end = self.at_the_end, None
            at_the_end()
        with contextlib.suppress(BlockingIOError):
            self._buffer += self._queue.read(1 << 16) or b""
        return bool(self._buffer)

    def settle(self) -> None:
        """Walk, and do what the events ask for, until there is nothing left to do."""
        while not self.tree.advance(100) or self._waiting():
            buffer, self._buffer = self._buffer, b""
            for wd, mask, name in _parse(buffer):
                assert not mask & IN_Q_OVERFLOW
                if mask & IN_IGNORED:
                    self.tree.ignored(wd)
                elif mask & IN_MOVE_SELF:
                    self.tree.moved(wd)
                elif mask & IN_ISDIR and mask & (IN_CREATE | IN_MOVED_TO):
                    self.tree.appeared(wd, name)

    def known(self) -> dict[str, tuple[int, int]]:
        """Return the paths in the tree's table, each with what has that watch: proc(5), fdinfo."""
        watches = {}
        for line in Path(f"/proc/self/fdinfo/{self._queue.fileno()}").read_text().splitlines():
            if line.startswith("inotify wd:"):
                fields = dict(field.split(":") for field in line.split()[1:] if ":" in field)
                device = int(fields["sdev"], 16)
                watches[int(fields["wd"], 16)] = (device, int(fields["ino"], 16))
        table = self.tree.table
        assert set(table) == watches.keys()
        return {os.fsdecode(table.path(wd) or b""): watches[wd] for wd in table}

    def actual(self) -> dict[str, tuple[int, int]]:
        """Return what is there."""
        found = {}
        for path, _, _ in os.walk(self.root):
            status = os.lstat(path)
            major, minor = os.major(status.st_dev), os.minor(status.st_dev)
            relative = os.path.relpath(path, self.root)
            found["" if relative == "." else relative] = (major << 20 | minor, status.st_ino)
        return found


def _parse(buffer: bytes) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    while offset < len(buffer):
        wd, mask, _, length = _HEADER.unpack_from(buffer, offset)
        offset += _HEADER.size
        yield wd, mask, buffer[offset : offset + length].rstrip(b"\0")
        offset += length


#: Names are looked up in any order; among so many pairs there is each.
PAIRS = range(8)


@pytest.fixture
def raced(tmp_path: Path) -> Iterator[Raced]:
    """A source with full0, full1, ..., which have a directory in them, and leaf0, leaf1, ..."""
    for number in PAIRS:
        (tmp_path / f"source/full{number}/inner").mkdir(parents=True)
        (tmp_path / f"source/leaf{number}").mkdir()
    found = Raced(tmp_path / "source")
    yield found
    found.close()


def swap(one: Path, other: Path) -> None:
    """Exchange two directories, by three renames."""
    away = one.with_name(f"{one.name}.away")
    one.rename(away)
    other.rename(one)
    away.rename(other)


def test_nothing_happens(raced: Raced) -> None:
    raced.settle()
    assert raced.known() == raced.actual()


@pytest.mark.parametrize("kind", ["full", "leaf"])
def test_it_leaves_before_it_has_a_watch(raced: Raced, tmp_path: Path, kind: str) -> None:
    for number in PAIRS:
        path = raced.root / f"{kind}{number}"
        raced.before[os.fsencode(path.name)] = partial(path.rename, tmp_path / path.name)
    raced.settle()
    assert raced.known() == raced.actual()


@pytest.mark.parametrize("kind", ["full", "leaf"])
def test_another_takes_its_place_before_it_has_a_watch(raced: Raced, kind: str) -> None:
    def exchange(one: Path, other: Path) -> Path:
        swap(one, other)
        return other

    for number in PAIRS:
        full, leaf = raced.root / f"full{number}", raced.root / f"leaf{number}"
        one, other = (full, leaf) if kind == "full" else (leaf, full)
        raced.before[os.fsencode(one.name)] = partial(exchange, one, other)
    raced.settle()
    assert not raced.before
    assert raced.known() == raced.actual()


def test_the_links_of_another_are_counted(raced: Raced, tmp_path: Path) -> None:
    full, other = raced.root / "full0", tmp_path / "leaf"
    other.mkdir()
    raced.after[b"full0"] = partial(swap, full, other)
    raced.at_the_end = partial(swap, full, other)
    raced.settle()
    assert raced.at_the_end is None
    assert raced.known() == raced.actual()


def test_what_is_compared_anew_is_no_more_than_was_listed_at_first(raced: Raced) -> None:
    raced.entered = 0
    raced.settle()
    at_first = raced.entered
    raced.tree.reconcile()
    raced.settle()
    assert raced.entered == 2 * at_first
    assert raced.known() == raced.actual()


@pytest.mark.parametrize("back", [False, True])
def test_the_links_of_another_are_counted_when_events_were_lost(
    raced: Raced, tmp_path: Path, *, back: bool
) -> None:
    raced.settle()
    full, other = raced.root / "full0", tmp_path / "leaf"
    other.mkdir()
    raced.tree.reconcile()
    raced.after[b"full0"] = partial(swap, full, other)
    if back:
        raced.at_the_end = partial(swap, full, other)
    raced.settle()
    assert raced.at_the_end is None
    assert raced.known() == raced.actual()
    reports = {raced.tree.table.path(wd) for wd in raced.tree.findings.take_reports()}
    assert reports >= ({b"full0/inner"} if back else {b"full0"})


def test_it_is_replaced_by_a_new_one(raced: Raced) -> None:
    leaf = raced.root / "leaf0"
    raced.after[b"leaf0"] = lambda: (leaf.rmdir(), leaf.mkdir())
    raced.settle()
    assert raced.known() == raced.actual()


def test_what_is_complete_is_reported_while_a_long_walk_goes_on(raced: Raced) -> None:
    raced.settle()
    raced.tree.findings.take_reports()
    for number in range(300):
        (raced.root / f"long/{number}").mkdir(parents=True)
    raced.tree.appeared(raced.tree.root, b"long")
    assert not raced.tree.advance(100)
    (raced.root / "short/inner").mkdir(parents=True)
    raced.tree.appeared(raced.tree.root, b"short")
    assert not raced.tree.advance(10)
    reports = raced.tree.findings.take_reports()
    assert [raced.tree.table.path(wd) for wd in reports] == [b"short"]
    assert len(raced.tree.table) < 300
    raced.settle()
    assert b"long" in {raced.tree.table.path(wd) for wd in raced.tree.findings.take_reports()}
    assert raced.known() == raced.actual()
