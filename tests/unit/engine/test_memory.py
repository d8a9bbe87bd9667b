"""What is remembered of a mirror, and each reason to doubt it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from inosync.engine.memory import Facts, Known, Place, decode, doubt, encode, untrusted

PLACE = Place(7, "disk", frozenset({"ext4"}))
KNOWN = Known(moment=1000, inode=7, home="disk", highest=990, made_by="a", boot="b")
FACTS = Facts(now=2000, place=PLACE, made_by="a", boot="b")


def test_what_is_known_and_fits_is_believed() -> None:
    assert doubt(KNOWN, FACTS) == ""
    assert doubt(KNOWN, replace(FACTS, now=1000)) == ""
    assert doubt(replace(KNOWN, ended=True), replace(FACTS, boot="c")) == ""


@pytest.mark.parametrize(
    ("known", "facts", "reason"),
    [
        (None, FACTS, "nothing is known"),
        (KNOWN, replace(FACTS, place=replace(PLACE, kinds=frozenset({"ext4", "nfs"}))), "on nfs"),
        (KNOWN, replace(FACTS, place=replace(PLACE, home="other")), "another file system"),
        (KNOWN, replace(FACTS, place=replace(PLACE, inode=8)), "another directory"),
        (KNOWN, replace(FACTS, made_by="b"), "options have changed"),
        (KNOWN, replace(FACTS, now=999), "clock was set back"),
        (replace(KNOWN, highest=2001), FACTS, "clock was set back"),
        (KNOWN, replace(FACTS, boot="c"), "the machine went down"),
    ],
)
def test_each_doubt_has_its_reason(known: Known | None, facts: Facts, reason: str) -> None:
    assert reason in doubt(known, facts)


def test_what_is_trusted_without_a_word() -> None:
    assert untrusted(PLACE) == ""


def test_what_is_written_is_read() -> None:
    known = {"one": KNOWN, "\udcff": replace(KNOWN, ended=True)}
    assert decode(encode(known)) == (known, "")


def with_one(**more: object) -> bytes:
    return json.dumps({"version": 1, "mirrors": {"x": vars(KNOWN) | more}}).encode()


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
        (with_one()[:-5], "broken"),
    ],
)
def test_a_file_that_cannot_be_read_says_nothing(content: bytes, reason: str) -> None:
    known, said = decode(content)
    assert known == {}
    assert reason in said
