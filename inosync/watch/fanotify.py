"""The fanotify group, its buffer, and file handles: the only door to these system calls.

Where inotify(7) wants a watch on each directory, one mark of fanotify(7) is for a whole file
system. An event names the directory by its handle, which open_by_handle_at(2) opens wherever the
directory is by then. Knows nothing of sources.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import re
import select
import struct
import termios
from collections import defaultdict
from dataclasses import dataclass, field

from inosync.changes.inotify_bits import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_Q_OVERFLOW,
)

#: Why the kernel refuses, when it says EPERM.
NOT_PERMITTED = "CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH are needed"

# Kernel ABI (include/uapi/linux/fanotify.h). The bits of events are those of inotify(7).
_CLOEXEC, _NONBLOCK, _REPORT_DFID_NAME = 0x1, 0x2, 0xC00
_MARK_ADD, _MARK_FILESYSTEM = 0x1, 0x100
_INFO_DFID_NAME = 2

_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_MOST_HANDLE = 128  # bytes: MAX_HANDLE_SZ

_STRUCTURE = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ISDIR
_CONTENT = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE
_MOVED = IN_MOVED_FROM | IN_MOVED_TO

# struct fanotify_event_metadata: length and mask; struct fanotify_event_info_fid: its kind, and
# behind the number of the file system the size of the handle (struct file_handle). The name follows
# the handle.
_EVENT = struct.Struct("=I4xQ8xB3x8xI4x")
_METADATA = 24
_DIRECTORY = 28  # where the number of the file system begins: with the handle, it is the directory
_HANDLE = struct.Struct("=I4x")

_DEVICE = re.compile(r"^fanotify sdev:(\w+)", re.MULTILINE)

_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass
class Heard:
    """What one buffer said: of each directory the names, padded with NULs, of each the mask.

    A directory is the number of its file system and its handle; ``b"."`` is the directory itself.
    ``untold``: there were events without a place.
    """

    files: defaultdict[bytes, dict[bytes, int]] = field(default_factory=lambda: defaultdict(dict))
    directories: defaultdict[bytes, dict[bytes, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    count: int = 0
    overflowed: bool = False
    untold: bool = False
    moved: bool = False  # a directory was renamed


class Group:
    """One fanotify group. OSError when there can be none."""

    def __init__(self) -> None:
        flags = _CLOEXEC | _NONBLOCK | _REPORT_DFID_NAME
        self._fd = _checked(_call("fanotify_init")(flags, os.O_RDONLY))
        self._pending = array.array("i", [0])
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def fileno(self) -> int:
        """Return the descriptor that is readable when the kernel has something to say."""
        return self._fd

    def close(self) -> None:
        """Drop all marks at once."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def mark(self, path: bytes, emask: int) -> None:
        """Hear of the whole file system at `path` what keeps paths right, and of `emask`."""
        mask = ctypes.c_uint64(_STRUCTURE | emask & _CONTENT)
        flags = _MARK_ADD | _MARK_FILESYSTEM
        _checked(_call("fanotify_mark")(self._fd, flags, mask, _AT_FDCWD, path))

    def devices(self) -> set[int]:
        """Return the devices of the file systems that have a mark: proc(5), /proc/PID/fdinfo."""
        with open(f"/proc/self/fdinfo/{self._fd}", encoding="ascii") as file:
            found = [int(number, 16) for number in _DEVICE.findall(file.read())]
        return {os.makedev(number >> 20, number & 0xFFFFF) for number in found}

    def waiting(self) -> bool:
        """Return whether the kernel has queued anything."""
        return bool(self._poll.poll(0))

    def queued(self) -> int:
        """Return how many events the kernel has queued, for which it looks at each.

        What it counts of each is the metadata alone, neither handle nor name.
        """
        fcntl.ioctl(self._fd, termios.FIONREAD, self._pending)
        return self._pending[0] // _METADATA

    def read(self, limit: int) -> bytes:
        """Take what the kernel has queued, up to the limit in bytes. Never blocks."""
        try:
            return os.read(self._fd, limit)
        except BlockingIOError:
            return b""


def parse(buffer: bytes) -> Heard:
    """Return what the events in a buffer say. Nothing else is done for every event."""
    heard = Heard()
    unpack, header = _EVENT.unpack_from, _EVENT.size
    files, directories = heard.files, heard.directories
    offset, end, count = 0, len(buffer), 0
    buffer += bytes(header)  # the last may be the metadata alone
    while offset < end:
        length, mask, kind, size = unpack(buffer, offset)
        count += 1
        if mask & IN_Q_OVERFLOW:
            heard.overflowed = True
        elif length <= _METADATA or kind != _INFO_DFID_NAME:
            heard.untold = True
        else:
            name_at = offset + header + size
            directory = buffer[offset + _DIRECTORY : name_at]
            name = buffer[name_at : offset + length]
            if mask & IN_ISDIR:
                masks = directories[directory]
                heard.moved |= bool(mask & _MOVED)
            else:
                masks = files[directory]
            masks[name] = masks.get(name, 0) | mask
        offset += length
    heard.count = count
    return heard


def handle_of(descriptor: int) -> bytes:
    """Return the handle of an open directory, as events have it; OSError where it has none."""
    buffer = ctypes.create_string_buffer(_HANDLE.size + _MOST_HANDLE)
    _HANDLE.pack_into(buffer, 0, _MOST_HANDLE)
    mount = ctypes.c_int()
    name_to_handle = _call("name_to_handle_at")
    _checked(name_to_handle(descriptor, b"", buffer, ctypes.byref(mount), _AT_EMPTY_PATH))
    (size,) = _HANDLE.unpack_from(buffer)
    return buffer.raw[: _HANDLE.size + size]


def open_handle(mount: int, handle: bytes) -> int:
    """Open a directory by its handle, for its path alone; `mount` is open on its file system.

    OSError ESTALE when there is no such directory any more.
    """
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    return _checked(_call("open_by_handle_at")(mount, handle, flags))


def file_system_number(descriptor: int) -> bytes:
    """Return the number of a file system as events have it."""
    return struct.pack("=Q", os.fstatvfs(descriptor).f_fsid)


def _call(name: str) -> ctypes._NamedFuncPointer:
    """Return a system call of the C library; OSError where that has none (musl)."""
    try:
        return getattr(_LIBC, name)  # type: ignore[no-any-return]
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
