"""What the log says of a run that has ended: once when it goes wrong, and once when it is well.

Pure: lines from a mirror and the end of its run. Decides nothing about what follows from it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from inosync.engine.actions import DEBUG, ERROR, INFO, WARNING, Outcome, Say
from inosync.engine.ailing import Table, described, paths
from inosync.engine.mirror import Mirror
from inosync.rsync.causes import staying
from inosync.rsync.differences import Drift, counted, line
from inosync.rsync.exits import Verdict
from inosync.text import many, printable

#: How many paths that are well again one line names.
_SOME = 3


def success(mirror: Mirror, took: float, *, again: bool, first: bool) -> list[Say]:
    """Return what is said of a run that ended well after `took` seconds.

    ``again``: the one before had failed; ``first``: the mirror has not been in sync before.
    """
    said = []
    but = f" but for {paths(len(mirror.ailing))}" if mirror.ailing else ""
    if again and not mirror.reason:
        said.append(Say(INFO, f"{mirror.name}: well again{but}"))
    elif first and mirror.aside is None:
        said.append(Say(INFO, f"{mirror.name}: in sync{but} (first pass, {took:.1f} s)"))
    moved = mirror.totals.last
    text = f"{many(moved.files, 'file')}, {many(moved.size, 'byte')}, {moved.deleted} deleted"
    text += f", {took:.2f} s"
    return [*said, Say(DEBUG, f"{mirror.name}: {text}")]


def failure(mirror: Mirror, outcome: Outcome, *, again: str, wait: float) -> list[Say]:
    """Return what is said of a run that failed, with all there is to know when it is new.

    ``again`` is what was wrong before it, or ""; ``wait`` seconds until the next try, 0: none.
    """
    judgement = outcome.judged(mirror.pair.destination)
    ending = f"next try in {wait:.1f} s" if wait else "held: inosync --sync goes on"
    tries = mirror.backoff.failures
    if again == mirror.reason:
        # Tries grow rare; at each doubling of their number one line says that it still lasts.
        level = WARNING if tries >= 8 and tries & (tries - 1) == 0 else DEBUG
        text = f"{mirror.name}: still {judgement.meaning} after {many(tries, 'try')}; {ending}"
        return [Say(level, text)]
    level = WARNING if judgement.verdict is Verdict.RETRY else ERROR
    status = f"exit {outcome.returncode}: " if outcome.returncode >= 0 else ""
    text = f"{mirror.name}: {status}{judgement.meaning}; {judgement.cure}; {ending}"
    details = [f"  command: {outcome.command}", *(f"  {line}" for line in outcome.evidence)]
    return [Say(level, text), *(Say(level, detail) for detail in details)]


def hung(mirror: Mirror, reason: str, lines: tuple[str, ...]) -> list[Say]:
    """Return what is said of a run that is ended because it did nothing, for this `reason`.

    `lines` are what the node, or rsync itself, had said until then.
    """
    level = DEBUG if mirror.reason == reason else WARNING
    last = f"; its last words were: {lines[-1]}" if lines else ""
    said = Say(level, f"{mirror.name}: {reason}: ended, to be tried again{last}")
    return [said, *(Say(level, f"  {line}") for line in lines[:-1])]


def ailing(mirror: Mirror, before: Table, command: str, *, user: str) -> list[Say]:
    """Return what is said of the paths that ail now and of those that did `before`."""
    new = [known for path, known in mirror.ailing.items() if path not in before]
    said = []
    if new:
        count = paths(len(mirror.ailing))
        said.append(Say(WARNING, f"{mirror.name}: all is sent but {count}; all else goes on"))
        said.append(Say(DEBUG, f"  command: {command}"))
    for known in new:
        path, what, cured = described(known, mirror.pair, mirror.kept, user=user)
        said.append(Say(WARNING, f"  {path} {what}; {cured}"))
        said.append(Say(WARNING, f"    {known.complaint.text}"))
    well = [path for path in before if path not in mirror.ailing]
    if well:
        rest = f", {paths(len(mirror.ailing))} left" if mirror.ailing else ""
        shown = ", ".join(printable(path) or "." for path in well[:_SOME])
        more = ", …" if len(well) > _SOME else ""
        said.append(Say(INFO, f"{mirror.name}: well again: {shown}{more}{rest}"))
    return said


def kept(mirror: Mirror, before: Mapping[bytes, bytes]) -> list[Say]:
    """Return what is said of directories that stay on the node, unless it was said `before`."""
    new = [text for path, text in notes(mirror).items() if path not in before]
    return [Say(INFO, f"{mirror.name}: {text}") for text in new]


def notes(mirror: Mirror) -> dict[bytes, str]:
    """Return which directories stay on the node that the source has no more, and why."""
    rules = mirror.pair.source.filters
    return {
        path: staying(path, inner, rules)
        for path, inner in mirror.kept.items()
        if not any(each == path or each.startswith(path + b"/") for each in mirror.ailing)
    }


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
