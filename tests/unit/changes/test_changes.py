"""The event filter."""

from __future__ import annotations

import pyinotify
import pytest

from inosync.changes import changes as events
from inosync.changes.changes import Change, Changes, Kind, sift
from inosync.rsync.filters import Filters, compile_filters

CLASSIC = (
    events.IN_CLOSE_WRITE
    | events.IN_CREATE
    | events.IN_DELETE
    | events.IN_MOVED_FROM
    | events.IN_MOVED_TO
)
NONE = compile_filters([])


@pytest.mark.parametrize("name", [name for name in dir(events) if name.startswith("IN_")])
def test_the_bits_are_the_kernels(name: str) -> None:
    assert getattr(events, name) == getattr(pyinotify, name)


def test_the_names_of_emask_are_the_bits() -> None:
    assert all(getattr(events, name) == bit for name, bit in events.MASK_BITS.items())


def told(
    directory: bytes,
    name: bytes,
    mask: int,
    emask: int = events.DEFAULT_EMASK,
    rules: Filters = NONE,
) -> Changes:
    """Return the changes that these events about one name stand for."""
    touched = {directory: {name: mask}}
    if mask & events.IN_ISDIR:
        return sift({}, touched, emask, rules)
    return sift(touched, {}, emask, rules)


@pytest.mark.parametrize(
    ("directory", "name", "path"),
    [(b"", b"", b""), (b"", b"a", b"a"), (b"a/b", b"c", b"a/b/c"), (b"a", b"", b"a")],
)
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 16])
def test_the_path_of_a_change(directory: bytes, name: bytes, path: bytes, padding: bytes) -> None:
    assert told(directory, name + padding, events.IN_ATTRIB) == {Change(path, Kind.ENTRY)}


ENTRY, LEVEL, TREE = Change(b"d/f", Kind.ENTRY), Change(b"d", Kind.LEVEL), Change(b"d/f", Kind.TREE)
WRITTEN = Change(b"d/f", Kind.WRITTEN)
DIRECTORY = events.IN_ISDIR


@pytest.mark.parametrize(
    ("mask", "changes"),
    [
        (events.IN_CLOSE_WRITE, {ENTRY}),
        (events.IN_CREATE, {ENTRY}),
        (events.IN_MOVED_TO, {ENTRY}),
        (events.IN_ATTRIB | DIRECTORY, {ENTRY}),
        (events.IN_DELETE, {LEVEL}),
        (events.IN_MOVED_FROM | DIRECTORY, {LEVEL}),
        (events.IN_MODIFY | events.IN_CLOSE_WRITE | events.IN_DELETE, {LEVEL}),
        # What vanished and what appeared, in whatever order, reach differently far.
        (events.IN_CREATE | events.IN_DELETE, {LEVEL, ENTRY}),
        (events.IN_MOVED_FROM | events.IN_MOVED_TO, {LEVEL, ENTRY}),
        (events.IN_CREATE | events.IN_DELETE | DIRECTORY, {LEVEL, TREE}),
        (events.IN_CREATE | DIRECTORY, {TREE}),
        (events.IN_MOVED_TO | DIRECTORY, {TREE}),
        (events.IN_OPEN, set()),
        (events.IN_MODIFY, {WRITTEN}),
        (events.IN_MODIFY | events.IN_CLOSE_WRITE, {ENTRY}),
    ],
)
def test_what_events_stand_for(mask: int, changes: set[Change]) -> None:
    assert told(b"d", b"f", mask) == changes


def test_many_names_of_many_directories() -> None:
    files = {
        b"": {b"a\0\0": events.IN_CREATE, b"b\0": events.IN_DELETE, b"x.tmp\0": events.IN_CREATE},
        b"d": {b"c": events.IN_MODIFY, b"e": events.IN_DELETE, b"f": events.IN_DELETE},
    }
    directories = {b"d": {b"new": events.IN_CREATE | DIRECTORY}}
    found = sift(files, directories, CLASSIC, compile_filters(["*.tmp"]))
    assert list(found) == [
        Change(b"a", Kind.ENTRY),
        Change(b"", Kind.LEVEL),
        Change(b"d", Kind.LEVEL),
        Change(b"d/new", Kind.TREE),
        Change(b"d/c", Kind.WRITTEN),
    ]
    assert (len(found), found.count) == (5, 6)  # two have vanished from one directory


def test_what_emask_leaves_out_is_no_change() -> None:
    assert told(b"", b"f", events.IN_ATTRIB, CLASSIC) == set()
    both = CLASSIC | events.IN_ATTRIB
    assert told(b"", b"f", events.IN_ATTRIB, both) == {Change(b"f", Kind.ENTRY)}
    # A vanished name that nobody wants to hear of does not hide what else happened.
    mask = events.IN_DELETE | events.IN_MODIFY
    assert told(b"", b"f", mask, events.IN_CREATE) == {Change(b"f", Kind.WRITTEN)}
    mask = events.IN_DELETE | events.IN_CREATE | events.IN_MODIFY
    assert told(b"", b"f", mask, events.IN_DELETE) == {
        Change(b"", Kind.LEVEL),
        Change(b"f", Kind.WRITTEN),
    }


@pytest.mark.parametrize("directory", [b"", b"d"])
def test_a_watched_directory_itself_is_never_hidden(directory: bytes) -> None:
    hide_all = compile_filters(["*"])
    mask = events.IN_ATTRIB | DIRECTORY
    assert told(directory, b"", mask, rules=hide_all) == {Change(directory, Kind.ENTRY)}


@pytest.mark.parametrize("anchored", [[], ["/d/x*"]])
def test_excluded_names_are_no_change(anchored: list[str]) -> None:
    rules = compile_filters(["*.tmp", "cache/", *anchored])
    assert told(b"d", b"x.tmp", events.IN_CREATE, CLASSIC, rules) == set()
    assert told(b"d", b"x.tmp", events.IN_DELETE, CLASSIC, rules) == set()
    assert told(b"d", b"cache", events.IN_CREATE | DIRECTORY, CLASSIC, rules) == set()
    # A file of that name is not what `cache/` excludes.
    assert told(b"d", b"cache", events.IN_CREATE, CLASSIC, rules) == {
        Change(b"d/cache", Kind.ENTRY)
    }
    expected = set() if anchored else {Change(b"d/xx", Kind.ENTRY)}
    assert told(b"d", b"xx", events.IN_CREATE, CLASSIC, rules) == expected
    assert told(b"", b"xx", events.IN_CREATE, CLASSIC, rules) == {Change(b"xx", Kind.ENTRY)}


EVERY = [Change(path, kind) for kind in Kind for path in (b"a", b"b", b"a")]


def test_changes_are_a_set() -> None:
    changes = Changes.of(EVERY)
    assert changes == set(EVERY)
    assert set(EVERY) == changes
    assert (len(changes), changes.count) == (8, 12)
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
    assert (len(changes), changes.count) == (8, 14)
