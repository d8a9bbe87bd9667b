"""The loop: the only place that waits, and the only one that reads the clock.

Owns the selector and a list of parts, and imports none of them: each says when it has something to
do, and does it when asked. Single-threaded; when nothing happens and no deadline is set, it sleeps
in one system call.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from inosync.planning.order import Moment


class Part(Protocol):
    """Something that takes part in each turn. Times are monotonic seconds."""

    def due(self, now: float) -> None:
        """Do what is due."""

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do; None when only events can tell."""


class Selecting(Protocol):
    """Who waits for descriptors: the loop, as its parts see it."""

    def listen(self, descriptor: int, react: Callable[[], None], *, write: bool = False) -> None:
        """Call `react` when the descriptor is readable, or writable; replaces what was said."""

    def ignore(self, descriptor: int) -> None:
        """Forget the descriptor."""


def ahead() -> int:
    """Return by how much the clock is ahead of the one that is never set (nanoseconds).

    That one counts since the machine was started, and while it sleeps; what makes a clock run
    faster or slower does the same to both: CLOCK_BOOTTIME in clock_gettime(2).
    """
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


#: Seconds that it waits at once: epoll_wait(2) takes no more than 24 days.
LONGEST = 86_400.0


@dataclass
class Loop:
    """Takes turns: each part does what is due, in their order; then all wait."""

    parts: Sequence[Part] = ()
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time  # as files have it
    ahead: Callable[[], int] = ahead
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _closed: bool = False

    def run(self, stopped: Callable[[], bool]) -> None:
        """Take turns until all has `stopped`."""
        while not stopped():
            for part in self.parts:
                part.due(self.clock())
            waits = [wait for part in self.parts if (wait := part.deadline()) is not None]
            if stopped():
                return
            timeout = min(LONGEST, max(0.0, min(waits) - self.clock())) if waits else None
            for key, _ in self._selector.select(timeout):
                key.data()

    def moment(self) -> Moment:
        """Return this moment."""
        return Moment(self.wall(), self.clock())

    def listen(self, descriptor: int, react: Callable[[], None], *, write: bool = False) -> None:
        """Call `react` when the descriptor is readable, or writable; replaces what was said."""
        wanted = selectors.EVENT_WRITE if write else selectors.EVENT_READ
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, wanted, react)
        else:
            self._selector.register(descriptor, wanted, react)

    def ignore(self, descriptor: int) -> None:
        """Forget the descriptor; when all is over, it is forgotten already."""
        if not self._closed:
            self._selector.unregister(descriptor)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._closed = True
        self._selector.close()
