"""What has changed in a source: one change, a set of them, a rename. Plain values."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

_Any = TypeVar("_Any")

#: The device and the inode of a file: all of its names (hard links) have the same.
Inode = tuple[int, int]


class Kind(enum.Enum):
    """How far a change reaches."""

    ENTRY = "entry"  # this path itself: content or attributes
    ATTRIBUTES = "attributes"  # this path itself, and for certain not its content
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
    attributes: dict[bytes, None] = field(default_factory=dict)
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

    @property
    def last(self) -> tuple[bytes, ...]:
        """The path of each kind that came last."""
        kinds = (self.entries, self.attributes, self.levels, self.trees)
        return tuple(next(reversed(paths)) for paths in kinds if paths)

    def update(self, other: Changes) -> None:
        """Add what is in `other`."""
        before = self.count
        self.entries.update(other.entries)
        self.attributes.update(other.attributes)
        self.levels.update(other.levels)
        self.trees.update(other.trees)
        self.written.update(other.written)
        self.again = before + other.count - len(self)

    def _paths(self, kind: Kind) -> dict[bytes, None]:
        if kind is Kind.ENTRY:
            return self.entries
        if kind is Kind.ATTRIBUTES:
            return self.attributes
        if kind is Kind.LEVEL:
            return self.levels
        return self.trees if kind is Kind.TREE else self.written

    @classmethod
    def _from_iterable(cls, elements: Iterable[_Any]) -> Set[_Any]:
        return frozenset(elements)  # what the operators of Set make

    def __len__(self) -> int:
        named = len(self.entries) + len(self.attributes) + len(self.written)
        return named + len(self.levels) + len(self.trees)

    def __iter__(self) -> Iterator[Change]:
        for kind in Kind:
            for path in self._paths(kind):
                yield Change(path, kind)

    def __contains__(self, change: object) -> bool:
        return isinstance(change, Change) and change.path in self._paths(change.kind)


def with_parents(path: bytes) -> Iterator[bytes]:
    """Give `path` and the directories on the way to it, the deepest first; never the source."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


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
