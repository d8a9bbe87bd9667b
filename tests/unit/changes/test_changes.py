"""A set of changes."""

from __future__ import annotations

from inosync.changes.changes import Change, Changes, Kind

EVERY = [Change(path, kind) for kind in Kind for path in (b"a", b"b", b"a")]


def test_changes_are_a_set() -> None:
    changes = Changes.of(EVERY)
    assert changes == set(EVERY)
    assert set(EVERY) == changes
    assert (len(changes), changes.count) == (10, 15)
    assert all(change in changes for change in EVERY)
    assert Change(b"c", Kind.ENTRY) not in changes
    assert b"a" not in changes
    assert changes - {Change(b"a", Kind.TREE)} == {c for c in EVERY if c != (b"a", Kind.TREE)}
    assert changes != Changes.of(EVERY[1:2])
    assert not Changes()


def test_changes_that_are_told_twice_are_counted_twice() -> None:
    changes = Changes.of(EVERY[:2])
    changes.update(Changes.of(EVERY))
    assert changes == set(EVERY)
    assert (len(changes), changes.count) == (10, 17)


def test_the_last_of_each_kind_is_known() -> None:
    assert Changes().last == ()
    found = Changes.of(
        [Change(b"a", Kind.ENTRY), Change(b"b", Kind.ENTRY), Change(b"c", Kind.TREE)]
    )
    assert found.last == (b"b", b"c")
