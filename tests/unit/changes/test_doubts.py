"""What may have other content, and how much of it is remembered."""

from __future__ import annotations

from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import (
    EVERYTHING,
    LOST,
    MOST,
    MOST_IN_DOUBT,
    NO_DOUBTS,
    Doubts,
    doubts_of,
)


def names(count: int, lead: str = "") -> frozenset[bytes]:
    return frozenset(f"{lead}{number}".encode() for number in range(count))


def test_attributes_and_deletions_are_no_doubt() -> None:
    changes = Changes.of(Change(kind.value.encode(), kind) for kind in Kind)
    assert doubts_of(changes) == Doubts(
        frozenset({b"entry", b"written"}), trees=frozenset({b"tree"})
    )
    assert not doubts_of(Changes())


def test_the_doubts_of_two() -> None:
    one, other = Doubts(frozenset({b"a"})), Doubts(frozenset({b"b"}), frozenset({b"d"}))
    assert one | other == Doubts(frozenset({b"a", b"b"}), frozenset({b"d"}))
    assert one | NO_DOUBTS == NO_DOUBTS | one == one
    assert (one | LOST).altered == {b""}
    assert one | EVERYTHING == EVERYTHING


def test_too_many_files_become_their_directories_and_these_everything() -> None:
    assert Doubts(names(MOST_IN_DOUBT + 1, "d/")).bounded() == Doubts(folders=frozenset({b"d"}))
    assert Doubts(names(MOST_IN_DOUBT, "d/")).bounded().files
    assert Doubts(folders=names(MOST + 1)).bounded() == EVERYTHING
    assert Doubts(trees=names(MOST + 1)).bounded() == EVERYTHING
    most = Doubts(names(MOST_IN_DOUBT, "d/"), names(MOST), names(MOST))
    assert most.bounded() == most


def test_a_file_in_a_directory_that_is_in_doubt_is_not_remembered_besides() -> None:
    d = Doubts(folders=frozenset({b"d"}))
    assert Doubts(frozenset({b"d/f", b"d/e/f", b"f"})) | d == Doubts(
        frozenset({b"d/e/f", b"f"}), frozenset({b"d"})
    )
