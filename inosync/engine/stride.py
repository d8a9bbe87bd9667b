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
#: times as long as this one where that took longer; that it did is less likely where slices of
#: several weights have told otherwise.
_DARING, _DARING_TOLD = 1.5, 3.0
#: How much a slice counts against the one after it.
_MEMORY = 0.9
#: Weights that differ by less than this part of them tell nothing about what an entry takes.
_ALIKE = 0.1
#: What is more than this part of the last slice, and not so many times it, would be alike as well.
_LESS, _MORE = 0.5, 1.5


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
        daring = _DARING if self.alike else _DARING_TOLD
        wanted = max(LENGTH, idle) / max(entry, 1e-9)
        wanted = min(wanted, weight * daring * max(LENGTH / max(seconds, 0.001), 1.0))
        if self.alike and _LESS * weight < wanted < _MORE * weight:
            # Slices would stay as they are for ever, also where a hundred times as much takes no
            # longer. A smaller one tells.
            return max(LEAST, before // _GROWTH, int(_LESS * weight))
        if seconds < LENGTH:
            # A short one was mostly the starting of rsync: that says nothing of a longer one.
            wanted = max(wanted, before)
        # Two slices of one weight tell nothing of what an entry takes: not of the least one either.
        least = 2 * LEAST if before == LEAST else LEAST
        return max(least, before // _GROWTH, int(min(wanted, before * _GROWTH, MOST)))


#: Before the first slice.
UNKNOWN = Stride()
