"""The end of the daemon of a host that is not the active one any more (``wactive``)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from inosync.engine.engine import Engine
from inosync.service.mandate import Mandate
from inosync.service.runs import Runs

log = logging.getLogger("inosync")

#: Seconds that runs are given to end when the mandate has gone, before they are killed.
_HURRY = 0.5


@dataclass
class Leaving:
    """Ends all runs when the mandate has gone, and the daemon with them."""

    mandate: Mandate
    engine: Engine
    runs: Runs
    gone: bool = False
    _kill_at: float | None = None

    def due(self, now: float) -> None:
        if self.mandate.missing and not self.gone:
            self.gone = True
            log.info("%s: going on standby", self.mandate.missing)
            self._stop(now)
        elif self._kill_at is not None and now >= self._kill_at:
            self._stop(now)
            self._kill_at = None

    def _stop(self, now: float) -> None:
        if not self.engine.stopping:
            self._kill_at = now + _HURRY
        self.engine.stop(now)
        self.runs.warm.stop(now)

    def deadline(self) -> float | None:
        return self._kill_at
