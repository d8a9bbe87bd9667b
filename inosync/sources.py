"""What the engine knows of one source: what is held back, what is owed on schedule, what is wrong.

Pure values; the engine decides what follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from inosync.changes import Batch
from inosync.config import Source
from inosync.debounce import Debounce
from inosync.events import Change, Kind
from inosync.settle import Settling


@dataclass
class SourceState:
    """What the engine knows of one source."""

    source: Source
    debounce: Debounce
    unclosed: Debounce  # the same for files that are written and not closed
    batch: Batch | None = None  # what the debounce timer holds back
    written: Batch | None = None  # what the timer for unclosed files holds back
    big: Batch | None = None  # what of both the lanes for big files have to carry
    settling: Settling = field(default_factory=Settling)  # files that are not to be sent yet
    watched: bool = False  # the watches stand
    short: bool = False  # some directories have no watch
    full_at: float | None = None  # when the next repairing full pass is due
    linked: bool = False  # that pass is due for files with several names
    linked_at: float = -math.inf  # when such a pass was last made
    held: str = ""  # why nothing of it may travel; "" is well
    held_since: float = 0.0
    untold: Batch | None = None  # what the hook on_change has not been told yet

    @property
    def open(self) -> bool:
        """Whether its mirrors may run."""
        return self.watched and not self.held


def without_unsettled(
    settling: Settling, changes: Sequence[Change], big: Sequence[Change], now: float
) -> tuple[list[Change], list[Change]]:
    """Let the changed files that have to settle wait, and return the other changes, of both."""
    if not settling.rules:
        return list(changes), list(big)
    large = {path for path, kind in big if kind is Kind.ENTRY}
    waiting = {
        path
        for path, kind in changes
        if kind in (Kind.ENTRY, Kind.WRITTEN)
        and path
        and settling.touch(path, now, big=path in large)
    }
    return (
        [c for c in changes if c.path not in waiting or c.kind in (Kind.LEVEL, Kind.TREE)],
        [c for c in big if c.path not in waiting],
    )
