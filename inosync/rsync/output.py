"""What a run of rsync says: statistics, progress, deletions, errors.

Pure. Reads bytes that rsync wrote; what differs is read in differences.py.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from inosync.rsync.program import CHATTER
from inosync.text import printable


@dataclass(frozen=True)
class Transferred:
    """What a run moved: regular files, bytes of file data, deletions."""

    files: int = 0
    size: int = 0
    deleted: int = 0

    def __add__(self, other: Transferred) -> Transferred:
        """Return what two runs moved together."""
        return Transferred(
            self.files + other.files, self.size + other.size, self.deleted + other.deleted
        )


NOTHING = Transferred()

_STATISTICS = {
    "files": re.compile(rb"^Number of (?:regular )?files transferred: (\d+)", re.MULTILINE),
    "size": re.compile(rb"^Total transferred file size: (\d+)", re.MULTILINE),
    "deleted": re.compile(rb"^Number of deleted files: (\d+)", re.MULTILINE),
}


def transferred(output: bytes) -> Transferred:
    """Return what ``--stats`` says in the standard output of a run; zeros where it says nothing.

    The last line counts: names of files come before, and one may read like it.
    """
    found = {name: pattern.findall(output) for name, pattern in _STATISTICS.items()}
    return Transferred(**{name: int(told[-1]) for name, told in found.items() if told})


def rehearsed(output: bytes) -> Transferred:
    """Return what a rehearsal would have moved.

    Where a node speaks a protocol before 31 (rsync 3.0), nothing is said of how many files would be
    deleted (``output_summary`` in main.c): then they are counted one by one.
    """
    told = transferred(output)
    if _STATISTICS["deleted"].search(output):
        return told
    return dataclasses.replace(told, deleted=sum(1 for _ in _DELETING.finditer(output)))


_CREATED = re.compile(rb"^Number of created files: \d+(?: \((?:reg: (\d+))?)?", re.MULTILINE)


def overwrote(output: bytes) -> bool:
    """Return whether ``--stats`` says that a run has overwritten files, or leaves that open."""
    created = _CREATED.findall(output)
    return transferred(output).files > int((created and created[-1]) or 0)


@dataclass(frozen=True)
class Progress:
    """How far a run was when it last told: files and bytes sent, percent, seconds left.

    ``percent`` and ``eta`` are of what rsync has found so far (rsync(1), --info=progress2).
    """

    files: int
    size: int
    percent: int
    eta: int


def beside(told: Sequence[Progress]) -> Progress | None:
    """Return how far runs are that are made at once; None if none of them has told."""
    if not told:
        return None
    return Progress(
        sum(each.files for each in told),
        sum(each.size for each in told),
        min(each.percent for each in told),
        max(each.eta for each in told),
    )


_PROGRESS = re.compile(
    rb"^ *(\d+) +(\d+)% +\S+ +(\d+):(\d\d):(\d\d)(?: \(xfr#(\d+),[^)\n]*\))? *$", re.MULTILINE
)


def progress(output: bytes) -> Progress | None:
    """Return the last progress report in the standard output of a run; None if there is none."""
    told = _PROGRESS.findall(output.replace(b"\r", b"\n"))
    if not told:
        return None
    size, percent, hours, minutes, seconds, files = (int(group or 0) for group in told[-1])
    return Progress(files, size, percent, hours * 3600 + minutes * 60 + seconds)


#: It has a star where the run is asked for itemized lines (differences.py).
_DELETING = re.compile(rb"^(?:deleting |\*deleting {3})(.*)$", re.MULTILINE)


def deletions(output: bytes, *, most: int = 3) -> tuple[str, ...]:
    """Return a few of the paths that a rehearsal would have deleted, safe to log."""
    found = itertools.islice(_DELETING.finditer(output), most)
    return tuple(printable(match[1]) for match in found)


def evidence(errors: bytes, *, lines: int = 25) -> tuple[str, ...]:
    """Return the last ``lines`` lines that rsync wrote to its standard error, safe to log.

    Control characters become visible escapes; undecodable bytes too. What ssh says of a connection
    that it does not share is left out.
    """
    kept = [line.rstrip() for line in errors.splitlines() if line.strip()]
    kept = [line for line in kept if not CHATTER.match(line)]
    return tuple(printable(line) for line in kept[-lines:])
