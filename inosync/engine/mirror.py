"""The state machine of one mirror: a source on a node, and what it still owes that node.

Pure: time is an argument in monotonic seconds. Knows batches and verdicts; knows neither processes
nor rsync's options.

    state     leaves by
    idle      a batch is offered                       -> pending
              a comparison is started                  -> running
    pending   started                                  -> running
    running   ended well                               -> idle, or pending when more came meanwhile
              ended with a failure that may pass       -> backoff, the batch merged back
              ended with one that a person must see    -> held, the batch merged back
              told to end                              -> stopping
              a comparison ended, in whatever way      -> idle, or pending when more came meanwhile
    stopping  ended, in whatever way                   -> backoff, the batch merged back
    backoff   its wait is over                         -> pending
    held      released by a person                     -> pending

A mirror of a source that is itself held stays pending: its source says why.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from inosync.changes.batch import Batch, merged
from inosync.config.model import Pair
from inosync.engine.backoff import Backoff
from inosync.engine.records import Brake, Comparison, Health, Sought, Totals, Work
from inosync.planning.order import Prepared
from inosync.planning.steps import Renew
from inosync.rsync.exits import Judgement, Verdict
from inosync.rsync.output import Transferred


class State(enum.Enum):
    """The words an operator reads."""

    IDLE = "idle"
    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    HELD = "held"


#: States in which a run exists.
BUSY = (State.RUNNING, State.STOPPING)


@dataclass(eq=False)  # each is itself, whatever it owes
class Mirror:
    """One mirror. ``pending`` waits, ``flight`` travels; neither is ever dropped.

    Batches are numbered as they are ``offered``: all up to ``carried`` are on the node, and all up
    to ``done`` with what else had changed. While that is ``sought`` it is not in sync. With
    ``rbigsize`` there are two of a pair: the lane for the `big` files, and the one for all else,
    which makes the deletions for both. The records are replaced whole.
    """

    pair: Pair
    backoff: Backoff
    big: bool = False  # this is the lane for big files
    state: State = State.IDLE
    pending: Batch | None = None
    flight: Batch | None = None
    beside: Batch | None = None  # the lane: what was carried beside its run, to be carried again
    reason: str = ""  # why it lags, in words; "" while all is well
    retry_at: float | None = None
    rests_until: float | None = None  # the lane: when it may run again (rbigdelay)
    offered: int = 0
    carried: int = 0
    sought: Sought | None = None
    stale: frozenset[bytes] = frozenset()  # what must not outlive the next run on the node
    wary: bool = False  # a step for a rename had to be ended: none until all is well
    work: Work = field(default_factory=Work)
    totals: Totals = field(default_factory=Totals)
    health: Health = field(default_factory=Health)
    comparison: Comparison = field(default_factory=Comparison)
    brake: Brake = field(default_factory=Brake)

    @property
    def name(self) -> str:
        """How messages call it."""
        lane = " (big files)" if self.big else ""
        return f"{self.pair.source.path} -> {self.pair.destination.shown}{lane}"

    @property
    def lane(self) -> str:
        """What programs call its lane: "big", or "" for the ordinary one."""
        return "big" if self.big else ""

    @property
    def busy(self) -> bool:
        """Whether a run exists."""
        return self.state in BUSY

    @property
    def since(self) -> float | None:
        """When the oldest change that is not on the node yet was seen, or None when in sync."""
        owed = (self.flight, self.pending, self.sought)
        return min((each.since for each in owed if each is not None), default=None)

    @property
    def done(self) -> int:
        """Up to which number all that was offered is on the node, and all that belongs to it."""
        return self.carried if self.sought is None else min(self.carried, self.sought.sure)

    def offer(self, batch: Batch) -> None:
        """Add a batch to what is owed."""
        self.offered += 1
        self.pending = merged(self.pending, batch)
        if self.state is State.IDLE:
            self.state = State.PENDING

    def seek(self, now: float, after: Batch | None = None) -> None:
        """Note that a walk over the source is to find what else has changed; then owe `after`."""
        sought = self.sought or Sought(now if self.since is None else self.since, self.carried, 0)
        after = merged(sought.after, after)
        self.sought = replace(sought, walks=sought.walks + 1, after=after)
        self.offered += 1

    def found(self, batch: Batch | None) -> None:
        """Add what such a walk has found to what is owed; None: nothing else."""
        assert self.sought is not None  # a walk answers those who asked
        self.sought = replace(self.sought, walks=self.sought.walks - 1)
        if batch is not None:
            self.offer(batch)
            self.sought = replace(self.sought, until=self.offered)
        elif self.pending is None and self.flight is not None:
            self.work = replace(self.work, carries=self.offered)
        elif self.pending is None:
            self.carried = self.offered
        self._end_search()

    def _end_search(self) -> None:
        sought = self.sought
        if sought is not None and not sought.walks and self.carried >= sought.until:
            self.sought = None
            if sought.after is not None:
                self.offer(sought.after)

    @property
    def thorough(self) -> bool:
        """Whether its run reads whole files to compare them, and may be silent for long."""
        return self.work.comparing or (self.flight is not None and self.flight.contents)

    def start(
        self, now: float, *, check_after: float, rehearse: bool = False, lenient: bool = False
    ) -> Batch:
        """Go from pending to running with all that is owed; return it.

        ``check_after`` seconds from now somebody looks whether the run moves; 0: never. A run may
        have to `rehearse` first, to be followed by ``perform``.
        """
        if self.state is not State.PENDING or self.pending is None:
            raise AssertionError(f"{self.name}: start while {self.state.value}")
        self.flight, self.pending = self.pending, None
        self.state = State.RUNNING
        self.retry_at = None
        self.work = Work(
            started=now,
            active_at=now,
            check_at=now + check_after if check_after else None,
            rehearsing=rehearse,
            lenient=lenient,
            carries=self.offered,
        )
        totals, again = self.totals, self.backoff.failures > 0
        self.totals = replace(totals, runs=totals.runs + 1, retries=totals.retries + again)
        return self.flight

    def compare(self, now: float, *, check_after: float) -> None:
        """Go from idle to running with nothing to carry: find out what differs on the node."""
        if self.state is not State.IDLE:
            raise AssertionError(f"{self.name}: compare while {self.state.value}")
        self.state = State.RUNNING
        check_at = now + check_after if check_after else None
        self.work = Work(started=now, active_at=now, check_at=check_at, comparing=True)

    def compare_ended(self) -> None:
        """The comparison is over, in whatever way: what came meanwhile goes on."""
        self.work = Work()
        self.reason = ""
        self.state = State.PENDING if self.pending else State.IDLE

    def ended(
        self, judgement: Judgement, now: float, *, complete: bool = True, sure: bool = True
    ) -> float:
        """Take the end of the run; return the seconds until the next try (0: none is due).

        Not `complete`: it went well, and what it carried has to travel once more all the same. Not
        `sure`: what was to be deleted may still be there.
        """
        flight, self.flight = self.flight, None
        work, self.work = self.work, Work()
        stopped = self.state is State.STOPPING
        self.wary |= stopped and bool(work.steps)
        if judgement.verdict is Verdict.OK and not stopped:
            self.backoff.reset()
            self.reason = ""
            self.health = replace(self.health, synced=True, succeeded=now)
            if complete:
                self.carried = work.carries
                full = flight is not None and bool(flight.reason)
                self.health = replace(self.health, whole=self.health.whole or full)
                self._end_search()
            self.brake = Brake()
            self.wary = False
            if sure:
                self.stale = frozenset()
            self.state = State.PENDING if self.pending else State.IDLE
            return 0.0
        self.pending = merged(flight, self.pending)
        self.totals = replace(self.totals, failures=self.totals.failures + 1)
        if not stopped:
            self.reason = judgement.meaning
        if judgement.verdict is Verdict.HOLD:
            self.state = State.HELD
            return 0.0
        wait = self.backoff.failed(slowly=judgement.verdict is Verdict.SLOW)
        self.state = State.BACKOFF
        self.retry_at = now + wait
        return wait

    def moved(self, amount: Transferred, *, last: bool = True) -> None:
        """Count what a run has moved; not the `last`: another of the same flight follows."""
        total = self.totals.moved + amount
        self.totals = replace(self.totals, moved=total, last=amount if last else self.totals.last)

    def decide(self, what: Prepared) -> None:
        """Take note of what was decided for the run that begins now."""
        self.work = replace(self.work, steps=what.steps, hid=what.hid)
        self.stale |= what.gone

    def stepped(self, *, well: bool) -> None:
        """The first step has ended; when not `well`, the others are left out."""
        steps = self.work.steps
        if well and steps and isinstance(steps[0], Renew):
            self.stale -= steps[0].paths
        self.work = replace(self.work, steps=steps[1:] if steps and well else ())

    def perform(self, now: float, *, check_after: float) -> Batch:
        """Go on from what went before to the run itself, or the next step; return what it carries.

        That is after a rehearsal that went well, or after a step.
        """
        if self.flight is None:
            raise AssertionError(f"{self.name}: perform without a flight")
        check_at = now + check_after if check_after else None
        self.work = replace(
            self.work, rehearsing=False, active_at=now, activity=None, check_at=check_at
        )
        return self.flight

    def hold(self, reason: str) -> None:
        """Keep what is owed until a person says go on: a rehearsal found too much to delete."""
        self.pending, self.flight = merged(self.flight, self.pending), None
        self.state = State.HELD
        self.reason = reason
        self.brake = replace(self.brake, limited=True)
        self.work = Work()

    def withdraw(self) -> None:
        """Undo a start that was not carried out: the batch is owed again, nothing is counted."""
        if self.work.comparing:
            self.compare_ended()
            return
        self.pending, self.flight = merged(self.flight, self.pending), None
        self.state = State.PENDING
        self.work = Work()
        self.totals = replace(self.totals, runs=self.totals.runs - 1)

    def end(self, reason: str, now: float, *, grace: float) -> None:
        """Note that the run is told to end, and is to be killed ``grace`` seconds later."""
        self.state = State.STOPPING
        self.reason = reason
        self.work = replace(self.work, kill_at=now + grace, check_at=None)

    def ready(self, now: float) -> None:
        """Go from backoff to pending, and end the rest, when the wait is over."""
        if self.state is State.BACKOFF and self.retry_at is not None and now >= self.retry_at:
            self.state = State.PENDING
            self.retry_at = None
        if self.rests_until is not None and now >= self.rests_until:
            self.rests_until = None

    def hurry(self) -> None:
        """No wait any more. What is held stays so."""
        self.backoff.reset()
        self.rests_until = None
        if self.state is State.BACKOFF:
            self._free()

    def release(self, *, approve: bool = False) -> None:
        """No hold and no wait any more; with `approve`, what it was held for may happen once."""
        self.hurry()
        if self.state is State.HELD:
            self.brake = replace(self.brake, approved=self.brake.approved or approve)
            self._free()

    def _free(self) -> None:
        self.retry_at = None
        self.reason = ""
        self.brake = replace(self.brake, limited=False)
        self.state = State.PENDING if self.pending else State.IDLE
