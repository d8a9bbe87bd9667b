"""The engine: told with numbers, answered with actions."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.actions import (
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
from inosync.engine import GRACE, Engine
from inosync.events import Change, Kind
from inosync.mirror import Mirror, State
from inosync.rsync import Transferred

NOW = 10_000.0
ONE = [Change(b"f", Kind.ENTRY)]


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
    engine.changed(engine.config.sources[0], [], NOW)
    assert engine.deadline() is None


def test_start_up_runs_a_full_pass_once_the_watches_stand() -> None:
    engine = make_engine(watched=False)
    engine.changed(engine.config.sources[0], ONE, NOW)
    assert starts(engine.due(NOW + 20)) == []
    engine.watched(engine.config.sources[0], NOW + 20)
    (action,) = [a for a in engine.due(NOW + 20) if isinstance(a, Start)]
    assert action.batch.reason == "start-up"


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
        "check that rsync is installed on n0; next try in 1.0 s",
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
    reasons = {a.mirror.name: a.batch.reason for a in actions if isinstance(a, Start)}
    assert reasons == {
        "/srv/www -> a:/m": "",  # the change that waited for edelay
        "/srv/www -> b:/m": "the config changed",
        "/srv/www -> d:/m": "the config changed",
    }
    assert engine.mirrors[0] is a
    assert engine.mirrors[1].pair.node.rspeed == 9
    engine.exited(c, Outcome(20), NOW + 2)
    assert engine.leaving == []


def test_a_run_that_is_told_to_end_is_not_told_again() -> None:
    engine = make_engine(2)
    running = started(engine)
    engine.hold(engine.config.sources[0], "is gone", NOW)
    assert [a for a in engine.due(NOW) if isinstance(a, Terminate)] == [
        Terminate(mirror) for mirror in running
    ]
    engine.configure(make_config([make_pair(None, "other:/m")]), NOW)
    assert [a for a in engine.due(NOW) if isinstance(a, Terminate)] == []
    assert engine.leaving == running
    engine.stop(NOW)
    assert engine.due(NOW) == []
    assert Kill(running[0]) in engine.due(NOW + GRACE)


def written(*paths: bytes) -> list[Change]:
    return [Change(path, Kind.WRITTEN) for path in paths]


def test_what_is_written_and_not_closed_goes_at_the_pace_of_eopen() -> None:
    engine = make_engine(eopen=60.0)
    source = engine.config.sources[0]
    for second in range(0, 300, 5):
        engine.changed(source, written(b"log"), NOW + second)
        for mirror in starts(engine.due(NOW + second)):
            engine.exited(mirror, Outcome(0), NOW + second)
    # The first write of each minute's batch opens it; 60 seconds later it goes.
    assert engine.mirrors[0].runs == 4


def test_an_ordinary_run_carries_what_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    source = engine.config.sources[0]
    engine.changed(source, written(b"log"), NOW)
    engine.changed(source, ONE, NOW + 1)
    (action,) = [a for a in engine.due(NOW + 11) if isinstance(a, Start)]
    assert action.batch.count == 2
    engine.exited(action.mirror, Outcome(0), NOW + 12)
    engine.due(NOW + 12)
    assert engine.deadline() is None


def test_a_new_config_takes_over_what_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    engine.changed(engine.config.sources[0], written(b"log"), NOW)
    engine.configure(engine.config, NOW + 1)
    assert starts(engine.due(NOW + 1)) == engine.mirrors


def test_a_repairing_full_pass_comes_after_rfull() -> None:
    engine = make_engine(rfull=1000.0)
    engine.resync(engine.config.sources[0], "start-up", NOW)
    (mirror,) = starts(engine.due(NOW))
    engine.exited(mirror, Outcome(0), NOW)
    engine.due(NOW)
    assert engine.deadline() == NOW + 1000
    (action,) = [a for a in engine.due(NOW + 1000) if isinstance(a, Start)]
    assert action.batch.reason == "rfull"
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
    engine.changed(engine.config.sources[0], [*ONE, *written(b"log")], NOW)
    actions = [a for a in engine.due(NOW + 10) if isinstance(a, Start)]
    assert {a.batch.changes for a in actions} == {frozenset([*ONE, *written(b"log")])}
    engine = make_engine(2)
    engine.changed(engine.config.sources[0], ONE, NOW)
    actions = [a for a in engine.due(NOW + 10) if isinstance(a, Start)]
    assert {a.batch.changes for a in actions} == {None}


def test_what_vanished_on_the_way_is_carried_once_more_and_only_once() -> None:
    engine = changing()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    assert starts(engine.due(NOW)) == [mirror]
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    assert starts(engine.due(NOW)) == []
    assert mirror.state is State.IDLE


def test_a_file_with_several_names_brings_a_full_pass_but_rarely() -> None:
    engine = changing(rfull=86400.0)
    source = engine.config.sources[0]
    engine.linked(source, NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.batch.reason == "a file with several names has changed"
    engine.exited(action.mirror, Outcome(0), NOW)
    engine.due(NOW)
    assert engine.deadline() == NOW + 86400
    engine.linked(source, NOW + 10)
    assert engine.deadline() == NOW + 300
    (action,) = [a for a in engine.due(NOW + 300) if isinstance(a, Start)]
    engine.exited(action.mirror, Outcome(0), NOW + 301)
    engine = changing(rfull=0.0)
    engine.linked(source, NOW)
    assert engine.deadline() == NOW


def rehearsed(engine: Engine, deleted: int, now: float = NOW) -> list[Action]:
    """Start a run that must rehearse, end the rehearsal, and return what follows."""
    (action,) = [a for a in engine.due(now) if isinstance(a, Start)]
    assert action.rehearse
    outcome = Outcome(0, Transferred(deleted=deleted), deletions=("a", "b"))
    engine.exited(action.mirror, outcome, now)
    return engine.due(now)


def test_a_run_that_deletes_no_more_than_it_may_follows_its_rehearsal() -> None:
    engine = make_engine(rmaxdelete=5)
    engine.resync(engine.config.sources[0], "x", NOW)
    (action,) = rehearsed(engine, 5)
    assert isinstance(action, Start)
    assert (action.rehearse, action.limit) == (False, 5)
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
    assert (action.rehearse, action.limit) == (False, 0)
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
    assert engine.leaving == []
    assert starts(engine.due(NOW)) == []
    engine.exited(goes, Outcome(20), NOW + 1)
    assert starts(engine.due(NOW + 10)) == [goes]


def test_a_new_config_frees_what_is_held() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(25), NOW)
    engine.configure(engine.config, NOW)
    assert starts(engine.due(NOW)) == [mirror]


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_the_promises_hold(seed: int) -> None:
    """Random tellings in random order: nothing owed is lost, nothing runs twice or too early."""
    chance = random.Random(seed)
    count = chance.randint(1, 6)
    edelay = chance.choice([0.0, 2.0, 10.0])
    limit = chance.randint(1, 4)
    engine = make_engine(
        count, edelay=edelay, emaxdelay=chance.choice([edelay, edelay + 7]), rparallel=limit
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
            engine.changed(source, ONE * chance.randint(1, 5), now)
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
                flying[key] = owed[key]
            elif isinstance(action, Terminate | Kill):
                raise AssertionError("nobody asked for an end")
            elif isinstance(action, Look):
                engine.activity(action.mirror, chance.getrandbits(60), now)
        assert len(running) <= limit
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
    assert engine.deadline() is None
