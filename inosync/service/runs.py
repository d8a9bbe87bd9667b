"""The runs that are at work: what the engine wants started, looked at or ended, and how it ended.

Between the engine, which knows mirrors, and processes, which know neither. Decides nothing.
"""

from __future__ import annotations

import itertools
import logging
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from inosync.changes.batch import Batch
from inosync.config.model import Config, Pair
from inosync.config.rule_files import forgetting
from inosync.engine.actions import Kill, Look, Outcome, Start, Terminate
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror
from inosync.planning.order import Prepared, RunKind, Sight
from inosync.planning.prepare import Worth, prepare
from inosync.planning.steps import Relink
from inosync.rsync.complaints import Places, account
from inosync.rsync.destination import Transport
from inosync.rsync.differences import EQUAL, Drift, below, carried, differences, summary
from inosync.rsync.exits import exit_status
from inosync.rsync.output import Progress, deletions, evidence, progress, rehearsed, transferred
from inosync.rsync.program import Program
from inosync.system.process import TAIL, Child, not_started
from inosync.text import many, printable
from inosync.watch.files import changed, first_inside

#: Paths of a comparison that are looked at: it is done while all else waits.
MOST_DRIFT = 10_000

log = logging.getLogger("inosync")


@dataclass(frozen=True)
class _Run:
    """A child at work for a mirror, since ``wall``; ``what`` was prepared for it."""

    child: Child
    mirror: Mirror
    shown: str
    what: Prepared
    wall: float


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
    _children: dict[int, _Run] = field(default_factory=dict)
    _environment: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Once for all runs, and not for each.
        self._environment = {
            os.fsencode(name): os.fsencode(value) for name, value in self.environment.items()
        }

    def configure(self, config: Config, program: Program) -> None:
        """Start runs by another config from now on."""
        self.config, self.program = config, program

    def start(self, action: Start, sight: Sight, now: float, *, wall: float) -> None:
        """Run rsync for a mirror whose source has just been looked at.

        `wall` is the time as files have it.
        """
        mirror, order = action.mirror, action.order
        what = prepare(order, sight, self.config, self.program, self.worth)
        self.engine.prepared(mirror, what, now)
        if what.widened:
            log.debug("%s: full pass: %s", mirror.name, what.widened)
        if what.names == () or self.pretend:
            log.debug("%s: run for %s", mirror.name, _describe(order.batch))
            if what.names != ():
                shown = _shown(what.argv, what.names)
                log.info("would execute: %s%s", _printf(what.names or ()), shown)
            outcome = Outcome(0, pretended=self.pretend, listed=what.listed)
            self.engine.exited(mirror, outcome, now)
            return
        forgets = forgetting(order.pair.source.excludes, order.pair.node.extra)
        if forgets:
            outcome = Outcome(1, evidence=(forgets,), command=_shown(what.argv, what.names))
            self.ended(mirror, outcome, ())
            self.engine.exited(mirror, outcome, now)
            return
        fault: OSError | None = None
        try:
            child = Child(
                what.argv,
                environment=self._environment,
                data=b"".join(name + b"\0" for name in what.names or ()),
                nice=what.kind is RunKind.COMPARISON,
                brief=what.listed,
            )
        except OSError as error:
            fault = error
        # What is only told is told when the run is on its way.
        shown = _shown(what.argv, what.names)
        log.debug("%s: run for %s", mirror.name, _describe(order.batch))
        log.debug("executing: %s", shown)
        if fault is not None:
            status, reason = not_started(what.argv, fault)
            outcome = Outcome(status, evidence=(reason,), command=shown, unstarted=True)
            self.ended(mirror, outcome, ())
            self.engine.exited(mirror, outcome, now)
            return
        self._children[child.pid] = _Run(child, mirror, shown, what, wall)

    def reap(self, now: float) -> None:
        """Report the runs that have ended. Others' children (a library's) are not ours to take."""
        for pid, run in list(self._children.items()):
            status = run.child.poll()
            if status is None:
                continue
            del self._children[pid]
            output, errors = run.child.output(), run.child.errors()
            rehearsing = run.what.kind is RunKind.REHEARSAL
            cut = len(errors) >= TAIL
            said = account(run.child.lines(), errors, places(run.mirror.pair), cut=cut)
            count = rehearsed if rehearsing else transferred
            outcome = Outcome(
                exit_status(status, errors),
                transferred=count(output),
                evidence=evidence(errors),
                deletions=deletions(output) if rehearsing else (),
                drift=_drift(run) if run.what.kind is RunKind.COMPARISON else EQUAL,
                command=run.shown,
                listed=run.what.listed,
                account=said,
                kept=staying(run.mirror.pair, said.kept),
                sent=_sent(run) if run.what.tells else frozenset(),
            )
            self.ended(run.mirror, outcome, run.child.lines())
            run.child.close()
            self.engine.exited(run.mirror, outcome, now)

    def progress(self, mirror: Mirror) -> Progress | None:
        """Return how far the mirror's run said it was; ask it to say so again."""
        child = self._child(mirror)
        if child is None or mirror.work.rehearsing:
            return None
        told = progress(child.output())
        child.ask_progress()
        return told

    def _child(self, mirror: Mirror) -> Child | None:
        return next((run.child for run in self._children.values() if run.mirror is mirror), None)

    def act(self, action: Terminate | Kill | Look, now: float) -> None:
        """End the run of a mirror, or look at it."""
        child = self._child(action.mirror)
        if child is None:
            return
        if isinstance(action, Terminate):
            child.terminate()
        elif isinstance(action, Kill):
            child.kill()
        else:
            said = evidence(child.errors())
            self.engine.activity(action.mirror, child.activity(), now, said=said)

    def kill(self) -> None:
        """End all for certain: the daemon itself ends."""
        for run in self._children.values():
            run.child.kill()


def places(pair: Pair) -> Places:
    """Return how rsync names the paths of a mirror."""
    source, destination = pair.source, pair.destination
    return Places(
        os.fsencode(source.path),
        os.fsencode(source.prefix),
        os.fsencode(destination.path),
        module=destination.transport is Transport.DAEMON,
    )


def staying(pair: Pair, directories: Iterable[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return directories that stay on the node, each with what is in it, where that can be seen."""
    local = pair.destination.transport is Transport.LOCAL
    found = []
    for path in directories:
        place = pair.landing(os.fsdecode(path)).path
        inner = first_inside(os.fsencode(place)) if local else b""
        found.append((path, path + b"/" + inner if inner else b""))
    return tuple(found)


def _sent(run: _Run) -> frozenset[bytes]:
    """Return the files, relative to the source, that a run has said it sent."""
    prefix, found = os.fsencode(run.mirror.pair.source.prefix), carried(run.child.lines())
    step = run.what.steps[0] if run.what.kind is RunKind.STEP and run.what.steps else None
    if isinstance(step, Relink):  # whose top is the directory itself
        return frozenset(os.path.join(step.new, name) for name in found)
    return frozenset(path for name in found if (path := below(prefix, name)) is not None)


def _drift(run: _Run) -> Drift:
    """Return what a comparison has found; what changed since it began is no drift."""
    source = run.mirror.pair.source
    prefix = os.fsencode(source.prefix)
    found = itertools.islice(differences(run.child.lines()), MOST_DRIFT)
    return summary(
        difference
        for difference in found
        if not changed(source, below(prefix, difference.path), run.wall)
    )


def _shown(argv: Sequence[str], names: Sequence[bytes] | None) -> str:
    """Return the command line as people read it."""
    return shlex.join(argv) + (f" # {many(len(names), 'name')} on standard input" if names else "")


def _printf(names: Sequence[bytes]) -> str:
    """Return the front of a shell's command line that writes `names` to the next one's input."""
    if not names:
        return ""
    return f"printf '%s\\0' {shlex.join(os.fsdecode(name) for name in names)} | "


def _describe(batch: Batch) -> str:
    if batch.reason:
        return f"a full pass ({batch.reason})"
    names = ", ".join(printable(path) or "." for path in batch.sample)
    return (
        f"{many(batch.count, 'change')} ({names}{', …' if batch.count > len(batch.sample) else ''})"
    )
