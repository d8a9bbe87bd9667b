"""How much a node keeps (``rkeep``): by day, how many runs and bytes; and which days are too much.

Pure. Read from what rsync lists of the folder in the mirror (kept.py says what is in it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

#: A line of ``--list-only --no-human-readable`` for a file of a run, at any depth, or a directory.
_LISTED = re.compile(rb"(.)\S{9,10} +(\d+) \S{10} \S{8} (\d{4}-\d\d-\d\d)(?:/(\d{6}\.\d{6}Z)(/)?)?")

#: A megabyte, as ``rkeepmax`` counts.
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Day:
    """What is kept of one day: its name, how many runs kept something, the bytes of the files."""

    name: str
    runs: int
    size: int


@dataclass(frozen=True)
class Stock:
    """All days of which a node keeps something, the oldest first. Not ``sized``: no size is known.

    A file that has other names still (hard links) counts as any.
    """

    days: tuple[Day, ...] = ()
    sized: bool = True

    @property
    def runs(self) -> int:
        """How many runs kept something."""
        return sum(day.runs for day in self.days)

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return sum(day.size for day in self.days)

    def without(self, gone: Iterable[str]) -> Stock:
        """Return what is left when these days have gone."""
        names = frozenset(gone)
        return Stock(tuple(day for day in self.days if day.name not in names), self.sized)

    def past(self, today: str) -> tuple[str, ...]:
        """Return the days that are over, the oldest first."""
        return tuple(day.name for day in self.days if day.name < today)

    def too_much(self, most: int, today: str) -> tuple[str, ...]:
        """Return the oldest days without which no more than `most` bytes are kept.

        What is kept `today` stays, however much it is.
        """
        size, gone = self.size, []
        for day in self.days:
            if size <= most or day.name >= today:
                break
            gone.append(day.name)
            size -= day.size
        return tuple(gone)


@dataclass
class Tally:
    """Counts what is listed, line by line."""

    _runs: dict[str, set[bytes]] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def add(self, line: bytes) -> None:
        """Take in a line of the list."""
        found = _LISTED.match(line)
        if found is None or not found[5]:  # a day, or a run, that may have kept nothing
            return
        name = found[3].decode()
        self._runs.setdefault(name, set()).add(found[4])
        self._sizes[name] = self._sizes.get(name, 0) + (int(found[2]) if found[1] == b"-" else 0)

    def stock(self, *, sized: bool) -> Stock:
        """Return what all lines come to."""
        days = (Day(name, len(runs), self._sizes[name]) for name, runs in self._runs.items())
        return Stock(tuple(sorted(days, key=lambda day: day.name)), sized)
