"""What follows from what a run has left: half written files, and what is in the way."""

from __future__ import annotations

from dataclasses import replace

from support.configs import make_config, make_pair
from support.engines import (
    CUT,
    NOW,
    ONE,
    changing,
    levels,
    make_engine,
    started,
    steady,
    stepping,
)

from inosync.engine.actions import Outcome, Start
from inosync.engine.engine import Engine
from inosync.engine.mirror import State
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint


def test_where_a_run_was_cut_short_the_next_one_deletes_what_it_left() -> None:
    engine = changing()
    (mirror,) = started(engine)
    engine.exited(mirror, CUT, NOW + 1)
    (action,) = [a for a in engine.due(NOW + 3) if isinstance(a, Start)]
    assert action.order.batch.changes == {*ONE, *levels(b"", b"d")}
    assert action.order.batch.count == 1
    # Nobody knows where, so all is looked through.
    engine.exited(mirror, replace(CUT, homes=frozenset()), NOW + 4)
    (action,) = [a for a in engine.due(NOW + 9) if isinstance(a, Start)]
    assert action.order.batch.reason == "a run was cut short"


def test_a_pass_that_was_cut_short_is_made_again_anyway() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, replace(CUT, homes=frozenset()), NOW + 1)
    assert mirror.pending is not None
    assert (mirror.pending.reason, mirror.pending.changes) == ("", ONE)


def test_after_a_step_that_was_cut_short_the_run_deletes_what_it_left() -> None:
    engine, mirror = stepping()
    engine.exited(mirror, replace(CUT, listed=False), NOW + 1)
    (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start)]
    assert action.order.batch.changes == {*ONE, *levels(b"", b"d")}


def test_old_versions_in_the_way_make_it_at_once_and_are_tried_once() -> None:
    way = Account((Complaint(b"A", Cause.IN_THE_WAY, "no way"),))
    for extra, again in ((("-b",), True), ((), False), (("-b", "--backup-dir=x"), False)):
        pair = make_pair(None, "n0:/m", extra=extra)
        engine = Engine(make_config([pair]), steady)
        engine.watched(pair.source, NOW, reason="")
        (mirror,) = started(engine)
        engine.exited(mirror, Outcome(23, account=way), NOW)
        assert (mirror.since is not None, mirror.done == 0) == (again, again)
        if again:
            (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
            assert (action.order.barred, action.order.batch.named) == ({b"A"}, True)
            engine.exited(mirror, Outcome(23, account=way, listed=True), NOW)
        assert mirror.state is State.IDLE
        assert set(mirror.ailing) == {b"A"}
