"""Who runs next."""

from __future__ import annotations

import sys

import pytest
from support.configs import make_config, make_pair
from support.engines import NOW, ONE, make_engine, started, starts, steady, stepping

from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import (
    Outcome,
    Start,
    Terminate,
)
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror
from inosync.planning.order import RunKind


def test_one_run_a_mirror_and_what_comes_meanwhile_goes_into_the_next() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    assert started(engine, NOW + 20) == []
    engine.exited(mirror, Outcome(0), NOW + 21)
    assert starts(engine.due(NOW + 21)) == [mirror]


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
    actions = engine.more(NOW + 1)
    assert starts(actions) == engine.mirrors[1:2]
    assert [a.order.batch.count for a in actions if isinstance(a, Start)] == [2]
    assert engine.more(NOW + 1) == engine.due(NOW + 1, most=1) == [], "there is room for two"
    assert engine.mirrors[0].pending is not None
    assert engine.mirrors[0].pending.count == 1


def test_no_other_run_starts_when_all_are_to_end() -> None:
    engine = make_engine(2, edelay=0.0)
    engine.changed(engine.config.sources[0], ONE, NOW)
    (first,) = starts(engine.due(NOW, most=1))
    engine.stop(NOW)
    assert engine.more(NOW) == [Terminate(first)]


def test_to_start_another_run_asks_no_mirror_anything() -> None:
    engine = make_engine(100, edelay=0.0)
    engine.changed(engine.config.sources[0], ONE, NOW)
    engine.due(NOW, most=1)
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        actions = engine.more(NOW)
    finally:
        sys.setprofile(before)
    assert len(starts(actions)) == 1
    assert calls < 100


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


def engine_of(*scopes: str, **settings: object) -> Engine:
    """Return an engine with a mirror of each scope; they owe nothing."""
    pairs = [make_pair(None, f"n{n}:/m", rscope=scope) for n, scope in enumerate(scopes)]
    engine = Engine(make_config(pairs, edelay=0.0, **settings), steady)
    engine.watched(engine.config.sources[0], NOW, reason="")
    return engine


def change(engine: Engine, changes: Changes = ONE) -> list[Mirror]:
    """Change something and return what runs for it."""
    engine.changed(engine.config.sources[0], changes, NOW)
    return starts(engine.due(NOW))


MANY = Changes(entries={b"%d" % number: None for number in range(1_001)})


@pytest.mark.parametrize(
    ("changes", "scope", "rparallel", "count"),
    [
        (ONE, "changes", "auto", 32),
        (ONE, "changes", 8, 8),
        (ONE, "changes", 40, 40),
        (ONE, "tree", "auto", 8),
        (ONE, "tree", 32, 32),
        (MANY, "changes", "auto", 8),
        (Changes(trees={b"new": None}), "changes", "auto", 8),
    ],
)
def test_more_runs_are_at_work_when_they_are_over_soon(
    changes: Changes, scope: str, rparallel: int | str, count: int
) -> None:
    engine = engine_of(*[scope] * 50, rparallel=rparallel)
    assert change(engine, changes) == engine.mirrors[:count]
    assert starts(engine.due(NOW)) == []


def test_short_runs_do_not_wait_for_long_ones() -> None:
    engine = engine_of(*["tree"] * 10, *["changes"] * 30)
    mirrors = engine.mirrors
    assert change(engine) == mirrors[:8] + mirrors[10:34]
    engine.exited(mirrors[10], Outcome(0), NOW)
    assert starts(engine.due(NOW)) == [mirrors[34]]
    engine.exited(mirrors[0], Outcome(0), NOW)
    assert starts(engine.due(NOW)) == [mirrors[8]]


def test_no_more_runs_go_to_one_host_than_long_ones_in_all() -> None:
    pairs = [make_pair(None, f"{h}:/{n}", rscope="changes") for n in range(10) for h in "ab"]
    pairs += [make_pair(None, f"/m{number}", rscope="changes") for number in range(12)]
    engine = Engine(make_config(pairs, edelay=0.0), steady)
    engine.watched(engine.config.sources[0], NOW, reason="")
    assert change(engine) == engine.mirrors[:16] + engine.mirrors[20:]


def test_slices_are_long_runs_and_what_changes_meanwhile_a_short_one() -> None:
    engine = engine_of(*["changes"] * 20)
    for mirror in engine.mirrors:
        mirror.divide("", anew=True)
    engine.resync(engine.config.sources[0], "x", NOW)
    assert starts(engine.due(NOW)) == engine.mirrors[:8]
    assert change(engine) == engine.mirrors[8:]


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


def test_what_is_held_while_it_waits_for_its_turn_does_not_start() -> None:
    engine = make_engine(3, rparallel=1)
    (first,) = started(engine)
    assert engine.bar(engine.mirrors[1], "its target is gone", NOW)
    engine.exited(first, Outcome(0), NOW)
    assert starts(engine.due(NOW)) == engine.mirrors[2:]


def test_while_paused_changes_are_collected_and_nothing_starts() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.pause(True)
    assert started(engine, NOW + 20) == []
    engine.exited(mirror, Outcome(0), NOW + 21)
    assert starts(engine.due(NOW + 22)) == []
    assert engine.deadline() is None
    engine.pause(False)
    assert starts(engine.due(NOW + 23)) == [mirror]


def test_steps_come_after_the_rehearsal_and_keep_its_limit() -> None:
    engine, mirror = stepping(rmaxdelete=5)
    engine.exited(mirror, Outcome(0), NOW + 1)
    (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start)]
    assert ((action.order.kind is RunKind.REHEARSAL), action.order.limit) == (False, 5)
