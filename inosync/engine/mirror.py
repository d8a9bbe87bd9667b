"""The state machine of one mirror: a source on a node, and what it still owes that node.

Pure: time is an argument in monotonic seconds. Knows batches and verdicts; knows neither processes
nor rsync's options.

    state     leaves by
    idle      a batch is offered                       -> pending
              a comparison is started                  -> running
    pending   started                                  -> running
              what it owes is looked for by time       -> idle, or pending when it is found
    running   ended well                               -> idle, or pending when more came meanwhile
              ended with a failure that may pass       -> backoff, the batch merged back
              ended so for unnamed paths of its batch  -> backoff, or pending when more came
              ended with one that a person must see    -> held, the batch merged back
              told to end                              -> stopping
              a comparison ended, in whatever way      -> idle, or pending when more came meanwhile
    stopping  ended, in whatever way                   -> backoff, the batch merged back
    backoff   its wait is over                         -> pending
              the batch that failed is put aside, and
              another one is offered: it goes alone    -> pending
    held      released by a person                     -> pending
              its target on this machine is back       -> pending
    any       its target is not what it was            -> held, once no run exists

A mirror of a source that is itself held stays pending: its source says why.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inosync.changes.batch import Batch, merged
from inosync.changes.changes import Changes
from inosync.changes.doubts import NO_DOUBTS
from inosync.config.model import Pair
from inosync.engine.ailing import Table, due, next_at
from inosync.engine.backoff import Backoff
from inosync.engine.records import Brake, Comparison, Failure, Health, Sought, Totals, Work
from inosync.planning.order import Moment, Prepared
from inosync.planning.steps import Renew
from inosync.rsync.causes import Cause
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

    ``aside`` failed for paths that nobody named and waits for ``retry_at``; what comes meanwhile
    goes before it. ``ailing`` are the paths that runs named as not carried. ``odd`` are pipes and
    sockets that runs pass over, ``ousted`` those of them that the next run deletes on the node.
    ``kept`` are directories that stay there, with what is in them that no run may delete.
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
    aside: Batch | None = None
    beside: Batch | None = None  # the lane: what was carried beside its run, to be carried again
    reason: str = ""  # why it lags, in words; "" while all is well
    retry_at: float | None = None
    rests_until: float | None = None  # the lane: when it may run again (rbigdelay)
    offered: int = 0
    carried: int = 0
    sought: Sought | None = None
    stale: frozenset[bytes] = frozenset()  # what must not outlive the next run on the node
    wary: bool = False  # a step for a rename had to be ended: none until all is well
    equal_at: Moment | None = None  # all that had changed by then is on the node
    work: Work = field(default_factory=Work)
    totals: Totals = field(default_factory=Totals)
    health: Health = field(default_factory=Health)
    comparison: Comparison = field(default_factory=Comparison)
    brake: Brake = field(default_factory=Brake)
    ailing: Table = field(default_factory=dict)
    odd: frozenset[bytes] = frozenset()
    ousted: frozenset[bytes] = frozenset()
    kept: Mapping[bytes, bytes] = field(default_factory=dict)

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
        owed = [batch.since for batch in self.owing]
        owed += [self.sought.since] if self.sought is not None else []
        since = min(owed, default=math.inf)
        return None if math.isinf(since) else since

    @property
    def done(self) -> int:
        """Up to which number all that was offered is on the node, and all that belongs to it."""
        return self.carried if self.sought is None else min(self.carried, self.sought.sure)

    @property
    def failing(self) -> Failure | None:
        """The failure for which it waits, if it does."""
        waits = self.state is State.BACKOFF or self.aside is not None
        return self.health.failure if waits else None

    @property
    def short_of_room(self) -> bool:
        """Whether anything waits for room on the node."""
        if self.failing is not None and self.failing.room:
            return True
        return any(known.complaint.cause is Cause.ROOM for known in self.ailing.values())

    @property
    def owing(self) -> tuple[Batch, ...]:
        """What is not on the node, as far as it is known."""
        return tuple(batch for batch in (self.aside, self.flight, self.pending) if batch)

    @property
    def trial_at(self) -> float | None:
        """When it tries its ailing paths again, if it has nothing else to do."""
        return next_at(self.ailing) if self.state is State.IDLE else None

    def offer(self, batch: Batch) -> None:
        """Add a batch to what is owed."""
        self.offered += 1
        self.pending = merged(self.pending, batch)
        if self.state is State.IDLE or (self.state is State.BACKOFF and self.aside):
            self.state = State.PENDING

    def seek(self, now: float, after: Batch | None = None) -> None:
        """Note that a walk over the source is to find what else has changed; then owe `after`."""
        sought = self.sought or Sought(now if self.since is None else self.since, self.carried, 0)
        after = merged(sought.after, after)
        self.sought = replace(sought, walks=sought.walks + 1, after=after)
        self.offered += 1

    def narrow(self, now: float) -> None:
        """Give up what it owes without a name, which a walk over the source is about to find."""
        self.seek(now)
        self.pending, self.state = None, State.IDLE

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
        contents = self.flight is not None and self.flight.contents
        return self.work.comparing or self.work.ran is not None or contents

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
        if self.aside is None:
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
        self,
        judgement: Judgement,
        now: float,
        *,
        complete: bool = True,
        sure: bool = True,
        whole: bool = False,
        partial: bool = False,
    ) -> float:
        """Take the end of the run; return the seconds until the next try (0: none is due).

        Not `complete`: it went well, and what it carried has to travel once more all the same. Not
        `sure`: what was to be deleted may still be there. `whole`: it was a pass. `partial`: it
        failed for some paths only, and others need not wait for them.
        """
        flight, self.flight = self.flight, None
        work, self.work = self.work, Work()
        stopped = self.state is State.STOPPING
        self.wary |= stopped and bool(work.steps)
        if judgement.verdict is Verdict.OK and not stopped:
            self.wary = False
            self.brake = Brake()
            if sure:
                self.stale = self.ousted = frozenset()
            if whole:
                complete &= not self._doubt_aside()
            self._went_well(work, flight, now, complete=complete)
            return 0.0
        self.totals = replace(self.totals, failures=self.totals.failures + 1)
        if not stopped:
            self.reason = judgement.meaning
        if partial and not stopped:
            return self._put_aside(flight, now)
        self._take_back(flight)
        self.retry_at = None
        if judgement.verdict is Verdict.HOLD:
            self.state = State.HELD
            return 0.0
        wait = self.backoff.failed(slowly=judgement.verdict is Verdict.SLOW)
        self.state = State.BACKOFF
        self.retry_at = now + wait
        return wait

    def _went_well(self, work: Work, flight: Batch | None, now: float, *, complete: bool) -> None:
        if self.aside is not None:
            self.health = replace(self.health, succeeded=now)
            self.state = State.PENDING if self.pending else State.BACKOFF
            return
        self.backoff.reset()
        self.retry_at = None
        self.reason = ""
        self.health = replace(self.health, synced=True, succeeded=now)
        if complete:
            self.carried = work.carries
            self.equal_at = work.moment or self.equal_at
            full = flight is not None and bool(flight.reason)
            self.health = replace(self.health, whole=self.health.whole or full)
            self._end_search()
        self.state = State.PENDING if self.pending else State.IDLE

    def _doubt_aside(self) -> bool:
        """A pass has carried what was put aside; return whether it may have passed over some."""
        aside, self.aside = self.aside, None
        doubts = aside.nameless().doubts if aside is not None else NO_DOUBTS
        if aside is not None and doubts:
            self.offer(Batch(aside.since, 0, changes=Changes(), doubts=doubts))
        return bool(doubts)

    def _put_aside(self, flight: Batch | None, now: float) -> float:
        """Let what failed wait for its next try, and nothing else."""
        again, self.aside = self.aside is not None, merged(self.aside, flight)
        if not again or self.retry_at is None:
            self.retry_at = now + self.backoff.failed()
        self.state = State.PENDING if self.pending else State.BACKOFF
        return max(0.0, self.retry_at - now)

    def _take_back(self, flight: Batch | None = None) -> None:
        """Let all that is not on the node be carried by the next run."""
        self.pending = merged(merged(self.aside, flight), self.pending)
        self.aside = None

    def moved(self, amount: Transferred, *, last: bool = True) -> None:
        """Count what a run has moved; not the `last`: another of the same flight follows."""
        total, before = self.totals.moved + amount, self.work.ran
        whole = amount + before.moved if before is not None else amount
        self.totals = replace(self.totals, moved=total, last=whole if last else self.totals.last)

    def decide(self, what: Prepared, *, all_told: bool = False) -> None:
        """Take note of what was decided for the run that begins now.

        ``all_told``: what its source was heard to change is in what it carries.
        """
        work = self.work
        moment = (what.moment if all_told else None) if not work.decided else work.moment
        follows = work.ran is not None  # what the run itself kept back and left out counts
        self.work = replace(
            work,
            steps=what.steps,
            hid=what.hid or (follows and work.hid),
            left=what.left | work.left if follows else what.left,
            candidates=what.candidates,
            doubts=what.doubts,
            moment=moment,
            decided=True,
        )
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
        flight, self.flight = self.flight, None
        self._take_back(flight)
        self.state = State.HELD
        self.reason = reason
        self.brake = replace(self.brake, limited=True)
        self.work = Work()

    def bar(self, reason: str) -> None:
        """Keep what is owed until its target is back, or a person says go on; nothing runs."""
        self._take_back()
        self.retry_at = None
        self.state = State.HELD
        self.reason = reason

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
            self._take_back()
            self.state = State.PENDING
            self.retry_at = None
        if self.state is State.IDLE and (trial := due(self.ailing, now)) is not None:
            self.offer(trial)
        if self.rests_until is not None and now >= self.rests_until:
            self.rests_until = None

    def hurry(self) -> None:
        """No wait any more. What is held stays so."""
        self.backoff.reset()
        self.rests_until = None
        self.ailing = {path: replace(known, retry_at=0.0) for path, known in self.ailing.items()}
        if self.aside is not None:
            self._take_back()
            self.retry_at = None
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
