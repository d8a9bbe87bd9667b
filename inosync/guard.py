"""The source guard: one source's watcher, and whether what lies at its path is still that source.

An unmounted, replaced or emptied source looks to rsync like one whose files were all deleted. So
nothing travels from a source before this room has looked at it. Knows neither mirrors nor rsync.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

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


@dataclass(frozen=True)
class Known:
    """What a source was like when a mirror of it was last allowed to follow it.

    ``home`` is its file system, ``links`` are the symbolic links on the way to it, and ``mounts``
    the places in it, relative to it, on which something has been mounted since.
    """

    home: tuple[bytes, ...]
    links: frozenset[str]
    mounts: frozenset[bytes]


#: What is known of one source, by the names of the nodes that have a mirror of it. It outlives the
#: guards of the source: a reload must not forget what may not be deleted.
Memory = dict[str, Known]


def symbolic_links(path: str) -> frozenset[str]:
    """Return which of `path`, an absolute one, and of what is above it are symbolic links."""
    above = accumulate(path.split("/")[1:], "{}/{}".format, initial="")
    return frozenset(each for each in above if each and os.path.islink(each))


def _kept(source: Source) -> str:
    """Return how the paths begin whose last part is in the names that a mirror of `source` has."""
    outside = source.path.removesuffix(source.prefix) if source.prefix else source.path + "/"
    return outside if outside.endswith("/") else outside + "/"


class Guard:
    """Watches one source and vouches for it.

    ``watcher`` is None while the source cannot be watched. ``walked`` says that every directory has
    been watched once. With ``root_only`` no directory below the source is watched: that is enough
    to vouch for it. ``memory`` is what is known of the source from before.

    Each mirror is vouched for by itself: a person may accept a source as it is for one node alone.
    """

    def __init__(
        self,
        source: Source,
        config: Config,
        *,
        root_only: bool = False,
        memory: Memory | None = None,
    ) -> None:
        self.source = source
        self._root_only = root_only
        self.watcher: Watcher | None = None
        self.walked = False
        self.allow_empty = config.allow_empty
        self.hollow = False  # there was nothing in it when it was looked through
        self._accepted_empty: frozenset[str] = frozenset()  # nodes for which that is right
        self.least = LEAST  # bytes of a renamed directory that is linked anew
        self.per_run = PER_RUN  # bytes of renamed files for which a run is worth it
        self._root = os.fsencode(source.path)
        # Links in this part of the path are not followed by rsync, but copied.
        self._kept = _kept(source)
        self._emask = config.emask
        # What is not at rest shows by being written to.
        self._mask = config.emask | (IN_MODIFY if config.eopen or config.rsettle else 0)
        self._big = config.rbigsize
        self._rules = compile_rules(config.rsettle, prefix=source.prefix)
        self._marker = os.path.join(source.path, config.wmarker) if config.wmarker else ""
        self._filters = compile_filters(source.excludes, prefix=os.fsencode(source.prefix))
        self._memory: Memory = {} if memory is None else memory
        self._seen: frozenset[bytes] = frozenset()  # what was mounted when that was last asked
        self._told: frozenset[bytes] = frozenset()  # what of it is said to be gone

        self.serve(config)

    def serve(self, config: Config) -> None:
        """Vouch for the mirrors that `config` has of this source."""
        names = (p.node.name for p in config.pairs if p.source.path == self.source.path)
        self.nodes = tuple(dict.fromkeys(names))
        new = [node for node in self.nodes if node not in self._memory]
        if not new or not self._memory:
            return
        # A new node of a source that is known trusts it no more than the others do.
        home, links = file_system(self.source.path), symbolic_links(self.source.path)
        known = max(self._memory, key=lambda node: bool(self._refusal(node, home, links)))
        mounts = frozenset[bytes]().union(*(each.mounts for each in self._memory.values()))
        for node in new:
            self._memory[node] = replace(self._memory[known], mounts=mounts)

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

    def open(self, *, accept: Collection[str] = ()) -> str:
        """Start to watch the source; return "" or why that is not possible.

        What comes back on another file system, or as a symbolic link, is not taken for the old
        source by any mirror but those on nodes for which a person looked at it and said `accept`.
        """
        before = {node: self._memory.pop(node) for node in accept if node in self._memory}
        reason = self._open()
        if reason:
            self._memory.update(before)
        return reason

    def _open(self) -> str:
        self.hollow, self._accepted_empty = False, frozenset()
        try:
            os.stat(self.source.path)
            refused = self.refusals()
            if refused and len(refused) == len(self.nodes):
                return next(iter(refused.values()))
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

    def refusals(self) -> dict[str, str]:
        """Return the nodes whose mirrors may not follow the source as it is, and why, in words."""
        home, links = file_system(self.source.path), symbolic_links(self.source.path)
        found = {node: self._refusal(node, home, links) for node in self.nodes}
        return {node: reason for node, reason in found.items() if reason}

    def _refusal(self, node: str, home: tuple[bytes, ...], links: frozenset[str]) -> str:
        known = self._memory.get(node)
        if kept := sorted(link for link in links if link.startswith(self._kept)):
            return f"{self._by_way_of(kept[0])}, which rsync would copy as a link"
        if known is not None and (new := sorted(links - known.links)):
            return f"{self._by_way_of(new[0])}, and was none before (inosync --sync follows it)"
        if known is not None and known.home != home:
            return "is on another file system than before (inosync --sync accepts it)"
        if self.hollow and node not in self._accepted_empty:
            return "is empty (SIGUSR2 mirrors it as it is)"
        return ""

    def _by_way_of(self, link: str) -> str:
        if link == self.source.path:
            return "is a symbolic link now"
        return f"lies behind {printable(link)}, which is a symbolic link now"

    def vouch(self, nodes: Collection[str], *, anew: bool = False) -> None:
        """Let the mirrors on `nodes` follow the source as it is now, and remember it so.

        What was mounted in it before and is not there now stays away, unless all is taken `anew`:
        a person said that things are as they should be.
        """
        home, links = file_system(self.source.path), symbolic_links(self.source.path)
        self._seen = mounted_below(self.source.path)
        for node in nodes:
            known = None if anew else self._memory.get(node)
            before = known.mounts if known is not None else frozenset[bytes]()
            self._memory[node] = Known(home, links, before | self._seen)
            if anew:
                self._accepted_empty |= {node}

    def lost(self, node: str) -> frozenset[bytes]:
        """Return where, relative to the source, something was mounted and is not any more.

        What the mirror on `node` has at such a place is neither updated nor deleted until it is
        back.
        """
        known = self._memory.get(node)
        if known is None or not known.mounts:
            return frozenset()
        gone = known.mounts - mounted_below(self.source.path)
        return frozenset(path for path in gone if self._filters.admits_path(path, directory=True))

    def newly_lost(self) -> frozenset[bytes]:
        """Return what of any mirror's ``lost`` was not there when this was last asked."""
        lost = frozenset[bytes]().union(*(self.lost(node) for node in self.nodes))
        new, self._told = lost - self._told, lost
        return new

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

    def steps(
        self, batch: Batch, *, node: str, owed: Iterable[bytes], delta: bool
    ) -> tuple[Step, ...]:
        """Return what goes before a run that carries `batch` to `node`, for what was renamed.

        See moves.py for the rest.
        """
        if self.watcher is None or self.watcher.unwatched or ~self._emask & DEFAULT_EMASK:
            return ()  # not all that happens is seen
        if self.lost(node):
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

    def misled(self, node: str) -> str:
        """Return "" while the way to the source is one that the mirror on `node` may go."""
        links = symbolic_links(self.source.path)
        known = self._memory.get(node)
        home = known.home if known is not None else ()
        return self._refusal(node, home, links)

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
        before, self._seen = self._seen, mounted_below(self.source.path)
        for node, known in self._memory.items():
            if not self._seen <= known.mounts:
                self._memory[node] = replace(known, mounts=known.mounts | self._seen)
        new = self._seen - before
        return frozenset(path for path in new if self._filters.admits_path(path, directory=True))

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
