"""Runs that wait at a pipe: it has taken the place of a file, and rsync opens it for one.

rsync (3.5.0) opens what was a file when it was listed, and a pipe to which nobody writes keeps it
there (fifo(7)), as long as ``rtimeout`` lasts. The next run finds that there is no file.
"""

from __future__ import annotations

from dataclasses import dataclass

from inosync.engine.engine import Engine
from inosync.service.runs import Runs

#: Seconds between two looks at the runs at work.
EVERY = 2.0


@dataclass
class Pipes:
    """Ends such runs. Times are monotonic seconds."""

    engine: Engine
    runs: Runs
    _at: float | None = None

    def due(self, now: float) -> None:
        """Look at all that have been at work for a while, when it is time to."""
        if not self.runs.busy:
            self._at = None
        elif self._at is None:
            self._at = now + EVERY
        elif now >= self._at:
            self._at = now + EVERY
            for mirror in self.runs.at_pipes():
                self.engine.end(mirror, "its run waits at a pipe that was a file", now)

    def deadline(self) -> float | None:
        """Return when to look next; None: nothing is at work."""
        return self._at
