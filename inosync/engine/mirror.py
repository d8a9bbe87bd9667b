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
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inosync.changes.batch import Batch, merged
from inosync.config.model import Pair
from inosync.engine.ailing import due, next_at
from inosync.engine.backoff import Backoff
from inosync.engine.ledger import Ledger
from inosync.engine.passes import nothing
from inosync.engine.records import RESTING, Brake, Comparison, Failure, begun
from inosync.planning.slices import Course
from inosync.rsync.causes import Cause
from inosync.rsync.exits import Judgement, Verdict


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
class Mirror(Ledger):
    """One mirror, with its books; what is put ``aside`` there is tried again at ``retry_at``.

    What comes meanwhile goes before it. ``odd`` are pipes and sockets that runs pass over,
    ``ousted`` those of them that the next run deletes on the node. ``kept`` are directories that
    stay there, with what is in them that no run may delete; of those that have ``stayed`` once,
    the next run has to tell. With ``rbigsize`` there are two of a pair: the lane for the `big`
    files, and the one for all else, which makes the deletions for both. The records are replaced
    whole.
    """

    pair: Pair
    backoff: Backoff
    big: bool = False  # this is the lane for big files
    state: State = State.IDLE
    reason: str = ""  # why it lags, in words; "" while all is well
    retry_at: float | None = None
    rests_until: float | None = None  # when it may run again (rbigdelay; edelay = "auto")
    crowded: bool = False  # it rests since its run was kept out, and slices of a pass do so, too
    comparison: Comparison = field(default_factory=Comparison)
    brake: Brake = field(default_factory=Brake)
    odd: frozenset[bytes] = frozenset()
    kept: Mapping[bytes, bytes] = field(default_factory=dict)
    stayed: frozenset[bytes] = frozenset()

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
    def short(self) -> bool:
        """Whether its next run only names a few changes."""
        batch = None if self.sliced or self.big else self.pending
        return batch is not None and batch.brief and self.pair.node.rscope == "changes"

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
    def trial_at(self) -> float | None:
        """When it carries again what ails or may be late, if it has nothing else to do."""
        times = (next_at(self.ailing), self.late_at)
        known = (at for at in times if at is not None)
        return min(known, default=None) if self.state is State.IDLE else None

    def offer(self, batch: Batch, rest: Course | None = None) -> None:
        """Add a batch to what is owed; of a pass the `rest`, if some of it was made before."""
        super().offer(batch, rest)
        free = self.state is State.IDLE or (self.state is State.BACKOFF and self.aside)
        if free and self.waits:
            self.state = State.PENDING

    def narrow(self, now: float) -> None:
        """Give up what it owes without a name, which a walk over the source is about to find."""
        super().narrow(now)
        self.state = State.PENDING if self.waits else State.IDLE

    def fill(self) -> None:
        """Let the pass that is owed carry all that waits, and go first."""
        super().fill()
        if not self.waits:
            self.state = State.BACKOFF  # until what failed of the pass is tried again

    def start(
        self, now: float, *, check_after: float, rehearse: bool = False, lenient: bool = False
    ) -> Batch:
        """Go from pending to running with all that is owed; return it.

        ``check_after`` seconds from now somebody looks whether the run moves; 0: never. A run may
        have to `rehearse` first, to be followed by ``perform``.
        """
        if self.state is not State.PENDING or not self.waits:
            raise AssertionError(f"{self.name}: start while {self.state.value}")
        self.work = begun(now, check_after, rehearsing=rehearse, lenient=lenient, short=self.short)
        self.state = State.RUNNING
        if self.aside is None:
            self.retry_at = None
        totals, again = self.totals, self.backoff.failures > 0
        self.totals = replace(totals, runs=totals.runs + 1, retries=totals.retries + again)
        return self._load(now)

    def compare(self, now: float, *, check_after: float) -> None:
        """Go from idle to running with nothing to carry: find out what differs on the node."""
        if self.state is not State.IDLE:
            raise AssertionError(f"{self.name}: compare while {self.state.value}")
        self.state = State.RUNNING
        self.work = begun(now, check_after, comparing=True)

    def compare_ended(self) -> None:
        """The comparison is over, in whatever way: what came meanwhile goes on."""
        self.work = RESTING
        self.reason = ""
        self.state = State.PENDING if self.waits else State.IDLE

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
        stopped = self.state is State.STOPPING
        self.wary |= stopped and bool(self.work.steps)
        if judgement.verdict is Verdict.OK and not stopped:
            self.wary = False
            self.brake = Brake(approved=self.brake.approved and bool(self.work.remaining))
            if sure and (whole or not self.work.slicing):
                self.stale = self.ousted = frozenset()
            if whole:
                complete &= not self._doubt_aside()
            self._land(now, self.totals.last, whole=whole)
            self._went_well(now, complete=complete)
            return 0.0
        flight = self._unload(rests=partial and not stopped)
        self.work = RESTING
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

    def _went_well(self, now: float, *, complete: bool) -> None:
        flight, self.flight = self.flight, None
        work, self.work = self.work, RESTING
        if self.aside is not None:
            self.health = replace(self.health, succeeded=now)
            self.state = State.PENDING if self.waits else State.BACKOFF
            return
        self.backoff.reset()
        self.retry_at = None
        self.reason = ""
        # What is left of a pass may be owed as one run by now.
        rest = self.passing or (work.slicing and self.pending and self.pending.reason)
        sought = self.sought is not None and self.sought.by_time
        synced = self.health.synced or not (rest or sought)
        self.health = replace(self.health, synced=synced, succeeded=now)
        if complete:
            self.equal_at = work.moment or self.equal_at
            full = flight is not None and bool(flight.reason)
            self.health = replace(self.health, whole=self.health.whole or full)
            self._arrived(work)
        self.state = State.PENDING if self.waits else State.IDLE

    def _put_aside(self, flight: Batch | None, now: float) -> float:
        """Let what failed wait for its next try, and nothing else."""
        again = self.aside is not None
        self.aside = merged(self.aside, flight or nothing(now))
        if not again or self.retry_at is None or self.retry_at <= now:
            self.retry_at = now + self.backoff.failed()
        self.state = State.PENDING if self.waits else State.BACKOFF
        return max(0.0, self.retry_at - now)

    def hold(self, reason: str) -> None:
        """Keep what is owed until a person says go on: a rehearsal found too much."""
        self._take_back(self._unload())
        self.state = State.HELD
        self.reason = reason
        self.brake = replace(self.brake, limited=True)
        self.work = RESTING

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
        self.pending = merged(self._unload(), self.pending)
        self.state = State.PENDING
        self.work = RESTING
        self.totals = replace(self.totals, runs=self.totals.runs - 1)

    def end(self, reason: str, now: float, *, grace: float) -> None:
        """Note that the run is told to end, and is to be killed ``grace`` seconds later."""
        self.state = State.STOPPING
        self.reason = reason
        self.work = replace(self.work, kill_at=now + grace, check_at=None)

    def ready(self, now: float) -> None:
        """Go from backoff to pending, and end the rest, when the wait is over."""
        # Where something else waits at the end of each run, it is never in backoff.
        waits = self.state in (State.BACKOFF, State.PENDING)
        if waits and self.retry_at is not None and now >= self.retry_at:
            self._take_back()
            self.state = State.PENDING if self.waits else State.IDLE
            self.retry_at = None
        if self.state is State.IDLE and (trial := self._trial(now)) is not None:
            self.offer(trial)
        if self.state in (State.IDLE, State.PENDING):
            self.carry_late(now)
        if self.rests_until is not None and now >= self.rests_until:
            self.rests_until = None
            self.crowded = False

    def _trial(self, now: float) -> Batch | None:
        if not self.ailing:  # mostly, and it is asked of each mirror before each run
            return None
        return due(self.ailing, now, seen=self.pair.node.rdelete == "seen")

    def hurry(self) -> None:
        """No wait any more. What is held stays so."""
        self.backoff.reset()
        self.rests_until = None
        self.ailing = {path: replace(known, retry_at=0.0) for path, known in self.ailing.items()}
        if self.aside is not None and self.busy:
            self.retry_at = 0.0  # as soon as the run at work has ended, which does not carry it
        elif self.aside is not None:
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
        self.state = State.PENDING if self.waits else State.IDLE
