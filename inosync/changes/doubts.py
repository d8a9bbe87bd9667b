"""What may have other content than a mirror has, although size and date are the same.

Pure values. rsync's quick check takes such a file for equal, so it has to be compared by content.
Bounded: too many files become the directories that they are in, too many of these the whole source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from inosync.changes.changes import Changes

#: How many paths of one kind are remembered at the most.
MOST = 50_000
#: And how many files: each mirror remembers its own. A set of up to 19,000 has a table of 0.5 MB,
#: one of more of 2 MB (CPython's sets grow fourfold when they are three fifths full).
MOST_IN_DOUBT = 16_000

_NONE: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class Doubts:
    """Paths relative to the source whose content is in doubt.

    ``files`` themselves, those in ``folders``, and all below ``trees``. ``altered``: of what is
    below these directories, what has changed since the mirror was known to have everything; that
    its ctime tells.
    """

    files: frozenset[bytes] = _NONE
    folders: frozenset[bytes] = _NONE
    trees: frozenset[bytes] = _NONE
    altered: frozenset[bytes] = _NONE

    def __bool__(self) -> bool:
        """Whether there is any doubt."""
        return bool(self.files or self.folders or self.trees or self.altered)

    def __or__(self, other: Doubts) -> Doubts:
        """Return the doubts of both, within bounds."""
        if not self or not other:
            return self or other
        return Doubts(
            self.files | other.files,
            self.folders | other.folders,
            self.trees | other.trees,
            self.altered | other.altered,
        ).bounded()

    def bounded(self) -> Doubts:
        """Return what stands for these doubts and is not too much to remember."""
        files, folders, trees = self.files, self.folders, self.trees
        if files and folders:
            files = frozenset(path for path in files if path.rpartition(b"/")[0] not in folders)
        if len(files) > MOST_IN_DOUBT:
            files, folders = _NONE, folders | homes(files)
        if b"" in trees or len(folders) > MOST or len(trees) > MOST:
            return EVERYTHING
        return Doubts(files, folders, trees, self.altered)


NO_DOUBTS = Doubts()
EVERYTHING = Doubts(trees=frozenset((b"",)))
#: The names of what has changed were lost.
LOST = Doubts(altered=frozenset((b"",)))


def doubts_of(changes: Changes) -> Doubts:
    """Return what `changes` leave in doubt: what was written or came; attributes are no content."""
    files, trees = (changes.entries, changes.written), frozenset(changes.trees)
    if sum(map(len, files)) > MOST_IN_DOUBT:
        return Doubts(folders=homes(chain(*files)), trees=trees).bounded()
    return Doubts(frozenset(chain(*files)), trees=trees).bounded()


def homes(files: Iterable[bytes]) -> frozenset[bytes]:
    """Return the directories that these are in."""
    return frozenset(path.rpartition(b"/")[0] for path in files)
