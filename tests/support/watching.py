"""A watcher and the independent truth: /proc, os.walk, and a mirror that trusts its events."""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from inosync.changes.changes import Change, Kind
from inosync.changes.inotify_bits import DEFAULT_EMASK, IN_ISDIR
from inosync.errors import WatchError
from inosync.rsync.filters import compile_filters
from inosync.watch.marked import MarkedSource
from inosync.watch.places import MOST_KNOWN
from inosync.watch.sift import sift
from inosync.watch.watcher import Seen, Watcher

#: What a mirror holds of a path: a file's content, a symlink's target, None for a directory.
Content = bytes | None

WATCHERS: dict[str, type[Watcher] | type[MarkedSource]] = {
    "inotify": Watcher,
    "fanotify": MarkedSource,
}


def refused(how: str, root: Path) -> str:
    """Return why a directory cannot be watched so here, or ""."""
    try:
        WATCHERS[how](str(root), filters=compile_filters(()), emask=DEFAULT_EMASK).close()
    except WatchError as error:
        return str(error)
    return ""


class Event(NamedTuple):
    """What a watcher told of one name in one directory, ``b""`` being that itself."""

    directory: bytes
    name: bytes
    mask: int

    @property
    def path(self) -> bytes:
        """The path relative to the source."""
        return os.path.join(self.directory, self.name) if self.name else self.directory


def events(seen: Seen, emask: int = DEFAULT_EMASK) -> list[Event]:
    """Return what was told, name by name, of what `emask` names."""
    told = []
    for touched, kind in ((seen.files, 0), (seen.directories, IN_ISDIR)):
        for directory, masks in touched.items():
            assert all(mask & IN_ISDIR == kind for mask in masks.values())
            told += [
                Event(directory, name.rstrip(b"\0"), mask & (emask | IN_ISDIR))
                for name, mask in masks.items()
                if mask & emask
            ]
    return told


class Observed:
    """A watcher on `root`, and a mirror of it that copies what the changes name, and nothing else.

    The mirror copies at once, as the fastest of all rsyncs would: whatever changes after its change
    was told, and is not told again, stays wrong.
    """

    def __init__(
        self,
        root: Path,
        *,
        excludes: tuple[str, ...] = (),
        emask: int = DEFAULT_EMASK,
        read_limit: int = 1 << 20,
        walk_limit: int = 512,
        most_known: int = MOST_KNOWN,
        user: int | None = None,
        walk: bool = True,
        how: str = "inotify",
    ) -> None:
        self.user = user
        self.how = how
        self.root = os.fsencode(root)
        self.filters = compile_filters(excludes)
        self.emask = emask
        self.watcher: Watcher | MarkedSource
        with self.identity():
            if how == "inotify":
                self.watcher = Watcher(
                    str(root),
                    filters=self.filters,
                    emask=emask,
                    read_limit=read_limit,
                    walk_limit=walk_limit,
                )
            else:
                self.watcher = MarkedSource(
                    str(root),
                    filters=self.filters,
                    emask=emask,
                    read_limit=read_limit,
                    most_known=most_known,
                )
        self.seen: list[Seen] = []
        self.mirror: dict[bytes, Content] = {}
        if walk:
            while not self.walk(64):
                pass
            self.copy(Change(b"", Kind.TREE))

    def close(self) -> None:
        self.watcher.close()

    @contextlib.contextmanager
    def identity(self) -> Iterator[None]:
        """Be the user that watches; the mirror stays root's."""
        if self.user is not None:
            os.seteuid(self.user)
        try:
            yield
        finally:
            if self.user is not None:
                os.seteuid(0)

    # ---- reading --------------------------------------------------------------------------

    def read(self) -> Seen:
        """Read once, and mirror what was told."""
        with self.identity():
            seen = self.watcher.read()
        self.seen.append(seen)
        for change in self.changes([seen]):
            self.copy(change)
        if seen.resync:
            self.copy(Change(b"", Kind.TREE))
        return seen

    def walk(self, limit: int) -> bool:
        """Walk a slice."""
        with self.identity():
            return self.watcher.walk(limit)

    def drain(self, limit: int = 64) -> list[Event]:
        """Read and walk until nothing is left to be read or to be done; return the events."""
        return [event for seen in self.settle(limit) for event in events(seen, self.emask)]

    def settle(self, limit: int = 64) -> list[Seen]:
        """Read and walk until nothing is left to be read or to be done; return all that came."""
        begin = len(self.seen)
        watcher = self.watcher
        # By fanotify all is heard that others do on the file system, which may never end.
        goal = watcher.taken + watcher.queued()
        idle = False
        while not idle:
            idle = self.walk(limit)
            self.read()
            left = self.queued() if self.how == "inotify" else watcher.taken < goal
            idle &= not watcher.unfinished and not watcher.unread and not left
        return self.seen[begin:]

    def lose(self) -> None:
        """Do what an overflow of the kernel's queue does: events are gone, all is compared."""
        if self.queued():
            os.read(self.watcher.fileno(), 1 << 20)
        self.watcher.reconcile()
        self.copy(Change(b"", Kind.TREE))

    def queued(self) -> bool:
        """Return whether the kernel has something to say."""
        return bool(select.select([self.watcher.fileno()], [], [], 0)[0])

    def changes(self, reads: Iterable[Seen]) -> set[Change]:
        """Return the changes that were told."""
        found: set[Change] = set()
        for seen in reads:
            found |= sift(seen.files, seen.directories, self.emask, self.filters)
        return found

    # ---- the truth ------------------------------------------------------------------------

    def watches(self) -> dict[int, tuple[int, int]]:
        """Return what the kernel watches: wd -> (device, inode). proc(5), /proc/PID/fdinfo."""
        text = Path(f"/proc/self/fdinfo/{self.watcher.fileno()}").read_text(encoding="ascii")
        found = re.findall(r"^inotify wd:(\w+) ino:(\w+) sdev:(\w+)", text, re.MULTILINE)
        return {int(wd, 16): (int(device, 16), int(inode, 16)) for wd, inode, device in found}

    def directories(self) -> dict[bytes, tuple[int, int]]:
        """Return what should be watched: path -> (device, inode)."""
        found = {}
        for path in [b"", *self.present(only=lambda content: content is None)]:
            status = os.lstat(os.path.join(self.root, path))
            device = os.major(status.st_dev) << 20 | os.minor(status.st_dev)  # the kernel's own
            found[path] = (device, status.st_ino)
        return found

    def present(self, only: Callable[[Content], bool] = lambda _: True) -> dict[bytes, Content]:
        """Return what is in the source, but for what is excluded."""
        return {path: content for path, content in self._tree(b"") if only(content)}

    def has_watches(self, count: int) -> bool:
        """Return whether so many directories are watched, where each is by itself."""
        return self.how != "inotify" or self.watcher.watched == count

    def wrong(self) -> list[str]:
        """Return what is not as it should be, now that nothing is left to be read."""
        told = self.wrong_watches(self.watcher) if isinstance(self.watcher, Watcher) else []
        present = self.present()
        told += [
            f"{path!r} was changed silently"
            for path in present
            if path not in self.mirror or self.mirror[path] != present[path]
        ]
        told += [f"{path!r} vanished silently" for path in self.mirror.keys() - present.keys()]
        return told

    def wrong_watches(self, watcher: Watcher) -> list[str]:
        """Return which watches are not as they should be."""
        watches, directories = self.watches(), self.directories()
        paths = dict(watcher.paths())
        told = [
            f"no watch on {path!r}"
            for path, inode in directories.items()
            if inode not in watches.values()
        ]
        told += [
            f"watch {wd} on {inode} is outside"
            for wd, inode in watches.items()
            if inode not in directories.values()
        ]
        told += [f"{wd} is watched, but has no path" for wd in watches.keys() - paths.keys()]
        told += [
            f"{path!r} is known, but not watched" for wd, path in paths.items() if wd not in watches
        ]
        told += [
            f"{path!r} is elsewhere"
            for wd, path in paths.items()
            if directories.get(path) != watches.get(wd)
        ]
        if watcher.watched != len(watches):
            told.append(f"{watcher.watched} watches counted, {len(watches)} are")
        return told

    # ---- the mirror -----------------------------------------------------------------------

    def copy(self, change: Change) -> None:
        """Copy what a change names; when it is not there, one level of what is above it."""
        path, kind = change
        ancestor = self._deepest(path)
        if ancestor != path:
            path, kind = ancestor, Kind.LEVEL
        content = self._content(path)
        if kind is Kind.ENTRY or content is not None:
            if content is not None:
                self._forget(path)
            if path:
                self.mirror[path] = content
            return
        entries = dict(self._tree(path) if kind is Kind.TREE else self._level(path))
        below = path + b"/" if path else b""
        for known in [known for known in self.mirror if known.startswith(below)]:
            name = known[len(below) :].partition(b"/")[0]
            if kind is Kind.TREE or entries.get(below + name, b"") is not None:
                del self.mirror[known]
        if path:
            self.mirror[path] = None
        self.mirror.update(entries)

    def _deepest(self, path: bytes) -> bytes:
        """Return `path`, or the deepest real directory above it when it is not there."""
        deepest = b""
        parts = path.split(b"/")
        for count in range(1, len(parts)):
            here = b"/".join(parts[:count])
            if os.path.islink(self._at(here)) or not os.path.isdir(self._at(here)):
                return deepest
            deepest = here
        return path if os.path.lexists(self._at(path)) else deepest

    def _at(self, path: bytes) -> bytes:
        return os.path.join(self.root, path) if path else self.root

    def _content(self, path: bytes) -> Content:
        here = self._at(path)
        try:
            if path and os.path.islink(here):
                return os.readlink(here)
            with open(here, "rb") as file:
                return file.read()
        except IsADirectoryError:
            return None
        except OSError:
            return b"(gone)"

    def _forget(self, path: bytes) -> None:
        for known in [known for known in self.mirror if known.startswith(path + b"/")]:
            del self.mirror[known]

    def _level(self, path: bytes) -> Iterator[tuple[bytes, Content]]:
        try:
            entries = sorted(os.scandir(self._at(path)), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            inner = path + b"/" + entry.name if path else entry.name
            directory = entry.is_dir(follow_symlinks=False)
            if self.filters.admits(inner, directory=directory):
                yield inner, None if directory else self._content(inner)

    def _tree(self, path: bytes) -> Iterator[tuple[bytes, Content]]:
        for inner, content in self._level(path):
            yield inner, content
            if content is None:
                yield from self._tree(inner)
