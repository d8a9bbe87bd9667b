"""The source guard: whether what lies at the path of a source is still that source.

An unmounted, replaced or emptied source looks to rsync like one whose files were all deleted. So
nothing travels from a source that this room has not vouched for. Knows neither mirrors nor rsync,
and watches nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from inosync.config.model import Config, Source
from inosync.text import printable
from inosync.watch.mounts import file_system, file_systems_below, mounted_below
from inosync.watch.way import Step, name_of, trusted, way

#: Of so many places to which a path has led it is remembered which file system was there.
_MOST_PLACES = 64

#: What tells a file system from others.
Home = tuple[bytes, ...]


@dataclass(frozen=True)
class Known:
    """What a source was like when a mirror of it was last allowed to follow it.

    Its path led to ``place`` (a true path) and there to ``inode`` of the file system ``home``, by
    way of ``links`` (their true paths, and where they led); these ``parts`` of the path were links.
    ``mounts`` are the places in it, relative to it, on which something has been mounted since, and
    ``homes`` the file systems of other places to which its path had led. It was ``empty``, and a
    person has said that this is right.
    """

    place: bytes
    inode: int
    home: Home
    links: frozenset[tuple[bytes, bytes]]
    parts: frozenset[str]
    mounts: frozenset[bytes]
    homes: tuple[tuple[bytes, Home], ...] = ()
    empty: bool = False


@dataclass(frozen=True)
class _Now:
    """The same, as it is now."""

    place: bytes
    inode: int
    home: Home
    links: tuple[Step, ...]
    parts: frozenset[str]


#: What is known of one source, by the names of the nodes that have a mirror of it. It outlives the
#: guards of the source: a reload must not forget what may not be deleted.
Memory = dict[str, Known]


def _kept(source: Source) -> str:
    """Return how the paths begin whose last part is in the names that a mirror of `source` has."""
    outside = source.path.removesuffix(source.prefix) if source.prefix else source.path + "/"
    return outside if outside.endswith("/") else outside + "/"


class Guard:
    """Vouches for one source. ``memory`` is what is known of it from before.

    Each mirror is vouched for by itself: a person may accept a source as it is for one node alone.
    """

    def __init__(self, source: Source, config: Config, *, memory: Memory | None = None) -> None:
        self.source = source
        self.allow_empty = config.allow_empty
        self.hollow = False  # there was nothing in it when it was looked through
        self._accepted_empty: frozenset[str] = frozenset()  # nodes for which that is right
        # Links in this part of the path are not followed by rsync, but copied.
        self._kept = _kept(source)
        marker = config.of(source).wmarker
        self._marker = os.path.join(source.path, marker) if marker else ""
        # The path whose being there matters: what happens on the way to it may end a hold.
        self.vital = self._marker or source.path
        self._memory: Memory = {} if memory is None else memory
        self._seen: dict[bytes, Home] = {}  # what was mounted where when that was last asked
        self._homes: dict[bytes, Home] = {}  # the same, also when only a path has changed
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
        now = self._now()
        known = max(self._memory, key=lambda node: bool(self._refusal(node, now)))
        mounts = self._ever_mounted(self._memory)
        for node in new:
            self._memory[node] = replace(self._memory[known], mounts=mounts, empty=False)

    def forget(self, nodes: Collection[str]) -> Memory:
        """Forget what the mirrors on `nodes` trusted, and return it for :meth:`remember`."""
        return {node: self._memory.pop(node) for node in nodes if node in self._memory}

    def remember(self, before: Memory) -> None:
        """Trust again what was forgotten, and nothing else."""
        self._memory.update(before)

    def accept_empty(self, nodes: Collection[str]) -> None:
        """For these alone, a person said just now, it is right when nothing is in it."""
        self._accepted_empty = frozenset(nodes)

    def objection(self) -> str:
        """Return "" if the source may be watched for some mirror, else why not. OSError: no way."""
        self.hollow, self._accepted_empty = False, frozenset()
        os.stat(self.source.path)
        refused = self.refusals()
        if refused and len(refused) == len(self.nodes):
            return next(iter(refused.values()))
        return self.incomplete()

    def refusals(self) -> dict[str, str]:
        """Return the nodes whose mirrors may not follow the source as it is, and why, in words."""
        now = self._now()
        return self._those(lambda node: self._refusal(node, now))

    def strays(self) -> dict[str, str]:
        """Return the nodes whose mirrors may not go this way to the source, and why, in words."""
        now = self._way()
        return self._those(lambda node: self._astray(node, now))

    def stray(self, node: str) -> str:
        """Return "" if the mirror on `node` may go this way to the source, else why not."""
        return self._astray(node, self._way())

    def _those(self, reason: Callable[[str], str]) -> dict[str, str]:
        found = {node: reason(node) for node in self.nodes}
        return {node: why for node, why in found.items() if why}

    def _now(self) -> _Now:
        return replace(self._way(), home=file_system(self.source.path))

    def _way(self) -> _Now:
        """Return how the path leads to the source, without a look at the file system there."""
        steps = way(self.source.path)
        links = tuple(step for step in steps if step.target)
        last = steps[-1] if steps else Step(b"/", "")
        return _Now(last.place, last.inode, (), links, frozenset(step.part for step in links))

    def _refusal(self, node: str, now: _Now) -> str:
        known = self._memory.get(node)
        if astray := self._astray(node, now):
            return astray
        if known is not None:
            homes = dict((*known.homes, (known.place, known.home)))
            if homes.get(now.place, now.home) != now.home:
                return "is on another file system than before (inosync --sync accepts it)"
        accepted = node in self._accepted_empty or (known is not None and known.empty)
        if self.hollow and not accepted:
            return "is empty (inosync --sync mirrors it as it is)"
        return ""

    def _astray(self, node: str, now: _Now) -> str:
        """Return "" if the mirror on `node` may go this way to the source, else why not."""
        known = self._memory.get(node)
        if kept := sorted(part for part in now.parts if part.startswith(self._kept)):
            return f"{self._by_way_of(kept[0])}, which rsync would copy as a link"
        if known is None:
            return ""
        if new := sorted(now.parts - known.parts):
            return f"{self._by_way_of(new[0])}, and was none before (inosync --sync follows it)"
        if now.place != known.place:
            # Where a link leads counts as the word of its owner.
            for step in now.links:
                if (step.place, step.target) not in known.links and step.owner not in trusted():
                    return (
                        f"would be another directory: {name_of(step.owner)} has switched "
                        f"{printable(step.place)} to {printable(step.target)}"
                        " (inosync --sync follows it)"
                    )
        return ""

    def _by_way_of(self, link: str) -> str:
        if link == self.source.path:
            return "is a symbolic link now"
        return f"lies behind {printable(link)}, which is a symbolic link now"

    def news(self) -> str:
        """Return "" while the source is the directory that any mirror has followed, else what is.

        One that was given the same inode number is new itself, and so is all that is in it.
        """
        now = self._now()
        for known in (self._memory[node] for node in self.nodes if node in self._memory):
            if known.place != now.place:
                return f"leads to {printable(now.place)} now, not to {printable(known.place)}"
            if (known.inode, known.home) != (now.inode, now.home):
                return "is another directory now"
        return ""

    def vouch(self, nodes: Collection[str], *, anew: bool = False) -> None:
        """Let the mirrors on `nodes` follow the source as it is now, and remember it so.

        What was mounted in it before and is not there now stays away, unless all is taken `anew`:
        a person said that things are as they should be.
        """
        now = self._now()
        links = frozenset((step.place, step.target) for step in now.links)
        self._seen = self._homes = file_systems_below(self.source.path)
        for node in nodes:
            known, homes = self._memory.get(node), dict[bytes, Home]()
            accepted = node in self._accepted_empty or (known is not None and known.empty)
            before = frozenset[bytes]()
            if known is not None and not anew:
                before = known.mounts
                homes = dict((*known.homes, (known.place, known.home)))
            homes.pop(now.place, None)
            self._memory[node] = Known(
                place=now.place,
                inode=now.inode,
                home=now.home,
                links=links,
                parts=now.parts,
                mounts=before.union(self._seen),
                homes=tuple(homes.items())[-_MOST_PLACES:],
                empty=self.hollow and (anew or accepted),
            )
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
        admits = self.source.filters.admits_path
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

    def look_inside(self) -> bool:
        """Return whether anything is in the source; then it is accepted as empty no more."""
        self.hollow = self.empty()
        if not self.hollow:
            for node, known in self._memory.items():
                if known.empty:
                    self._memory[node] = replace(known, empty=False)
        return not self.hollow

    def empty(self) -> bool:
        """Return whether there is nothing at all in the source, and that is not allowed."""
        if self.allow_empty:
            return False
        try:
            with os.scandir(self.source.path) as entries:
                return next(entries, None) is None
        except OSError:
            return True

    def learn(self) -> None:
        """Know of what is mounted in directories that a rename has brought to another place.

        The table of mounts announces the next mount and unmount (proc(5), poll on mountinfo), and
        not that the path of one is another now. What has moved within the source is not lost.
        """
        if mounted_below(self.source.path) == self._homes.keys():
            return
        before, self._homes = self._homes, file_systems_below(self.source.path)
        came = [home for place, home in self._homes.items() if place not in before]
        left = {place for place in before if place not in self._homes and before[place] in came}
        for node, known in self._memory.items():
            self._memory[node] = replace(known, mounts=(known.mounts - left).union(self._homes))

    def remounted(self) -> frozenset[bytes]:
        """Return where something is mounted now that was not when this was last asked.

        Also where something else was: one may have gone, and another come, since then.
        """
        before, self._seen = self._seen, file_systems_below(self.source.path)
        self._homes = self._seen
        for node, known in self._memory.items():
            if not known.mounts.issuperset(self._seen):
                self._memory[node] = replace(known, mounts=known.mounts.union(self._seen))
        fresh = (place for place, home in self._seen.items() if before.get(place) != home)
        return self._admitted(frozenset(fresh))

    def incomplete(self) -> str:
        """Return what the source lacks, in words, or ""."""
        if self._marker and not os.path.lexists(self._marker):
            return f"has no {printable(os.path.basename(self._marker))} (wmarker; create it)"
        return ""
