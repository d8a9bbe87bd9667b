"""What the engine knows of one source: what is held back, what is owed on schedule, what is wrong.

Pure values; the engine decides what follows from them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass, field

from inosync.changes.batch import Batch, Gathering
from inosync.changes.changes import Changes
from inosync.config.model import Source
from inosync.engine.debounce import Debounce
from inosync.planning.resting_files import Settling


@dataclass
class SourceState:
    """What the engine knows of one source."""

    source: Source
    debounce: Debounce
    unclosed: Debounce  # the same for files that are written and not closed
    # What the debounce timer holds back, what that for unclosed files does, and what of both the
    # lanes for big files have to carry.
    batch: Gathering = field(default_factory=Gathering)
    written: Gathering = field(default_factory=Gathering)
    big: Gathering = field(default_factory=Gathering)
    settling: Settling = field(default_factory=Settling)  # files that are not to be sent yet
    watched: bool = False  # the watches stand
    short: bool = False  # some directories have no watch
    full_at: float | None = None  # when the next repairing full pass is due
    linked: bool = False  # that pass is due for files with several names
    linked_at: float = -math.inf  # when such a pass was last made
    held: str = ""  # why nothing of it may travel; "" is well
    held_since: float = 0.0
    free: frozenset[str] = frozenset()  # nodes to which it may all the same: a person said so
    untold: Batch | None = None  # what the hook on_change has not been told yet

    @property
    def open(self) -> bool:
        """Whether any of its mirrors may run."""
        return self.watched and (not self.held or bool(self.free))

    def open_for(self, node: str) -> bool:
        """Return whether its mirror on `node` may run."""
        return self.watched and (not self.held or node in self.free)


def without_unsettled(
    settling: Settling, changes: Changes, big: Changes, now: float
) -> tuple[Changes, Changes]:
    """Let the changed files that have to settle wait, and return the other changes, of both."""
    if not settling.rules:
        return changes, big
    waiting = {
        path
        for path in (*changes.entries, *changes.written)
        if path and settling.touch(path, now, big=path in big.entries)
    }
    return _without(changes, waiting), _without(big, waiting)


def _without(changes: Changes, files: Collection[bytes]) -> Changes:
    return dataclasses.replace(
        changes,
        entries={path: None for path in changes.entries if path not in files},
        written={path: None for path in changes.written if path not in files},
    )
