"""Waiting for a mirror. A change counts only when it is visible there with equal content."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

#: Seconds after which a daemon that has not got there never will.
LIMIT = 60.0


class Never(Exception):
    """The daemon did not get there."""


def until(condition: Callable[[], bool], *, limit: float = LIMIT, poll: float = 0.0003) -> float:
    """Return when (time.monotonic) the condition was found true; raise Never after `limit`."""
    deadline = time.monotonic() + limit
    while True:
        if condition():
            return time.monotonic()
        if time.monotonic() > deadline:
            raise Never
        time.sleep(poll)


def content(path: Path) -> bytes | None:
    """Return what a file holds, None when there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def until_content(wanted: dict[Path, bytes], *, limit: float = LIMIT) -> float:
    """Wait until each file holds what it should."""
    pending = list(wanted.items())

    def equal() -> bool:
        while pending and content(pending[-1][0]) == pending[-1][1]:
            pending.pop()
        return not pending

    return until(equal, limit=limit)


def until_copied(
    source: Path, mirror: Path, names: Sequence[str], *, limit: float = LIMIT
) -> float:
    """Wait until each file is on the mirror, with equal size and time; then compare the content."""
    pending = [(os.stat(source / name), mirror / name) for name in names]

    def there() -> bool:
        while pending:
            wanted, path = pending[-1]
            try:
                status = os.stat(path)
            except OSError:
                return False
            if (status.st_size, status.st_mtime_ns) != (wanted.st_size, wanted.st_mtime_ns):
                return False
            pending.pop()
        return True

    end = until(there, limit=limit, poll=0.002)
    for name in names:
        if (source / name).read_bytes() != (mirror / name).read_bytes():
            raise Never
    return end
