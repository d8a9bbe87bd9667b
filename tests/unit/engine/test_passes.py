"""A pass in slices: the record of it, with numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.changes.batch import Batch, full_pass
from inosync.changes.changes import Changes
from inosync.changes.doubts import LOST, NO_DOUBTS, Doubts
from inosync.engine.passes import FIRST, FIRST_FILL, Pass, demand, uncut
from inosync.engine.stride import LENGTH, Stride
from inosync.planning.order import Prepared, RunKind
from inosync.planning.slices import Amount, Course, Slice, course_of
from inosync.rsync.output import Transferred

NOW = 10_000.0
DEMAND = full_pass("start-up", NOW, lost=True)
#: Something is left, and nothing is.
MORE, OVER = Course(), Course(todo=None)


def piece(name: bytes = b"a", weight: int = 200) -> Slice:
    return Slice((name,), Changes(), Amount(weight, 1))


def prepared(one: Slice | None, course: Course | None) -> Prepared:
    return Prepared(RunKind.SLICE, ("rsync",), piece=one, course=course)


def at_work(course: Course = MORE, weight: int = 200) -> Pass:
    passing = demand(DEMAND, 3, fresh=False).begun(NOW)
    return passing.cut(prepared(piece(weight=weight), course))


def test_a_first_fill_begins_with_less() -> None:
    assert demand(DEMAND, 3, fresh=False).budget == FIRST
    fill = demand(DEMAND, 3, fresh=True)
    assert (fill.budget, fill.course.sizes, fill.number) == (FIRST_FILL, True, 3)


def test_each_slice_leads_to_the_next_until_nothing_is_left() -> None:
    passing = at_work().landed(1.0, Transferred(2, 30, 1))
    assert passing is not None
    assert (passing.pieces, passing.seconds, passing.moved) == ((), 1.0, Transferred(2, 30, 1))
    last = passing.cut(prepared(piece(), OVER))
    assert last.last
    assert last.landed(1.0, Transferred()) is None


def test_the_first_slice_is_short_even_where_each_look_takes_ten_milliseconds() -> None:
    # It may weigh half as much again, and an entry takes more than one look.
    assert max(FIRST, FIRST_FILL) * 1.5 * 0.015 <= 3 * LENGTH


def test_each_slice_says_how_large_the_next_one_is_to_be() -> None:
    passing = at_work(weight=200).landed(0.5, Transferred())
    assert passing is not None
    assert passing.stride == Stride().after(200, 0.5)
    assert passing.budget == passing.stride.budget(FIRST, 200, 0.5) == 400


def test_what_failed_is_made_again_when_all_else_is_done() -> None:
    failed = at_work().failed(rests=True)
    assert (failed.again, failed.pieces, failed.rests, failed.next) == ((piece(),), (), True, None)
    last = failed.cut(prepared(piece(b"b"), OVER))
    assert not last.last
    left = last.landed(1.0, Transferred())
    assert left is not None
    assert left.next == piece()
    again = left.cut(prepared(piece(), OVER))
    assert (again.again, again.last) == ((), True)
    assert again.failed().next == piece()


def test_a_start_that_was_not_carried_out_changes_nothing() -> None:
    passing = demand(DEMAND, 3, fresh=False).begun(NOW)
    assert passing.failed() == demand(DEMAND, 3, fresh=False)
    assert passing.repeat() == passing
    assert passing.landed(0.0, Transferred()) == passing


def test_of_slices_that_are_made_at_once_each_that_failed_is_made_again_by_itself() -> None:
    beside = tuple(prepared(piece(name, 400), None) for name in (b"b", b"c"))
    what = replace(prepared(piece(weight=200), OVER), beside=beside)
    passing = demand(DEMAND, 3, fresh=False).begun(NOW).cut(what)
    flight = passing.carries(passing.flight())
    assert list(flight.changes.trees) == [b"a", b"b", b"c"]
    more = replace(passing, course=MORE).landed(0.5, Transferred())
    assert more is not None
    assert more.budget == 4 * FIRST
    passing = replace(passing, course=Course(todo=None, done=Amount(1_000, 3)))
    assert passing.done == Amount(0, 0)
    failed = passing.without({0}).failed()
    assert failed.again == (piece(b"b", 400), piece(b"c", 400))
    assert failed.done == Amount(200, 1)
    assert failed.next == piece(b"b", 400)
    repeated = passing.without({0, 2}).repeat()
    assert repeated.again == (replace(piece(b"b", 400), repeated=True),)


def test_what_left_something_out_is_repeated() -> None:
    passing = at_work(OVER).repeat()
    assert passing.next == replace(piece(), repeated=True)
    assert passing.flight().repeated
    assert not at_work().flight().repeated


def test_what_is_in_doubt_is_compared_behind_the_last_slice() -> None:
    passing = at_work()
    flight = passing.carries(passing.flight())
    assert (flight.reason, flight.changes, flight.doubts) == ("", piece().all, NO_DOUBTS)
    assert list(flight.changes.trees) == [b"a"]
    passing = at_work(OVER)
    assert passing.carries(passing.flight()).doubts == LOST


def test_a_slice_that_became_a_whole_run() -> None:
    passing = demand(DEMAND, 3, fresh=False).begun(NOW)
    assert passing.cut(prepared(None, None)) == passing
    assert passing.carries(DEMAND) == DEMAND


def test_what_is_demanded_before_it_has_begun_is_the_same_pass() -> None:
    passing = demand(DEMAND, 3, fresh=False)
    passing = passing.demanded(full_pass("rfull", NOW - 1), 4, fresh=False)
    assert (passing.number, passing.after, passing.since) == (3, None, NOW - 1)
    # What another daemon has made of a pass is not of one that is demanded now.
    rest = demand(DEMAND, 3, fresh=False, rest=Course(None, done=Amount(9, 2, 7)))
    rest = rest.demanded(full_pass("asked for", NOW), 4, fresh=False)
    assert (rest.course, rest.before, rest.number) == (Course(), 0, 3)
    assert passing.batch.reason == "start-up"


def test_what_is_demanded_later_comes_after_it() -> None:
    passing = at_work(OVER).demanded(full_pass("rfull", NOW - 1), 5, fresh=False)
    passing = passing.demanded(full_pass("asked for", NOW), 6, fresh=False)
    assert [batch.reason for batch in passing.batches] == ["start-up", "rfull"]
    assert (passing.since, passing.first) == (NOW - 1, 3)
    assert at_work().demanded(DEMAND, 2, fresh=False).first == 2
    then = passing.landed(1.0, Transferred())
    assert then is not None
    assert (then.number, then.batch.reason, then.began) == (5, "rfull", None)


def test_by_other_rules_it_begins_anew() -> None:
    passing = at_work(OVER).failed().anew(flying=False)
    assert (passing.course, passing.again, passing.began) == (Course(), (), None)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ((), ""),
        (("-aX",), ""),
        (("-aH",), "-H: the names of one file may lie far apart"),
        (("--max-delete=9",), "--max-delete: it counts what a whole pass deletes"),
        (("-x",), "-x: it does not hold for what is named"),
    ],
)
def test_options_that_want_one_run(extra: tuple[str, ...], why: str) -> None:
    pair = make_pair(None, "n:/m", rscope="changes", extra=extra)
    assert uncut(pair, make_config([pair])) == why


def test_what_else_wants_one_run() -> None:
    pair = make_pair(None, "n:/m", rscope="changes")
    assert uncut(make_pair(None, "n:/m", rscope="tree"), make_config([pair]))
    assert "rmaxdelete" in uncut(pair, make_config([pair], rmaxdelete=9))
    counted = make_pair(None, "n:/m", rscope="changes", rmaxchange=9)
    assert "rmaxchange" in uncut(counted, make_config([counted]))
    assert "rbigsize" in uncut(pair, make_config([pair], rbigsize=9))
    ruled = make_pair(make_source(excludes=(". /etc/rules",)), "n:/m", rscope="changes")
    assert "rsync alone" in uncut(ruled, make_config([ruled]))


def test_what_another_daemon_can_go_on_with() -> None:
    assert demand(DEMAND, 3, fresh=False).rest is None  # it has not begun
    rest = at_work(OVER).failed().cut(prepared(piece(b"b"), OVER)).rest
    assert rest is not None
    assert rest.parts(9) == (("tree", b"b"),)
    assert at_work(OVER).rest == OVER.with_pieces([piece()])


@pytest.mark.parametrize(
    "batch",
    [
        full_pass("repair", NOW, contents=True),
        replace(DEMAND, doubts=Doubts(files=frozenset([b"f"]))),
    ],
)
def test_what_it_cannot_know_enough_of(batch: Batch) -> None:
    passing = replace(at_work(OVER), batch=batch)
    assert passing.rest is None
    assert at_work(OVER).demanded(DEMAND, 4, fresh=False).rest is None


def test_a_pass_that_goes_on() -> None:
    rest = course_of([("level", b"")], sizes=True, weight=9, directories=4, files=5)
    passing = demand(DEMAND, 3, fresh=False, rest=rest)
    assert (passing.course, passing.budget, passing.before) == (rest, FIRST_FILL, 4)
