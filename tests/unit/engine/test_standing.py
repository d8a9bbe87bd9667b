"""How things stand: who is behind, what is held, and what is left as it is."""

from __future__ import annotations

from support.engines import DAY, NOW, ONE, held_source, make_engine, starts, written

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import Outcome
from inosync.engine.ailing import Ailing
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Complaint


def test_a_mirror_is_behind_from_the_first_change_that_waits_for_others_or_to_rest() -> None:
    engine = make_engine(rsettle=(("*.log", 30.0),), rbigsize=100)
    (source,) = engine.config.sources
    mirror, lane = engine.mirrors
    assert engine.behind_since(mirror) is None
    engine.changed(source, Changes.of([Change(b"a.log", Kind.ENTRY)]), NOW)
    assert engine.due(NOW + 1) == []
    assert engine.behind_since(mirror) == engine.behind_since(lane) == NOW
    engine.exited(*starts(engine.due(NOW + 31)), Outcome(0), NOW + 31)
    assert engine.behind_since(mirror) is None
    engine.changed(source, ONE, NOW + 40)
    assert engine.behind_since(mirror) == NOW + 40
    assert engine.behind_since(lane) is None, "nothing of it is big"
    engine.changed(source, ONE, NOW + 41, big=ONE)
    assert engine.behind_since(lane) == NOW + 41


def test_a_mirror_is_behind_when_a_file_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    engine.changed(engine.config.sources[0], written(b"f"), NOW)
    assert engine.behind_since(engine.mirrors[0]) == NOW


def test_what_is_left_apart_is_gathered_from_both_lanes() -> None:
    engine = make_engine(rbigsize=1000, rsettle=(("*.iso", 60.0),))
    mirror, lane = engine.mirrors
    source = mirror.pair.source
    one = Changes.of([Change(b"big", Kind.ENTRY)])
    bad = Complaint(b"bad", Cause.UNREADABLE, "")
    lane.ailing = {b"bad": Ailing(bad, NOW, 1, NOW + 10 * DAY)}
    engine.changed(source, Changes.of([Change(b"a.iso", Kind.ENTRY)]), NOW)
    assert not engine.beside_giants(mirror)
    lane.offer(Batch(NOW, 1, changes=one))
    apart = engine.apart(mirror, lost=frozenset([b"disk"]))
    assert apart.paths.keys() == {b"a.iso", b"bad", b"disk", b"big"}
    assert not apart.giants
    assert engine.beside_giants(mirror)
    lane.seek(NOW)
    assert engine.apart(mirror).giants == 1000


def test_a_held_source_is_held_for_each_node_that_is_not_free() -> None:
    engine, _ = held_source("n1:/m")
    assert [engine.held_for(mirror) for mirror in engine.mirrors] == ["is gone", ""]
    # It follows the source no more, and nothing says what it lacks.
    since = [engine.behind_since(mirror) for mirror in engine.mirrors]
    assert since == [engine.sources[engine.mirrors[0].pair.source.path].held_since, None]
