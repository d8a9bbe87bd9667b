"""Renamed files: which of them the node is to make of what it has, and in which steps.

Pure. Owns what is worth it and how much is done at once. That a file may be taken for what the node
has under its old path is decided in renames.py, where what rsync does is told as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from inosync.changes.changes import Move
from inosync.planning.steps import Relink

#: Bytes of files for which one more run is worth it. To an rsync daemon behind 100 Mbit/s and 20 ms
#: (a relay on the loopback), a new name took 0.66 s by way of --fuzzy, whatever the size, and to
#: send the file 0.37 s with 1 MB, 0.68 s with 5, and 1.11 s with 10. A new directory takes two more
#: runs: 1.0 s.
PER_RUN = 5_000_000

#: Files that are linked before one run. Each is hidden by a rule in the run that follows: a pass
#: over 100,000 files took 1.2 s with a hundred rules as without, and 2.8 s with a thousand.
MOST_LINKED = 100

#: Directories out of which, or into which, files are linked before one run: each pair is a run.
MOST_PAIRS = 8


class Renamed(NamedTuple):
    """A rename of a file, and its size in bytes."""

    move: Move
    size: int


def file_steps(
    files: Iterable[Renamed], *, per_run: int, big: int, delta: bool
) -> tuple[list[Relink], list[bytes]]:
    """Return the steps for files that went to other directories, and those that stay in theirs.

    No run is for less than `per_run` bytes. Without `delta`, nothing can be made of a file that has
    another name. For one above `big` bytes (0: none) that takes so long that it is left to the lane
    for big files.
    """
    pairs: dict[tuple[bytes, bytes], list[Renamed]] = {}
    alike: list[Renamed] = []
    linked = 0
    for file in sorted(files, key=lambda file: file.size, reverse=True):
        if stays(file.move):
            if delta and not 0 < big < file.size:
                alike.append(file)
        elif linked < MOST_LINKED:
            pairs.setdefault((home(file.move.old), home(file.move.new)), []).append(file)
            linked += 1
    # Before these, another run makes the way.
    worth = [(ends, found) for ends, found in pairs.items() if _bytes(found) >= 2 * per_run]
    names = sorted(file.move.new for file in alike) if _bytes(alike) >= per_run else []
    return [_relink(*ends, found) for ends, found in worth[:MOST_PAIRS]], names


def _relink(old: bytes, new: bytes, files: Sequence[Renamed]) -> Relink:
    return Relink(
        old,
        new,
        (),
        (),
        frozenset(path for file in files for path in file.move.places[:-1]),
        # A name that begins with "#" would be taken for a comment.
        tuple(sorted(b"./" + base_name(file.move.new) for file in files)),
    )


def home(path: bytes) -> bytes:
    """Return the directory of a path."""
    return path.rpartition(b"/")[0]


def base_name(path: bytes) -> bytes:
    """Return the last part of a path."""
    return path.rpartition(b"/")[2]


def stays(move: Move) -> bool:
    """Return whether a rename is one within a directory."""
    return home(move.old) == home(move.new)


def _bytes(files: Iterable[Renamed]) -> int:
    return sum(file.size for file in files)
