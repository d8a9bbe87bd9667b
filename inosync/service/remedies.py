"""Causes of failure that can be seen to end on this machine: rsync is missing, a disk is full.

What waits for one of these is tried again when it has ended, and not when its turn comes. Nothing
is watched or asked while no mirror waits so.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from inosync.changes.inotify_bits import IN_ATTRIB, IN_CLOSE_WRITE, IN_CREATE, IN_MOVED_TO
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.errors import WatchError
from inosync.rsync.destination import Transport
from inosync.service.loop import Selecting
from inosync.watch.inotify import Manager, open_instance

#: Seconds between two looks at how much room there is, or for rsync where nothing can be watched.
PACE = 1.0

#: What is more room: so many bytes, or this part of a small file system.
_MORE = 2**20
_PART = 1000

_EVENTS = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB

log = logging.getLogger("inosync")


@dataclass
class Remedies:
    """A part of the loop: sees causes end, and lets the engine try again what waits for that."""

    engine: Engine
    selecting: Selecting
    _watch: Manager | None = None
    _blind: bool = False  # no watch could be set
    _look_at: float | None = None
    _hurried: bool = False
    _free: dict[str, int] = field(default_factory=dict)  # bytes, by destination, at the failure

    def deadline(self) -> float | None:
        """Return when to look next; at once when the engine has something new to do."""
        return 0.0 if self._hurried else self._look_at

    def due(self, now: float) -> None:
        """Watch or look, as long as a mirror waits for it."""
        self._hurried = False
        # Only these can wait for anything, and there may be hundreds of others.
        unwell = [
            mirror
            for mirror in self.engine.mirrors
            if mirror.state is State.BACKOFF or mirror.aside is not None or mirror.ailing
        ]
        unstarted = [m for m in unwell if m.failing and m.failing.unstarted]
        cramped = [
            mirror
            for mirror in unwell
            if mirror.short_of_room and mirror.pair.destination.transport is Transport.LOCAL
        ]
        if unstarted and self._watch is None and not self._blind:
            self._open()
            self._program()  # it may have come before the watch
        elif not unstarted:
            self.close()
        looks = bool(cramped) or (bool(unstarted) and self._blind)
        if looks and (self._look_at is None or now >= self._look_at):
            self._look_at = now + PACE
            if self._blind:
                self._program()
            self._room(cramped)
        if not looks:
            self._look_at = None
            self._free.clear()

    def close(self) -> None:
        """Give up the watch."""
        self._blind = False
        if self._watch is not None:
            self.selecting.ignore(self._watch.get_fd())
            self._watch.close()
            self._watch = None

    def _open(self) -> None:
        program = os.fsencode(self.engine.config.rsync)
        try:
            self._watch = open_instance(program)
        except WatchError:
            self._blind = True
            return
        homes = {os.path.dirname(program), os.path.dirname(os.path.realpath(program))}
        watches = [self._watch.add(home, _EVENTS) for home in homes]
        if max(watches) < 0:
            self._watch.close()
            self._watch = None
            self._blind = True
            return
        self.selecting.listen(self._watch.get_fd(), self._react)

    def _react(self) -> None:
        """Something has happened beside the program."""
        if self._watch is not None:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._watch.get_fd(), 2**16):
                    pass
        self._program()

    def _program(self) -> None:
        """Try again what waits for rsync, if it is there."""
        program = self.engine.config.rsync
        if os.path.isfile(program) and os.access(program, os.X_OK):
            waiting = [m for m in self.engine.mirrors if m.failing and m.failing.unstarted]
            self._retry(waiting, f"{program} is there again")

    def _room(self, mirrors: Iterable[Mirror]) -> None:
        """Try again what waits for room, if there is more than when it failed."""
        for mirror in mirrors:
            if mirror.busy:  # what its run takes and gives back for a while is not what is free
                continue
            place = mirror.pair.destination.path
            with contextlib.suppress(OSError):
                told = os.statvfs(place)
                free, whole = told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize
                least = max(told.f_frsize, min(_MORE, whole // _PART))
                before = self._free.setdefault(place, free)
                self._free[place] = min(before, free)
                if free - before >= least:
                    self._free[place] = free
                    self._retry([mirror], "there is more room")

    def _retry(self, mirrors: Iterable[Mirror], why: str) -> None:
        for mirror in mirrors:
            if not mirror.busy:
                log.info("%s: %s: tried again", mirror.name, why)
                mirror.hurry()
                self._hurried = True
