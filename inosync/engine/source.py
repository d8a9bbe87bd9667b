"""What the engine knows of one source: what is held back, what is owed on schedule, what is wrong.

Pure values; the engine decides what follows from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from inosync.changes.batch import Batch, Gathering, merged
from inosync.changes.changes import Changes
from inosync.config.model import Source
from inosync.engine.ailing import names
from inosync.engine.debounce import Debounce
from inosync.engine.mirror import Mirror
from inosync.planning.resting_files import Settling


@dataclass
class SourceState:
    """What the engine knows of one source."""

    source: Source
    debounce: Debounce
    unclosed: Debounce  # the same for files that are written and not closed
    paced: bool = False  # by how long runs take: ``edelay`` is "auto"
    # What the debounce timer holds back, what that for unclosed files does, and what of both the
    # lanes for big files have to carry.
    batch: Gathering = field(default_factory=Gathering)
    written: Gathering = field(default_factory=Gathering)
    big: Gathering = field(default_factory=Gathering)
    settling: Settling = field(default_factory=Settling)  # files that are not to be sent yet
    watched: bool = False  # the watches stand
    deaf_since: float | None = None  # until they stand: when changes ceased to be heard of
    short: bool = False  # some directories have no watch
    full_at: float | None = None  # when the next repairing full pass is due
    held: str = ""  # why nothing of it may travel; "" is well
    held_since: float = 0.0
    free: frozenset[str] = frozenset()  # nodes to which it may all the same: a person said so
    untold: Batch | None = None  # what the hook on_change has not been told yet

    @property
    def in_store(self) -> bool:
        """Whether it was heard to change in what its mirrors have not been offered yet."""
        return bool(self.batch or self.written or self.big or len(self.settling))

    def heard(self, path: bytes) -> bool:
        """Return whether what its mirrors have not been offered yet may have changed `path`."""
        gathered = [each.changes for each in (self.batch, self.written, self.big) if each]
        return any(changes is None or names(changes, path) for changes in gathered)

    @property
    def gathering(self) -> bool:
        """Whether there is, or may be unheard, what its mirrors have not been offered yet."""
        return self.in_store or self.short

    @property
    def open(self) -> bool:
        """Whether any of its mirrors may run."""
        return self.watched and (not self.held or bool(self.free))

    def open_for(self, node: str) -> bool:
        """Return whether its mirror on `node` may run."""
        return self.watched and (not self.held or node in self.free)

    def since(self, *, big: bool) -> float | None:
        """Return when the first change was seen that its mirrors have not been offered yet.

        It waits for ``edelay``, ``eopen`` or ``rsettle``, or for the watches by which it would be
        heard of. With `big`, what lanes for big files have to carry; what settles may be that.
        """
        gathered = (self.big,) if big else (self.batch, self.written)
        waits = [*(each.since for each in gathered), self.settling.since]
        waits += [] if self.watched else [self.deaf_since]
        return min((since for since in waits if since is not None), default=None)

    def due_at(self, mirrors: Iterable[Mirror]) -> float | None:
        """Return when its `mirrors` are to have what was gathered; None: not before a run ends.

        Where runs set the pace that is when one of them may run: what comes until then gathers
        here, and not in the books of each.
        """
        at = self.debounce.deadline
        if at is None or not self.paced or self.big:
            return at
        others = [mirror for mirror in mirrors if not mirror.big]
        # A comparison is ended by what has changed.
        free = [mirror for mirror in others if not mirror.busy or mirror.work.comparing]
        return min((mirror.rests_until or at for mirror in free), default=None) if others else at

    def deafen(self, now: float) -> None:
        """Know of no change until the watches stand: the mirrors are not in sync."""
        if self.watched or self.deaf_since is None:
            self.deaf_since = now
        self.watched = False

    def inherit(self, old: SourceState) -> None:
        """Take over from before a change of the config what still counts."""
        self.watched, self.held, self.free = old.watched, old.held, old.free
        self.short, self.full_at = old.short, old.full_at
        self.held_since, self.untold = old.held_since, old.untold
        self.deaf_since = old.deaf_since
        self.settling = old.settling

    def take(self) -> tuple[Batch, Batch | None]:
        """Return what was gathered, and of that what the lanes for big files have to carry.

        A pass carries all of it: what is written and not closed need not go again soon.
        """
        batch, big = merged(self.batch.take(), self.written.take()), self.big.take()
        self.debounce.reset()
        self.unclosed.reset()
        assert batch is not None  # a timer is only touched with one
        return batch, big

    def hold(self, reason: str, free: frozenset[str], now: float) -> frozenset[str]:
        """Let nothing travel but to the nodes that are `free`; return those that owe a pass now."""
        if self.held != reason:
            self.held_since = self.held_since if self.held else now
        well = self.watched and not self.held
        freed = frozenset[str]() if well else free - self.free if self.watched else free
        self.held, self.free = reason, free
        self.watched |= bool(free)
        return freed

    def resume(self) -> None:
        """All is well again."""
        self.held, self.free = "", frozenset()
        self.watched = True


def without_unsettled(
    settling: Settling,
    changes: Changes,
    big: Changes,
    now: float,
    no_files: Collection[bytes] = (),
) -> tuple[Changes, Changes]:
    """Let the changed files that have to settle wait, and return the other changes, of both.

    Directories are `no_files`: they do not wait.
    """
    if not settling.rules:
        return changes, big
    waiting = {
        path
        for path in (*changes.entries, *changes.attributes, *changes.written)
        if path
        and path not in no_files
        and settling.touch(path, now, big=path in big.entries or path in big.attributes)
    }
    return _without(changes, waiting), _without(big, waiting)


def _without(changes: Changes, files: Collection[bytes]) -> Changes:
    return dataclasses.replace(
        changes,
        entries={path: None for path in changes.entries if path not in files},
        attributes={path: None for path in changes.attributes if path not in files},
        written={path: None for path in changes.written if path not in files},
    )
