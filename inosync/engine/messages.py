"""What the log says of a run that has ended: once when it goes wrong, and once when it is well.

Pure: lines from a mirror and the end of its run. Decides nothing about what follows from it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from inosync.engine.actions import DEBUG, ERROR, INFO, WARNING, Event, Outcome, Say, about
from inosync.engine.ailing import Table, described
from inosync.engine.mirror import Mirror
from inosync.rsync.causes import staying
from inosync.rsync.differences import Drift, counted, line, shown
from inosync.rsync.exits import Verdict
from inosync.rsync.output import Transferred
from inosync.text import many, printable

#: How many paths one line names: that are well again, or would be overwritten.
_SOME = 3

#: What is to be known of a mirror that has all, and where something may be late.
ARRIVING = "what was on its way when a run was cut short may arrive yet: it is carried once more"


def success(
    mirror: Mirror,
    took: float,
    *,
    again: bool,
    first: bool,
    full: str = "",
    moved: Transferred | None = None,
) -> list[Say]:
    """Return what is said of a run that ended well after `took` seconds.

    ``again``: the one before had failed; ``first``: the mirror has not been in sync before;
    ``full``: why a full pass has ended with it, or ""; ``moved``: what that has moved, when it is
    more than the run.
    """
    said = []
    but = f" but for {many(len(mirror.ailing), 'path')}" if mirror.ailing else ""
    yet = f"; {ARRIVING}" if mirror.late is not None else ""
    if again and not mirror.reason:
        said.append(_say(INFO, mirror, f"well again{but}{yet}", Event.RECOVERY))
    elif first and mirror.aside is None:
        is_what = "all is sent" if yet else "in sync"
        text = f"{is_what}{but} (first pass, {took:.1f} s){yet}"
        said.append(_say(INFO, mirror, text, Event.PASSED))
        full = ""
    moved = moved if moved is not None else mirror.totals.last
    text = f"{many(moved.files, 'file')}, {many(moved.size, 'byte')}, {moved.deleted} deleted"
    text += f", {took:.2f} s"
    if full:
        return [*said, _say(INFO, mirror, f"full pass done ({full}): {text}", Event.PASSED)]
    return [*said, _say(DEBUG, mirror, text)]


def _say(
    level: int,
    mirror: Mirror,
    text: str,
    event: Event | None = None,
    *,
    status: int | None = None,
) -> Say:
    return Say(level, f"{mirror.name}: {text}", about(mirror, event, status=status))


def too_much(mirror: Mirror, deletes: int, outcome: Outcome) -> tuple[str, str, str] | None:
    """Return why a run must not follow its rehearsal, which files, and what happened to them.

    It may delete so many files; 0: any. None: it may follow.
    """
    prefix, changes = os.fsencode(mirror.pair.source.prefix), mirror.pair.node.rmaxchange
    deleted = outcome.transferred.deleted + len(mirror.work.remaining)
    before = mirror.work.overwritten
    overwritten = outcome.overwrites.count + before
    reasons, examples, spared = list[str](), list[str](), list[str]()
    if deletes and deleted > deletes:
        reasons.append(f"would delete {many(deleted, 'file')} (rmaxdelete is {deletes})")
        examples += outcome.deletions
        spared.append("deleted")
    if changes and overwritten > changes:
        reasons.append(f"would overwrite {many(overwritten, 'file')} (rmaxchange is {changes})")
        examples += [shown(prefix, each.path) for each in outcome.overwrites.sample[:_SOME]]
        spared.append("overwritten")
    if not reasons:
        return None
    so_far = f"{before} were sent before" if before else f"nothing was {' or '.join(spared)}"
    return " and ".join(reasons), ", ".join(examples), so_far


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
        text = f"still {judgement.meaning} after {many(tries, 'try')}; {ending}"
        return [_say(level, mirror, text, status=outcome.returncode)]
    level = WARNING if judgement.verdict is Verdict.RETRY else ERROR
    status = f"exit {outcome.returncode}: " if outcome.returncode >= 0 else ""
    text = f"{status}{judgement.meaning}; {judgement.cure}; {ending}"
    event = Event.FAILURE if wait else Event.HOLD
    details = [f"  command: {outcome.command}", *(f"  {line}" for line in outcome.evidence)]
    first = _say(level, mirror, text, event, status=outcome.returncode)
    return [first, *(Say(level, detail, about(mirror)) for detail in details)]


def hung(mirror: Mirror, reason: str, lines: tuple[str, ...]) -> list[Say]:
    """Return what is said of a run that is ended because it did nothing, for this `reason`.

    `lines` are what the node, or rsync itself, had said until then.
    """
    level = DEBUG if mirror.reason == reason else WARNING
    last = f"; its last words were: {lines[-1]}" if lines else ""
    event = Event.FAILURE if level == WARNING else None
    said = _say(level, mirror, f"{reason}: ended, to be tried again{last}", event)
    return [said, *(Say(level, f"  {line}", about(mirror)) for line in lines[:-1])]


def ailing(mirror: Mirror, before: Table, command: str, *, user: str) -> list[Say]:
    """Return what is said of the paths that ail now and of those that did `before`."""
    new = [known for path, known in mirror.ailing.items() if path not in before]
    said = []
    if new:
        count = many(len(mirror.ailing), "path")
        text = f"all is sent but {count}; all else goes on"
        said.append(_say(WARNING, mirror, text, Event.FAILURE))
        said.append(Say(DEBUG, f"  command: {command}", about(mirror)))
    for known in new:
        path, what, cured = described(known, mirror.pair, mirror.kept, user=user)
        said.append(Say(WARNING, f"  {path} {what}; {cured}", about(mirror)))
        said.append(Say(WARNING, f"    {known.complaint.text}", about(mirror)))
    well = [path for path in before if path not in mirror.ailing]
    if well:
        rest = f", {many(len(mirror.ailing), 'path')} left" if mirror.ailing else ""
        shown = ", ".join(printable(path) or "." for path in well[:_SOME])
        more = ", …" if len(well) > _SOME else ""
        event = None if mirror.ailing else Event.RECOVERY
        said.append(_say(INFO, mirror, f"well again: {shown}{more}{rest}", event))
    return said


def kept(mirror: Mirror, before: Mapping[bytes, bytes]) -> list[Say]:
    """Return what is said of directories that stay on the node, unless it was said `before`."""
    new = [text for path, text in notes(mirror).items() if path not in before]
    return [_say(INFO, mirror, text) for text in new]


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
        text = f"{counted(count)} from the source: {examples}"
        text += "; inosync --verify lists all, and with --repair mends them"
        return [_say(WARNING, mirror, text)]
    if before.count and not count:
        apart = mirror.comparison.apart
        but = f" but for what was not compared, {apart.told()}" if apart else ""
        return [_say(INFO, mirror, f"equal to the source again{but}")]
    return []
