"""What the log says of a run that has ended: once when it goes wrong, and once when it is well.

Pure: lines from a mirror and the end of its run. Decides nothing about what follows from it.
"""

from __future__ import annotations

import os

from inosync.engine.actions import DEBUG, ERROR, INFO, WARNING, Outcome, Say
from inosync.engine.mirror import Mirror
from inosync.rsync.differences import Drift, counted, line
from inosync.rsync.exits import Verdict, judge


def success(mirror: Mirror, took: float, *, again: bool, first: bool) -> list[Say]:
    """Return what is said of a run that ended well after `took` seconds.

    ``again``: the one before had failed; ``first``: the mirror has not been in sync before.
    """
    said = []
    if again:
        said.append(Say(INFO, f"{mirror.name}: well again"))
    elif first:
        said.append(Say(INFO, f"{mirror.name}: in sync (first pass, {took:.1f} s)"))
    moved = mirror.totals.last
    text = f"{moved.files} files, {moved.size} bytes, {moved.deleted} deleted, {took:.2f} s"
    return [*said, Say(DEBUG, f"{mirror.name}: {text}")]


def failure(mirror: Mirror, outcome: Outcome, *, again: str, wait: float) -> list[Say]:
    """Return what is said of a run that failed, with all there is to know when it is new.

    ``again`` is what was wrong before it, or ""; ``wait`` seconds until the next try, 0: none.
    """
    judgement = judge(outcome.returncode, mirror.pair.destination)
    ending = f"next try in {wait:.1f} s" if wait else "held until told to go on (SIGUSR2)"
    tries = mirror.backoff.failures
    if again == mirror.reason:
        # Tries grow rare; at each doubling of their number one line says that it still lasts.
        level = WARNING if tries >= 8 and tries & (tries - 1) == 0 else DEBUG
        text = f"{mirror.name}: still {judgement.meaning} after {tries} tries; {ending}"
        return [Say(level, text)]
    level = WARNING if judgement.verdict is Verdict.RETRY else ERROR
    status = f"exit {outcome.returncode}: " if outcome.returncode >= 0 else ""
    text = f"{mirror.name}: {status}{judgement.meaning}; {judgement.cure}; {ending}"
    details = [f"  command: {outcome.command}", *(f"  {line}" for line in outcome.evidence)]
    return [Say(level, text), *(Say(level, detail) for detail in details)]


def drift(mirror: Mirror, before: Drift) -> list[Say]:
    """Return what is said of a comparison, unless it found the same as the one `before`."""
    count = mirror.comparison.drift.count
    if count and mirror.comparison.drift != before:
        prefix = os.fsencode(mirror.pair.source.prefix)
        examples = "; ".join(line(prefix, each) for each in mirror.comparison.drift.sample)
        text = f"{mirror.name}: {counted(count)} from the source: {examples}"
        text += "; inosync --verify lists all, and with --repair mends them"
        return [Say(WARNING, text)]
    if before.count and not count:
        return [Say(INFO, f"{mirror.name}: equal to the source again")]
    return []
