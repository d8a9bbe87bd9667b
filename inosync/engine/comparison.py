"""Comparing mirrors on schedule (``rverify``): which one is due, and what its end means.

Pure: time is an argument in monotonic seconds. A comparison is a run that carries nothing and gives
way to everything else. Starts nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from inosync.engine.actions import WARNING, Outcome, Say
from inosync.engine.apart import Apart, Meaning, meaning
from inosync.engine.messages import drift
from inosync.engine.mirror import Mirror, State
from inosync.engine.records import Comparison
from inosync.engine.source import SourceState
from inosync.rsync.complaints import Account
from inosync.rsync.differences import Difference, below
from inosync.rsync.exits import PARTIAL, Verdict

#: Seconds until a comparison that came to no end is tried again.
AGAIN = 600.0


def schedule(mirrors: Iterable[Mirror], every: float, now: float) -> None:
    """Let each mirror be compared `every` so many seconds; 0: never."""
    for mirror in mirrors:
        planned = mirror.comparison.due_at
        soon = now + every if planned is None else min(planned, now + every)
        mirror.comparison = replace(mirror.comparison, due_at=soon if every else None)


def idle(mirror: Mirror, lane: Mirror | None) -> bool:
    """Return whether there is nothing to send to a node but this: by neither of its lanes.

    Nor to wait for: what arrives late is no drift.
    """
    rests = lane is None or (lane.state is State.IDLE and lane.late is None)
    return (
        mirror.comparison.due_at is not None
        and mirror.state is State.IDLE
        and mirror.sought is None
        and mirror.late is None
        and not mirror.big
        and rests
    )


def longest_due(mirrors: Iterable[Mirror], now: float) -> Mirror | None:
    """Return the one of `mirrors` whose comparison has been due for longest, if any is."""
    due = [
        (m.comparison.due_at, m)
        for m in mirrors
        if m.comparison.due_at is not None and now >= m.comparison.due_at
    ]
    return min(due, key=lambda entry: entry[0])[1] if due else None


def drifted(
    mirror: Mirror, state: SourceState, found: Iterable[Difference], apart: Apart
) -> Iterator[Difference]:
    """Give those of the differences that a comparison has `found` for which nothing is owed.

    That is neither what is `apart` nor what was heard to change and waits for others.
    """
    prefix = os.fsencode(mirror.pair.source.prefix)
    for difference in found:
        path = below(prefix, difference.path)
        heard = path is not None and state.heard(path)
        if not heard and meaning(difference, mirror.pair, apart) is Meaning.DRIFT:
            yield difference


def ended(mirror: Mirror, outcome: Outcome, every: float, now: float) -> list[Say]:
    """Take note of what a comparison found, or that it was ended; return what is to be said."""
    # What was offered meanwhile is on its way: it is no drift, and cannot be told from it.
    stopped = mirror.state is State.STOPPING or bool(mirror.pending or mirror.sought)
    mirror.compare_ended()
    if outcome.pretended:
        mirror.comparison = replace(mirror.comparison, due_at=now + every)
        return []
    judgement = outcome.judged(mirror.pair.destination)
    if outcome.returncode == PARTIAL and _saw_the_rest(outcome.account):
        judgement = replace(judgement, verdict=Verdict.OK)
    if stopped or judgement.verdict is not Verdict.OK:
        mirror.comparison = replace(mirror.comparison, due_at=now + min(every, AGAIN))
        if stopped or mirror.comparison.doubt == judgement.meaning:
            return []
        mirror.comparison = replace(mirror.comparison, doubt=judgement.meaning)
        text = f"could not be compared: {judgement.meaning}; {judgement.cure}"
        return [Say(WARNING, f"{mirror.name}: {text}")]
    before = mirror.comparison.drift
    mirror.comparison = Comparison(now + every, now, outcome.drift, outcome.apart)
    return drift(mirror, before)


def _saw_the_rest(account: Account) -> bool:
    """Return whether all that a comparison could not see is known by name."""
    return account.understood and bool(account.complaints) and not account.undeleted
