"""What has changed in a source of which no event tells: it is looked through again and again.

Of each directory a few numbers are remembered: sums of what rsync would compare of all that is in
it (names, sizes, times, modes, owners), and of ctimes. So this needs no clock that agrees with a
server's, no cache that is up to date and no file system whose ctimes tell of renames: where two
looks see no difference, rsync would see none, and what is seen late is seen by the next look.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple, Protocol

from inosync.changes.changes import Changes, with_parents
from inosync.rsync.filters import Filters

#: Later than any ctime.
_NEVER = 1 << 64


class Statuses(Protocol):
    """A source that can be looked through. Paths are relative to it; ``b""`` is itself."""

    def look(self, path: bytes) -> os.stat_result | None:
        """Return lstat(2)'s answer; None when there is none, for whatever reason."""

    def statuses(self, path: bytes) -> Iterable[Iterable[tuple[bytes, os.stat_result]]]:
        """Give the names in a directory, a few at a time, each with lstat's answer.

        OSError when not all can be told.
        """


class _Directory(NamedTuple):
    """What is remembered of one directory; times are nanoseconds since 1970.

    ``names`` is a sum of what is in it and of its own mode and owner. ``mtime`` is 0 when something
    hidden is in it, for whose sake it may have changed. ``newest`` is the highest ctime of files in
    it, and so many have it.
    """

    names: int
    mtime: int
    newest: int
    many: int
    inode: int
    ctime: int


#: Nearly a third of what the tuple takes: there is one for each directory.
_PACKED = Struct("qqqqQq")


class _Todo(NamedTuple):
    """A directory to look at. ``new``: one above it is. ``stirred``: its parent has changed."""

    path: bytes
    status: os.stat_result
    new: bool
    stirred: bool


class Poll:
    """Looks through one source, and remembers what it was like."""

    def __init__(self, view: Statuses, filters: Filters) -> None:
        self._view = view
        self._filters = filters
        self._known: dict[bytes, bytes] | None = None
        self._changes = Changes()

    @property
    def ready(self) -> bool:
        """Whether the source was looked through once, so that the next look can tell changes."""
        return self._known is not None

    @property
    def found(self) -> int:
        """How many changes there are to be taken."""
        return len(self._changes)

    def take(self) -> Changes:
        """Return what has changed, as far as it is found; forget it."""
        taken, self._changes = self._changes, Changes()
        return taken

    def steps(self) -> Iterator[None]:
        """Look through the source; give control back after some names."""
        known: dict[bytes, bytes] = self._known or {}
        first = self._known is None
        seen: dict[bytes, bytes] = {}
        failed: set[bytes] = set()
        top = self._view.look(b"")
        if top is None or not self._filters.admits(b"", directory=True):
            return
        todo = [_Todo(b"", top, first, False)]
        while todo:
            each = todo.pop()
            packed = known.get(each.path)
            before = _Directory(*_PACKED.unpack(packed)) if packed is not None else None
            look = _Look(each.status, before.newest if before is not None else _NEVER)
            try:
                yield from self._look_at(each.path, look)
            except OSError:
                failed.add(each.path)
                continue
            now = look.directory()
            seen[each.path] = _PACKED.pack(*now)
            new = each.new or self._compare(each, before, now, look)
            stirred = before is None or now.ctime != before.ctime
            lead = each.path + b"/" if each.path else b""
            todo += [_Todo(lead + name, status, new, stirred) for name, status in look.inner]
            yield
        if b"" in failed:
            return  # it is as it was, as far as anybody knows
        for path in known.keys() - seen.keys() if failed else ():
            if not failed.isdisjoint(with_parents(path)):
                seen[path] = known[path]
        self._known = seen

    def _look_at(self, path: bytes, look: _Look) -> Iterator[None]:
        """Look at all that the rules admit in a directory."""
        hide_files = self._filters.hiding(directories=False)
        hide_inner = self._filters.hiding(directories=True)
        hides_file = hide_files(path) if hide_files is not None else None
        hides_inner = hide_inner(path) if hide_inner is not None else None
        for entries in self._view.statuses(path):
            yield
            for name, status in entries:
                directory = stat.S_ISDIR(status.st_mode)
                hides = hides_inner if directory else hides_file
                if hides is not None and hides(name):
                    look.hidden = True
                elif directory:
                    look.names ^= hash(name)
                    look.inner.append((name, status))
                else:
                    look.file(name, status)

    def _compare(
        self, each: _Todo, before: _Directory | None, now: _Directory, look: _Look
    ) -> bool:
        """Take note of what has changed in a directory; return whether it is new itself."""
        moved = before is None or (now.inode != before.inode and now.ctime != before.ctime)
        if before is None or (moved and each.stirred):
            self._changes.trees[each.path] = None
            return True
        touched = now.mtime != before.mtime and bool(now.mtime and before.mtime)
        if now.names != before.names or touched:
            self._changes.levels[each.path] = None
            lead = each.path + b"/" if each.path else b""
            names = look.changed(before)
            self._changes.entries.update((lead + name, None) for name in names)
        return False


class _Look:
    """What is seen of one directory. Files whose ctime is at least `since` may be new in it."""

    def __init__(self, status: os.stat_result, since: int) -> None:
        self._status = status
        self._since = since
        self._newest = self._many = 0
        self._recent: list[tuple[bytes, int]] = []
        self.names = hash((status.st_mode, status.st_uid, status.st_gid))
        self.hidden = False
        self.inner: list[tuple[bytes, os.stat_result]] = []

    def file(self, name: bytes, status: os.stat_result) -> None:
        """Take in what is no directory. It is called for every file."""
        ctime = status.st_ctime_ns
        size, mtime = status.st_size, status.st_mtime_ns
        self.names ^= hash((name, ctime, status.st_mode, size, mtime, status.st_uid, status.st_gid))
        if ctime >= self._newest:
            self._many = self._many + 1 if ctime == self._newest else 1
            self._newest = ctime
        if ctime >= self._since:
            self._recent.append((name, ctime))

    def directory(self) -> _Directory:
        """Return what is to be remembered."""
        status = self._status
        mtime = 0 if self.hidden else status.st_mtime_ns
        ours = (self._newest, self._many, status.st_ino, status.st_ctime_ns)
        return _Directory(self.names, mtime, *ours)

    def changed(self, before: _Directory) -> list[bytes]:
        """Return the files that have changed since then, as their ctimes have it."""
        same = [name for name, ctime in self._recent if ctime == before.newest]
        later = [name for name, ctime in self._recent if ctime > before.newest]
        return later + same if len(same) > before.many else later
