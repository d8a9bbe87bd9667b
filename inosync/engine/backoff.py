"""How long a mirror waits before it tries again after a failure.

One small state. Reads no clock: it returns lengths in seconds. Randomness is an argument.
"""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Waits that double from ``first`` to ``ceiling`` seconds and never give up.

    Each wait is shortened by up to half at random, so that mirrors which failed together (their
    node went down) do not come back together. ``random`` returns numbers from 0 up to 1.
    """

    def __init__(self, first: float, ceiling: float, *, random: Callable[[], float]) -> None:
        self._first = first
        self._ceiling = ceiling
        self._random = random
        self.failures = 0

    def failed(self, *, slowly: bool = False) -> float:
        """Count a failure and return the seconds to wait; ``slowly`` goes to the ceiling at once.

        For faults that only a person mends, a quick retry is just noise.
        """
        self.failures += 1
        return self.after(self.failures, slowly=slowly)

    def after(self, failures: int, *, slowly: bool = False) -> float:
        """Return the seconds to wait after so many failures of something else; count nothing."""
        # 2 ** 64 times any first wait is beyond any ceiling; the bound keeps the float finite.
        doubled = self._first * 2.0 ** min(failures - 1, 64)
        wait = self._ceiling if slowly else min(doubled, self._ceiling)
        return wait * (1 - self._random() / 2)

    def reset(self) -> None:
        """Forget the failures: a run went well."""
        self.failures = 0
