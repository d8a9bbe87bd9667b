"""A daemon on standby: another host is the active one. It watches nothing and starts nothing.

It waits for its mandate, for people and for signals, in the loop of its own. When it has the
mandate it ends, and a daemon begins as after a start.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from signal import Signals as Signal

from inosync import __version__
from inosync.config.model import Config
from inosync.engine.apart import Apart
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror
from inosync.rsync.program import Program
from inosync.service.announcer import Supervisor
from inosync.service.hooks import Hooks
from inosync.service.loop import Loop, Part
from inosync.service.mandate import Mandate
from inosync.service.publisher import Publisher
from inosync.service.requests import Requests
from inosync.service.rereading import reread
from inosync.status.keeping import Keeping
from inosync.status.lines import lines as status_lines
from inosync.status.model import Snapshot
from inosync.status.snapshot import Facts, snapshot
from inosync.system.control import Server
from inosync.system.process import resident
from inosync.system.signals import Signals

log = logging.getLogger("inosync")


@dataclass
class _Alive:
    """Tells the supervisor that the daemon is on standby, and gives signs of life if it wants any.

    Not before all that ends with the standby has ended.
    """

    supervisor: Supervisor
    mandate: Mandate
    _told: str = ""
    _at: float | None = None

    def due(self, now: float) -> None:
        if self.mandate.missing not in ("", self._told):
            self._told = self.mandate.missing
            log.info("on standby: %s", self._told)
            self.supervisor.tell(READY="1", STATUS=f"on standby: {self._told}")
        if self.supervisor.watchdog and (self._at is None or now >= self._at):
            self._at = now + self.supervisor.watchdog
            self.supervisor.tell(WATCHDOG="1")

    def deadline(self) -> float | None:
        return self._at

    def again(self) -> None:
        """Tell all anew: the config was read again."""
        self._told = ""


@dataclass
class Standby:
    """The daemon while it is on standby. ``run`` returns when that is over.

    ``engine`` is one that has been told of nothing: it knows what there would be to do.
    """

    config: Config
    program: Program
    engine: Engine
    mandate: Mandate
    signals: Signals
    supervisor: Supervisor
    hooks: Hooks
    load: Callable[[], tuple[Config, Program]]
    began: float | None = None
    control: Server | None = None
    pretend: bool = False
    loop: Loop = field(default_factory=Loop)
    _stopping: bool = False

    def __post_init__(self) -> None:
        self._loaded = self.loop.clock()
        if self.began is None:
            self.began = self._loaded
        self._alive = _Alive(self.supervisor, self.mandate)
        self._publisher = None if self.pretend else Publisher(self, self.config)

    def lost(self, _mirror: Mirror) -> frozenset[bytes]:
        """Nothing is watched."""
        return frozenset()

    @property
    def kept(self) -> Mapping[str, Keeping]:
        """Nothing is known of what nodes keep."""
        return {}

    def run(self) -> bool:
        """Wait for the mandate; return whether the daemon was told to stop instead."""
        self.loop.listen(self.signals.fileno(), self._handle_signals)
        self.mandate.listen(self.loop)
        parts: list[Part] = [self.mandate]
        requests = None
        if self.control is not None:
            requests = Requests(self.control, self, self.loop, self.loop.clock)
            parts.append(requests)
        parts += [self.hooks, self._alive]
        if self._publisher is not None:
            parts.append(self._publisher)
        self.loop.parts = parts
        try:
            self.loop.run(self._over)
            if self._publisher is not None and self._stopping:
                self._publisher.close(self.loop.clock())
        finally:
            if self._stopping:
                self.hooks.kill()
            if requests is not None:
                requests.end()
            self.loop.close()
        return self._stopping

    def _over(self) -> bool:
        return self.hooks.stopped if self._stopping else not self.mandate.missing

    def _handle_signals(self) -> None:
        for signal in self.signals.take():
            now = self.loop.clock()
            if signal is Signal.SIGCHLD:
                self.hooks.reap(now)
            elif signal is Signal.SIGHUP:
                log.info("SIGHUP: reading the config again")
                self.reload(now)
            elif signal is Signal.SIGUSR1:
                for line in status_lines(self.snapshot(now)):
                    log.info("%s", line)
            elif signal is Signal.SIGUSR2:
                log.info("SIGUSR2: nothing is sent on standby")
            else:
                log.info("%s: stopping", signal.name)
                self.supervisor.tell(STOPPING="1", STATUS="stopping")
                self._stopping = True
                self.hooks.stop(now)

    # ---- what people ask for --------------------------------------------------------------

    @property
    def standby(self) -> str:
        """Why the daemon is on standby, in words."""
        return self.mandate.missing

    def snapshot(self, now: float) -> Snapshot:
        """Return the state of everything."""
        facts = Facts(
            version=__version__,
            pid=os.getpid(),
            rss=resident(),
            began=self.began or 0.0,
            loaded=self._loaded,
            now=now,
            wall=self.loop.wall(),
            standby=self.standby,
        )
        return snapshot(self.engine, {}, facts)

    def hear(self) -> None:
        """There is nothing to be taken."""

    def catch_up(self, now: float) -> None:
        """There is nothing to be looked for."""

    def caught_up(self, node: str = "") -> bool:
        """Nothing is known."""
        return False

    def held(self, mirror: Mirror) -> str:
        """Return why nothing goes to a mirror, in words."""
        return f"the daemon is on standby: {self.standby}"

    def apart(self, mirror: Mirror) -> Apart:
        """Return what is left as it is on a mirror."""
        return self.engine.apart(mirror)

    def release(self, now: float, node: str = "") -> int:
        """Nothing is sent."""
        return 0

    def reload(self, now: float) -> tuple[str, ...]:
        """Take the config anew; keep the old one when the new one is wrong; return what is."""

        def take(config: Config, program: Program) -> None:
            self.config, self.program, self.hooks.config = config, program, config
            self.engine.configure(config, now)
            if self._publisher is not None:
                self._publisher.configure(config, now)
            self._loaded = now
            self.mandate.configure(config.wactive)

        problems = reread(self.load, take, self.supervisor, self.loop.clock())
        self._alive.again()
        return problems
