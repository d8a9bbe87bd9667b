"""Ailing paths: what a run named as not carried, and when each is tried again.

Pure: a table goes in with what a run said, and the next table comes out. All else that the run
carried counts as sent. Which sentences name a path is known to rsync/sentences.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from inosync.changes.batch import Batch, collect
from inosync.changes.changes import Change, Changes, Kind, with_parents
from inosync.changes.doubts import Doubts
from inosync.config.model import Pair
from inosync.planning.slices import Slice
from inosync.rsync.causes import Cause, cure
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.exits import FILE_IO, PARTIAL
from inosync.rsync.options import aside, keeps_in_place, suffix
from inosync.text import printable

#: How many paths of a mirror may ail; with more it fails as a whole.
MOST = 100

#: How many pipes and sockets of a mirror are remembered.
MOST_ODD = 1_000

#: What is said of a place where something was mounted, and is not any more.
LOST = "is left alone: what was mounted there is gone"


@dataclass(frozen=True)
class Ailing:
    """One path: what rsync complained of, since when, how often, and when it is tried again."""

    complaint: Complaint
    since: float
    failures: int
    retry_at: float


#: The ailing paths of a mirror.
Table = Mapping[bytes, Ailing]


@dataclass(frozen=True)
class Coverage:
    """What a run that has ended came to: which paths it would have complained of.

    It carried `flight`, ``listed`` by name or as a pass, and ``left`` these paths out. It may have
    ``ended`` before it had come to everything.
    """

    flight: Batch
    listed: bool
    left: frozenset[bytes] = frozenset()
    ended: bool = False

    def carried(self, path: bytes, *, whole: bool = False) -> bool:
        """Return whether it would have complained of `path`; with `whole`, of all below it.

        When unsure it is False: the path is tried again by a run that names it.
        """
        if self.ended or any(path == left or path.startswith(left + b"/") for left in self.left):
            return False
        return not self.listed or names(self.flight.changes, path, whole=whole)

    def compared(self, path: bytes) -> bool:
        """Return whether what `path` holds was in doubt for it: size and date are no proof."""
        changes = self.flight.changes
        if self.flight.contents or changes is None:
            return self.flight.contents
        return (
            path in changes.entries or path in changes.written or names(changes, path, whole=True)
        )

    def moved(self, path: bytes) -> bool:
        """Return whether a directory on the way to `path` may be gone."""
        changes = self.flight.changes
        if changes is None:
            return False
        return b"" in changes.levels or any(home in changes.levels for home in with_parents(path))


def unmounted(path: bytes) -> tuple[str, str, str]:
    """Return what is told of a place where something was mounted, and is not any more.

    That is, as of an ailing path, its name, what is wrong with it, and what to do.
    """
    return printable(path), LOST, "mount it again, or let it go with inosync --sync"


def names(changes: Changes | None, path: bytes, *, whole: bool = False) -> bool:
    """Return whether `changes` name `path`; with `whole`, all below it."""
    if changes is None:
        return False
    if b"" in changes.trees or any(home in changes.trees for home in with_parents(path)):
        return True
    here = path in changes.entries or path in changes.attributes or path in changes.written
    return not whole and (here or (bool(path) and path.rpartition(b"/")[0] in changes.levels))


def excuses(returncode: int, account: Account, covered: Coverage, table: Table) -> bool:
    """Return whether a run counts as well but for the paths that it named.

    Not if it named too many, or has left out deletions or ended for something that no run can leave
    out.
    """
    if returncode not in (PARTIAL, FILE_IO) or not account.understood:
        return False
    if len({*table, *(each.path for each in account.complaints)}) > MOST:
        return False
    if returncode == FILE_IO:
        known = (
            frozenset(table) if covered.flight.repeated else covered.left
        )  # that one leaves out all
        return bool({each.path for each in account.complaints if each.final} - known)
    if account.raced and covered.flight.repeated:
        return False
    if account.undeleted and not account.raced:
        blind = {each.path for each in account.complaints if each.blind}
        return bool(blind - covered.left)
    return bool(account.complaints) or account.raced


def after(
    table: Table, account: Account, covered: Coverage, now: float, wait: Callable[[int], float]
) -> dict[bytes, Ailing]:
    """Return the table after a run that went well but for what it complained of.

    ``wait`` gives the seconds until the next try after so many.
    """
    said = {each.path: each for each in account.complaints}
    kept = {
        path: replace(known, retry_at=now) if covered.moved(path) else known
        for path, known in table.items()
        if path in said or not covered.carried(path, whole=known.complaint.whole)
    }
    for path, complaint in said.items():
        known = kept.get(path)
        if known is None:
            kept[path] = Ailing(complaint, now, 1, now + wait(1))
        elif now >= known.retry_at:
            tries = known.failures + 1
            kept[path] = Ailing(complaint, known.since, tries, now + wait(tries))
        else:
            kept[path] = replace(known, complaint=complaint)  # a run for something else met it
    return kept


def doubted(before: Table, table: Table, covered: Coverage) -> Doubts:
    """Return what is left in doubt of the paths of a table that are in the next one no more.

    The run met them without a complaint, but may have taken for equal what it found there.
    """
    well = {path for path in before if path not in table and not covered.compared(path)}
    trees = frozenset(path for path in well if before[path].complaint.whole)
    return Doubts(files=frozenset(well) - trees, trees=trees)


def blind(table: Table, batch: Batch, now: float) -> frozenset[bytes]:
    """Return what a run of `batch` leaves out, so that it comes to all else, and can delete there.

    What is named is looked at, and by a full pass what is to be tried again.
    """
    return frozenset(
        path
        for path, known in table.items()
        if (known.complaint.blind or known.complaint.final)
        and (
            batch.repeated
            or (now < known.retry_at if batch.reason else not names(batch.changes, path))
        )
    )


def barred(table: Table, batch: Batch) -> frozenset[bytes]:
    """Return in whose place a directory stays on the node, of what a run of `batch` names."""
    return frozenset(
        path
        for path, known in table.items()
        if known.complaint.cause is Cause.IN_THE_WAY
        and (batch.reason or names(batch.changes, path))
    )


def next_at(table: Table) -> float | None:
    """Return when the next path of a table is to be tried again."""
    return min((known.retry_at for known in table.values()), default=None)


def due(table: Table, now: float, *, seen: bool = False) -> Batch | None:
    """Return the batch of the paths that are to be tried again now; it makes no mirror lag.

    Where only what was `seen` to vanish is deleted, it says of each that it may have vanished.
    """
    changes = Changes.of(
        Change(path, Kind.TREE if known.complaint.whole else Kind.ENTRY)
        for path, known in table.items()
        if now >= known.retry_at
    )
    batch = collect(changes, math.inf)
    if batch is None:
        return None
    gone = frozenset[bytes]()
    if seen:
        paths = [change.path for change in changes]
        homes = (path.rpartition(b"/")[0] for path in paths)
        above = {way + b"/" for home in homes for way in with_parents(home)}
        gone = frozenset(paths) | above
    return replace(batch, named=True, gone=gone)


def ailing_piece(table: Table) -> Slice:
    """Return the piece of a pass that tries the paths of a table again."""
    trees = [path for path, known in table.items() if known.complaint.whole]
    homes = [path.rpartition(b"/")[0] for path in table if path not in trees]
    return Slice(tuple(trees), Changes(levels=dict.fromkeys(homes)))


def odd_after(
    odd: frozenset[bytes], hidden: frozenset[bytes], account: Account, covered: Coverage
) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return which pipes and sockets are known after a run, and which are to be hidden in a next.

    A run passes over them, and leaves on the node the file that was there before. So the first
    time, and whenever such a path is named, another run takes it for gone.
    """
    said = frozenset(account.odd)
    gone = {path for path in odd - said - hidden if covered.carried(path)}
    changes = covered.flight.changes
    fresh = said - odd
    if changes is not None:
        fresh |= {path for path in said - hidden if path in changes.entries}
    known = (odd - gone) | said
    return (known, fresh - hidden) if len(known) <= MOST_ODD else (odd, frozenset())


def described(
    known: Ailing, pair: Pair, kept: Mapping[bytes, bytes], *, user: str
) -> tuple[str, str, str]:
    """Return what is said of an ailing path: its name, what is wrong, and what to do.

    `kept` has what is in directories that could not be deleted, `user` is who sends.
    """
    path, cause, destination = known.complaint.path, known.complaint.cause, pair.destination
    host = destination.host or "this host"
    inner = kept.get(path) if cause is Cause.IN_THE_WAY else None
    if cause is Cause.IN_THE_WAY and keeps_in_place(pair.node.extra):
        cause = Cause.OLD_VERSIONS
    elif cause is Cause.IN_THE_WAY and pair.node.rdelete != "all":
        cause = Cause.FOREIGN
    what = f"{cause.value}: {printable(inner)}" if inner else cause.value
    where = destination.shown
    if cause in (Cause.OLD_VERSIONS, Cause.OLD_IN_THE_WAY):
        where = aside(pair.node.extra) + printable(path) + suffix(pair.node.extra)
    cured = cure(cause, user=user, host=host, where=where)
    return printable(path) or ".", what, cured
