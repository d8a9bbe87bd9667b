"""The event filter: what inotify reported becomes a change, or is nobody's business.

Pure. Knows the bits of inotify(7) and the exclude rules; knows neither pyinotify nor a file system.
"""

from __future__ import annotations

from collections.abc import Mapping

from inosync.changes.changes import Changes
from inosync.changes.inotify_bits import (
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVED_FROM,
    IN_MOVED_TO,
)
from inosync.rsync.filters import Filters, Hiding

_APPEARED = IN_CREATE | IN_MOVED_TO
_VANISHED = IN_DELETE | IN_MOVED_FROM


#: What inotify said: by the paths that directories have now, relative to the source (``b""``: the
#: source itself), and by names in there, the bits of all events about a name, in one. Names may end
#: in NULs, as the kernel pads them; ``b""`` is the directory itself.
Touched = Mapping[bytes, Mapping[bytes, int]]

# How far what is told of a name reaches: bits, since it may be several at once.
_ENTRY, _LEVEL, _TREE, _WRITTEN, _ATTRIBUTES = 1, 2, 4, 8, 16


def sift(files: Touched, directories: Touched, emask: int, filters: Filters) -> Changes:
    """Return the changes that events stand for; those that are none of our business are left out.

    That is what is not in `emask`, and what the exclude rules hide. `directories` are events about
    names of directories, `files` about all others. Only directories that the rules admit are
    watched, so these are not looked at again. ``IN_MODIFY`` counts as WRITTEN when it is not in
    `emask`; watch for it or not, as needed.
    """
    found = Changes()
    reaches = _Reaches(emask)
    _sift(files, found, reaches, filters.hiding(directories=False))
    _sift(directories, found, reaches, filters.hiding(directories=True))
    return found


def _sift(
    touched: Touched, found: Changes, reaches: Mapping[int, int], hiding: Hiding | None
) -> None:
    """Add what is told of some names to `found`. The loop inside is run for every changed file."""
    entries, attributes, hides = found.entries, found.attributes, None
    for directory, masks in touched.items():
        lead = directory + b"/" if directory else b""
        if hiding is not None:
            hides = hiding(directory)
        for padded, mask in masks.items():
            reach = reaches[mask]
            name = padded.rstrip(b"\0")
            if not reach or (hides is not None and name and hides(name)):
                continue
            path = lead + name if name else directory
            if reach == _ENTRY:
                entries[path] = None
            elif reach == _ATTRIBUTES:
                attributes[path] = None
            else:  # seldom
                _add(found, reach, directory, path)


def _add(found: Changes, reach: int, directory: bytes, path: bytes) -> None:
    """Add what reaches this far in its `directory`."""
    if reach & _ENTRY:
        found.entries[path] = None
    if reach & _LEVEL:
        found.again += directory in found.levels
        found.levels[directory] = None
    if reach & _TREE:
        found.trees[path] = None
    if reach & _WRITTEN:
        found.written[path] = None
    if reach & _ATTRIBUTES:
        found.attributes[path] = None


class _Reaches(dict[int, int]):
    """How far each mask reaches, worked out once: many names have few masks."""

    def __init__(self, emask: int) -> None:
        self._emask = emask

    def __missing__(self, mask: int) -> int:
        reach = self[mask] = _reach(mask, self._emask)
        return reach


def _reach(mask: int, emask: int) -> int:
    wanted = mask & emask
    reach = 0
    if wanted & _VANISHED:
        reach = _LEVEL
        if not mask & _APPEARED:
            return reach
        # What appeared under the name, before or after, is another thing.
        wanted &= ~_VANISHED
    if wanted & _APPEARED and mask & IN_ISDIR:
        return reach | _TREE
    if wanted and mask & ~IN_ISDIR == IN_ATTRIB:
        return _ATTRIBUTES
    if wanted:
        return reach | _ENTRY
    return reach | _WRITTEN if mask & IN_MODIFY else reach
