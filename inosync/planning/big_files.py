"""Which changes concern big files: those that travel in a lane of their own (``rbigsize``).

Pure: sees the source through functions that it is handed. Knows neither mirrors nor rsync.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol

from inosync.changes.changes import Change, Kind
from inosync.rsync.filters import Filters

#: So many names in new directories are looked at for one lot of changes: a few hundredths of a
#: second. Behind them a new directory is taken for one with a big file in it.
MOST_NAMES = 5_000


class Status(Protocol):
    """What counts of lstat(2)'s answer; an ``os.stat_result`` is one."""

    @property
    def st_mode(self) -> int:
        """Type and permissions."""

    @property
    def st_size(self) -> int:
        """Bytes."""


#: Given a path relative to the source, return lstat(2)'s answer; None when there is none.
Look = Callable[[bytes], Status | None]

#: Given a directory, give each name in it and whether that is a directory itself.
Listing = Callable[[bytes], Iterable[tuple[bytes, bool]]]


def is_big(status: Status | None, size: int) -> bool:
    """Return whether that is a regular file of more than `size` bytes."""
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_size > size


def big_changes(
    changes: Iterable[Change], *, size: int, filters: Filters, look: Look, listing: Listing
) -> list[Change]:
    """Return what a lane for files of more than `size` bytes has to carry of `changes`.

    That is an ENTRY for each such file, as the source is now. A new directory with too much in it
    to be looked at stays as it is. Deletions are none of the lane's business.
    """
    found: dict[Change, None] = {}
    walked: set[bytes] = set()
    left = MOST_NAMES
    for path, kind in changes:
        if kind is Kind.LEVEL:
            continue
        if kind is not Kind.TREE:
            if is_big(look(path), size):
                found[Change(path, Kind.ENTRY)] = None
        elif path not in walked:
            names = list(islice(below(path, filters=filters, listing=listing), left + 1))
            left -= len(names)
            if left < 0:
                left = 0
                found[Change(path, Kind.TREE)] = None
                continue
            walked |= {name for name, directory in names if directory}
            files = (name for name, directory in names if not directory)
            found |= {Change(f, Kind.ENTRY): None for f in files if is_big(look(f), size)}
    return list(found)


def below(path: bytes, *, filters: Filters, listing: Listing) -> Iterator[tuple[bytes, bool]]:
    """Give all that the rules admit below the directory `path`, and whether it is a directory."""
    todo = [path]
    while todo:
        directory = todo.pop()
        lead = directory + b"/" if directory else b""
        for name, is_directory in listing(directory):
            inner = lead + name
            if filters.admits(inner, directory=is_directory):
                yield inner, is_directory
                if is_directory:
                    todo.append(inner)


def outermost(directories: Iterable[bytes]) -> list[bytes]:
    """Return those of `directories` that lie in no other one of them, sorted."""
    result: list[bytes] = []
    for path in sorted(directories, key=lambda path: path.split(b"/") if path else []):
        if not (result and (not result[-1] or path.startswith(result[-1] + b"/"))):
            result.append(path)
    return result
