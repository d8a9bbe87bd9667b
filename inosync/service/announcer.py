"""Says when all is ready, and keeps the supervisor informed of what goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from inosync.config.model import Config
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.service.sources import Sources
from inosync.text import many

log = logging.getLogger("inosync")


class Supervisor(Protocol):
    """Who started the daemon and wants to hear of it (systemd, or nobody)."""

    watchdog: float  # seconds between signs of life; 0: none wanted

    def tell(self, **states: str) -> None:
        """Pass on states such as READY="1" (sd_notify(3))."""


@dataclass
class Announcer:
    """Announces a daemon that ``began`` at that moment (monotonic seconds)."""

    engine: Engine
    sources: Sources
    supervisor: Supervisor
    began: float
    _alive_at: float | None = None
    _ready: bool = False
    _told: str = ""

    def deadline(self) -> float | None:
        """Return when the next sign of life is due."""
        return self._alive_at

    def again(self) -> None:
        """Tell all anew: the config was read again."""
        self._told = ""

    def due(self, now: float) -> None:
        """Say what is new."""
        total = self.sources.directories
        states = self.engine.sources.values()
        if not self._ready and all(state.watched or state.held for state in states):
            self._ready = True
            log.info(
                "ready after %.2f s: %s, %s, %s",
                now - self.began,
                many(len(self.engine.sources), "source"),
                many(total, "directory"),
                many(len(self.engine.mirrors), "mirror"),
            )
            self.supervisor.tell(READY="1")
        if self._ready:
            mirrors, config = self.engine.mirrors, self.engine.config
            failing = sum(mirror.state in (State.BACKOFF, State.HELD) for mirror in mirrors)
            text = f"{len(mirrors) - failing} of {many(len(mirrors), 'mirror')} well"
            if any(_owes_first(mirror, config) for mirror in mirrors):
                first = [mirror for mirror in mirrors if config.of(mirror.pair.source).init]
                synced = sum(mirror.health.synced for mirror in first)
                text = f"first pass {synced}/{many(len(first), 'mirror')}"
        else:
            text = f"watching {many(total, 'directory')}…"
        if text != self._told:
            self._told = text
            # A walk of a huge tree may take longer than a start is given.
            more = {} if self._ready else {"EXTEND_TIMEOUT_USEC": "60000000"}
            self.supervisor.tell(STATUS=text, **more)
        if self.supervisor.watchdog and (self._alive_at is None or now >= self._alive_at):
            self._alive_at = now + self.supervisor.watchdog
            self.supervisor.tell(WATCHDOG="1")


def _owes_first(mirror: Mirror, config: Config) -> bool:
    """Return whether a mirror has not had its first pass, and is to have one."""
    return not mirror.health.synced and bool(config.of(mirror.pair.source).init)
