"""The inotify instance, and the reading of its buffer: the only door to pyinotify.

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
import struct
import termios
import warnings
from collections import defaultdict
from collections.abc import Iterator

from inosync.changes.inotify_bits import (
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
)
from inosync.errors import WatchError
from inosync.text import printable
from inosync.watch.tree import WatchTree
from inosync.watch.unwatched import sysctl

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it imports asyncore
    import pyinotify

for _handler in list(pyinotify.log.handlers):  # it writes to standard error, unasked
    pyinotify.log.removeHandler(_handler)

APPEARED = IN_CREATE | IN_MOVED_TO
VANISHED = IN_DELETE | IN_MOVED_FROM
MOVED = IN_MOVED_FROM | IN_MOVED_TO

# Events that say more than "something about this name": directories, and the watch itself.
_STRUCTURE = IN_ISDIR | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED
_ROOT_LOST = IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED
_UNUSUAL = _STRUCTURE | MOVED

# struct inotify_event: wd, mask, a cookie for renames, length of the name; and what most names
# take: the kernel pads them with NULs to a multiple of this (round_event_name_len() in
# fs/notify/inotify/inotify_user.c).
_SHORT = 16
_HEADER = struct.Struct("iIII")
_EVENT = struct.Struct(f"iIII{_SHORT}s")
_SMALLEST_READ = _HEADER.size + 256  # inotify(7): NAME_MAX + 1
_ENOUGH = 1 << 16


class Manager(pyinotify.WatchManager):  # type: ignore[misc]
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


class Notifier(pyinotify.Notifier):  # type: ignore[misc]
    """pyinotify's notifier, reading straight into what has changed: no event objects."""

    def __init__(self, manager: Manager, tree: WatchTree, limit: int) -> None:
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
        if mask & APPEARED:
            self._tree.appeared(wd, name)
        elif mask & VANISHED:
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


def open_instance(root: bytes) -> Manager:
    """Return a new instance; raise WatchError, with the cure, when there is none left."""
    if not os.path.isdir("/proc/self/fd"):
        raise WatchError(f"cannot watch {printable(root)}: /proc is not mounted")
    try:
        return Manager()
    except (OSError, pyinotify.PyinotifyError) as error:
        code = ctypes.get_errno() if isinstance(error, OSError) else 0
        text = os.strerror(code) if code else str(error)
        if code == errno.EMFILE:
            limits = sysctl("fs.inotify.max_user_instances", "user.max_inotify_instances")
            text = f"no inotify instance is left: raise {limits}, or the limit of open files"
        raise WatchError(f"cannot watch {printable(root)}: {text}") from error


def records(manager: Manager) -> Iterator[tuple[int, int, bytes]]:
    """Give what the kernel has queued: watch descriptor, mask and name of each. Never blocks."""
    while True:
        try:
            buffer = os.read(manager.get_fd(), _ENOUGH)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(buffer):
            wd, mask, _, length = _HEADER.unpack_from(buffer, offset)
            offset += _HEADER.size + length
            yield wd, mask, buffer[offset - length : offset].rstrip(b"\0")
