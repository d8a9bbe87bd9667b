"""What a run that ended well may have taken for equal: is it to be compared by content?

Pure. Which files these may be was decided when the run was prepared (planning/suspects.py); what it
sent, it has said. What is left is compared before the mirror counts as in sync.
"""

from __future__ import annotations

from dataclasses import replace

from inosync.changes.batch import Batch
from inosync.changes.changes import Changes
from inosync.changes.doubts import NO_DOUBTS, Doubts
from inosync.engine.actions import Outcome
from inosync.engine.mirror import Mirror
from inosync.engine.records import Ran
from inosync.rsync.exits import FILE_IO, PARTIAL, VANISHED


def sent(mirror: Mirror, outcome: Outcome) -> None:
    """Take note of what a step has sent; of one that failed, nothing is sure."""
    if outcome.returncode == 0:
        mirror.work = replace(mirror.work, sent=mirror.work.sent | outcome.sent)


def in_doubt(mirror: Mirror, outcome: Outcome) -> Doubts:
    """Return what the run that ended well leaves in doubt; nothing after a comparison.

    Nothing after one that is made again, either: that one will tell.
    """
    work, flight = mirror.work, mirror.flight
    if work.ran is not None or outcome.pretended or outcome.account.ended or flight is None:
        return NO_DOUBTS
    passed_over = Doubts(files=work.candidates - work.sent - outcome.sent)
    doubts = passed_over | work.doubts
    # Without such a moment nothing was known of the mirror that could be wrong now.
    return doubts if mirror.equal_at is not None else replace(doubts, altered=frozenset())


def doubt(mirror: Mirror, doubts: Doubts, outcome: Outcome) -> None:
    """What the run carried counts only when these `doubts` are gone: they fly on with it."""
    assert mirror.flight is not None  # it has just landed
    mirror.flight = replace(mirror.flight, doubts=doubts)
    ran = Ran(
        outcome.returncode,
        outcome.listed,
        outcome.transferred,
        outcome.account,
        outcome.kept,
        outcome.command,
        outcome.put_away,
    )
    mirror.work = replace(
        mirror.work, ran=ran, candidates=frozenset(), sent=frozenset(), doubts=NO_DOUBTS
    )


def both(mirror: Mirror, outcome: Outcome) -> Outcome:
    """Return how the run and the comparison behind it have ended, as one; the latter ended well."""
    ran = mirror.work.ran
    if ran is None:
        return outcome
    statuses = {ran.returncode, outcome.returncode}
    one, other = ran.account, outcome.account
    return replace(
        outcome,
        returncode=next((each for each in (FILE_IO, PARTIAL, VANISHED) if each in statuses), 0),
        listed=ran.listed,
        account=replace(
            other,
            complaints=(*one.complaints, *other.complaints),
            undeleted=one.undeleted or other.undeleted,
            raced=one.raced or other.raced,
            kept=(*one.kept, *other.kept),
            odd=(*one.odd, *other.odd),
        ),
        kept=(*ran.kept, *outcome.kept),
        command=outcome.command or ran.command,  # one that had nothing to compare has none
        put_away=ran.put_away or outcome.put_away,
    )


def rest(mirror: Mirror) -> Batch | None:
    """Return the batch of what the comparison has left for another one."""
    work, flight = mirror.work, mirror.flight
    if work.ran is None or not work.doubts or flight is None:
        return None
    return Batch(flight.since, 0, changes=Changes(), doubts=work.doubts)


def without(flight: Batch | None) -> Batch | None:
    """Return the batch that carries the same; what was in doubt has been compared."""
    return None if flight is None else replace(flight, doubts=NO_DOUBTS)
