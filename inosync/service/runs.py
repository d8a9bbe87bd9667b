"""The runs that are at work: what the engine wants started, looked at or ended, and how it ended.

Between the engine, which knows mirrors, and processes, which know neither. Decides nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from inosync.config.model import Config
from inosync.config.rule_files import forgetting
from inosync.engine.actions import Kill, Look, Outcome, Start, Terminate
from inosync.engine.apart import NOTHING
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.engine.records import Activity
from inosync.engine.streams import together
from inosync.planning.order import Prepared, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.planning.step_run import Worth
from inosync.rsync.exits import KEPT_OUT, PARTIAL, VANISHED
from inosync.rsync.options import compares_contents
from inosync.rsync.output import Progress, beside, evidence, progress
from inosync.rsync.program import Program
from inosync.service.at_work import (
    AtWork,
    Group,
    describe,
    printf,
    shown_command,
    unheard,
)
from inosync.service.outcomes import outcome_of
from inosync.service.warm import CROWDED, DEAD, Warm
from inosync.system.process import Child, not_started

#: Behind which of them the next one stands ready.
_WARMING = (RunKind.PASS, RunKind.SLICE, RunKind.LISTED, RunKind.CONTENTS)

#: Seconds in which one that finds no room ends: bash tries to make a process for 15.
SOON = 20.0

log = logging.getLogger("inosync")


def _unheard(_mirror: Mirror, _outcome: Outcome, _lines: Iterable[bytes]) -> None:
    """Nobody wants to hear of it."""


@dataclass
class Runs:
    """All runs of the daemon, of the local rsync that is ``program``.

    With ``pretend`` a command is logged and nothing runs. ``ended`` hears of each end before the
    engine does, with the lines that rsync wrote.
    """

    engine: Engine
    config: Config
    program: Program
    environment: Mapping[str, str]
    pretend: bool = False
    ended: Callable[[Mirror, Outcome, Iterable[bytes]], None] = _unheard
    worth: Worth = field(default_factory=Worth)
    _children: dict[int, AtWork] = field(default_factory=dict)
    _environment: dict[bytes, bytes] = field(default_factory=dict)
    _heard: dict[int, int] = field(default_factory=dict)  # what they had read at the first look
    _unheard: set[int] = field(default_factory=set)  # that are given up
    warm: Warm = field(init=False)

    def __post_init__(self) -> None:
        # Once for all runs, and not for each.
        self._environment = {
            os.fsencode(name): os.fsencode(value) for name, value in self.environment.items()
        }
        self.warm = Warm(self.config, self.program, self._environment)

    def configure(self, config: Config, program: Program, now: float) -> None:
        """Start runs by another config from now on."""
        self.config, self.program = config, program
        self.warm.configure(config, program, now)

    def start(self, action: Start, sight: Sight, now: float, *, wall: float) -> None:
        """Run rsync for a mirror whose source has just been looked at.

        `wall` is the time as files have it.
        """
        mirror, order = action.mirror, action.order
        what = prepare(order, sight, self.config, self.program, self.worth)
        self.engine.prepared(mirror, what, now)
        if what.widened:
            log.debug("%s: full pass: %s", mirror.name, what.widened)
        parts = (what, *what.beside)
        if self.pretend or all(part.names == () for part in parts):
            log.debug("%s: run for %s", mirror.name, describe(order.batch))
            for part in parts:
                if part.names != ():
                    shown = shown_command(part.argv, part.names)
                    log.info("would execute: %s%s", printf(part.names or ()), shown)
            outcome = Outcome(0, pretended=self.pretend, listed=what.listed)
            self.engine.exited(mirror, outcome, now)
            return
        forgets = forgetting(order.pair.source.excludes, order.pair.node.extra)
        if forgets:
            outcome = Outcome(1, evidence=(forgets,), command=shown_command(what.argv, what.names))
            self.ended(mirror, outcome, ())
            self.engine.exited(mirror, outcome, now)
            return
        if log.isEnabledFor(logging.DEBUG):  # else nobody would read the description
            log.debug("%s: run for %s", mirror.name, describe(order.batch))
        group = Group(len(parts)) if len(parts) > 1 else None
        for number, part in enumerate(parts):
            self._begin(mirror, part, sight, group, number, now=now, wall=wall)

    def _begin(
        self,
        mirror: Mirror,
        what: Prepared,
        sight: Sight,
        group: Group | None,
        number: int,
        *,
        now: float,
        wall: float,
    ) -> None:
        """Start the process for what was prepared."""
        if what.names == ():  # of slices that are made at once, one has nothing to carry
            self._tell(mirror, Outcome(0, listed=what.listed), group, number, now)
            return
        fault: OSError | None = None
        ready = self.warm.take(mirror, what, now)
        try:
            child = ready or self._child_of(what)
        except OSError as error:
            fault = error
        # What is only told is told when the run is on its way.
        shown = shown_command(what.argv, what.names)
        log.debug("executing: %s%s", shown, f" (stood ready, pid {ready.pid})" if ready else "")
        if fault is not None:
            crowded = self.warm.kept_out(mirror, now, now)
            self.warm.drop(now)  # there may be no room for both
            status, reason = not_started(what.argv, fault)
            outcome = Outcome(
                status, evidence=(reason,), command=shown, unstarted=True, crowded=crowded
            )
            if not crowded:
                self.ended(mirror, outcome, ())
            self._tell(mirror, outcome, group, number, now)
            return
        compares = what.kind is RunKind.COMPARISON
        apart = self.engine.apart(mirror, lost=sight.spare) if compares else NOTHING
        self._children[child.pid] = AtWork(
            child,
            mirror,
            shown,
            what,
            began=now,
            wall=wall,
            warm=ready is not None,
            lost=sight.spare,
            apart=apart,
            group=group,
            number=number,
        )

    def _tell(
        self, mirror: Mirror, outcome: Outcome, group: Group | None, number: int, now: float
    ) -> None:
        """Tell the engine how a run has ended; of slices that are made at once, with the last."""
        if group is not None:
            group.ended[number] = outcome
            if len(group.ended) < group.size:
                return
            outcome = together(group.ended)
        self.engine.exited(mirror, outcome, now)

    def _child_of(self, what: Prepared) -> Child:
        return Child(
            what.argv,
            environment=self._environment,
            data=b"".join(name + b"\0" for name in what.names or ()),
            nice=what.kind is RunKind.COMPARISON,
            brief=what.listed,
        )

    def reap(self, now: float) -> None:
        """Report the runs that have ended. Others' children (a library's) are not ours to take."""
        self.warm.reap(now)
        for pid in list(self._children):
            self._reap(pid, now)

    def _reap(self, pid: int, now: float) -> None:
        """Report a run if it has ended."""
        run = self._children[pid]
        status = run.child.poll()
        if status is None:
            return
        del self._children[pid]
        self._heard.pop(pid, None)
        if run.warm and self._died_waiting(run, status, now):
            return
        outcome = outcome_of(run, status, self.engine, self.config)
        crowded = CROWDED in run.child.errors() and not run.warm
        if self._kept_out(run, status, now):
            log.debug("%s: no room beside what stands ready (exit %d)", run.mirror.name, status)
            outcome = replace(outcome, crowded=True)
        else:
            self.ended(run.mirror, outcome, run.child.lines())
        run.child.close()
        self._tell(run.mirror, outcome, run.group, run.number, now)
        if crowded:
            self.warm.crowded(run.mirror, now)
        self._warm_up(run, status, now)

    def _died_waiting(self, run: AtWork, status: int, now: float) -> bool:
        """Return whether a run was dead before it was told what to carry: then another carries it.

        Had it begun to, it would have said of which file, and may have left a part of that behind.
        If it is the node that is not well, the other will say so.
        """
        dead = status in DEAD or run.child.pid in self._unheard
        self._unheard.discard(run.child.pid)
        if not dead or _begun(run) or run.mirror.state is not State.RUNNING:
            return False
        log.debug("%s: what stood ready was dead (exit %d)", run.mirror.name, status)
        outcome = outcome_of(run, status, self.engine, self.config)
        run.child.close()
        self.warm.refused(run.mirror, now)
        self.warm.failed(run.mirror, now)
        self.engine.died(run.mirror, outcome, now)
        return True

    def _kept_out(self, run: AtWork, status: int, now: float) -> bool:
        """Return whether a run has found no room since others stand ready, and is made again.

        It has said nothing of what it carries, and has ended soon.
        """
        if status not in KEPT_OUT:
            self.warm.let_in(run.mirror, run.began, now)
            return False
        soon = now - run.began < SOON and not run.child.output()
        running = run.mirror.state is State.RUNNING
        return soon and running and self.warm.kept_out(run.mirror, run.began, now)

    def _warm_up(self, run: AtWork, status: int, now: float) -> None:
        """Have the next run stand ready behind one that has carried something, and went well."""
        if status not in (0, PARTIAL, VANISHED):
            self.warm.failed(run.mirror, now)
        elif status == 0 and run.what.kind in _WARMING:
            if run.warm:
                self.warm.went_well(run.mirror)
            self.warm.want(run.mirror, now)

    @property
    def busy(self) -> bool:
        """Whether any run is at work."""
        return bool(self._children)

    def comparing(self) -> Mirror | None:
        """Return the mirror that is being compared, if one is."""
        kind = RunKind.COMPARISON
        return next((r.mirror for r in self._children.values() if r.what.kind is kind), None)

    def progress(self, mirror: Mirror) -> Progress | None:
        """Return how far the mirror's run said it was; ask it to say so again."""
        if mirror.work.rehearsing:
            return None
        told = []
        for child in self._of(mirror):
            told.append(progress(child.output()))
            child.ask_progress()
        return beside([each for each in told if each is not None])

    def _of(self, mirror: Mirror) -> list[Child]:
        return [run.child for run in self._children.values() if run.mirror is mirror]

    def at_pipes(self) -> list[Mirror]:
        """Return the mirrors whose runs wait at a pipe."""
        return [run.mirror for run in self._children.values() if run.child.at_pipe()]

    def act(self, action: Terminate | Kill | Look, now: float) -> None:
        """End the run of a mirror, or look at it."""
        children = self._of(action.mirror)
        if isinstance(action, Terminate):
            for child in children:
                child.terminate()
        elif isinstance(action, Kill):
            for child in children:
                child.kill()
        elif children and not self._gave_up(action.mirror, now):
            said = tuple(line for child in children for line in evidence(child.errors()))
            read, done = map(sum, zip(*(child.activity() for child in children), strict=True))
            self.engine.activity(action.mirror, Activity(read, done), now, said=said)

    def _gave_up(self, mirror: Mirror, now: float) -> bool:
        """Return whether a run that stood ready is ended since its node is not heard."""
        for run in self._children.values():
            if run.mirror is mirror and run.warm and not _begun(run):
                pid, rtimeout = run.child.pid, mirror.pair.node.rtimeout
                read, _ = run.child.activity()
                first = self._heard.setdefault(pid, read)
                if unheard(first, read, now - run.began, rtimeout):
                    self._unheard.add(pid)
                    run.child.kill()
                    return True
        return False

    def kill(self) -> None:
        """End all for certain: the daemon itself ends."""
        for run in self._children.values():
            run.child.kill()
        self.warm.kill()


def _begun(run: AtWork) -> bool:
    """Return whether a run that stood ready may have begun to carry: it says of which file."""
    return bool(run.child.output()) or compares_contents(run.mirror.pair.node.extra)
