"""How often a watcher is read: at once, but in lots while events pour in.

Pure. To be woken for each event costs twenty times as much as to read it with others.
"""

from __future__ import annotations

from dataclasses import dataclass

#: So many reads in a row are free: one change may be several events, each a moment after the other.
FREE = 16

#: Seconds between reads after that, and what is no longer "in a row".
LOT = 0.005

#: A read that brings more events is a lot by itself, and the queue may be filling up: its default
#: size is 16,384 (inotify(7), max_queued_events).
MANY = 2_000


@dataclass
class Pace:
    """The pace of one watcher.

    ``row``: how many reads there were in a row, the last at ``last``; ``until``: when the pause
    ends in which it is not read, or None while there is none.
    """

    row: int = 0
    last: float = float("-inf")
    until: float | None = None

    def read(self, events: int, now: float) -> None:
        """Take note of a read of so many events at `now`; it may begin or end a pause."""
        self.row = self.row + 1 if events and now - self.last <= 2 * LOT else 0
        self.last = now
        self.until = now + LOT if self.row >= FREE and events < MANY else None
