"""What a mirror owes its node: batches by number, what is looked for, what was put aside.

Pure: time is an argument in monotonic seconds. Knows batches; which state the mirror is in is the
business of mirror.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from inosync.changes.batch import Batch, merged
from inosync.changes.changes import Changes
from inosync.changes.doubts import NO_DOUBTS
from inosync.engine.records import Sought, Work
from inosync.planning.order import Moment, Prepared
from inosync.planning.steps import Renew


@dataclass(eq=False, kw_only=True)
class Ledger:
    """The books of a mirror. ``pending`` waits, ``flight`` travels; neither is ever dropped.

    ``aside`` failed for paths that nobody named and waits for its next try. Batches are numbered as
    they are ``offered``: all up to ``carried`` are on the node, and all up to ``done`` with what
    else had changed. While that is ``sought`` it is not in sync. ``work`` is the run that is on its
    way with the flight.
    """

    pending: Batch | None = None
    flight: Batch | None = None
    aside: Batch | None = None
    beside: Batch | None = None  # the lane: what was carried beside its run, to be carried again
    offered: int = 0
    carried: int = 0
    sought: Sought | None = None
    work: Work = field(default_factory=Work)
    stale: frozenset[bytes] = frozenset()  # what must not outlive the next run on the node
    wary: bool = False  # a step for a rename had to be ended: none until all is well
    equal_at: Moment | None = None  # all that had changed by then is on the node

    @property
    def owing(self) -> tuple[Batch, ...]:
        """What is not on the node, as far as it is known."""
        return tuple(batch for batch in (self.aside, self.flight, self.pending) if batch)

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

    def offer(self, batch: Batch) -> None:
        """Add a batch to what is owed."""
        self.offered += 1
        self.pending = merged(self.pending, batch)

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

    def decide(self, what: Prepared, *, all_told: bool = False) -> None:
        """Take note of what was decided for the run that begins now.

        ``all_told``: what its source was heard to change is in what it carries.
        """
        self.work = self.work.after(what, all_told=all_told)
        self.stale |= what.gone

    def stepped(self, *, well: bool) -> None:
        """The first step has ended; when not `well`, the others are left out."""
        steps = self.work.steps
        if well and steps and isinstance(steps[0], Renew):
            self.stale -= steps[0].paths
        self.work = replace(self.work, steps=steps[1:] if steps and well else ())

    def _arrived(self, work: Work) -> None:
        """All that a run was to carry is on the node."""
        self.carried = work.carries
        self._end_search()

    def _take_back(self, flight: Batch | None = None) -> None:
        """Let all that is not on the node be carried by the next run."""
        self.pending = merged(merged(self.aside, flight), self.pending)
        self.aside = None

    def _doubt_aside(self) -> bool:
        """A pass has carried what was put aside; return whether it may have passed over some."""
        aside, self.aside = self.aside, None
        doubts = aside.nameless().doubts if aside is not None else NO_DOUBTS
        if aside is not None and doubts:
            self.offer(Batch(aside.since, 0, changes=Changes(), doubts=doubts))
        return bool(doubts)
