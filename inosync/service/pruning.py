"""Removes from nodes what they have kept for long enough (``rkeep``), once a day.

Beside the runs of mirrors, whose business it is not: when it fails, that is said, and tried again.
"""

from __future__ import annotations

import logging
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from inosync.config.model import Pair
from inosync.engine.engine import Engine
from inosync.engine.mirror import State
from inosync.planning.keeping import pruning
from inosync.rsync.exits import judge
from inosync.rsync.kept import KEPT
from inosync.rsync.output import evidence
from inosync.service.loop import Loop
from inosync.service.runs import Runs
from inosync.system.process import Child
from inosync.text import printable

#: Seconds between two prunings of a node, and before a failed one is tried again.
DAY, AGAIN = 86_400.0, 3_600.0

log = logging.getLogger("inosync")


@dataclass
class _Work:
    """A pruning at work, from a directory of its own."""

    pair: Pair
    child: Child
    empty: tempfile.TemporaryDirectory[str]

    def end(self) -> None:
        self.child.close()
        self.empty.cleanup()


@dataclass
class Pruning:
    """A part of the loop. Times are monotonic seconds, by destination."""

    engine: Engine
    runs: Runs
    loop: Loop
    _at: dict[str, float] = field(default_factory=dict)
    _working: dict[str, _Work] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)

    def due(self, now: float) -> None:
        """Begin where a day is over and the mirror has nothing to do."""
        if self.engine.stopping:
            self.kill()
            return
        for where, pair in self._idle().items():
            if where not in self._working and now >= self._at.get(where, now):
                self._start(where, pair, now)

    def deadline(self) -> float | None:
        """Return when the next one is due."""
        waits = (self._at.get(where, 0.0) for where in self._idle() if where not in self._working)
        return min(waits, default=None)

    def reap(self, now: float) -> None:
        """Take note of what has ended."""
        for where, work in list(self._working.items()):
            status = work.child.poll()
            if status is None:
                continue
            del self._working[where]
            said = evidence(work.child.errors())
            work.end()
            if status == 0:
                self._failed.discard(where)
                continue
            self._at[where] = now + AGAIN
            level = logging.DEBUG if where in self._failed else logging.WARNING
            self._failed.add(where)
            judgement = judge(status, work.pair.destination, said)
            text = (
                "%s: what it keeps in %s for longer than rkeep cannot be removed: exit %d: %s; %s"
            )
            shown = work.pair.destination.shown
            log.log(level, text, shown, KEPT, status, judgement.meaning, judgement.cure)
            for line in said:
                log.log(level, "  %s", line)

    def kill(self) -> None:
        """End all for certain: the next day is soon enough."""
        for work in self._working.values():
            work.child.kill()
            work.end()
        self._working.clear()

    def _idle(self) -> dict[str, Pair]:
        """Return the mirrors that keep something and have nothing to do, by destination."""
        return {
            mirror.pair.destination.text: mirror.pair
            for mirror in self.engine.mirrors
            if mirror.pair.node.rkeep and mirror.state is State.IDLE
        }

    def _start(self, where: str, pair: Pair, now: float) -> None:
        self._at[where] = now + DAY
        empty = tempfile.TemporaryDirectory(prefix="inosync-empty-")
        Path(empty.name, KEPT).mkdir()
        wall = self.loop.wall()
        argv = pruning(pair, self.runs.config, self.runs.program, wall=wall, empty=empty.name)
        log.debug("executing: %s", shlex.join(argv))
        try:
            child = Child(argv, environment=self.runs.environment, nice=True)
        except OSError as error:
            empty.cleanup()
            self._at[where] = now + AGAIN
            log.debug("%s cannot be run: %s", printable(argv[0]), error.strerror)
            return
        self._working[where] = _Work(pair, child, empty)
