"""Walks over sources that the engine wants, in slices that hold up nothing else.

Between the engine, which asks, and the pure scan, which tells what a walk has found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from inosync.engine.actions import Seek
from inosync.engine.engine import Engine
from inosync.planning.scan import Scan
from inosync.service.loop import Loop
from inosync.service.sources import Sources
from inosync.watch.lookout import AnyWatcher

#: Seconds of a turn that a walk may take.
SLICE = 0.004

#: Seconds of a walk after which what it has found so far goes on its way, and then after twice as
#: long each time: a walk over ten million files takes a minute.
SO_FAR = 0.5

#: A walk over a source is followed by so many times as long without one: a source whose files with
#: several names never rest costs a fifth of a processor at the most.
REST = 4.0


@dataclass
class _Walk:
    """A walk that is on its way for those who asked before it began.

    It ``took`` so many seconds. What it has found is told when it has taken ``tells_at``.
    """

    asked: list[Seek]
    scan: Scan
    steps: Iterator[None]
    watcher: AnyWatcher
    took: float = 0.0
    tells_at: float = SO_FAR


@dataclass
class Scans:
    """All such walks of a daemon, one for each source at a time. Times are monotonic seconds."""

    engine: Engine
    sources: Sources
    loop: Loop
    _asked: dict[str, list[Seek]] = field(default_factory=dict)  # by the paths of sources
    _walks: dict[str, _Walk] = field(default_factory=dict)
    _rests_until: dict[str, float] = field(default_factory=dict)

    def ask(self, action: Seek) -> None:
        """Let the next walk over the source of a mirror answer its question."""
        self._asked.setdefault(action.mirror.pair.source.path, []).append(action)

    def due(self, now: float) -> None:
        """Walk for a slice in each source where somebody has asked."""
        if not self._asked and not self._walks:
            return  # as nearly always
        for path in [path for path in self._asked if path not in self._walks]:
            if now >= self._rests_until.get(path, now):
                self._begin(path, now)
        for path, walk in list(self._walks.items()):
            if self.sources.watchers.get(path) is not walk.watcher:
                del self._walks[path]
                self._give_up(walk.asked, now)
            elif self._walk(walk):
                del self._walks[path]
                self._rests_until[path] = self.loop.clock() + REST * walk.took
                for action, answer in zip(walk.asked, walk.scan.answers(), strict=True):
                    self.engine.found(action.mirror, answer, now)
            elif walk.took >= walk.tells_at:
                walk.tells_at *= 2
                self._tell(walk, now)

    def deadline(self) -> float | None:
        """Return when there is something to walk."""
        if self._walks:
            return 0.0
        return min((self._rests_until.get(path, 0.0) for path in self._asked), default=None)

    def _begin(self, path: str, now: float) -> None:
        asked = self._asked.pop(path)
        watcher = self.sources.watchers.get(path)
        if watcher is None:
            self._give_up(asked, now)
            return
        scan = self.sources.scan(path, [action.question for action in asked])
        self._walks[path] = _Walk(asked, scan, scan.steps(), watcher)

    def _walk(self, walk: _Walk) -> bool:
        """Go on with a walk for a slice; return whether it has come to its end."""
        began = now = self.loop.clock()
        for _ in walk.steps:
            now = self.loop.clock()
            if now - began >= SLICE:
                walk.took += now - began
                return False
        walk.took += self.loop.clock() - began
        return True

    def _tell(self, walk: _Walk, now: float) -> None:
        """Let what was found so far be carried where that may be done in parts."""
        for number, action in enumerate(walk.asked):
            if not action.mirror.uncut and (found := walk.scan.take(number)):
                self.engine.found_so_far(action.mirror, found, now)

    def _give_up(self, asked: list[Seek], now: float) -> None:
        """The source is not followed any more: what has changed in it cannot be known."""
        for action in asked:
            self.engine.found(action.mirror, None, now)
