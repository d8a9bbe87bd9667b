"""What may still arrive from runs that were cut short, and is carried once more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.configs import make_config, make_pair
from support.engines import (
    CUT,
    NOW,
    ONE,
    changing,
    entries,
    levels,
    make_engine,
    started,
    starts,
    steady,
)

from inosync.changes.changes import Changes
from inosync.engine.actions import Outcome, Start
from inosync.engine.engine import Engine
from inosync.engine.late import in_place
from inosync.engine.memory import Recalled
from inosync.engine.mirror import Mirror, State
from inosync.engine.records import Ran
from inosync.planning.scan import Answer, Question
from inosync.planning.slices import course_of
from inosync.rsync.output import Transferred

#: Seconds for which something may arrive (``rlate``).
LATE = 120.0


def carried_after_a_cut() -> tuple[Engine, Mirror]:
    """A mirror whose run was cut short, and then made again."""
    engine = changing(rfull=0.0, edelay=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, CUT, NOW)
    engine.due(NOW + 3)
    engine.exited(mirror, Outcome(0, listed=True), NOW + 3)
    return engine, mirror


def test_what_was_on_its_way_to_another_host_is_carried_once_more_after_a_while() -> None:
    engine = changing(rfull=0.0, edelay=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, CUT, NOW)
    assert starts(engine.due(NOW + 3)) == [mirror]
    engine.exited(mirror, Outcome(0, listed=True), NOW + 3)
    # It has all, but nobody knows for how long: so it is behind.
    assert (mirror.state, mirror.since, mirror.done) == (State.IDLE, NOW, 0)
    assert engine.deadline() == NOW + LATE
    assert not starts(engine.due(NOW + LATE - 1))
    (action,) = [a for a in engine.due(NOW + LATE) if isinstance(a, Start)]
    assert action.order.batch.changes == {*ONE, *levels(b"", b"d")}
    assert (action.order.by_name, mirror.since, mirror.done) == (True, NOW, 0)
    engine.exited(mirror, Outcome(0, listed=True), NOW + LATE)
    assert (mirror.state, mirror.done, mirror.late) == (State.IDLE, mirror.offered, None)
    assert (mirror.since, engine.deadline()) == (None, None)


def test_where_nothing_arrives_late_or_no_connection_came_about_nothing_is_expected() -> None:
    for node, end in (({"rlate": 0.0}, CUT), ({}, replace(CUT, on_its_way=False))):
        pair = make_pair(None, "n:/m", rscope="changes", **node)
        engine = Engine(make_config([pair]), steady)
        engine.watched(engine.config.sources[0], NOW, reason="")
        (mirror,) = started(engine)
        engine.exited(mirror, end, NOW)
        assert (mirror.state, mirror.late) == (State.BACKOFF, None)


def test_what_comes_late_and_has_vanished_by_then_goes_where_only_that_does() -> None:
    pair = make_pair(None, "n:/m", rscope="changes", rdelete="seen")
    engine = Engine(make_config([pair]), steady)
    engine.watched(pair.source, NOW, reason="")
    (mirror,) = started(engine)
    engine.exited(mirror, CUT, NOW)
    assert mirror.late is not None
    assert mirror.late.batch.gone == {b"f"}


def test_what_fails_again_is_carried_once_more_after_its_time() -> None:
    engine, mirror = carried_after_a_cut()
    engine.due(NOW + LATE)
    engine.exited(mirror, CUT, NOW + LATE)
    assert (mirror.since, mirror.done) == (NOW, 0)
    engine.due(NOW + LATE + 3)
    engine.exited(mirror, Outcome(0, listed=True), NOW + LATE + 3)
    assert (mirror.since, mirror.done, mirror.late_at) == (NOW, 0, NOW + 2 * LATE)
    engine.due(NOW + 2 * LATE)
    engine.exited(mirror, Outcome(0, listed=True), NOW + 2 * LATE)
    assert (mirror.since, mirror.done) == (None, mirror.offered)


def test_what_has_come_meanwhile_goes_with_it() -> None:
    engine, _ = carried_after_a_cut()
    engine.changed(engine.config.sources[0], entries(b"new"), NOW + LATE)
    (action,) = [a for a in engine.due(NOW + LATE) if isinstance(a, Start)]
    assert action.order.batch.changes == {*ONE, *levels(b"", b"d"), *entries(b"new")}


def test_more_than_is_remembered_by_name_is_a_pass() -> None:
    engine, mirror = carried_after_a_cut()
    assert mirror.late is not None
    mirror.late = replace(mirror.late, batch=mirror.late.batch.nameless())
    engine.exited(started(engine, NOW + 9)[0], CUT, NOW + 9)
    assert mirror.late.batch.reason == "a run that was cut short may have gone on"
    # What it was has no name any more, and no time tells it.
    engine.due(NOW + 12)
    engine.exited(mirror, Outcome(0, listed=True), NOW + 12)
    mirror.late = replace(mirror.late, batch=replace(mirror.late.batch, reason="", changes=ONE))
    (action,) = [a for a in engine.due(NOW + 9 + LATE) if isinstance(a, Start)]
    engine.narrow(action.mirror, Question(1), NOW + 9 + LATE)
    assert mirror.sought is not None
    assert mirror.sought.after is not None
    assert mirror.sought.after.reason == "a run that was cut short may have gone on"


def test_each_run_that_is_cut_short_has_its_time() -> None:
    engine = changing(rfull=0.0, edelay=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, CUT, NOW)
    engine.due(NOW + 50)
    engine.exited(mirror, replace(CUT, homes=frozenset((b"e",))), NOW + 50)
    engine.due(NOW + LATE)
    engine.exited(mirror, Outcome(0, listed=True), NOW + LATE)
    assert not starts(engine.due(NOW + LATE + 1))
    (action,) = [a for a in engine.due(NOW + LATE + 50) if isinstance(a, Start)]
    assert action.order.batch.changes == {*ONE, *levels(b"", b"d", b"e")}


def test_nothing_is_late_here_and_a_pass_is_made_again() -> None:
    here, elsewhere = make_pair(None, "/m", rscope="changes"), make_pair(None, "n:/m")
    engine = Engine(make_config([here, elsewhere], edelay=0.0), steady)
    engine.watched(engine.config.sources[0], NOW, reason="start-up")
    for mirror in starts(engine.due(NOW)):
        engine.exited(mirror, CUT, NOW)
        assert (mirror.late is None) == bool(mirror.pair.here)
        assert mirror.late is None or mirror.late.batch.reason
    for mirror in starts(engine.due(NOW + 10)):
        engine.exited(mirror, Outcome(0), NOW + 10)
    for mirror in starts(engine.due(NOW + LATE)):
        engine.exited(mirror, Outcome(0), NOW + LATE)
    assert [mirror.late for mirror in engine.mirrors] == [None, None]
    later = NOW + LATE
    for mirror in started(engine, later + 20):
        engine.exited(mirror, CUT, later + 20)
        assert (mirror.late is None) == bool(mirror.pair.here)


def test_a_run_of_a_mirror_that_leaves_owes_nothing() -> None:
    engine = changing()
    (mirror,) = started(engine)
    engine.configure(make_config([make_pair(None, "other:/m")]), NOW)
    engine.exited(mirror, CUT, NOW + 1)
    assert mirror not in engine.mirrors
    assert engine.mirrors[0].late is None


def test_one_that_lies_in_the_same_place_expects_what_it_had_on_its_way() -> None:
    engine = changing()
    (mirror,) = started(engine)
    engine.configure(make_config([make_pair(None, "n0:/m/", rscope="changes")]), NOW)
    (heir,) = engine.mirrors
    assert heir is not mirror
    assert heir.late is not None  # its run has not ended
    engine.exited(mirror, replace(CUT, on_its_way=False), NOW + 1)
    assert heir.late.at == NOW + LATE
    engine = changing()
    (mirror,) = started(engine)
    engine.configure(make_config([make_pair(None, "n0:/m/", rscope="changes")]), NOW)
    engine.exited(mirror, CUT, NOW + 1)
    assert engine.mirrors[0].late is not None
    assert engine.mirrors[0].late.at == NOW + 1 + LATE
    assert engine.mirrors[0].late.batch.reason  # it may have been a pass


@pytest.mark.parametrize("ended", [False, True])
def test_what_may_be_late_is_remembered_of_a_mirror_that_comes_back(ended: bool) -> None:
    engine = changing()
    before, (mirror,) = engine.config, started(engine)
    others = [make_config([make_pair(None, f"other{n}:/m")]) for n in range(101)]
    if ended:
        engine.exited(mirror, CUT, NOW)
    engine.configure(others[0], NOW)
    if not ended:
        engine.exited(mirror, CUT, NOW)
    engine.configure(before, NOW)
    (mirror,) = engine.mirrors
    assert mirror.late is not None
    assert (mirror.late.at, mirror.late.batch.reason != "", mirror.done) == (NOW + LATE, True, 0)
    engine.configure(make_config([make_pair(None, "n0:/m/", rscope="changes")]), NOW)
    (heir,) = engine.mirrors
    assert heir is not mirror
    assert (heir.late is not None, engine._roster.parted) == (True, {})
    for other in others:  # many that part
        late, engine.mirrors[0].late = engine.mirrors[0].late, None
        engine.mirrors[0].late = late or heir.late
        engine.configure(other, NOW)
    assert len(engine._roster.parted) == 100


@pytest.mark.parametrize("extra", [(), ("--copy-links",)])
def test_what_a_lane_had_on_its_way_may_belong_to_the_other_one_by_then(extra: tuple) -> None:
    pair = make_pair(None, "n0:/m", rscope="changes", extra=extra)
    engine = Engine(make_config([pair], rbigsize=1_000, edelay=0.0), steady)
    engine.watched(engine.config.sources[0], NOW, reason="")
    ordinary, lane = engine.mirrors
    assert ordinary in started(engine)
    engine.exited(ordinary, CUT, NOW)
    assert ordinary.late is not None
    assert lane.late is not None
    assert ordinary.late.batch.changes == {*ONE, *levels(b"", b"d")}
    assert bool(lane.late.batch.reason) == bool(extra)
    assert extra or lane.late.batch.changes == ordinary.late.batch.changes


def test_a_comparison_of_a_mirror_that_leaves_writes_nothing() -> None:
    engine = changing(rverify=1.0, rfull=0.0)
    (mirror,) = engine.mirrors
    mirror.compare(NOW, check_after=0.0)
    engine.configure(make_config([make_pair(None, "n0:/m/", rscope="changes")]), NOW)
    (heir,) = engine.mirrors
    assert heir is not mirror
    assert heir.late is None


def test_a_lane_that_is_new_and_is_told_no_names_expects_a_pass() -> None:
    pair = make_pair(None, "n0:/m", rscope="changes", extra=("--copy-links",))
    engine = Engine(make_config([pair], edelay=0.0), steady)
    engine.watched(pair.source, NOW, reason="")
    engine.exited(*started(engine), CUT, NOW)
    engine.configure(make_config([pair], edelay=0.0, rbigsize=1_000), NOW)
    named = [mirror.late and mirror.late.batch.changes for mirror in engine.mirrors]
    assert named == [{*ONE, *levels(b"", b"d")}, None]


def test_a_run_over_the_whole_source_may_have_sent_what_it_was_not_for() -> None:
    engine = make_engine(edelay=0.0)  # scope "tree"
    (mirror,) = started(engine)
    engine.exited(mirror, replace(CUT, listed=False), NOW)
    assert mirror.late is not None
    assert mirror.late.batch.reason
    # One that only compares the suspects of a list is none.
    engine = changing(edelay=0.0)
    (mirror,) = started(engine)
    mirror.work = replace(mirror.work, ran=Ran(0, True, Transferred()))
    engine.exited(mirror, replace(CUT, listed=False), NOW)
    assert mirror.late is not None
    assert not mirror.late.batch.reason


def test_one_that_was_kept_out_or_was_dead_may_have_been_heard_all_the_same() -> None:
    engine = changing(edelay=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, replace(CUT, returncode=255, crowded=True), NOW)
    assert (mirror.state, mirror.late is not None) == (State.PENDING, True)
    engine = changing(edelay=0.0)
    (mirror,) = started(engine)
    engine.died(mirror, replace(CUT, on_its_way=False), NOW)
    assert (mirror.state, mirror.late) == (State.PENDING, None)
    (mirror,) = starts(engine.due(NOW))
    engine.died(mirror, replace(CUT, returncode=255), NOW)
    assert (mirror.state, mirror.late is not None) == (State.PENDING, True)
    assert mirror.pending is not None
    assert mirror.pending.changes == ONE


@pytest.mark.parametrize("cut", [False, True])
def test_a_slice_that_a_daemon_was_killed_in_carried_what_no_walk_finds(cut: bool) -> None:
    engine = changing(edelay=0.0, init="changed")
    (mirror,) = engine.mirrors
    rest = course_of([("tree", b"a")], sizes=True, weight=1, directories=1, files=1)
    known = {mirror.name: Recalled(Question(5), rest, cut)}
    engine.watched(engine.config.sources[0], NOW, known=known)
    engine.found(mirror, Answer(Changes()), NOW)
    assert (mirror.late is not None and mirror.late.batch.reason != "") == cut


def test_all_that_has_vanished_meanwhile_goes_where_only_that_does() -> None:
    pair = make_pair(None, "n:/m", rscope="changes", rdelete="seen")
    engine = Engine(make_config([pair], edelay=0.0, rfull=0.0), steady)
    engine.watched(pair.source, NOW, reason="")
    engine.changed(pair.source, Changes(trees={b"d": None}), NOW)
    (mirror,) = starts(engine.due(NOW))
    # While it runs, and when it was cut short.
    engine.changed(pair.source, levels(b"d"), NOW, gone=frozenset((b"d/f",)))
    engine.due(NOW)
    engine.exited(mirror, CUT, NOW)
    assert mirror.late is not None
    engine.changed(pair.source, levels(b""), NOW + 1, gone=frozenset((b"d/", b"d/g")))
    engine.due(NOW + 2)
    assert mirror.late.batch.gone == {b"d/f", b"d/", b"d/g"}
    engine.due(NOW + 2)
    engine.exited(mirror, Outcome(0, listed=True), NOW + 3)
    (action,) = [a for a in engine.due(NOW + LATE) if isinstance(a, Start)]
    assert action.order.batch.gone == {b"d/f", b"d/", b"d/g"}
    # A pass as well, and in another mirror in the same place.
    engine.exited(mirror, replace(CUT, listed=False), NOW + LATE)
    assert (mirror.late.batch.reason != "", mirror.late.batch.gone) == (
        True,
        {b"d/f", b"d/", b"d/g"},
    )
    assert in_place(mirror.late).batch.gone == {b"d/f", b"d/", b"d/g"}
