"""From sources to mirrors: what waits, is held, is owed on schedule."""

from __future__ import annotations

import dataclasses

import pytest
from support.configs import make_config, make_pair, make_source
from support.engines import (
    DAY,
    NOW,
    ONE,
    changing,
    held_source,
    make_engine,
    said,
    started,
    starts,
    steady,
    tell_linked,
    written,
)

from inosync.changes.batch import FEW
from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import (
    Outcome,
    Rewatch,
    Start,
    Terminate,
)
from inosync.engine.engine import Engine
from inosync.engine.mirror import State


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


def test_another_rfull_counts_from_the_reload_and_the_same_one_goes_on() -> None:
    engine = make_engine(rfull=DAY)
    (source,) = engine.config.sources
    engine.resync(source, "start-up", NOW)
    (mirror,) = starts(engine.due(NOW))
    engine.exited(mirror, Outcome(0), NOW)
    engine.configure(dataclasses.replace(engine.config, umask=0), NOW + 5)
    assert engine.deadline() == NOW + DAY
    engine.configure(dataclasses.replace(engine.config, rfull=60.0), NOW + 10)
    assert engine.deadline() == NOW + 70
    engine.configure(dataclasses.replace(engine.config, rfull=0.0), NOW + 20)
    assert engine.deadline() is None
    engine.shortage(source, True, NOW + 20)
    engine.configure(dataclasses.replace(engine.config, rfull=DAY), NOW + 30)
    assert engine.deadline() == NOW + 330, "what stands in for watches is still owed"


@pytest.mark.parametrize("rfull", [0.0, DAY])
def test_another_rfull_delays_no_pass_for_hard_links(rfull: float) -> None:
    engine = make_engine(rfull=DAY / 2)
    for mirror in started(engine):
        tell_linked(engine, NOW)
        engine.exited(mirror, Outcome(0), NOW)
    owed = engine.deadline()
    engine.configure(dataclasses.replace(engine.config, rfull=rfull), NOW)
    assert engine.deadline() == owed


def test_a_mirror_is_behind_from_the_first_change_that_waits_for_others_or_to_rest() -> None:
    engine = make_engine(rsettle=(("*.log", 30.0),), rbigsize=100)
    (source,) = engine.config.sources
    mirror, lane = engine.mirrors
    assert engine.behind_since(mirror) is None
    engine.changed(source, Changes.of([Change(b"a.log", Kind.ENTRY)]), NOW)
    assert engine.due(NOW + 1) == []
    assert engine.behind_since(mirror) == engine.behind_since(lane) == NOW
    engine.exited(*starts(engine.due(NOW + 31)), Outcome(0), NOW + 31)
    assert engine.behind_since(mirror) is None
    engine.changed(source, ONE, NOW + 40)
    assert engine.behind_since(mirror) == NOW + 40
    assert engine.behind_since(lane) is None, "nothing of it is big"
    engine.changed(source, ONE, NOW + 41, big=ONE)
    assert engine.behind_since(lane) == NOW + 41


def test_a_mirror_is_behind_when_a_file_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    engine.changed(engine.config.sources[0], written(b"f"), NOW)
    assert engine.behind_since(engine.mirrors[0]) == NOW
