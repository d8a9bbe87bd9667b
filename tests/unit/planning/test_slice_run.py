"""From an order to argv, with numbers: a slice."""

from __future__ import annotations

import dataclasses
import stat

import pytest
from support.commands import KEPT
from support.configs import make_config, make_pair, make_source
from support.orders import BASE, ENDS, LIST, NOW, PROGRAM, TREE, Status, cut_off, sight
from support.views import Seen

from inosync.changes.batch import full_pass
from inosync.changes.doubts import LOST, NO_DOUBTS
from inosync.planning.order import Order, RunKind
from inosync.planning.prepare import prepare
from inosync.planning.slices import Course, Slice, course_of
from inosync.rsync.program import Program


def test_a_pass_in_slices() -> None:
    first = cut_off(Course())
    assert (first.kind, first.names, first.widened) == (RunKind.SLICE, (b"./",), "")
    assert first.argv == ("/usr/bin/rsync", *LIST, *BASE, KEPT, *ENDS)
    assert first.listed
    assert first.course is not None
    second = cut_off(first.course)
    assert (second.kind, second.names) == (RunKind.SLICE, None)
    words = ("--timeout=300", "--relative", "--ignore-missing-args", KEPT, "--", "/srv/www/./b")
    assert second.argv == ("/usr/bin/rsync", "-ltrp", "--delete", *BASE, *words, "/mirror")
    assert second.piece is not None
    assert second.piece.trees == (b"b",)


def test_slices_that_are_made_at_once_share_the_speed_and_no_connection() -> None:
    course = course_of(
        [("tree", b"a"), ("tree", b"b")], sizes=False, weight=9, directories=1, files=0
    )
    pair = make_pair(None, "host:/mirror", rscope="changes", rspeed=500, rstreams=2)
    order = Order(pair, RunKind.SLICE, full_pass("start-up", NOW, lost=True), course=course)
    order = dataclasses.replace(order, budget=3, streams=2)
    program = Program((3, 2, 7), control="/run/x")
    what = prepare(order, sight(), make_config([pair]), program)
    (other,) = what.beside
    assert [piece.trees for piece in what.pieces] == [(b"a",), (b"b",)]
    assert (what.course is not None and what.course.over, other.course) == (True, None)
    assert (what.doubts, other.doubts) == (LOST, NO_DOUBTS)
    assert "--bwlimit=250" in what.argv
    assert "--bwlimit=250" in other.argv
    assert any("ControlPath=/run/x/%C" in word for word in what.argv)
    assert any(word.endswith("ControlPath=none") for word in other.argv)
    alone = prepare(dataclasses.replace(order, streams=1), sight(), make_config([pair]), program)
    assert alone.beside == ()
    assert "--bwlimit=500" in alone.argv


def test_a_slice_that_is_made_again() -> None:
    again = cut_off(Course(todo=None), piece=Slice((b"b",)))
    assert (again.piece, again.course) == (Slice((b"b",)), Course(todo=None))
    assert "/srv/www/./b" in again.argv
    assert again.doubts == LOST
    rest = cut_off(cut_off(Course()).course or Course())
    assert (rest.doubts, again.listed) == (NO_DOUBTS, True)


@pytest.mark.parametrize(
    ("argument", "prefix", "expected"),
    [("/srv/www", "www", "/srv/./www/b"), ("/srv/./www/", "www", "/srv/./www/b")],
)
def test_where_a_slice_lands(argument: str, prefix: str, expected: str) -> None:
    relative = "/./" in argument
    source = make_source(argument=argument, prefix=prefix, relative=relative)
    first = cut_off(Course(), source)
    assert first.course is not None
    assert expected in cut_off(first.course, source).argv


def test_a_tree_that_is_none_any_more_is_left_out() -> None:
    first = cut_off(Course())
    assert first.course is not None
    link = sight({**TREE, b"b": Status(stat.S_IFLNK), b"a": Status(stat.S_IFREG)})
    what = cut_off(first.course, seen=sight({}))
    assert (what.kind, what.names) == (RunKind.SLICE, ())
    views = Seen(link.view.look, sight().view.listing)
    what = cut_off(first.course, seen=dataclasses.replace(sight(), view=views))
    assert what.names == ()


@pytest.mark.parametrize("budget", [1, 3])
def test_what_is_too_deep_to_be_named_is_a_pass(budget: int) -> None:
    deep = b"/".join([b"x" * 250] * 17)
    paths = {deep[:end]: Status(stat.S_IFDIR) for end in range(250, 4300, 251)}
    what, course = cut_off(Course(), seen=sight(paths), budget=budget), Course()
    while what.kind is RunKind.SLICE and not course.over:
        assert what.course is not None
        course = what.course
        what = cut_off(course, seen=sight(paths), budget=budget)
    assert (what.kind, what.widened) == (RunKind.PASS, "a path is too long to be named")


def test_a_pass_of_little_is_one_run() -> None:
    what = cut_off(Course(), budget=100)
    assert (what.kind, what.names, what.widened, what.piece) == (RunKind.PASS, None, "", None)


def test_slices_delete_where_passes_do() -> None:
    for rdelete, deletes in (("all", True), ("start", True), ("seen", False), ("never", False)):
        pair = make_pair(None, "/mirror", rscope="changes", rdelete=rdelete)
        for todo in (Course(), cut_off(Course()).course):
            more = {"course": todo, "budget": 3}
            order = Order(pair, RunKind.SLICE, full_pass("start-up", NOW), **more)
            argv = prepare(order, sight(), make_config([pair]), PROGRAM).argv
            assert ("--delete" in argv) is deletes
