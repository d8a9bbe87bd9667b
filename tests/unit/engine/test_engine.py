"""The engine as a whole: told with numbers, answered with actions."""

from __future__ import annotations

import random

import pytest
from support.engines import DAY, LINKED, NOW, ONE, comparing, make_engine, started, starts

from inosync.changes.changes import Changes
from inosync.engine.actions import (
    Kill,
    Look,
    Outcome,
    Seek,
    Start,
    Terminate,
)
from inosync.engine.mirror import Mirror, State
from inosync.engine.records import Activity
from inosync.engine.roster import GRACE
from inosync.planning.order import Prepared, RunKind
from inosync.planning.scan import Question


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


def test_release_makes_everything_run_now() -> None:
    engine = make_engine(2)
    one, _ = started(engine)
    engine.exited(one, Outcome(255), NOW)
    engine.release("asked for", NOW)
    assert starts(engine.due(NOW)) == [one]


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
                done = Activity(chance.getrandbits(60), chance.getrandbits(60))
                engine.activity(action.mirror, done, now)
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


def test_pretending_claims_nothing() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    engine.exited(mirror, Outcome(0, pretended=True), NOW + DAY)
    assert mirror.comparison.made_at is None
    assert engine.deadline() == NOW + 2 * DAY


def test_what_was_found_in_preparing_a_run_is_noted() -> None:
    engine = make_engine(rfull=0.0)
    (mirror,) = started(engine)
    engine.prepared(mirror, Prepared(RunKind.LISTED, ("rsync",), (b"./f",), linked=LINKED), NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert Seek(mirror, Question(inodes=LINKED)) in engine.due(NOW)
