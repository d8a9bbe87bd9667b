"""The beat: a hook that is run again and again while everything is in sync, and at no other time.

For a dead man's switch: whoever misses the beat raises the alarm, whatever keeps it from coming, be
it that the daemon, the machine or the network is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from inosync.engine.engine import Engine
from inosync.engine.mirror import State
from inosync.engine.reports import Beaten
from inosync.service.hooks import Hooks
from inosync.service.loop import Loop


@dataclass
class Beat:
    """A part of the loop: beats every ``beat`` seconds, or as soon after that as all is well."""

    engine: Engine
    hooks: Hooks
    loop: Loop
    _last: float | None = None  # when it did
    _missed: bool = False  # it is due, and something is not well: what mends that wakes the loop

    def deadline(self) -> float | None:
        """Return when to beat next, None while there is none or something is not well."""
        if self._last is None or self._missed:
            return None
        return self._last + self.engine.config.beat

    def due(self, now: float) -> None:
        """Beat, if it is time to and all is well."""
        every = self.engine.config.beat
        if not every:
            self._last, self._missed = None, False
        elif self._last is None or now >= self._last + every:
            lag = self._lag(now)
            self._missed = lag is None or lag >= every
            if lag is not None and not self._missed:
                self._last = now
                self.hooks.add(self._report(lag), self.loop.wall())

    def _report(self, lag: float) -> Beaten:
        sources, mirrors = len(self.engine.sources), len(self.engine.mirrors)
        return Beaten(source="", sources=sources, mirrors=mirrors, lag=round(lag, 3))

    def _lag(self, now: float) -> float | None:
        """Return how old the oldest change is that is on its way, None when one may be stuck."""
        engine = self.engine
        if any(state.held or not state.watched for state in engine.sources.values()):
            return None
        if any(mirror.state is State.HELD or mirror.ailing for mirror in engine.mirrors):
            return None
        owed = [
            since for each in engine.mirrors if (since := engine.behind_since(each)) is not None
        ]
        return max(0.0, now - min(owed, default=now))
