"""How far a pass is, with numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inosync.changes.batch import full_pass
from inosync.engine.passes import demand
from inosync.planning.slices import Course, Slice, course_of
from inosync.status.passing import pass_line, pass_status, span

NOW, WALL = 10_000.0, 1_000_000.0


def rest(directories: int, files: int) -> Course:
    parts = [("tree", b"a")]
    return course_of(parts, sizes=False, weight=0, directories=directories, files=files)


def test_no_pass_is_none() -> None:
    assert pass_status(None, 9, NOW, WALL) is None


def test_one_that_has_not_begun() -> None:
    told = pass_status(demand(full_pass("rfull", NOW), 1, fresh=False), 0, NOW, WALL)
    assert told is not None
    assert told["reason"] == "rfull"
    assert (told["started_at"], told["seconds"], told["percent"], told["left"]) == (
        None,
        0,
        0,
        None,
    )
    assert pass_line(told) == "0 %"


def test_how_far_one_is_and_how_long_it_takes() -> None:
    passing = demand(full_pass("rfull", NOW), 1, fresh=False, rest=rest(20, 100)).begun(NOW)
    told = pass_status(passing, 100, NOW, WALL)
    assert told is not None
    assert (told["percent"], told["left"]) == (20, None)
    # What is at work does not count, nor what was done before it.
    at_work = Slice((b"b",), amount=rest(5, 9).done)
    passing = replace(passing, course=rest(45, 309), pieces=(at_work,))
    told = pass_status(passing, 100, NOW + 10, WALL)
    assert told is not None
    assert (told["started_at"], told["seconds"]) == (WALL + NOW, 10.0)
    assert (told["percent"], told["directories"], told["files"]) == (40, 40, 300)
    assert told["left"] == 30.0
    assert pass_line(told) == "40 %, 30 s left"


def test_of_directories_that_nobody_has_counted_it_is_told_how_many_are_done() -> None:
    passing = replace(
        demand(full_pass("rfull", NOW), 1, fresh=False).begun(NOW), course=rest(120, 1)
    )
    told = pass_status(passing, 0, NOW + 10, WALL)
    assert told is not None
    assert (told["percent"], told["left"]) == (0, None)
    assert pass_line(told) == "120 directories"


def test_it_is_never_all_before_it_is_over() -> None:
    passing = replace(
        demand(full_pass("rfull", NOW), 1, fresh=False).begun(NOW), course=rest(120, 1)
    )
    told = pass_status(passing, 100, NOW + 1, WALL)
    assert told is not None
    assert (told["percent"], told["left"]) == (99, 0.0)


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12.0, "12 s"), (190.0, "3 min")])
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
