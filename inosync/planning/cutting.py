"""Slices cut off a pass: what of a source the next ones carry, and what is left for the others.

Pure: sees the source through the View that it is handed, at the moment it is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from inosync.changes.changes import Changes
from inosync.planning.file_list import LONGEST_LIST
from inosync.planning.scales import Scales
from inosync.planning.slices import Amount, Course, Part, Reach, Slice, Todo
from inosync.planning.view import View
from inosync.rsync.filters import Filters

#: What slices that are made at once weigh together at the most. To cut them takes the daemon, which
#: hears nothing meanwhile, some 2 us for each entry.
MOST_AT_ONCE = 50_000

#: How many subtrees a run names: they are words of its command line.
MOST_TREES = 500
#: How many bytes these words have. Linux takes 2 MB of them all (execve(2)).
MOST_BYTES = 100_000
#: How many names of files in one directory are kept until they have their turn.
_AT_ONCE = 2_000


def small(course: Course, budget: int, *, view: View, filters: Filters) -> bool:
    """Return whether nothing of a pass has been made, and one slice would carry all of it."""
    if not course.untouched:
        return False
    scales = Scales(view, filters, sizes=course.sizes, known=course.known)
    return scales.weigh(b"", budget) is not None


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
        self._scales = Scales(view, filters, sizes=course.sizes, known=course.known)
        self._amount = Amount()
        self._bytes = 0
        self._trees: list[bytes] = []
        self._changes = Changes()

    def cut(self) -> tuple[Slice, Course]:
        while self._todo is not None and self._amount.weight < self._budget and self._room():
            part = self._todo.part
            if not (self._tree if part.reach is Reach.TREE else self._single)(part):
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

    def _tree(self, part: Part) -> bool:
        """Take a whole subtree, or split it; return False when it is for the next slice."""
        left = max(self._budget - self._amount.weight, self._budget // 2)
        amount = self._scales.weigh(part.path, left) if part.path else None
        if amount is None:
            if self._trees:
                return False
            self._next()
            self._split(part.path)
            return True
        if self._changes:
            return False
        self._scales.forget(part.path)
        self._next()
        self._trees.append(part.path)
        self._bytes += len(part.path)
        self._amount = self._amount.plus(amount)
        return True

    def _split(self, path: bytes) -> None:
        """Let the level of a directory come next, and then what lies in it."""
        for child in sorted(self._children(path), key=self._age, reverse=True):
            self._todo = Todo(Part(Reach.TREE, child), self._todo)
        self._todo = Todo(Part(Reach.LEVEL, path), self._todo)
        if self._course.sizes:
            self._todo = Todo(Part(Reach.FILES, path), self._todo)

    def _age(self, path: bytes) -> float:
        """Return what sorts the directory that was changed last first."""
        status = self._view.look(path)
        return 0.0 if status is None else -status.st_ctime

    def _children(self, path: bytes) -> Iterator[bytes]:
        lead = path + b"/" if path else b""
        for name, is_directory in self._view.listing(path):
            if is_directory and self._filters.admits(lead + name, directory=True):
                yield lead + name

    def _single(self, part: Part) -> bool:
        """Take a level, or files of one; return False when that is for the next slice."""
        if self._trees:
            return False
        if part.reach is Reach.FILES:
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
            weight += self._scales.weight(files[count])
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
