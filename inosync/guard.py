"""The source guard: one source's watcher, and whether what lies at its path is still that source.

An unmounted, replaced or emptied source looks to rsync like one whose files were all deleted. So
nothing travels from a source before this room has looked at it. Knows neither mirrors nor rsync.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator

from inosync.big import below, big_changes, outermost
from inosync.changes import Batch
from inosync.config import Config, Source
from inosync.errors import WatchError
from inosync.events import DEFAULT_EMASK, IN_MODIFY, Change, Changes, sift
from inosync.filters import compile_filters
from inosync.mounts import file_system, mounted_below
from inosync.movedfiles import PER_RUN
from inosync.moves import LEAST, holds, steps
from inosync.plan import Plan, longest_list, plan
from inosync.settle import Fresh, compile_rules, fresh
from inosync.steps import Relink, Step
from inosync.text import printable
from inosync.watcher import Seen, Watcher

#: Directories that are watched before the queue is read again: a few milliseconds' worth.
SLICE = 512


#: Seconds by which the times of files may lag behind the clock: the kernel's tick.
_TICK = 0.05


def changed(source: Source, relative: bytes | None, since: float) -> bool:
    """Return whether a path of the source has changed `since` (Unix time), as far as lstat tells.

    Of what is not in the source, the directory that it may have been deleted from is asked. None is
    a directory above the source.
    """
    root = os.fsencode(source.path)
    path = os.path.join(root, relative or b"").rstrip(b"/")
    while len(path) >= len(root):
        try:
            return os.lstat(path).st_ctime >= since - _TICK
        except OSError:
            path = os.path.dirname(path)
    return False


class Guard:
    """Watches one source and vouches for it.

    ``watcher`` is None while the source cannot be watched. ``walked`` says that every directory has
    been watched once. With ``root_only`` no directory below the source is watched: that is enough
    to vouch for it.
    """

    def __init__(self, source: Source, config: Config, *, root_only: bool = False) -> None:
        self.source = source
        self._root_only = root_only
        self.watcher: Watcher | None = None
        self.walked = False
        self.allow_empty = config.allow_empty
        self.least = LEAST  # bytes of a renamed directory that is linked anew
        self.per_run = PER_RUN  # bytes of renamed files for which a run is worth it
        self._root = os.fsencode(source.path)
        self._emask = config.emask
        # What is not at rest shows by being written to.
        self._mask = config.emask | (IN_MODIFY if config.eopen or config.rsettle else 0)
        self._big = config.rbigsize
        self._rules = compile_rules(config.rsettle, prefix=source.prefix)
        self._marker = os.path.join(source.path, config.wmarker) if config.wmarker else ""
        self._filters = compile_filters(source.excludes, prefix=os.fsencode(source.prefix))
        # What the source was like when it was last in order.
        self._home: tuple[bytes, ...] | None = None
        self._mounts: frozenset[bytes] = frozenset()
        self._seen: frozenset[bytes] = frozenset()

    def fits(self, source: Source, config: Config) -> bool:
        """Return whether this guard does for `source` under another `config`, too."""
        other = Guard(source, config)
        return (
            self.source == source
            and (self._emask, self._mask, self._marker)
            == (other._emask, other._mask, other._marker)
            and self.allow_empty == other.allow_empty
            and (self._big, self._rules) == (other._big, other._rules)
        )

    def open(self, *, accept: bool = False) -> str:
        """Start to watch the source; return "" or why that is not possible.

        What comes back on another file system is not taken for the old source unless a person
        looked at it and said `accept`.
        """
        if accept:
            self._home = None
        try:
            os.stat(self.source.path)
            if self._home not in (None, file_system(self.source.path)):
                return "is on another file system than before (inosync --sync accepts it)"
            if wrong := self._incomplete():
                return wrong
            self.watcher = Watcher(self.source.path, filters=self._filters, emask=self._mask)
        except FileNotFoundError:
            return "is gone"  # as the watcher calls it
        except OSError as error:
            return f"cannot be reached: {error.strerror}"
        except WatchError as error:
            return f"cannot be watched: {error}"
        self.walked = False
        return ""

    def vouch(self) -> None:
        """Remember the source as it is now: so it has to be from now on."""
        self._home = file_system(self.source.path)
        self._mounts = self._seen = self._mounted()

    def lost(self) -> frozenset[bytes]:
        """Return where, relative to the source, something was mounted and is not any more.

        What a mirror has below such a place is neither updated nor deleted until it is back.
        """
        return self._mounts - self._mounted() if self._mounts else frozenset()

    def walk(self) -> bool:
        """Watch a slice of the directories that are not watched yet; return whether more are."""
        if self.watcher is None or (self.walked and not self.watcher.unfinished):
            return False
        done = self._root_only or self.watcher.walk(SLICE)
        self.walked |= done
        return not done

    def read(self) -> tuple[Changes, Seen]:
        """Return the changes that the kernel has reported and the rules admit."""
        if self.watcher is None:
            raise AssertionError(f"{self.source.path}: read without a watcher")
        seen = self.watcher.read()
        return sift(seen.files, seen.directories, self._emask, self._filters), seen

    def plan(
        self, changes: Iterable[Change], *, spare: Collection[bytes], hide: Collection[bytes] = ()
    ) -> Plan:
        """Return what a run has to name to carry `changes`, as the source is now."""
        return plan(
            changes,
            filters=self._filters,
            look=self._look,
            listing=self._listing,
            spare=spare,
            hide=hide,
            longest=longest_list(self.watcher.watched if self.watcher is not None else 0),
        )

    def big(self, changes: Iterable[Change]) -> list[Change]:
        """Return what of `changes` a lane for big files has to carry, as the source is now."""
        if not self._big:
            return []
        return big_changes(
            changes,
            size=self._big,
            filters=self._filters,
            look=self._look,
            listing=self._listing,
        )

    def fresh(self, changes: Changes, *, wall: float) -> Iterator[Fresh]:
        """Give the files in new directories that have not settled at `wall`, the time of day."""
        if not self._rules:
            return
        for directory in outermost(changes.trees):
            names = below(directory, filters=self._filters, listing=self._listing)
            files = (name for name, is_directory in names if not is_directory)
            yield from fresh(files, rules=self._rules, look=self._look, wall=wall, size=self._big)

    def files(self, paths: Iterable[bytes]) -> frozenset[bytes]:
        """Return which of these paths are there, and are no directories."""
        found = {path: self._look(path) for path in paths}
        return frozenset(
            path
            for path, status in found.items()
            if status is not None and not stat.S_ISDIR(status.st_mode)
        )

    def steps(self, batch: Batch, *, owed: Iterable[bytes], delta: bool) -> tuple[Step, ...]:
        """Return what goes before a run that carries `batch`, for what was renamed.

        See moves.py for the rest.
        """
        if self.watcher is None or self.watcher.unwatched or ~self._emask & DEFAULT_EMASK:
            return ()  # not all that happens is seen
        if self.lost():
            return ()
        return steps(
            batch,
            filters=self._filters,
            look=self._look,
            listing=self._listing,
            least=self.least,
            per_run=self.per_run,
            owed=owed,
            big=self._big,
            delta=delta,
        )

    def holds(self, relink: Relink) -> bool:
        """Return whether the source is still so that this step may be taken."""
        return holds(relink, look=self._look)

    def has(self, paths: Iterable[bytes]) -> bool:
        """Return whether any of these is in the source now."""
        return any(self._look(path) is not None for path in paths)

    def fault(self) -> str:
        """Return "" while the source is the one that is watched, else what is wrong, in words."""
        if self.watcher is None:
            return "is not watched"
        return self.watcher.root_state() or self._incomplete()

    def empty(self) -> bool:
        """Return whether there is nothing at all in the source, and that is not allowed."""
        if self.allow_empty:
            return False
        try:
            with os.scandir(self.source.path) as entries:
                return next(entries, None) is None
        except OSError:
            return True

    def remounted(self) -> frozenset[bytes]:
        """Return where something is mounted now that was not when this was last asked."""
        before, self._seen = self._seen, self._mounted()
        self._mounts |= self._seen
        return self._seen - before

    def close(self) -> None:
        """Give up all watches."""
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = None

    def _look(self, path: bytes) -> os.stat_result | None:
        try:
            # Not os.path.join, which takes longer than the call: plans look at thousands of files.
            return os.lstat(b"%b/%b" % (self._root, path))
        except OSError:
            return None

    def _listing(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        try:
            with os.scandir(b"%b/%b" % (self._root, path)) as entries:
                for entry in entries:
                    yield entry.name, entry.is_dir(follow_symlinks=False)
        except OSError:
            return

    def _incomplete(self) -> str:
        """Return what the source lacks, in words, or ""."""
        if self._marker and not os.path.lexists(self._marker):
            return f"has no {printable(os.path.basename(self._marker))} (wmarker; create it)"
        return ""

    def _mounted(self) -> frozenset[bytes]:
        below = mounted_below(self.source.path)
        return frozenset(p for p in below if self._filters.admits_path(p, directory=True))
