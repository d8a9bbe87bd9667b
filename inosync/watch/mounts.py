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
    top = os.path.realpath(os.fsencode(path)).rstrip(b"/") + b"/"
    points = {mount.point for mount in _table()}
    return frozenset(point[len(top) :] for point in points if point.startswith(top))


def file_system(path: str) -> tuple[bytes, ...]:
    """Return what tells the file system at `path` from others, also after it was away.

    Its type, what is mounted and which part of it; the device number where that lasts (disks), or
    where there is nothing else (tmpfs, what the table does not show); and its own identity. Device
    numbers are given out again: at once to the next tmpfs, in time to the next disk.
    """
    real = os.path.realpath(os.fsencode(path)) + b"/"
    holding = [m for m in _table() if real.startswith(m.point.rstrip(b"/") + b"/")]
    if not holding:
        return (b"", b"", b"", _device(path))
    # Of several at one place the last hides the others.
    mount = max(reversed(holding), key=lambda mount: len(mount.point))
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
    top = os.path.realpath(os.fsencode(path)).rstrip(b"/")
    table = {mount.point.rstrip(b"/"): mount for mount in _table()}
    below = [mount for point, mount in table.items() if point.startswith(top + b"/")]
    if any(not os.path.isdir(mount.point) for mount in below):
        return True
    roots = [(mount.device, mount.root.rstrip(b"/")) for mount in below]
    holding = [point for point in table if (top + b"/").startswith(point + b"/")]
    if below and holding:
        point = max(holding, key=len)
        roots.append((table[point].device, table[point].root.rstrip(b"/") + top[len(point) :]))
    pairs = itertools.permutations(roots, 2)
    return any(one[0] == two[0] and (one[1] + b"/").startswith(two[1] + b"/") for one, two in pairs)


def shared(kind: str) -> bool:
    """Return whether others may change a file system of this type."""
    return kind.partition(".")[0] in _SHARED


def file_systems(path: str) -> tuple[str, frozenset[str]]:
    """Return what tells the file systems at and below `path` from others, and their types."""
    top = os.path.realpath(os.fsencode(path))
    points = [top, *(top.rstrip(b"/") + b"/" + point for point in sorted(mounted_below(path)))]
    found = [file_system(os.fsdecode(point)) for point in points]
    return repr(list(zip(points, found, strict=True))), frozenset(str(f[0], "ascii") for f in found)


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
