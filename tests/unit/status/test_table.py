"""The snapshot as a table."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace

import pytest
from support.configs import make_config, make_pair
from support.scene import PASS, scene_snapshot
from support.snapshots import (
    NOW,
    WALL,
    Watching,
    facts,
    make_engine,
    one_well_and_one_failing,
    take,
    texts,
)

from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.differences import Difference, Drift
from inosync.rsync.output import Progress
from inosync.status.history import History
from inosync.status.lines import lines
from inosync.status.metrics import prometheus
from inosync.status.page import page
from inosync.status.passing import span
from inosync.status.snapshot import snapshot
from inosync.status.table import cells, details, heading, size, summary
from inosync.status.troubles import troubles


def test_a_held_source_and_directories_without_a_watch() -> None:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW, reason="")
    engine.hold(engine.config.sources[0], "is gone", NOW)
    watching = Watching(unwatched={b"a": "permission denied", b"b\xff": "no watch left"})
    now = take(engine, NOW, watching)
    assert lines(now)[0] == (
        "source /srv/www: held: is gone, 12 directories, 34 events, 1 overflow, "
        "2 directories unwatched"
    )
    assert len(now["sources"][0]["unwatched_examples"]) == 2
    assert not now["synced"]  # although no mirror owes anything that is known
    assert summary(now) == "2 of 2 mirrors in sync, 1 of 1 source held"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (None, "for 60 s  never         0 B"),
        (Progress(3, 1536, 25, 61), "for 60 s, 1.5 KiB, 25 %, 61 s left  never         0 B"),
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
    assert shown in "\n".join(texts(now))


def test_the_table() -> None:
    assert (texts(take(one_well_and_one_failing(), NOW + 2.5))) == [
        "1 of 2 mirrors in sync, the longest behind for 2.5 s",
        "inosync 1.2.3, pid 4711, up 102 s, 30 MiB, /etc/inosync.py loaded 52 s ago",
        "",
        "backoff  b:/m, 2.5 s behind, a full pass waiting, last success never, next try in 5 min",
        "    rsync was not found (failures: 1)",
        "    | sh: rsync: not found",
        "",
        "source /srv/www: watched, 12 directories, 34 events, 1 overflow",
        "    node  state  lag      pending  run  last success  sent",
        "    a:/m  idle   in sync  -        -    1.5 s ago     3.9 KiB",
    ]


def test_a_pause_and_a_daemon_without_a_config_file() -> None:
    engine = Engine(make_config([make_pair()], file=""), lambda: 0.0)
    engine.pause(True)
    now = take(engine, NOW)
    assert heading(now) == "inosync 1.2.3, pid 4711, up 100 s, 30 MiB"
    assert texts(now)[2] == "PAUSED: nothing is started (inosync --resume)"


def test_changes_that_wait_and_a_node_without_a_name() -> None:
    engine = Engine(make_config([make_pair(None, "a:/m")]), lambda: 0.0)
    engine.changed(engine.config.sources[0], Changes.of([Change(b"f", Kind.ENTRY)]), NOW)
    engine.flush()
    now = take(engine, NOW + 1)
    now["mirrors"][0]["node"] = ""
    assert "    a:/m  pending  1.0 s  1        -    never         0 B" in texts(now)


def test_a_hold_that_no_run_brought() -> None:
    engine = make_engine()
    engine.mirrors[0].hold("would delete 7 files")
    assert "    would delete 7 files (failures: 0)" in texts(take(engine, NOW))


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
        "source /srv/www: watched, 12 directories, 34 events, 1 overflow, 1 file not at rest",
        "mirror /srv/www -> a:/m: idle, 0.0 s behind, 0 runs, 0 failed",
        "mirror /srv/www -> a:/m (big files): idle, 0.0 s behind, 0 runs, 0 failed",
    ]
    assert not now["synced"]
    assert [mirror["lane"] for mirror in now["mirrors"]] == ["", "big"]
    assert sum("a:/m (big files)" in line for line in texts(now)) == 1


def test_a_run_that_stands_ready() -> None:
    engine = one_well_and_one_failing()
    facts_with = dataclasses.replace(facts(NOW + 60), warm=engine.mirrors)
    now = snapshot(engine, {}, facts_with)
    assert [mirror["warm"] for mirror in now["mirrors"]] == [True, True]
    assert [cells(mirror, now["at"])[3] for mirror in now["mirrors"]] == [
        "warm",
        "next try in 4 min",
    ]
    assert lines(now)[1] == lines(take(engine, NOW + 60))[1].replace(", 1 run", ", warm, 1 run")


def test_drift() -> None:
    engine = make_engine()
    mirror = engine.mirrors[0]
    mirror.comparison = replace(mirror.comparison, made_at=NOW - 60)
    assert take(engine, NOW)["mirrors"][0]["drift"] == {
        "at": WALL - 60,
        "paths": 0,
        "examples": {},
        "apart": 0,
        "apart_examples": {},
    }
    assert not any("drift" in text for text in texts(take(engine, NOW)))
    found = (Difference(b"./", "times"), Difference(b"a\n", "content"))
    mirror.comparison = replace(mirror.comparison, drift=Drift(2, found))
    now = take(engine, NOW)
    drift = now["mirrors"][0]["drift"]
    assert drift is not None
    assert drift["examples"] == {".": "times", "a\\n": "content"}
    assert ", in sync, 2 paths drifted, 0 runs" in lines(now)[1]
    assert texts(now)[3:7] == [
        "drift  a:/m, found 60 s ago",
        "    2 paths",
        "    .: times",
        "    a\\n: content",
    ]


def test_paths_that_ail_and_what_stays() -> None:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW)
    engine.due(NOW)
    mirror, other = engine.mirrors
    bad = tuple(Complaint(b"%02d" % n, Cause.UNREADABLE, "opendir") for n in range(11))
    outcome = Outcome(23, account=Account(bad), kept=((b"d", b""),))
    engine.exited(mirror, outcome, NOW)
    engine.exited(other, Outcome(0), NOW)
    engine.due(NOW)
    engine.exited(mirror, Outcome(0, kept=outcome.kept, listed=True), NOW)  # it does stay
    now = take(engine, NOW)
    assert not now["synced"]
    assert summary(now) == "2 of 2 mirrors in sync but for 11 paths"
    assert "idle, in sync but for 11 paths, 2 runs, 0 failed" in lines(now)[1]
    assert lines(now)[2] == (
        "  00 cannot be read; let the user of inosync read it (chmod, setfacl), or exclude it"
    )
    assert lines(now)[13].startswith("  note: d stays on the node")
    shown = texts(now)
    assert any(" in sync but for 11 paths " in text for text in shown)
    assert "    and 1 more (--json)" in shown
    assert shown[-7].startswith("note  a:/m")
    told = now["mirrors"][0]["ailing"][0]
    assert told == {
        "path": "00",
        "cause": "cannot be read",
        "cure": "let the user of inosync read it (chmod, setfacl), or exclude it",
        "said": "opendir",
        "since_at": WALL,
        "next_try_at": WALL + 1,
    }
    assert now["mirrors"][0]["lag"] is None
    page_ = page(now, History(), host="h", local=str)
    assert "in sync but for 11 paths" in page_
    assert 'class="why">00 cannot be read' in page_
    assert 'behind">idle</b> in sync but for 11 paths</span>' in page_
    metrics = prometheus(now)
    assert re.search(r"^inosync_mirror_ailing_paths{.*a:/m.*} 11$", metrics, re.MULTILINE)
    assert re.search(r"^inosync_mirror_in_sync{.*a:/m.*} 0$", metrics, re.MULTILINE)
    assert re.search(r"^inosync_mirror_in_sync{.*b:/m.*} 1$", metrics, re.MULTILINE)


def test_how_far_a_pass_is() -> None:
    now = scene_snapshot()
    now["mirrors"][0] |= {"full": "rfull", "full_pass": PASS}
    assert any("full pass 40 %, 90 s left" in line for line in texts(now))


def test_a_state_of_a_later_version_is_shown() -> None:
    now = scene_snapshot()
    now["mirrors"][0]["state"] = "dozing"
    assert any("dozing" in text for text in texts(now))


def test_what_tells_most_of_what_rsync_said() -> None:
    now = scene_snapshot()
    failing = now["mirrors"][3]
    now["mirrors"] = [failing]
    assert failing["last_failure"]
    last = "rsync error: unexplained error (code 255)"
    for said, shown in (
        (["ssh: no such name", "rsync: closed", last], ["| ssh: no such name", "| rsync: closed"]),
        (["one", "two", "three"], ["| two", "| three"]),
        ([last], [f"| {last}"]),
        ([], []),
    ):
        failing["last_failure"]["lines"] = said
        (trouble,) = troubles(now)
        assert details(trouble)[1:] == shown
