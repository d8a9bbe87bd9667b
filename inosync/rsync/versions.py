"""The old versions that a node keeps: read from what rsync lists, and which of them were meant.

Pure. A version was on the mirror until the run that put it away, and that run gave its folder the
name. So what was at a path at some time is the first version of it that was put away after that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from inosync.changes.changes import with_parents
from inosync.rsync.differences import unescape
from inosync.rsync.kept import moment

#: A line of ``--list-only --no-human-readable``, by a process whose TZ is UTC.
_LISTED = re.compile(
    rb"(.)\S{9,10} +(\d+) (\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) (.+)", re.DOTALL
)
_DAY = re.compile(rb"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Version:
    """A file, link or the like that was at ``path`` of the transfer until the run ``at`` a time.

    ``folder`` is the run's, ``kind`` the letter that ls has for it.
    """

    path: bytes
    at: float
    folder: str
    kind: str
    size: int
    mtime: float

    def below(self, top: bytes) -> bytes:
        """Return the path relative to `top`, which is above it, or the same: then ``b""``."""
        return self.path[len(top) :].lstrip(b"/")


def days(lines: Iterable[bytes]) -> list[str]:
    """Return the days that are listed, the newest first."""
    found = (found[9] for found in map(_listed, lines) if found and found[1] == b"d")
    return sorted((name.decode() for name in found if _DAY.fullmatch(name)), reverse=True)


def versions(day: str, lines: Iterable[bytes]) -> Iterator[Version]:
    """Give what is listed of a day. A directory is no version of anything."""
    for found in map(_listed, lines):
        if not found or found[1] == b"d":
            continue
        run, _, path = unescape(found[9]).partition(b"/")
        folder = f"{day}/{run.decode('ascii', 'replace')}"
        at = moment(folder)
        if at is None or not path:
            continue
        year, month, number, hours, minutes, seconds = (
            part.decode() for part in found.groups()[2:8]
        )
        mtime = moment(f"{year}-{month}-{number}/{hours}{minutes}{seconds}.000000Z")
        yield Version(path, at, folder, found[1].decode(), int(found[2]), mtime or 0.0)


def chosen(
    found: Iterable[Version], when: float | None, wanted: Callable[[Version], bool]
) -> tuple[list[Version], list[Version]]:
    """Return which versions were there at a time, and which are of what came after it.

    Without a time the newest of each path, of those that are `wanted`.
    """
    first: dict[bytes, Version] = {}
    if when is None:
        for version in sorted(found, key=lambda each: each.at, reverse=True):
            if wanted(version):
                first.setdefault(version.path, version)
    else:
        for version in sorted(found, key=lambda each: each.at):
            if version.at >= when:
                first.setdefault(version.path, version)
    # Nobody can have put away by then what was only written later.
    later = [each for each in first.values() if when is not None and when < each.mtime <= each.at]
    younger = {each.path for each in later}
    return _apart(each for each in first.values() if each.path not in younger), later


def _apart(found: Iterable[Version]) -> list[Version]:
    """Return the versions, but none whose path lies above or below that of an earlier one."""
    taken: set[bytes] = set()
    ways: set[bytes] = set()
    kept = []
    for version in found:
        above = list(with_parents(version.path))[1:]
        if version.path in ways or not taken.isdisjoint(above):
            continue
        taken.add(version.path)
        ways.update(above)
        kept.append(version)
    return kept


def _listed(line: bytes) -> re.Match[bytes] | None:
    return _LISTED.fullmatch(line.rstrip(b"\n"))
