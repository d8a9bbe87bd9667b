"""A new config: who stays, who leaves, who is new."""

from __future__ import annotations

import dataclasses

from support.configs import make_config, make_node, make_pair, make_settings, make_source
from support.engines import NOW, ONE, make_engine, started, starts, steady, written

from inosync.config.model import Config, SourceSettings
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
    engine.configure(engine.config.for_all(rmaxdelete=7), NOW)
    assert starts(engine.due(NOW)) == []
    engine.release("asked for", NOW)
    assert starts(engine.due(NOW)) == [mirror]


def test_another_limit_has_what_a_rehearsal_held_rehearsed_anew() -> None:
    engine = make_engine(rmaxdelete=5)
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0, transferred=Transferred(deleted=6)), NOW)
    engine.configure(engine.config.for_all(edelay=3.0), NOW)
    assert starts(engine.due(NOW)) == []
    engine.configure(engine.config.for_all(rmaxdelete=6), NOW)
    (start,) = [action for action in engine.due(NOW) if isinstance(action, Start)]
    assert (start.mirror, (start.order.kind is RunKind.REHEARSAL)) == (mirror, True)
    engine.exited(mirror, Outcome(0, transferred=Transferred(deleted=7)), NOW)
    assert mirror.state is State.HELD
    pairs = [dataclasses.replace(mirror.pair, node=make_node("n0:/m", rmaxchange=1))]
    engine.configure(make_config(pairs, rmaxdelete=6), NOW)
    (start,) = [action for action in engine.due(NOW) if isinstance(action, Start)]
    assert (start.order.kind, start.order.most) == (RunKind.REHEARSAL, 1)


def two_jobs(first: SourceSettings, second: SourceSettings) -> Config:
    """Return a config of two sources, each on a node of its own."""
    www, etc = make_source("/srv/www"), make_source("/srv/etc")
    pairs = [make_pair(www, "a:/www", rscope="changes"), make_pair(etc, "b:/etc")]
    return dataclasses.replace(make_config(pairs), settings=(first, second))


def test_each_source_has_its_own_waits_limits_and_lanes() -> None:
    config = two_jobs(
        make_settings(edelay=1.0, emaxdelay=1.0, eopen=0.0),
        make_settings(edelay=30.0, emaxdelay=30.0, rmaxdelete=5, rbigsize=1000, init=False),
    )
    engine = Engine(config, steady)
    assert [(m.pair.source.path, m.big) for m in engine.mirrors] == [
        ("/srv/www", False),
        ("/srv/etc", False),
        ("/srv/etc", True),
    ]
    assert engine.mirrors[0].uncut == ""
    for source in config.sources:
        engine.watched(source, NOW, reason="")
        engine.changed(source, ONE, NOW)
        engine.changed(source, written(b"log"), NOW)
    begun = {}
    for second in (0.0, 1.0, 29.0, 30.0, 61.0):
        for action in engine.due(NOW + second):
            if isinstance(action, Start):
                begun[action.mirror] = (second, action.order.kind)
                engine.exited(action.mirror, Outcome(0), NOW + second)
    www, etc, _ = engine.mirrors
    assert begun[www] == (1.0, RunKind.PASS)
    assert begun[etc][0] >= 30.0


def test_what_a_new_config_says_of_one_source_does_not_disturb_the_others() -> None:
    usual = make_settings()
    engine = Engine(two_jobs(usual, usual), steady)
    for source in engine.config.sources:
        engine.watched(source, NOW)
    for mirror in starts(engine.due(NOW)):
        engine.exited(mirror, Outcome(0), NOW)
    www, etc = engine.mirrors
    for number, other in enumerate(
        (
            make_settings(edelay=1.0),
            make_settings(rsettle=(("*.iso", 5.0),)),
            make_settings(rmaxdelete=3),
            make_settings(rbigsize=1000),
        )
    ):
        engine.configure(two_jobs(usual, other), NOW + number)
        assert engine.mirrors[:2] == [www, etc]
        assert www not in starts(engine.due(NOW + number))
    # The last one has a lane for big files, which owes a pass as its mirror does.
    (lane,) = engine.mirrors[2:]
    assert (www.pending, www.busy, etc.busy, lane.busy) == (None, False, True, True)


def test_a_mirror_that_leaves_with_its_source_is_asked_nothing_more() -> None:
    usual = make_settings()
    engine = Engine(two_jobs(usual, make_settings(rmaxdelete=1)), steady)
    engine.watched(engine.config.sources[1], NOW)
    (goes,) = starts(engine.due(NOW))
    engine.configure(make_config(engine.config.pairs[:1]), NOW)
    assert Terminate(goes) in engine.due(NOW)
    engine.exited(goes, Outcome(0, transferred=Transferred(deleted=5)), NOW + 1)
    assert engine.mirrors[0].pair.source.path == "/srv/www"
    assert engine._roster.leaving == []
