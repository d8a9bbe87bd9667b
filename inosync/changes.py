"""What a mirror still owes its node: batches of changes, and how they merge.

Pure. Bounded: however many changes arrive, a batch holds a count, the age of the oldest and a few
names for people. (Every batch is carried by a run over the whole source, so more is not needed.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inosync.events import Change

#: How many paths a batch remembers for messages.
SAMPLE = 3


@dataclass(frozen=True)
class Batch:
    """Changes that travel together.

    ``since`` is when the oldest of them was seen (monotonic seconds); ``reason`` is why a full
    pass is owed (start-up, overflow, ...), or ``""`` when ordinary changes alone are.
    """

    since: float
    count: int
    sample: tuple[bytes, ...] = ()
    reason: str = ""

    def merge(self, other: Batch) -> Batch:
        """Return one batch that stands for both."""
        return Batch(
            since=min(self.since, other.since),
            count=self.count + other.count,
            sample=(self.sample + other.sample)[:SAMPLE],
            reason=self.reason or other.reason,
        )


def merged(one: Batch | None, other: Batch | None) -> Batch | None:
    """Return the merger of two batches of which either may be missing."""
    if one is None or other is None:
        return one or other
    return one.merge(other)


def collect(changes: Iterable[Change], now: float) -> Batch | None:
    """Return the batch that stands for `changes`, seen at `now`; None when there are none."""
    count = 0
    sample: list[bytes] = []
    for change in changes:
        count += 1
        if len(sample) < SAMPLE:
            sample.append(change.path)
    return Batch(now, count, tuple(sample)) if count else None


def full_pass(reason: str, now: float) -> Batch:
    """Return the batch that demands a pass over the whole source, and says why."""
    return Batch(now, 0, (), reason)
