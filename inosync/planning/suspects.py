"""Which files a run may wrongly take for equal, and which of them are compared by content next.

Pure. rsync's quick check asks for size and date. No date is a proof: a program may set any, the
clock may step, and two writes may fall into one tick. So each file of which an event says that it
may hold other content is a candidate; a candidate that the run did not send is a suspect, and is
compared by content. What a run sent, it says itself, so new files cost nothing more.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain, islice

from inosync.changes.changes import Changes, with_parents
from inosync.changes.doubts import MOST, NO_DOUBTS, Doubts
from inosync.planning.view import Status, View, below, outermost
from inosync.rsync.filters import Filters

#: So many names in new directories are looked at before a pass, which reads all of them anyway.
#: Behind them it is the whole directory that is in doubt.
NAMES = 50_000

#: What is compared of a file that is empty, in bytes: it costs something, too.
_LEAST = 4096

Wants = Callable[[bytes, Status], bool]


@dataclass(frozen=True)
class Bounds:
    """What one run compares at the most, in ``files`` and in bytes: new changes wait behind it.

    At some 500 MB/s on either end it is over within a second. So many ``looks`` at paths of the
    source are taken for it: a tenth of a second.
    """

    files: int = 10_000
    size: int = 200_000_000
    looks: int = 30_000


BOUNDS = Bounds()


def candidates(
    changes: Changes | None,
    *,
    filters: Filters,
    view: View,
    inside: Iterable[bytes] | None = None,
    leave: Collection[bytes] = (),
    names: int = NAMES,
) -> tuple[frozenset[bytes], Doubts]:
    """Return which files may hold other content, and what else is in doubt.

    `inside` are the files in directories that came, where these were looked through already; else
    so many `names` in them are. What is to be `leave`-d has a change of its own to come.
    """
    if not changes:
        return frozenset(), NO_DOUBTS
    left: set[bytes] = set()
    if inside is None:
        below_trees: set[bytes] = set()
        for directory in outermost(changes.trees):
            most = names - len(below_trees)
            inner = list(islice(below(directory, filters=filters, view=view), most + 1))
            if len(inner) > most:
                left.add(directory)
            else:
                below_trees.update(name for name, is_directory in inner if not is_directory)
        inside = below_trees
    # Of a flood they are many: no second set of them is made but where something is left out.
    found = frozenset(chain(inside, changes.entries, changes.written))
    found = found.difference(leave) if leave else found
    return found, Doubts(trees=frozenset(left)).bounded()


@dataclass
class _Slice:
    """What is taken out of the doubts for one run."""

    view: View
    wants: Wants
    most: Bounds
    links: bool = False
    found: list[bytes] = field(default_factory=list)
    later: set[bytes] = field(default_factory=set)  # files
    _size: int = 0
    _looks: int = 0
    _real: dict[bytes, bool] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        most = self.most
        taken = len(self.found) >= most.files or self._size >= most.size
        return taken or self._looks >= most.looks

    def file(self, path: bytes, since: float | None = None) -> None:
        """Take a file if it is one, and has changed `since`; leave it for later when full."""
        if self.full and since is None and len(self.later) < MOST:
            self.later.add(path)
            return
        status = self.look(path)
        if status is None or not self._may_differ(status):
            return
        if (since is None or status.st_ctime >= since) and self.wants(path, status):
            self.found.append(path)
            self._size += max(_LEAST, status.st_size)

    def _may_differ(self, status: Status) -> bool:
        link = self.links and stat.S_ISLNK(status.st_mode)
        return link or stat.S_ISREG(status.st_mode)

    def look(self, path: bytes) -> Status | None:
        self._looks += 1
        return self.view.look(path)

    def real(self, directory: bytes) -> bool:
        """Return whether that is a directory, and all on the way to it are: no links."""
        known = True  # the source itself: its guard vouches for it
        new = []
        for path in with_parents(directory):
            if path in self._real:
                known = self._real[path]
                break
            new.append(path)
        for path in reversed(new):
            status = self.view.look(path) if known else None
            known = status is not None and stat.S_ISDIR(status.st_mode)
            self._real[path] = known
        return known

    def names(self, directory: bytes) -> Iterable[tuple[bytes, bool]]:
        """Give the paths in a directory, and whether each is one."""
        if not self.real(directory):
            return
        lead = directory + b"/" if directory else b""
        for name, is_directory in self.view.listing(directory):
            yield lead + name, is_directory


def take(
    doubts: Doubts,
    *,
    view: View,
    wants: Wants,
    since: float | None,
    most: Bounds = BOUNDS,
    links: bool = False,
) -> tuple[list[bytes], Doubts]:
    """Return the files that the next run compares, and the doubts that are left for others.

    Where what `links` lead to is sent, they count as files: there may be a directory behind one.

    `wants` says which files are this mirror's at all. ``altered`` counts `since` that Unix time;
    without one nothing was known of the mirror, so nothing is in doubt.
    """
    it = _Slice(view, wants, most, links)
    for path in sorted(doubts.files):
        if it.full or it.real(path.rpartition(b"/")[0]):
            it.file(path)
    folders = _look_through(sorted(doubts.folders), it, deep=False)
    trees, altered = sorted(doubts.trees), sorted(doubts.altered)
    if since is not None:
        trees += _look_for_altered(altered, it, since)
    trees = _look_through(trees, it, deep=True)
    left = (it.later, folders, trees, altered if since is not None else ())
    return it.found, Doubts(*map(frozenset, left))


def _look_through(todo: list[bytes], it: _Slice, *, deep: bool) -> list[bytes]:
    """Take the files in directories until it is full; return the directories that are left."""
    while todo and not it.full:
        for path, is_directory in it.names(todo.pop()):
            if not is_directory:
                it.file(path)
            elif deep:
                todo.append(path)
    return todo


def _look_for_altered(todo: list[bytes], it: _Slice, since: float) -> list[bytes]:
    """Take what has changed `since` below the directories `todo`, which those left stay in.

    Return the directories that may have come from elsewhere, with all that is in them: a rename
    moves the ctime of what is renamed and of the directories, not of what is below it.
    """
    came = []
    while todo and not it.full:
        directory = todo.pop()
        moved = _changed(it.look(directory), since)
        for path, is_directory in it.names(directory):
            if not is_directory:
                it.file(path, since)
            elif moved and _changed(it.look(path), since):
                came.append(path)
            else:
                todo.append(path)
    return came


def _changed(status: Status | None, since: float) -> bool:
    return status is not None and status.st_ctime >= since
