"""What the kernel reports about one source, by a mark on each of its file systems.

To those who ask it is what a watcher is, without a watch for each directory: there is nothing to be
walked, and no directory is short of a watch. Where directories are is for others to know.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

from inosync.errors import WatchError
from inosync.rsync.filters import Filters
from inosync.text import printable
from inosync.watch.fanotify import NOT_PERMITTED, Group, Heard, parse
from inosync.watch.places import MOST_KNOWN, Places, Unclear
from inosync.watch.sift import Touched
from inosync.watch.unwatched import reason, sysctl
from inosync.watch.watcher import Seen, state_of_root

_READ_LIMIT = 1 << 20
_SMALLEST_READ = 512  # an event with the longest name and handle fits

_ITSELF = b"."  # how the kernel calls the directory that an event is in


class MarkedSource:
    """One watched source, on a fanotify group of its own; as for the rest, see ``Watcher``.

    WatchError, with the reason, when the source cannot be watched so.
    """

    def __init__(
        self,
        root: str,
        *,
        filters: Filters,
        emask: int,
        read_limit: int = _READ_LIMIT,
        most_known: int = MOST_KNOWN,
    ) -> None:
        self._root = os.fsencode(os.path.abspath(root))
        self._emask = emask
        self._read_limit = max(read_limit, _SMALLEST_READ)
        self._unfit = ""  # why it cannot be watched so any more
        self._unclear = ""
        self._lost = False  # that was told
        self._group = _group()
        self.events = self.overflows = 0
        try:
            self._places = Places(self._root, filters, most_known=most_known)
            self._mark()
        except OSError as error:
            self.close()
            raise WatchError(f"{printable(self._root)}: {error.strerror}") from error
        except WatchError:
            self.close()
            raise

    def _mark(self) -> None:
        """Hear of all file systems that are in the source now."""
        for mount in self._places.file_systems():
            try:
                self._group.mark(mount, self._emask)
            except OSError as error:
                why = _REFUSED.get(error.errno or 0, error.strerror)
                raise WatchError(f"{printable(mount)}: {why}") from error

    def fileno(self) -> int:
        """Return the descriptor that is readable when the kernel has something to say."""
        return self._group.fileno()

    def close(self) -> None:
        """Drop all marks at once."""
        self._group.close()

    def walk(self, limit: int) -> bool:
        """Return True: nothing is to be walked."""
        return True

    def read(self) -> Seen:
        """Return what the kernel has queued by now. Never blocks, and takes a bounded time."""
        buffer = self._group.read(self._read_limit)
        heard = parse(buffer)
        self.events += heard.count
        self.overflows += heard.overflowed
        if heard.moved or heard.overflowed or heard.untold:
            self._places.forget()
            if self._places.mounts_moved():
                self.reconcile()
        files: Touched = {}
        directories: Touched = {}
        root_lost = False
        try:
            if heard.count:
                files, directories = self._by_path(heard)
        except Unclear as error:
            self._unclear = str(error)
        except OSError as error:
            if self.root_state():
                root_lost, self._lost = not self._lost, True
            else:
                self._unclear = reason(error.errno or errno.EIO)
        return Seen(
            files=files,
            directories=directories,
            resync=self._resync(heard),
            root_lost=root_lost or bool(self._unfit),
        )

    def _resync(self, heard: Heard) -> str:
        """Return why all must be compared, or ""."""
        unclear, self._unclear = self._unclear, ""
        if heard.overflowed:
            limit = sysctl("fs.fanotify.max_queued_events")
            return f"the kernel's event queue overflowed: raise {limit}"
        if heard.untold:
            return "the kernel told of a change, and not where"
        return unclear and f"a change cannot be placed: {unclear}"

    def _by_path(self, heard: Heard) -> tuple[Touched, Touched]:
        """Return what was heard of files and directories, by the paths that are right now."""
        places = self._places.find(list(heard.files.keys() | heard.directories.keys()))
        files, directories = dict[bytes, dict[bytes, int]](), dict[bytes, dict[bytes, int]]()
        for directory, masks in heard.files.items():
            for path in places[directory]:
                _note(files, path, masks.items())
        for directory, masks in heard.directories.items():
            for path in places[directory]:
                for padded, mask in masks.items():
                    parent, name = _named(path, padded)
                    _note(directories, parent, [(name, mask)])
        return files, directories

    def reconcile(self) -> None:
        """Watch what is mounted in the source now."""
        try:
            self._mark()
        except WatchError as error:
            self._unfit = f"has a part that fanotify cannot watch: {error}"
        except OSError as error:
            self._unclear = error.strerror or "its mounts cannot be looked at"

    def retry_unwatched(self) -> None:
        """Do nothing: there are none."""

    def mounts_changed(self) -> bool:
        """Return whether something is mounted in the source that is not marked, or was elsewhere.

        The kernel drops the mark of what is unmounted, also when the same is mounted again.
        """
        return self._places.new_mounts(self._group.devices())

    def root_state(self) -> str:
        """Return "" while the root's path leads to the directory that is watched, else a reason."""
        state = state_of_root(self._root, self._places.device, self._places.root_error)
        return self._unfit or state

    def waiting(self) -> bool:
        """Return whether events wait to be read."""
        return self._group.waiting()

    def queued(self) -> int:
        """Return how many events wait to be read."""
        return self._group.queued()

    @property
    def taken(self) -> int:
        """How many events were read so far."""
        return self.events

    @property
    def watched(self) -> int:
        """0: no directory has a watch."""
        return 0

    @property
    def unwatched(self) -> Mapping[bytes, str]:
        """No directory goes unwatched."""
        return {}

    @property
    def unfinished(self) -> bool:
        """Whether there is something to be walked."""
        return False

    @property
    def unread(self) -> bool:
        """Whether :meth:`read` has something to say that :meth:`fileno` does not announce."""
        return bool(self._unfit or self._unclear)


_REFUSED = {
    errno.EPERM: NOT_PERMITTED,
    errno.ENODEV: "its file system has no number",
    errno.EOPNOTSUPP: "its file system has no handles",
    errno.EXDEV: "it is a part of a file system with a number of its own, as btrfs has",
    errno.ENOSPC: "no mark is left: raise fs.fanotify.max_user_marks",
}


def _group() -> Group:
    """Return a new group; raise WatchError, with the reason, when there can be none."""
    if not os.path.isdir("/proc/self/fd"):
        raise WatchError("/proc is not mounted")
    try:
        return Group()
    except OSError as error:
        limits = sysctl("fs.fanotify.max_user_groups")
        reasons = {
            errno.EPERM: NOT_PERMITTED,
            errno.EINVAL: "the kernel is older than 5.9",
            errno.ENOSYS: "the kernel, or the C library, has no fanotify",
            errno.EMFILE: f"no group is left: raise {limits}, or the limit of open files",
        }
        raise WatchError(reasons.get(error.errno or 0) or str(error.strerror)) from error


def _named(path: bytes, padded: bytes) -> tuple[bytes, bytes]:
    """Return the directory and the name under which a directory is told: its parent tells it."""
    name = padded.rstrip(b"\0")
    if name != _ITSELF:
        return path, name
    parent, _, own = path.rpartition(b"/")
    return parent, own


def _note(
    noted: dict[bytes, dict[bytes, int]], path: bytes, masks: Iterable[tuple[bytes, int]]
) -> None:
    """Add what was heard of names in the directory at `path`."""
    known = noted.setdefault(path, {})
    for name, mask in masks:
        known[name] = known.get(name, 0) | mask
