"""Comparing mirrors on schedule."""

from __future__ import annotations

from support.configs import make_config
from support.engines import (
    DAY,
    DRIFTED,
    NOW,
    ONE,
    comparing,
    comparisons,
    make_engine,
    said,
    started,
    starts,
)

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import (
    DEBUG,
    INFO,
    WARNING,
    Outcome,
    Start,
    Terminate,
)
from inosync.engine.ailing import Ailing
from inosync.engine.apart import NOTHING, Apart, Left
from inosync.engine.mirror import State
from inosync.engine.records import SLOWEST, Activity, Late
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.differences import Difference, Drift

#: What a comparison did not look at.
LEFT_OUT = Apart({b"x": Left("is so")})


def test_one_that_was_kept_out_is_made_again_a_moment_later() -> None:
    engine = comparing()
    (mirror,) = engine.mirrors
    engine.exited(mirror, Outcome(5, crowded=True), NOW + DAY)
    assert said(engine.due(NOW + DAY), DEBUG) == []
    assert engine.deadline() == NOW + DAY + 0.5
    assert comparisons(engine.due(NOW + DAY + 0.5)) == [mirror]


def test_to_repair_is_to_compare_contents_and_frees_no_hold() -> None:
    engine = make_engine(2)
    first, second = started(engine)
    for mirror in (first, second):
        engine.exited(mirror, Outcome(0), NOW)
    second.hold("would delete 2 files")
    assert engine.repair(NOW, node=first.pair.node.name) == [first]
    (start,) = (a for a in engine.due(NOW) if isinstance(a, Start))
    assert (start.mirror, start.order.batch.contents, start.order.batch.reason) == (
        first,
        True,
        "repair",
    )
    large = 1000 * SLOWEST  # it has read a large file here, and so does the other end
    for times in (0, 4):
        engine.activity(first, Activity(large, large), NOW + times * first.pair.node.rtimeout)
        assert first.state is State.RUNNING
    engine.exited(first, Outcome(0), NOW + 60)
    assert engine.repair(NOW + 60) == [first, second]
    assert second.state is State.HELD


def test_mirrors_are_compared_one_at_a_time() -> None:
    engine = comparing(2, rparallel=1)
    first, second = engine.mirrors
    assert first.state is State.RUNNING
    assert first.since is None, "to compare is not to lag"
    assert comparisons(engine.due(NOW + DAY + 1)) == []
    engine.exited(first, Outcome(0), NOW + DAY + 5)
    assert first.state is State.IDLE
    assert (first.totals.runs, first.totals.failures) == (0, 0)
    assert comparisons(engine.due(NOW + DAY + 5)) == [second]
    engine.exited(second, Outcome(0), NOW + DAY + 6)
    assert engine.deadline() == NOW + 2 * DAY + 5


def test_drift_is_told_once_and_when_it_is_over() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    engine.exited(mirror, Outcome(0, drift=DRIFTED), NOW + DAY + 1)
    told = said(engine.due(NOW + DAY + 1), WARNING)
    assert len(told) == 1
    assert "2 paths differ from the source: a: content; b: times; inosync --verify" in told[0]
    assert (mirror.comparison.drift, mirror.comparison.made_at) == (DRIFTED, NOW + DAY + 1)
    at = NOW + 2 * DAY + 1
    for drift, level, text in (
        (DRIFTED, DEBUG, None),
        (Drift(1, (Difference(b"a", "content"),)), WARNING, "1 path differs"),
        (Drift(), INFO, "equal to the source again"),
        (Drift(), INFO, None),
    ):
        assert comparisons(engine.due(at)) == [mirror]
        engine.exited(mirror, Outcome(0, drift=drift), at)
        lines = said(engine.due(at), level)
        assert [text in line for line in lines] == ([True] if text else [])
        at += DAY


def test_a_change_goes_before_a_comparison() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    now = NOW + DAY + 1
    engine.changed(mirror.pair.source, ONE, now)
    assert engine.due(now) == [], "it may rest until edelay is over"
    actions = engine.due(now + 10)
    assert actions == [Terminate(mirror)]
    assert mirror.state is State.STOPPING
    assert starts(engine.due(now + 11)) == []
    engine.exited(mirror, Outcome(20), now + 11)
    assert (mirror.reason, mirror.totals.failures, mirror.health.failure) == ("", 0, None)
    actions = engine.due(now + 11)
    assert starts(actions) == [mirror]
    assert not comparisons(actions)
    assert said(actions) == []
    engine.exited(mirror, Outcome(0), now + 12)
    assert mirror.comparison.drift == Drift()
    assert mirror.comparison.made_at is None
    engine.due(now + 12)
    assert engine.deadline() == now + 11 + 600


def test_nothing_is_compared_while_something_waits_to_be_sent() -> None:
    engine = make_engine(rverify=DAY)
    engine.changed(engine.config.sources[0], ONE, NOW + DAY - 1)
    assert comparisons(engine.due(NOW + DAY)) == []
    engine.pause(True)
    assert comparisons(engine.due(NOW + DAY + 20)) == []
    assert engine.deadline() is None
    engine.pause(False)
    mirror = starts(engine.due(NOW + DAY + 20))[0]
    engine.exited(mirror, Outcome(0), NOW + DAY + 21)
    assert comparisons(engine.due(NOW + DAY + 21)) == [mirror]


def test_nothing_is_compared_while_something_may_arrive_late() -> None:
    engine = make_engine(rverify=DAY)
    (mirror,) = engine.mirrors
    mirror.late = Late(Batch(NOW + DAY, 0, changes=ONE), NOW + DAY + 60, NOW + DAY, 0)
    assert comparisons(engine.due(NOW + DAY)) == []
    assert engine.deadline() == NOW + DAY + 60
    assert starts(engine.due(NOW + DAY + 60)) == [mirror]
    engine.exited(mirror, Outcome(0), NOW + DAY + 61)
    assert comparisons(engine.due(NOW + DAY + 61)) == [mirror]


def test_a_comparison_that_fails_is_told_once_and_tried_again() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    now = NOW + DAY
    for lines in (1, 0):
        engine.exited(mirror, Outcome(255), now)
        told = said(engine.due(now), WARNING)
        assert len(told) == lines
        assert all("could not be compared: ssh failed; try 'ssh" in line for line in told)
        assert mirror.state is State.IDLE
        now += 600
        assert engine.deadline() == now
        assert comparisons(engine.due(now)) == [mirror]
    engine.exited(mirror, Outcome(0, drift=DRIFTED), now)
    assert mirror.comparison.doubt == ""


def test_a_comparison_may_be_silent_over_what_it_has_read() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    now = NOW + DAY
    assert mirror.work.check_at == now + 75
    read = Activity(1000 * SLOWEST, 2000 * SLOWEST)
    engine.activity(mirror, read, now + 75)
    engine.activity(mirror, read, now + 75 + 2299)
    assert mirror.state is State.RUNNING
    engine.activity(mirror, read, now + 75 + 2300)
    assert mirror.state is State.STOPPING


def test_a_held_source_and_the_end_stop_a_comparison() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    engine.hold(mirror.pair.source, "is gone", NOW + DAY)
    assert Terminate(mirror) in engine.due(NOW + DAY)
    engine.exited(mirror, Outcome(20), NOW + DAY)
    assert mirror.state is State.IDLE
    assert comparisons(engine.due(NOW + 3 * DAY)) == []
    other = comparing()
    other.stop(NOW + DAY)
    assert not other.stopped
    other.exited(other.mirrors[0], Outcome(20), NOW + DAY)
    assert other.stopped


def test_a_reload_may_change_when_mirrors_are_compared() -> None:
    engine = make_engine()
    assert engine.deadline() is None
    pairs = engine.config.pairs
    engine.configure(make_config(pairs, rverify=DAY), NOW)
    assert engine.deadline() == NOW + DAY
    engine.configure(make_config(pairs, rverify=60.0), NOW + 10)
    assert engine.deadline() == NOW + 70
    engine.configure(make_config(pairs), NOW + 20)
    assert engine.deadline() is None


def test_a_comparison_sees_all_but_what_ails() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    bad = Complaint(b"bad", Cause.UNREADABLE, "")
    mirror.ailing = {b"bad": Ailing(bad, NOW, 1, NOW + 10 * DAY)}
    engine.exited(mirror, Outcome(23, account=Account((bad,)), drift=DRIFTED), NOW + DAY)
    assert (mirror.comparison.drift, mirror.comparison.doubt) == (DRIFTED, "")


def test_what_was_heard_and_what_is_left_is_no_drift() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    source = mirror.pair.source
    engine.changed(source, Changes.of([Change(b"new", Kind.TREE)]), NOW + DAY)
    apart = Apart({b"a.iso": Left("is not at rest")})
    paths = (b"new/below", b"a.iso", b"./", b"other")
    found = [Difference(path, "times") for path in paths]
    assert list(engine.drifted(mirror, found, apart)) == found[3:]


def test_what_is_offered_while_it_is_compared_makes_it_void() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    mirror.offer(Batch(NOW, 1))
    engine.exited(mirror, Outcome(0, drift=DRIFTED), NOW + DAY + 1)
    assert mirror.comparison.drift == Drift()
    assert mirror.comparison.due_at == NOW + DAY + 601


def test_what_it_could_not_see_is_named_or_it_failed() -> None:
    bad = Complaint(b"bad", Cause.UNREADABLE, "")
    for account, made in (
        (Account((bad,)), True),
        (Account((bad,), undeleted=True), False),
        (Account((bad,), understood=False), False),
        (Account(), False),
    ):
        engine = comparing()
        mirror = engine.mirrors[0]
        engine.exited(mirror, Outcome(23, account=account, apart=LEFT_OUT), NOW + DAY)
        assert (mirror.comparison.made_at is not None, bool(mirror.comparison.doubt)) == (
            made,
            not made,
        )
        assert mirror.comparison.apart == (LEFT_OUT if made else NOTHING)


def test_equal_again_names_what_was_not_compared() -> None:
    engine = comparing()
    mirror = engine.mirrors[0]
    engine.exited(mirror, Outcome(0, drift=DRIFTED), NOW + DAY)
    engine.due(NOW + 2 * DAY)
    engine.exited(mirror, Outcome(0, apart=LEFT_OUT), NOW + 2 * DAY)
    (line,) = said(engine.due(NOW + 2 * DAY))
    assert line.endswith("equal to the source again but for what was not compared, 1 path: x is so")
