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

from inosync.changes.batch import Batch
from inosync.config.model import Config, Pair, Source
from inosync.config.rule_files import forgetting
from inosync.engine.actions import Kill, Look, Outcome, Start, Terminate
from inosync.engine.apart import NOTHING, Apart, Left
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.engine.streams import together
from inosync.planning.file_list import homes
from inosync.planning.order import Prepared, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.planning.step_run import Worth
from inosync.planning.steps import Relink
from inosync.rsync.complaints import Account, Places, account
from inosync.rsync.destination import Transport
from inosync.rsync.differences import (
    EQUAL,
    EXTRA,
    Difference,
    Drift,
    below,
    carried,
    differences,
    overwritten,
    summary,
)
from inosync.rsync.exits import PARTIAL, VANISHED, cut_short, exit_status
from inosync.rsync.options import compares_contents
from inosync.rsync.output import (
    Progress,
    beside,
    deletions,
    evidence,
    progress,
    rehearsed,
    transferred,
)
from inosync.rsync.program import Program
from inosync.service.warm import CROWDED, DEAD, Warm
from inosync.system.process import TAIL, Child, not_started
from inosync.text import many, printable
from inosync.watch.files import Files, changed, first_inside

#: Behind which of them the next one stands ready.
_WARMING = (RunKind.PASS, RunKind.SLICE, RunKind.LISTED, RunKind.CONTENTS)
#: Paths of a comparison that are looked at: it is done while all else waits.
MOST_DRIFT = 10_000

log = logging.getLogger("inosync")


@dataclass(frozen=True)
class _Run:
    """A child at work for a mirror, since ``wall``; ``what`` was prepared for it.

    One that was ``warm`` was started before. It may be the ``number``-th of a ``group`` of slices
    that are made at once, and are one run to the engine. A comparison leaves out what was ``apart``
    when it began, and what was mounted and is ``lost``.
    """

    child: Child
    mirror: Mirror
    shown: str
    what: Prepared
    wall: float
    warm: bool
    lost: frozenset[bytes] = frozenset()
    apart: Apart = NOTHING
    group: _Group | None = None
    number: int = 0


@dataclass
class _Group:
    """Slices that are made at once: so many, and how those ended that have."""

    size: int
    ended: dict[int, Outcome] = field(default_factory=dict)


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
            log.debug("%s: run for %s", mirror.name, _describe(order.batch))
            for part in parts:
                if part.names != ():
                    shown = _shown(part.argv, part.names)
                    log.info("would execute: %s%s", _printf(part.names or ()), shown)
            outcome = Outcome(0, pretended=self.pretend, listed=what.listed)
            self.engine.exited(mirror, outcome, now)
            return
        forgets = forgetting(order.pair.source.excludes, order.pair.node.extra)
        if forgets:
            outcome = Outcome(1, evidence=(forgets,), command=_shown(what.argv, what.names))
            self.ended(mirror, outcome, ())
            self.engine.exited(mirror, outcome, now)
            return
        log.debug("%s: run for %s", mirror.name, _describe(order.batch))
        group = _Group(len(parts)) if len(parts) > 1 else None
        for number, part in enumerate(parts):
            self._begin(mirror, part, sight, group, number, now=now, wall=wall)

    def _begin(
        self,
        mirror: Mirror,
        what: Prepared,
        sight: Sight,
        group: _Group | None,
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
        shown = _shown(what.argv, what.names)
        log.debug("executing: %s%s", shown, f" (stood ready, pid {ready.pid})" if ready else "")
        if fault is not None:
            self.warm.drop(now)  # there may be no room for both
            status, reason = not_started(what.argv, fault)
            outcome = Outcome(status, evidence=(reason,), command=shown, unstarted=True)
            self.ended(mirror, outcome, ())
            self._tell(mirror, outcome, group, number, now)
            return
        compares = what.kind is RunKind.COMPARISON
        apart = self.engine.apart(mirror, lost=sight.spare) if compares else NOTHING
        self._children[child.pid] = _Run(
            child, mirror, shown, what, wall, ready is not None, sight.spare, apart, group, number
        )

    def _tell(
        self, mirror: Mirror, outcome: Outcome, group: _Group | None, number: int, now: float
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
        for pid, run in list(self._children.items()):
            status = run.child.poll()
            if status is None:
                continue
            del self._children[pid]
            if run.warm and self._died_waiting(run, status, now):
                continue
            output, errors = run.child.output(), run.child.errors()
            rehearsing = run.what.kind is RunKind.REHEARSAL
            cut = len(errors) >= TAIL
            said = account(run.child.lines(), errors, places(run.mirror.pair), cut=cut)
            count = rehearsed if rehearsing else transferred
            # Of one that is no longer configured nobody wants to know how it differs.
            compared = run.what.kind is RunKind.COMPARISON and run.mirror in self.engine.mirrors
            apart = self._apart(run, said) if compared else None
            code = exit_status(status, errors)
            written = _homes(run)
            outcome = Outcome(
                code,
                transferred=count(output),
                evidence=evidence(errors),
                deletions=deletions(output) if rehearsing else (),
                overwrites=summary(overwritten(run.child.lines())) if rehearsing else EQUAL,
                drift=EQUAL if apart is None else self._drift(run, apart),
                apart=apart or NOTHING,
                command=run.shown,
                listed=run.what.listed,
                account=said,
                kept=staying(run.mirror.pair, said.kept),
                sent=_sent(run) if run.what.tells else frozenset(),
                cut=_cut(run, code, written),
                homes=written,
            )
            self.ended(run.mirror, outcome, run.child.lines())
            run.child.close()
            self._tell(run.mirror, outcome, run.group, run.number, now)
            if CROWDED in errors and not run.warm:
                self.warm.crowded(run.mirror, now)
            self._warm_up(run, status, now)

    def _died_waiting(self, run: _Run, status: int, now: float) -> bool:
        """Return whether a run was dead before it was told what to carry: then another carries it.

        Had it begun to, it would have said of which file, and may have left a part of that behind.
        If it is the node that is not well, the other will say so.
        """
        begun = run.child.output() or compares_contents(run.mirror.pair.node.extra)
        if status not in DEAD or begun or run.mirror.state is not State.RUNNING:
            return False
        log.debug("%s: what stood ready was dead (exit %d)", run.mirror.name, status)
        run.child.close()
        self.warm.refused(run.mirror, now)
        self.warm.failed(run.mirror, now)
        run.mirror.withdraw()
        return True

    def _warm_up(self, run: _Run, status: int, now: float) -> None:
        """Have the next run stand ready behind one that has carried something, and went well."""
        if status not in (0, PARTIAL, VANISHED):
            self.warm.failed(run.mirror, now)
        elif status == 0 and run.what.kind in _WARMING:
            if run.warm:
                self.warm.went_well(run.mirror)
            self.warm.want(run.mirror, now)

    def comparing(self) -> Mirror | None:
        """Return the mirror that is being compared, if one is."""
        kind = RunKind.COMPARISON
        return next((r.mirror for r in self._children.values() if r.what.kind is kind), None)

    def _apart(self, run: _Run, said: Account) -> Apart:
        """Return what a comparison has left out, when it began or now, or could not see."""
        unseen = {each.path: Left(each.cause.value, each.whole) for each in said.complaints}
        return run.apart | self.engine.apart(run.mirror, lost=run.lost) | Apart(unseen)

    def _drift(self, run: _Run, apart: Apart) -> Drift:
        """Return what a comparison has found; what changed since it began is no drift."""
        source = run.mirror.pair.source
        prefix = os.fsencode(source.prefix)
        keeps = run.mirror.pair.node.rdelete != "all"
        told = differences(run.child.lines())
        counted = (each for each in told if not (keeps and each.what == EXTRA))
        found = (
            each
            for each in itertools.islice(counted, MOST_DRIFT)
            if not changed(source, below(prefix, each.path), run.wall)
        )
        drifted = self.engine.drifted(run.mirror, found, apart)
        eopen = self.config.of(source).eopen
        return summary(each for each in drifted if eopen or not unclosed(source, each))

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

    def act(self, action: Terminate | Kill | Look, now: float) -> None:
        """End the run of a mirror, or look at it."""
        children = self._of(action.mirror)
        if isinstance(action, Terminate):
            for child in children:
                child.terminate()
        elif isinstance(action, Kill):
            for child in children:
                child.kill()
        elif children:
            said = tuple(line for child in children for line in evidence(child.errors()))
            amount = sum(child.activity() for child in children)
            self.engine.activity(action.mirror, amount, now, said=said)

    def kill(self) -> None:
        """End all for certain: the daemon itself ends."""
        for run in self._children.values():
            run.child.kill()
        self.warm.kill()


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
    step = run.what.step
    if isinstance(step, Relink):  # whose top is the directory itself
        return frozenset(os.path.join(step.new, name) for name in found)
    return frozenset(path for name in found if (path := below(prefix, name)) is not None)


def unclosed(source: Source, difference: Difference) -> bool:
    """Return whether a file differs that is open for writing: with ``eopen = 0`` it is not owed."""
    path = below(os.fsencode(source.prefix), difference.path)
    written = difference.what.startswith(("content", "times"))
    if path is None or not written or difference.path.endswith(b"/"):
        return False
    return Files(source).being_written(path)


def _homes(run: _Run) -> frozenset[bytes]:
    """Return the directories, relative to the source, that a run wrote into; none: any of them."""
    step = run.what.step
    if isinstance(step, Relink):  # all that is below is carried once more
        return frozenset((step.new,))
    return homes(run.what.names or (), os.fsencode(run.mirror.pair.source.prefix))


def _cut(run: _Run, code: int, written: Collection[bytes]) -> bool:
    """Return whether a run that has ended so may have left something half written."""
    if run.what.kind in (RunKind.REHEARSAL, RunKind.COMPARISON):
        return False
    # The lane for big files keeps in any case what has arrived of one that it could not finish.
    return cut_short(code) or (run.mirror.big and code == PARTIAL and bool(written))


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
