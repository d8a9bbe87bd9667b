"""What the last hour was like on each mirror: its lag and the bytes it was sent, by the minute.

Pure: time is an argument in Unix seconds. A minute in which nothing was told is one in which
nothing happened, so that an idle daemon need not tell anything. Bounded: an hour for each mirror.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

#: Seconds that one sample stands for, and how many of them are kept.
STEP = 60
MINUTES = 60


@dataclass
class Sample:
    """One minute. ``lag``: the longest in it, seconds; ``sent``: bytes."""

    minute: int  # Unix time / STEP, rounded down
    lag: float
    sent: int


@dataclass
class Track:
    """The history of one mirror."""

    samples: deque[Sample] = field(default_factory=deque)
    total: int = 0  # bytes sent by all runs when it was told last

    def note(self, at: float, *, lag: float, total: int) -> None:
        """At `at` the mirror lagged so many seconds, and had been sent so many bytes in all."""
        minute = int(at // STEP)
        # The clock may be set back: then the last minute goes on.
        if not self.samples or self.samples[-1].minute < minute:
            self.samples.append(Sample(minute, 0.0, 0))
        last = self.samples[-1]
        last.lag = max(last.lag, lag)
        # Less than before: a mirror that was configured anew counts from zero.
        last.sent += total - self.total if total >= self.total else total
        self.total = total
        while self.samples[0].minute <= last.minute - MINUTES:
            self.samples.popleft()

    def hour(self, at: float) -> list[Sample]:
        """Return the samples of the hour before `at`, one for each minute, the oldest first."""
        end = int(at // STEP)
        known = {sample.minute: sample for sample in self.samples}
        return [
            known.get(minute, Sample(minute, 0.0, 0))
            for minute in range(end - MINUTES + 1, end + 1)
        ]


def together(hours: Iterable[list[Sample]]) -> list[Sample]:
    """Return the hours of several mirrors as one: the worst lag, and all bytes."""
    return [
        Sample(minute[0].minute, max(s.lag for s in minute), sum(s.sent for s in minute))
        for minute in zip(*hours, strict=True)
    ]


@dataclass
class History:
    """The histories of all mirrors, by source, node and lane."""

    tracks: dict[tuple[str, str, str], Track] = field(default_factory=dict)

    def track(self, source: str, node: str, lane: str) -> Track:
        """Return the history of a mirror, which is empty at first."""
        return self.tracks.setdefault((source, node, lane), Track())

    def keep(self, mirrors: set[tuple[str, str, str]]) -> None:
        """Forget all but these."""
        self.tracks = {key: track for key, track in self.tracks.items() if key in mirrors}
