"""The snapshot of what goes on: one value for the log, the command line, metrics and pages.

Pure: reads the engine and what it is given; changes nothing. Its shape is the answer to
``--status --json`` and therefore stable: what is here keeps its name and meaning, and what is new
is added. Times called ``..._at`` are Unix time, all others seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from inosync.changes.batch import full_pass
from inosync.engine.ailing import described, unmounted
from inosync.engine.messages import ARRIVING, notes
from inosync.engine.mirror import Mirror
from inosync.engine.records import Failure
from inosync.engine.source import SourceState
from inosync.engine.standing import Standing
from inosync.rsync.differences import SAMPLE, shown
from inosync.rsync.output import Progress
from inosync.status.keeping import Keeping, kept_status
from inosync.status.model import (
    SCHEMA,
    AilingStatus,
    DaemonStatus,
    DriftStatus,
    FailureStatus,
    MirrorStatus,
    RunStatus,
    Snapshot,
    SourceStatus,
)
from inosync.status.passing import pass_status
from inosync.text import printable


class Watching(Protocol):
    """What is to be known of a source's watches."""

    @property
    def watched(self) -> int:
        """How many directories are watched."""

    @property
    def unwatched(self) -> Mapping[bytes, str]:
        """Directories without a watch, and why."""

    @property
    def events(self) -> int:
        """Events read so far."""

    @property
    def overflows(self) -> int:
        """How often the kernel's queue ran over."""


@dataclass(frozen=True)
class Facts:
    """What is to be known of the process; ``rss`` is resident memory in bytes.

    The mirrors that are ``warm`` have a run that stands ready. ``kept`` is what nodes keep, by
    destination. ``lost`` is where something was mounted in the source of a mirror and is not any
    more. ``standby`` is why the daemon is on standby, "" when it is not.
    """

    version: str
    pid: int
    rss: int
    began: float  # monotonic seconds
    loaded: float  # the same, of the config
    now: float  # the same, of the snapshot
    wall: float  # Unix time of the snapshot
    warm: Collection[Mirror] = ()
    kept: Mapping[str, Keeping] = field(default_factory=dict)
    standby: str = ""
    lost: Mapping[Mirror, Collection[bytes]] = field(default_factory=dict)


#: Directories without a watch that a snapshot names.
_EXAMPLES = 10


def snapshot(
    standing: Standing,
    watching: Mapping[str, Watching | None],
    facts: Facts,
    progress: Callable[[Mirror], Progress | None] = lambda mirror: None,
) -> Snapshot:
    """Return the state of everything; `progress` tells how far a mirror's run is, if known."""
    wall = facts.wall - facts.now  # what makes monotonic time Unix time
    user = standing.config.user
    mirrors = [
        _mirror(
            mirror,
            standing.behind_since(mirror),
            facts,
            progress,
            user=user,
            watcher=watching.get(mirror.pair.source.path),
        )
        for mirror in (standing.mirrors if not facts.standby else ())
    ]
    sources = [
        _source(state, watching.get(path), facts.standby)
        for path, state in standing.sources.items()
    ]
    return Snapshot(
        schema=SCHEMA,
        at=_moment(facts.wall),
        synced=not facts.standby
        and all(mirror["lag"] is None and not mirror["ailing"] for mirror in mirrors)
        and not any(source["state"] == "held" for source in sources),
        paused=standing.paused,
        standby=facts.standby,
        daemon=DaemonStatus(
            version=facts.version,
            pid=facts.pid,
            rss=facts.rss,
            started_at=_moment(wall + facts.began),
            uptime=_moment(facts.now - facts.began),
            config=standing.config.file,
            loaded_at=_moment(wall + facts.loaded),
        ),
        sources=sources,
        mirrors=mirrors,
    )


def _source(state: SourceState, watcher: Watching | None, standby: str) -> SourceStatus:
    unwatched = watcher.unwatched if watcher is not None else {}
    condition = "watched" if state.watched else "setting up"
    if standby:
        condition = "standby"
    return SourceStatus(
        path=state.source.path,
        state="held" if state.held else condition,
        reason=state.held,
        watched=watcher.watched if watcher is not None else 0,
        unwatched=len(unwatched),
        unwatched_examples={
            printable(os.fsdecode(path)): why for path, why in sorted(unwatched.items())[:_EXAMPLES]
        },
        events=watcher.events if watcher is not None else 0,
        overflows=watcher.overflows if watcher is not None else 0,
        settling=len(state.settling),
    )


def _mirror(
    mirror: Mirror,
    since: float | None,
    facts: Facts,
    progress: Callable[[Mirror], Progress | None],
    *,
    user: str,
    watcher: Watching | None,
) -> MirrorStatus:
    now, wall = facts.now, facts.wall - facts.now
    waiting = [batch for batch in (mirror.aside, mirror.pending) if batch]
    demands = mirror.passing.batches if mirror.passing is not None else ()
    return MirrorStatus(
        source=mirror.pair.source.path,
        node=mirror.pair.node.name,
        destination=mirror.pair.destination.shown,
        lane=mirror.lane,
        state=mirror.state.value,
        reason=mirror.reason,
        lag=_moment(now - since) if since is not None else None,
        pending=sum(batch.count for batch in waiting),
        full=next((batch.reason for batch in (*demands, *waiting) if batch.reason), ""),
        run=_run(mirror, now, wall, progress),
        full_pass=pass_status(mirror.passing, watcher.watched if watcher else 0, now, wall),
        warm=mirror in facts.warm,
        last_success_at=_wall(mirror.health.succeeded, wall),
        last_failure=_failure(mirror.health.failure, wall),
        next_try_at=_wall(_next_try(mirror, now), wall),
        runs=mirror.totals.runs,
        failures=mirror.totals.failures,
        retries=mirror.totals.retries,
        files_sent=mirror.totals.moved.files,
        bytes_sent=mirror.totals.moved.size,
        files_deleted=mirror.totals.moved.deleted,
        drift=_drift(mirror, wall),
        ailing=_ailing(mirror, now, wall, user) + _unmounted(facts.lost.get(mirror, ())),
        notes=[*([ARRIVING] if mirror.late is not None else []), *notes(mirror).values()],
        keep_days=mirror.pair.node.rkeep,
        kept=None
        if mirror.big
        else kept_status(mirror.pair.node, facts.kept.get(mirror.pair.destination.text), wall),
    )


def _failure(failure: Failure | None, wall: float) -> FailureStatus | None:
    if failure is None:
        return None
    return FailureStatus(
        at=_moment(wall + failure.at),
        exit=failure.returncode,
        meaning=failure.meaning,
        lines=list(failure.evidence),
    )


def _ailing(mirror: Mirror, now: float, wall: float, user: str) -> list[AilingStatus]:
    found = []
    for known in mirror.ailing.values():
        path, cause, cure = described(known, mirror.pair, mirror.kept, user=user)
        found.append(
            AilingStatus(
                path=path,
                cause=cause,
                cure=cure,
                said=known.complaint.text,
                since_at=_moment(wall + known.since),
                next_try_at=_moment(wall + max(now, known.retry_at)),
            )
        )
    return found


def _unmounted(lost: Collection[bytes]) -> list[AilingStatus]:
    return [
        AilingStatus(path=path, cause=what, cure=cure, said="", since_at=None, next_try_at=None)
        for path, what, cure in map(unmounted, sorted(lost))
    ]


def _drift(mirror: Mirror, wall: float) -> DriftStatus | None:
    if mirror.comparison.made_at is None:
        return None
    prefix = os.fsencode(mirror.pair.source.prefix)
    apart = mirror.comparison.apart
    return DriftStatus(
        at=_moment(wall + mirror.comparison.made_at),
        paths=mirror.comparison.drift.count,
        examples={shown(prefix, each.path): each.what for each in mirror.comparison.drift.sample},
        apart=apart.count,
        apart_examples={
            printable(path) or ".": left.why for path, left in islice(apart.paths.items(), SAMPLE)
        },
    )


def _next_try(mirror: Mirror, now: float) -> float | None:
    if mirror.retry_at is not None:
        return max(now, mirror.retry_at)
    return mirror.late_at


def _run(
    mirror: Mirror, now: float, wall: float, progress: Callable[[Mirror], Progress | None]
) -> RunStatus | None:
    if not mirror.busy or mirror.work.started is None:
        return None
    flight = full_pass("rverify", mirror.work.started) if mirror.work.comparing else mirror.flight
    if flight is None:
        return None
    told, sliced = progress(mirror), mirror.passing if mirror.work.slicing else None
    return RunStatus(
        started_at=_moment(wall + mirror.work.started),
        seconds=_moment(now - mirror.work.started),
        changes=flight.count,
        full=flight.reason or (sliced.batch.reason if sliced is not None else ""),
        files=told.files if told else None,
        bytes=told.size if told else None,
        percent=told.percent if told else None,
        eta=told.eta if told else None,
    )


def _moment(seconds: float) -> float:
    """Milliseconds are as exact as anybody can use."""
    return round(seconds, 3)


def _wall(when: float | None, wall: float) -> float | None:
    return None if when is None else _moment(wall + when)
