"""Reports for hooks: what the programs that a config names are told on their standard input.

Pure: made from batches, mirrors and numbers, merged when they have to wait, written as JSON. The
shape is documented in docs/hooks.rst and therefore stable: what is here keeps its name and meaning,
and what is new is added. Times are seconds. Knows nothing of processes.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import ClassVar, Self

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Kind
from inosync.config.model import Source
from inosync.engine.ailing import described
from inosync.engine.mirror import Mirror
from inosync.rsync.exits import PARTIAL
from inosync.rsync.output import Transferred
from inosync.text import many

#: The version of the reports' shape: raised when a name goes or changes its meaning.
SCHEMA = 1

#: How many paths a report names at the most: a program that gets more had better look at all.
MOST_PATHS = 1000


@dataclass(frozen=True, kw_only=True)
class Report:
    """What happened to a mirror, or to a source: then ``node`` and ``destination`` are None.

    ``source`` is "" in a report of everything.

    ``event`` is the setting that names the program. ``merged`` counts older reports of the same
    event that this one stands for, too: they waited for an earlier program to end.
    """

    event: ClassVar[str]
    source: str
    node: str | None = None
    destination: str | None = None
    merged: int = 0

    def after(self, older: Self) -> Self:
        """Return the one report that stands for this and for an older one that still waits."""
        return dataclasses.replace(self, merged=self.merged + older.merged + 1)


@dataclass(frozen=True, kw_only=True)
class Changed(Report):
    """A batch of changes is about to travel.

    ``paths`` are all of them when ``complete``, else some. ``full`` says why anything below the
    source may have changed, or is "".
    """

    event = "on_change"
    changes: int
    full: str
    paths: tuple[str, ...]
    complete: bool

    def after(self, older: Self) -> Self:
        """Return the one report that stands for both."""
        paths = sorted({*older.paths, *self.paths})
        return dataclasses.replace(
            super().after(older),
            changes=older.changes + self.changes,
            full=older.full or self.full,
            paths=tuple(paths[:MOST_PATHS]),
            complete=older.complete and self.complete and len(paths) <= MOST_PATHS,
        )


@dataclass(frozen=True, kw_only=True)
class Succeeded(Changed):
    """A run ended well. ``lag``: how old the oldest change was that it brought to the node."""

    event = "on_success"
    files: int
    bytes: int
    deleted: int
    seconds: float
    lag: float

    def after(self, older: Self) -> Self:
        """Return the one report that stands for both: what was moved adds up."""
        return dataclasses.replace(
            super().after(older),
            files=older.files + self.files,
            bytes=older.bytes + self.bytes,
            deleted=older.deleted + self.deleted,
            seconds=round(older.seconds + self.seconds, 3),
            lag=max(older.lag, self.lag),
        )


@dataclass(frozen=True, kw_only=True)
class Failed(Report):
    """Something went wrong that was well before, or it goes wrong in another way now.

    ``state`` is "backoff" (tried again, after ``next_try`` seconds where that is known), "held", or
    "ailing": in sync but for the paths that ``lines`` name.
    ``exit`` is rsync's exit status (negative: a signal), or None when no run has ended.
    """

    event = "on_failure"
    state: str
    meaning: str
    cure: str = ""
    exit: int | None = None
    lines: tuple[str, ...] = ()
    next_try: float | None = None


@dataclass(frozen=True, kw_only=True)
class Recovered(Report):
    """What ``on_failure`` was told of is over; it lasted ``seconds``."""

    event = "on_recover"
    meaning: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Beaten(Report):
    """Everything is in sync: all mirrors of all sources. ``lag``: the oldest change on its way."""

    event = "on_beat"
    sources: int
    mirrors: int
    lag: float


def changed(source: Source, batch: Batch) -> Changed:
    """Return the report of what `batch` holds."""
    paths, complete = _paths(batch)
    return Changed(
        source=source.path,
        changes=batch.count,
        full=batch.reason,
        paths=paths,
        complete=complete,
    )


def succeeded(
    mirror: Mirror, batch: Batch, moved: Transferred, *, seconds: float, now: float
) -> Succeeded:
    """Return the report of a run that carried `batch` in `seconds` and ended well at `now`."""
    paths, complete = _paths(batch)
    return Succeeded(
        source=mirror.pair.source.path,
        node=mirror.pair.node.name,
        destination=mirror.pair.destination.shown,
        changes=batch.count,
        full=batch.reason,
        paths=paths,
        complete=complete,
        files=moved.files,
        bytes=moved.size,
        deleted=moved.deleted,
        seconds=round(seconds, 3),
        lag=round(now - batch.since, 3),
    )


def failed(
    mirror: Mirror,
    meaning: str,
    *,
    cure: str = "",
    status: int | None = None,
    lines: tuple[str, ...] = (),
    wait: float | None = None,
    held: bool = False,
) -> Failed:
    """Return the report that `mirror` is not well any more, to be tried again after `wait`."""
    return Failed(
        source=mirror.pair.source.path,
        node=mirror.pair.node.name,
        destination=mirror.pair.destination.shown,
        state="held" if held else "backoff",
        meaning=meaning,
        cure=cure,
        exit=status,
        lines=lines,
        next_try=None if wait is None else round(wait, 3),
    )


def ailing(mirror: Mirror, user: str) -> Failed:
    """Return the report that `mirror` is in sync but for some paths."""
    each_of = mirror.ailing.values()
    told = [described(each, mirror.pair, mirror.kept, user=user) for each in each_of]
    return Failed(
        source=mirror.pair.source.path,
        node=mirror.pair.node.name,
        destination=mirror.pair.destination.shown,
        state="ailing",
        meaning=f"in sync but for {many(len(told), 'path')}",
        cure="see the lines",
        exit=PARTIAL,
        lines=tuple(f"{path} {what}; {cured}" for path, what, cured in told),
    )


def held(source: Source, reason: str) -> Failed:
    """Return the report that nothing of `source` travels."""
    return Failed(source=source.path, state="held", meaning=reason)


def recovered(whose: Source | Mirror, meaning: str, seconds: float) -> Recovered:
    """Return the report that a source or a mirror is well again."""
    mirror = whose if isinstance(whose, Mirror) else None
    source = whose.pair.source if isinstance(whose, Mirror) else whose
    return Recovered(
        source=source.path,
        node=mirror.pair.node.name if mirror else None,
        destination=mirror.pair.destination.shown if mirror else None,
        meaning=meaning,
        seconds=round(seconds, 3),
    )


def encode(report: Report, at: float) -> bytes:
    """Return the line of JSON for a report of what happened `at` that Unix time.

    It is plain ASCII: a byte of a name that is not UTF-8, 0xff for example, is written as
    ``\\udcff`` and becomes that byte again with Python's ``os.fsencode``.
    """
    named = {"schema": SCHEMA, "event": report.event, "at": round(at, 3)}
    return json.dumps(named | dataclasses.asdict(report)).encode("ascii") + b"\n"


def _paths(batch: Batch) -> tuple[tuple[str, ...], bool]:
    """Return some of a batch's paths, and whether these are all that may have changed."""
    if batch.changes is None:
        return (), False
    found: set[str] = set()
    for change in batch.changes:
        if len(found) > MOST_PATHS:
            break
        found.add(_shown(change))
    return tuple(sorted(found)[:MOST_PATHS]), not batch.reason and len(found) <= MOST_PATHS


def _shown(change: Change) -> str:
    """A slash at the end says: this directory, from which something vanished, or all of it."""
    path = os.fsdecode(change.path) or "."
    return f"{path}/" if change.kind in (Kind.LEVEL, Kind.TREE) else path
