"""The state machine of one mirror: a source on a node, and what it still owes that node.

Pure: time is an argument in monotonic seconds. Knows batches and verdicts; knows neither processes
nor rsync's options.

    state     leaves by
    idle      a batch is offered                       -> pending
    pending   started                                  -> running
    running   ended well                               -> idle, or pending when more came meanwhile
              ended with a failure that may pass       -> backoff, the batch merged back
              ended with one that a person must see    -> held, the batch merged back
              told to end                              -> stopping
    stopping  ended, in whatever way                   -> backoff, the batch merged back
    backoff   its wait is over                         -> pending
    held      released by a person                     -> pending

A mirror of a source that is itself held stays pending: its source says why.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from inosync.backoff import Backoff
from inosync.changes import Batch, merged
from inosync.config import Pair
from inosync.rsync import Judgement, Transferred, Verdict


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


@dataclass
class Mirror:
    """One mirror. ``pending`` waits, ``flight`` travels; neither is ever dropped."""

    pair: Pair
    backoff: Backoff
    state: State = State.IDLE
    pending: Batch | None = None
    flight: Batch | None = None
    reason: str = ""  # why it lags, in words; "" while all is well
    retry_at: float | None = None
    kill_at: float | None = None  # a run that was told to end is killed then
    check_at: float | None = None  # when to look whether the run still moves
    activity: int | None = None  # what that look saw last
    active_at: float = 0.0  # when it last moved
    started: float | None = None
    synced: bool = False  # has been in sync at least once
    runs: int = 0
    failures: int = 0
    retries: int = 0
    rehearsing: bool = False  # the run only asks what it would delete
    approved: bool = False  # a person said go on: the next run deletes what it must
    last: Transferred = field(default_factory=Transferred)

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.pair.source.path} -> {self.pair.destination.shown}"

    @property
    def busy(self) -> bool:
        """Whether a run exists."""
        return self.state in BUSY

    @property
    def since(self) -> float | None:
        """When the oldest change that is not on the node yet was seen, or None when in sync."""
        owed = merged(self.flight, self.pending)
        return owed.since if owed else None

    def offer(self, batch: Batch) -> None:
        """Add a batch to what is owed."""
        self.pending = merged(self.pending, batch)
        if self.state is State.IDLE:
            self.state = State.PENDING

    def start(self, now: float, *, check_after: float, rehearse: bool = False) -> Batch:
        """Go from pending to running with all that is owed; return it.

        ``check_after`` seconds from now somebody looks whether the run moves; 0: never. A run may
        have to `rehearse` first, to be followed by ``perform``.
        """
        if self.state is not State.PENDING or self.pending is None:
            raise AssertionError(f"{self.name}: start while {self.state.value}")
        self.flight, self.pending = self.pending, None
        self.state = State.RUNNING
        self.rehearsing = rehearse
        self.started = self.active_at = now
        self.activity = None
        self.check_at = now + check_after if check_after else None
        self.retry_at = None
        self.runs += 1
        if self.backoff.failures:
            self.retries += 1
        return self.flight

    def ended(self, judgement: Judgement, now: float) -> float:
        """Take the end of the run; return the seconds until the next try (0: none is due)."""
        flight, self.flight = self.flight, None
        stopped = self.state is State.STOPPING
        self.rehearsing = False
        self.started = self.kill_at = self.check_at = None
        if judgement.verdict is Verdict.OK and not stopped:
            self.backoff.reset()
            self.reason = ""
            self.synced = True
            self.approved = False
            self.state = State.PENDING if self.pending else State.IDLE
            return 0.0
        self.pending = merged(flight, self.pending)
        self.failures += 1
        if not stopped:
            self.reason = judgement.meaning
        if judgement.verdict is Verdict.HOLD:
            self.state = State.HELD
            return 0.0
        wait = self.backoff.failed(slowly=judgement.verdict is Verdict.SLOW)
        self.state = State.BACKOFF
        self.retry_at = now + wait
        return wait

    def perform(self, now: float, *, check_after: float) -> Batch:
        """Go on from a rehearsal that went well to the run itself; return what it carries."""
        if self.flight is None:
            raise AssertionError(f"{self.name}: perform without a rehearsal")
        self.rehearsing = False
        self.active_at = now
        self.activity = None
        self.check_at = now + check_after if check_after else None
        return self.flight

    def hold(self, reason: str) -> None:
        """Keep what is owed until a person says go on."""
        self.pending, self.flight = merged(self.flight, self.pending), None
        self.state = State.HELD
        self.reason = reason
        self.rehearsing = False
        self.started = self.kill_at = self.check_at = None

    def withdraw(self) -> None:
        """Undo a start that was not carried out: the batch is owed again, nothing is counted."""
        self.pending, self.flight = merged(self.flight, self.pending), None
        self.state = State.PENDING
        self.started = self.check_at = None
        self.runs -= 1

    def end(self, reason: str, now: float, *, grace: float) -> None:
        """Note that the run is told to end, and is to be killed ``grace`` seconds later."""
        self.state = State.STOPPING
        self.reason = reason
        self.kill_at = now + grace
        self.check_at = None

    def ready(self, now: float) -> None:
        """Go from backoff to pending when the wait is over."""
        if self.state is State.BACKOFF and self.retry_at is not None and now >= self.retry_at:
            self.state = State.PENDING
            self.retry_at = None

    def release(self, *, approve: bool = False) -> None:
        """No hold and no wait any more; with `approve`, what it was held for may happen once."""
        self.backoff.reset()
        self.approved |= approve and self.state is State.HELD
        if self.state in (State.BACKOFF, State.HELD):
            self.retry_at = None
            self.reason = ""
            self.state = State.PENDING if self.pending else State.IDLE
