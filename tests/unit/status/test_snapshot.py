"""The snapshot, as a value, as lines and as a table."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.configs import make_config, make_pair

from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, Work
from inosync.rsync.differences import Difference, Drift
from inosync.rsync.output import Progress, Transferred
from inosync.status.snapshot import (
    SCHEMA,
    DaemonStatus,
    DriftStatus,
    Facts,
    FailureStatus,
    MirrorStatus,
    RunStatus,
    Snapshot,
    SourceStatus,
    lines,
    snapshot,
)
from inosync.status.table import heading, plain, size, span, summary

NOW = 10_000.0
WALL = 1_700_000_000.0


@dataclass
class Watching:
    """What a watcher would tell."""

    watched: int = 12
    events: int = 34
    overflows: int = 1
    unwatched: dict[bytes, str] = field(default_factory=dict)


def facts(now: float = NOW) -> Facts:
    """What is to be known at `now`, of a process that was begun 100 seconds before NOW."""
    return Facts(
        version="1.2.3",
        pid=4711,
        rss=30 * 2**20,
        began=NOW - 100,
        loaded=NOW - 50,
        now=now,
        wall=WALL + now - NOW,
    )


def make_engine() -> Engine:
    return Engine(make_config([make_pair(None, "a:/m"), make_pair(None, "b:/m")]), lambda: 0.0)


def one_well_and_one_failing() -> Engine:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW)
    engine.due(NOW)
    well, failing = engine.mirrors
    engine.exited(well, Outcome(0, Transferred(3, 4000, 1)), NOW + 1)
    engine.exited(failing, Outcome(127, evidence=("sh: rsync: not found",)), NOW + 1)
    return engine


def take(engine: Engine, now: float, watching: Watching | None = None, **more: Any) -> Snapshot:
    return snapshot(engine, {"/srv/www": watching or Watching()}, facts(now), **more)


def test_before_the_watches_stand() -> None:
    now = snapshot(make_engine(), {"/srv/www": None}, facts())
    assert lines(now) == [
        "source /srv/www: setting up, 0 directories, 0 events, 0 overflows",
        "mirror /srv/www -> a:/m: idle, in sync, 0 runs, 0 failed",
        "mirror /srv/www -> b:/m: idle, in sync, 0 runs, 0 failed",
    ]
    assert now["synced"]


def test_one_well_and_one_failing_line_by_line() -> None:
    now = take(one_well_and_one_failing(), NOW + 2.5)
    assert lines(now) == [
        "source /srv/www: watched, 12 directories, 34 events, 1 overflows",
        "mirror /srv/www -> a:/m: idle, in sync, 1 runs, 0 failed",
        "mirror /srv/www -> b:/m: backoff (rsync was not found), 2.5 s behind, "
        "next try in 298 s, 1 runs, 1 failed",
    ]
    assert not now["synced"]


def test_everything_there_is_to_know() -> None:
    now = take(one_well_and_one_failing(), NOW + 2.5)
    assert json.loads(json.dumps(now)) == {
        "schema": SCHEMA,
        "at": WALL + 2.5,
        "synced": False,
        "paused": False,
        "daemon": {
            "version": "1.2.3",
            "pid": 4711,
            "rss": 30 * 2**20,
            "started_at": WALL - 100,
            "uptime": 102.5,
            "config": "/etc/inosync.py",
            "loaded_at": WALL - 50,
        },
        "sources": [
            {
                "path": "/srv/www",
                "state": "watched",
                "reason": "",
                "watched": 12,
                "unwatched": 0,
                "unwatched_examples": {},
                "events": 34,
                "overflows": 1,
                "settling": 0,
            }
        ],
        "mirrors": [
            {
                "source": "/srv/www",
                "node": "a:/m",
                "destination": "a:/m",
                "lane": "",
                "state": "idle",
                "reason": "",
                "lag": None,
                "pending": 0,
                "full": "",
                "run": None,
                "last_success_at": WALL + 1,
                "last_failure": None,
                "next_try_at": None,
                "runs": 1,
                "failures": 0,
                "retries": 0,
                "files_sent": 3,
                "bytes_sent": 4000,
                "files_deleted": 1,
                "drift": None,
            },
            {
                "source": "/srv/www",
                "node": "b:/m",
                "destination": "b:/m",
                "lane": "",
                "state": "backoff",
                "reason": "rsync was not found",
                "lag": 2.5,
                "pending": 0,
                "full": "start-up",
                "run": None,
                "last_success_at": None,
                "last_failure": {
                    "at": WALL + 1,
                    "exit": 127,
                    "meaning": "rsync was not found",
                    "lines": ["sh: rsync: not found"],
                },
                "next_try_at": WALL + 301,
                "runs": 1,
                "failures": 1,
                "retries": 0,
                "files_sent": 0,
                "bytes_sent": 0,
                "files_deleted": 0,
                "drift": None,
            },
        ],
    }


def test_a_held_source_and_directories_without_a_watch() -> None:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW, reason="")
    engine.hold(engine.config.sources[0], "is gone", NOW)
    watching = Watching(unwatched={b"a": "permission denied", b"b\xff": "no watch left"})
    now = take(engine, NOW, watching)
    assert lines(now)[0] == (
        "source /srv/www: held: is gone, 12 directories, 34 events, 1 overflows, "
        "2 directories unwatched"
    )
    assert len(now["sources"][0]["unwatched_examples"]) == 2
    assert not now["synced"]  # although no mirror owes anything that is known
    assert summary(now) == "2 of 2 mirrors in sync, 1 of 1 sources held"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (None, "for 60 s  never"),
        (Progress(3, 1536, 25, 61), "for 60 s, 1.5 KiB, 25 %, 61 s left  never"),
    ],
)
def test_a_run_at_work(told: Progress | None, shown: str) -> None:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW)
    engine.due(NOW)

    def progress(mirror: Mirror) -> Progress | None:
        assert mirror in engine.mirrors
        return told

    now = take(engine, NOW + 60, progress=progress)
    run = now["mirrors"][0]["run"]
    assert run is not None
    assert (run["seconds"], run["full"], run["started_at"]) == (60, "start-up", WALL)
    assert run["files"] == (told.files if told else None)
    assert shown in "\n".join(plain(now))


def test_the_table() -> None:
    assert list(plain(take(one_well_and_one_failing(), NOW + 2.5))) == [
        "1 of 2 mirrors in sync, the longest behind for 2.5 s",
        "inosync 1.2.3, pid 4711, up 102 s, 30 MiB, /etc/inosync.py loaded 52 s ago",
        "",
        "source /srv/www: watched, 12 directories, 34 events, 1 overflows",
        "    node  state    lag      pending    run                last success",
        "    a:/m  idle     in sync  -          -                  1.5 s ago",
        "    b:/m  backoff  2.5 s    full pass  next try in 5 min  never",
        "      rsync was not found (failures: 1)",
        "      | sh: rsync: not found",
    ]


def test_a_pause_and_a_daemon_without_a_config_file() -> None:
    engine = Engine(make_config([make_pair()], file=""), lambda: 0.0)
    engine.paused = True
    now = take(engine, NOW)
    assert heading(now) == (
        "inosync 1.2.3, pid 4711, up 100 s, 30 MiB - PAUSED: nothing is started (inosync --resume)"
    )


def test_changes_that_wait_and_a_node_without_a_name() -> None:
    engine = Engine(make_config([make_pair(None, "a:/m")]), lambda: 0.0)
    engine.changed(engine.config.sources[0], Changes.of([Change(b"f", Kind.ENTRY)]), NOW)
    engine.flush()
    now = take(engine, NOW + 1)
    now["mirrors"][0]["node"] = ""
    assert "    a:/m  pending  1.0 s  1        -    never" in list(plain(now))


def test_a_hold_that_no_run_brought() -> None:
    engine = make_engine()
    engine.mirrors[0].hold("would delete 7 files")
    assert "      would delete 7 files (failures: 0)" in list(plain(take(engine, NOW)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(-1, "0.0 s"), (0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (119, "119 s")],
        *[(120, "2 min"), (7199, "120 min"), (7200, "2 h"), (86400 * 2, "2 d")],
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**50, "1024.0 TiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_lanes_and_files_that_are_not_at_rest() -> None:
    config = make_config([make_pair(None, "a:/m")], rbigsize=5, rsettle=(("*.iso", 60.0),))
    engine = Engine(config, lambda: 0.0)
    engine.watched(engine.config.sources[0], NOW, reason="")
    engine.changed(engine.config.sources[0], Changes.of([Change(b"a.iso", Kind.ENTRY)]), NOW)
    now = take(engine, NOW)
    assert lines(now) == [
        "source /srv/www: watched, 12 directories, 34 events, 1 overflows, 1 files not at rest",
        "mirror /srv/www -> a:/m: idle, in sync, 0 runs, 0 failed",
        "mirror /srv/www -> a:/m (big files): idle, in sync, 0 runs, 0 failed",
    ]
    assert [mirror["lane"] for mirror in now["mirrors"]] == ["", "big"]
    assert sum("a:/m (big files)" in line for line in plain(now)) == 1


def test_every_name_is_documented() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/status.rst").read_text()
    documented = set(re.findall(r"``([a-z_]+)``", text))
    shapes = (Snapshot, DaemonStatus, SourceStatus, MirrorStatus, RunStatus, FailureStatus)
    shapes += (DriftStatus,)
    assert {name for shape in shapes for name in shape.__annotations__} <= documented


def test_drift() -> None:
    engine = make_engine()
    mirror = engine.mirrors[0]
    mirror.comparison = replace(mirror.comparison, made_at=NOW - 60)
    assert take(engine, NOW)["mirrors"][0]["drift"] == {
        "at": WALL - 60,
        "paths": 0,
        "examples": {},
    }
    assert not any("drift" in text for text in plain(take(engine, NOW)))
    found = (Difference(b"./", "times"), Difference(b"a\n", "content"))
    mirror.comparison = replace(mirror.comparison, drift=Drift(2, found))
    now = take(engine, NOW)
    drift = now["mirrors"][0]["drift"]
    assert drift is not None
    assert drift["examples"] == {".": "times", "a\\n": "content"}
    assert ", in sync, 2 paths drifted, 0 runs" in lines(now)[1]
    assert "      drift: 2 paths (.: times; a\\n: content), found 60 s ago" in list(plain(now))


def test_a_comparison_at_work() -> None:
    engine = make_engine()
    engine.mirrors[0].compare(NOW, check_after=0)
    run = take(engine, NOW + 3)["mirrors"][0]["run"]
    assert run is not None
    assert (run["full"], run["seconds"], run["changes"]) == ("rverify", 3, 0)
    engine.mirrors[0].work = Work(started=NOW)
    assert take(engine, NOW + 3)["mirrors"][0]["run"] is None
