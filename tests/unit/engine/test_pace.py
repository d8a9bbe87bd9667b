"""Runs that set the pace themselves (``edelay = "auto"``): told with numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.configs import make_config, make_pair
from support.engines import DAY, NOW, ONE, comparisons, make_engine, starts, steady

from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import Action, Outcome, Start, Terminate
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State


def paced(count: int = 1, **settings: object) -> Engine:
    return make_engine(count, **({"edelay": "auto", "emaxdelay": 10.0} | settings))


def change(engine: Engine, now: float, *names: bytes) -> None:
    changes = Changes.of(Change(name, Kind.ENTRY) for name in names) if names else ONE
    engine.changed(engine.config.sources[0], changes, now)


def ran(engine: Engine, mirror: Mirror, begin: float, end: float) -> None:
    """Let a mirror run for a change that comes at `begin`."""
    change(engine, begin)
    assert mirror in starts(engine.due(begin))
    engine.exited(mirror, Outcome(0), end)


def counts(actions: Sequence[Action]) -> list[int]:
    return [action.order.batch.count for action in actions if isinstance(action, Start)]


def test_the_first_change_does_not_wait() -> None:
    engine = paced()
    change(engine, NOW)
    assert engine.deadline() == NOW
    assert starts(engine.due(NOW)) == engine.mirrors


def test_what_comes_during_a_run_waits_for_as_long_as_that_has_taken() -> None:
    engine = paced()
    (mirror,) = engine.mirrors
    change(engine, NOW)
    engine.due(NOW)
    change(engine, NOW + 1, b"a")
    change(engine, NOW + 2, b"b")
    assert engine.due(NOW + 2) == []
    assert engine.deadline() == NOW + 75  # to see whether the run moves: no change has its time
    engine.exited(mirror, Outcome(0), NOW + 3)
    assert starts(engine.due(NOW + 3)) == []
    assert engine.deadline() == NOW + 6
    change(engine, NOW + 5, b"c")
    assert starts(engine.due(NOW + 5.9)) == []
    assert counts(engine.due(NOW + 6)) == [3]


def test_a_change_that_comes_later_does_not_wait() -> None:
    engine = paced()
    ran(engine, engine.mirrors[0], NOW, NOW + 3)
    engine.due(NOW + 3)
    assert engine.deadline() is None  # the daemon sleeps
    change(engine, NOW + 6)
    assert starts(engine.due(NOW + 6)) == engine.mirrors


def test_none_rests_longer_than_emaxdelay() -> None:
    engine = paced(emaxdelay=2.0)
    ran(engine, engine.mirrors[0], NOW, NOW + 60)
    change(engine, NOW + 60)
    assert starts(engine.due(NOW + 61.9)) == []
    assert starts(engine.due(NOW + 62)) == engine.mirrors


def test_each_mirror_has_a_pace_of_its_own() -> None:
    engine = paced(2)
    fast, slow = engine.mirrors
    change(engine, NOW)
    engine.due(NOW)
    engine.exited(fast, Outcome(0), NOW + 1)
    change(engine, NOW + 1)
    assert starts(engine.due(NOW + 2)) == [fast]
    engine.exited(fast, Outcome(0), NOW + 3)
    engine.exited(slow, Outcome(0), NOW + 3)
    assert slow.state is State.PENDING
    assert starts(engine.due(NOW + 3)) == []
    change(engine, NOW + 3)
    assert starts(engine.due(NOW + 4)) == [fast]
    assert engine.deadline() == NOW + 6
    assert counts(engine.due(NOW + 6)) == [2]


def test_after_a_failure_the_wait_is_that_of_failures() -> None:
    engine = paced()
    (mirror,) = engine.mirrors
    change(engine, NOW)
    engine.due(NOW)
    engine.exited(mirror, Outcome(12), NOW + 100)
    assert mirror.rests_until is None
    assert mirror.retry_at is not None
    assert starts(engine.due(mirror.retry_at)) == [mirror]


def test_who_asks_for_it_need_not_wait_for_the_rest() -> None:
    engine = paced()
    ran(engine, engine.mirrors[0], NOW, NOW + 5)
    change(engine, NOW + 5)
    assert starts(engine.due(NOW + 5)) == []
    engine.flush()  # as --wait does
    assert starts(engine.due(NOW + 5)) == engine.mirrors
    engine.exited(engine.mirrors[0], Outcome(0), NOW + 9)
    engine.release("asked for", NOW + 9)
    assert starts(engine.due(NOW + 9)) == engine.mirrors


def test_a_comparison_gives_way() -> None:
    engine = paced(rverify=DAY)
    (mirror,) = comparisons(engine.due(NOW + DAY))
    change(engine, NOW + DAY + 1)
    assert Terminate(mirror) in engine.due(NOW + DAY + 1)


def test_big_files_do_not_wait_for_the_others() -> None:
    engine = paced(rbigsize=1_000_000)
    ordinary, lane = engine.mirrors
    change(engine, NOW)
    assert starts(engine.due(NOW)) == [ordinary]
    giant = Change(b"giant", Kind.ENTRY)
    engine.changed(engine.config.sources[0], Changes.of([giant]), NOW + 1, big=[giant])
    assert engine.deadline() == NOW + 1
    engine.due(NOW + 1)
    assert lane.state is State.PENDING
    engine.exited(ordinary, Outcome(0), NOW + 2)
    assert starts(engine.due(NOW + 2)) == [lane]
    engine.exited(lane, Outcome(0, command="rsync"), NOW + 3)
    assert lane.rests_until == NOW + 3 + engine.config.rbigdelay
    engine.flush()
    assert lane.rests_until is not None


def test_slices_of_a_pass_do_not_rest() -> None:
    pair = make_pair(rscope="changes")
    engine = Engine(make_config([pair], edelay="auto", emaxdelay=10.0), steady)
    (mirror,) = engine.mirrors
    engine.watched(pair.source, NOW)
    assert starts(engine.due(NOW)) == [mirror]
    assert mirror.passing is not None
    mirror.rests_until = NOW + 10
    engine.exited(mirror, Outcome(0, listed=True), NOW + 1)
    if mirror.passing is not None:
        assert starts(engine.due(NOW + 1)) == [mirror]


def test_a_source_without_mirrors_keeps_nothing() -> None:
    state = paced().sources["/srv/www"]
    state.debounce.touch(NOW)
    assert state.due_at([]) == NOW


@pytest.mark.parametrize("took", [0.0, 0.012, 3.0])
def test_under_a_steady_load_it_runs_for_half_of_the_time_at_the_most(took: float) -> None:
    engine = paced()
    (mirror,) = engine.mirrors
    now, end, busy, told, carried = NOW, 0.0, 0.0, 0, 0
    while now < NOW + 60:
        change(engine, now)
        told += 1
        if mirror.busy and now >= end:
            engine.exited(mirror, Outcome(0), now)
        for count in counts(engine.due(now)):
            end, busy, carried = now + took, busy + took, carried + count
        now += 0.02
    assert busy <= 30 + took
    assert carried >= told - 2 * took / 0.02 - 2
