"""What may still arrive from runs to other hosts that were cut short (``rlate``).

Pure. It comes into the place of what was carried since. So it is carried once more when all of it
has come, and until then nobody knows whether the mirror is in sync.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import reduce

from inosync.changes.batch import Batch, full_pass
from inosync.engine.ledger import LATE
from inosync.engine.mirror import Mirror
from inosync.engine.records import Late
from inosync.rsync.options import hindrance


def expect(mirror: Mirror, batch: Batch, now: float, *, wrote: Collection[bytes] = ()) -> None:
    """See that a `batch` is carried once more whose run was cut short, or may have been.

    It `wrote` to these directories: what comes late may lie there under other names.
    """
    wait = mirror.pair.node.rlate
    if mirror.pair.here or not wait:
        return
    since, sure, before = min(batch.since, now), mirror.carried, mirror.late
    again = replace(batch.with_levels(wrote), since=since, moves=(), named=True)
    if before is not None:
        since, sure, again = before.since, before.sure, before.batch.merge(again)
    for owed in mirror.owing:  # where only what has vanished is deleted, and has by then
        again = again.with_gone(owed.gone)
    if again.reason or again.changes is None:
        again = pass_for(again)
    elif mirror.pair.node.rdelete == "seen":
        again = again.with_gone(frozenset(again.changes.entries) | again.changes.written.keys())
    mirror.late = Late(again, now + wait, since, sure)


def expect_in(
    lanes: Iterable[Mirror], batch: Batch, now: float, *, wrote: Collection[bytes] = ()
) -> None:
    """See to it in each of the `lanes`: nobody knows in which of them a file is by then."""
    for lane in lanes:
        expect(lane, _as_told(lane, batch), now, wrote=wrote)


def share(before: Iterable[Mirror], lanes: Iterable[Mirror]) -> None:
    """Let each of the `lanes` expect what any did `before`: files go in another one now."""
    known = [each.late for each in before if each.late is not None]
    if not known:
        return
    batch = reduce(Batch.merge, (late.batch for late in known))
    at, since = max(late.at for late in known), min(late.since for late in known)
    for lane in lanes:
        lane.late = Late(_as_told(lane, batch), at, since, lane.carried)


def in_place(late: Late) -> Late:
    """Return what may come `late` as it is for another mirror in the same place: it owes a pass."""
    return replace(late, batch=replace(pass_for(late.batch), since=late.since), sure=0, until=0)


def pass_for(batch: Batch) -> Batch:
    """Return the pass that stands for a `batch` whose run may have carried more than its names."""
    return full_pass(LATE, batch.since).with_gone(batch.gone)


def _as_told(lane: Mirror, batch: Batch) -> Batch:
    """Return what a `lane` is told of a `batch`: no names where it cannot see what is big."""
    return batch.nameless() if lane.big and hindrance(lane.pair.node.extra) else batch
