"""The beat: while everything is in sync and at no other time, with told times."""

from __future__ import annotations

from dataclasses import replace

from support.configs import make_config, make_pair
from support.engines import NOW, ONE

from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.engine.reports import Beaten, Report
from inosync.service.beat import Beat
from inosync.service.hooks import Hooks
from inosync.service.loop import Loop


class Beats:
    """A beat of 60 seconds, of one mirror, and what it has its hook told."""

    def __init__(self) -> None:
        pair = make_pair()
        self.config = make_config([pair], beat=60, on_beat=("/bin/true",))
        self.engine = Engine(self.config, lambda: 0.0)
        self.source, (self.mirror,) = pair.source, self.engine.mirrors
        self.hooks = Hooks(self.config, {})
        self.beat = Beat(self.engine, self.hooks, Loop())

    def told(self, now: float) -> list[Report]:
        """Let it do what is due at `now`; return what its hook is told."""
        self.beat.due(now)
        told = [report for report, _ in self.hooks._waiting.values()]
        self.hooks._waiting.clear()
        return told

    def run(self, outcome: Outcome, now: float) -> None:
        """Let the mirror's run end, after one has begun."""
        self.engine.due(now)
        self.engine.exited(self.mirror, outcome, now)
        self.engine.due(now)


def test_it_begins_when_all_is_in_sync_and_goes_on() -> None:
    it = Beats()
    assert (it.told(NOW), it.beat.deadline()) == ([], None)  # the source is not watched yet
    it.engine.watched(it.source, NOW)
    beaten = Beaten(source="", sources=1, mirrors=1, lag=0.0)
    assert it.told(NOW) == [beaten]  # what is on its way is not old
    it.run(Outcome(0), NOW + 1)
    assert it.told(NOW + 2) == []
    assert it.beat.deadline() == NOW + 60
    assert it.told(NOW + 60) == [beaten]
    it.engine.changed(it.source, ONE, NOW + 117)
    assert it.told(NOW + 120) == [replace(beaten, lag=3.0)]


def test_it_is_missed_while_something_is_not_well_and_comes_as_soon_as_it_is() -> None:
    it = Beats()
    it.engine.watched(it.source, NOW)
    it.run(Outcome(0), NOW)
    assert len(it.told(NOW)) == 1
    it.engine.changed(it.source, ONE, NOW)
    it.run(Outcome(255), NOW + 30)
    assert it.told(NOW + 60) == []  # it is owed for 60 seconds
    assert it.beat.deadline() is None
    it.run(Outcome(0), NOW + 70)
    assert len(it.told(NOW + 70)) == 1
    assert it.beat.deadline() == NOW + 130
    it.engine.hold(it.source, "is gone", NOW + 100)
    assert it.told(NOW + 130) == []
    it.engine.resume(it.source, NOW + 131)
    it.run(Outcome(0), NOW + 131)
    assert len(it.told(NOW + 131)) == 1
    it.engine.bar(it.mirror, "its target is away", NOW + 132)
    assert it.told(NOW + 191) == []


def test_a_reload_may_change_it_or_end_it() -> None:
    it = Beats()
    it.engine.watched(it.source, NOW)
    it.run(Outcome(0), NOW)
    assert len(it.told(NOW)) == 1
    it.engine.configure(replace(it.config, beat=5), NOW)
    assert it.beat.deadline() == NOW + 5
    it.engine.configure(replace(it.config, beat=0), NOW)
    assert (it.told(NOW + 60), it.beat.deadline()) == ([], None)
