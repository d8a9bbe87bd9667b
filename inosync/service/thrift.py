"""Gives memory back when work is over that has taken much of it.

At the end of the last run, and not by a timer: a daemon at rest is not woken for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inosync.system.memory import give_back
from inosync.system.process import resident

#: By how many bytes more than after the last time it is worth while: less comes and goes.
MUCH = 1 << 20


@dataclass
class Thrift:
    """Sees whether anything is ``working``. A part of the loop."""

    working: Callable[[], bool]
    _worked: bool = False
    _kept: int = 0  # bytes that were in use after the last time

    def due(self, now: float) -> None:
        """Give back what is not used any more, when the last run has just ended."""
        worked, self._worked = self._worked, self.working()
        if worked and not self._worked and resident() >= self._kept + MUCH:
            give_back()
            self._kept = resident()

    def deadline(self) -> float | None:
        """Return None: only the end of a run can tell."""
        return None
