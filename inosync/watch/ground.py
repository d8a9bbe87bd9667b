"""Where a tree of watches stands on the file system: directories are entered, listed and watched.

A path leads to whatever lies there just now; a watch belongs to an inode. So a directory is entered
by its path once (chdir(2)), and asked whether it is the right one: to watch "." returns the watch
descriptor (wd) that the inode has. Knows nothing of which directory lies in which.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator

_ONLYDIR = 0x0100_0000
_DONT_FOLLOW = 0x0200_0000
# Without it, the kernel empties the mask of a watch that exists before it sets the same again
# (inotify_update_existing_watch() in fs/notify/inotify/inotify_user.c), and what happens in between
# on another processor is reported to nobody.
_MASK_ADD = 0x2000_0000

#: File systems that keep the link count of directories; others show 1, or 2 for each.
_COUNTING = frozenset({b"ext2", b"ext3", b"ext4", b"xfs", b"tmpfs"})


class Ground:
    """The directories below the one at ``prefix``, which ends with a slash.

    ``add(path, mask)`` is inotify_add_watch(2) and returns the wd, or the errno negated. OSError
    when the root cannot be watched; ``root`` is its wd and ``identity`` its device and inode.
    """

    def __init__(self, prefix: bytes, mask: int, add: Callable[[bytes, int], int]) -> None:
        # With a slash at its end, a path that is a symlink is followed: the root may be one.
        self.prefix = prefix.rstrip(b"/") + b"/"
        self._mask = mask | _ONLYDIR | _DONT_FOLLOW | _MASK_ADD
        self._add = add
        self.root, self.identity = self._watch_root()
        # The device on which st_nlink tells that a directory has no subdirectories.
        self._counts_links = self.identity[0] if _counts_links(self.identity[0]) else None

    def _watch_root(self) -> tuple[int, tuple[int, int]]:
        with elsewhere():
            os.chdir(self.prefix)
            wd = self.watch(b".")
            status = os.stat(b".")
        if wd < 0:
            raise OSError(-wd, os.strerror(-wd))
        return wd, (status.st_dev, status.st_ino)

    def watch(self, name: bytes) -> int:
        """Watch a directory in the one that is entered; return its wd, or the errno negated."""
        return self._add(name, self._mask)

    def enter(self, path: bytes) -> int:
        """Make the directory at `path` the working directory; return its wd, or an errno negated.

        That is -ESTALE when it cannot be watched, unless it may not be read.
        """
        try:
            os.chdir(self.prefix + path)
        except OSError as error:
            return -(error.errno or errno.EIO)
        wd = self.watch(b".")
        return wd if wd >= 0 or wd == -errno.EACCES else -errno.ESTALE

    def has_subdirectories(self, name: bytes) -> bool | None:
        """Return whether a directory in the one that is entered has any; None: that is not told.

        Each has a link, "..", to it; where they are counted, at least. OSError when it is gone.
        """
        status = os.lstat(name)
        return status.st_nlink != 2 if status.st_dev == self._counts_links else None


def subdirectories() -> set[bytes]:
    """Return the names of all directories in the one that is entered."""
    with os.scandir(b".") as entries:
        return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Give the working directory back at the end; "/" where no file can be opened to do so."""
    try:
        home = os.open(".", os.O_PATH | os.O_DIRECTORY)
    except OSError:
        home = -1
    try:
        yield
    finally:
        if home < 0:
            os.chdir("/")
        else:
            os.fchdir(home)
            os.close(home)


def _counts_links(device: int) -> bool:
    """Return whether a directory without subdirectories always has two links on this device."""
    number = b"%d:%d" % (os.major(device), os.minor(device))
    try:
        with open("/proc/self/mountinfo", "rb") as file:  # proc(5)
            mounts = [line.split(b" - ") for line in file]
    except OSError:
        return False
    return any(m[0].split()[2] == number and m[-1].split()[0] in _COUNTING for m in mounts)
