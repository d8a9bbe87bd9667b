"""The event filter."""

from __future__ import annotations

import pytest

from inosync.changes import inotify_bits as bits
from inosync.changes.changes import Change, Changes, Kind
from inosync.rsync.filters import Filters, compile_filters
from inosync.watch.sift import sift

CLASSIC = (
    bits.IN_CLOSE_WRITE | bits.IN_CREATE | bits.IN_DELETE | bits.IN_MOVED_FROM | bits.IN_MOVED_TO
)
NONE = compile_filters([])


def told(
    directory: bytes,
    name: bytes,
    mask: int,
    emask: int = bits.DEFAULT_EMASK,
    rules: Filters = NONE,
) -> Changes:
    """Return the changes that these bits about one name stand for."""
    touched = {directory: {name: mask}}
    if mask & bits.IN_ISDIR:
        return sift({}, touched, emask, rules)
    return sift(touched, {}, emask, rules)


@pytest.mark.parametrize(
    ("directory", "name", "path"),
    [(b"", b"", b""), (b"", b"a", b"a"), (b"a/b", b"c", b"a/b/c"), (b"a", b"", b"a")],
)
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 16])
def test_the_path_of_a_change(directory: bytes, name: bytes, path: bytes, padding: bytes) -> None:
    assert told(directory, name + padding, bits.IN_ATTRIB) == {Change(path, Kind.ATTRIBUTES)}


ENTRY, LEVEL, TREE = Change(b"d/f", Kind.ENTRY), Change(b"d", Kind.LEVEL), Change(b"d/f", Kind.TREE)
WRITTEN, ATTRIBUTES = Change(b"d/f", Kind.WRITTEN), Change(b"d/f", Kind.ATTRIBUTES)
DIRECTORY = bits.IN_ISDIR


@pytest.mark.parametrize(
    ("mask", "changes"),
    [
        (bits.IN_CLOSE_WRITE, {ENTRY}),
        (bits.IN_CREATE, {ENTRY}),
        (bits.IN_MOVED_TO, {ENTRY}),
        (bits.IN_ATTRIB | DIRECTORY, {ATTRIBUTES}),
        (bits.IN_ATTRIB, {ATTRIBUTES}),
        # What may have other content is more than that.
        (bits.IN_ATTRIB | bits.IN_MODIFY, {ENTRY}),
        (bits.IN_ATTRIB | bits.IN_CLOSE_WRITE, {ENTRY}),
        (bits.IN_ATTRIB | bits.IN_MOVED_TO, {ENTRY}),
        (bits.IN_DELETE, {LEVEL}),
        (bits.IN_MOVED_FROM | DIRECTORY, {LEVEL}),
        (bits.IN_MODIFY | bits.IN_CLOSE_WRITE | bits.IN_DELETE, {LEVEL}),
        # What vanished and what appeared, in whatever order, reach differently far.
        (bits.IN_CREATE | bits.IN_DELETE, {LEVEL, ENTRY}),
        (bits.IN_MOVED_FROM | bits.IN_MOVED_TO, {LEVEL, ENTRY}),
        (bits.IN_CREATE | bits.IN_DELETE | DIRECTORY, {LEVEL, TREE}),
        (bits.IN_CREATE | DIRECTORY, {TREE}),
        (bits.IN_MOVED_TO | DIRECTORY, {TREE}),
        (bits.IN_OPEN, set()),
        (bits.IN_MODIFY, {WRITTEN}),
        (bits.IN_MODIFY | bits.IN_CLOSE_WRITE, {ENTRY}),
    ],
)
def test_what_events_stand_for(mask: int, changes: set[Change]) -> None:
    assert told(b"d", b"f", mask) == changes


def test_many_names_of_many_directories() -> None:
    files = {
        b"": {
            b"a\0\0": bits.IN_CREATE,
            b"b\0": bits.IN_DELETE,
            b"x.tmp\0": bits.IN_CREATE,
        },
        b"d": {
            b"c": bits.IN_MODIFY,
            b"e": bits.IN_DELETE,
            b"f": bits.IN_DELETE,
        },
    }
    directories = {b"d": {b"new": bits.IN_CREATE | DIRECTORY}}
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
    assert told(b"", b"f", bits.IN_ATTRIB, CLASSIC) == set()
    both = CLASSIC | bits.IN_ATTRIB
    assert told(b"", b"f", bits.IN_ATTRIB, both) == {Change(b"f", Kind.ATTRIBUTES)}
    # A vanished name that nobody wants to hear of does not hide what else happened.
    mask = bits.IN_DELETE | bits.IN_MODIFY
    assert told(b"", b"f", mask, bits.IN_CREATE) == {Change(b"f", Kind.WRITTEN)}
    mask = bits.IN_DELETE | bits.IN_CREATE | bits.IN_MODIFY
    assert told(b"", b"f", mask, bits.IN_DELETE) == {
        Change(b"", Kind.LEVEL),
        Change(b"f", Kind.WRITTEN),
    }


@pytest.mark.parametrize("directory", [b"", b"d"])
def test_a_watched_directory_itself_is_never_hidden(directory: bytes) -> None:
    hide_all = compile_filters(["*"])
    mask = bits.IN_ATTRIB | DIRECTORY
    assert told(directory, b"", mask, rules=hide_all) == {Change(directory, Kind.ATTRIBUTES)}


@pytest.mark.parametrize("anchored", [[], ["/d/x*"]])
def test_excluded_names_are_no_change(anchored: list[str]) -> None:
    rules = compile_filters(["*.tmp", "cache/", *anchored])
    assert told(b"d", b"x.tmp", bits.IN_CREATE, CLASSIC, rules) == set()
    assert told(b"d", b"x.tmp", bits.IN_DELETE, CLASSIC, rules) == set()
    assert told(b"d", b"cache", bits.IN_CREATE | DIRECTORY, CLASSIC, rules) == set()
    # A file of that name is not what `cache/` excludes.
    assert told(b"d", b"cache", bits.IN_CREATE, CLASSIC, rules) == {Change(b"d/cache", Kind.ENTRY)}
    expected = set() if anchored else {Change(b"d/xx", Kind.ENTRY)}
    assert told(b"d", b"xx", bits.IN_CREATE, CLASSIC, rules) == expected
    assert told(b"", b"xx", bits.IN_CREATE, CLASSIC, rules) == {Change(b"xx", Kind.ENTRY)}
