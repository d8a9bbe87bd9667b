"""What the kernel reports about one source, with the paths that are right now.

Where each watch is in the tree is the tree's; how events are read is inotify's; what one means to a
mirror is for others to decide.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from inosync.changes.changes import Move
from inosync.changes.inotify_bits import (
    IN_ATTRIB,
    IN_MOVE_SELF,
)
from inosync.errors import WatchError
from inosync.rsync.filters import Filters
from inosync.text import many, printable
from inosync.watch.inotify import APPEARED, MOVED, VANISHED, Notifier, open_instance
from inosync.watch.sift import Touched
from inosync.watch.tree import WatchTree
from inosync.watch.unwatched import reason, sysctl

# What keeps the tree of watches right, whatever the user wants to hear of. Without IN_EXCL_UNLINK:
# a file written after one of its names was removed, and one that was made with O_TMPFILE and then
# linked, are reported under a name that is gone, and only there.
_NEEDED = APPEARED | VANISHED | IN_MOVE_SELF | IN_ATTRIB

_READ_LIMIT = 1 << 20  # bytes: more than the kernel's default queue of 16,384 events mostly takes
_SLICE = 512  # directories: a few milliseconds
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Seen:
    """What one read brought.

    ``files`` and ``directories`` are what events said about names of either, in directories that
    are in the source now. ``resync`` is why all must be compared, or "". ``problems`` are new
    directories that cannot be watched, a line each. ``root_lost``: the root was deleted, moved or
    unmounted; ask ``root_state()``. ``moves`` are the directories that were found under another
    path than they had, in that order, and behind them files of which both halves of a rename were
    seen; not all of these.
    """

    files: Touched = field(default_factory=dict)
    directories: Touched = field(default_factory=dict)
    resync: str = ""
    problems: tuple[str, ...] = ()
    root_lost: bool = False
    moves: tuple[Move, ...] = ()


class Watcher:
    """One watched source, on an inotify instance of its own.

    ``on_progress(watched)`` is called after each slice of a walk. ``read_limit`` is how many bytes
    a :meth:`read` takes from the kernel at most, and ``walk_limit`` how many directories it walks.
    WatchError when the root cannot be watched.

    The caller walks until :meth:`walk` returns True, and reads whenever :meth:`fileno` is readable
    or ``unread`` is true: a walk finds things, and only :meth:`read` hands them out. While
    ``unfinished`` is true there is more to walk: of new directories a read takes a slice only.
    """

    def __init__(
        self,
        root: str,
        *,
        filters: Filters,
        emask: int,
        on_progress: Callable[[int], None] | None = None,
        read_limit: int = _READ_LIMIT,
        walk_limit: int = _SLICE,
    ) -> None:
        self._root = os.fsencode(os.path.abspath(root))
        self._on_progress = on_progress
        self._walk_limit = walk_limit
        self._manager = open_instance(self._root)
        try:
            self._tree = WatchTree(
                self._root,
                filters=filters,
                mask=emask | _NEEDED,
                add=self._manager.add,
                remove=self._manager.remove,
                waiting=self._manager.waiting,
            )
        except OSError as error:
            self._manager.close()
            raise WatchError(_root_problem(self._root, error)) from error
        self._notifier = Notifier(self._manager, self._tree, read_limit)

    def fileno(self) -> int:
        """Return the descriptor that is readable when the kernel has something to say."""
        descriptor: int = self._manager.get_fd()
        return descriptor

    def close(self) -> None:
        """Drop all watches at once."""
        self._notifier.stop()

    def walk(self, limit: int) -> bool:
        """Watch about `limit` further directories at most; return True when none is left."""
        working = self._tree.pending
        done = self._tree.advance(limit)
        if working and self._on_progress is not None:
            self._on_progress(self.watched)
        return done

    def read(self) -> Seen:
        """Return what the kernel has queued by now. Never blocks, and takes a bounded time."""
        notifier = self._notifier
        notifier.read_events()
        if notifier.overflowed and self.root_state():
            notifier.root_lost = True
        self._tree.advance(self._walk_limit)
        table = self._tree.table
        for wd in self._tree.findings.take_reports():
            if parent := table.parent(wd):
                notifier.report(parent, table.name(wd), APPEARED)
        seen = Seen(
            files=table.by_path(notifier.files),
            directories=table.by_path(notifier.directories),
            resync=_overflow() if notifier.overflowed else "",
            problems=self._problems(),
            root_lost=notifier.root_lost,
            moves=(*self._tree.findings.take_moves(), *self._renamed_files()),
        )
        notifier.clear()
        return seen

    def reconcile(self) -> None:
        """Compare the whole tree with the watches, without a gap in watching; then :meth:`walk`."""
        self._tree.reconcile()

    def stir(self) -> None:
        """Look up what was put off when the path led elsewhere; then :meth:`walk`."""
        self._tree.stir()

    def retry_unwatched(self) -> None:
        """Try the directories again that could not be watched; then :meth:`walk`."""
        self._tree.retry_unwatched()

    def root_state(self) -> str:
        """Return "" while the root's path leads to the directory that is watched, else a reason."""
        return state_of_root(self._root, self._tree.identity[0], self._tree.root_error)

    def waiting(self) -> bool:
        """Return whether events wait to be read."""
        return self._manager.waiting()

    def queued(self) -> int:
        """Return how many bytes of events wait to be read."""
        return self._manager.queued()

    @property
    def taken(self) -> int:
        """How many bytes of events were read so far."""
        return self._notifier.taken

    @property
    def events(self) -> int:
        """How many events were read so far."""
        return self._notifier.events

    @property
    def overflows(self) -> int:
        """How often the kernel's queue overflowed."""
        return self._notifier.overflows

    @property
    def watched(self) -> int:
        """How many directories are watched."""
        return len(self._tree.table)

    @property
    def unwatched(self) -> Mapping[bytes, str]:
        """The directories, relative to the source, that cannot be watched, and why."""
        return dict(self._tree.reasons())

    @property
    def unfinished(self) -> bool:
        """Whether :meth:`walk` has something to do that no event will announce."""
        return self._tree.pending

    @property
    def unread(self) -> bool:
        """Whether :meth:`read` has something to say that :meth:`fileno` does not announce."""
        return self._tree.untold

    def paths(self) -> Iterator[tuple[int, bytes]]:
        """Yield each watch descriptor and the path, relative to the source, of its directory."""
        for wd in self._tree.table:
            path = self._tree.table.path(wd)
            if path is not None:
                yield wd, path

    def _renamed_files(self) -> Iterator[Move]:
        """Yield the files that were renamed within their directory, or without a further event."""
        files, path_of = self._notifier.files, self._tree.table.path
        for left, came in self._notifier.pairs:
            old, new = (path_of(wd) for wd, _ in (left, came))
            if old is not None and new is not None:
                masks = [files.get(wd, {}).get(name, 0) for wd, name in (left, came)]
                move = Move(
                    _join(old, left[1]),
                    _join(new, came[1]),
                    file=True,
                    sure=not any(mask & ~MOVED for mask in masks),
                )
                if old == new or move.sure:
                    yield move

    def _problems(self) -> tuple[str, ...]:
        problems = self._tree.unwatched.take_problems()
        more = len(problems) - _MOST_PROBLEMS
        if more > 0:
            rest = many(more, "more directory")
            problems[_MOST_PROBLEMS:] = [
                f"... and {rest} below {printable(self._root)} cannot be watched"
            ]
        return tuple(problems)


def state_of_root(root: bytes, device: int, error: Callable[[], int]) -> str:
    """Return "" while `root` leads to the directory that is watched, on `device`, else a reason.

    ``error()`` is 0 when it leads to that very directory, else an errno.
    """
    try:
        status = os.stat(root)
    except FileNotFoundError:
        return "is gone"
    except OSError as problem:
        return f"cannot be reached: {problem.strerror}"
    if not stat.S_ISDIR(status.st_mode):
        return "is not a directory any more"
    if status.st_dev != device:
        return "is on another file system now: something was mounted or unmounted"
    # One that was made anew may have the inode number of the old one, but not its watch.
    code = error()
    if code == errno.ESTALE:
        return "is another directory now"
    return f"cannot be reached: {reason(code)}" if code else ""


def _join(directory: bytes, padded: bytes) -> bytes:
    name = padded.rstrip(b"\0")
    return b"%b/%b" % (directory, name) if directory else name


def _overflow() -> str:
    return f"the kernel's event queue overflowed: raise {sysctl('fs.inotify.max_queued_events')}"


def _root_problem(root: bytes, error: OSError) -> str:
    cures = {
        errno.ENOENT: "no such directory: create it, mount it, or correct wpath",
        errno.ENOTDIR: "not a directory: correct wpath",
    }
    code = error.errno or errno.EIO
    return f"cannot watch {printable(root)}: {cures.get(code) or reason(code)}"
