"""What follows from the values of an order, and of what was prepared for it."""

from __future__ import annotations

import dataclasses

import pytest
from support.configs import make_pair

from inosync.changes.batch import Batch, full_pass
from inosync.changes.changes import Change, Changes, Kind
from inosync.planning.order import Moment, Order, Prepared, RunKind
from inosync.planning.slices import Course, course_of
from inosync.planning.steps import Fuzzy

NOW = 1000.0
NAMED = Batch(NOW, 1, changes=Changes.of([Change(b"f", Kind.ENTRY)]))


@pytest.mark.parametrize(
    ("batch", "kind", "forgotten"),
    [
        (Batch(NOW, 1), RunKind.PASS, True),
        (Batch(NOW, 1), RunKind.REHEARSAL, True),
        (Batch(NOW, 1), RunKind.CONTENTS, False),
        (NAMED, RunKind.PASS, False),
        (full_pass("start-up", NOW), RunKind.PASS, False),
    ],
)
def test_which_runs_carry_what_has_no_names(
    batch: Batch, kind: RunKind, *, forgotten: bool
) -> None:
    assert Order(make_pair(), kind, batch).forgotten is forgotten


@pytest.mark.parametrize(
    ("batch", "rscope", "big", "named"),
    [
        (NAMED, "changes", False, True),
        (NAMED, "tree", False, False),
        (NAMED, "tree", True, True),
        (Batch(NOW, 1), "changes", False, False),
        (full_pass("start-up", NOW), "changes", False, False),
        (full_pass("start-up", NOW), "changes", True, False),
    ],
)
def test_which_runs_can_name_what_they_carry(
    batch: Batch, rscope: str, *, big: bool, named: bool
) -> None:
    order = Order(make_pair(rscope=rscope), RunKind.PASS, batch, big=big)
    assert order.by_name is named


@pytest.mark.parametrize(("extra", "named"), [((), True), (("-L",), False)])
def test_what_is_tried_again_is_named_in_any_scope(extra: tuple[str, ...], *, named: bool) -> None:
    again = dataclasses.replace(NAMED, named=True)
    assert Order(make_pair(extra=extra), RunKind.PASS, again).by_name is named
    # Of big files as well: behind a link they have no name.
    assert Order(make_pair(extra=extra), RunKind.PASS, NAMED, big=True).by_name is named


def test_which_runs_compare_contents() -> None:
    assert not Order(make_pair(), RunKind.PASS, NAMED).contents
    assert Order(make_pair(), RunKind.COMPARISON, NAMED).contents
    assert Order(make_pair(), RunKind.PASS, dataclasses.replace(NAMED, contents=True)).contents


@pytest.mark.parametrize(
    ("kind", "names", "listed"),
    [
        (RunKind.LISTED, (b"f",), True),
        (RunKind.REHEARSAL, (), True),
        (RunKind.PASS, None, False),
        (RunKind.SLICE, None, True),
        (RunKind.STEP, (b"f",), False),
    ],
)
def test_a_step_is_no_list_of_changes(
    kind: RunKind, names: tuple[bytes, ...] | None, *, listed: bool
) -> None:
    assert Prepared(kind, ("rsync",), names).listed is listed


def test_the_step_that_is_made() -> None:
    step = Fuzzy((b"./f",))
    assert Prepared(RunKind.STEP, ("rsync",), (b"f",), steps=(step,)).step is step
    assert Prepared(RunKind.LISTED, ("rsync",), (b"f",), steps=(step,)).step is None
    assert Prepared(RunKind.STEP, ("rsync",), (b"f",), steps=()).step is None


def test_a_moment_by_the_times_of_files_whatever_was_done_to_the_clock() -> None:
    moment = Moment(1000.0, 10.0)
    assert moment.by_files(Moment(1005.0, 15.0)) == 1000 - 1.1
    assert moment.by_files(Moment(4605.0, 15.0)) == 1000 - 1.1  # set on, or it slept
    assert moment.by_files(Moment(905.0, 15.0)) == 900 - 1.1  # set back


def test_when_some_of_a_pass_has_been_made() -> None:
    course = course_of([("tree", b"a")], sizes=False, weight=1, directories=1, files=0)
    demand = full_pass("start-up", NOW)
    assert Order(make_pair(), RunKind.SLICE, demand, course=course).begun
    assert not Order(make_pair(), RunKind.SLICE, demand, course=Course()).begun
    assert not Order(make_pair(), RunKind.PASS, demand, course=course).begun
    assert not Order(make_pair(), RunKind.PASS, demand).begun
