"""Slices of one pass that are made at once (``rstreams``): how many, and how they have ended.

Pure. They are one run of their mirror: it begins with all of them and ends with the last one. So
nothing else of the mirror travels beside them, and what changes goes first, as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from inosync.engine.actions import Outcome
from inosync.engine.mirror import Mirror
from inosync.rsync.complaints import Account
from inosync.rsync.exits import PARTIAL, VANISHED
from inosync.rsync.output import NOTHING

#: How a run ends that has made all that is there.
_MADE = (0, VANISHED)


def streams(mirror: Mirror, room: int) -> int:
    """Return how many slices the run that a mirror begins now may make at once, of so much room.

    What has failed is made again by itself.
    """
    passing = mirror.passing if mirror.work.slicing else None
    if passing is None or passing.next is not None or mirror.backoff.failures:
        return 1
    return max(1, min(mirror.pair.node.rstreams, room))


def processes(mirror: Mirror) -> int:
    """Return how many processes the run of a mirror is."""
    passing = mirror.passing if mirror.work.slicing else None
    return max(1, len(passing.pieces)) if passing is not None else 1


def together(ended: Mapping[int, Outcome]) -> Outcome:
    """Return how the slices that were made at once have ended, as one run; by their numbers."""
    outcomes = [ended[number] for number in sorted(ended)]
    one = max(outcomes, key=lambda outcome: _weight(outcome.returncode))
    moved = NOTHING
    for outcome in outcomes:
        moved += outcome.transferred
    accounts = [outcome.account for outcome in outcomes]
    failed = [outcome for outcome in outcomes if outcome.returncode not in _MADE]
    return replace(
        one,
        transferred=moved,
        account=Account(
            complaints=tuple(each for account in accounts for each in account.complaints),
            understood=all(account.understood for account in accounts),
            undeleted=any(account.undeleted for account in accounts),
            raced=any(account.raced for account in accounts),
            kept=tuple(each for account in accounts for each in account.kept),
            odd=tuple(each for account in accounts for each in account.odd),
        ),
        kept=tuple(each for outcome in outcomes for each in outcome.kept),
        cut=any(outcome.cut for outcome in outcomes),
        on_its_way=any(outcome.on_its_way for outcome in outcomes),
        put_away=max(outcome.put_away for outcome in outcomes),
        made=frozenset(number for number, outcome in ended.items() if _made(outcome)),
        crowded=bool(failed) and all(each.crowded for each in failed),
    )


def _made(outcome: Outcome) -> bool:
    """Return whether a slice is not made again when another one fails.

    What one tells that something follows from is heard when all have gone well.
    """
    told = outcome.account.odd or outcome.account.kept or outcome.kept or outcome.put_away
    return outcome.returncode in _MADE and not told


def _weight(returncode: int) -> int:
    """Return how much an exit status says of all: what only some paths are wrong with says less."""
    return [0, VANISHED, PARTIAL, returncode].index(returncode)
