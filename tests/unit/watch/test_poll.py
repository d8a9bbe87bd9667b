"""What two looks through a source tell of what has changed between them, with numbers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from inosync.changes.changes import Change, Changes, Kind
from inosync.rsync.filters import compile_filters
from inosync.watch.poll import Poll

OLD, NEW = 100, 300


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int
    st_ctime_ns: int = OLD
    st_mtime_ns: int = OLD
    st_ino: int = 1
    st_size: int = 0
    st_uid: int = 0
    st_gid: int = 0


def folder(ctime: int = OLD, mtime: int | None = None, inode: int = 1) -> Status:
    return Status(stat.S_IFDIR, ctime, ctime if mtime is None else mtime, inode)


def file(ctime: int = OLD, **more: int) -> Status:
    return Status(stat.S_IFREG, ctime, **more)


@dataclass
class Tree:
    """What is there; ``b""`` is the source itself. What is `closed` cannot be read."""

    there: dict[bytes, Status]
    closed: set[bytes] = field(default_factory=set)

    def look(self, path: bytes) -> Status | None:
        return self.there.get(path)

    def statuses(self, path: bytes) -> Iterator[list[tuple[bytes, Status]]]:
        for other, status in self.there.items():
            parent, _, name = other.rpartition(b"/")
            if other and parent == path:
                yield [(name, status)]
        if path in self.closed:
            raise PermissionError(path)


def tree() -> Tree:
    names: dict[bytes, Status] = {b"": folder(), b"d": folder(), b"d/e": folder()}
    names |= {b"f": file(), b"d/g": file(), b"d/h": file(ctime=150), b"d/e/i": file()}
    return Tree(names)


def changes(poll: Poll) -> set[Change]:
    for _ in poll.steps():
        pass
    return set(poll.take())


def polled(tree: Tree, *rules: str) -> Poll:
    poll = Poll(tree, compile_filters(rules))
    assert not poll.ready
    assert changes(poll) == set()
    assert poll.ready
    assert changes(poll) == set()
    return poll


LEVEL_D = Change(b"d", Kind.LEVEL)


@pytest.mark.parametrize(
    "status",
    [
        file(NEW),
        file(st_size=1),
        file(st_mtime_ns=99),
        file(st_uid=1),
        file(st_gid=1),
        file()._replace(st_mode=stat.S_IFREG | 0o600),
        file()._replace(st_mode=stat.S_IFLNK),
    ],
)
def test_whatever_rsync_compares_counts(status: Status) -> None:
    there = tree()
    poll = polled(there)
    there.there[b"d/g"] = status
    found = changes(poll)
    # A ctime says which file it is; without one its directory is compared.
    assert found == {LEVEL_D} | ({Change(b"d/g", Kind.ENTRY)} if status == file(NEW) else set())
    assert changes(poll) == set()


def test_names_that_come_and_go_and_directories_that_are_new() -> None:
    there = tree()
    poll = polled(there)
    del there.there[b"f"]
    there.there |= {b"d/new": file(NEW), b"n": folder(), b"n/m": folder(), b"n/m/o": file()}
    assert changes(poll) == {
        Change(b"", Kind.LEVEL),
        LEVEL_D,
        Change(b"d/new", Kind.ENTRY),
        Change(b"n", Kind.TREE),
    }
    del there.there[b"n/m/o"]
    assert changes(poll) == {Change(b"n/m", Kind.LEVEL)}


def test_a_directory_itself() -> None:
    there = tree()
    poll = polled(there)
    there.there[b"d"] = folder(mtime=OLD + 1)
    assert changes(poll) == {LEVEL_D}
    there.there[b"d"] = folder(mtime=OLD + 1)._replace(st_mode=stat.S_IFDIR | 0o700)
    assert changes(poll) == {LEVEL_D}


def test_one_that_took_the_place_of_another_is_new() -> None:
    there = tree()
    poll = polled(there)
    there.there |= {b"": folder(NEW, OLD), b"d": folder(NEW, OLD, inode=2)}
    assert changes(poll) == {Change(b"d", Kind.TREE)}
    # Numbers that come and go (sshfs) are no sign by themselves.
    there.there[b"d"] = folder(NEW, OLD, inode=3)
    assert changes(poll) == set()
    there.there[b"d"] = folder(NEW + 1, OLD, inode=4)
    assert changes(poll) == set()


def test_of_files_of_the_same_moment_those_are_named_that_were_not_known() -> None:
    there = tree()
    poll = polled(there)
    there.there[b"d/g"] = file(ctime=150)  # as d/h has it
    assert changes(poll) == {LEVEL_D, Change(b"d/g", Kind.ENTRY), Change(b"d/h", Kind.ENTRY)}
    there.there[b"d/g"] = file(ctime=151)
    assert changes(poll) == {LEVEL_D, Change(b"d/g", Kind.ENTRY)}


def test_what_is_excluded_is_not_looked_at() -> None:
    there = tree()
    poll = polled(there, "skip", "/cache/")
    there.there |= {b"d/skip": file(NEW), b"cache": folder(NEW), b"cache/x": file(NEW)}
    there.there |= {b"": folder(NEW), b"d": folder(NEW)}
    assert changes(poll) == set()
    there.there[b"cache/y"] = file(NEW)
    assert changes(poll) == set()
    there.there[b"d/g"] = file(NEW)
    assert changes(poll) == {LEVEL_D, Change(b"d/g", Kind.ENTRY)}


def test_a_source_that_is_all_excluded_or_gone_is_not_looked_through() -> None:
    poll = Poll(tree(), compile_filters(["/srv"], prefix=b"srv"))
    assert changes(poll) == set()
    assert not poll.ready
    poll = Poll(Tree({}), compile_filters([]))
    assert changes(poll) == set()
    assert not poll.ready


def test_what_cannot_be_read_is_as_it_was() -> None:
    there = tree()
    there.there[b"gone"] = folder()
    poll = polled(there)
    there.closed = {b"d"}
    there.there[b"f"] = file(NEW)
    del there.there[b"gone"]
    assert changes(poll) == {Change(b"", Kind.LEVEL), Change(b"f", Kind.ENTRY)}
    there.closed = {b""}
    there.there[b"d/g"] = file(NEW)
    assert changes(poll) == set()
    there.closed = set()
    # And what is below it is nothing new.
    assert changes(poll) == {LEVEL_D, Change(b"d/g", Kind.ENTRY)}


def test_it_gives_way_and_hands_over_what_it_has_found() -> None:
    there = tree()
    there.there |= {b"d/%d" % number: file() for number in range(5)}
    poll = polled(there)
    there.there |= {b"f": file(NEW), b"d/g": file(NEW)}
    steps = poll.steps()
    found: list[Changes] = []
    for _ in steps:
        if poll.found:
            found.append(poll.take())
    assert [len(each) for each in found] == [2, 2]
    assert sum(1 for _ in poll.steps()) >= 5
