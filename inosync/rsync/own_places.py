"""Directories inside a mirror that rsync has for itself: old versions, and files in the making.

Pure. Nothing but a rule keeps them from ``--delete``: it would carry old versions into the
directory that they are in, one level deeper with each run, and delete the one that rsync writes to.
"""

from __future__ import annotations

from collections.abc import Sequence

from inosync.rsync.destination import Destination, Transport
from inosync.rsync.options import values


def own_places(extra: Sequence[str], destination: Destination, *, restricted: bool) -> list[str]:
    """Return the paths below `destination` that options of a node have rsync use, and those above.

    Not where they are by a name in each directory: of these rsync takes care. `restricted` says
    that absolute paths on an ssh node count from where the mirror's do.
    """
    told = [*values(extra, ("--backup-dir",)), *values(extra, ("-T", "--temp-dir"))]
    told += [path for path in values(extra, ("--partial-dir",)) if path.startswith("/")]
    top = _top(destination, restricted=restricted)
    found: dict[str, None] = {}
    for path in told:
        parts = _parts(path)
        if path.startswith("/"):
            parts = parts[len(top) :] if top is not None and parts[: len(top)] == top else []
        if parts[:1] != [".."]:
            found |= dict.fromkeys("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    return list(found)


def _top(destination: Destination, *, restricted: bool) -> list[str] | None:
    """Return the parts of a mirror's absolute path for a node's rsync; None when not known."""
    path = destination.path
    if destination.transport is Transport.DAEMON:
        return _parts(path.partition("/")[2])
    return _parts(path) if restricted or path.startswith("/") else None


def _parts(path: str) -> list[str]:
    """Return the names in a path, each ".." taken together with what it leads out of."""
    parts: list[str] = []
    for name in path.split("/"):
        if name == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif name not in ("", "."):
            parts.append(name)
    return parts
