"""Who wants to see each turn of the loop: a command that ends the daemon when its work is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror
from inosync.service.runs import Runs


class Onlooker(Protocol):
    """What sees each turn, and stops the engine when its work is done."""

    @property
    def compare(self) -> bool:
        """Whether passes compare contents."""

    def ended(self, mirror: Mirror, outcome: Outcome, lines: Iterable[bytes]) -> None:
        """Take note of how a run has ended, with the lines that rsync wrote."""

    def conclude(self, engine: Engine) -> int:
        """Return the exit status, when all has ended."""

    def look(self, engine: Engine, runs: Runs, now: float) -> float | None:
        """See how things are, and stop the engine if that will do; return when to call again."""


@dataclass
class Onlooking:
    """An onlooker as a part of the loop."""

    onlooker: Onlooker
    engine: Engine
    runs: Runs
    _at: float | None = None

    def due(self, now: float) -> None:
        self._at = self.onlooker.look(self.engine, self.runs, now)

    def deadline(self) -> float | None:
        return self._at
