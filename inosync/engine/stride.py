"""How fast the slices of a pass go, and how much the next one is to carry.

Pure. A slice takes some time whatever it weighs (over a long line most of it) and some for each
entry. Both are read off a line through the slices made so far, of which the last ones count most.
"""

from __future__ import annotations

from dataclasses import dataclass

from inosync.planning.cutting import MOST_AT_ONCE

#: Seconds that the entries of a slice are to take: what changes meanwhile waits so long. Where a
#: slice takes longer whatever it weighs, they are to take as long as that: a pass would else take
#: more than twice as long as one run.
LENGTH = 1.0

#: What a slice weighs at the least and at the most.
LEAST, MOST = 10, MOST_AT_ONCE
#: One slice may weigh so many times what the one before did.
_GROWTH = 4
#: If all its time went to its entries, the next slice may take so many times LENGTH, or so many
#: times as long as this one where that took longer. More where slices of several weights have told
#: that no more than such a part of it did.
_DARING, _DARING_TOLD, _PART = 1.5, 3.0, 0.25
#: How much a slice counts against the one after it.
_MEMORY = 0.9
#: Weights that differ by less than this part of them tell nothing about what an entry takes.
_ALIKE = 0.1
#: Slices that weigh the same go on so where the next one is to weigh between these times as much.
#: Directories are carried whole: one that is to weigh twice as much is two of the same size.
_LESS, _MORE, _TWICE = 0.5, 1.5, 2.0


@dataclass(frozen=True)
class Stride:
    """The slices made so far, as sums in which each counts less than the one after it."""

    slices: float = 0.0
    weight: float = 0.0
    seconds: float = 0.0
    squares: float = 0.0
    products: float = 0.0

    def after(self, weight: int, seconds: float) -> Stride:
        """Return the record when one more slice, of this weight, has taken so many seconds."""
        return Stride(
            self.slices * _MEMORY + 1,
            self.weight * _MEMORY + weight,
            self.seconds * _MEMORY + seconds,
            self.squares * _MEMORY + weight * weight,
            self.products * _MEMORY + weight * seconds,
        )

    @property
    def costs(self) -> tuple[float, float]:
        """What a slice takes whatever it weighs, and for each entry, in seconds."""
        if not self.weight:
            return 0.0, 0.0
        weight, seconds = self.weight / self.slices, self.seconds / self.slices
        entry = seconds / weight
        if not self.alike:
            slope = (self.products / self.slices - weight * seconds) / self._variance
            entry = max(0.0, min(slope, entry))
        return seconds - entry * weight, entry

    @property
    def alike(self) -> bool:
        """Whether all weighed about the same: then all of their time may be that of entries."""
        return self._variance <= (_ALIKE * self.weight / self.slices) ** 2

    @property
    def _variance(self) -> float:
        weight = self.weight / self.slices
        return self.squares / self.slices - weight * weight

    def budget(self, before: int, weight: int, seconds: float) -> int:
        """Return what the next slice is to weigh.

        The last one was to weigh `before`, weighed `weight` and took so many seconds.
        """
        idle, entry = self.costs
        told = not self.alike and entry * weight < _PART * seconds
        daring = _DARING_TOLD if told else _DARING
        wanted = max(LENGTH, idle) / max(entry, 1e-9)
        wanted = min(wanted, weight * daring * max(LENGTH / max(seconds, 0.001), 1.0))
        if self.alike:
            # Slices would stay as they are for ever, also where a hundred times as much takes no
            # longer. A smaller one tells; or, where it weighs what its directory does, a larger.
            same = _LESS * weight < wanted < _MORE * weight
            if weight > _MORE * before and (same or self.slices > 1):
                return int(min(_TWICE * weight, MOST))
            if same and _LESS * weight >= LEAST:
                return max(before // _GROWTH, int(_LESS * weight))
            if same:
                return 2 * LEAST
            wanted = max(wanted, _TWICE * weight) if wanted > weight else wanted
        if seconds < LENGTH:
            # A short one was mostly the starting of rsync: that says nothing of a longer one.
            wanted = max(wanted, before)
        # Two slices of one weight tell nothing of what an entry takes: not of the least one either.
        least = 2 * LEAST if before == LEAST else LEAST
        return max(least, before // _GROWTH, int(min(wanted, before * _GROWTH, MOST)))


#: Before the first slice.
UNKNOWN = Stride()
