"""A pass in slices: what one of them carries, and how far the pass is.

Pure. A slice is either whole subtrees, which one run of rsync carries with all below them, or
single levels and files for a list (file_list.py): the directories above those subtrees, and what is
too much for one run. All slices of a pass together name each directory once, so none deletes what
another brought. They are cut in cutting.py.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from inosync.changes.changes import Changes


class Amount(NamedTuple):
    """How much there is: what it weighs, in entries, and how many directories and files it is."""

    weight: int = 0
    directories: int = 0
    files: int = 0

    def plus(self, other: Amount) -> Amount:
        """Return both together."""
        return Amount(*(one + more for one, more in zip(self, other, strict=True)))


class Reach(enum.Enum):
    """How much of a directory a part is."""

    TREE = "tree"  # a directory with all below it
    FILES = "files"  # the files in it, as yet without deletions
    LEVEL = "level"  # its level


class Part(NamedTuple):
    """Something of a pass that is still to be made."""

    reach: Reach
    path: bytes


class Todo(NamedTuple):
    """A part, and all that comes after it."""

    part: Part
    rest: Todo | None


_NOTHING = Amount()
_ALL = Todo(Part(Reach.TREE, b""), None)


@dataclass(frozen=True)
class Course:
    """How far a pass is: what is ``todo``, in order, and what has been ``done``.

    With ``sizes``, what is in the files counts as well: most of them are to be sent. ``known`` is
    what was weighed in vain, for being too much together; it only saves looking again. ``files``
    are some of a directory that wait for their turn, of the first ``listed`` ones.
    """

    todo: Todo | None = _ALL
    sizes: bool = False
    done: Amount = _NOTHING
    files: tuple[bytes, ...] = ()
    listed: int = 0
    known: dict[bytes, Amount] = field(default_factory=dict, compare=False)

    @property
    def untouched(self) -> bool:
        """Whether nothing of the pass has been made, and nothing cut."""
        return self.todo is _ALL

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.todo is None

    def with_pieces(self, pieces: Iterable[Slice]) -> Course:
        """Return the course of which these pieces have not been made."""
        todo, done = self.todo, self.done
        for piece in pieces:
            done = Amount(*(all_ - made for all_, made in zip(done, piece.amount, strict=True)))
            homes = dict.fromkeys(path.rpartition(b"/")[0] for path in piece.changes.entries)
            for reach, paths in (
                (Reach.LEVEL, piece.changes.levels),
                (Reach.FILES, homes),
                (Reach.TREE, piece.trees),
            ):
                for path in paths:
                    todo = Todo(Part(reach, path), todo)
        return replace(self, todo=todo, done=done, files=(), listed=0)

    def parts(self, most: int) -> tuple[tuple[str, bytes], ...] | None:
        """Return what is left, as words and paths; None when that is more than so `most`."""
        todo, found = self.todo, list[tuple[str, bytes]]()
        while todo is not None and len(found) <= most:
            found.append((todo.part.reach.value, todo.part.path))
            todo = todo.rest
        return tuple(found) if len(found) <= most else None


@dataclass(frozen=True)
class Slice:
    """What one slice carries: ``trees``, or ``changes`` for a list; neither: nothing is left.

    ``repeated``: it is made once more, for what the first run had to leave out.
    """

    trees: tuple[bytes, ...] = ()
    changes: Changes = field(default_factory=Changes)
    amount: Amount = _NOTHING
    repeated: bool = False

    @property
    def all(self) -> Changes:
        """What it carries, as changes."""
        return replace(self.changes, trees=dict.fromkeys(self.trees))


def course_of(
    parts: Sequence[tuple[str, bytes]], *, sizes: bool, weight: int, directories: int, files: int
) -> Course:
    """Return the course of which these parts are left; raise ValueError for what is none."""
    todo: Todo | None = None
    for reach, path in reversed(parts):
        todo = Todo(Part(Reach(reach), path), todo)
    return Course(todo, sizes, Amount(weight, directories, files))
