"""When the engine reports to hooks, and what a report says."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import pytest
from support.configs import make_config, make_pair

from inosync.changes.batch import collect, full_pass
from inosync.changes.changes import Change, Changes, Kind
from inosync.config.model import Config
from inosync.engine.actions import Action, Hook, Outcome, Start
from inosync.engine.engine import Engine
from inosync.engine.records import Activity
from inosync.engine.reports import (
    MOST_PATHS,
    Beaten,
    changed,
    encode,
    failed,
    held,
    recovered,
    succeeded,
)
from inosync.rsync.output import Transferred

NOW = 10_000.0
PROGRAM = ("/bin/true",)
HOOKS: dict[str, Any] = dict.fromkeys(
    ("on_change", "on_success", "on_failure", "on_recover"), PROGRAM
)
PAIR = make_pair(None, "n0:/m", rretry=(1.0, 300.0))
SOURCE = PAIR.source
MOVED = Outcome(0, Transferred(3, 4000, 1))


def make_engine(**settings: Any) -> Engine:
    engine = Engine(make_config([PAIR], **(HOOKS | settings)), lambda: 0.0)
    engine.watched(SOURCE, NOW, reason="")
    return engine


def told(actions: Sequence[Action]) -> list[dict[str, Any]]:
    return [json.loads(encode(a.report, 5.0)) for a in actions if isinstance(a, Hook)]


def events(engine: Engine, now: float) -> list[str]:
    return [report["event"] for report in told(engine.due(now))]


def change(engine: Engine, now: float, *paths: bytes) -> None:
    engine.changed(SOURCE, Changes.of([Change(path, Kind.ENTRY) for path in paths or (b"f",)]), now)


def run(engine: Engine, outcome: Outcome, now: float) -> list[dict[str, Any]]:
    """Change something, let it run until `now`, and return what hooks are told at its end."""
    change(engine, now - 12)
    actions = engine.due(now - 2)
    assert any(isinstance(action, Start) for action in actions)
    engine.exited(engine.mirrors[0], outcome, now)
    return told(engine.due(now))


def test_a_beat_is_of_everything_and_the_newer_one_counts() -> None:
    old, new = (Beaten(source="", sources=2, mirrors=6, lag=lag) for lag in (1.0, 0.5))
    assert json.loads(encode(new.after(old), 5.0)) == {
        "schema": 1,
        "event": "on_beat",
        "at": 5.0,
        "source": "",
        "node": None,
        "destination": None,
        "merged": 1,
        "sources": 2,
        "mirrors": 6,
        "lag": 0.5,
    }


def test_a_batch_is_reported_once_when_it_travels() -> None:
    engine = make_engine()
    change(engine, NOW, b"b", b"a")
    assert events(engine, NOW + 9) == []
    (report,) = told(engine.due(NOW + 10))
    assert report == {
        "schema": 1,
        "event": "on_change",
        "at": 5.0,
        "source": "/srv/www",
        "node": None,
        "destination": None,
        "merged": 0,
        "changes": 2,
        "full": "",
        "paths": ["a", "b"],
        "complete": True,
    }
    assert events(engine, NOW + 11) == []


def test_a_run_is_reported_when_it_ended_well() -> None:
    (report,) = run(make_engine(on_change=()), MOVED, NOW + 100)
    assert report == {
        "schema": 1,
        "event": "on_success",
        "at": 5.0,
        "source": "/srv/www",
        "node": "n0:/m",
        "destination": "n0:/m",
        "merged": 0,
        "changes": 1,
        "full": "",
        "paths": ["f"],
        "complete": True,
        "files": 3,
        "bytes": 4000,
        "deleted": 1,
        "seconds": 2.0,
        "lag": 12.0,
    }


def test_nothing_is_reported_to_a_hook_that_is_not_set() -> None:
    engine = make_engine(on_change=(), on_success=(), on_failure=(), on_recover=())
    assert run(engine, MOVED, NOW + 100) == []
    assert run(engine, Outcome(12), NOW + 200) == []
    assert engine.mirrors[0].pending is not None


@pytest.mark.parametrize("name", ["on_change", "on_success"])
def test_changes_are_kept_for_hooks_that_name_them(name: str) -> None:
    quiet = dict.fromkeys(HOOKS, ())
    engine = make_engine(**(quiet | {name: PROGRAM}))
    change(engine, NOW)
    assert [report["paths"] for report in told(engine.due(NOW + 10))] == [["f"]] * (
        name == "on_change"
    )


def test_a_full_pass_is_a_success_only_when_it_moved_something() -> None:
    engine = make_engine(on_change=())
    for outcome, wanted in ((Outcome(0), []), (MOVED, ["rfull"])):
        engine.release("rfull", NOW)
        engine.due(NOW)
        engine.exited(engine.mirrors[0], outcome, NOW + 1)
        assert [report["full"] for report in told(engine.due(NOW + 1))] == wanted


def test_a_pretended_run_is_no_success() -> None:
    assert run(make_engine(on_change=()), Outcome(0, pretended=True), NOW + 100) == []


def test_a_failure_is_reported_once_for_each_kind_and_its_end() -> None:
    engine = make_engine(on_change=(), on_success=())
    (report,) = run(engine, Outcome(12, evidence=("oops",)), NOW + 100)
    assert {key: report[key] for key in list(report)[7:]} == {
        "state": "backoff",
        "meaning": "error in the rsync protocol stream",
        "cure": "try 'ssh n0 rsync --version' as the user that runs inosync",
        "exit": 12,
        "lines": ["oops"],
        "next_try": 1.0,
    }
    assert run(engine, Outcome(12), NOW + 200) == []
    engine.release("asked for", NOW + 250)
    assert run(engine, Outcome(12), NOW + 300) == []
    (report,) = run(engine, Outcome(25), NOW + 1000)
    assert (report["exit"], report["state"], report["next_try"]) == (25, "held", None)
    engine.release("asked for", NOW + 1100)
    (report,) = run(engine, Outcome(0), NOW + 1200)
    assert {key: report[key] for key in list(report)[7:]} == {
        "meaning": "the --max-delete limit stopped deletions",
        "seconds": 1100.0,
    }
    assert run(engine, Outcome(0), NOW + 1300) == []


def test_recovery_comes_before_the_success() -> None:
    engine = make_engine(on_change=())
    run(engine, Outcome(12), NOW + 100)
    reports = run(engine, MOVED, NOW + 200)
    assert [report["event"] for report in reports] == ["on_recover", "on_success"]


def test_a_run_that_hangs_is_a_failure() -> None:
    engine = make_engine(on_change=())
    change(engine, NOW)
    engine.due(NOW + 10)
    (mirror,) = engine.mirrors
    engine.activity(mirror, Activity(1, 1), NOW + 10)
    engine.activity(mirror, Activity(1, 1), NOW + 310, said=("the disk hangs",))
    (report,) = told(engine.due(NOW + 310))
    assert report["meaning"] == "its run did nothing for 300 s (rtimeout)"
    assert (report["exit"], report["state"]) == (None, "backoff")
    assert report["lines"] == ["the disk hangs"]
    engine.exited(mirror, Outcome(20), NOW + 311)
    assert told(engine.due(NOW + 311)) == []


def test_a_hold_by_rmaxdelete_is_a_failure() -> None:
    (report,) = run(
        make_engine(rmaxdelete=5, on_change=()), Outcome(0, Transferred(deleted=6)), NOW + 100
    )
    assert report["meaning"] == "would delete 6 files (rmaxdelete is 5)"
    assert (report["state"], report["exit"]) == ("held", None)


def test_a_run_that_fails_while_all_stops_is_none() -> None:
    engine = make_engine(on_change=())
    change(engine, NOW)
    engine.due(NOW + 10)
    engine.stop(NOW + 11)
    engine.exited(engine.mirrors[0], Outcome(20), NOW + 12)
    assert told(engine.due(NOW + 12)) == []


def test_a_held_source_is_reported_once_for_each_reason_and_when_it_is_back() -> None:
    engine = make_engine()
    engine.hold(SOURCE, "is gone", NOW + 1)
    engine.hold(SOURCE, "is gone", NOW + 3)
    engine.hold(SOURCE, "is empty", NOW + 5)
    reports = told(engine.due(NOW + 5))
    assert [(r["event"], r["node"], r["meaning"]) for r in reports] == [
        ("on_failure", None, "is gone"),
        ("on_failure", None, "is empty"),
    ]
    engine.configure(engine.config, NOW + 6)  # a reload in between changes nothing
    engine.resume(SOURCE, NOW + 11)
    back, change_report = told(engine.due(NOW + 11))
    assert (back["event"], back["meaning"], back["seconds"]) == ("on_recover", "is empty", 10.0)
    assert change_report["event"] == "on_change"
    assert change_report["full"] == "the source came back"


def test_when_anything_may_have_changed_is_reported_and_a_repair_is_not() -> None:
    engine = make_engine(rfull=1000.0)
    engine.resync(SOURCE, "overflow", NOW)
    (report,) = told(engine.due(NOW))
    assert (report["full"], report["paths"], report["complete"]) == ("overflow", [], False)
    engine.exited(engine.mirrors[0], Outcome(0), NOW + 1)
    assert events(engine, NOW + 1001) == []
    assert engine.mirrors[0].flight is not None
    engine.shortage(SOURCE, True, NOW + 1002)
    (report,) = told(engine.due(NOW + 1302))
    assert report["full"] == "directories without a watch"


def test_a_pause_keeps_the_changes_for_one_report() -> None:
    engine = make_engine()
    engine.pause(True)
    for number in range(3):
        change(engine, NOW + 20 * number, b"%d" % number)
        assert events(engine, NOW + 20 * number + 10) == []
    fresh: Config = make_config([PAIR], **HOOKS)
    engine.configure(fresh, NOW + 60)
    engine.pause(False)
    (report,) = told(engine.due(NOW + 61))
    assert (report["changes"], report["paths"]) == (3, ["0", "1", "2"])


# What a report says


def test_paths_show_what_they_stand_for() -> None:
    changes = [
        Change(b"", Kind.ENTRY),
        Change(b"", Kind.LEVEL),
        Change(b"d", Kind.TREE),
        Change(b"d", Kind.ENTRY),
        Change(b"f", Kind.WRITTEN),
        Change(b"f", Kind.ENTRY),
        Change(b"new\nline \xff", Kind.ENTRY),
    ]
    batch = collect(Changes.of(changes), NOW)
    assert batch is not None
    data = encode(changed(SOURCE, batch), 5.00049)
    assert data.count(b"\n") == 1
    assert b"\\udcff" in data
    report = json.loads(data)
    assert report["at"] == 5.0
    assert report["paths"] == [".", "./", "d", "d/", "f", "new\nline \udcff"]
    assert os.fsencode(report["paths"][-1]) == b"new\nline \xff"


@pytest.mark.parametrize(("count", "complete"), [(MOST_PATHS, True), (MOST_PATHS + 5, False)])
def test_paths_are_bounded(count: int, complete: bool) -> None:
    batch = collect(Changes.of([Change(b"%d" % n, Kind.ENTRY) for n in range(count)]), NOW)
    assert batch is not None
    report = changed(SOURCE, batch)
    assert (len(report.paths), report.changes) == (MOST_PATHS, count)
    assert report.complete is complete


def test_merged_changes_join_and_stay_bounded() -> None:
    def report(*paths: bytes) -> Any:
        batch = collect(Changes.of([Change(path, Kind.ENTRY) for path in paths]), NOW)
        assert batch is not None
        return changed(SOURCE, batch)

    both = report(b"b", b"c").after(report(b"a", b"b"))
    assert (both.paths, both.changes, both.merged) == (("a", "b", "c"), 4, 1)
    assert both.complete
    third = report(b"d").after(both)
    assert (third.merged, third.changes) == (2, 5)
    much = report(*(b"%d" % n for n in range(MOST_PATHS))).after(both)
    assert (len(much.paths), much.complete) == (MOST_PATHS, False)
    full = both.after(changed(SOURCE, full_pass("overflow", NOW)))
    assert (full.full, full.complete, full.paths) == ("overflow", False, ("a", "b", "c"))


def test_merged_successes_add_up() -> None:
    engine = make_engine()
    batch = collect(Changes.of([Change(b"a", Kind.ENTRY)]), NOW)
    assert batch is not None
    (mirror,) = engine.mirrors
    old = succeeded(mirror, batch, Transferred(1, 100, 2), seconds=0.5, now=NOW + 20)
    new = succeeded(mirror, batch, Transferred(4, 200, 0), seconds=1.25, now=NOW + 10)
    both = new.after(old)
    assert (both.files, both.bytes, both.deleted, both.changes) == (5, 300, 2, 2)
    assert (both.seconds, both.lag, both.merged) == (1.75, 20.0, 1)


def test_of_merged_failures_the_newest_counts() -> None:
    (mirror,) = make_engine().mirrors
    both = failed(mirror, "new", wait=1.0).after(failed(mirror, "old", status=12))
    assert (both.meaning, both.exit, both.merged) == ("new", None, 1)
    assert recovered(mirror, "x", 1.23456).after(recovered(mirror, "y", 2.0)).seconds == 1.235
    assert held(SOURCE, "is gone").after(held(SOURCE, "is empty")).meaning == "is gone"
