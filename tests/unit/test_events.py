"""The event filter."""

from __future__ import annotations

import pyinotify
import pytest

from inosync import events
from inosync.events import Change, Event, Kind, admit
from inosync.filters import compile_filters

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


@pytest.mark.parametrize(
    ("directory", "name", "path"),
    [(b"", b"", b""), (b"", b"a", b"a"), (b"a/b", b"c", b"a/b/c"), (b"a", b"", b"a")],
)
def test_the_path_of_an_event(directory: bytes, name: bytes, path: bytes) -> None:
    assert Event(directory, name, 0).path == path


@pytest.mark.parametrize(
    ("mask", "change"),
    [
        (events.IN_CLOSE_WRITE, Change(b"d/f", Kind.ENTRY)),
        (events.IN_CREATE, Change(b"d/f", Kind.ENTRY)),
        (events.IN_MOVED_TO, Change(b"d/f", Kind.ENTRY)),
        (events.IN_ATTRIB | events.IN_ISDIR, Change(b"d/f", Kind.ENTRY)),
        (events.IN_DELETE, Change(b"d", Kind.LEVEL)),
        (events.IN_MOVED_FROM | events.IN_ISDIR, Change(b"d", Kind.LEVEL)),
        (events.IN_CREATE | events.IN_DELETE, Change(b"d", Kind.LEVEL)),
        (events.IN_CREATE | events.IN_ISDIR, Change(b"d/f", Kind.TREE)),
        (events.IN_MOVED_TO | events.IN_ISDIR, Change(b"d/f", Kind.TREE)),
        (events.IN_OPEN, None),
        (events.IN_MODIFY, Change(b"d/f", Kind.WRITTEN)),
        (events.IN_MODIFY | events.IN_CLOSE_WRITE, Change(b"d/f", Kind.ENTRY)),
    ],
)
def test_what_an_event_stands_for(mask: int, change: Change | None) -> None:
    assert admit(Event(b"d", b"f", mask), events.DEFAULT_EMASK, NONE) == change


def test_what_emask_leaves_out_is_no_change() -> None:
    event = Event(b"", b"f", events.IN_ATTRIB)
    assert admit(event, CLASSIC, NONE) is None
    assert admit(event, CLASSIC | events.IN_ATTRIB, NONE) == Change(b"f", Kind.ENTRY)


def test_the_source_itself_is_never_hidden() -> None:
    event = Event(b"", b"", events.IN_ATTRIB | events.IN_ISDIR)
    hide_all = compile_filters(["*"])
    assert admit(event, events.DEFAULT_EMASK, hide_all) == Change(b"", Kind.ENTRY)


def test_excluded_names_are_no_change() -> None:
    rules = compile_filters(["*.tmp", "cache/"])
    assert admit(Event(b"d", b"x.tmp", events.IN_CREATE), CLASSIC, rules) is None
    assert admit(Event(b"d", b"cache", events.IN_CREATE | events.IN_ISDIR), CLASSIC, rules) is None
    # A file of that name is not what `cache/` excludes.
    assert admit(Event(b"d", b"cache", events.IN_CREATE), CLASSIC, rules) is not None
