"""What a run that has ended leaves: what it could not carry, what stays, what is to be deleted.

Pure: changes the mirror whose run it was, and returns what follows.
"""

from __future__ import annotations

from dataclasses import replace

from inosync.changes.batch import Batch, collect, full_pass, merged
from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import homes
from inosync.engine.actions import Outcome
from inosync.engine.ailing import Coverage, after, doubted, odd_after
from inosync.engine.mirror import Mirror
from inosync.rsync.causes import Cause
from inosync.rsync.options import keeps_in_place

#: Directories that stay on the node, of which a run tells.
_KEPT = 100


def coverage(mirror: Mirror, outcome: Outcome) -> Coverage | None:
    """Return what the run that has ended came to, if it carried anything."""
    if mirror.flight is None or outcome.pretended:
        return None
    ended = outcome.account.ended
    return Coverage(mirror.flight, outcome.listed, mirror.work.left, ended)


def tidy_up(mirror: Mirror, other: Mirror | None, outcome: Outcome, now: float) -> None:
    """See that what a run has left half written on the node is deleted.

    What it carried is carried again, but a list deletes only where it names a directory. A
    slice is made again, and the level of each directory is in some slice of its pass. `other`
    is the mirror's other lane.
    """
    flight = mirror.flight
    if flight is None or mirror.work.slicing:
        return
    if mirror.big and other is not None:
        # The other one deletes, again when this one has no work: until then it spares these.
        if outcome.homes:
            other.offer(Batch(now, 0, changes=Changes()).with_levels(outcome.homes))
        else:
            again = full_pass("a run for big files was cut short", now)
            mirror.beside = merged(mirror.beside, again)
    elif outcome.homes:
        mirror.flight = flight.with_levels(outcome.homes)
    elif mirror.pair.node.rscope == "changes":
        mirror.flight = flight.merge(full_pass("a run was cut short", now))


def take_ailing(mirror: Mirror, outcome: Outcome, now: float) -> bool:
    """Take note of what a run that went well named as not carried, and when that is tried again.

    Return whether another run must compare what ailed, and may only seem to be well again.
    """
    covered, before = coverage(mirror, outcome), mirror.ailing
    if covered is None or not (before or outcome.account.complaints):
        return False
    mirror.ailing = after(before, outcome.account, covered, now, mirror.backoff.after)
    doubts = doubted(before, mirror.ailing, covered)
    if doubts:
        mirror.offer(Batch(now, 0, changes=Changes(), doubts=doubts))
    return bool(doubts)


def take_kept(mirror: Mirror, outcome: Outcome, now: float) -> bool:
    """Take note of directories that stay on the node, of which a run that went well told.

    Return whether another run must tell so, too: something may have come into one while it was
    emptied, from what has outlived its own run on the node.
    """
    tells = mirror.kept or mirror.stayed or outcome.kept
    if not tells or (covered := coverage(mirror, outcome)) is None:
        return False
    ails = {each.path for each in outcome.account.complaints}
    stays = dict(outcome.kept)
    if mirror.pair.node.rdelete == "seen":  # it is meant to, but where it is in the way
        stays = {path: inner for path, inner in stays.items() if path in ails}
    fresh = frozenset(stays.keys() - ails - mirror.kept.keys() - mirror.stayed)
    known = [(path, inner) for path, inner in stays.items() if path not in fresh]
    kept = {path: inner for path, inner in mirror.kept.items() if not covered.carried(path)}
    mirror.kept = kept | dict(known[:_KEPT])
    mirror.stayed = fresh | {path for path in mirror.stayed if not covered.carried(path)}
    batch = collect(Changes.of(Change(path, Kind.ENTRY) for path in sorted(fresh)), now)
    if batch is None:
        return False
    mirror.offer(replace(batch, named=True))
    return True


def vanished(mirror: Mirror) -> Batch | None:
    """Return the batch of what has vanished and was too much for one run."""
    flight, gone = mirror.flight, mirror.work.remaining
    if flight is None or not gone:
        return None
    return replace(flight, gone=gone).vanished()


def take_odd(mirror: Mirror, outcome: Outcome, now: float) -> bool:
    """Return whether another run must delete what a pipe or socket has taken the place of."""
    covered = coverage(mirror, outcome)
    if covered is None or mirror.big or not (mirror.odd or outcome.account.odd):
        return False
    known, ousted = odd_after(mirror.odd, mirror.ousted, outcome.account, covered)
    mirror.odd = known
    if not ousted:
        return False
    mirror.ousted |= ousted
    batch = collect(Changes(levels=dict.fromkeys(homes(ousted))), now)
    assert batch is not None  # there is one for each
    mirror.offer(replace(batch, named=True))
    return True


def take_barred(mirror: Mirror, outcome: Outcome, now: float) -> bool:
    """Return whether another run must make way for what old versions have barred."""
    if not keeps_in_place(mirror.pair.node.extra):
        return False
    fresh = [
        Change(each.path, Kind.ENTRY)
        for each in outcome.account.complaints
        if each.cause is Cause.IN_THE_WAY and each.path not in mirror.ailing
    ]
    batch = collect(Changes.of(fresh), now)
    if batch is None:
        return False
    mirror.offer(replace(batch, named=True))
    return True
