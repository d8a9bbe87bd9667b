"""The debounce timer: how long the changes of a batch wait for each other.

One small deadline. Knows nothing of changes and reads no clock: time is an argument, in monotonic
seconds.
"""

from __future__ import annotations


class Debounce:
    """Collects touches into one deadline.

    With ``cap <= delay`` the first touch of a batch fixes the deadline, ``delay`` seconds later.
    With ``cap > delay`` each touch starts ``delay`` anew, but the deadline is never later than
    ``cap`` seconds after the first touch, so a directory that never rests is mirrored all the same.
    """

    def __init__(self, delay: float, cap: float) -> None:
        self._delay = delay
        self._cap = cap
        self._first: float | None = None
        self._deadline: float | None = None

    @property
    def deadline(self) -> float | None:
        """When the batch is due, or None when nothing waits."""
        return self._deadline

    def touch(self, now: float) -> None:
        """Note that a change arrived."""
        if self._first is None or self._deadline is None:
            self._first = now
            self._deadline = now + self._delay
        elif self._cap > self._delay:
            self._deadline = min(now + self._delay, self._first + self._cap)

    def take(self, now: float) -> bool:
        """Return whether the batch is due at ``now``; if so, the next touch begins a new batch."""
        if self._deadline is None or now < self._deadline:
            return False
        self.reset()
        return True

    def reset(self) -> None:
        """Forget the batch: something else carries it."""
        self._first = self._deadline = None
