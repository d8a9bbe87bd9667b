"""What a run names when it carries some changes only: the list for rsync's ``--files-from``.

Owns what an entry of that list means, the options that go with it, and how changes become entries.
Pure: sees the source through the View that it is handed, at the moment it is called. Knows neither
mirrors nor processes; command.py makes the rest of a command line. Which options of a node do not
go with a list is said in rsync/options.py.

What rsync (3.5.0) makes of the list, each held by a test:

- ``dir/`` sends one level of a directory and deletes what vanished there; ``dir/file`` sends that
  file, and ``dir`` the attributes of a directory. The directories on the way are sent with their
  times and modes; with ``./`` before the path, the top of the transfer is as well. Nothing else is
  touched. In whatever a name has turned (file, link, full directory), that replaces what was there.
- A slash at the end follows a symbolic link, and so does a link on the way. The mirror would get a
  directory instead of the link. So only what is named through real directories is named at all.
- Exclude rules are asked about an entry itself, anchored at the top of the transfer, never about
  the directories on the way: a file in an excluded directory would be sent. What they exclude on a
  mirror is spared as in a full pass. Rules in merge files are not read for an entry. The top that
  ``./`` stands for is hidden by a rule that matches ``.``, such as ``.*``, and would keep its time.
- An entry that does not exist is exit 23 ("link_stat ... failed: No such file or directory"), and
  with ``--ignore-missing-args`` nothing. One that has no directory on its way ("Not a directory",
  "Too many levels of symbolic links") is exit 23 with either, and then nothing is deleted. What
  vanishes later, while rsync is at it, is exit 24 (rsync(1)), or, when it was a directory that has
  become something else, now and then exit 2 ("ABORTING due to invalid path from sender"). All of
  these are races that were lost: a new plan is due, for the same changes.
- An entry of 4096 bytes or more is cut off there without a word.
- An entry that begins with ``#`` or ``;`` is a comment, also with ``--from0``: see :func:`lead`.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from inosync.changes.changes import Change, Inode, Kind
from inosync.config.model import Source
from inosync.planning.view import Status, View
from inosync.rsync.filters import Filters

#: From this many changed names of one directory on, the whole directory may be named instead.
CROWD = 100
#: That is done when it has at most this many times as many names. Measured with 10,000 of each, an
#: entry costs both ends together 10 microseconds of processor time, a name in a named directory 5.
CROWDED = 2
#: The longest list. 10,000 files of one directory cost 0.10 s of processor time, like a full pass
#: over 20,000; each in a directory of its own, 0.26 s. 10,000 directories with four files each cost
#: 0.6 s, where a full pass over these takes 0.35. To plan that keeps us from all else for 0.1 s,
#: and for 0.2 s when they are all new.
LONGEST_LIST = 10_000
#: In a bigger tree it may have as many entries as there are directories, which a pass would read
#: each, and never more than this.
LONGEST_OF_ALL = 100_000

_NAMES = 5  # for each entry that a list may have: so many names in new directories are looked at
#: How many bytes a name may have: rsync's MAXPATHLEN, without the NUL.
LONGEST_ENTRY = 4095
#: Why a pass is due where one has more.
TOO_LONG = "a path is too long to be named"


class _Admits(Protocol):
    """What :meth:`Filters.admits` is, without what a run is to leave alone."""

    def __call__(self, path: bytes, *, directory: bool) -> bool:
        """Return whether a run that has come to the parent of `path` takes `path`."""


def longest_list(directories: int | None) -> int:
    """Return how many entries a list may have in a tree with so many directories.

    One whose directories nobody counts (None) is taken for a big one.
    """
    if directories is None:
        return LONGEST_OF_ALL
    return min(LONGEST_OF_ALL, max(LONGEST_LIST, directories))


@dataclass(frozen=True)
class Plan:
    """What a run has to name.

    ``entries`` are the names for ``--files-from``, relative to :func:`top`, to be ended by a NUL
    each. ``full`` is why only a full pass will do, or ``""``; then there are no entries. Neither:
    there is nothing to carry. ``linked`` are files that have more names than the changes know, and
    these: under the others they have changed without an event. That stays unknown when the name by
    which one was changed is gone before it is looked at. ``inside`` are the paths in new
    directories that are no directories.
    """

    entries: tuple[bytes, ...] = ()
    full: str = ""
    linked: Mapping[Inode, frozenset[bytes]] = field(default_factory=dict)
    inside: tuple[bytes, ...] = ()


def list_options(list_file: str = "-") -> list[str]:
    """Return the words of an argv that take the place of ``-ltrp --delete``, before any excludes.

    The list is read from a file, from standard input by default. A name that has vanished since it
    was planned is no error: its own event follows, and the source guard vouches for the source.
    """
    words = ["-ltp", "--dirs", "--delete", "--ignore-missing-args", "--include=/./"]
    return [*words, "--from0", f"--files-from={list_file}"]


def top(source: Source) -> str:
    """Return the directory that entries are relative to: the source argument of such a run."""
    if source.relative:
        return source.argument.partition("/./")[0] + "/"
    if source.prefix:
        return source.argument.rpartition("/")[0] + "/"
    return source.argument


def lead(prefix: bytes) -> bytes:
    """Return what comes before the path of each entry, for a source with this prefix."""
    if not prefix:
        return b"./"
    # A line that begins so is a comment to rsync (read_line in io.c). What is before "/./" is where
    # a name is looked for, no part of it: "./#name" would send the top of the transfer as well.
    return b"././" + prefix + b"/" if prefix[:1] in (b"#", b";") else prefix + b"/"


def homes(names: Iterable[bytes], prefix: bytes) -> frozenset[bytes]:
    """Return the directories, relative to a source with this prefix, that a list writes into."""
    skip = len(lead(prefix))
    return frozenset(name[skip:].rpartition(b"/")[0] for name in names)


def plan(
    changes: Iterable[Change],
    *,
    filters: Filters,
    view: View,
    spare: Collection[bytes] = (),
    hide: Collection[bytes] = (),
    named: Collection[Inode] = (),
    longest: int = LONGEST_LIST,
) -> Plan:
    """Return what carries `changes`, as the source is now; to be asked anew for every run.

    `filters` are the rules of the source, compiled with its prefix. `spare` are paths that the run
    leaves alone, and `hide` paths that it is to delete, as a ``Run`` has them (run.py). Of files
    that are `named` the changes have all names. The list has at most `longest` entries.
    """

    def admits_rest(path: bytes, *, directory: bool) -> bool:
        return path not in hide and path not in spare and filters.admits(path, directory=directory)

    if filters.left_to_rsync:
        return Plan(full="the exclude rules name merge files, which only rsync reads")
    if not filters.admits(b"", directory=True):
        return Plan(full="the exclude rules hide the source itself")
    survey = _Survey(admits_rest if hide or spare else filters.admits, view)
    for change in changes:
        survey.add(change)
    if not survey.walk(longest):
        return Plan(full="there is too much in new directories")
    levels = survey.levels
    paths = _fold(levels, survey.entries, view)
    if len(paths) + len(levels) > longest:
        return Plan(full=f"more than {longest} paths have changed")
    start = lead(filters.prefix)
    names = [start + path for path in paths]
    names += [start + path + b"/" if path else start for path in levels]
    if max(map(len, names), default=0) > LONGEST_ENTRY:
        return Plan(full=TOO_LONG)
    # Sorted, each directory on the way is sent only once.
    return Plan(
        tuple(sorted(names)), linked=survey.names.missing(named), inside=tuple(survey.inside)
    )


def more_names(
    paths: Iterable[bytes], *, view: View, named: Collection[Inode] = ()
) -> dict[Inode, frozenset[bytes]]:
    """Return the files among `paths` that have other names, too, as ``Plan.linked`` has them."""
    names = _Names()
    for path in paths:
        names.count(path, view.look(path))
    return names.missing(named)


class _Names:
    """The files that have several names, and which of these were seen."""

    def __init__(self) -> None:
        self._links: dict[Inode, tuple[int, set[bytes]]] = {}  # how many names, and which

    def count(self, path: bytes, status: Status | None) -> None:
        """Take note of the file at a path, as it is there."""
        if status is None or not stat.S_ISREG(status.st_mode) or status.st_nlink < 2:
            return
        inode = (status.st_dev, status.st_ino)
        self._links.setdefault(inode, (status.st_nlink, set()))[1].add(path)

    def missing(self, named: Collection[Inode]) -> dict[Inode, frozenset[bytes]]:
        """Return the files that have more names than were seen, but those that are `named`."""
        return {
            inode: frozenset(names)
            for inode, (count, names) in self._links.items()
            if len(names) < count and inode not in named
        }


class _Survey:
    """What changes name, after a look at what is there.

    ``entries`` maps a directory to what is named in it; ``levels`` and ``trees`` are directories.
    """

    def __init__(self, admits: _Admits, view: View) -> None:
        self.entries: dict[bytes, set[bytes]] = {}
        self.levels: set[bytes] = set()
        self.trees: set[bytes] = set()
        self.inside: list[bytes] = []
        self.names = _Names()
        self._admits = admits
        self._view = view
        self._directories = {b"": True}  # which paths are directories that runs come to

    def add(self, change: Change) -> None:
        """Take note of what carries a change."""
        path, kind = change
        if not path or kind in (Kind.LEVEL, Kind.TREE):
            home = self._deepest(path)
            (self.trees if kind is Kind.TREE and home == path else self.levels).add(home)
            return
        parent = path.rpartition(b"/")[0]
        home = self._deepest(parent)
        status = self._view.look(path) if home == parent else None
        if status is None or not self._admits(path, directory=stat.S_ISDIR(status.st_mode)):
            # One level of what is left deletes the rest on the mirror, or puts a link in its place.
            self.levels.add(home)
            return
        self.names.count(path, status)
        self.entries.setdefault(parent, set()).add(path)

    def walk(self, longest: int) -> bool:
        """Make levels of the trees; return False when there is too much in them."""
        admits, listing = self._admits, self._view.listing  # asked for every name there is
        walked: set[bytes] = set()
        todo, left = list(self.trees), longest * _NAMES
        while todo:
            directory = todo.pop()
            if directory in walked:
                continue
            walked.add(directory)
            lead = directory + b"/" if directory else b""
            for name, is_directory in islice(listing(directory), left + 1):
                left -= 1
                path = lead + name
                if not admits(path, directory=is_directory):
                    continue
                if is_directory:
                    todo.append(path)
                else:
                    self.inside.append(path)
                    # It may have been changed before the directory was watched.
                    self.names.count(path, self._view.look(path))
            if left < 0 or len(walked) + len(todo) > longest:
                return False
        self.levels |= walked
        return True

    def _deepest(self, path: bytes) -> bytes:
        """Return the deepest directory on the way to `path`, or that, if all the way is real."""
        if self._directories.get(path):
            return path
        deepest, slash = b"", path.find(b"/")
        while slash != -1:
            if not self._is_directory(path[:slash]):
                return deepest
            deepest = path[:slash]
            slash = path.find(b"/", slash + 1)
        return path if self._is_directory(path) else deepest

    def _is_directory(self, path: bytes) -> bool:
        known = self._directories.get(path)
        if known is None:
            status = self._view.look(path)
            known = status is not None and stat.S_ISDIR(status.st_mode)
            known = known and self._admits(path, directory=True)
            self._directories[path] = known
        return known


def _fold(
    levels: set[bytes], entries: Mapping[bytes, Collection[bytes]], view: View
) -> list[bytes]:
    """Return the entries that no level covers, after adding to `levels` what is crowded."""
    paths: list[bytes] = []
    for directory, inner in entries.items():
        if directory in levels:
            continue
        if _crowded(directory, inner, view):
            levels.add(directory)
        else:
            paths += inner
    return [path for path in paths if path not in levels]


def _crowded(directory: bytes, named: Collection[bytes], view: View) -> bool:
    """Return whether it is cheaper to name the directory than so much in it."""
    if len(named) < CROWD:
        return False
    most = CROWDED * len(named)
    return sum(1 for _ in islice(view.listing(directory), most + 1)) <= most
