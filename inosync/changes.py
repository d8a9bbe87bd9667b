"""What a mirror still owes its node: batches of changes, and how they merge.

Pure. Bounded: a batch remembers single changes up to a number; beyond it is just "everything".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from inosync.events import Change

#: How many paths a batch remembers for messages.
SAMPLE = 3

#: How many changes a batch remembers at the most. Far more than a run names (plan.LONGEST_LIST),
#: since many of them fold into few names; at about 150 bytes each, 15 MB for a source.
MOST = 100_000


@dataclass(frozen=True)
class Batch:
    """Changes that travel together.

    ``since`` is when the oldest of them was seen (monotonic seconds); ``reason`` is why a full
    pass is owed (start-up, overflow, ...), or ``""`` when ordinary changes alone are. ``changes``
    are these, or None when they are too many, not known, or of no interest. ``repeated``: a run
    that carried them met files that vanished.
    """

    since: float
    count: int
    sample: tuple[bytes, ...] = ()
    reason: str = ""
    changes: frozenset[Change] | None = None
    repeated: bool = False

    def merge(self, other: Batch) -> Batch:
        """Return one batch that stands for both."""
        changes = None
        if self.changes is not None and other.changes is not None:
            changes = self.changes | other.changes
            if len(changes) > MOST:
                changes = None
        return Batch(
            since=min(self.since, other.since),
            count=self.count + other.count,
            sample=(self.sample + other.sample)[:SAMPLE],
            reason=self.reason or other.reason,
            changes=changes,
        )

    def again(self) -> Batch:
        """Return the batch that carries the same once more."""
        return dataclasses.replace(self, repeated=True)


def merged(one: Batch | None, other: Batch | None) -> Batch | None:
    """Return the merger of two batches of which either may be missing."""
    if one is None or other is None:
        return one or other
    return one.merge(other)


def collect(changes: Sequence[Change], now: float, *, keep: bool = False) -> Batch | None:
    """Return the batch that stands for `changes`, seen at `now`; None when there are none.

    It remembers them only to `keep` them for runs that name what they carry.
    """
    if not changes:
        return None
    kept = frozenset(changes) if keep and len(changes) <= MOST else None
    sample = tuple(change.path for change in changes[:SAMPLE])
    return Batch(now, len(changes), sample, changes=kept)


def full_pass(reason: str, now: float) -> Batch:
    """Return the batch that demands a pass over the whole source, and says why."""
    return Batch(now, 0, (), reason)
