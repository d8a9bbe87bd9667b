"""Watches the ways to paths: says when a name on one of them leads elsewhere, or is there at last.

What is on a way is watched itself, so that nothing else in its directory wakes us: a directory or
link that is renamed, deleted or replaced says so (inotify(7)). Only where a name is missing its
directory is watched, until the name is there. What is mounted over a name shows in the table of
mounts alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable

from inosync.changes.inotify_bits import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MOVE_SELF,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
)
from inosync.errors import WatchError
from inosync.watch.inotify import Manager, open_instance, records
from inosync.watch.way import Step, way

_DONT_FOLLOW = 0x0200_0000
_SELF = IN_MOVE_SELF | IN_DELETE_SELF | _DONT_FOLLOW
# One name fewer; a directory has no other, and would tell the same of all that lies in it.
_NAMES = IN_ATTRIB
_ARRIVAL = IN_CREATE | IN_MOVED_TO

#: How often a way is looked up again when it changes while its watches are set.
_TRIES = 5


class Ways:
    """The ways to some paths, on one inotify instance; without one, all of them are ``blind``."""

    def __init__(self) -> None:
        self._manager: Manager | None = None
        self._wanted: dict[str, dict[bytes, int]] = {}  # by path: places, and what of these
        self._wds: dict[bytes, int] = {}  # by place
        self._masks: dict[bytes, int] = {}  # by place
        self._blind: set[str] = set()

    def open(self) -> int | None:
        """Begin to watch; return the descriptor that is readable when something is new, if any."""
        with contextlib.suppress(WatchError):
            self._manager = open_instance(b"/")
        return self.descriptor

    @property
    def descriptor(self) -> int | None:
        """What is readable when something is new; None: nothing can be watched."""
        descriptor: int | None = self._manager.get_fd() if self._manager is not None else None
        return descriptor

    def close(self) -> None:
        """Watch nothing more."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def blind(self, path: str) -> bool:
        """Return whether what happens on the way to `path` may go unseen."""
        return path in self._blind

    def watch(self, path: str) -> None:
        """Watch the way to `path` as it is now. What changes from here on is told."""
        for _ in range(_TRIES):
            steps = way(path)
            seeing = self._set(path, _places(steps))
            if way(path) == steps:
                break
        else:
            seeing = False
        (self._blind.discard if seeing else self._blind.add)(path)

    def forget(self, path: str) -> None:
        """Watch the way to `path` no more."""
        self._set(path, {})
        self._wanted.pop(path, None)
        self._blind.discard(path)

    def read(self) -> Collection[str]:
        """Return the paths whose ways may have changed. Never blocks."""
        if self._manager is None:
            return ()
        stirred: set[str] = set()
        places: dict[int, list[bytes]] = {}
        for place, wd in self._wds.items():
            places.setdefault(wd, []).append(place)
        for wd, mask, name in records(self._manager):
            if mask & IN_Q_OVERFLOW:
                return set(self._wanted)
            for place in places.get(wd, ()):
                if mask & IN_IGNORED:
                    self._wds.pop(place, None)
                    self._masks.pop(place, None)
                # Of a directory in which a name is missing, that name alone.
                where = os.path.join(place, name) if mask & _ARRIVAL else place
                stirred |= self._users(where, arrival=bool(mask & _ARRIVAL))
        return stirred

    def _users(self, place: bytes, *, arrival: bool) -> set[str]:
        """Return the paths to which this place leads, or would lead if it were there."""
        wanted = self._wanted.items()
        if arrival:
            return {path for path, places in wanted if places.get(place) == 0}
        return {path for path, places in wanted if place in places}

    def _set(self, path: str, places: dict[bytes, int]) -> bool:
        """Watch these places for `path`, and no others; return whether all can be watched."""
        before, self._wanted[path] = self._wanted.get(path, {}), places
        for place in before.keys() | places.keys():
            self._renew(place)
        return all(place in self._wds for place, mask in places.items() if mask)

    def _renew(self, place: bytes) -> None:
        """Watch a place for what all together want to know of it."""
        mask = 0
        for places in self._wanted.values():
            mask |= places.get(place, 0)
        if self._manager is None:
            return
        if self._masks.get(place, 0) & ~mask and (wd := self._wds.pop(place, None)) is not None:
            del self._masks[place]
            self._remove(wd)
        if mask:
            # Also when it has the watch already: something else may lie there now.
            wd = self._manager.add(place, mask)
            old = self._wds.pop(place, wd)
            if old != wd:
                self._remove(old)
            self._masks.pop(place, None)
            if wd >= 0:
                self._wds[place], self._masks[place] = wd, mask

    def _remove(self, wd: int) -> None:
        """Give up a watch that no place has."""
        if self._manager is not None and wd not in self._wds.values():
            self._manager.remove(wd)


def _places(steps: Iterable[Step]) -> dict[bytes, int]:
    """Return what to watch on a way: by place, the events; 0: a name that is missing."""
    places: dict[bytes, int] = {}
    for step in steps:
        if step.inode:
            wanted = _SELF if step.directory else _SELF | _NAMES
            places[step.place] = places.get(step.place, 0) | wanted
        else:
            places[step.place] = 0
            directory = os.path.dirname(step.place)
            places[directory] = places.get(directory, 0) | _SELF | _ARRIVAL
    return places
