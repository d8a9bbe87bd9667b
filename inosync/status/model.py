"""What ``--status --json`` says: a snapshot of the daemon, as values that JSON can hold.

docs/status.rst explains each of them.
"""

from __future__ import annotations

from typing import TypedDict

#: The version of the snapshot's shape: raised when a name goes or changes its meaning.
SCHEMA = 1


class DaemonStatus(TypedDict):
    """The process. ``config`` is "" without a config file."""

    version: str
    pid: int
    rss: int
    started_at: float
    uptime: float
    config: str
    loaded_at: float


class SourceStatus(TypedDict):
    """One source. ``state``: setting up, watched, held, standby.

    ``unwatched_examples`` are a few without a watch. ``settling`` counts the files that are not at
    rest (``rsettle``).
    """

    path: str
    state: str
    reason: str
    watched: int
    unwatched: int
    unwatched_examples: dict[str, str]
    events: int
    overflows: int
    settling: int


class RunStatus(TypedDict):
    """The run at work. What rsync has not told yet is None; ``full`` says why it is a full pass."""

    started_at: float
    seconds: float
    changes: int
    full: str
    files: int | None
    bytes: int | None
    percent: int | None
    eta: int | None


class PassStatus(TypedDict):
    """A pass that goes as slices: why, and how far it is.

    ``percent`` is of the watched directories. ``left`` is how many seconds it takes from now on.
    """

    reason: str
    started_at: float | None
    seconds: float
    percent: int
    directories: int
    files: int
    left: float | None


class FailureStatus(TypedDict):
    """How the last failed run ended; ``exit`` is negative for a signal."""

    at: float
    exit: int
    meaning: str
    lines: list[str]


class DriftStatus(TypedDict):
    """What the last comparison of contents (rverify) found: paths that differ, some with how.

    ``apart`` counts those that it has not compared; ``apart_examples`` are some, with the reason.
    """

    at: float
    paths: int
    examples: dict[str, str]
    apart: int
    apart_examples: dict[str, str]


class AilingStatus(TypedDict):
    """A path that cannot be carried: what is wrong, what to do, what rsync said."""

    path: str
    cause: str
    cure: str
    said: str
    since_at: float | None
    next_try_at: float | None


class KeptStatus(TypedDict):
    """What the node keeps (``rkeep``), as counted ``at`` that time; None: it could not be counted.

    ``runs`` kept something. ``bytes`` are only counted with ``rkeepmax``, which is ``most_bytes``.
    """

    at: float
    days: int | None
    oldest: str
    runs: int | None
    bytes: int | None
    most_bytes: int
    said: str


class MirrorStatus(TypedDict):
    """One mirror. ``lag``: the age of the oldest change that is not on the node; None: in sync.

    That is but for the ``ailing`` paths. ``notes`` are lines about what stays on the node, and
    about what may arrive late. With ``rbigsize`` there are two of a pair; the ``lane`` of one is
    "big", that of the other "". ``pending`` counts the changes that wait, ``full`` says why they
    need a full pass or is ""; ``full_pass`` is how far that is, where it goes as slices. ``warm``:
    a run stands ready for the next ones. ``keep_days``: see ``rkeep``; ``kept``: what was counted
    of that.
    """

    source: str
    node: str
    destination: str
    lane: str
    state: str
    reason: str
    lag: float | None
    pending: int
    full: str
    run: RunStatus | None
    full_pass: PassStatus | None
    warm: bool
    last_success_at: float | None
    last_failure: FailureStatus | None
    next_try_at: float | None
    runs: int
    failures: int
    retries: int
    files_sent: int
    bytes_sent: int
    files_deleted: int
    drift: DriftStatus | None
    ailing: list[AilingStatus]
    notes: list[str]
    keep_days: float
    kept: KeptStatus | None


class Snapshot(TypedDict):
    """All of it. ``synced``: no mirror lags, no path ails and no source is held.

    ``standby`` says why the daemon is on standby, "" when it is not. It is not ``synced`` then, and
    there are no mirrors: another host takes care of them.
    """

    schema: int
    at: float
    synced: bool
    paused: bool
    standby: str
    daemon: DaemonStatus
    sources: list[SourceStatus]
    mirrors: list[MirrorStatus]
