"""The event filter: what inotify reported becomes a change, or is nobody's business.

Pure. Knows the bits of inotify(7) and the exclude rules; knows neither pyinotify nor a file system.
The bits are kernel ABI (include/uapi/linux/inotify.h) and therefore plain numbers here.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from inosync.filters import Filters

IN_ACCESS = 0x001
IN_MODIFY = 0x002
IN_ATTRIB = 0x004
IN_CLOSE_WRITE = 0x008
IN_CLOSE_NOWRITE = 0x010
IN_OPEN = 0x020
IN_MOVED_FROM = 0x040
IN_MOVED_TO = 0x080
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_UNMOUNT = 0x2000
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ISDIR = 0x4000_0000

#: The names a config's ``emask`` may use.
MASK_BITS = {
    "IN_MODIFY": IN_MODIFY,
    "IN_ATTRIB": IN_ATTRIB,
    "IN_CLOSE_WRITE": IN_CLOSE_WRITE,
    "IN_MOVED_FROM": IN_MOVED_FROM,
    "IN_MOVED_TO": IN_MOVED_TO,
    "IN_CREATE": IN_CREATE,
    "IN_DELETE": IN_DELETE,
    "IN_DELETE_SELF": IN_DELETE_SELF,
    "IN_MOVE_SELF": IN_MOVE_SELF,
}

DEFAULT_EMASK = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB

_APPEARED = IN_CREATE | IN_MOVED_TO
_VANISHED = IN_DELETE | IN_MOVED_FROM


class Event(NamedTuple):
    """One thing that inotify said about one name, with the path it has now.

    ``directory`` is relative to the source (``b""``: the source itself); ``name`` is ``b""`` when
    the event is about the directory itself; ``mask`` is what the kernel reported, several bits
    when several events about the same name were merged.
    """

    directory: bytes
    name: bytes
    mask: int

    @property
    def path(self) -> bytes:
        """The path relative to the source, without leading or trailing slash."""
        directory, name = self.directory, self.name
        return b"%b/%b" % (directory, name) if directory and name else directory or name


class Kind(enum.Enum):
    """How far a change reaches."""

    ENTRY = "entry"  # this path itself: content or attributes
    LEVEL = "level"  # something vanished from this directory
    TREE = "tree"  # this directory and everything below it
    WRITTEN = "written"  # this file, by a program that has not closed it yet


# To look a member up in its class takes as long as all else that is done to an event.
_ENTRY, _LEVEL, _TREE, _WRITTEN = Kind


class Change(NamedTuple):
    """One path under a source (``b""``: the source itself) that may differ on the mirrors."""

    path: bytes
    kind: Kind


class Move(NamedTuple):
    """A directory of a source that was renamed within it: where it was, and where it is now.

    ``via`` are the paths that it had in between. Or a `file`; `sure`: nothing else has happened to
    it, nor under its old path before.
    """

    old: bytes
    new: bytes
    via: tuple[bytes, ...] = ()
    file: bool = False
    sure: bool = True

    @property
    def places(self) -> tuple[bytes, ...]:
        """All paths that it had."""
        return (self.old, *self.via, self.new)


def admit(event: Event, emask: int, filters: Filters) -> Change | None:
    """Return the change that an event stands for, or None when it is none of our business.

    None when the event's kind is not in `emask` or when the exclude rules hide its path. Only
    directories that the rules admit are watched, so its parent is not looked at again.
    ``IN_MODIFY`` counts as WRITTEN when it is not in `emask`; watch for it or not, as needed.
    """
    mask = event.mask
    if not mask & (emask | IN_MODIFY):
        return None
    path = event.path
    directory = bool(mask & IN_ISDIR)
    if path and not filters.admits(path, directory=directory):
        return None
    wanted = mask & emask
    if wanted & _VANISHED:
        return Change(event.directory, _LEVEL)
    if directory and wanted & _APPEARED:
        return Change(path, _TREE)
    return Change(path, _ENTRY if wanted else _WRITTEN)
