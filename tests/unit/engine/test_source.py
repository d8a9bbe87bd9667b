"""What the engine knows of one source: who may follow it, and what it has gathered."""

from __future__ import annotations

from support.configs import make_source

from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import MOST
from inosync.engine.debounce import Debounce
from inosync.engine.source import SourceState, without_unsettled
from inosync.planning.resting_files import Settling, compile_rules

NOW = 10_000.0
FREE = frozenset(["one"])


def state() -> SourceState:
    return SourceState(make_source(), Debounce(10.0, 10.0), Debounce(60.0, 60.0))


def test_nobody_may_follow_what_is_not_watched() -> None:
    it = state()
    assert not it.open
    it.resume()
    assert it.open
    assert it.open_for("one")


def test_held_for_all_and_then_for_all_but_one() -> None:
    it = state()
    it.resume()
    assert it.hold("is gone", frozenset(), NOW) == frozenset()
    assert not it.open
    assert it.hold("is empty", FREE, NOW + 5) == FREE
    assert it.open
    assert (it.open_for("one"), it.open_for("other")) == (True, False)
    assert it.held_since == NOW  # it has been held all the time
    assert it.hold("is empty", FREE, NOW + 6) == frozenset()  # nothing new for the one
    it.deafen(NOW + 7)  # watched anew since
    assert it.hold("is empty", FREE, NOW + 7) == FREE
    it.resume()
    assert it.open_for("other")


def test_a_hold_that_leaves_some_alone_owes_them_nothing() -> None:
    it = state()
    it.resume()
    assert it.hold("is elsewhere", FREE, NOW) == frozenset()
    assert it.held_since == NOW


def test_what_nobody_hears_of_lags_until_the_watches_stand() -> None:
    it = state()
    assert it.since(big=False) is None
    it.deafen(NOW)
    it.deafen(NOW + 1)
    assert it.since(big=False) == it.since(big=True) == NOW
    it.resume()
    assert it.since(big=False) is None
    it.deafen(NOW + 2)
    anew = state()
    anew.inherit(it)
    assert anew.since(big=False) == NOW + 2


def test_all_that_was_gathered_goes_together() -> None:
    it = state()
    it.batch.add(Changes.of([Change(b"a", Kind.ENTRY)]), NOW + 1)
    it.written.add(Changes.of([Change(b"log", Kind.WRITTEN)]), NOW)
    it.debounce.touch(NOW + 1)
    it.unclosed.touch(NOW)
    batch, big = it.take()
    assert batch.changes == {Change(b"a", Kind.ENTRY), Change(b"log", Kind.WRITTEN)}
    assert (batch.since, big) == (NOW, None)
    assert (it.debounce.deadline, it.unclosed.deadline) == (None, None)


def test_after_a_change_of_the_config_it_is_held_as_before() -> None:
    old, new = state(), state()
    old.hold("is gone", FREE, NOW)
    old.short, old.full_at = True, NOW + 300
    new.inherit(old)
    assert (new.held, new.free, new.watched) == ("is gone", FREE, True)
    assert (new.short, new.full_at) == (True, NOW + 300)


def test_files_that_have_to_rest_are_taken_out() -> None:
    settling = Settling(compile_rules((("*.iso", 10.0),), prefix=""))
    iso, other = Change(b"a.iso", Kind.ENTRY), Change(b"b", Kind.ENTRY)
    left, big = without_unsettled(settling, Changes.of([iso, other]), Changes.of([iso]), NOW)
    assert (left, big) == ({other}, set())
    assert settling.paths == {b"a.iso"}
    same = Changes.of([iso])
    assert without_unsettled(Settling(), same, same, NOW) == (same, same)


def test_what_is_in_store_is_not_owed_yet() -> None:
    there = state()
    assert not there.gathering
    there.batch.add(Changes.of([Change(b"f", Kind.ENTRY)]), NOW)
    assert there.gathering
    there.take()
    assert not there.gathering
    there.short = True  # in some directories nothing is heard
    assert there.gathering


def test_what_was_heard_may_have_changed() -> None:
    it = state()
    assert not it.heard(b"a")
    it.batch.add(Changes.of([Change(b"tree", Kind.TREE)]), NOW)
    it.written.add(Changes.of([Change(b"log", Kind.WRITTEN)]), NOW)
    assert [it.heard(path) for path in (b"tree/below", b"log", b"log/x", b"a")] == [
        True,
        True,
        False,
        False,
    ]
    it.batch.add(Changes.of(Change(b"%d" % n, Kind.ENTRY) for n in range(MOST + 1)), NOW)
    assert it.heard(b"a"), "it is not known any more what has changed"
