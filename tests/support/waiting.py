"""Waiting for a condition with a deadline. No test sleeps and hopes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Seen = TypeVar("Seen")

#: How often a condition is looked at, in seconds; no more often than every other moment is left to
#: what is waited for.
POLL = 0.02

#: How many seconds a condition is waited for. A slow machine may need most of them; 60 are what the
#: tests set where something is not to come about by itself.
PATIENCE = 40.0


def until(
    condition: Callable[[], Seen],
    *,
    seconds: float = PATIENCE,
    what: str,
    state: Callable[[], object] | None = None,
) -> Seen:
    """Call `condition` until what it returns is true, and return that.

    An OSError or AssertionError from it counts as "not yet": files come and go while we look.
    Fail the test after `seconds`, telling `what` was waited for and the last observed state:
    `state()` when given, else what `condition` returned or raised last.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen: object
        began = time.monotonic()
        try:
            result = condition()
            if result:
                return result
            seen = result
        except (OSError, AssertionError) as error:
            seen = error
        now = time.monotonic()
        if now >= deadline:
            last = state() if state is not None else seen
            shown = last if isinstance(last, str) else repr(last)
            raise AssertionError(f"waited {seconds:g} s for {what}; last observed state:\n{shown}")
        time.sleep(max(POLL, now - began))


def until_empty(
    observe: Callable[[], Sequence[str]], *, seconds: float = PATIENCE, what: str
) -> None:
    """Wait until `observe` has nothing left to complain about (see trees.difference)."""
    complaints: Sequence[str] = ()

    def nothing_left() -> bool:
        nonlocal complaints
        complaints = observe()
        return not complaints

    until(nothing_left, seconds=seconds, what=what, state=lambda: "\n".join(complaints))
