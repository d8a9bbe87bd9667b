"""Files that wait until they have come to rest (``rsettle``).

Pure: time is an argument, in monotonic seconds; sees the source through functions that it is
handed. Knows neither mirrors nor rsync.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from inosync.planning.big_files import is_big
from inosync.planning.view import View, below, outermost
from inosync.rsync.filters import Filters, compile_filters

#: A file that never rests is sent all the same, so many times its wait after the first change.
PATIENCE = 10

#: How much the files of a source that wait may add to a command line, in bytes: Linux allows 2 MB
#: in all (execve(2)). Beyond it, those that have waited longest are let through.
MOST_WORDS = 500_000
#: What a path takes there beside itself: the option, a prefix, escapes.
_WORD = 100


@dataclass(frozen=True)
class Rule:
    """Files that `filters` would exclude wait until they are unchanged for so many `seconds`."""

    filters: Filters
    seconds: float


class Fresh(NamedTuple):
    """A file that was found to have changed `age` seconds ago."""

    path: bytes
    age: float
    big: bool


@dataclass
class _Waiting:
    first: float
    last: float
    seconds: float
    big: bool

    @property
    def due(self) -> float:
        return min(self.last + self.seconds, self.first + PATIENCE * self.seconds)


def compile_rules(patterns: Sequence[tuple[str, float]], *, prefix: str) -> tuple[Rule, ...]:
    """Return the rules of a source whose names rsync puts `prefix` before, in order."""
    lead = os.fsencode(prefix)
    return tuple(Rule(compile_filters((text,), prefix=lead), wait) for text, wait in patterns)


def wait_of(rules: Sequence[Rule], path: bytes) -> float:
    """Return the seconds that the file `path` has to rest; 0 when no rule is for it."""
    for rule in rules:
        if not rule.filters.admits(path, directory=False):
            return rule.seconds
    return 0.0


def fresh(
    paths: Iterable[bytes],
    *,
    rules: Sequence[Rule],
    view: View,
    wall: float,
    size: int,
) -> Iterator[Fresh]:
    """Give the files among `paths` that have not rested for long enough.

    `wall` is the time of day (seconds since 1970), `size` the limit of the lane for big files (0:
    there is none). Whatever changes a file sets its ctime, and no program can set that back.
    """
    for path in paths:
        seconds = wait_of(rules, path)
        status = view.look(path) if seconds else None
        if status is not None:
            age = max(0.0, wall - status.st_ctime)
            if age < seconds:
                yield Fresh(path, age, bool(size) and is_big(status, size))


def fresh_below(
    directories: Iterable[bytes],
    *,
    rules: Sequence[Rule],
    filters: Filters,
    view: View,
    wall: float,
    size: int,
) -> Iterator[Fresh]:
    """Give the files below new `directories` that have not rested: see :func:`fresh`."""
    if not rules:
        return
    for directory in outermost(directories):
        names = below(directory, filters=filters, view=view)
        files = (name for name, is_directory in names if not is_directory)
        yield from fresh(files, rules=rules, view=view, wall=wall, size=size)


def no_files(paths: Iterable[bytes], *, rules: Sequence[Rule], view: View) -> frozenset[bytes]:
    """Return which of `paths` the rules would take for files, and are directories."""
    found = {path: view.look(path) for path in paths if wait_of(rules, path)}
    return frozenset(
        path
        for path, status in found.items()
        if status is not None and stat.S_ISDIR(status.st_mode)
    )


class Settling:
    """The files of one source that wait, as long as they add no more than `most` bytes to argv."""

    def __init__(self, rules: Sequence[Rule] = (), *, most: int = MOST_WORDS) -> None:
        self.rules = tuple(rules)
        self._most = most
        self._waiting: dict[bytes, _Waiting] = {}  # in the order of their first changes
        self._deadline: float | None = None
        self._words = 0  # bytes

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def paths(self) -> frozenset[bytes]:
        """Which files wait."""
        return frozenset(self._waiting)

    @property
    def since(self) -> float | None:
        """When the first of those that wait was changed; None when nothing waits."""
        return min((waiting.first for waiting in self._waiting.values()), default=None)

    def count(self, before: float) -> int:
        """Return how many wait that were first changed `before` that moment."""
        return sum(waiting.first <= before for waiting in self._waiting.values())

    @property
    def deadline(self) -> float | None:
        """When to call ``due``; None when nothing waits. Then it may still be too early."""
        return self._deadline

    def touch(self, path: bytes, now: float, *, age: float = 0.0, big: bool = False) -> bool:
        """Note that `path` was changed `age` seconds before `now`; return whether it waits."""
        seconds = wait_of(self.rules, path) if self.rules else 0.0
        if not seconds:
            return False
        at = now - age
        waiting = self._waiting.get(path)
        if waiting is None:
            waiting = self._waiting[path] = _Waiting(at, at, seconds, big)
            self._words += len(path) + _WORD
        else:
            # A change between the two looks counts from the later one.
            waiting.first, waiting.last = min(waiting.first, at), max(waiting.last, at)
            waiting.big = big
        due = now if self._words > self._most else waiting.due
        # A later change only puts it off: what stood is early, and no list of all is needed.
        self._deadline = due if self._deadline is None else min(self._deadline, due)
        return True

    def due(self, now: float) -> list[tuple[bytes, float, bool]]:
        """Return the files that have rested, when each was first changed, and whether it is big."""
        if self._deadline is None or now < self._deadline:
            return []
        ready = []
        for path, waiting in self._waiting.items():
            if now >= waiting.due or self._words > self._most:
                ready.append(path)
                self._words -= len(path) + _WORD
        result = [(path, self._waiting[path].first, self._waiting[path].big) for path in ready]
        for path in ready:
            del self._waiting[path]
        self._deadline = min((waiting.due for waiting in self._waiting.values()), default=None)
        return result

    def under(self, rules: Sequence[Rule]) -> Settling:
        """Return the same files waiting under other `rules`; what these are not for is due."""
        other = Settling(rules, most=self._most)
        for path, old in self._waiting.items():
            new = _Waiting(old.first, old.last, wait_of(other.rules, path), old.big)
            other._waiting[path] = new
            other._words += len(path) + _WORD
            other._deadline = min(new.due, new.due if other._deadline is None else other._deadline)
        return other
