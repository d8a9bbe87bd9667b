"""Which changes concern big files: those that travel in a lane of their own (``rbigsize``).

Pure: sees the source through functions that it is handed. Knows neither mirrors nor rsync.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from itertools import islice

from inosync.changes.changes import Change, Kind
from inosync.planning.view import Status, View, below
from inosync.rsync.filters import Filters

#: So many names in new directories are looked at for one lot of changes: a few hundredths of a
#: second. Behind them a new directory is taken for one with a big file in it.
MOST_NAMES = 5_000


def is_big(status: Status | None, size: int) -> bool:
    """Return whether a path with this status is a regular file of more than `size` bytes."""
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_size > size


def big_changes(
    changes: Iterable[Change], *, size: int, filters: Filters, view: View, most: int = MOST_NAMES
) -> list[Change]:
    """Return what a lane for files of more than `size` bytes has to carry of `changes`.

    That is an ENTRY for each such file, as the source is now, or ATTRIBUTES if no more has changed.
    A new directory with more in it than the `most` names that are looked at stays as it is.
    Deletions are none of the lane's business.
    """
    if not size:
        return []
    found: dict[Change, None] = {}
    walked: set[bytes] = set()
    left = most
    for path, kind in changes:
        if kind is Kind.LEVEL:
            continue
        if kind is not Kind.TREE:
            if is_big(view.look(path), size):
                found[Change(path, kind if kind is Kind.ATTRIBUTES else Kind.ENTRY)] = None
        elif path not in walked:
            names = list(islice(below(path, filters=filters, view=view), left + 1))
            left -= len(names)
            if left < 0:
                left = 0
                found[Change(path, Kind.TREE)] = None
                continue
            walked |= {name for name, directory in names if directory}
            files = (name for name, directory in names if not directory)
            found |= {Change(f, Kind.ENTRY): None for f in files if is_big(view.look(f), size)}
    return list(found)
