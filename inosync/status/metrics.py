"""The snapshot as metrics for Prometheus, in its text format.

Pure: turns a snapshot into text. Names and units follow
https://prometheus.io/docs/practices/naming/, the text follows
https://prometheus.io/docs/instrumenting/exposition_formats/. Every sample carries the config file
as a label, so that the files of several daemons can be collected together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from inosync.engine.mirror import State
from inosync.rsync.kept import moment
from inosync.status.model import MirrorStatus, Snapshot, SourceStatus
from inosync.text import printable


@dataclass(frozen=True)
class Metric:
    """One metric, without the ``inosync_`` before its name; ``kind`` is "gauge" or "counter"."""

    name: str
    kind: str
    help: str


#: One sample of a metric: its labels as text, and its value; None: there is none.
_Sample = tuple[str, float | None]

_DAEMON: tuple[tuple[Metric, Callable[[Snapshot], float]], ...] = (
    (
        Metric("in_sync", "gauge", "1 when no mirror lags, no path ails, no source is held."),
        lambda now: now["synced"],
    ),
    (
        Metric("paused", "gauge", "1 when nothing is started until inosync --resume."),
        lambda now: now["paused"],
    ),
    (
        Metric("standby", "gauge", "1 when another host is the active one (wactive)."),
        lambda now: bool(now["standby"]),
    ),
    (
        Metric("start_time_seconds", "gauge", "Unix time at which the daemon began."),
        lambda now: now["daemon"]["started_at"],
    ),
    (
        Metric("config_loaded_timestamp_seconds", "gauge", "Unix time of the config in force."),
        lambda now: now["daemon"]["loaded_at"],
    ),
    (
        Metric("resident_memory_bytes", "gauge", "Resident memory of the daemon."),
        lambda now: now["daemon"]["rss"],
    ),
)

_SOURCE: tuple[tuple[Metric, Callable[[SourceStatus], float]], ...] = (
    (
        Metric(
            "source_held", "gauge", "1 when nothing is mirrored, as the source is not what it was."
        ),
        lambda source: source["state"] == "held",
    ),
    (
        Metric("source_watched_directories", "gauge", "Directories with a watch."),
        lambda source: source["watched"],
    ),
    (
        Metric("source_unwatched_directories", "gauge", "Directories that cannot be watched."),
        lambda source: source["unwatched"],
    ),
    (
        Metric("source_events_total", "counter", "Events read from the kernel."),
        lambda source: source["events"],
    ),
    (
        Metric("source_overflows_total", "counter", "How often the kernel's queue overflowed."),
        lambda source: source["overflows"],
    ),
)


def _oldest(mirror: MirrorStatus) -> float | None:
    """Return when the oldest day began of which something is kept, if any is."""
    kept = mirror["kept"]
    return moment(f"{kept['oldest']}/000000.000000Z") if kept and kept["oldest"] else None


_MIRROR: tuple[tuple[Metric, Callable[[MirrorStatus], float | None]], ...] = (
    (
        Metric("mirror_in_sync", "gauge", "1 when every change is on the node, but for no path."),
        lambda mirror: mirror["lag"] is None and not mirror["ailing"],
    ),
    (
        Metric("mirror_lag_seconds", "gauge", "Age of the oldest change that is not on the node."),
        lambda mirror: mirror["lag"] or 0.0,
    ),
    (
        Metric("mirror_pending_changes", "gauge", "Changes that wait for the next run."),
        lambda mirror: mirror["pending"],
    ),
    (
        Metric("mirror_runs_total", "counter", "Runs of rsync that were begun."),
        lambda mirror: mirror["runs"],
    ),
    (
        Metric("mirror_run_failures_total", "counter", "Runs of rsync that failed."),
        lambda mirror: mirror["failures"],
    ),
    (
        Metric("mirror_run_retries_total", "counter", "Runs that were tries after a failure."),
        lambda mirror: mirror["retries"],
    ),
    (
        Metric("mirror_sent_files_total", "counter", "Files sent."),
        lambda mirror: mirror["files_sent"],
    ),
    (
        Metric("mirror_sent_bytes_total", "counter", "Bytes of file data sent."),
        lambda mirror: mirror["bytes_sent"],
    ),
    (
        Metric("mirror_deleted_files_total", "counter", "Files deleted on the node."),
        lambda mirror: mirror["files_deleted"],
    ),
    (
        Metric("mirror_last_success_timestamp_seconds", "gauge", "Unix time of the last success."),
        lambda mirror: mirror["last_success_at"],
    ),
    (
        Metric("mirror_last_failure_timestamp_seconds", "gauge", "Unix time of the last failure."),
        lambda mirror: mirror["last_failure"] and mirror["last_failure"]["at"],
    ),
    (
        Metric("mirror_next_try_timestamp_seconds", "gauge", "Unix time of the next try, if due."),
        lambda mirror: mirror["next_try_at"],
    ),
    (
        Metric("mirror_drift_paths", "gauge", "Paths that rverify found different, if it has run."),
        lambda mirror: mirror["drift"] and mirror["drift"]["paths"],
    ),
    (
        Metric("mirror_pass_ratio", "gauge", "How much is done of a full pass in slices, if any."),
        lambda mirror: mirror["full_pass"] and mirror["full_pass"]["percent"] / 100,
    ),
    (
        Metric("mirror_pass_directories", "gauge", "Directories that this pass has done."),
        lambda mirror: mirror["full_pass"] and mirror["full_pass"]["directories"],
    ),
    (
        Metric("mirror_pass_files", "gauge", "Files that this pass has done."),
        lambda mirror: mirror["full_pass"] and mirror["full_pass"]["files"],
    ),
    (
        Metric("mirror_pass_left_seconds", "gauge", "Time that this pass still takes, if known."),
        lambda mirror: mirror["full_pass"] and mirror["full_pass"]["left"],
    ),
    (
        Metric("mirror_kept_days", "gauge", "Days of which the node keeps something (rkeep)."),
        lambda mirror: mirror["kept"] and mirror["kept"]["days"],
    ),
    (
        Metric("mirror_kept_oldest_timestamp_seconds", "gauge", "Unix time of the oldest of them."),
        _oldest,
    ),
    (
        Metric("mirror_kept_runs", "gauge", "Runs of which the node keeps something."),
        lambda mirror: mirror["kept"] and mirror["kept"]["runs"],
    ),
    (
        Metric("mirror_kept_bytes", "gauge", "Bytes that the node keeps, where rkeepmax is set."),
        lambda mirror: mirror["kept"] and mirror["kept"]["bytes"],
    ),
    (
        Metric("mirror_ailing_paths", "gauge", "Paths that cannot be carried; all else is."),
        lambda mirror: len(mirror["ailing"]),
    ),
)

_BUILD = Metric("build_info", "gauge", "1, with the version of inosync as a label.")
_RUNNING = Metric("running", "gauge", "1 while the daemon runs, 0 when it was stopped.")
_STATE = Metric("mirror_state", "gauge", "1 for the state that the mirror is in, 0 for the others.")

#: All of them, in the order of the text.
METRICS = (
    _BUILD,
    _RUNNING,
    *(metric for metric, _ in _DAEMON),
    *(metric for metric, _ in _SOURCE),
    _STATE,
    *(metric for metric, _ in _MIRROR),
)


def prometheus(now: Snapshot, *, running: bool = True) -> str:
    """Return the metrics; not `running`: the daemon is about to end."""
    daemon = now["daemon"]
    whole = _labels(config=daemon["config"])
    sources = [
        (_labels(config=daemon["config"], source=source["path"]), source)
        for source in now["sources"]
    ]
    mirrors = [
        (
            _labels(
                config=daemon["config"],
                source=mirror["source"],
                node=mirror["node"],
                lane=mirror["lane"],
            ),
            mirror,
        )
        for mirror in now["mirrors"]
    ]
    states = [
        (f'{labels},state="{state.value}"', mirror["state"] == state.value)
        for labels, mirror in mirrors
        for state in State
    ]
    lines = [
        _lines(_BUILD, [(f"{whole},{_labels(version=daemon['version'])}", 1)]),
        _lines(_RUNNING, [(whole, running)]),
        *(_lines(metric, [(whole, value(now))]) for metric, value in _DAEMON),
        *(
            _lines(metric, [(labels, value(source)) for labels, source in sources])
            for metric, value in _SOURCE
        ),
        _lines(_STATE, states),
        *(
            _lines(metric, [(labels, value(mirror)) for labels, mirror in mirrors])
            for metric, value in _MIRROR
        ),
    ]
    return "".join(f"{line}\n" for metric in lines for line in metric)


def _lines(metric: Metric, samples: Iterable[_Sample]) -> Iterator[str]:
    """Yield the lines of one metric."""
    yield f"# HELP inosync_{metric.name} {metric.help}"
    yield f"# TYPE inosync_{metric.name} {metric.kind}"
    for labels, value in samples:
        if value is not None:
            yield f"inosync_{metric.name}{{{labels}}} {repr(float(value)).removesuffix('.0')}"


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())


def _escaped(text: str) -> str:
    r"""Return a label's value: backslash, quote and line feed are escaped, and no others are."""
    return printable(text).replace("\\", r"\\").replace('"', r"\"")
