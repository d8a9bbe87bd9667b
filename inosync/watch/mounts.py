"""The table of mounts: what is mounted below a source, and a sign when that changes.

inotify says nothing when something is mounted over a directory or a bind mount goes away; the
kernel's table of mounts can be waited for. It need not show everything: in a chroot whose root is
no mount point there is no line for that, and without /proc there is no table. Knows nothing of
sources.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import select
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

_TABLE = "/proc/self/mountinfo"
#: File systems that others change as well, without an event here. A fuseblk is a disk; and overlay
#: tells of all but what is changed in its lower layers, which it forbids.
_SHARED = frozenset({"9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "fhgfs", "fuse"})
_SHARED |= {"gfs", "gfs2", "gpfs", "lustre", "nfs", "nfs4", "ocfs2", "orangefs", "panfs"}
_SHARED |= {"prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "wekafs"}

_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Mounts:
    """Becomes readable once for each change of the table (see proc_pid_mountinfo(5)).

    Never, where there is no table.
    """

    def __init__(self) -> None:
        # The table is always "readable", so it is polled for its urgent sign alone, in an epoll
        # instance of its own that can be waited for like any other descriptor.
        self._poll = select.epoll()
        self._table: BinaryIO | None = None
        with contextlib.suppress(OSError):
            self._table = open(_TABLE, "rb")  # noqa: SIM115 - open as long as we are
            self._poll.register(self._table, select.EPOLLPRI)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable; looking at it takes the sign back."""
        return self._poll.fileno()

    def close(self) -> None:
        """Stop looking."""
        self._poll.close()
        if self._table is not None:
            self._table.close()


def mounted_below(path: str) -> frozenset[bytes]:
    """Return the directories below `path`, relative to it, on which something is mounted now."""
    return _below(path, _table())


def file_systems_below(path: str) -> dict[bytes, tuple[bytes, ...]]:
    """Return the same directories, each with what tells the file system there from others."""
    return _file_systems_below(path, _table())


def file_system(path: str) -> tuple[bytes, ...]:
    """Return what tells the file system at `path` from others, also after it was away.

    Its type, what is mounted and which part of it; the device number where that lasts (disks), or
    where there is nothing else (tmpfs, what the table does not show); and its own identity. Device
    numbers are given out again: at once to the next tmpfs, in time to the next disk.
    """
    return _file_system(path, _table())


def _file_system(path: str, table: Sequence[_Mount]) -> tuple[bytes, ...]:
    mount = _holding(os.path.realpath(os.fsencode(path)), table)
    if mount is None:
        return (b"", b"", b"", _device(path))
    lasts = not mount.device.startswith(b"0:") or mount.kind in (b"tmpfs", b"ramfs")
    told = lasts or mount.kind == b"btrfs"
    return (
        mount.kind,
        mount.source,
        mount.root,
        mount.device if lasts else b"",
        b"%x" % identity(os.fsdecode(mount.point)) if told else b"",
    )


def identity(path: str) -> int:
    """Return what the file system at `path` calls itself (statfs(2), f_fsid); 0: nothing.

    A tmpfs has a name of its own since Linux 5.13, a disk has it from its UUID or its device.
    """
    try:
        return os.statvfs(path).f_fsid
    except OSError:
        return 0


def remote(path: str) -> bool:
    """Return whether what happens at `path`, or at what there is of it, may raise no event."""
    return shared(str(file_system(path)[0], "ascii"))


def doubled(path: str) -> bool:
    """Return whether something at or below `path` is mounted there by a second path, or alone.

    Of a directory with two paths inotify tells one; and of a file that is mounted by itself nothing
    is told where it is mounted.
    """
    top, table = os.path.realpath(os.fsencode(path)).rstrip(b"/"), _table()
    places = {mount.point.rstrip(b"/"): mount for mount in table}  # the last hides the others
    below = [mount for point, mount in places.items() if point.startswith(top + b"/")]
    if any(not os.path.isdir(mount.point) for mount in below):
        return True
    parts = [(mount.device, mount.root.rstrip(b"/") + b"/") for mount in below]
    holding = _holding(top, table)
    if below and holding is not None:
        inner = top[len(holding.point.rstrip(b"/")) :]
        parts.append((holding.device, holding.root.rstrip(b"/") + inner + b"/"))
    # In their order, what lies in another one follows it, or something else that lies in that.
    pairs = itertools.pairwise(sorted(parts))
    return any(one[0] == two[0] and two[1].startswith(one[1]) for one, two in pairs)


def shared(kind: str) -> bool:
    """Return whether others may change a file system of this type."""
    return kind.partition(".")[0] in _SHARED


def file_systems(path: str) -> tuple[str, frozenset[str]]:
    """Return what tells the file systems at and below `path` from others, and their types."""
    top, table = os.path.realpath(os.fsencode(path)), _table()
    below = sorted(_file_systems_below(path, table).items())
    found = [(top, _file_system(path, table))]
    found += [(top.rstrip(b"/") + b"/" + point, told) for point, told in below]
    return repr(found), frozenset(str(told[0], "ascii") for _, told in found)


class _Mount(NamedTuple):
    device: bytes
    root: bytes
    point: bytes
    kind: bytes
    source: bytes


def _table() -> list[_Mount]:
    try:
        with open(_TABLE, "rb") as table:
            return [_mount(line) for line in table]
    except OSError:
        return []


def _below(path: str, table: Iterable[_Mount]) -> frozenset[bytes]:
    top = os.path.realpath(os.fsencode(path)).rstrip(b"/") + b"/"
    points = {mount.point for mount in table}
    return frozenset(point[len(top) :] for point in points if point.startswith(top))


def _file_systems_below(path: str, table: Sequence[_Mount]) -> dict[bytes, tuple[bytes, ...]]:
    top = os.path.realpath(os.fsencode(path))
    below = _below(path, table)
    return {each: _file_system(os.fsdecode(os.path.join(top, each)), table) for each in below}


def _holding(real: bytes, table: Sequence[_Mount]) -> _Mount | None:
    """Return the mount that a path without links lies on, if the table shows it."""
    holding = [m for m in table if (real + b"/").startswith(m.point.rstrip(b"/") + b"/")]
    # Of several at one place the last hides the others.
    return max(reversed(holding), key=lambda mount: len(mount.point), default=None)


def _device(path: str) -> bytes:
    """Return the number of the device that `path` is on, b"" where there is no such path."""
    try:
        number = os.stat(path).st_dev
    except OSError:
        return b""
    return b"%d:%d" % (os.major(number), os.minor(number))


def _mount(line: bytes) -> _Mount:
    # 36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/source rw
    front, _, back = line.partition(b" - ")
    _, _, device, root, point, *_ = front.split(b" ")
    kind, source, *_ = back.split(b" ")
    return _Mount(device, _unescape(root), _unescape(point), kind, _unescape(source))


def _unescape(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), text)
