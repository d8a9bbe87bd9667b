"""What is remembered of a mirror, and each reason to doubt it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from inosync.engine.memory import (
    MOST_PARTS,
    STEP,
    Known,
    Place,
    Present,
    bounded,
    decode,
    doubt,
    encode,
    told_since,
    untrusted,
)
from inosync.planning.slices import Course, course_of

PLACE = Place(7, "disk", frozenset({"ext4"}))
KNOWN = Known(moment=1000, inode=7, home="disk", highest=990, made_by="a", boot="b")
FACTS = Present(now=2000, place=PLACE, made_by="a", boot="b")


def test_what_is_known_and_fits_is_believed() -> None:
    assert doubt(KNOWN, FACTS) == ""
    assert doubt(KNOWN, replace(FACTS, now=1000)) == ""
    assert doubt(replace(KNOWN, ended=True), replace(FACTS, boot="c")) == ""
    # Set back by no more than the moment was noted too early, set on, or counted from elsewhere.
    assert doubt(replace(KNOWN, ahead=STEP), FACTS) == ""
    assert doubt(replace(KNOWN, ahead=0), replace(FACTS, ahead=9 * STEP)) == ""
    assert doubt(replace(KNOWN, ahead=9 * STEP, ended=True), replace(FACTS, boot="c")) == ""


@pytest.mark.parametrize(
    ("known", "present", "reason"),
    [
        (KNOWN, replace(FACTS, place=replace(PLACE, kinds=frozenset({"ext4", "nfs"}))), "on nfs"),
        (KNOWN, replace(FACTS, place=replace(PLACE, home="other")), "another file system"),
        (KNOWN, replace(FACTS, place=replace(PLACE, inode=8)), "another directory"),
        (KNOWN, replace(FACTS, made_by="b"), "options have changed"),
        (KNOWN, replace(FACTS, now=999), "clock was set back"),
        (replace(KNOWN, highest=2001), FACTS, "clock was set back"),
        (replace(KNOWN, ahead=STEP + 1), FACTS, "clock was set back"),
        (KNOWN, replace(FACTS, there=989), "older state of the source"),
        (KNOWN, replace(FACTS, boot="c"), "the machine went down"),
        (replace(KNOWN, begun=True), FACTS, "what was begun was cut short, or others wrote there"),
    ],
)
def test_each_doubt_has_its_reason(known: Known, present: Present, reason: str) -> None:
    assert reason in doubt(known, present)


@pytest.mark.parametrize(
    ("present", "since"),
    [
        (FACTS, 1000),
        (replace(FACTS, made_by="b", boot="c"), 1000),
        (replace(FACTS, place=replace(PLACE, inode=8)), 0),
        (replace(FACTS, place=replace(PLACE, home="other")), 0),
        (replace(FACTS, made_by="a another target"), 0),
        (replace(FACTS, now=999), 0),
        (replace(FACTS, there=989), 0),
        (replace(FACTS, there=990), 1000),
        (replace(FACTS, ahead=-STEP - 1), 1000),
    ],
)
def test_times_tell_what_differs_unless_what_was_made_before_came(
    present: Present, since: int
) -> None:
    assert told_since(KNOWN, present) == since
    set_back = replace(KNOWN, ahead=present.ahead + STEP + 1)
    assert told_since(set_back, present) == (since if present.boot == "c" else 0)


def test_what_was_left_out_is_told_since_it_was_hidden() -> None:
    other = replace(FACTS, made_by="b")
    assert told_since(replace(KNOWN, hidden=500), FACTS) == 1000
    assert told_since(replace(KNOWN, hidden=500), other) == 500
    assert told_since(replace(KNOWN, hidden=1500), other) == 1000
    assert told_since(replace(KNOWN, hidden=500), replace(other, now=999)) == 0


def test_what_is_trusted_without_a_word() -> None:
    assert untrusted(PLACE) == ""


def test_what_is_written_is_read() -> None:
    known = {
        "one": KNOWN,
        "\udcff": replace(KNOWN, ended=True, where="a/\udcfe", ahead=-5, hidden=3),
    }
    assert decode(encode(known)) == (known, "")


PARTS = (("files", b"a"), ("level", b"a"), ("tree", b"a/\xff"))


def test_so_is_the_rest_of_a_pass() -> None:
    rest = course_of(PARTS, sizes=True, weight=70, directories=3, files=67)
    known = {"one": replace(KNOWN, rest=rest), "two": replace(KNOWN, rest=Course(todo=None))}
    found, problem = decode(encode(known))
    assert (found, problem) == (known, "")
    assert found["one"].rest is not None
    assert found["one"].rest.parts(9) == PARTS


def test_what_is_left_has_a_bound() -> None:
    many = [("tree", b"%d" % number) for number in range(MOST_PARTS + 1)]
    assert not bounded(course_of(many, sizes=False, weight=0, directories=0, files=0))
    assert bounded(course_of(many[1:], sizes=False, weight=0, directories=0, files=0))


def with_one(**more: object) -> bytes:
    values = {**vars(KNOWN), **more}
    if "rest" not in more:
        del values["rest"]
    return json.dumps({"version": 1, "mirrors": {"x": values}}).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"version": 2}', "newer"),
        (b"", "broken"),
        (b"\xff", "broken"),
        (b"[]", "broken"),
        (b"{}", "broken"),
        (b'{"version": "1"}', "broken"),
        (b'{"version": 1, "mirrors": []}', "broken"),
        (with_one(more=1), "broken"),
        (with_one(moment="1"), "broken"),
        (with_one(home=1), "broken"),
        (with_one(ended=1), "broken"),
        (with_one(begun=1), "broken"),
        (with_one(rest=1), "broken"),
        (with_one(rest={"sizes": True, "done": [0, 0], "left": []}), "broken"),
        (with_one(rest={"sizes": True, "done": [0, 0, 0], "left": [["x", "a"]]}), "broken"),
        (with_one(rest={"sizes": True, "done": [0, 0, None], "left": []}), "broken"),
        (with_one()[:-5], "broken"),
    ],
)
def test_a_file_that_cannot_be_read_says_nothing(content: bytes, reason: str) -> None:
    known, said = decode(content)
    assert known == {}
    assert reason in said
