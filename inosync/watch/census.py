"""Which names there are in a source: what else has gone with a directory that has vanished.

inotify names a directory that is moved out of a source, and nothing that is in it. Whoever may
delete on a mirror only what has vanished (``rdelete = "seen"``) has to know these names. So all
names are kept, in few bytes each, as long as the source is watched: what is listed and what events
name comes, and what a look does not find any more has vanished. Nothing is kept for anybody else.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator

from inosync.changes.changes import Changes
from inosync.changes.inotify_bits import IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO
from inosync.rsync.filters import Filters
from inosync.watch.files import Files
from inosync.watch.sift import Touched

_APPEARED = IN_CREATE | IN_MOVED_TO
_VANISHED = IN_DELETE | IN_MOVED_FROM

#: A directory's files are packed anew when so many of them, and more than an eighth, have changed.
_LOOSE = 64

#: So many new directories are listed at once, when they are heard of.
_AT_ONCE = 512


class _Directory:
    """One directory: the directories in it, and the names of all else, packed, but for a few."""

    __slots__ = ("_count", "_less", "_more", "_packed", "inner")

    def __init__(self) -> None:
        self.inner: dict[bytes, _Directory] = {}
        self._packed = b""  # a slash between two
        self._count = 0
        self._more: set[bytes] | None = None
        self._less: set[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        more, less = self._more or (), self._less or ()
        if self._count:
            packed = self._packed.split(b"/")
            yield from (name for name in packed if name not in less and name not in more)
        yield from more

    def add(self, name: bytes) -> None:
        """Take note of a name that is none of a directory."""
        if self._less:
            self._less.discard(name)
        if self._more is None:
            self._more = set()
        self._more.add(name)
        self._tidy()

    def discard(self, name: bytes) -> None:
        """Forget a name."""
        if self._more:
            self._more.discard(name)
        if self._less is None:
            self._less = set()
        self._less.add(name)
        self._tidy()

    def fill(self, names: Collection[bytes]) -> None:
        """Let these be the names."""
        self._count = len(names)
        self._packed = b"/".join(names)
        self._more = self._less = None

    def _tidy(self) -> None:
        loose = len(self._more or ()) + len(self._less or ())
        if loose > _LOOSE and loose > self._count >> 3:
            self.fill(tuple(self))

    def below(self, path: bytes) -> Iterator[bytes]:
        """Give the paths of all that is in it, when it is called `path`; a slash ends directories.

        What is in a directory comes before it.
        """
        for name, directory in self.inner.items():
            yield from directory.below(path + name + b"/")
            yield path + name + b"/"
        yield from (path + name for name in self)


class Census:
    """The names in one source that its rules admit; paths are relative to it.

    What has vanished waits until it is taken. The path of what was a directory ends in a slash.
    While it is ``pending``, there are directories to be listed by :meth:`advance`.
    """

    def __init__(self, view: Files, filters: Filters, emask: int) -> None:
        self._view = view
        self._filters = filters
        self._emask = emask
        self._root = _Directory()
        self._gone: dict[bytes, None] = {}
        self._todo = [b""]

    def __bool__(self) -> bool:
        """Whether anything has vanished."""
        return bool(self._gone)

    def take(self) -> frozenset[bytes]:
        """Return, once, what has vanished."""
        gone, self._gone = frozenset(self._gone), {}
        return gone

    @property
    def pending(self) -> bool:
        """Whether there are directories to be listed."""
        return bool(self._todo)

    def recount(self) -> None:
        """Events were lost: list all anew, and find what has vanished meanwhile."""
        self._todo = [b""]

    def look(self, changes: Changes) -> None:
        """List the directories in which something has changed without an event."""
        for path in (*changes.levels, *changes.trees):
            self._todo += self._list(path) or ()

    def advance(self, limit: int) -> bool:
        """List about `limit` directories at most; return True when none is left."""
        while self._todo and limit > 0:
            path = self._todo.pop()
            lead = path + b"/" if path else b""
            if self._list(path) is not None:
                self._todo += [lead + name for name in self._find(path).inner]
            limit -= 1
        return not self._todo

    def hear(self, files: Touched, directories: Touched) -> None:
        """Take note of what events have said, as ``sift`` is told it."""
        for touched, is_directory in ((directories, True), (files, False)):
            for directory, masks in touched.items():
                for padded, mask in masks.items():
                    if mask & (_APPEARED | _VANISHED) and (name := padded.rstrip(b"\0")):
                        self._hear(directory, name, mask, is_directory=is_directory)
        self.advance(_AT_ONCE)

    def _hear(self, directory: bytes, name: bytes, mask: int, *, is_directory: bool) -> None:
        path = b"%b/%b" % (directory, name) if directory else name
        if not self._filters.admits(path, directory=is_directory):
            return
        home = self._find(directory)
        if mask & self._emask & _VANISHED:
            self._vanished(home, path, name, is_directory=is_directory)
            status = self._view.look(path)
            if status is None or stat.S_ISDIR(status.st_mode) != is_directory:
                return
        elif not mask & _APPEARED:
            return
        if is_directory:
            home.inner.setdefault(name, _Directory())
            self._todo.append(path)
        else:
            home.add(name)

    def _vanished(self, home: _Directory, path: bytes, name: bytes, *, is_directory: bool) -> None:
        """What `name` was has left; what is there now may be another thing."""
        if not is_directory:
            home.discard(name)
            self._gone[path] = None
            return
        if (left := home.inner.pop(name, None)) is not None:
            self._gone.update(dict.fromkeys(left.below(path + b"/")))
        self._gone[path + b"/"] = None

    def _find(self, path: bytes) -> _Directory:
        found = self._root
        for name in path.split(b"/") if path else ():
            found = found.inner.setdefault(name, _Directory())
        return found

    def _list(self, path: bytes) -> list[bytes] | None:
        """List a directory; return which directories are new in it, None: it cannot be read."""
        known, lead = self._find(path), path + b"/" if path else b""
        files, inner = dict[bytes, None](), dict[bytes, None]()
        try:
            for name, is_directory in self._view.names(path):
                if self._filters.admits(lead + name, directory=is_directory):
                    (inner if is_directory else files)[name] = None
        except OSError:  # what cannot be seen has not vanished
            return None
        for name in [name for name in known if name not in files]:
            self._vanished(known, lead + name, name, is_directory=False)
        for name in [name for name in known.inner if name not in inner]:
            self._vanished(known, lead + name, name, is_directory=True)
        known.fill(files)
        new = [lead + name for name in inner if name not in known.inner]
        known.inner.update({name: _Directory() for name in inner if name not in known.inner})
        return new
