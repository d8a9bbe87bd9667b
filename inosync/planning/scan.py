"""What a walk over a source tells those who did not see it change: the scan.

Pure: sees the source through the view that it is handed, a few names at a time, so that whoever
walks may pause after these. Several that ask share one walk, each with a question of its own.

A file's ctime cannot be set back: it moves with each write, chmod, rename and link. That of a
directory moves when a name in it comes or goes, and when it is renamed itself. So all that differs
on a mirror that had everything at a moment is: files with a ctime from then on, one level of each
directory with such a ctime, and all of a directory that changed in one that did: it may have been
moved there, with old files in it.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from inosync.changes.changes import Changes, Inode
from inosync.changes.doubts import MOST
from inosync.planning.view import Status
from inosync.rsync.filters import Filters


class Dated(Status, Protocol):
    """What counts of lstat(2)'s answer here. Times are nanoseconds since 1970."""

    @property
    def st_ctime_ns(self) -> int:
        """When it last changed: content, mode, owner or name."""

    @property
    def st_mtime_ns(self) -> int:
        """When its content changed, as programs may set it."""


class Entries(Protocol):
    """A source that can be walked. Paths are relative to it; ``b""`` is the source itself."""

    def look(self, path: bytes) -> Dated | None:
        """Return lstat(2)'s answer; None when there is none, for whatever reason."""

    def entries(self, path: bytes) -> Iterable[Iterable[tuple[bytes, Dated]]]:
        """Give the names in a directory, a few at a time, each with lstat's answer.

        Nothing when it cannot be read.
        """


@dataclass(frozen=True)
class Question:
    """What one mirror wants to know.

    What may differ if it had everything at ``since`` (nanoseconds since 1970; None: that is not
    asked), and all names of the files of ``inodes``, of each of which it knows some. A ctime of at
    least ``reached`` was seen once; where there is none any more, the source is an older one.
    """

    since: int | None = None
    inodes: Mapping[Inode, frozenset[bytes]] = field(default_factory=dict)
    reached: int = 0


@dataclass(frozen=True)
class Answer:
    """What was found for a question.

    ``changes`` may differ, but for what was taken before; None: they are too many. Of files that
    had names which were not known all names are in there, and these files are ``named``.
    ``older``: the source is an earlier state of itself, so this says nothing. The ``highest`` ctime
    of all that was seen.
    """

    changes: Changes | None
    named: frozenset[Inode] = frozenset()
    highest: int = 0
    older: bool = False


@dataclass
class _Finding:
    """What one question has found so far, but for what was ``taken``, so many of it.

    Files with several names are ``linked``: all of these go together, at the end.
    """

    since: float
    changes: Changes = field(default_factory=Changes)
    linked: dict[bytes, None] = field(default_factory=dict)
    taken: int = 0

    @property
    def too_much(self) -> bool:
        return self.taken + len(self.changes) + len(self.linked) > MOST

    def file(self, path: bytes, status: Dated) -> None:
        if not self.too_much:
            (self.linked if status.st_nlink > 1 else self.changes.entries)[path] = None

    def directory(self, path: bytes, *, moved: bool) -> None:
        if not self.too_much:
            (self.changes.trees if moved else self.changes.levels)[path] = None

    def take(self) -> Changes:
        found, self.changes = self.changes, Changes()
        self.taken += len(found)
        return found

    def all_of_it(self) -> Changes | None:
        if self.too_much:
            return None
        self.changes.entries.update(self.linked)
        return self.changes


class Scan:
    """One walk over a source for the questions that were asked before it began."""

    def __init__(self, questions: Sequence[Question], *, filters: Filters, view: Entries) -> None:
        self._questions = questions
        self._filters = filters
        self._view = view
        never = math.inf  # only other names of files are looked for
        self._findings = [_Finding(never if q.since is None else q.since) for q in questions]
        self._names: dict[Inode, set[bytes]] = {i: set() for q in questions for i in q.inodes}
        self._highest = 0

    def steps(self) -> Iterator[None]:
        """Walk; give control back after a few names, and after each directory."""
        top = self._view.look(b"")
        if top is None or not self._filters.admits(b"", directory=True):
            return
        self._directory(b"", top, 0)
        todo = [(b"", top.st_ctime_ns)]
        earliest = min(finding.since for finding in self._findings)
        inodes = self._names
        admits = self._filters.admits
        highest = top.st_ctime_ns
        while todo:
            directory, changed = todo.pop()
            lead = directory + b"/" if directory else b""
            yield  # a row of empty ones takes its time as well
            for entries in self._view.entries(directory):
                yield
                for name, status in entries:
                    ctime = status.st_ctime_ns
                    if ctime > highest:  # noqa: PLR1730 - this loop is run for every file
                        highest = ctime
                    if stat.S_ISDIR(status.st_mode):
                        path = lead + name
                        if admits(path, directory=True):
                            self._directory(path, status, changed)
                            todo.append((path, status.st_ctime_ns))
                        continue
                    recent = ctime >= earliest
                    wanted = status.st_nlink > 1 and (status.st_dev, status.st_ino) in inodes
                    if (recent or wanted) and admits(lead + name, directory=False):
                        self._file(lead + name, status)
            self._highest = highest

    def _directory(self, path: bytes, status: Dated, parent: int) -> None:
        """Take note of a directory; the ctime of the one that it lies in is `parent`."""
        ctime = status.st_ctime_ns
        for finding in self._findings:
            if ctime >= finding.since:
                finding.directory(path, moved=parent >= finding.since)

    def _file(self, path: bytes, status: Dated) -> None:
        for finding in self._findings:
            if status.st_ctime_ns >= finding.since:
                finding.file(path, status)
        names = self._names.get((status.st_dev, status.st_ino))
        if names is not None:
            names.add(path)

    def take(self, number: int) -> Changes:
        """Return what was found so far for the question of this number, from 0 on, for good."""
        return self._findings[number].take()

    def answers(self) -> list[Answer]:
        """Return what was found for each question, when the walk has ended."""
        return list(map(self._answer, self._questions, self._findings))

    def _answer(self, question: Question, finding: _Finding) -> Answer:
        named = set()
        for inode, known in question.inodes.items():
            if names := self._names[inode] - known:
                named.add(inode)
                finding.linked.update(dict.fromkeys([*sorted(names), *sorted(known)]))
        older = self._highest < question.reached
        return Answer(finding.all_of_it(), frozenset(named), self._highest, older=older)
