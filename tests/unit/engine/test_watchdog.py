"""Runs at work: which are ended, and which are left alone."""

from __future__ import annotations

import pytest
from support.configs import make_config, make_pair
from support.engines import NOW, make_engine, said, started, starts

from inosync.engine.actions import WARNING, Kill, Look, Outcome, Terminate
from inosync.engine.mirror import State
from inosync.engine.records import SLOWEST, TRICKLE, Activity, Failure
from inosync.engine.roster import GRACE


def test_a_run_that_does_nothing_for_rtimeout_is_ended_then_killed() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    for look in range(1, 5):
        now = NOW + look * 75
        assert engine.deadline() == now
        assert engine.due(now) == [Look(mirror)]
        engine.activity(mirror, Activity(5, 5), now)
    assert engine.due(NOW + 375) == [Look(mirror)]
    idle, words = Activity(5, 5 + 300 * TRICKLE), ("warm welcome", "the disk of n0 hangs")
    engine.activity(mirror, idle, NOW + 375, said=words)
    actions = engine.due(NOW + 375)
    assert Terminate(mirror) in actions
    assert said(actions, WARNING) == [
        "/srv/www -> n0:/m: its run did nothing for 300 s (rtimeout): ended, to be tried again; "
        "its last words were: the disk of n0 hangs",
        "  warm welcome",
    ]
    assert engine.deadline() == NOW + 375 + GRACE
    assert Kill(mirror) in engine.due(NOW + 375 + GRACE)
    engine.exited(mirror, Outcome(-9), NOW + 381)
    assert mirror.state is State.BACKOFF
    assert said(engine.due(NOW + 381)) == []
    reason = "its run did nothing for 300 s (rtimeout)"
    assert mirror.health.failure == Failure(NOW + 375, -15, reason, words)


@pytest.mark.parametrize(
    ("activity", "moved"),
    [
        (Activity(5, 5 + 75 * TRICKLE), False),  # ssh keeps its connection alive, or so does rsync
        (Activity(5, 6 + 75 * TRICKLE), True),
        (Activity(6, 6), True),  # the node has said something
    ],
)
def test_to_keep_a_line_open_is_to_do_nothing(*, activity: Activity, moved: bool) -> None:
    assert activity.moved(Activity(5, 5), 75) == moved
    assert activity.moved(None, 75)


def test_a_run_may_be_silent_over_what_it_has_carried() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    carried = Activity(5, 60 * SLOWEST)
    engine.activity(mirror, carried, NOW)
    engine.activity(mirror, carried, NOW + 359)
    assert mirror.state is State.RUNNING
    engine.activity(mirror, carried, NOW + 360)
    assert mirror.state is State.STOPPING


def test_a_run_that_moves_is_left_alone() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    for look in range(1, 100):
        now = NOW + look * 75
        assert engine.due(now) == [Look(mirror)]
        engine.activity(mirror, Activity(look, look), now)
    engine.exited(mirror, Outcome(0), now)
    engine.activity(mirror, Activity(0, 0), now)
    assert mirror.state is State.IDLE


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


@pytest.mark.parametrize("on_its_way", [False, True])
def test_a_run_that_gets_no_further_is_ended_and_made_again(on_its_way: bool) -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    for _ in range(2):
        engine.end(mirror, "its run waits", NOW)
    actions = engine.due(NOW)
    assert Terminate(mirror) in actions
    assert said(actions) == ["/srv/www -> n0:/m: its run waits: ended, to be made again"]
    engine.exited(mirror, Outcome(20, on_its_way=on_its_way), NOW + 1)
    assert (mirror.state, mirror.reason, mirror.totals.failures) == (State.PENDING, "", 0)
    assert (mirror.late is not None) == on_its_way
    assert starts(engine.due(NOW + 1)) == []
    assert starts(engine.due(NOW + 1.5)) == [mirror]
