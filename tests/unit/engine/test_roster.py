"""A new config: who stays, who leaves, who is new."""

from __future__ import annotations

import dataclasses

from support.configs import make_config, make_node, make_pair
from support.engines import NOW, ONE, make_engine, started, starts, steady, written

from inosync.engine.actions import (
    Outcome,
    Start,
    Terminate,
)
from inosync.engine.engine import Engine
from inosync.engine.mirror import State
from inosync.planning.order import RunKind
from inosync.rsync.output import Transferred


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


def test_a_new_config_takes_over_what_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    engine.changed(engine.config.sources[0], written(b"log"), NOW)
    engine.configure(engine.config, NOW + 1)
    assert starts(engine.due(NOW + 1)) == engine.mirrors


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
    engine.exited(mirror, Outcome(0, transferred=Transferred(deleted=7)), NOW)
    assert mirror.state is State.HELD
    pairs = [dataclasses.replace(mirror.pair, node=make_node("n0:/m", rmaxchange=1))]
    engine.configure(make_config(pairs, rmaxdelete=6), NOW)
    (start,) = [action for action in engine.due(NOW) if isinstance(action, Start)]
    assert (start.order.kind, start.order.most) == (RunKind.REHEARSAL, 1)
