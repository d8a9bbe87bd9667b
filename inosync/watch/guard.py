"""The source guard: one source's watcher, and whether what lies at its path is still that source.

An unmounted, replaced or emptied source looks to rsync like one whose files were all deleted. So
nothing travels from a source before this room has looked at it. Knows neither mirrors nor rsync.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import accumulate

from inosync.changes.changes import Changes
from inosync.changes.inotify_bits import DEFAULT_EMASK, IN_CLOSE_WRITE, IN_MODIFY
from inosync.config.model import Config, Source
from inosync.errors import WatchError
from inosync.text import printable
from inosync.watch.files import Files
from inosync.watch.mounts import file_system, mounted_below
from inosync.watch.sift import sift
from inosync.watch.watcher import Seen, Watcher

#: Directories that are watched before the queue is read again: a few milliseconds' worth.
SLICE = 512


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


def _asked(config: Config) -> tuple[object, ...]:
    """Return what a config says that a source has to be watched and looked through by."""
    watched_for = (config.emask, bool(config.eopen or config.rsettle))
    return (*watched_for, config.wmarker, config.allow_empty, config.rbigsize, config.rsettle)


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
        # Links in this part of the path are not followed by rsync, but copied.
        self._kept = _kept(source)
        self._emask = config.emask
        # What is not at rest shows by being written to, and truncate(2) by nothing else.
        listens = config.eopen or config.rsettle or config.emask & IN_CLOSE_WRITE
        self._mask = config.emask | (IN_MODIFY if listens else 0)
        self._asked = _asked(config)
        self._marker = os.path.join(source.path, config.wmarker) if config.wmarker else ""
        self.files = Files(source)
        self.filters = source.filters
        self._memory: Memory = {} if memory is None else memory
        self._seen: frozenset[bytes] = frozenset()  # what was mounted when that was last asked
        self._told: frozenset[bytes] = frozenset()  # what of it is said to be gone

        self.serve(config)

    def serve(self, config: Config) -> None:
        """Vouch for the mirrors that `config` has of this source."""
        self._only_closed = not config.eopen and bool(config.emask & IN_CLOSE_WRITE)
        names = (p.node.name for p in config.pairs if p.source.path == self.source.path)
        self.nodes = tuple(dict.fromkeys(names))
        new = [node for node in self.nodes if node not in self._memory]
        if not new or not self._memory:
            return
        # A new node of a source that is known trusts it no more than the others do.
        home, links = file_system(self.source.path), symbolic_links(self.source.path)
        known = max(self._memory, key=lambda node: bool(self._refusal(node, home, links)))
        mounts = self._ever_mounted(self._memory)
        for node in new:
            self._memory[node] = replace(self._memory[known], mounts=mounts)

    def fits(self, source: Source, config: Config) -> bool:
        """Return whether this guard does for `source` under another `config`, too."""
        return self.source == source and self._asked == _asked(config)

    def open(self, *, accept: Collection[str] = ()) -> str:
        """Start to watch the source; return "" or why that is not possible.

        What comes back on another file system, or as a symbolic link, is not taken for the old
        source by any mirror but those on nodes for which a person looked at it and said `accept`.
        """
        before = {node: self._memory.pop(node) for node in accept if node in self._memory}
        reason = self._open()
        if reason:
            self._memory.update(before)
        else:
            self._accepted_empty = frozenset(accept)
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
            self.watcher = Watcher(self.source.path, filters=self.filters, emask=self._mask)
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
        if astray := self._astray(node, links):
            return astray
        if known is not None and known.home != home:
            return "is on another file system than before (inosync --sync accepts it)"
        if self.hollow and node not in self._accepted_empty:
            return "is empty (SIGUSR2 mirrors it as it is)"
        return ""

    def _astray(self, node: str, links: frozenset[str]) -> str:
        """Return "" if the mirror on `node` may go this way to the source, else why not."""
        known = self._memory.get(node)
        if kept := sorted(link for link in links if link.startswith(self._kept)):
            return f"{self._by_way_of(kept[0])}, which rsync would copy as a link"
        if known is not None and (new := sorted(links - known.links)):
            return f"{self._by_way_of(new[0])}, and was none before (inosync --sync follows it)"
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
        return self._admitted(known.mounts - mounted_below(self.source.path))

    def _admitted(self, paths: frozenset[bytes]) -> frozenset[bytes]:
        admits = self.filters.admits_path
        return frozenset(path for path in paths if admits(path, directory=True))

    def newly_lost(self) -> frozenset[bytes]:
        """Return what of any mirror's ``lost`` was not there when this was last asked."""
        lost = self._admitted(self._ever_mounted(self.nodes) - mounted_below(self.source.path))
        new, self._told = lost - self._told, lost
        return new

    def _ever_mounted(self, nodes: Collection[str]) -> frozenset[bytes]:
        """Return what any of the mirrors on `nodes` knows to have been mounted in the source."""
        known = (self._memory[node].mounts for node in nodes if node in self._memory)
        return frozenset[bytes]().union(*known)

    @property
    def walking(self) -> bool:
        """Whether there are directories that are still to be watched."""
        if self.watcher is None:
            return False
        return not self.walked or (self.watcher.unfinished and not self._root_only)

    def walk(self) -> bool:
        """Watch a slice of the directories that are not watched yet; return whether more are."""
        if self.watcher is None or not self.walking:
            return False
        done = self._root_only or self.watcher.walk(SLICE)
        self.walked |= done
        return not done

    def read(self) -> tuple[Changes, Seen]:
        """Return the changes that the kernel has reported and the rules admit."""
        if self.watcher is None:
            raise AssertionError(f"{self.source.path}: read without a watcher")
        seen = self.watcher.read()
        changes = sift(seen.files, seen.directories, self._emask, self.filters)
        if self._only_closed and changes.written:
            # A file that nobody has open will not be closed: truncate(2) needs no descriptor.
            done = (path for path in changes.written if not self.files.being_written(path))
            changes.entries.update(dict.fromkeys(done))
        return changes, seen

    @property
    def sees_all(self) -> bool:
        """Whether nothing happens in the source, as it is now, without an event."""
        seen = self.watcher is not None and not self.watcher.unwatched
        return seen and not ~self._emask & DEFAULT_EMASK

    def fault(self) -> str:
        """Return "" while the source is the one that is watched, else what is wrong, in words."""
        if self.watcher is None:
            return "is not watched"
        return self.watcher.root_state() or self._incomplete()

    def misled(self, node: str) -> str:
        """Return "" while the way to the source is one that the mirror on `node` may go."""
        return self._astray(node, symbolic_links(self.source.path))

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
        return self._admitted(self._seen - before)

    def close(self) -> None:
        """Give up all watches."""
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = None

    def _incomplete(self) -> str:
        """Return what the source lacks, in words, or ""."""
        if self._marker and not os.path.lexists(self._marker):
            return f"has no {printable(os.path.basename(self._marker))} (wmarker; create it)"
        return ""
