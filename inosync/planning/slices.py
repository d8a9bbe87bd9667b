"""A pass in slices: what of a source the next one carries, and what is left for the others.

Pure: sees the source through the View that it is handed, at the moment it is called. A slice is
either whole subtrees, which one run of rsync carries with all below them, or single levels and
files for a list (file_list.py): the directories above those subtrees, and what is too much for one
run. All slices of a pass together name each directory once, so none deletes what another brought.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from inosync.changes.changes import Changes
from inosync.planning.file_list import LONGEST_LIST
from inosync.planning.view import View
from inosync.rsync.filters import Filters

#: So many bytes of a file that is to be sent count as much as one more entry.
GRAIN = 16384

#: What slices that are made at once weigh together at the most. To cut them takes the daemon, which
#: hears nothing meanwhile, some 2 us for each entry.
MOST_AT_ONCE = 50_000

#: How many subtrees a run names: they are words of its command line.
MOST_TREES = 500
#: How many bytes these words have. Linux takes 2 MB of them all (execve(2)).
MOST_BYTES = 100_000
#: How many names of files in one directory are kept until they have their turn.
_AT_ONCE = 2_000


class Amount(NamedTuple):
    """How much there is: what it weighs, in entries, and how many directories and files it is."""

    weight: int = 0
    directories: int = 0
    files: int = 0

    def plus(self, other: Amount) -> Amount:
        """Return both together."""
        return Amount(*(one + more for one, more in zip(self, other, strict=True)))


class _Reach(enum.Enum):
    TREE = "tree"  # a directory with all below it
    FILES = "files"  # the files in it, as yet without deletions
    LEVEL = "level"  # its level


class _Part(NamedTuple):
    """Something of a pass that is still to be made."""

    reach: _Reach
    path: bytes


class _Todo(NamedTuple):
    """A part, and all that comes after it."""

    part: _Part
    rest: _Todo | None


_NOTHING = Amount()
_ALL = _Todo(_Part(_Reach.TREE, b""), None)


@dataclass(frozen=True)
class Course:
    """How far a pass is: what is ``todo``, in order, and what has been ``done``.

    With ``sizes``, what is in the files counts as well: most of them are to be sent. ``known`` is
    what was weighed in vain, for being too much together; it only saves looking again. ``files``
    are some of a directory that wait for their turn, of the first ``listed`` ones.
    """

    todo: _Todo | None = _ALL
    sizes: bool = False
    done: Amount = _NOTHING
    files: tuple[bytes, ...] = ()
    listed: int = 0
    known: dict[bytes, Amount] = field(default_factory=dict, compare=False)

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
                (_Reach.LEVEL, piece.changes.levels),
                (_Reach.FILES, homes),
                (_Reach.TREE, piece.trees),
            ):
                for path in paths:
                    todo = _Todo(_Part(reach, path), todo)
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
    todo: _Todo | None = None
    for reach, path in reversed(parts):
        todo = _Todo(_Part(_Reach(reach), path), todo)
    return Course(todo, sizes, Amount(weight, directories, files))


def small(course: Course, budget: int, *, view: View, filters: Filters) -> bool:
    """Return whether nothing of a pass has been made, and one slice would carry all of it."""
    if course.todo is not _ALL:
        return False
    return _Cutter(course, budget, view, filters).weigh(b"", budget) is not None


def cut(course: Course, budget: int, *, view: View, filters: Filters) -> tuple[Slice, Course]:
    """Return the next slice, of about `budget` entries' weight, and the course after it.

    It may weigh half as much again, and more where one directory by itself does.
    """
    return _Cutter(course, budget, view, filters).cut()


def cut_beside(
    course: Course, budget: int, most: int, *, view: View, filters: Filters
) -> tuple[tuple[Slice, ...], Course]:
    """Return the next slices, up to so many, that may be made at once, and the course after them.

    One with levels is made alone: what lies in these directories is there before, and what is below
    them comes after it, so that no two make, delete or date the same thing.
    """
    budget = max(1, min(budget, MOST_AT_ONCE // most))
    piece, course = cut(course, budget, view=view, filters=filters)
    pieces = [piece]
    while len(pieces) < most and not (course.over or piece.changes.levels):
        piece, after = cut(course, budget, view=view, filters=filters)
        if not piece.changes.levels:
            pieces.append(piece)
            course = after
    return tuple(pieces), course


class _Cutter:
    """Cuts one slice off a course."""

    def __init__(self, course: Course, budget: int, view: View, filters: Filters) -> None:
        self._course = course
        self._todo = course.todo
        self._files = course.files
        self._listed = course.listed
        self._budget = max(1, budget)
        self._view = view
        self._filters = filters
        self._known = course.known
        self._amount = Amount()
        self._bytes = 0
        self._trees: list[bytes] = []
        self._changes = Changes()

    def cut(self) -> tuple[Slice, Course]:
        while self._todo is not None and self._amount.weight < self._budget and self._room():
            part = self._todo.part
            if not (self._tree if part.reach is _Reach.TREE else self._single)(part):
                break
        course = replace(
            self._course,
            todo=self._todo,
            files=self._files,
            listed=self._listed,
            done=self._course.done.plus(self._amount),
        )
        return Slice(tuple(self._trees), self._changes, self._amount), course

    def _room(self) -> bool:
        return len(self._trees) < MOST_TREES and self._bytes < MOST_BYTES

    def _next(self) -> None:
        assert self._todo is not None
        self._todo = self._todo.rest

    def _tree(self, part: _Part) -> bool:
        """Take a whole subtree, or split it; return False when it is for the next slice."""
        left = max(self._budget - self._amount.weight, self._budget // 2)
        amount = self.weigh(part.path, left) if part.path else None
        if amount is None:
            if self._trees:
                return False
            self._next()
            self._split(part.path)
            return True
        if self._changes:
            return False
        self._known.pop(part.path, None)
        self._next()
        self._trees.append(part.path)
        self._bytes += len(part.path)
        self._amount = self._amount.plus(amount)
        return True

    def _split(self, path: bytes) -> None:
        """Let the level of a directory come next, and then what lies in it."""
        for child in sorted(self._children(path), key=self._age, reverse=True):
            self._todo = _Todo(_Part(_Reach.TREE, child), self._todo)
        self._todo = _Todo(_Part(_Reach.LEVEL, path), self._todo)
        if self._course.sizes:
            self._todo = _Todo(_Part(_Reach.FILES, path), self._todo)

    def _age(self, path: bytes) -> float:
        """Return what sorts the directory that was changed last first."""
        status = self._view.look(path)
        return 0.0 if status is None else -status.st_ctime

    def _children(self, path: bytes) -> Iterator[bytes]:
        lead = path + b"/" if path else b""
        for name, is_directory in self._view.listing(path):
            if is_directory and self._filters.admits(lead + name, directory=True):
                yield lead + name

    def _single(self, part: _Part) -> bool:
        """Take a level, or files of one; return False when that is for the next slice."""
        if self._trees:
            return False
        if part.reach is _Reach.FILES:
            if len(self._changes) >= LONGEST_LIST:
                return False
            if self._some_files(part.path):
                return True
        self._next()
        self._changes.levels[part.path] = None
        # With sizes its files have been weighed by now.
        inside = [] if self._course.sizes else list(self._view.listing(part.path))
        files = sum(not is_directory for _, is_directory in inside)
        self._amount = self._amount.plus(Amount(1 + len(inside), 1, files))
        return True

    def _some_files(self, path: bytes) -> bool:
        """Take as many files of a directory as there is room for; False: its level takes all."""
        begins = not self._listed
        files = self._files or self._more(path)
        weight, count = 0, 0
        most = min(len(files), LONGEST_LIST - len(self._changes))
        while count < most and self._amount.weight + weight < self._budget:
            weight += self._weight(files[count])
            count += 1
        self._amount = self._amount.plus(Amount(weight, 0, count))
        self._files = files[count:]
        ends = not self._files and (not files or self._listed % _AT_ONCE != 0)
        if ends:
            self._listed = 0
            self._next()
            if begins:
                return False
        self._changes.entries.update(dict.fromkeys(files[:count]))
        return True

    def _more(self, path: bytes) -> tuple[bytes, ...]:
        """Return the next files of a directory; what comes and goes meanwhile is for its level."""
        lead = path + b"/" if path else b""
        admitted = (
            lead + name
            for name, is_directory in self._view.listing(path)
            if not is_directory and self._filters.admits(lead + name, directory=False)
        )
        files = tuple(islice(admitted, self._listed, self._listed + _AT_ONCE))
        self._listed += len(files)
        return files

    def _weight(self, path: bytes) -> int:
        """Return what a file weighs."""
        status = self._view.look(path) if self._course.sizes else None
        return 1 if status is None else 1 + status.st_size // GRAIN

    def weigh(self, path: bytes, most: int) -> Amount | None:
        """Return how much there is in a directory; None: it weighs more than `most`.

        What has been weighed completely when that turns out is remembered: it is asked for next.
        """
        if path not in self._known:
            open_ = [self._level(path, most)]
            spent = open_[0].amount.weight
            while open_ and spent <= most:
                top = open_[-1]
                if top.left:
                    child = top.left.pop()
                    if child in self._known:
                        spent += self._known[child].weight
                        top.take(child, self._known[child])
                    else:
                        open_.append(self._level(child, most - spent))
                        spent += open_[-1].amount.weight
                    continue
                self._known[top.path] = top.amount
                for child in top.weighed:
                    del self._known[child]
                open_.pop()
                if open_:
                    open_[-1].take(top.path, top.amount)
            if open_:
                return None
        amount = self._known[path]
        return amount if amount.weight <= most else None

    def _level(self, path: bytes, most: int) -> _Weighed:
        """Return what is directly in a directory; nothing more is looked at above `most`."""
        lead = path + b"/" if path else b""
        weight, files, left = 1, 0, list[bytes]()
        for name, is_directory in self._view.listing(path):
            if not is_directory:
                weight += self._weight(lead + name)
                files += 1
            elif self._filters.admits(lead + name, directory=True):
                left.append(lead + name)
            if weight > most:
                break
        return _Weighed(path, Amount(weight, 1, files), left)


@dataclass
class _Weighed:
    """A directory on the scales: what is ``left`` in it, and what has been ``weighed``."""

    path: bytes
    amount: Amount
    left: list[bytes]
    weighed: list[bytes] = field(default_factory=list)

    def take(self, child: bytes, amount: Amount) -> None:
        """Add what a directory in it weighs."""
        self.weighed.append(child)
        self.amount = self.amount.plus(amount)
