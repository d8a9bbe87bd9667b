"""One running daemon: puts the parts together, and carries out what the engine wants done.

Passes on what comes from outside: signals, ended children, what people ask for.
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
from inosync.planning.scan import Question
from inosync.rsync.program import Program
from inosync.service.acting import Acting
from inosync.service.announcer import Announcer, Supervisor
from inosync.service.beat import Beat
from inosync.service.hooks import Hooks
from inosync.service.keeper import Keeper
from inosync.service.leaving import Leaving
from inosync.service.loop import Loop, Part
from inosync.service.mandate import Mandate
from inosync.service.notes import Notes
from inosync.service.onlooker import Onlooker, Onlooking
from inosync.service.pipes import Pipes
from inosync.service.polls import Polls
from inosync.service.pruning import Pruning
from inosync.service.publisher import Publisher
from inosync.service.recollection import Recollection
from inosync.service.refresh import Invocation, Refresh
from inosync.service.remedies import Remedies
from inosync.service.requests import Requests
from inosync.service.rereading import reread
from inosync.service.runs import Runs
from inosync.service.scans import Scans
from inosync.service.sources import Sources
from inosync.service.targets import Targets
from inosync.service.thrift import Thrift
from inosync.status.keeping import Keeping
from inosync.status.lines import lines as status_lines
from inosync.status.model import Snapshot
from inosync.status.snapshot import Facts, snapshot
from inosync.system.control import Server
from inosync.system.process import resident
from inosync.system.signals import Signals
from inosync.system.state import StateFile
from inosync.text import printable

log = logging.getLogger("inosync")


@dataclass
class Daemon:
    """One running daemon. ``run`` returns when all children have ended.

    That is when it was told to stop, or has lost its ``mandate`` to be the active host.
    """

    config: Config
    engine: Engine
    signals: Signals
    supervisor: Supervisor
    runs: Runs
    hooks: Hooks
    load: Callable[[], tuple[Config, Program]]
    mandate: Mandate
    script: Invocation | None = None
    began: float | None = None
    control: Server | None = None
    onlooker: Onlooker | None = None  # with one, nothing is mirrored but full passes
    loop: Loop = field(default_factory=Loop)
    state: StateFile | None = None
    _publisher: Publisher | None = None
    _keeper: Keeper | None = None
    _instead: Callable[[Mirror], Question | None] = lambda _: None
    _acquaint: Callable[[], None] = lambda: None
    _targets: Targets | None = None
    _pruning: Pruning | None = None
    _refresh: Refresh | None = None

    def __post_init__(self) -> None:
        self._loaded = self.loop.clock()
        if self.began is None:
            self.began = self._loaded
        self._leaving = Leaving(self.mandate, self.engine, self.runs)
        self._requests: Requests | None = None
        self._stopping = False
        alone = self.onlooker is not None
        self.sources = Sources(self.engine, self.config, self.loop, root_only=alone)
        self.polls = Polls(self.engine, self.sources, self.loop)
        self.remedies = Remedies(self.engine, self.loop)
        self.announcer = Announcer(self.engine, self.sources, self.supervisor, self._loaded)
        # While pretending, a daemon that runs beside may write the same files.
        if not self.runs.pretend and not alone:
            self._publisher = Publisher(self, self.config)
            self._targets = targets = Targets(self.engine, self.loop)
            self._pruning = Pruning(self.engine, self.runs, self.loop)
            if self.script is not None:
                self._refresh = Refresh(self.script, lambda: self.engine.config, self._take)
            if self.state is not None:
                # A host that was not the active one knows little of the mirrors.
                doubtful = bool(self.config.wactive)
                self._remember(Notes(self.engine, self.state, targets, self.loop, doubtful))

    def _remember(self, notes: Notes) -> None:
        """Keep what is known of the mirrors in these notes, and believe what they say."""
        self._keeper = Keeper(self.engine, self.sources, self.loop, notes)
        recollection = Recollection(self.engine, self.sources, self.loop, notes)
        self.sources.recall, self._instead = recollection.recall, recollection.instead
        self._acquaint = recollection.acquaint

    def parts(self) -> list[Part]:
        """Return what takes part in each turn, in order.

        What has changed comes before what people ask, so that they are told the truth; and what is
        told comes after what is done. Who waits is answered behind all that may end a run: one
        that has nothing to carry ends where it is begun, and nothing wakes the loop after it.
        """
        scans = Scans(self.engine, self.sources, self.loop)
        parts: list[Part] = [self.mandate, self._leaving, self.sources, self.polls, scans]
        if self._targets is not None:
            parts.append(self._targets)
        doing = (scans, self.runs, self.hooks, self.loop, self._instead)
        parts.append(Acting(self.engine, self.sources, self._targets, *doing))
        beat = Beat(self.engine, self.hooks, self.loop)
        # What stands ready is started when there is nothing else to do.
        parts += [self.remedies, beat, self.hooks, self.runs.warm, self.announcer]
        parts.append(Pipes(self.engine, self.runs))
        if self.onlooker is not None:
            parts.append(Onlooking(self.onlooker, self.engine, self.runs))
        if self._publisher is not None:
            parts.append(self._publisher)
        more = (self._keeper, self._pruning, self._refresh)
        parts += [part for part in more if part is not None]
        if self.control is not None:
            self._requests = Requests(self.control, self, self.loop, self.loop.clock)
            parts.append(self._requests)
        parts.append(Thrift(lambda: self.runs.busy))
        return parts

    def run(self) -> bool:
        """Watch and mirror until SIGTERM or SIGINT, or the end of the mandate.

        Return whether the daemon was told to stop.
        """
        self.loop.listen(self.signals.fileno(), self._handle_signals)
        self.mandate.listen(self.loop)
        self.loop.parts = self.parts()
        try:
            if self._keeper is not None:
                self._keeper.notes.open()
            self.sources.open()
            if self._targets is not None:
                self._targets.open()
            self.loop.run(self._stopped)
            if self._publisher is not None and not self._retires:
                self._publisher.close(self.loop.clock())
            if self._keeper is not None:
                self._keeper.close()
        finally:
            self.runs.kill()
            if not self._retires:
                self.hooks.kill()
            if self._requests is not None:
                self._requests.end()
            if self._pruning is not None:
                self._pruning.kill()
            if self._refresh is not None:
                self._refresh.kill()
            self.remedies.close()
            self.sources.close()
            if self._targets is not None:
                self._targets.close()
            self.loop.close()
        return not self._retires

    @property
    def _retires(self) -> bool:
        """Whether it ends because another host is the active one."""
        return self._leaving.gone and not self._stopping

    def _stopped(self) -> bool:
        # An onlooker has the engine stopped, and runs no hooks; those of a daemon outlive its work.
        ended = self.engine.stopped and self.runs.warm.empty
        return ended and (self.hooks.stopped or self.onlooker is not None or self._retires)

    # ---- signals --------------------------------------------------------------------------

    def _handle_signals(self) -> None:
        for signal in self.signals.take():
            now = self.loop.clock()
            if signal is Signal.SIGCHLD:
                if self.runs.comparing() is not None:
                    self.catch_up(now)  # what happened meanwhile must not look like drift
                self.runs.reap(now)
                self.hooks.reap(now)
                if self._pruning is not None:
                    self._pruning.reap(now)
                if self._refresh is not None and not self.engine.stopping:
                    self._refresh.reap(now)
            elif signal is Signal.SIGHUP and self.onlooker is None:
                log.info("SIGHUP: reading the config again")
                self.reload(now)
            elif signal is Signal.SIGUSR1:
                for line in status_lines(self.snapshot(now)):
                    log.info("%s", line)
            elif signal is Signal.SIGUSR2:
                log.info("SIGUSR2: as inosync --sync")
                self.release(now)
            else:
                log.info("%s: stopping", signal.name)
                self._stopping = True
                self.supervisor.tell(STOPPING="1", STATUS="stopping")
                self.engine.stop(now)
                self.hooks.stop(now)
                self.runs.warm.stop(now)

    # ---- what people ask for --------------------------------------------------------------

    @property
    def standby(self) -> str:
        """Why the daemon is about to be on standby, in words; "" when it is not."""
        return self.mandate.missing

    def snapshot(self, now: float) -> Snapshot:
        """Return the state of everything."""
        self._look()
        facts = Facts(
            version=__version__,
            pid=os.getpid(),
            rss=resident(),
            began=self.began or 0.0,
            loaded=self._loaded,
            now=now,
            wall=self.loop.wall(),
            warm=self.runs.warm.mirrors,
            kept=self.kept,
            lost={mirror: self.lost(mirror) for mirror in self.engine.mirrors},
        )
        return snapshot(self.engine, self.sources.watchers, facts, self.runs.progress)

    def lost(self, mirror: Mirror) -> frozenset[bytes]:
        """Return where something was mounted, for a mirror, and is not any more.

        The lane for big files says nothing of it: its other mirror does.
        """
        return frozenset() if mirror.big else self.sources.lost(mirror)

    @property
    def kept(self) -> Mapping[str, Keeping]:
        """What nodes keep, by destination, as far as it was counted."""
        return self._pruning.kept if self._pruning is not None else {}

    def _look(self) -> None:
        """See whether all paths lead to what they led to."""
        self.sources.look()
        if self._targets is not None:
            self._targets.look()

    def hear(self) -> None:
        """Take what the kernel has queued until now."""
        self._look()
        self.sources.catch_up()

    def catch_up(self, now: float) -> None:
        """Do as ``hear``, and look for what the kernel does not tell."""
        self.hear()
        self.polls.hurry()

    def caught_up(self, node: str = "") -> bool:
        """Return whether all that was there then is known, and no source is held for `node`."""
        return not self.polls.hurried and self.sources.caught_up(node)

    def held(self, mirror: Mirror) -> str:
        """Return why the source of a mirror, or its target, is held, in words."""
        if reason := self.engine.held_for(mirror):
            return f"the source {reason}"
        barred = self._targets is not None and self._targets.bars(mirror)
        return mirror.reason if barred else ""

    def apart(self, mirror: Mirror) -> Apart:
        """Return what is left as it is on a mirror."""
        return self.engine.apart(mirror, lost=self.sources.lost(mirror))

    def release(self, now: float, node: str = "") -> int:
        """A person says: full pass now, and what is held goes on as it is; return how many do."""
        log.info("asked for a full pass of %s", printable(node) or "everything")
        self.sources.accept(node)
        if self._targets is not None:
            self._targets.accept(node)
        return len(self.engine.release("asked for", now, node=node))

    def _take(self, config: Config, now: float) -> None:
        """Go by another config from now on."""
        self.runs.configure(config, self.runs.program, now)
        self.hooks.config = config
        self.engine.configure(config, now)
        if self._publisher is not None:
            self._publisher.configure(config, now)
        self.sources.configure(config)
        self._acquaint()

    def reload(self, now: float) -> tuple[str, ...]:
        """Take the config anew; keep the old one when the new one is wrong; return what is."""

        def take(config: Config, program: Program) -> None:
            self.runs.program = program
            self._take(config, now)
            if self._refresh is not None:
                self._refresh.forget()
            self._loaded = now
            self.mandate.configure(config.wactive)

        problems = reread(self.load, take, self.supervisor, self.loop.clock())
        self.announcer.again()
        return problems
