"""How fast the slices of a pass go, and how much the next one is to carry.

Pure. A slice takes some time whatever it weighs (over a long line most of it) and some for each
entry. Both are read off a line through the slices made so far, of which the last ones count most.
"""

from __future__ import annotations

from dataclasses import dataclass

from inosync.planning.cutting import MOST_AT_ONCE

#: Seconds that a slice is to take: what changes meanwhile waits so long. Where most of that would
#: go by whatever it weighs, it is to take twice this idle time: more slices would double a pass.
LENGTH = 1.0

#: What a slice weighs at the least and at the most.
LEAST, MOST = 10, MOST_AT_ONCE
#: One slice may weigh so many times what the one before did.
_GROWTH = 4
#: If all its time went to its entries, the next slice may take so many times LENGTH, or so many
#: times as long as this one where that took longer.
_DARING = 1.5
#: How much a slice counts against the one after it.
_MEMORY = 0.9
#: Weights that differ by less than this part of them tell nothing about what an entry takes.
_ALIKE = 0.1


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
        variance = self.squares / self.slices - weight * weight
        entry = seconds / weight
        if variance > (_ALIKE * weight) ** 2:
            slope = (self.products / self.slices - weight * seconds) / variance
            entry = max(0.0, min(slope, entry))
        return seconds - entry * weight, entry

    def budget(self, before: int, weight: int, seconds: float) -> int:
        """Return what the next slice is to weigh.

        The last one was to weigh `before`, weighed `weight` and took so many seconds.
        """
        idle, entry = self.costs
        wanted = max(LENGTH - idle, idle) / max(entry, 1e-9)
        wanted = min(wanted, weight * _DARING * max(LENGTH / max(seconds, 0.001), 1.0))
        if seconds < LENGTH:
            # A short one was mostly the starting of rsync: that says nothing of a longer one.
            wanted = max(wanted, before)
        # Two slices of one weight tell nothing of what an entry takes: not of the least one either.
        least = 2 * LEAST if before == LEAST else LEAST
        return max(least, before // _GROWTH, int(min(wanted, before * _GROWTH, MOST)))


#: Before the first slice.
UNKNOWN = Stride()
