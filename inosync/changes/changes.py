"""The event filter: what inotify reported becomes a change, or is nobody's business.

Pure. Knows the bits of inotify(7) and the exclude rules; knows neither pyinotify nor a file system.
The bits are kernel ABI (include/uapi/linux/inotify.h) and therefore plain numbers here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from inosync.rsync.filters import Filters, Hiding

_Any = TypeVar("_Any")

IN_ACCESS = 0x001
IN_MODIFY = 0x002
IN_ATTRIB = 0x004
IN_CLOSE_WRITE = 0x008
IN_CLOSE_NOWRITE = 0x010
IN_OPEN = 0x020
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_UNMOUNT = 0x2000
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ISDIR = 0x4000_0000

#: The names a config's ``emask`` may use.
MASK_BITS = {
    "IN_MODIFY": IN_MODIFY,
    "IN_ATTRIB": IN_ATTRIB,
    "IN_CLOSE_WRITE": IN_CLOSE_WRITE,
    "IN_MOVED_FROM": IN_MOVED_FROM,
    "IN_MOVED_TO": IN_MOVED_TO,
    "IN_CREATE": IN_CREATE,
    "IN_DELETE": IN_DELETE,
    "IN_DELETE_SELF": IN_DELETE_SELF,
    "IN_MOVE_SELF": IN_MOVE_SELF,
}

DEFAULT_EMASK = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB

_APPEARED = IN_CREATE | IN_MOVED_TO
_VANISHED = IN_DELETE | IN_MOVED_FROM


#: What inotify said: by the paths that directories have now, relative to the source (``b""``: the
#: source itself), and by names in there, the bits of all events about a name, in one. Names may end
#: in NULs, as the kernel pads them; ``b""`` is the directory itself.
Touched = Mapping[bytes, Mapping[bytes, int]]


class Kind(enum.Enum):
    """How far a change reaches."""

    ENTRY = "entry"  # this path itself: content or attributes
    LEVEL = "level"  # something vanished from this directory
    TREE = "tree"  # this directory and everything below it
    WRITTEN = "written"  # this file, by a program that has not closed it yet


class Change(NamedTuple):
    """One path under a source (``b""``: the source itself) that may differ on the mirrors."""

    path: bytes
    kind: Kind


@dataclass(eq=False, slots=True)
class Changes(Set[Change]):
    """A set of changes, as the paths of each kind: no object for each of them.

    The paths are the keys, in the order in which they came. ``again`` is how many changes were told
    besides that are in the set already. Whoever makes one may fill it; then it is left as it is.
    """

    entries: dict[bytes, None] = field(default_factory=dict)
    levels: dict[bytes, None] = field(default_factory=dict)
    trees: dict[bytes, None] = field(default_factory=dict)
    written: dict[bytes, None] = field(default_factory=dict)
    again: int = 0

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Changes:
        """Return the set of `changes`."""
        found = cls()
        for path, kind in changes:
            paths = found._paths(kind)
            found.again += path in paths
            paths[path] = None
        return found

    @property
    def count(self) -> int:
        """How many changes were told."""
        return len(self) + self.again

    def update(self, other: Changes) -> None:
        """Add what is in `other`."""
        before = self.count
        self.entries.update(other.entries)
        self.levels.update(other.levels)
        self.trees.update(other.trees)
        self.written.update(other.written)
        self.again = before + other.count - len(self)

    def _paths(self, kind: Kind) -> dict[bytes, None]:
        if kind is Kind.ENTRY:
            return self.entries
        if kind is Kind.LEVEL:
            return self.levels
        return self.trees if kind is Kind.TREE else self.written

    @classmethod
    def _from_iterable(cls, elements: Iterable[_Any]) -> Set[_Any]:
        return frozenset(elements)  # what the operators of Set make

    def __len__(self) -> int:
        return len(self.entries) + len(self.levels) + len(self.trees) + len(self.written)

    def __iter__(self) -> Iterator[Change]:
        for kind in Kind:
            for path in self._paths(kind):
                yield Change(path, kind)

    def __contains__(self, change: object) -> bool:
        return isinstance(change, Change) and change.path in self._paths(change.kind)


class Move(NamedTuple):
    """A directory of a source that was renamed within it: where it was, and where it is now.

    ``via`` are the paths that it had in between. Or a `file`; `sure`: nothing else has happened to
    it, nor under its old path before.
    """

    old: bytes
    new: bytes
    via: tuple[bytes, ...] = ()
    file: bool = False
    sure: bool = True

    @property
    def places(self) -> tuple[bytes, ...]:
        """All paths that it had."""
        return (self.old, *self.via, self.new)


# How far what is told of a name reaches: bits, since it may be several at once.
_ENTRY, _LEVEL, _TREE, _WRITTEN = 1, 2, 4, 8


def sift(files: Touched, directories: Touched, emask: int, filters: Filters) -> Changes:
    """Return the changes that events stand for; those that are none of our business are left out.

    That is what is not in `emask`, and what the exclude rules hide. `directories` are events about
    names of directories, `files` about all others. Only directories that the rules admit are
    watched, so these are not looked at again. ``IN_MODIFY`` counts as WRITTEN when it is not in
    `emask`; watch for it or not, as needed.
    """
    found = Changes()
    reaches = _Reaches(emask)
    _sift(files, found, reaches, filters.hiding(directories=False))
    _sift(directories, found, reaches, filters.hiding(directories=True))
    return found


def _sift(
    touched: Touched, found: Changes, reaches: Mapping[int, int], hiding: Hiding | None
) -> None:
    """Add what is told of some names to `found`. The loop inside is run for every changed file."""
    entries, hides = found.entries, None
    for directory, masks in touched.items():
        lead = directory + b"/" if directory else b""
        if hiding is not None:
            hides = hiding(directory)
        for padded, mask in masks.items():
            reach = reaches[mask]
            name = padded.rstrip(b"\0")
            if not reach or (hides is not None and name and hides(name)):
                continue
            path = lead + name if name else directory
            if reach & _ENTRY:
                entries[path] = None
            if reach > _ENTRY:  # seldom
                if reach & _LEVEL:
                    found.again += directory in found.levels
                    found.levels[directory] = None
                if reach & _TREE:
                    found.trees[path] = None
                if reach & _WRITTEN:
                    found.written[path] = None


class _Reaches(dict[int, int]):
    """How far each mask reaches, worked out once: many names have few masks."""

    def __init__(self, emask: int) -> None:
        self._emask = emask

    def __missing__(self, mask: int) -> int:
        reach = self[mask] = _reach(mask, self._emask)
        return reach


def _reach(mask: int, emask: int) -> int:
    wanted = mask & emask
    reach = 0
    if wanted & _VANISHED:
        reach = _LEVEL
        if not mask & _APPEARED:
            return reach
        # What appeared under the name, before or after, is another thing.
        wanted &= ~_VANISHED
    if wanted & _APPEARED and mask & IN_ISDIR:
        return reach | _TREE
    if wanted:
        return reach | _ENTRY
    return reach | _WRITTEN if mask & IN_MODIFY else reach
