"""A look through a source, for ``--check``: what cannot be read, and files to ask nodes about."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass, field

from inosync.config.model import Source

#: Names that are sent along with the question, and examples in a message.
_SAMPLE, EXAMPLES = 20, 3


@dataclass
class Survey:
    """What a look through a source has found. ``marked``: none of the directories needs a watch."""

    directories: int = 0
    marked: bool = False
    hidden: int = 0
    unreadable: list[bytes] = field(default_factory=list)
    closed: int = 0  # how many are unreadable
    future: list[bytes] = field(default_factory=list)
    sample: list[bytes] = field(default_factory=list)  # files with fractions of seconds
    links: dict[bytes, bytes] = field(default_factory=dict)  # some, with what they lead to


def look_through(source: Source, *, links: int = _SAMPLE) -> Survey:
    """Count what a daemon would watch, and note what would be in its way, and so many links."""
    seen = Survey()
    soon = time.time() + 60
    root = os.fsencode(source.path)
    ahead = [b""]
    while ahead:
        below = ahead.pop()
        seen.directories += 1
        try:
            entries = list(os.scandir(os.path.join(root, below)))
        except OSError:
            _closed(seen, below)
            continue
        for entry in entries:
            path = os.path.join(below, entry.name)
            directory = entry.is_dir(follow_symlinks=False)
            if not source.filters.admits(path, directory=directory):
                seen.hidden += 1
            elif directory:
                ahead.append(path)
            elif not entry.is_symlink():
                _file(entry, path, seen, soon=soon)
            elif len(seen.links) < links:
                with contextlib.suppress(OSError):
                    seen.links[path] = os.readlink(entry.path)
    return seen


def _closed(seen: Survey, path: bytes) -> None:
    seen.closed += 1
    if len(seen.unreadable) < EXAMPLES:
        seen.unreadable.append(path)


def _file(entry: os.DirEntry[bytes], path: bytes, seen: Survey, *, soon: float) -> None:
    if os.geteuid() and not os.access(entry.path, os.R_OK):
        _closed(seen, path)
    if b"/" in path and len(seen.sample) >= _SAMPLE:
        return
    with contextlib.suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        if status.st_mtime > soon and len(seen.future) < EXAMPLES:
            seen.future.append(path)
        whole = status.st_mtime_ns % 1_000_000_000 == 0
        if stat.S_ISREG(status.st_mode) and not whole and len(seen.sample) < _SAMPLE:
            seen.sample.append(path)
