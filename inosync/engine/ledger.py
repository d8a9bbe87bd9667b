"""What a mirror owes its node: batches by number, what is looked for, what was put aside.

Pure: time is an argument in monotonic seconds. Knows batches; which state the mirror is in is the
business of mirror.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from inosync.changes.batch import Batch, full_pass, merged
from inosync.changes.changes import Changes
from inosync.changes.doubts import NO_DOUBTS
from inosync.engine.ailing import Table, ailing_piece
from inosync.engine.passes import Pass, demand, nothing
from inosync.engine.records import Health, Late, Sought, Totals, Work
from inosync.planning.order import Moment, Prepared, RunKind
from inosync.planning.slices import Course
from inosync.planning.steps import Renew
from inosync.rsync.output import Transferred

#: So many changes wait beside a pass that has not begun. What is more is left to that pass.
MOST_BESIDE = 2_000

#: Why a pass is made where nobody knows by name what may have come late.
LATE = "a run that was cut short may have gone on"


@dataclass(eq=False, kw_only=True)
class Ledger:
    """The books of a mirror. ``pending`` waits, ``flight`` travels; neither is ever dropped.

    ``aside`` failed for paths that nobody named and waits for its next try. Batches are numbered as
    they are ``offered``: all up to ``carried`` are on the node, and all up to ``done`` with what
    else had changed. While that is ``sought`` it is not in sync. ``work`` is the run that is on its
    way with the flight. What demands a pass does not wait with the others: it is ``passing``, a row
    of slices. If it is ``uncut``, for this reason, it is one run like all others. ``ailing`` are
    the paths that runs named as not carried. What may be ``late`` is still on its way from runs
    that were cut short, and may undo what has been carried since.
    """

    pending: Batch | None = None
    flight: Batch | None = None
    aside: Batch | None = None
    beside: Batch | None = None  # the lane: what was carried beside its run, to be carried again
    offered: int = 0
    last: tuple[bytes, ...] = ()  # paths that were offered last
    carried: int = 0
    sought: Sought | None = None
    passing: Pass | None = None
    uncut: str = "nothing is known of its options"
    work: Work = field(default_factory=Work)
    stale: frozenset[bytes] = frozenset()  # what must not outlive the next run on the node
    wary: bool = False  # a step for a rename had to be ended: none until all is well
    day: str = ""  # the last one of which it is known that the node has a folder for it (rkeep)
    ousted: frozenset[bytes] = frozenset()  # pipes and sockets that it deletes there
    equal_at: Moment | None = None  # all that had changed by then is on the node
    hidden_at: Moment | None = None  # as it was, of what rules or options have left out since
    health: Health = field(default_factory=Health)
    totals: Totals = field(default_factory=Totals)
    ailing: Table = field(default_factory=dict)
    late: Late | None = None

    @property
    def owing(self) -> tuple[Batch, ...]:
        """What is not on the node, as far as it is known."""
        return tuple(batch for batch in (self.aside, self.flight, self.pending) if batch)

    @property
    def since(self) -> float | None:
        """When the oldest change that is not on the node yet was seen, or None when in sync."""
        owed = [batch.since for batch in self.owing]
        owed += [self.sought.since] if self.sought is not None else []
        owed += [self.passing.since] if self.passing is not None else []
        owed += [self.late.since] if self.late is not None else []
        since = min(owed, default=math.inf)
        return None if math.isinf(since) else since

    @property
    def done(self) -> int:
        """Up to which number all that was offered is on the node, and all that belongs to it."""
        done = self.carried if self.sought is None else min(self.carried, self.sought.sure)
        done = done if self.late is None else min(done, self.late.sure)
        return done if self.passing is None else min(done, self.passing.first - 1)

    @property
    def late_at(self) -> float | None:
        """When what may be late is to be carried once more; None: nothing has to wait for that."""
        return self.late.at if self.late is not None and not self.late.until else None

    @property
    def waits(self) -> bool:
        """Whether there is anything that may run now."""
        return self.pending is not None or (self.passing is not None and not self.passing.rests)

    @property
    def sliced(self) -> bool:
        """Whether what is to go next is of its pass. What has changed goes first.

        But between two runs for that there is at least one slice.
        """
        passing, first = self.passing, self.pending or self.stale or self.ousted
        return passing is not None and not passing.rests and (passing.turn or not first)

    @property
    def filling(self) -> bool:
        """Whether the node lacks more than what is known by name."""
        passing = self.passing
        return passing is not None and (bool(passing.batch.doubts) or not self.health.whole)

    def offer(self, batch: Batch, rest: Course | None = None) -> None:
        """Add a batch to what is owed; of a pass the `rest`, if some of it was made before."""
        self.offered += 1
        if batch.changes:
            self.last = batch.changes.last
        if batch.gone and self.late is not None and not self.late.until:  # it may come back
            self.late = replace(self.late, batch=self.late.batch.with_gone(batch.gone))
        if batch.reason and not self.uncut:
            self._demand(batch, rest)
        else:
            self.pending = merged(self.pending, batch)
            waits = self.passing is not None and self.passing.began is None
            if waits and self.pending is not None and self.pending.count > MOST_BESIDE:
                self.widen()

    def _demand(self, batch: Batch, rest: Course | None = None, *, number: int = 0) -> None:
        """Owe a pass, of which all counts from this number on that was offered; 0: the last."""
        if (vanished := batch.vanished()) is not None:  # slices do not delete that
            self.pending = merged(self.pending, vanished)
            batch = replace(batch, gone=frozenset())
        fresh, number = batch.contents or not self.health.whole, number or self.offered
        if self.passing is None:
            self.passing = demand(batch, number, fresh=fresh, rest=rest)
        else:
            self.passing = self.passing.demanded(batch, number, fresh=fresh)

    def carry_late(self, now: float) -> None:
        """Owe what may have been late, when all of it has come."""
        if self.late is not None and not self.late.until and now >= self.late.at:
            self.offer(self.late.batch)
            self.late = replace(self.late, until=self.offered)

    def widen(self) -> None:
        """Owe a pass for what waits and has no name."""
        pending, self.pending = self.pending, None
        if pending is not None and not pending.empty:
            self._demand(pending.nameless(), number=self.carried + 1)

    def fill(self) -> None:
        """Let the pass that is owed carry all that waits, and go first."""
        if self.passing is not None:
            self.widen()
            self.passing = replace(self.passing, turn=True)

    def divide(self, uncut: str, *, anew: bool) -> None:
        """Go on with passes that are `uncut` for this reason, or in slices; `anew` with one."""
        self.uncut = uncut
        if self.passing is not None and uncut:
            before = self.passing.first - 1
            self.carried = min(self.carried, before)
            self.work = replace(self.work, carries=min(self.work.carries, before))
            for batch in self.passing.batches:
                self.pending = merged(self.pending, batch)
            self.passing = None
        elif self.passing is not None and anew:
            flying = self.flight is not None and self.work.slicing
            self.passing = self.passing.anew(flying=flying)

    def _load(self, now: float) -> Batch:
        """Let what is to go next be the flight; return it."""
        passing = self.passing
        if passing is not None and self.sliced:
            slicing, flight = True, passing.flight()
            self.passing = passing.begun(now)
        else:
            slicing, flight = False, self.pending or nothing(now)
            self.pending = None
            if passing is not None:
                self.passing = replace(passing, turn=True)
        behind = slicing and (self.pending is not None or self.aside is not None)
        self.flight = flight
        self.work = replace(
            self.work, slicing=slicing, carries=self.carried if behind else self.offered
        )
        return flight

    def _unload(self, *, rests: bool = False) -> Batch | None:
        """Return what flew and is to be owed again. A slice is owed by its pass."""
        flight, self.flight = self.flight, None
        if not self.work.slicing:
            return flight
        if self.passing is not None:
            self.passing = self.passing.failed(rests=rests)
        return None

    def _land(self, now: float, moved: Transferred, *, whole: bool) -> None:
        """Take note that a run went well: a whole one leaves nothing of a pass."""
        passing, started = self.passing, self.work.started
        if passing is None or not (whole or self.work.slicing):
            return
        took = now - (started if started is not None else now)
        over = whole or passing.last
        # One that was demanded when the run had begun has its turn to come.
        if whole and not (self.work.slicing or passing.turn):
            return
        self.passing = passing.after if whole else passing.landed(took, moved)
        if over:
            self.health = replace(self.health, whole=True)

    def seek(
        self,
        now: float,
        after: Batch | None = None,
        rest: Course | None = None,
        *,
        by_time: bool = False,
        cut: bool = False,
    ) -> None:
        """Note that a walk over the source is to find what else has changed; then owe `after`.

        Of that pass the `rest`, if some of it was made before. ``by_time`` and `cut`: see Sought.
        """
        sought = self.sought or Sought(now if self.since is None else self.since, self.carried, 0)
        rest = rest if after is not None else sought.rest
        after = merged(sought.after, after)
        walks, by_time, cut = sought.walks + 1, sought.by_time or by_time, sought.cut or cut
        self.sought = replace(sought, walks=walks, after=after, rest=rest, by_time=by_time, cut=cut)
        self.offered += 1

    def narrow(self, now: float) -> None:
        """Give up what it owes without a name, which a walk over the source is about to find."""
        late = self.late is not None and self.late.until  # no time tells what that is
        self.seek(now, full_pass(LATE, now) if late else None, by_time=True)
        self.pending = self.pending.vanished() if self.pending is not None else None

    def found(self, batch: Batch | None, *, beside: bool = False) -> None:
        """Add what a walk over the source has found to what is owed; None: nothing else.

        Something was carried `beside` the lane, and has to travel once more.
        """
        assert self.sought is not None  # a walk answers those who asked
        self.sought = replace(self.sought, walks=self.sought.walks - 1)
        if batch is not None:
            self.offer(batch)
            self.sought = replace(self.sought, until=self.offered)
        elif self.pending is None and self.flight is not None:
            self.work = replace(self.work, carries=self.offered)
        elif self.pending is None and self.aside is None and not beside:
            self.carried = self.offered
        self._end_search()

    def _end_search(self) -> None:
        sought = self.sought
        if sought is not None and not sought.walks and self.carried >= sought.until:
            self.sought = None
            if not (self.owing or self.passing or sought.rest):
                self.health = replace(self.health, synced=True)
            if sought.after is not None:
                self.offer(sought.after, sought.rest)

    def decide(self, what: Prepared, *, all_told: bool = False) -> None:
        """Take note of what was decided for the run that begins now.

        ``all_told``: the run carries every change that was heard of its source.
        """
        if self.passing is not None:
            if what.kind is RunKind.SLICE and self.flight is not None:
                self.passing = self.passing.cut(what)
                self.flight = self.passing.carries(self.flight)
            last = self.passing.last or what.kind is RunKind.PASS
            all_told &= self.work.slicing and last and self.passing.after is None
        self.work = self.work.after(what, all_told=all_told)
        self.stale |= what.gone

    def stepped(self, *, well: bool) -> None:
        """The first step has ended; when not `well`, the others are left out."""
        steps = self.work.steps
        if well and steps and isinstance(steps[0], Renew):
            self.stale -= steps[0].paths
        self.work = replace(self.work, steps=steps[1:] if steps and well else ())

    def moved(self, amount: Transferred, *, last: bool = True) -> None:
        """Count what a run has moved; not the `last`: another of the same flight follows."""
        total, before = self.totals.moved + amount, self.work.ran
        whole = amount + before.moved if before is not None else amount
        self.totals = replace(self.totals, moved=total, last=whole if last else self.totals.last)

    def perform(self, now: float, *, check_after: float) -> Batch:
        """Go on from what went before to the run itself, or the next step; return what it carries.

        That is after a rehearsal that went well, or after a step.
        """
        if self.flight is None:
            raise AssertionError("perform without a flight")
        self.work = self.work.going_on(now, check_after)
        return self.flight

    @property
    def rest(self) -> Course | None:
        """What another daemon has to make of the pass under way; None: that is not known."""
        rest = self.passing.rest if self.passing is not None else None
        if rest is None or self.stale or self.ousted or self.aside:
            return None
        return rest.with_pieces([ailing_piece(self.ailing)]) if self.ailing else rest

    def _arrived(self, work: Work) -> None:
        """All that a run was to carry is on the node."""
        self.carried = work.carries
        if self.late is not None and 0 < self.late.until <= self.carried:
            self.late = None
        self._end_search()

    def _take_back(self, flight: Batch | None = None) -> None:
        """Let all that is not on the node be carried by the next run."""
        pending = merged(merged(self.aside, flight), self.pending)
        self.pending = pending if pending is not None and not pending.empty else None
        self.aside = None
        if self.passing is not None:
            self.passing = replace(self.passing, rests=False)

    def _doubt_aside(self) -> bool:
        """A pass has carried what was put aside; return whether it may have passed over some."""
        aside, self.aside = self.aside, None
        doubts = aside.nameless().doubts if aside is not None else NO_DOUBTS
        if aside is not None and doubts:
            self.offer(Batch(aside.since, 0, changes=Changes(), doubts=doubts))
        return bool(doubts)
