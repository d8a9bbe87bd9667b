"""What is left as it is on a mirror, and what a difference is."""

from __future__ import annotations

import pytest
from support.configs import make_pair, make_source

from inosync.engine.ailing import LOST, Ailing
from inosync.engine.apart import GIANT, NOTHING, SETTLING, Apart, Meaning, gathered, meaning
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Complaint
from inosync.rsync.differences import EXTRA, Difference

DRIFT, LEFT, UNOWED = Meaning.DRIFT, Meaning.LEFT, Meaning.UNOWED


def left(giants: list[bytes] | None = None) -> Apart:
    known = Complaint(b"bad", Cause.UNREADABLE, "", whole=True)
    top = Complaint(b"times", Cause.TIMES, "")
    tables = {b"bad": Ailing(known, 0.0, 1, 0.0)}, {b"times": Ailing(top, 0.0, 1, 0.0)}
    return gathered(
        settling=[b"sub/a.iso"], ailing=tables, lost=[b"disk"], giants=giants, size=1000
    )


def test_each_has_its_reason() -> None:
    it = left([b"big"])
    assert (it.count, it.giants) == (5, 0)
    whys = {path: each.why for path, each in it.paths.items()}
    assert whys == {
        b"big": GIANT,
        b"sub/a.iso": SETTLING,
        b"bad": Cause.UNREADABLE.value,
        b"times": Cause.TIMES.value,
        b"disk": LOST,
    }
    assert it.homes == {b"", b"sub"}
    assert it.told().startswith(f"5 paths: big {GIANT}; sub/a.iso {SETTLING}; bad ")
    assert it.told().endswith(", …")
    assert not NOTHING


def test_giants_without_names_are_told_by_their_size() -> None:
    it = gathered(settling=(), ailing=(), lost=(), giants=None, size=1000)
    assert it
    assert it.told() == f"1 path: each file of more than 1000 bytes {GIANT}"
    assert (it.holds(b"a", 1001), it.holds(b"a", 1000)) == (True, False)
    assert (it | left([])).giants == 1000
    assert (left([]) | it).count == 5


@pytest.mark.parametrize(
    ("path", "held"),
    [
        (b"sub/a.iso", True),
        (b"sub/a.iso/below", False),  # it reaches no further than itself
        (b"bad/below/it", True),
        (b"times/below", False),
        (b"disk", True),
        (b"disk/below", True),
        (b"sub", False),
        (b"", False),
    ],
)
def test_what_is_held(path: bytes, held: bool) -> None:
    assert left([]).holds(path) is held


def test_what_is_in_a_directory_that_is_in_the_way_stays_with_it() -> None:
    known = Ailing(Complaint(b"d", Cause.IN_THE_WAY, ""), 0.0, 1, 0.0)
    it = gathered(settling=(), ailing=[{b"d": known}], lost=(), giants=(), size=0)
    assert it.holds(b"d/below")


def test_the_source_itself_may_be_left() -> None:
    assert gathered(settling=(), ailing=(), lost=[b""], giants=(), size=0).holds(b"a/b")


@pytest.mark.parametrize(
    ("path", "what", "is_it"),
    [
        (b"sub/a.iso", "missing", LEFT),
        (b"sub/", "times", UNOWED),  # something in it is not at rest
        (b"sub/", "times, permissions", DRIFT),
        (b"sub", "times", DRIFT),  # a file
        (b"./", "times", UNOWED),
        (b"plain/", "times", DRIFT),
        (b"plain/a", "content", DRIFT),
        (b"cache/", "times", UNOWED),  # a rule hides what is in it
        (b"cache/a", "times", DRIFT),
    ],
)
def test_what_a_difference_is(path: bytes, what: str, is_it: Meaning) -> None:
    pair = make_pair(make_source(excludes=("/cache/*.tmp",)))
    assert meaning(Difference(path, what), pair, left([])) is is_it


@pytest.mark.parametrize("rdelete", ["seen", "start", "never"])
def test_what_a_mirror_may_keep_is_none(rdelete: str) -> None:
    pair = make_pair(rdelete=rdelete)
    for path, what, is_it in (
        (b"theirs", EXTRA, Meaning.EXTRA),
        (b"bad/theirs", EXTRA, Meaning.EXTRA),
        (b"plain/", "times", UNOWED),  # something came there
        (b"plain/a", "times", DRIFT),
        (b"plain/a", "missing", DRIFT),
    ):
        assert meaning(Difference(path, what), pair, left([])) is is_it
    assert meaning(Difference(b"theirs", EXTRA), make_pair(), left([])) is DRIFT


def test_nothing_is_owed_for_what_lies_above_the_source() -> None:
    pair = make_pair(make_source("/a/b/c", argument="/a/./b/c", prefix="b/c", relative=True))
    for what, is_it in (("times", UNOWED), ("permissions", UNOWED), ("missing", DRIFT)):
        assert meaning(Difference(b"b/", what), pair, NOTHING) is is_it
    assert meaning(Difference(b"b/c/", "times"), pair, NOTHING) is DRIFT
