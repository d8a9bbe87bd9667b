"""The two lanes of a mirror (``rbigsize``): when one must take care of the other.

Pure. Owns who shares a node's directory with whom: an ordinary mirror, and the lane for big files
beside it, which is a mirror of its own. Starts nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import permutations

from inosync.changes.batch import Batch, merged
from inosync.changes.changes import Change, Changes, Kind
from inosync.config.model import Pair
from inosync.engine import late
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Moment
from inosync.rsync.options import hindrance


class Lanes:
    """The pairs of lanes. Without ``rbigsize`` there are none, and nobody has a partner."""

    def __init__(self, pairs: Iterable[tuple[Mirror, ...]]) -> None:
        self._partners = {id(m): other for pair in pairs for m, other in permutations(pair, 2)}

    def partner(self, mirror: Mirror) -> Mirror | None:
        """Return the other lane."""
        return self._partners.get(id(mirror))

    def lenient(self, mirror: Mirror) -> bool:
        """Return whether a run that `mirror` begins now has to spare what its lane is at."""
        lane = self.partner(mirror)
        if lane is None or mirror.big:
            return False
        # Renamed giants are linked by this run, so the lane lets it go first.
        moving = mirror.pending is not None and bool(mirror.pending.moves)
        return lane.busy or (lane.since is not None and not moving)

    def owes(self, mirror: Mirror) -> frozenset[bytes] | None:
        """Return which paths the lane for big files has still to carry; None: that is not known."""
        lane = self.partner(mirror)
        owed = () if lane is None else lane.owing
        if any(batch.reason or batch.changes is None for batch in owed):
            return None
        return frozenset(change.path for batch in owed for change in batch.changes or ())

    def waits(self, lane: Mirror) -> bool:
        """Return whether a `lane` may not run now. Slices of a pass wait for no pace.

        One for big files does not run beside a run that would delete its temporary files, nor while
        a person is to look.
        """
        if not lane.big:
            return lane.rests_until is not None and (lane.passing is None or lane.crowded)
        other = self._partners[id(lane)]
        strict = other.busy and not other.work.lenient
        return strict or other.state is State.HELD or lane.rests_until is not None

    def beside(self, mirror: Mirror) -> Mirror | None:
        """Return the lane for big files if the run of `mirror` did not have the node for itself.

        A run of that lane may take hours. What was deleted meanwhile, or got another time, it may
        bring back, and its temporary files were spared. So what has been carried beside it is
        carried once more when it has ended well.
        """
        lane = self.partner(mirror)
        if lane is None or mirror.big:
            return None
        # One that failed, or was cut off before the start, may have left what it was at.
        tried = lane.backoff.failures or (lane.since is not None and not lane.health.synced)
        return lane if lane.busy or tried else None

    def ended(self, lane: Mirror, now: float, *, rest: float, ran: bool) -> None:
        """The `lane` has done its work: it rests so many seconds, and the other one tidies up.

        If it `ran`, it may have left a directory of its own.
        """
        if rest:
            lane.rests_until = now + rest
        other = self._partners[id(lane)]
        owed, lane.beside = merged(lane.beside, other.flight), None
        if ran and _leaves_directory(lane.pair):
            top = Changes.of((Change(b"", Kind.LEVEL),))
            owed = merged(owed, Batch(now, 1, (b"",), changes=top, named=True))
        if owed is not None:
            other.offer(dataclasses.replace(owed, since=now))


def share(before: Iterable[Mirror], lanes: Sequence[Mirror]) -> None:
    """Let each of the `lanes` know and owe what any did `before`: files go in another one now."""
    old = list(before)
    late.share(old, lanes)
    equal_at = _earliest(each.equal_at for each in old)
    hidden_at = _earliest(each.hidden_at for each in old)
    owed = [(each, batch) for each in old for batch in each.owing]
    owed += [(each, batch) for each in old if each.passing for batch in each.passing.batches]
    ailing = {path: known for each in old for path, known in each.ailing.items()}
    for lane in lanes:
        lane.equal_at, lane.hidden_at = equal_at, hidden_at
        lane.ailing = {**ailing, **lane.ailing}
        for other, batch in owed:
            if other is not lane:
                named = not (lane.big and hindrance(lane.pair.node.extra))
                batch = dataclasses.replace(batch, moves=(), gone=frozenset())  # noqa: PLW2901
                lane.offer(batch if named else batch.nameless())


def _earliest(moments: Iterable[Moment | None]) -> Moment | None:
    """Return the earliest of the moments that are known; None: none is."""
    known = (moment for moment in moments if moment is not None)
    return min(known, key=lambda moment: moment.steady, default=None)


def _leaves_directory(pair: Pair) -> bool:
    """Return whether the run of a lane leaves its directory for partial files in the mirror.

    rrsync of rsync 3.5 makes it, empty, at the top of what the key is restricted to.
    """
    return pair.node.restricted and not pair.landing().path.strip("/")
