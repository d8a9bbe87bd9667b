"""The files of a source, as they are now: lstat, listing, and whether one is open.

Decides nothing.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from inosync.config.model import Source

#: A walk is given so many names at a time: it pays for each time, and may be held up by each name.
LOT = 16

#: Names in a directory, with lstat(2)'s answers.
Entries = list[tuple[bytes, os.stat_result]]

#: Seconds by which the times of files may lag behind the clock: the kernel's tick.
_TICK = 0.05


class Files:
    """Looks at one source. Paths are relative to it; ``b""`` is the source itself."""

    def __init__(self, source: Source) -> None:
        self._root = os.fsencode(source.path)

    def look(self, path: bytes) -> os.stat_result | None:
        """Return lstat(2)'s answer; None when there is none, for whatever reason."""
        try:
            # Not os.path.join, which takes longer than the call: plans look at thousands of files.
            return os.lstat(b"%b/%b" % (self._root, path))
        except OSError:
            return None

    def listing(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        """Give each name in a directory and whether that is a directory, which no link is."""
        try:  # not suppress(), which costs more: new directories are listed by the ten thousand
            yield from self.names(path)
        except OSError:
            return

    def names(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        """Give the same; OSError when the directory cannot be read."""
        with os.scandir(b"%b/%b" % (self._root, path)) as entries:
            for entry in entries:
                yield entry.name, entry.is_dir(follow_symlinks=False)

    def being_written(self, path: bytes) -> bool:
        """Return whether a program has the file open for writing; also when that is not known.

        The kernel knows: it grants a read lease on a file only while nobody has (fcntl(2)). It is
        given back at once. On the files of others that takes CAP_LEASE.
        """
        status = self.look(path)
        if status is None or not stat.S_ISREG(status.st_mode):
            return False
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(b"%b/%b" % (self._root, path), flags)
        except OSError:
            return True
        try:
            # Who opens it just now has us sent a signal: SIGIO would end us, this one is ignored.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            return True
        finally:
            os.close(descriptor)  # and with it goes the lease
        return False

    def entries(self, path: bytes) -> Iterator[Entries]:
        """Give the names in a directory, a few at a time, each with lstat(2)'s answer.

        What has gone meanwhile is not given, nor what cannot be looked at.
        """
        with suppress(OSError):
            yield from self._entries(path, OSError)

    def statuses(self, path: bytes) -> Iterator[Entries]:
        """Give the same; OSError when anything that is there cannot be looked at."""
        return self._entries(path, FileNotFoundError)

    def _entries(self, path: bytes, passed_over: type[OSError]) -> Iterator[Entries]:
        """Give names with lstat's answers, but none for which that is a `passed_over` error."""
        directory = b"%b/%b" % (self._root, path)
        # So names are looked up in it. entry.stat() has each by its path, which takes longer.
        descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        try:
            with os.scandir(directory) as entries:
                while names := [entry.name for entry in islice(entries, LOT)]:
                    yield _looked_up(descriptor, names, passed_over)
        finally:
            os.close(descriptor)


def _looked_up(descriptor: int, names: list[bytes], passed_over: type[OSError]) -> Entries:
    """Return what a walk wants to know of these names in a directory. Most of it is done here."""
    found = []
    lstat = os.lstat
    for name in names:
        try:
            found.append((name, lstat(name, dir_fd=descriptor)))
        except passed_over:
            continue
    return found


def changed(source: Source, relative: bytes | None, since: float) -> bool:
    """Return whether a path of the source has changed `since` (Unix time), as far as lstat tells.

    For a path that is not there, the directory that it may have been deleted from is asked. None
    stands for a directory above the source. A path also counts as changed when a directory above it
    got its name since.
    """
    root = os.fsencode(source.path)
    path = os.path.join(root, relative or b"").rstrip(b"/")
    status = None
    while status is None and len(path) >= len(root):
        status = _look(path)
        path = os.path.dirname(path)
    if status is None or status.st_ctime >= since - _TICK:
        return status is not None
    while len(path) > len(root):
        status = _look(path)
        if status is not None and _renamed(status, since - _TICK):
            return True
        path = os.path.dirname(path)
    return False


def _look(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _renamed(status: os.stat_result, since: float) -> bool:
    """Return whether a directory seems to have been renamed: it changed, and nothing in it did."""
    return status.st_ctime >= since and status.st_ctime - status.st_mtime > _TICK


def first_inside(directory: bytes, *, most: int = 10_000) -> bytes:
    """Return the path of something below a directory that is none itself; ``b""``: nothing seen.

    It is relative to `directory`. No more than `most` names are looked at.
    """
    todo, left = [b""], most
    while todo and left > 0:
        lead = todo.pop()
        try:
            with os.scandir(os.path.join(directory, lead)) as entries:
                for entry in entries:
                    left -= 1
                    if not entry.is_dir(follow_symlinks=False):
                        return os.path.join(lead, entry.name)
                    todo.append(os.path.join(lead, entry.name))
        except OSError:
            continue
    return b""
