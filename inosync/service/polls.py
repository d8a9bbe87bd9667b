"""Looks at sources of which events do not tell all (``rpoll``), in slices that hold up nothing.

Between the clock and what such a look finds, which goes the way of what inotify tells.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from inosync.engine.engine import Engine
from inosync.service.loop import Loop
from inosync.service.scans import REST, SLICE
from inosync.service.sources import Sources
from inosync.text import printable
from inosync.watch.blind import heard, interval, unheard
from inosync.watch.lookout import Lookout
from inosync.watch.poll import Poll

log = logging.getLogger("inosync")

#: So many changes are handed on before a look has come to its end: whoever gets them has bounds.
MOST = 10_000


@dataclass
class _Turn:
    """One source's turns: when the next look is due, or the one that is at work.

    It took so many seconds by now. ``awaited``: somebody waits for its end; ``wanted``: for that of
    the next one.
    """

    poll: Poll
    due_at: float
    steps: Iterator[None] | None = None
    took: float = 0.0
    awaited: bool = False
    wanted: bool = False


@dataclass
class Polls:
    """All such looks of a daemon. Times are monotonic seconds."""

    engine: Engine
    sources: Sources
    loop: Loop
    _turns: dict[Lookout, _Turn] = field(default_factory=dict)
    _told: dict[Lookout, tuple[str, ...]] = field(default_factory=dict)

    def due(self, now: float) -> None:
        """Look for a slice at each source whose time has come."""
        if self.engine.stopping or self.sources.root_only:
            self._turns = {}
            return
        lookouts = [
            lookout for lookout in self.sources.lookouts if lookout.standing and lookout.walked
        ]
        self._turns = {
            lookout: self._turn(lookout, lookout.poll, now)
            for lookout in lookouts
            if lookout.poll is not None
        }
        self._tell(lookouts)
        for lookout, turn in self._turns.items():
            if turn.steps is not None or now >= turn.due_at:
                self._look(lookout, turn)

    def deadline(self) -> float | None:
        """Return when there is something to look at."""
        waits = (0.0 if turn.steps is not None else turn.due_at for turn in self._turns.values())
        return min(waits, default=None)

    def hurry(self) -> None:
        """Let each of them look as soon as it may: somebody wants to know what has changed."""
        for turn in self._turns.values():
            turn.wanted, turn.due_at = True, 0.0

    @property
    def hurried(self) -> bool:
        """Whether one of them has not looked since."""
        return any(turn.wanted or turn.awaited for turn in self._turns.values())

    def _turn(self, lookout: Lookout, poll: Poll, now: float) -> _Turn:
        turn = self._turns.get(lookout)
        if turn is not None and turn.poll is poll:
            return turn
        return _Turn(poll, now + self._interval(lookout) if poll.ready else now)

    def _interval(self, lookout: Lookout) -> float:
        return interval(self.sources.config.rpoll, lookout.blind)

    def _look(self, lookout: Lookout, turn: _Turn) -> None:
        """Begin to look at a source, or go on, for a slice."""
        began = now = self.loop.clock()
        if turn.steps is None:
            self.sources.glance(lookout)  # no event tells of that either
            if lookout.poll is not turn.poll or not lookout.walked:
                return
            turn.steps, turn.took = turn.poll.steps(), 0.0
            turn.awaited, turn.wanted = turn.wanted, False
            turn.due_at = now + self._interval(lookout)
        first = not turn.poll.ready
        for _ in turn.steps:
            now = self.loop.clock()
            if now - began >= SLICE:
                break
        else:
            turn.steps, turn.awaited = None, False
        now = self.loop.clock()
        turn.took += now - began
        if turn.steps is None:
            turn.due_at = max(turn.due_at, now + REST * turn.took)
        if turn.steps is None or turn.poll.found >= MOST:
            self.sources.tell(lookout, turn.poll.take())
        if first and turn.poll.ready:
            self.engine.resync(lookout.source, "looked through for the first time", now)

    def _tell(self, lookouts: Iterable[Lookout]) -> None:
        """Say once how sources are looked after of which events do not tell all."""
        told, self._told = self._told, {lookout: lookout.blind for lookout in lookouts}
        for lookout, kinds in self._told.items():
            name = printable(lookout.source.path)
            if told.get(lookout) == kinds:
                continue
            if lookout.poll is not None:
                log.info("%s: %s", name, heard(self.sources.config.rpoll, kinds))
            elif kinds:
                log.warning("%s: %s", name, unheard(kinds))
