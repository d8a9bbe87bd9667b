"""A process is active or on standby, by shifts: what outlasts a shift, and which comes next."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import random
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from pathlib import Path

from inosync.config.model import Config
from inosync.engine.engine import Engine
from inosync.errors import ConfigError
from inosync.rsync.program import Program
from inosync.service.daemon import Daemon
from inosync.service.hooks import Hooks
from inosync.service.mandate import Mandate
from inosync.service.onlooker import Onlooker
from inosync.service.preflight import preflight
from inosync.service.privileges import run_environment
from inosync.service.refresh import Invocation
from inosync.service.runs import Runs
from inosync.service.standby import Standby
from inosync.system.control import Server
from inosync.system.runtime import identity
from inosync.system.signals import Signals
from inosync.system.state import StateFile, state_file
from inosync.system.systemd import Systemd

logger = logging.getLogger("inosync")


@dataclass
class Shifts:
    """What stays the same process when its host is no longer the active one, or is it again.

    ``load`` reads the config anew, from the ``directory`` where relative paths belong. `mark` is
    the variable by which runs are known that outlive the daemon, `control` where ssh's control
    sockets are; "" where there is none. ``insecure``: others may write the config. With ``once``
    there is one shift, which makes one pass of each mirror.
    """

    load: Callable[[], Config]
    config: Config
    program: Program
    directory: Path
    mark: InitVar[str]
    control: InitVar[str]
    server: Server | None
    pretend: bool = False
    insecure: bool = False
    once: Onlooker | None = None
    _began: float | None = None
    _signals: Signals = field(default_factory=Signals)
    _supervisor: Systemd = field(default_factory=Systemd)
    _environment: dict[str, str] = field(default_factory=run_environment)  # of runs
    _hooks: Hooks = field(init=False)
    _mandate: Mandate = field(init=False)
    _state: StateFile = field(init=False)

    def __post_init__(self, mark: str, control: str) -> None:
        if self.once:
            # Everything goes in the one run, and at once; and who asked for it sees how it ends.
            self.config = dataclasses.replace(
                self.config.for_all(rbigsize=0, rsettle=()),
                on_change=(),
                on_success=(),
                on_failure=(),
                on_recover=(),
                on_beat=(),
                beat=0,
            )
        self._hooks = Hooks(self.config, dict(self._environment), self.pretend)
        if mark:
            name, _, lock = mark.partition("=")
            self._environment[name] = lock
        self.program = dataclasses.replace(
            self.program,
            checksum="" if "RSYNC_CHECKSUM_LIST" in self._environment else self.program.checksum,
            control=control,
            environment_shell="RSYNC_RSH" in self._environment,
        )
        self._mandate = Mandate(self.config.wactive)
        self._state = state_file(identity(self.config))

    def run(self) -> int:
        """Serve one shift after the other until told to stop; return the exit status."""
        contents = self.once is not None and self.once.compare
        alone = self.once is not None or self.pretend
        ended = False
        try:
            while not ended:
                engine = Engine(self.config, random.random, contents=contents, alone=alone)
                if self._mandate.missing and not self.once:
                    ended = self._stand_by(engine)
                    continue
                ended = self._mirror(engine)
                if self.once:
                    return self.once.conclude(engine)
        finally:
            self._mandate.close()
            self._signals.close()
        logger.info("stopped")
        return 0

    def _stand_by(self, engine: Engine) -> bool:
        """Wait for the mandate; return whether the daemon was told to stop."""
        standby = Standby(
            config=self.config,
            program=self.program,
            engine=engine,
            mandate=self._mandate,
            signals=self._signals,
            supervisor=self._supervisor,
            hooks=self._hooks,
            load=self._reload,
            began=self._began,
            control=self.server,
            pretend=self.pretend,
        )
        ended, self._began = standby.run(), standby.began
        self.config, self.program = standby.config, standby.program
        return ended

    def _mirror(self, engine: Engine) -> bool:
        """Mirror while there is a mandate; return whether the daemon was told to stop."""
        runs = Runs(engine, self.config, self.program, self._environment, self.pretend)
        if self.once:
            runs.ended = self.once.ended
        script = Invocation(str(self.directory), self._environment, self.insecure)
        active = Daemon(
            config=self.config,
            engine=engine,
            signals=self._signals,
            supervisor=self._supervisor,
            runs=runs,
            hooks=self._hooks,
            load=self._reload,
            mandate=self._mandate,
            script=script if self.config.file else None,
            began=self._began,
            control=self.server,
            onlooker=self.once,
            state=self._state,
        )
        ended, self._began = active.run(), active.began
        self.config, self.program = runs.config, runs.program
        return ended

    def _reload(self) -> tuple[Config, Program]:
        """Return the config as it is written now, and the rsync there is; raise ConfigError."""
        with contextlib.chdir(self.directory):
            fresh = self.load()
        _refuse_moves(self.config, fresh)
        found = preflight(fresh, writes=not self.pretend)
        checksum = found.checksum if self.program.checksum else ""
        os.umask(fresh.umask)
        program = dataclasses.replace(self.program, version=found.version, checksum=checksum)
        return fresh, program


def _refuse_moves(old: Config, new: Config) -> None:
    """Raise ConfigError when `new` says otherwise what a process cannot change while it runs.

    The lock keeps a second daemon away, and root's privileges are gone.
    """
    fixed = ("pidfile", "socket", "user", "group")
    problems = [
        f"{name} was {getattr(old, name)!r} when the daemon started and is {getattr(new, name)!r} "
        "now: restart the daemon, a reload cannot change it"
        for name in fixed
        if getattr(old, name) != getattr(new, name)
    ]
    if problems:
        raise ConfigError(problems)
