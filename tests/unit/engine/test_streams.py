"""Slices that are made at once: how many, and how they have ended, with numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.configs import make_config, make_pair
from support.engines import NOW, starts

from inosync.engine.actions import Outcome, Start
from inosync.engine.engine import Engine
from inosync.engine.streams import processes, streams, together
from inosync.planning.order import Prepared, RunKind
from inosync.planning.slices import Amount, Course, Slice, course_of
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.output import Transferred


def engine_of(count: int, rstreams: int, **settings: object) -> Engine:
    pairs = [make_pair(None, f"n{n}:/m", rscope="changes", rstreams=rstreams) for n in range(count)]
    engine = Engine(make_config(pairs, edelay=0.0, rfull=0.0, **settings), lambda: 0.0)
    engine.watched(engine.config.sources[0], NOW)
    return engine


def ordered(engine: Engine) -> list[int]:
    """Return how many slices each run that begins now may make, one after the other."""
    found: list[int] = []
    while starts := [each for each in engine.due(NOW, most=1) if isinstance(each, Start)]:
        (start,) = starts
        count = start.order.streams
        found.append(count)
        beside = (Prepared(RunKind.SLICE, (), piece=Slice((b"b",))),) * (count - 1)
        what = Prepared(
            RunKind.SLICE, (), piece=Slice((b"a",)), course=Course(todo=None), beside=beside
        )
        engine.prepared(start.mirror, what, NOW)
    return found


def test_nobody_waits_for_room_that_others_streams_take() -> None:
    assert ordered(engine_of(3, rstreams=4, rparallel=8)) == [4, 3, 1]
    assert ordered(engine_of(3, rstreams=4, rparallel=3)) == [1, 1, 1]
    assert ordered(engine_of(1, rstreams=1)) == [1]
    assert ordered(engine_of(2, rstreams=2)) == [2, 2]
    assert ordered(engine_of(3, rstreams=6)) == [6, 1, 1]


def test_a_mirror_without_a_slice_is_one_process() -> None:
    (mirror,) = engine_of(1, rstreams=4).mirrors
    assert (streams(mirror, 8), processes(mirror)) == (1, 1)
    engine = engine_of(1, rstreams=4)
    engine.due(NOW)
    (mirror,) = engine.mirrors
    assert processes(mirror) == 1  # before it is known what they are
    mirror.backoff.failed()
    assert streams(mirror, 8) == 1


def test_those_that_were_kept_out_are_made_again_a_moment_later() -> None:
    engine = engine_of(1, rstreams=2)
    (mirror,) = starts(engine.due(NOW))
    one, other = (Slice((name,), amount=Amount(1, 1)) for name in (b"a", b"b"))
    beside = (Prepared(RunKind.SLICE, (), piece=other),)
    course = Course(todo=None, done=Amount(2, 2))
    what = Prepared(RunKind.SLICE, (), piece=one, course=course, beside=beside)
    engine.prepared(mirror, what, NOW)
    kept_out = Outcome(5, listed=True, crowded=True)
    engine.exited(mirror, together({0: Outcome(0, listed=True), 1: kept_out}), NOW)
    assert mirror.totals.failures == 0
    assert starts(engine.due(NOW)) == []
    assert engine.deadline() == NOW + 0.5
    (start,) = (each for each in engine.due(NOW + 0.5) if isinstance(each, Start))
    assert start.order.piece == other
    assert together({0: kept_out, 1: kept_out}).crowded
    assert not together({0: kept_out, 1: Outcome(12)}).crowded


@pytest.mark.parametrize(
    "told",
    [
        {"account": Account(odd=(b"a/pipe",))},
        {"account": Account(kept=(b"a",))},
        {"kept": ((b"a", b""),)},
        {"put_away": "2026-11-29"},
    ],
)
def test_what_one_has_told_is_told_again_where_another_fails(told: dict[str, Any]) -> None:
    well = Outcome(0, listed=True, **told)
    assert together({0: well, 1: Outcome(12), 2: Outcome(0)}).made == {2}


def test_those_that_all_go_well_count_and_the_next_ones_begin_at_once() -> None:
    engine = engine_of(1, rstreams=2)
    (mirror,) = starts(engine.due(NOW))
    one, other = (Slice((name,), amount=Amount(100, 1)) for name in (b"a", b"b"))
    beside = (Prepared(RunKind.SLICE, (), piece=other),)
    left = course_of([("tree", b"c")], sizes=True, weight=200, directories=2, files=0)
    what = Prepared(RunKind.SLICE, (), piece=one, course=left, beside=beside)
    engine.prepared(mirror, what, NOW)
    well = Outcome(0, Transferred(files=1), listed=True)
    engine.exited(mirror, together({0: well, 1: replace(well, returncode=24)}), NOW + 0.1)
    assert (mirror.totals.moved.files, mirror.totals.failures) == (2, 0)
    assert mirror.passing is not None
    assert mirror.passing.budget > 100
    assert starts(engine.due(NOW + 0.1)) == [mirror]


def test_the_worst_end_counts_and_all_that_was_said() -> None:
    one, other = (Complaint(path, Cause.FORBIDDEN, "denied") for path in (b"a", b"b"))
    ended = {
        1: Outcome(23, Transferred(1, 10, 0), ("one",), account=Account((one,)), listed=True),
        0: Outcome(0, Transferred(2, 20, 1), listed=True),
        2: Outcome(24, account=Account((other,), raced=True), listed=True),
    }
    both = together(ended)
    assert (both.returncode, both.evidence, both.listed) == (23, ("one",), True)
    assert both.transferred == Transferred(3, 30, 1)
    assert both.account == Account((one, other), raced=True)
    assert (both.made, both.put_away) == ({0, 2}, "")
    ended[3] = Outcome(12, evidence=("broken pipe",), cut=True)
    both = together(ended)
    assert (both.returncode, both.evidence, both.cut) == (12, ("broken pipe",), True)
    assert together({0: Outcome(0), 1: Outcome(24)}).returncode == 24
    assert together({0: Outcome(0, put_away="day"), 1: Outcome(24)}).put_away == "day"
