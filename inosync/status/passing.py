"""How far a pass is that goes as slices, for programs and for people. Pure."""

from __future__ import annotations

from inosync.engine.passes import Pass
from inosync.status.model import PassStatus
from inosync.text import many

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def pass_status(passing: Pass | None, total: int, now: float, wall: float) -> PassStatus | None:
    """Return how far a pass is over a source of `total` directories; `wall` makes Unix time.

    0 directories: nobody has counted them, and how much is left is not known.
    """
    if passing is None:
        return None
    done, left, began = passing.done, passing.left(total, now), passing.began
    return PassStatus(
        reason=passing.batch.reason,
        started_at=round(wall + began, 3) if began is not None else None,
        seconds=round(now - began, 3) if began is not None else 0.0,
        # It is not over before it is over; and directories come and go.
        percent=min(99, 100 * done.directories // total) if total else 0,
        directories=done.directories,
        files=done.files,
        left=round(left, 3) if left is not None else None,
    )


def pass_line(passing: PassStatus) -> str:
    """Return the same in a few words."""
    if passing["directories"] and not passing["percent"] and passing["left"] is None:
        return many(passing["directories"], "directory")
    text = f"{passing['percent']} %"
    return text if passing["left"] is None else f"{text}, {span(passing['left'])} left"


def span(seconds: float) -> str:
    """Return a time span as people say it: 0.4 s, 12 s, 3 min, 2 h, 5 d."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
