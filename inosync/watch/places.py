"""Where directories lie in a source, by the handles that events have of them.

Owns the file systems at and below the root of a source, and a memory of what lies where. Does not
know events. What keeps it exact, however late an event is read:

- A handle opens the directory itself, wherever it is by now, and the path that the kernel has of it
  was right at one moment after the event. Whatever takes it away later is another event, about the
  name under which it is then, and that is told as a whole tree.
- So a path that is remembered is right, or the event that made it wrong is still to be read. Who
  reads that a directory was renamed lets all of them be forgotten, before anything is looked up.
- A directory that lies outside the source, or is gone, has left it or never was in it. Its leaving
  was an event about the directory that it left.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Iterator

from inosync.errors import WatchError
from inosync.rsync.filters import Filters
from inosync.text import printable
from inosync.watch.fanotify import NOT_PERMITTED, file_system_number, handle_of, open_handle
from inosync.watch.mounts import file_system, mounted_below
from inosync.watch.unwatched import ELSEWHERE

#: File systems that are known to tell all, and to find directories by handles for ever. btrfs has
#: subvolumes with numbers of their own, overlay reports what nobody can open, and others change
#: what they have without an event.
_TRUSTED = frozenset({b"ext2", b"ext3", b"ext4", b"xfs", b"tmpfs"})

_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})
_GONE = b" (deleted)"  # what the kernel adds to the path of what has none any more
MOST_KNOWN = 1 << 13  # directories of which it is remembered where they are
_TRIES = 5
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_NUMBER = 8  # bytes: the number of the file system, which goes before a handle


class Unclear(Exception):
    """It cannot be told where something is."""


class Places:
    """The places of directories below the one at `root`. OSError when that has no handle.

    Paths are relative to it. What the rules exclude has no place. So many are remembered.
    """

    def __init__(self, root: bytes, filters: Filters, *, most_known: int = MOST_KNOWN) -> None:
        self._root = root
        self._filters = filters
        self._most_known = most_known
        self._known: dict[bytes, tuple[bytes, ...]] = {}
        self._parts: dict[bytes, list[tuple[bytes, int]]] = {}  # by number: mounts, and devices
        self._looked_at: list[bytes] = []  # all mounts that were found, also of files
        with self._opened() as top:
            self._identity = _identity(top)
        self.device = self._identity[0]

    # ---- the file systems -----------------------------------------------------------------

    def file_systems(self) -> list[bytes]:
        """Return the path of each mount that is in the source now, and take them for its own.

        WatchError when one of them is of a type that cannot be watched by its handles.
        """
        self.forget()
        self._parts, self._looked_at = {}, []
        found = []
        for mount in self._mounts():
            try:
                descriptor = os.open(mount, _FLAGS)
            except FileNotFoundError:
                continue  # it has gone, perhaps to another place
            except NotADirectoryError:
                self._looked_at.append(mount)
                continue  # what is mounted over a file has no directories
            self._looked_at.append(mount)
            try:
                kind = file_system(os.fsdecode(mount))[0]
                if kind not in _TRUSTED:
                    where = kind.decode() or "an unknown file system"
                    raise WatchError(f"{printable(mount)} is on {where}")
                number, device = file_system_number(descriptor), os.fstat(descriptor).st_dev
                _try_out(descriptor, mount)
            finally:
                os.close(descriptor)
            self._parts.setdefault(number, []).append((mount, device))
            found.append(mount)
        return found

    def new_mounts(self, devices: Collection[int]) -> bool:
        """Return whether there is a mount that :meth:`file_systems` did not find where it is now.

        Or one of a device that is not in `devices`.
        """
        known = {part for parts in self._parts.values() for part in parts}
        for mount in self._mounts():
            with contextlib.suppress(OSError):
                status = os.stat(mount)
                if stat.S_ISDIR(status.st_mode) and (
                    (mount, status.st_dev) not in known or status.st_dev not in devices
                ):
                    return True
        return False

    def mounts_moved(self) -> bool:
        """Return whether other paths lead to mounts than :meth:`file_systems` found.

        No sign comes from the table of mounts when a directory is renamed with a mount in it: it
        may lie elsewhere now, come from outside, or be admitted for the first time.
        """
        return self._mounts() != self._looked_at

    def _mounts(self) -> list[bytes]:
        """Return the root, and what is mounted below it and admitted; a slash ends the root."""
        admits = self._filters.admits_path
        below = sorted(mounted_below(os.fsdecode(self._root)))
        return [
            self._root + b"/",
            *(self._root + b"/" + path for path in below if admits(path, directory=True)),
        ]

    # ---- where they are -------------------------------------------------------------------

    def forget(self) -> None:
        """Directories were renamed: what is remembered may be wrong."""
        self._known.clear()

    def root_error(self) -> int:
        """Return 0 when the root's path leads to the directory that it led to, else an errno."""
        try:
            with self._opened() as top:
                return 0 if _identity(top) == self._identity else errno.ESTALE
        except OSError as error:
            # Without a descriptor it cannot be asked, which says nothing of the root.
            return 0 if error.errno in _NO_DESCRIPTOR else error.errno or errno.EIO

    def find(self, directories: list[bytes]) -> dict[bytes, tuple[bytes, ...]]:
        """Return the paths of directories; none of what is not in the source, or excluded.

        OSError when the root is not there, Unclear when there is no telling.
        """
        for _ in range(_TRIES):
            with self._opened() as top, contextlib.ExitStack() as stack:
                if _identity(top) != self._identity:
                    raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
                before = _path(top)
                mounts: dict[bytes, list[int]] = {}
                found = {}
                for directory in directories:
                    if directory not in self._known:
                        number = directory[:_NUMBER]
                        if number not in mounts:
                            mounts[number] = list(self._open_parts(number, stack))
                        self._learn(directory, before, mounts[number])
                    found[directory] = self._known[directory]
                if _path(top) == before:
                    return found
            self.forget()  # what is above the root was renamed meanwhile
        raise Unclear("what is above it is renamed again and again")

    def _open_parts(self, number: bytes, stack: contextlib.ExitStack) -> Iterator[int]:
        """Open what is mounted of one file system, for as long as the stack is.

        What is not there any more was unmounted, or is in a directory that was renamed: that is
        told by others.
        """
        for mount, device in self._parts.get(number, ()):
            try:
                descriptor = os.open(mount, _FLAGS)
            except OSError as error:
                if error.errno in ELSEWHERE:
                    continue
                raise Unclear(f"{printable(mount)}: {error.strerror}") from error
            stack.callback(os.close, descriptor)
            if os.fstat(descriptor).st_dev == device:
                yield descriptor

    def _learn(self, directory: bytes, root: bytes, mounts: list[int]) -> None:
        """Remember where a directory is."""
        below = root.rstrip(b"/") + b"/"
        paths = dict[bytes, None]()
        for mount in mounts:
            path = _place(mount, directory[_NUMBER:])
            if path == root:
                paths[b""] = None
            elif path.startswith(below) and self._admitted(path[len(below) :]):
                paths[path[len(below) :]] = None
        if len(self._known) >= self._most_known:
            self._known.clear()
        self._known[directory] = tuple(paths)

    def _admitted(self, path: bytes) -> bool:
        return not self._filters.rules or self._filters.admits_path(path, directory=True)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._root + b"/", _FLAGS)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _identity(descriptor: int) -> tuple[int, bytes]:
    """Return the device and the handle of a directory, which no other ever has."""
    return os.fstat(descriptor).st_dev, handle_of(descriptor)


def _path(descriptor: int) -> bytes:
    return os.readlink(b"/proc/self/fd/%d" % descriptor)


def _place(mount: int, handle: bytes) -> bytes:
    """Return the path of a directory, b"" when it is gone.

    Where the kernel cannot say it, that of the nearest directory above of which it can.
    """
    try:
        descriptor = open_handle(mount, handle)
    except OSError as error:
        if error.errno == errno.ESTALE:
            return b""
        raise Unclear(f"a directory cannot be opened: {error.strerror}") from error
    try:
        while True:
            try:
                path = _path(descriptor)
                break
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise Unclear(f"a directory has no path: {error.strerror}") from error
            above = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = above
        return b"" if path.endswith(_GONE) and not _called(path, descriptor) else path
    finally:
        os.close(descriptor)


def _called(path: bytes, descriptor: int) -> bool:
    """Return whether a directory really has such a name."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def _try_out(descriptor: int, mount: bytes) -> None:
    """Raise WatchError unless the directory at `mount` is found by its handle."""
    try:
        os.close(open_handle(descriptor, handle_of(descriptor)))
    except OSError as error:
        why = NOT_PERMITTED if error.errno == errno.EPERM else error.strerror
        raise WatchError(f"{printable(mount)}: no directory opens by its handle: {why}") from error
