"""The snapshot, as a value."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from support.engines import changing
from support.snapshots import NOW, WALL, facts, make_engine, one_well_and_one_failing, take

from inosync.changes.batch import Batch
from inosync.engine.actions import Outcome
from inosync.engine.records import Late, Work
from inosync.planning.order import Prepared, RunKind
from inosync.planning.slices import Course, Slice, course_of
from inosync.status.lines import lines
from inosync.status.model import (
    SCHEMA,
    DaemonStatus,
    DriftStatus,
    FailureStatus,
    MirrorStatus,
    PassStatus,
    RunStatus,
    Snapshot,
    SourceStatus,
)
from inosync.status.snapshot import snapshot
from inosync.status.table import summary


def test_on_standby() -> None:
    at_hand = replace(facts(), standby="/run/active is not there")
    now = snapshot(make_engine(), {"/srv/www": None}, at_hand)
    assert lines(now)[0].startswith("source /srv/www: standby, ")
    assert (now["standby"], now["synced"]) == ("/run/active is not there", False)
    assert summary(now) == "on standby: /run/active is not there"


def test_what_is_not_mounted_any_more_is_not_there() -> None:
    engine = make_engine()
    at_hand = replace(facts(), lost={engine.mirrors[0]: {b"disk"}})
    (first, second) = snapshot(engine, {"/srv/www": None}, at_hand)["mirrors"]
    assert [each["path"] for each in first["ailing"]] == ["disk"]
    assert "what was mounted there is gone" in first["ailing"][0]["cause"]
    assert second["ailing"] == []


def test_what_may_be_late_is_noted_and_when_it_is_carried_once_more() -> None:
    engine = make_engine()
    mirror = engine.mirrors[0]
    mirror.late = Late(Batch(NOW, 0), NOW + 60, NOW, 0)
    (first, second) = take(engine, NOW + 2)["mirrors"]
    assert (first["lag"], first["next_try_at"]) == (2.0, WALL + 60)
    assert "may arrive yet" in first["notes"][0]
    assert (second["lag"], second["next_try_at"], second["notes"]) == (None, None, [])
    mirror.retry_at = NOW + 5
    assert take(engine, NOW + 2)["mirrors"][0]["next_try_at"] == WALL + 5


def test_everything_there_is_to_know() -> None:
    now = take(one_well_and_one_failing(), NOW + 2.5)
    assert json.loads(json.dumps(now)) == {
        "schema": SCHEMA,
        "at": WALL + 2.5,
        "synced": False,
        "paused": False,
        "standby": "",
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
                "full_pass": None,
                "warm": False,
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
                "ailing": [],
                "notes": [],
                "keep_days": 0.0,
                "kept": None,
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
                "full_pass": None,
                "warm": False,
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
                "ailing": [],
                "notes": [],
                "keep_days": 0.0,
                "kept": None,
            },
        ],
    }


def test_every_name_is_documented() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/status.rst").read_text()
    documented = set(re.findall(r"``([a-z_]+)``", text))
    shapes = (Snapshot, DaemonStatus, SourceStatus, MirrorStatus, RunStatus, FailureStatus)
    shapes += (DriftStatus, PassStatus)
    assert {name for shape in shapes for name in shape.__annotations__} <= documented


def test_a_comparison_at_work() -> None:
    engine = make_engine()
    engine.mirrors[0].compare(NOW, check_after=0)
    run = take(engine, NOW + 3)["mirrors"][0]["run"]
    assert run is not None
    assert (run["full"], run["seconds"], run["changes"]) == ("rverify", 3, 0)
    engine.mirrors[0].work = Work(started=NOW)
    assert take(engine, NOW + 3)["mirrors"][0]["run"] is None


def test_a_pass_in_slices() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    engine.resync(engine.config.sources[0], "start-up", NOW)
    engine.due(NOW)
    (mirror,) = engine.mirrors
    rest = course_of([("tree", b"a")], sizes=False, weight=9, directories=6, files=3)
    for course in (rest, Course(todo=None)):
        piece = Slice((b"b",))
        engine.prepared(
            mirror, Prepared(RunKind.SLICE, ("rsync",), piece=piece, course=course), NOW
        )
        told = take(engine, NOW + 6)["mirrors"][0]
        if course is rest:
            engine.exited(mirror, Outcome(0, listed=True), NOW + 3)
            engine.due(NOW + 3)
            assert told["full_pass"] == {
                "reason": "start-up",
                "started_at": WALL,
                "seconds": 6.0,
                "percent": 50,
                "directories": 6,
                "files": 3,
                "left": 6.0,
            }
            assert (told["full"], told["run"] and told["run"]["full"]) == ("start-up", "start-up")
            assert "full pass 50 %, 6.0 s left, 6.0 s behind" in lines(take(engine, NOW + 6))[1]
    engine.exited(mirror, Outcome(0, listed=True), NOW + 6)
    told = take(engine, NOW + 6)["mirrors"][0]
    assert (told["full_pass"], told["full"]) == (None, "")
