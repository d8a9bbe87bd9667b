"""How planning sees a source: lstat and listing, as they are at the moment of asking.

Pure: whoever plans is handed a view. Owns the one walk with the rules.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from typing import Protocol

from inosync.rsync.filters import Filters


class Status(Protocol):
    """What counts of lstat(2)'s answer; an ``os.stat_result`` is one."""

    @property
    def st_mode(self) -> int:
        """Type and permissions."""

    @property
    def st_size(self) -> int:
        """Bytes."""

    @property
    def st_nlink(self) -> int:
        """How many names it has."""

    @property
    def st_dev(self) -> int:
        """The device that it is on."""

    @property
    def st_ino(self) -> int:
        """What all of its names have in common, on that device."""

    @property
    def st_ctime(self) -> float:
        """When it last changed, in seconds since 1970: content, mode, owner or name."""


class View(Protocol):
    """A source that can be looked at. Paths are relative to it; ``b""`` is the source itself."""

    def look(self, path: bytes) -> Status | None:
        """Return lstat(2)'s answer; None when there is none, for whatever reason."""

    def listing(self, path: bytes) -> Iterable[tuple[bytes, bool]]:
        """Give each name in a directory and whether that is a directory, which no link is.

        Give nothing when it cannot be read.
        """


def is_sent(status: Status) -> bool:
    """Return whether it is a file, a directory or a link: runs pass over all else."""
    return stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


def below(path: bytes, *, filters: Filters, view: View) -> Iterator[tuple[bytes, bool]]:
    """Give all that the rules admit below the directory `path`, and whether it is a directory."""
    todo = [path]
    while todo:
        directory = todo.pop()
        lead = directory + b"/" if directory else b""
        for name, is_directory in view.listing(directory):
            inner = lead + name
            if filters.admits(inner, directory=is_directory):
                yield inner, is_directory
                if is_directory:
                    todo.append(inner)


def is_real(path: bytes, view: View) -> bool:
    """Return whether a path leads to a directory, and by directories alone: no link on the way."""
    slash = path.find(b"/")
    while slash != -1:
        if not _is_directory(view.look(path[:slash])):
            return False
        slash = path.find(b"/", slash + 1)
    return _is_directory(view.look(path))


def _is_directory(status: Status | None) -> bool:
    return status is not None and stat.S_ISDIR(status.st_mode)


def files(paths: Iterable[bytes], view: View) -> frozenset[bytes]:
    """Return which of these paths are there, and are no directories."""
    found = {path: view.look(path) for path in paths}
    return frozenset(
        path
        for path, status in found.items()
        if status is not None and not stat.S_ISDIR(status.st_mode)
    )


def outermost(directories: Iterable[bytes]) -> list[bytes]:
    """Return those of `directories` that lie in no other one of them, sorted."""
    result: list[bytes] = []
    for path in sorted(directories, key=lambda path: path.split(b"/") if path else []):
        if not (result and (not result[-1] or path.startswith(result[-1] + b"/"))):
            result.append(path)
    return result
