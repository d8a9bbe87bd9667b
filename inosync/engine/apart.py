"""What a comparison does not count against a mirror: what is left as it is there, or not owed.

Pure. Knows what the engine knows of a mirror at one moment; the rest is a difference that was
found. Says nothing of what changed meanwhile.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from inosync.changes.changes import with_parents
from inosync.config.model import Pair
from inosync.engine.ailing import LOST, Table
from inosync.rsync.causes import Cause
from inosync.rsync.differences import EXTRA, Difference, below
from inosync.text import many, printable

SETTLING = "is not at rest (rsettle)"
GIANT = "is on its way in the lane for big files"
OPEN = "may still be open for writing (eopen = 0)"

#: How many of such paths one line names.
_SOME = 3


@dataclass(frozen=True)
class Left:
    """Why a path is left as it is on a mirror; ``whole``: with all that is below it."""

    why: str
    whole: bool = False


@dataclass(frozen=True)
class Apart:
    """The paths that are left as they are on a mirror, relative to the source.

    ``giants``: files of more bytes than this are on their way, nobody knows which; 0: none are.
    """

    paths: Mapping[bytes, Left] = field(default_factory=dict)
    giants: int = 0

    def __bool__(self) -> bool:
        return bool(self.paths or self.giants)

    def __or__(self, other: Apart) -> Apart:
        return Apart({**self.paths, **other.paths}, self.giants or other.giants)

    @property
    def count(self) -> int:
        """How many there are; those without a name count as one."""
        return len(self.paths) + bool(self.giants)

    @cached_property
    def homes(self) -> frozenset[bytes]:
        """The directories that these paths are in: on a mirror they may have other times."""
        return frozenset(path.rpartition(b"/")[0] for path in self.paths)

    def holds(self, path: bytes, size: int = 0) -> bool:
        """Return whether `path`, a file of so many bytes, is left as it is."""
        if path in self.paths or (self.giants and size > self.giants):
            return True
        above = (*islice(with_parents(path), 1, None), b"")
        return any(home in self.paths and self.paths[home].whole for home in above)

    def lines(self) -> Iterable[str]:
        """Give each of them for people, with the reason."""
        for path, left in self.paths.items():
            yield f"{printable(path) or '.'} {left.why}"
        if self.giants:
            yield f"each file of more than {self.giants} bytes {GIANT}"

    def told(self) -> str:
        """Return how many there are and some of them, for people."""
        more = ", …" if self.count > _SOME else ""
        return f"{many(self.count, 'path')}: {'; '.join(islice(self.lines(), _SOME))}{more}"


NOTHING = Apart()


class Meaning(enum.Enum):
    """What a difference is."""

    DRIFT = "it counts"
    LEFT = "the path is left as it is"
    UNOWED = "nothing is owed for it"
    EXTRA = "only the mirror has it, and may keep it"


def gathered(
    *,
    settling: Iterable[bytes],
    ailing: Iterable[Table],
    lost: Iterable[bytes],
    giants: Iterable[bytes] | None,
    size: int,
) -> Apart:
    """Return what is left as it is; `giants` are those on their way, None: any above `size`."""
    found = {path: Left(GIANT) for path in giants or ()}
    found |= {path: Left(SETTLING) for path in settling}
    for table in ailing:
        for path, known in table.items():
            cause = known.complaint.cause
            # What is in a directory that is in the way stays with it.
            whole = known.complaint.whole or cause is Cause.IN_THE_WAY
            found[path] = Left(cause.value, whole)
    found |= {path: Left(LOST, whole=True) for path in lost}
    return Apart(found, size if giants is None else 0)


def meaning(difference: Difference, pair: Pair, apart: Apart, *, size: int = 0) -> Meaning:
    """Return what a difference between a source and its mirror is; `size` is that of the file."""
    source, keeps = pair.source, pair.node.rdelete != "all"
    path = below(os.fsencode(source.prefix), difference.path)
    if keeps and difference.what == EXTRA:
        return Meaning.EXTRA
    if path is None:
        # A directory above the source: sent on the way, and nobody watches it.
        return Meaning.DRIFT if difference.what == "missing" else Meaning.UNOWED
    if apart.holds(path, size):
        return Meaning.LEFT
    times = difference.path.endswith(b"/") and difference.what == "times"
    # What comes and goes in it without being sent gives it another time, and no event counts.
    if times and (keeps or path in apart.homes or source.filters.may_hide_in(path)):
        return Meaning.UNOWED
    return Meaning.DRIFT
