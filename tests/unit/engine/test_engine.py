"""The engine: told with numbers, answered with actions."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.changes.batch import FEW
from inosync.changes.changes import Change, Changes, Kind, Move
from inosync.config.model import Source
from inosync.engine.actions import (
    DEBUG,
    ERROR,
    INFO,
    WARNING,
    Action,
    Kill,
    Look,
    Outcome,
    Rewatch,
    Say,
    Start,
    Terminate,
)
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.engine.roster import GRACE
from inosync.planning.order import Prepared, RunKind
from inosync.planning.steps import Pave, Relink, Renew, Step
from inosync.rsync.differences import Difference, Drift
from inosync.rsync.output import Transferred

NOW = 10_000.0
ONE = Changes.of([Change(b"f", Kind.ENTRY)])


def steady() -> float:
    return 0.0


def make_engine(count: int = 1, *, watched: bool = True, **settings: object) -> Engine:
    pairs = [make_pair(None, f"n{number}:/m", rretry=(1.0, 300.0)) for number in range(count)]
    engine = Engine(make_config(pairs, **settings), steady)
    if watched:
        for source in engine.config.sources:
            engine.watched(source, NOW, reason="")
    return engine


def starts(actions: Sequence[Action]) -> list[Mirror]:
    return [action.mirror for action in actions if isinstance(action, Start)]


def said(actions: Sequence[Action], least: int = INFO) -> list[str]:
    return [a.text for a in actions if isinstance(a, Say) and a.level >= least]


def started(engine: Engine, now: float = NOW) -> list[Mirror]:
    """Change something and return what runs for it at `now`."""
    engine.changed(engine.config.sources[0], ONE, now - engine.config.edelay)
    return starts(engine.due(now))


def test_a_change_waits_for_edelay_and_then_runs_on_every_node() -> None:
    engine = make_engine(3)
    engine.changed(engine.config.sources[0], ONE, NOW)
    assert engine.due(NOW) == []
    assert engine.deadline() == NOW + 10
    assert starts(engine.due(NOW + 10)) == engine.mirrors


def test_no_changes_are_no_run() -> None:
    engine = make_engine()
    engine.changed(engine.config.sources[0], Changes(), NOW)
    assert engine.deadline() is None


def test_start_up_runs_a_full_pass_once_the_watches_stand() -> None:
    engine = make_engine(watched=False)
    engine.changed(engine.config.sources[0], ONE, NOW)
    assert starts(engine.due(NOW + 20)) == []
    engine.watched(engine.config.sources[0], NOW + 20)
    (action,) = [a for a in engine.due(NOW + 20) if isinstance(a, Start)]
    assert action.order.batch.reason == "start-up"


def test_one_run_a_mirror_and_what_comes_meanwhile_goes_into_the_next() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    assert started(engine, NOW + 20) == []
    engine.exited(mirror, Outcome(0), NOW + 21)
    assert starts(engine.due(NOW + 21)) == [mirror]


def test_after_success_nothing_is_left_to_do() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0, Transferred(3, 4000, 1)), NOW + 2)
    actions = engine.due(NOW + 2)
    assert said(actions) == ["/srv/www -> n0:/m: in sync (first pass, 2.0 s)"]
    assert said(actions, DEBUG)[-1] == "/srv/www -> n0:/m: 3 files, 4000 bytes, 1 deleted, 2.00 s"
    assert engine.deadline() is None


def test_a_pretended_run_claims_nothing() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0, pretended=True), NOW)
    assert said(engine.due(NOW), DEBUG) == []


def test_a_failed_batch_is_carried_again_after_the_wait() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(12, evidence=("oops",), command="rsync x"), NOW)
    assert said(engine.due(NOW)) == [
        "/srv/www -> n0:/m: exit 12: error in the rsync protocol stream; "
        "try 'ssh n0 rsync --version' as the user that runs inosync; next try in 1.0 s",
        "  command: rsync x",
        "  oops",
    ]
    assert engine.deadline() == NOW + 1
    assert starts(engine.due(NOW + 1)) == [mirror]


def test_the_same_failure_is_told_once_and_then_at_growing_distances() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    told = []
    now = NOW
    for count in range(1, 40):
        engine.exited(mirror, Outcome(12), now)
        told += [count for _ in said(engine.due(now), WARNING)][:1]
        now += 400
        assert starts(engine.due(now)) == [mirror]
    assert told == [1, 8, 16, 32]


def test_another_kind_of_failure_is_told_again_and_so_is_recovery() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(12), NOW)
    engine.due(NOW + 1)
    engine.exited(mirror, Outcome(5), NOW + 1)
    assert "exit 5" in said(engine.due(NOW + 3), WARNING)[0]
    engine.exited(mirror, Outcome(0), NOW + 4)
    assert said(engine.due(NOW + 4)) == ["/srv/www -> n0:/m: well again"]


def test_what_only_a_person_mends_is_an_error_and_tried_rarely() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(127), NOW)
    (line, *_) = said(engine.due(NOW), ERROR)
    assert "install rsync on n0; next try in 300.0 s" in line


def test_a_held_mirror_waits_for_a_person() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(25), NOW)
    assert "held until told to go on" in said(engine.due(NOW), ERROR)[0]
    assert engine.deadline() is None
    assert started(engine, NOW + 100) == []
    engine.release("asked for", NOW + 200)
    assert starts(engine.due(NOW + 200)) == [mirror]


def test_a_dead_node_delays_no_other() -> None:
    engine = make_engine(3)
    dead, *well = started(engine)
    engine.exited(dead, Outcome(255), NOW)
    for mirror in well:
        engine.exited(mirror, Outcome(0), NOW)
    engine.due(NOW)
    engine.changed(engine.config.sources[0], ONE, NOW - 9.5)
    assert starts(engine.due(NOW + 0.5)) == well


def test_runs_that_are_started_one_by_one_carry_what_came_in_between() -> None:
    engine = make_engine(3, edelay=0.0, rparallel=2)
    (source,) = engine.config.sources
    engine.changed(source, ONE, NOW)
    assert starts(engine.due(NOW, most=1)) == engine.mirrors[:1]
    engine.changed(source, Changes.of([Change(b"g", Kind.ENTRY)]), NOW + 1)
    actions = engine.due(NOW + 1, most=1)
    assert starts(actions) == engine.mirrors[1:2]
    assert [a.order.batch.count for a in actions if isinstance(a, Start)] == [2]
    assert engine.due(NOW + 1, most=1) == [], "there is room for two"
    assert engine.mirrors[0].pending is not None
    assert engine.mirrors[0].pending.count == 1


def test_no_more_than_rparallel_run_and_the_longest_waiting_goes_first() -> None:
    engine = make_engine(5, rparallel=2)
    first = started(engine)
    assert first == engine.mirrors[:2]
    engine.exited(first[0], Outcome(0), NOW + 1)
    engine.changed(engine.config.sources[0], ONE, NOW - 9)
    assert starts(engine.due(NOW + 1)) == [engine.mirrors[2]]
    engine.exited(first[1], Outcome(0), NOW + 2)
    assert starts(engine.due(NOW + 2)) == [engine.mirrors[3]]
    engine.exited(engine.mirrors[2], Outcome(0), NOW + 3)
    engine.exited(engine.mirrors[3], Outcome(0), NOW + 3)
    assert starts(engine.due(NOW + 3)) == [engine.mirrors[4], engine.mirrors[0]]


def test_mirrors_that_failed_leave_room_for_the_well_ones() -> None:
    engine = make_engine(6, rparallel=4)
    for mirror in started(engine):
        engine.exited(mirror, Outcome(30), NOW)
    for mirror in starts(engine.due(NOW)):
        engine.exited(mirror, Outcome(0), NOW)
    # Four are to be tried again: two may hang, the other half stays free.
    trials = starts(engine.due(NOW + 1))
    assert trials == engine.mirrors[:2]
    engine.resync(engine.config.sources[0], "x", NOW + 1)
    assert starts(engine.due(NOW + 1)) == engine.mirrors[4:]


def test_a_run_that_does_nothing_for_rtimeout_is_ended_then_killed() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    for look in range(1, 5):
        now = NOW + look * 75
        assert engine.deadline() == now
        assert engine.due(now) == [Look(mirror)]
        engine.activity(mirror, 5, now)
    assert engine.due(NOW + 375) == [Look(mirror)]
    engine.activity(mirror, 5, NOW + 375)
    actions = engine.due(NOW + 375)
    assert Terminate(mirror) in actions
    assert said(actions, WARNING) == [
        "/srv/www -> n0:/m: its run did nothing for 300 s (rtimeout): ended, to be tried again"
    ]
    assert engine.deadline() == NOW + 375 + GRACE
    assert Kill(mirror) in engine.due(NOW + 375 + GRACE)
    engine.exited(mirror, Outcome(-9), NOW + 381)
    assert mirror.state is State.BACKOFF
    assert said(engine.due(NOW + 381)) == []


def test_a_run_that_moves_is_left_alone() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    for look in range(1, 100):
        now = NOW + look * 75
        assert engine.due(now) == [Look(mirror)]
        engine.activity(mirror, look, now)
    engine.exited(mirror, Outcome(0), now)
    engine.activity(mirror, 0, now)
    assert mirror.state is State.IDLE


def test_stop_ends_what_runs_and_starts_nothing() -> None:
    engine = make_engine(3, rparallel=2)
    running = started(engine)
    engine.stop(NOW)
    assert engine.due(NOW) == [Terminate(mirror) for mirror in running]
    assert not engine.stopped
    engine.exited(running[0], Outcome(20), NOW)
    assert engine.due(NOW + 1) == []
    assert engine.deadline() == NOW + GRACE
    assert Kill(running[1]) in engine.due(NOW + GRACE)
    engine.exited(running[1], Outcome(-9), NOW + GRACE)
    assert engine.stopped
    assert engine.deadline() is None


def test_a_second_stop_kills_at_once() -> None:
    engine = make_engine()
    running = started(engine)
    engine.stop(NOW)
    engine.due(NOW)
    engine.stop(NOW + 1)
    assert engine.due(NOW + 1) == [Kill(running[0])]


def test_a_held_source_ends_its_runs_and_starts_none_until_it_is_back() -> None:
    sources = [make_source("/a"), make_source("/b")]
    pairs = [make_pair(source, f"n:{source.path}") for source in sources]
    engine = Engine(make_config(pairs), steady)
    for source in sources:
        engine.watched(source, NOW)
    mirrors = starts(engine.due(NOW))
    engine.hold(sources[0], "is gone", NOW)
    engine.hold(sources[0], "is gone", NOW)
    actions = engine.due(NOW)
    assert said(actions) == ["/a is gone: held, its mirrors are left as they are"]
    assert [a for a in actions if isinstance(a, Terminate)] == [Terminate(mirrors[0])]
    engine.exited(mirrors[0], Outcome(20), NOW)
    engine.exited(mirrors[1], Outcome(0), NOW)
    engine.changed(sources[1], ONE, NOW)
    assert starts(engine.due(NOW + 1000)) == [mirrors[1]]
    engine.resume(sources[0], NOW + 1000)
    actions = engine.due(NOW + 1000)
    assert said(actions) == ["/a is back: full pass"]
    assert starts(actions) == [mirrors[0]]


def test_release_makes_everything_run_now() -> None:
    engine = make_engine(2)
    one, _ = started(engine)
    engine.exited(one, Outcome(255), NOW)
    engine.release("asked for", NOW)
    assert starts(engine.due(NOW)) == [one]


def test_a_new_config_keeps_what_is_owed_and_passes_over_what_is_new() -> None:
    old = [make_pair(None, "a:/m"), make_pair(None, "b:/m"), make_pair(None, "c:/m")]
    engine = Engine(make_config(old), steady)
    engine.watched(engine.config.sources[0], NOW)
    a, b, c = starts(engine.due(NOW))
    engine.exited(a, Outcome(0), NOW)
    engine.exited(b, Outcome(0), NOW)
    engine.changed(engine.config.sources[0], ONE, NOW)
    new = [make_pair(None, "a:/m"), make_pair(None, "b:/m", rspeed=9), make_pair(None, "d:/m")]
    engine.configure(make_config(new), NOW + 1)
    actions = engine.due(NOW + 1)
    assert Terminate(c) in actions
    reasons = {a.mirror.name: a.order.batch.reason for a in actions if isinstance(a, Start)}
    assert reasons == {
        "/srv/www -> a:/m": "",  # the change that waited for edelay
        "/srv/www -> b:/m": "the config changed",
        "/srv/www -> d:/m": "the config changed",
    }
    assert engine.mirrors[0] is a
    assert engine.mirrors[1].pair.node.rspeed == 9
    engine.exited(c, Outcome(20), NOW + 2)
    assert engine._roster.leaving == []


def test_a_run_that_is_told_to_end_is_not_told_again() -> None:
    engine = make_engine(2)
    running = started(engine)
    engine.hold(engine.config.sources[0], "is gone", NOW)
    assert [a for a in engine.due(NOW) if isinstance(a, Terminate)] == [
        Terminate(mirror) for mirror in running
    ]
    engine.configure(make_config([make_pair(None, "other:/m")]), NOW)
    assert [a for a in engine.due(NOW) if isinstance(a, Terminate)] == []
    assert engine._roster.leaving == running
    engine.stop(NOW)
    assert engine.due(NOW) == []
    assert Kill(running[0]) in engine.due(NOW + GRACE)


def test_while_paused_changes_are_collected_and_nothing_starts() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.paused = True
    assert started(engine, NOW + 20) == []
    engine.exited(mirror, Outcome(0), NOW + 21)
    assert starts(engine.due(NOW + 22)) == []
    assert engine.deadline() is None
    engine.paused = False
    assert starts(engine.due(NOW + 23)) == [mirror]


def test_what_is_flushed_waits_no_longer() -> None:
    engine = make_engine(2)
    engine.flush()
    assert [number for _, number in engine.owed()] == [0, 0]
    engine.changed(engine.config.sources[0], ONE, NOW)
    engine.changed(engine.config.sources[0], written(b"w"), NOW)
    engine.flush()
    first = engine.mirrors[0]
    assert engine.owed(first.pair.node.name) == [(first, 1)]
    assert starts(engine.due(NOW)) == engine.mirrors
    engine.exited(first, Outcome(0), NOW)
    assert first.done == 1
    assert [mirror.done for mirror in engine.mirrors] == [1, 0]


def test_the_last_failure_is_remembered_with_its_last_lines() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(255, evidence=tuple("abcdefg")), NOW + 1)
    assert mirror.health.failure is not None
    assert (mirror.health.failure.at, mirror.health.failure.returncode) == (NOW + 1, 255)
    assert mirror.health.failure.evidence == tuple("cdefg")


def test_a_run_that_we_have_ended_is_no_failure_of_the_node() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.hold(engine.config.sources[0], "is gone", NOW)
    engine.exited(mirror, Outcome(20), NOW + 1)
    assert mirror.health.failure is None


def test_while_stopping_a_failure_is_not_told() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine._roster.stopping = True  # but its run ended by itself, before it was told to
    engine.exited(mirror, Outcome(255), NOW + 1)
    assert mirror.health.failure is not None
    assert said(engine.due(NOW + 1)) == []


def written(*paths: bytes) -> Changes:
    return Changes(written=dict.fromkeys(paths))


def test_what_is_written_and_not_closed_goes_at_the_pace_of_eopen() -> None:
    engine = make_engine(eopen=60.0)
    source = engine.config.sources[0]
    for second in range(0, 300, 5):
        engine.changed(source, written(b"log"), NOW + second)
        for mirror in starts(engine.due(NOW + second)):
            engine.exited(mirror, Outcome(0), NOW + second)
    # The first write of each minute's batch opens it; 60 seconds later it goes.
    assert engine.mirrors[0].totals.runs == 4


def test_without_eopen_what_is_not_closed_is_no_change() -> None:
    engine = make_engine(eopen=0.0)
    engine.changed(engine.config.sources[0], written(b"log"), NOW)
    assert engine.deadline() is None
    engine.flush()
    assert starts(engine.due(NOW + 100)) == []


def test_an_ordinary_run_carries_what_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    source = engine.config.sources[0]
    engine.changed(source, written(b"log"), NOW)
    engine.changed(source, ONE, NOW + 1)
    (action,) = [a for a in engine.due(NOW + 11) if isinstance(a, Start)]
    assert action.order.batch.count == 2
    engine.exited(action.mirror, Outcome(0), NOW + 12)
    engine.due(NOW + 12)
    assert engine.deadline() is None


def test_a_new_config_takes_over_what_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    engine.changed(engine.config.sources[0], written(b"log"), NOW)
    engine.configure(engine.config, NOW + 1)
    assert starts(engine.due(NOW + 1)) == engine.mirrors


def test_to_repair_is_to_compare_contents_and_frees_no_hold() -> None:
    engine = make_engine(2)
    first, second = started(engine)
    for mirror in (first, second):
        engine.exited(mirror, Outcome(0), NOW)
    second.hold("would delete 2 files")
    assert engine.repair(NOW, node=first.pair.node.name) == [first]
    (start,) = (a for a in engine.due(NOW) if isinstance(a, Start))
    assert (start.mirror, start.order.batch.contents, start.order.batch.reason) == (
        first,
        True,
        "repair",
    )
    for times in (0, 5):  # both ends read a large file
        engine.activity(first, 7, NOW + times * first.pair.node.rtimeout)
        assert first.state is State.RUNNING
    engine.exited(first, Outcome(0), NOW + 60)
    assert engine.repair(NOW + 60) == [first, second]
    assert second.state is State.HELD


def test_a_repairing_full_pass_comes_after_rfull() -> None:
    engine = make_engine(rfull=1000.0)
    engine.resync(engine.config.sources[0], "start-up", NOW)
    (mirror,) = starts(engine.due(NOW))
    engine.exited(mirror, Outcome(0), NOW)
    engine.due(NOW)
    assert engine.deadline() == NOW + 1000
    (action,) = [a for a in engine.due(NOW + 1000) if isinstance(a, Start)]
    assert action.order.batch.reason == "rfull"
    assert engine.deadline() == NOW + 1000 + 75  # the look at the run
    engine.exited(mirror, Outcome(0), NOW + 1001)
    engine.due(NOW + 1001)
    assert engine.deadline() == NOW + 2000
    engine.hold(engine.config.sources[0], "is gone", NOW + 1002)
    engine.due(NOW + 1002)
    assert engine.deadline() is None


@pytest.mark.parametrize("rfull", [0.0, 86400.0])
def test_passes_stand_in_for_directories_without_a_watch(rfull: float) -> None:
    engine = make_engine(rfull=rfull)
    source = engine.config.sources[0]
    engine.shortage(source, True, NOW)
    engine.shortage(source, True, NOW + 100)
    assert engine.deadline() == NOW + 300
    actions = engine.due(NOW + 300)
    assert actions[0] == Rewatch(source)
    (mirror,) = starts(actions)
    engine.exited(mirror, Outcome(0), NOW + 301)
    engine.due(NOW + 301)
    assert engine.deadline() == NOW + 600
    engine.shortage(source, False, NOW + 400)
    assert engine.deadline() == (NOW + 400 + rfull if rfull else None)


def changing(count: int = 1, **settings: object) -> Engine:
    """An engine with nodes of which the first names what it carries."""
    pairs = [
        make_pair(None, f"n{number}:/m", rscope="tree" if number else "changes")
        for number in range(count)
    ]
    engine = Engine(make_config(pairs, **settings), steady)
    engine.watched(engine.config.sources[0], NOW, reason="")
    return engine


def test_changes_are_remembered_for_nodes_that_want_them_named() -> None:
    engine = changing(2)
    engine.changed(engine.config.sources[0], Changes.of([*ONE, *written(b"log")]), NOW)
    actions = [a for a in engine.due(NOW + 10) if isinstance(a, Start)]
    assert [a.order.batch.changes for a in actions] == [{*ONE, *written(b"log")}] * 2
    many = Changes(entries={b"%d" % number: None for number in range(FEW + 1)})
    for engine, kept in ((changing(2), many), (make_engine(2), None)):
        engine.changed(engine.config.sources[0], many, NOW)
        actions = [a for a in engine.due(NOW + 10) if isinstance(a, Start)]
        assert [a.order.batch.changes for a in actions] == [kept] * 2


PAVE = Pave((b"./new",))
RELINK = Relink(b"old", b"new", (), (), frozenset({b"old"}))


def step(engine: Engine, mirror: Mirror, *steps: Step) -> None:
    """Let these go before the run that has just been ordered."""
    what = Prepared(RunKind.STEP, ("rsync",), steps=steps, gone=RELINK.gone)
    engine.prepared(mirror, what, NOW)


def stepping(**settings: object) -> tuple[Engine, Mirror]:
    """Return an engine whose run is to be preceded by two steps; the first is at work."""
    engine = make_engine(**settings)
    source = engine.config.sources[0]
    engine.changed(source, ONE, NOW - 10, moves=[Move(b"old", b"new")])
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    if action.order.kind is RunKind.REHEARSAL:
        engine.exited(action.mirror, Outcome(0), NOW)
        (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.moves == (Move(b"old", b"new"),)
    step(engine, action.mirror, PAVE, RELINK)
    return engine, action.mirror


def test_steps_for_renames_go_before_the_run() -> None:
    engine, mirror = stepping()
    for left in ((RELINK,), ()):
        engine.exited(mirror, Outcome(0, transferred=Transferred(files=1)), NOW + 1)
        (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start)]
        assert (action.mirror, action.order.batch.count, action.order.limit) == (mirror, 1, 0)
        assert mirror.work.steps == left
        assert mirror.state is State.RUNNING
    assert mirror.stale == {b"old"}
    engine.exited(mirror, Outcome(0), NOW + 2)
    assert mirror.state is State.IDLE
    assert mirror.stale == frozenset()
    assert (mirror.totals.runs, mirror.totals.moved.files) == (1, 2)


def test_a_step_that_fails_leaves_it_to_the_run() -> None:
    engine, mirror = stepping()
    engine.exited(mirror, Outcome(12), NOW + 1)
    assert starts(engine.due(NOW + 1)) == [mirror]
    assert mirror.work.steps == ()
    assert mirror.totals.failures == 0
    engine.exited(mirror, Outcome(24), NOW + 2)  # what was to be deleted may still be there
    assert mirror.stale == {b"old"}


def test_a_step_that_hangs_is_not_tried_again_until_all_is_well() -> None:
    engine, mirror = stepping()
    for second in (75, 150, 225, 300):
        engine.due(NOW + second)
        engine.activity(mirror, 1, NOW + second)
    assert mirror.state is State.RUNNING
    engine.activity(mirror, 1, NOW + 375)
    engine.exited(mirror, Outcome(-15), NOW + 376)
    (action,) = [a for a in engine.due(NOW + 700) if isinstance(a, Start)]
    assert action.order.steps == ()
    engine.exited(mirror, Outcome(0), NOW + 701)
    engine.resync(mirror.pair.source, "again", NOW + 702)
    (action,) = [a for a in engine.due(NOW + 702) if isinstance(a, Start)]
    assert action.order.steps is None


@pytest.mark.parametrize(("code", "left"), [(0, set()), (23, set()), (12, {b"old"})])
def test_what_was_renewed_need_not_be_deleted(code: int, left: set[bytes]) -> None:
    """Also when a part of it cannot be sent: nothing ever could."""
    engine, mirror = stepping()
    step(engine, mirror, Renew(frozenset({b"old"}), (b"./old",)), PAVE)
    engine.exited(mirror, Outcome(code), NOW + 1)
    assert mirror.stale == left
    assert mirror.work.steps == (() if left else (PAVE,))


def test_steps_come_after_the_rehearsal_and_keep_its_limit() -> None:
    engine, mirror = stepping(rmaxdelete=5)
    engine.exited(mirror, Outcome(0), NOW + 1)
    (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start)]
    assert ((action.order.kind is RunKind.REHEARSAL), action.order.limit) == (False, 5)


def test_what_was_kept_back_for_a_deletion_is_carried_once_more() -> None:
    engine, mirror = stepping()
    mirror.stepped(well=False)
    mirror.work = replace(mirror.work, hid=True)
    engine.exited(mirror, Outcome(0), NOW + 1)
    (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start)]
    assert action.order.batch.repeated
    engine.exited(mirror, Outcome(0), NOW + 2)
    assert mirror.state is State.IDLE


def test_what_vanished_on_the_way_is_carried_once_more_and_only_once() -> None:
    engine = changing()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    assert starts(engine.due(NOW)) == [mirror]
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    assert starts(engine.due(NOW)) == []
    assert mirror.state is State.IDLE


def tell_linked(engine: Engine, now: float) -> None:
    what = Prepared(RunKind.LISTED, ("rsync",), (b"./f",), linked=True)
    engine.prepared(engine.mirrors[0], what, now)


def test_a_file_with_several_names_brings_a_full_pass_but_rarely() -> None:
    engine = changing(rfull=86400.0)
    tell_linked(engine, NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.reason == "a file with several names has changed"
    engine.exited(action.mirror, Outcome(0), NOW)
    engine.due(NOW)
    assert engine.deadline() == NOW + 86400
    tell_linked(engine, NOW + 10)
    assert engine.deadline() == NOW + 300
    (action,) = [a for a in engine.due(NOW + 300) if isinstance(a, Start)]
    engine.exited(action.mirror, Outcome(0), NOW + 301)
    engine = changing(rfull=0.0)
    tell_linked(engine, NOW)
    assert engine.deadline() == NOW


def rehearsed(engine: Engine, deleted: int, now: float = NOW) -> list[Action]:
    """Start a run that must rehearse, end the rehearsal, and return what follows."""
    (action,) = [a for a in engine.due(now) if isinstance(a, Start)]
    assert action.order.kind is RunKind.REHEARSAL
    outcome = Outcome(0, Transferred(deleted=deleted), deletions=("a", "b"))
    engine.exited(action.mirror, outcome, now)
    return engine.due(now)


def test_a_run_that_deletes_no_more_than_it_may_follows_its_rehearsal() -> None:
    engine = make_engine(rmaxdelete=5)
    engine.resync(engine.config.sources[0], "x", NOW)
    (action,) = rehearsed(engine, 5)
    assert isinstance(action, Start)
    assert ((action.order.kind is RunKind.REHEARSAL), action.order.limit) == (False, 5)
    engine.exited(action.mirror, Outcome(0), NOW)
    assert action.mirror.state is State.IDLE


def test_one_that_would_delete_more_is_held_until_a_person_approves() -> None:
    engine = make_engine(rmaxdelete=5)
    engine.resync(engine.config.sources[0], "x", NOW)
    actions = rehearsed(engine, 6)
    assert starts(actions) == []
    assert said(actions, ERROR) == [
        "/srv/www -> n0:/m: would delete 6 files (rmaxdelete is 5), such as a, b: held, "
        "nothing was deleted; inosync --sync or SIGUSR2 goes on"
    ]
    assert engine.mirrors[0].state is State.HELD
    assert engine.release("asked for", NOW, node="other") == []
    assert engine.release("asked for", NOW, node="n0:/m") == engine.mirrors
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert ((action.order.kind is RunKind.REHEARSAL), action.order.limit) == (False, 0)
    engine.exited(action.mirror, Outcome(0), NOW)
    engine.resync(engine.config.sources[0], "x", NOW)
    assert rehearsed(engine, 0) != []


def test_a_node_that_left_and_is_back_waits_for_its_old_run() -> None:
    engine = make_engine(2)
    config = engine.config
    engine.resync(config.sources[0], "x", NOW)
    stays, goes = starts(engine.due(NOW))
    engine.configure(make_config(config.pairs[:1]), NOW)
    assert Terminate(goes) in engine.due(NOW)
    engine.configure(config, NOW)
    assert engine.mirrors == [stays, goes]
    assert engine._roster.leaving == []
    assert starts(engine.due(NOW)) == []
    engine.exited(goes, Outcome(20), NOW + 1)
    assert starts(engine.due(NOW + 10)) == [goes]


def test_a_new_config_frees_nothing_that_is_held() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(25), NOW)
    engine.configure(engine.config, NOW)
    engine.configure(dataclasses.replace(engine.config, rmaxdelete=7), NOW)
    assert starts(engine.due(NOW)) == []
    engine.release("asked for", NOW)
    assert starts(engine.due(NOW)) == [mirror]


def test_another_limit_has_what_a_rehearsal_held_rehearsed_anew() -> None:
    engine = make_engine(rmaxdelete=5)
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0, transferred=Transferred(deleted=6)), NOW)
    engine.configure(dataclasses.replace(engine.config, edelay=3.0), NOW)
    assert starts(engine.due(NOW)) == []
    engine.configure(dataclasses.replace(engine.config, rmaxdelete=6), NOW)
    (start,) = [action for action in engine.due(NOW) if isinstance(action, Start)]
    assert (start.mirror, (start.order.kind is RunKind.REHEARSAL)) == (mirror, True)


def held_source(*free: str) -> tuple[Engine, Source]:
    """Return an engine with two mirrors that are in sync, and its source, which is held then."""
    engine = make_engine(2, rfull=0.0)
    for mirror in started(engine):
        engine.exited(mirror, Outcome(0), NOW)
    (source,) = engine.config.sources
    engine.hold(source, "is gone", NOW + 1, free=frozenset(free))
    return engine, source


def test_a_person_may_accept_a_source_for_one_node() -> None:
    engine, source = held_source()
    one, other = engine.mirrors
    engine.release("asked for", NOW + 2, node=one.pair.node.name)
    assert starts(engine.due(NOW + 2)) == []
    engine.hold(source, "is empty", NOW + 2, free=frozenset([one.pair.node.name]))
    assert starts(engine.due(NOW + 2)) == [one]
    assert engine.source_held(one) == ""
    assert engine.source_held(other) == f"{source.path} is empty"
    engine.exited(one, Outcome(0), NOW + 3)
    engine.changed(source, Changes.of([Change(b"x", Kind.ENTRY)]), NOW + 3)
    assert starts(engine.due(NOW + 99)) == [one]
    engine.hold(source, "is gone", NOW + 100)
    assert one.state is State.STOPPING
    engine.resume(source, NOW + 101)
    assert starts(engine.due(NOW + 101)) == [other]


def test_a_hold_for_some_sends_nothing_to_those_that_go_on() -> None:
    engine, _ = held_source("n0:/m", "n1:/m")
    assert starts(engine.due(NOW + 1)) == []
    assert all(mirror.pending is None for mirror in engine.mirrors)


def test_after_a_source_was_watched_anew_those_that_go_on_owe_a_pass() -> None:
    engine, source = held_source()
    one, other = engine.mirrors
    free = frozenset([one.pair.node.name])
    engine.hold(source, "is elsewhere", NOW + 2, free=free)
    engine.exited(*next((mirror, Outcome(0)) for mirror in starts(engine.due(NOW + 2))), NOW + 3)
    engine.sources[source.path].watched = False  # as a reload does
    engine.hold(source, "is elsewhere", NOW + 4, free=free)
    assert starts(engine.due(NOW + 4)) == [one]
    assert other.pending is None


def test_what_runs_read_may_be_wrong_from_now_on() -> None:
    engine = make_engine(2)
    one, other = started(engine)
    engine.exited(one, Outcome(0), NOW)
    engine.interrupt(engine.config.sources[0], "unmounted", NOW)
    assert (one.state, other.state) == (State.IDLE, State.STOPPING)


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_the_promises_hold(seed: int) -> None:
    """Random tellings in random order: nothing owed is lost, nothing runs twice or too early."""
    chance = random.Random(seed)
    count = chance.randint(1, 6)
    edelay = chance.choice([0.0, 2.0, 10.0])
    limit = chance.randint(1, 4)
    rverify = chance.choice([0.0, 20.0])
    engine = make_engine(
        count,
        edelay=edelay,
        emaxdelay=chance.choice([edelay, edelay + 7]),
        rparallel=limit,
        rverify=rverify,
    )
    source = engine.config.sources[0]
    running: dict[int, Mirror] = {}
    owed = {id(mirror): 0 for mirror in engine.mirrors}
    flying: dict[int, int] = {}
    now = NOW
    for _ in range(300):
        now += chance.choice([0.0, 0.1, 1.0, 30.0])
        what = chance.random()
        if what < 0.4:
            engine.changed(source, Changes.of([*ONE] * chance.randint(1, 5)), now)
            for mirror in engine.mirrors:
                owed[id(mirror)] += 1
        elif what < 0.9 and running:
            key = chance.choice(list(running))
            status = chance.choice([0, 0, 0, 12, 23, 25, 127, -9])
            engine.exited(running.pop(key), Outcome(status), now)
            if status == 0:
                owed[key] -= flying[key]
        elif what > 0.97:
            engine.release("asked for", now)
        for action in engine.due(now):
            if isinstance(action, Start):
                key = id(action.mirror)
                assert key not in running, "two runs of one mirror"
                running[key] = action.mirror
                flying[key] = 0 if (action.order.kind is RunKind.COMPARISON) else owed[key]
            elif isinstance(action, Terminate | Kill):
                assert action.mirror.work.comparing, "nobody asked for an end"
                assert action.mirror.pending, "nothing has to go first"
            elif isinstance(action, Look):
                engine.activity(action.mirror, chance.getrandbits(60), now)
        looking = [mirror for mirror in running.values() if mirror.work.comparing]
        assert len(running) - len(looking) <= limit
        assert len(looking) <= 1
        deadline = engine.deadline()
        assert deadline is None or deadline > now or edelay == 0
    # Everything heals: all that is owed arrives, without a new change.
    engine.release("asked for", now)
    for _ in range(50):
        now += 400
        for action in engine.due(now):
            if isinstance(action, Start):
                running[id(action.mirror)] = action.mirror
        for mirror in running.values():
            engine.exited(mirror, Outcome(0), now)
        running.clear()
    assert all(mirror.since is None for mirror in engine.mirrors)
    assert (engine.deadline() is None) == (rverify == 0)


# ---- comparing (rverify) ------------------------------------------------------------------

DAY = 86400.0
DRIFTED = Drift(2, (Difference(b"a", "content"), Difference(b"b/", "times")))


def comparisons(actions: Sequence[Action]) -> list[Mirror]:
    return [
        a.mirror for a in actions if isinstance(a, Start) and (a.order.kind is RunKind.COMPARISON)
    ]


def comparing(count: int = 1, **settings: object) -> Engine:
    """Return an engine whose first comparison has just begun, a day after its start."""
    engine = make_engine(count, rverify=DAY, **settings)
    assert engine.deadline() == NOW + DAY
    assert comparisons(engine.due(NOW + DAY - 1)) == []
    assert comparisons(engine.due(NOW + DAY)) == engine.mirrors[:1]
    return engine


def test_mirrors_are_compared_one_at_a_time() -> None:
    engine = comparing(2, rparallel=1)
    first, second = engine.mirrors
    assert first.state is State.RUNNING
    assert first.since is None, "to compare is not to lag"
    assert comparisons(engine.due(NOW + DAY + 1)) == []
    engine.exited(first, Outcome(0), NOW + DAY + 5)
    assert first.state is State.IDLE
    assert (first.totals.runs, first.totals.failures) == (0, 0)
    assert comparisons(engine.due(NOW + DAY + 5)) == [second]
    engine.exited(second, Outcome(0), NOW + DAY + 6)
    assert engine.deadline() == NOW + 2 * DAY + 5


def test_drift_is_told_once_and_when_it_is_over() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    engine.exited(mirror, Outcome(0, drift=DRIFTED), NOW + DAY + 1)
    told = said(engine.due(NOW + DAY + 1), WARNING)
    assert len(told) == 1
    assert "2 paths differ from the source: a: content; b: times; inosync --verify" in told[0]
    assert (mirror.comparison.drift, mirror.comparison.made_at) == (DRIFTED, NOW + DAY + 1)
    at = NOW + 2 * DAY + 1
    for drift, level, text in (
        (DRIFTED, DEBUG, None),
        (Drift(1, (Difference(b"a", "content"),)), WARNING, "1 path differs"),
        (Drift(), INFO, "equal to the source again"),
        (Drift(), INFO, None),
    ):
        assert comparisons(engine.due(at)) == [mirror]
        engine.exited(mirror, Outcome(0, drift=drift), at)
        lines = said(engine.due(at), level)
        assert [text in line for line in lines] == ([True] if text else [])
        at += DAY


def test_a_change_goes_before_a_comparison() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    now = NOW + DAY + 1
    engine.changed(mirror.pair.source, ONE, now)
    assert engine.due(now) == [], "it may rest until edelay is over"
    actions = engine.due(now + 10)
    assert actions == [Terminate(mirror)]
    assert mirror.state is State.STOPPING
    assert starts(engine.due(now + 11)) == []
    engine.exited(mirror, Outcome(20), now + 11)
    assert (mirror.reason, mirror.totals.failures, mirror.health.failure) == ("", 0, None)
    actions = engine.due(now + 11)
    assert starts(actions) == [mirror]
    assert not comparisons(actions)
    assert said(actions) == []
    engine.exited(mirror, Outcome(0), now + 12)
    assert mirror.comparison.drift == Drift()
    assert mirror.comparison.made_at is None
    engine.due(now + 12)
    assert engine.deadline() == now + 11 + 600


def test_nothing_is_compared_while_something_waits_to_be_sent() -> None:
    engine = make_engine(rverify=DAY)
    engine.changed(engine.config.sources[0], ONE, NOW + DAY - 1)
    assert comparisons(engine.due(NOW + DAY)) == []
    engine.paused = True
    assert comparisons(engine.due(NOW + DAY + 20)) == []
    assert engine.deadline() is None
    engine.paused = False
    mirror = starts(engine.due(NOW + DAY + 20))[0]
    engine.exited(mirror, Outcome(0), NOW + DAY + 21)
    assert comparisons(engine.due(NOW + DAY + 21)) == [mirror]


def test_a_comparison_that_fails_is_told_once_and_tried_again() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    now = NOW + DAY
    for lines in (1, 0):
        engine.exited(mirror, Outcome(255), now)
        told = said(engine.due(now), WARNING)
        assert len(told) == lines
        assert all("could not be compared: ssh failed; try 'ssh" in line for line in told)
        assert mirror.state is State.IDLE
        now += 600
        assert engine.deadline() == now
        assert comparisons(engine.due(now)) == [mirror]
    engine.exited(mirror, Outcome(0, drift=DRIFTED), now)
    assert mirror.comparison.doubt == ""


def test_a_comparison_may_be_silent_for_longer_than_a_run() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    now = NOW + DAY
    assert mirror.work.check_at == now + 750
    engine.activity(mirror, 7, now + 750)
    engine.activity(mirror, 7, now + 1500)
    assert mirror.state is State.RUNNING
    engine.activity(mirror, 7, now + 750 + 3000)
    assert mirror.state is State.STOPPING


def test_pretending_claims_nothing() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    engine.exited(mirror, Outcome(0, pretended=True), NOW + DAY)
    assert mirror.comparison.made_at is None
    assert engine.deadline() == NOW + 2 * DAY


def test_a_held_source_and_the_end_stop_a_comparison() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    engine.hold(mirror.pair.source, "is gone", NOW + DAY)
    assert Terminate(mirror) in engine.due(NOW + DAY)
    engine.exited(mirror, Outcome(20), NOW + DAY)
    assert mirror.state is State.IDLE
    assert comparisons(engine.due(NOW + 3 * DAY)) == []
    other = comparing()
    other.stop(NOW + DAY)
    assert not other.stopped
    other.exited(other.mirrors[0], Outcome(20), NOW + DAY)
    assert other.stopped


def test_a_reload_may_change_when_mirrors_are_compared() -> None:
    engine = make_engine()
    assert engine.deadline() is None
    pairs = engine.config.pairs
    engine.configure(make_config(pairs, rverify=DAY), NOW)
    assert engine.deadline() == NOW + DAY
    engine.configure(make_config(pairs, rverify=60.0), NOW + 10)
    assert engine.deadline() == NOW + 70
    engine.configure(make_config(pairs), NOW + 20)
    assert engine.deadline() is None


def test_what_was_found_in_preparing_a_run_is_noted() -> None:
    engine = make_engine(rfull=0.0)
    (mirror,) = started(engine)
    engine.prepared(mirror, Prepared(RunKind.LISTED, ("rsync",), (b"./f",), linked=True), NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert engine.deadline() == NOW
