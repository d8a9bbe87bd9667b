"""The runs that are at work: what the engine wants started, looked at or ended, and how it ended.

Between the engine, which knows mirrors, and processes, which know neither. Decides nothing.
"""

from __future__ import annotations

import itertools
import logging
import os
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from inosync.actions import Kill, Look, Outcome, Start, Terminate
from inosync.changes import Batch
from inosync.drift import EQUAL, Drift, below, differences, summary
from inosync.engine import Engine
from inosync.events import Change, Kind
from inosync.guard import Guard, changed
from inosync.mirror import Mirror
from inosync.process import Child, not_started
from inosync.rsync import (
    Progress,
    deletions,
    evidence,
    exit_status,
    progress,
    rehearsed,
    transferred,
)
from inosync.steps import Relink, Renew, Step, prevented, whole_files
from inosync.text import printable

#: Paths of a comparison that are looked at: it is done while all else waits.
MOST_DRIFT = 10_000

log = logging.getLogger("inosync")


@dataclass(frozen=True)
class _Run:
    """A child at work for a mirror, since ``wall``. ``listed``: it carries named changes only."""

    child: Child
    mirror: Mirror
    shown: str
    listed: bool
    wall: float


def _unheard(_mirror: Mirror, _outcome: Outcome, _lines: Iterable[bytes]) -> None:
    """Nobody wants to hear of it."""


@dataclass
class Runs:
    """All runs of the daemon.

    ``command`` gives the argv for a start, with the keywords of ``rsync.command`` that say what it
    is about. With ``pretend`` it is logged and nothing runs. ``ended`` hears of each end before the
    engine does, with the lines that rsync wrote.
    """

    engine: Engine
    command: Callable[..., list[str]]
    environment: Mapping[str, str]
    pretend: bool = False
    ended: Callable[[Mirror, Outcome, Iterable[bytes]], None] = _unheard
    _children: dict[int, _Run] = field(default_factory=dict)
    _environment: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Once for all runs, and not for each.
        self._environment = {
            os.fsencode(name): os.fsencode(value) for name, value in self.environment.items()
        }

    def start(self, action: Start, guard: Guard, now: float, *, wall: float) -> None:
        """Run rsync for a mirror whose source the `guard` has just vouched for.

        `wall` is the time as files have it.
        """
        mirror = action.mirror
        spare = guard.lost(mirror.pair.node.name)
        step = self._step(action, guard)
        names: tuple[bytes, ...] | None = None
        listed = False
        if isinstance(step, Relink):
            names = step.names or None
            argv = self.command(action, step=step)
        else:
            hide = mirror.stale if step is None and not action.rehearse else frozenset()
            mirror.hid = guard.has(hide)
            names = step.names if step else self._names(action, guard, spare, hide, now)
            leave = guard.files(self.engine.left_out(mirror, action.batch))
            listed = names is not None
            argv = self.command(
                action, spare=spare, hide=hide, leave=leave, listed=listed, step=step
            )
        if names == () or self.pretend:
            log.debug("%s: run for %s", mirror.name, _describe(action.batch))
            if names != ():
                log.info("would execute: %s%s", _printf(names or ()), _shown(argv, names))
            self.engine.exited(mirror, Outcome(0, pretended=self.pretend), now)
            return
        fault: OSError | None = None
        try:
            child = Child(
                argv,
                environment=self._environment,
                data=b"".join(name + b"\0" for name in names or ()),
                nice=action.compare,
                brief=listed,
            )
        except OSError as error:
            fault = error
        # What is only told is told when the run is on its way.
        shown = _shown(argv, names)
        log.debug("%s: run for %s", mirror.name, _describe(action.batch))
        log.debug("executing: %s", shown)
        if fault is not None:
            status, reason = not_started(argv, fault)
            outcome = Outcome(status, evidence=(reason,), command=shown)
            self.ended(mirror, outcome, ())
            self.engine.exited(mirror, outcome, now)
            return
        self._children[child.pid] = _Run(child, mirror, shown, listed=listed, wall=wall)

    def _step(self, start: Start, guard: Guard) -> Step | None:
        """Return what is to be done for renames before the run itself; None: nothing more."""
        mirror = start.mirror
        if start.rehearse or start.compare:
            return None
        if mirror.steps is None:
            mirror.step((*self._renewals(mirror, guard), *self._steps(start, guard)))
        step = mirror.steps[0] if mirror.steps else None
        if isinstance(step, Relink):
            if not guard.holds(step):
                mirror.stepped(well=False)
                return None
            mirror.link(step)
        return step

    def _renewals(self, mirror: Mirror, guard: Guard) -> tuple[Step, ...]:
        """Return the step for what a run has hidden and could not delete: it failed.

        It may fail for ever, for a file that nobody can read. That is to hold back nothing else.
        """
        again = frozenset(path for path in mirror.stale if guard.has((path,)))
        if not again or not mirror.backoff.failures:
            return ()
        files = guard.files(again)
        changes = [Change(path, Kind.ENTRY if path in files else Kind.TREE) for path in again]
        names = guard.plan(changes, spare=guard.lost(mirror.pair.node.name)).entries
        return (Renew(again, names),) if names else ()

    def _steps(self, start: Start, guard: Guard) -> tuple[Step, ...]:
        extra = start.mirror.pair.node.extra
        owed = self.engine.owed_beside(start.mirror)
        if not start.batch.moves or owed is None or prevented(extra):
            return ()
        if not self.engine.has_the_node(start.mirror, start.batch):
            return ()
        # Older ones, which compare whole seconds, would take other files for these.
        if "--modify-window=-1" not in self.command(start):
            return ()
        node = start.mirror.pair.node.name
        return guard.steps(start.batch, node=node, owed=owed, delta=not whole_files(extra))

    def _names(
        self,
        start: Start,
        guard: Guard,
        spare: frozenset[bytes],
        hide: frozenset[bytes],
        now: float,
    ) -> tuple[bytes, ...] | None:
        """Return what the run names to rsync; None for a pass over the whole source."""
        batch, pair = start.batch, start.mirror.pair
        if batch.reason or batch.changes is None:
            return None
        changes: Collection[Change] = batch.changes
        if start.mirror.big:
            changes = guard.big(changes)
        elif pair.node.rscope == "tree":
            return None
        deleted = (Change(path.rpartition(b"/")[0], Kind.LEVEL) for path in hide)
        plan = guard.plan(itertools.chain(changes, deleted), spare=spare, hide=hide)
        if plan.linked:
            self.engine.linked(pair.source, now)
        if plan.full:
            log.debug("%s: full pass: %s", start.mirror.name, plan.full)
            return None
        return plan.entries

    def reap(self, now: float) -> None:
        """Report the runs that have ended. Others' children (a library's) are not ours to take."""
        for pid, run in list(self._children.items()):
            status = run.child.poll()
            if status is None:
                continue
            del self._children[pid]
            output, errors = run.child.output(), run.child.errors()
            count = rehearsed if run.mirror.rehearsing else transferred
            outcome = Outcome(
                exit_status(status, errors),
                transferred=count(output),
                evidence=evidence(errors),
                deletions=deletions(output) if run.mirror.rehearsing else (),
                drift=_drift(run) if run.mirror.comparing else EQUAL,
                command=run.shown,
                listed=run.listed,
            )
            self.ended(run.mirror, outcome, run.child.lines())
            run.child.close()
            self.engine.exited(run.mirror, outcome, now)

    def progress(self, mirror: Mirror) -> Progress | None:
        """Return how far the mirror's run said it was; ask it to say so again."""
        child = self._child(mirror)
        if child is None or mirror.rehearsing:
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
            self.engine.activity(action.mirror, child.activity(), now)

    def kill(self) -> None:
        """End all for certain: the daemon itself ends."""
        for run in self._children.values():
            run.child.kill()


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
    return shlex.join(argv) + (f" # {len(names)} names on standard input" if names else "")


def _printf(names: Sequence[bytes]) -> str:
    """Return the front of a shell's command line that writes `names` to the next one's input."""
    if not names:
        return ""
    return f"printf '%s\\0' {shlex.join(os.fsdecode(name) for name in names)} | "


def _describe(batch: Batch) -> str:
    if batch.reason:
        return f"a full pass ({batch.reason})"
    names = ", ".join(printable(path) or "." for path in batch.sample)
    return f"{batch.count} changes ({names}{', …' if batch.count > len(batch.sample) else ''})"
