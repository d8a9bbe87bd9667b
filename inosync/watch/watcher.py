"""What the kernel reports about one source, with the paths that are right now.

Owns the inotify instance, on pyinotify's classes, and the reading of its buffer. Where each watch
is in the tree is watchtree's; what an event means to a mirror is for others to decide.

pyinotify turns every event into objects, raises on a name that is not UTF-8, hides failed watches
and follows no rename exactly (its ``read_events``, ``_SysProcessEvent``, ``add_watch``). So its
binding and its life cycle are used here, and its buffer is read by ourselves.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import select
import stat
import struct
import termios
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from inosync.changes.changes import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_ISDIR,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
    Move,
    Touched,
)
from inosync.errors import WatchError
from inosync.rsync.filters import Filters
from inosync.text import printable
from inosync.watch.tree import WatchTree
from inosync.watch.unwatched import reason, sysctl

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports asyncore
    import pyinotify

for _handler in list(pyinotify.log.handlers):  # it writes to standard error, unasked
    pyinotify.log.removeHandler(_handler)

_APPEARED = IN_CREATE | IN_MOVED_TO
_VANISHED = IN_DELETE | IN_MOVED_FROM

# What keeps the tree of watches right, whatever the user wants to hear of. Without IN_EXCL_UNLINK:
# a file written after one of its names was removed, and one that was made with O_TMPFILE and then
# linked, are reported under a name that is gone, and only there.
_NEEDED = _APPEARED | _VANISHED | IN_MOVE_SELF | IN_ATTRIB

# Events that say more than "something about this name": directories, and the watch itself.
_STRUCTURE = IN_ISDIR | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED
_ROOT_LOST = IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED
_MOVED = IN_MOVED_FROM | IN_MOVED_TO
_UNUSUAL = _STRUCTURE | _MOVED

# struct inotify_event: wd, mask, a cookie for renames, length of the name; and what most names
# take: the kernel pads them with NULs to a multiple of this (round_event_name_len() in
# fs/notify/inotify/inotify_user.c).
_SHORT = 16
_HEADER = struct.Struct("iIII")
_EVENT = struct.Struct(f"iIII{_SHORT}s")
_READ_LIMIT = 1 << 20  # bytes: more than the kernel's default queue of 16,384 events mostly takes
_SMALLEST_READ = _HEADER.size + 256  # inotify(7): NAME_MAX + 1
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


class _Manager(pyinotify.WatchManager):  # type: ignore[misc]
    """pyinotify's watch manager: the instance and its two system calls, on paths that are bytes."""

    def __init__(self) -> None:
        super().__init__()
        os.set_inheritable(self._fd, False)
        os.set_blocking(self._fd, False)
        libc = self._inotify_wrapper._libc
        self._add = libc.inotify_add_watch
        self._remove = libc.inotify_rm_watch
        self._pending = array.array("i", [0])
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def add(self, path: bytes, mask: int) -> int:
        """Watch a path; return its wd, or the errno negated."""
        wd: int = self._add(self._fd, path, mask)
        return wd if wd >= 0 else -ctypes.get_errno()

    def remove(self, wd: int) -> None:
        """Give up a watch; one that the kernel has dropped already is no error."""
        self._remove(self._fd, wd)

    def waiting(self) -> bool:
        """Return whether the kernel has queued anything."""
        return bool(self._poll.poll(0))

    def queued(self) -> int:
        """Return how many bytes of events the kernel has queued, for which it looks at each."""
        fcntl.ioctl(self._fd, termios.FIONREAD, self._pending)
        return self._pending[0]


class _Notifier(pyinotify.Notifier):  # type: ignore[misc]
    """pyinotify's notifier, reading straight into what has changed: no event objects."""

    def __init__(self, manager: _Manager, tree: WatchTree, limit: int) -> None:
        super().__init__(manager, default_proc_fun=lambda event: None)
        self._tree = tree
        self._limit = max(limit, _SMALLEST_READ)
        self.events = 0
        self.taken = 0  # bytes
        self.overflows = 0
        self._halves: dict[int, tuple[int, bytes]] = {}  # cookie -> wd and padded name of a file
        self._old_halves: dict[int, tuple[int, bytes]] = {}  # of the last read
        self.clear()

    def clear(self) -> None:
        """Forget what was read so far."""
        # Of each wd the names, those of files padded with NULs, and of each name the mask.
        self.files: defaultdict[int, dict[bytes, int]] = defaultdict(dict)
        self.directories: defaultdict[int, dict[bytes, int]] = defaultdict(dict)
        self.pairs: list[tuple[tuple[int, bytes], tuple[int, bytes]]] = []  # renamed files
        # The second half follows the first, but perhaps not in the same read.
        self._old_halves, self._halves = self._halves, {}
        self.overflowed = False
        self.root_lost = False

    def read_events(self) -> None:
        """Take what the kernel has queued, up to the limit. Never blocks."""
        try:
            # To ask how much there is would take the kernel a look at each event.
            buffer = os.read(self._fd, self._limit)
        except BlockingIOError:
            return
        self.taken += len(buffer)
        self._parse(buffer)

    def _parse(self, buffer: bytes) -> None:
        """Note what the events in a buffer say. Nothing else is done for every event."""
        unpack, header, unusual = _EVENT.unpack_from, _HEADER.size, _UNUSUAL
        files, masks, last = self.files, dict[bytes, int](), None
        offset, end, count = 0, len(buffer), 0
        buffer += bytes(_SHORT)  # the last may have no name
        while offset < end:
            wd, mask, cookie, length, name = unpack(buffer, offset)
            offset += header + length
            if length != _SHORT:
                name = buffer[offset - length : offset]
            count += 1
            if mask & unusual:
                if mask & _STRUCTURE:
                    self._structure(wd, mask, name.rstrip(b"\0"))
                    continue
                self._half(wd, mask, name, cookie)
            if wd != last:
                masks = files[wd]
                last = wd
            if name in masks:
                masks[name] |= mask
            else:
                masks[name] = mask
        self.events += count

    def _structure(self, wd: int, mask: int, name: bytes) -> None:
        tree = self._tree
        if mask & IN_Q_OVERFLOW:
            self.overflows += 1
            self.overflowed = True
            tree.reconcile()
        elif mask & IN_IGNORED:
            tree.ignored(wd)
        elif mask & IN_UNMOUNT:
            tree.unmounted(wd)
        elif mask & IN_MOVE_SELF:
            tree.moved(wd)
            self.report(wd, name, mask)
        else:
            self._directory(wd, mask, name)
        if wd == tree.root and mask & _ROOT_LOST:
            self.root_lost = True

    def _half(self, wd: int, mask: int, name: bytes, cookie: int) -> None:
        """A file has left a name, or came to it: the two have the same cookie (inotify(7))."""
        if mask & IN_MOVED_FROM:
            # One that was made just now is no basis for anything: so programs save their files.
            if not self.files.get(wd, {}).get(name, 0) & IN_CREATE:
                self._halves[cookie] = (wd, name)
            return
        left = self._halves.pop(cookie, None) or self._old_halves.pop(cookie, None)
        if left is not None:
            self.pairs.append((left, (wd, name)))

    def _directory(self, wd: int, mask: int, name: bytes) -> None:
        if mask & _APPEARED:
            self._tree.appeared(wd, name)
        elif mask & _VANISHED:
            self._tree.vanished(wd, name)
        elif mask & IN_ATTRIB:
            self._tree.permitted(wd, name)
            if not name and wd != self._tree.root:
                return  # its parent says the same, by name
        self.report(wd, name, mask)

    def report(self, wd: int, name: bytes, mask: int) -> None:
        """Note that something happened to a directory: `name` in that of `wd`, or that itself."""
        masks = self.directories[wd]
        masks[name] = masks.get(name, 0) | mask | IN_ISDIR


class Watcher:
    """One watched source, on an inotify instance of its own.

    ``on_progress(watched)`` is called after each slice of a walk. ``read_limit`` is how many bytes
    a :meth:`read` takes from the kernel at most. WatchError when the root cannot be watched.

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
    ) -> None:
        self._root = os.fsencode(os.path.abspath(root))
        self._on_progress = on_progress
        self._manager = _open_inotify(self._root)
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
        self._notifier = _Notifier(self._manager, self._tree, read_limit)

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
        self._tree.advance(_SLICE)
        table = self._tree.table
        for wd in self._tree.take_reports():
            if parent := table.parent(wd):
                notifier.report(parent, table.name(wd), _APPEARED)
        seen = Seen(
            files=table.by_path(notifier.files),
            directories=table.by_path(notifier.directories),
            resync=_overflow() if notifier.overflowed else "",
            problems=self._problems(),
            root_lost=notifier.root_lost,
            moves=(*self._tree.take_moves(), *self._renamed_files()),
        )
        notifier.clear()
        return seen

    def reconcile(self) -> None:
        """Compare the whole tree with the watches, without a gap in watching; then :meth:`walk`."""
        self._tree.reconcile()

    def retry_unwatched(self) -> None:
        """Try the directories again that could not be watched; then :meth:`walk`."""
        self._tree.retry_unwatched()

    def root_state(self) -> str:
        """Return "" while the root's path leads to the directory that is watched, else a reason."""
        try:
            status = os.stat(self._root)
        except FileNotFoundError:
            return "is gone"
        except OSError as error:
            return f"cannot be reached: {error.strerror}"
        if not stat.S_ISDIR(status.st_mode):
            return "is not a directory any more"
        if status.st_dev != self._tree.identity[0]:
            return "is on another file system now: something was mounted or unmounted"
        # One that was made anew may have the inode number of the old one, but not its watch.
        code = self._tree.root_error()
        if code == errno.ESTALE:
            return "is another directory now"
        return f"cannot be reached: {reason(code)}" if code else ""

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
                    sure=not any(mask & ~_MOVED for mask in masks),
                )
                if old == new or move.sure:
                    yield move

    def _problems(self) -> tuple[str, ...]:
        problems = self._tree.unwatched.take_problems()
        more = len(problems) - _MOST_PROBLEMS
        if more > 0:
            problems[_MOST_PROBLEMS:] = [
                f"... and {more} more directories below {printable(self._root)} cannot be watched"
            ]
        return tuple(problems)


def _join(directory: bytes, padded: bytes) -> bytes:
    name = padded.rstrip(b"\0")
    return b"%b/%b" % (directory, name) if directory else name


def _overflow() -> str:
    return f"the kernel's event queue overflowed: raise {sysctl('fs.inotify.max_queued_events')}"


def _open_inotify(root: bytes) -> _Manager:
    if not os.path.isdir("/proc/self/fd"):
        raise WatchError(f"cannot watch {printable(root)}: /proc is not mounted")
    try:
        return _Manager()
    except (OSError, pyinotify.PyinotifyError) as error:
        code = ctypes.get_errno() if isinstance(error, OSError) else 0
        text = os.strerror(code) if code else str(error)
        if code == errno.EMFILE:
            limits = sysctl("fs.inotify.max_user_instances", "user.max_inotify_instances")
            text = f"no inotify instance is left: raise {limits}, or the limit of open files"
        raise WatchError(f"cannot watch {printable(root)}: {text}") from error


def _root_problem(root: bytes, error: OSError) -> str:
    cures = {
        errno.ENOENT: "no such directory: create it, mount it, or correct wpath",
        errno.ENOTDIR: "not a directory: correct wpath",
    }
    code = error.errno or errno.EIO
    return f"cannot watch {printable(root)}: {cures.get(code) or reason(code)}"
