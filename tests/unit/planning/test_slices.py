"""How far a pass in slices is."""

from __future__ import annotations

import pytest

from inosync.changes.changes import Changes
from inosync.planning.slices import Amount, Course, Slice, course_of


def test_a_pass_begins_with_all_that_there_is() -> None:
    assert Course().untouched
    assert not Course().over
    assert Course().parts(1) == (("tree", b""),)
    assert Course().parts(0) is None


def test_what_was_cut_and_not_made_is_left_again() -> None:
    rest = course_of([("tree", b"z")], sizes=True, weight=9, directories=3, files=4)
    changes = Changes(levels={b"d": None}, entries={b"d/f": None})
    pieces = [
        Slice((b"a",), amount=Amount(2, 1, 0)),
        Slice(changes=changes, amount=Amount(3, 1, 2)),
    ]
    left = rest.with_pieces(pieces)
    assert left.done == Amount(4, 1, 2)
    assert set(left.parts(9) or ()) == {
        ("tree", b"z"),
        ("tree", b"a"),
        ("level", b"d"),
        ("files", b"d"),
    }
    assert not left.untouched
    assert Course(todo=None).over


def test_all_of_a_slice_as_changes() -> None:
    piece = Slice((b"a",), Changes(levels={b"": None}))
    assert piece.all == Changes(levels={b"": None}, trees={b"a": None})


def test_what_is_no_part_of_a_pass_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        course_of([("nothing", b"")], sizes=True, weight=0, directories=0, files=0)
