"""What a run may delete where only what has vanished is deleted (``rdelete = "seen"``).

Pure: sees the source through the View that it is handed. What else is on the mirror is protected by
a rule that comes after those made of this; so a directory is only entered there, and only goes,
if it has vanished itself, and what is in it goes name by name.
"""

from __future__ import annotations

import stat
from collections.abc import Collection
from dataclasses import dataclass

from inosync.changes.changes import with_parents
from inosync.planning.view import Status, View, is_real, is_sent
from inosync.rsync.filters import Filters

#: What one run deletes is said by a word of its command line for each path. rsync asks all of them
#: about each name in each directory that it looks at: 2,000 about 10,000 names take 0.1 s.
MOST = 2_000
#: How many bytes these words have.
MOST_BYTES = 200_000


@dataclass(frozen=True)
class Vanished:
    """What a run may delete, and what is left for the next; a slash ends paths of directories.

    ``hide`` are those of them in whose place there is a pipe or socket now, which no run sends.
    """

    paths: tuple[bytes, ...] = ()
    hide: frozenset[bytes] = frozenset()
    rest: frozenset[bytes] = frozenset()

    @property
    def homes(self) -> frozenset[bytes]:
        """The directories that are named for it."""
        return frozenset(path.rstrip(b"/").rpartition(b"/")[0] for path in self.paths)


def vanished(
    gone: Collection[bytes], view: View, filters: Filters, *, most: int = MOST
) -> Vanished:
    """Return what a run deletes of what is `gone`, `most` paths: what is not in the source now.

    What another thing has taken the place of has vanished, too: a directory may be in its way. What
    a mirror may keep by a rule of the source stays there, with all that is in it.
    """
    known: dict[bytes, bool] = {b"": True}

    def real(directory: bytes) -> bool:
        if directory not in known:
            known[directory] = is_real(directory, view)
        return known[directory]

    paths: dict[bytes, None] = {}
    hide, rest, room = set[bytes](), set[bytes](), MOST_BYTES
    for path in sorted(gone):
        bare = path.rstrip(b"/")
        parent = bare.rpartition(b"/")[0]
        if filters.guards and _guarded(path, filters):
            continue
        status = view.look(bare) if real(parent) else None
        odd = status is not None and not is_sent(status)
        if status is not None and not odd and not _in_the_way(path, status):
            continue
        needed = [
            above
            for above in _above(path)
            if above in gone and above not in paths and not real(above[:-1])
        ]
        size = sum(map(len, needed)) + len(path)
        if len(paths) + len(needed) + 1 > most or size > room:
            rest.add(path)
            continue
        room -= size
        paths.update(dict.fromkeys((*needed, path)))
        hide |= {bare} if odd else set()
    # A directory goes after all that is in it.
    rest |= {above for path in rest for above in _above(path) if above in gone}
    return Vanished(tuple(paths), frozenset(hide), frozenset(rest))


def _guarded(path: bytes, filters: Filters) -> bool:
    """Return whether a rule lets a mirror keep a path, or a directory on the way to it."""
    bare = path.rstrip(b"/")
    rules = [filters.guard_of(bare, directory=path.endswith(b"/"))]
    rules += [filters.guard_of(above[:-1], directory=True) for above in _above(path)]
    return any(rule is not None and not rule.include for rule in rules)


def _above(path: bytes) -> list[bytes]:
    return [home + b"/" for home in with_parents(path.rstrip(b"/").rpartition(b"/")[0])]


def _in_the_way(path: bytes, status: Status) -> bool:
    """Return whether it was a directory and is none any more: on the node it has to make way."""
    return path.endswith(b"/") and not stat.S_ISDIR(status.st_mode)
