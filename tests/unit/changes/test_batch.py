"""Batches and how they merge."""

from __future__ import annotations

from inosync.changes.batch import (
    MOST_FILES,
    MOST_GONE,
    Batch,
    Gathering,
    chained,
    collect,
    full_pass,
    merged,
)
from inosync.changes.changes import Change, Changes, Kind, Move
from inosync.changes.doubts import LOST, MOST, NO_DOUBTS, Doubts

NOW = 10_000.0


def test_contents_are_compared_when_either_batch_says_so() -> None:
    plain, thorough = full_pass("rfull", 1.0), full_pass("repair", 2.0, contents=True)
    assert [b.contents for b in (plain, plain.merge(thorough), thorough.merge(plain))] == [
        False,
        True,
        True,
    ]
    assert thorough.again().contents


def test_changes_are_kept() -> None:
    batch = collect(entries(b"a", b"b", b"a"), NOW)
    assert batch is not None
    assert batch.changes == frozenset(entries(b"a", b"b"))
    more = collect(entries(b"c"), NOW)
    assert more is not None
    assert batch.merge(more).changes == frozenset(entries(b"a", b"b", b"c"))


def test_changes_that_are_not_known_stand_for_everything() -> None:
    known = collect(entries(b"a"), NOW)
    unknown = full_pass("rfull", NOW)
    assert known is not None
    assert unknown.doubts == NO_DOUBTS
    assert known.merge(unknown).changes is None
    assert unknown.merge(known).changes is None
    assert full_pass("x", NOW).merge(known).changes is None
    # What may have other content is remembered all the same.
    for batch in (known.merge(unknown), unknown.merge(known), known.nameless()):
        assert (batch.changes, batch.doubts) == (None, Doubts(frozenset({b"a"})))
    lost = known.merge(full_pass("overflow", NOW, lost=True))
    assert lost.doubts == LOST | known.nameless().doubts
    assert lost.again().doubts == lost.nameless().doubts == lost.doubts


def test_changes_are_kept_beside_renames() -> None:
    one = collect(entries(b"a"), NOW, moves=[Move(b"x", b"y")])
    other = collect(entries(b"b"), NOW + 1, moves=[Move(b"y", b"z")])
    assert one is not None
    assert other is not None
    batch = one.merge(other)
    assert batch.changes == frozenset(entries(b"a", b"b"))
    assert batch.moves == (Move(b"x", b"z", (b"y",)),)


def test_too_many_changes_are_not_kept() -> None:
    many = entries(*[b"%d" % number for number in range(MOST)])
    batch = collect(many, NOW)
    assert batch is not None
    assert batch.changes is not None
    one = collect(entries(b"x"), NOW)
    assert one is not None
    assert batch.merge(one).changes is None
    too_many = collect(Changes.of([*many, *entries(b"x")]), NOW)
    assert too_many is not None
    assert too_many.changes is None
    assert too_many.doubts == Doubts(folders=frozenset({b""}))
    assert batch.merge(one).doubts == too_many.doubts


def test_the_same_once_more() -> None:
    batch = Batch(NOW, 1, (b"a",), moves=(Move(b"x", b"y"),))
    again = batch.again()
    assert again.repeated
    assert again.moves == ()  # done already
    assert (again.since, again.count, again.sample) == (NOW, 1, (b"a",))


def test_the_same_with_deletions() -> None:
    batch = Batch(NOW, 1, (b"d/a",), changes=entries(b"d/a"), named=True, repeated=True)
    more = batch.with_levels([b"d"])
    assert more.changes == {Change(b"d/a", Kind.ENTRY), Change(b"d", Kind.LEVEL)}
    assert (more.since, more.count, more.named, more.repeated) == (NOW, 1, True, True)
    assert batch.nameless().with_levels([b"d"]).changes is None


def entries(*paths: bytes) -> Changes:
    return Changes.of(Change(path, Kind.ENTRY) for path in paths)


def test_nothing_collects_to_nothing() -> None:
    assert collect(Changes(), NOW) is None


def test_a_batch_counts_and_remembers_a_few_names() -> None:
    batch = collect(entries(b"a", b"b", b"c", b"d"), NOW)
    assert batch is not None
    assert (batch.since, batch.count, batch.sample) == (NOW, 4, (b"a", b"b", b"c"))


def test_merging_keeps_the_oldest_time_and_the_first_names() -> None:
    one = Batch(NOW + 5, 2, (b"a", b"b"))
    other = Batch(NOW, 3, (b"c", b"d"))
    assert one.merge(other) == Batch(NOW, 5, (b"a", b"b", b"c"))


def test_a_demand_for_a_full_pass_survives_merging_on_either_side() -> None:
    full = full_pass("overflow", NOW)
    batch = Batch(NOW, 1, (b"a",))
    assert batch.merge(full).reason == "overflow"
    assert full.merge(batch).reason == "overflow"
    assert full.merge(full_pass("later", NOW)).reason == "overflow"


def test_a_million_changes_stay_as_small_as_three() -> None:
    batch = full_pass("start", NOW)
    for _ in range(1000):
        more = collect(entries(*[b"x"] * 1000), NOW)
        assert more is not None
        batch = batch.merge(more)
    assert batch.count == 1_000_000
    assert len(batch.sample) == 3


def test_merged_takes_what_there_is() -> None:
    batch = Batch(NOW, 1)
    assert merged(None, None) is None
    assert merged(batch, None) is batch
    assert merged(None, batch) is batch
    both = merged(batch, batch)
    assert both is not None
    assert both.count == 2


def test_a_gathering_stands_for_all_that_was_added_since_it_was_taken() -> None:
    gathering = Gathering()
    assert not gathering
    assert gathering.take() is None
    gathering.add(entries(b"a", b"b"), NOW, moves=[Move(b"x", b"y")])
    gathering.add(Changes.of([Change(b"d", Kind.LEVEL)] * 2), NOW + 1)
    gathering.add(entries(b"b"), NOW + 2, moves=[Move(b"y", b"z")])
    assert gathering
    first = gathering.take()
    assert first is not None
    assert first.changes == {*entries(b"a", b"b"), Change(b"d", Kind.LEVEL)}
    assert (first.since, first.count, first.sample) == (NOW, 5, (b"a", b"b", b"d"))
    assert first.moves == (Move(b"x", b"z", (b"y",)),)
    assert not gathering
    gathering.add(entries(b"c"), NOW + 9)
    second = gathering.take()
    assert second == Batch(NOW + 9, 1, (b"c",), changes=entries(b"c"))
    assert first.changes == {*entries(b"a", b"b"), Change(b"d", Kind.LEVEL)}


def test_what_is_added_to_a_gathering_is_left_as_it_is() -> None:
    gathering = Gathering()
    changes = entries(b"a")
    gathering.add(changes, NOW)
    gathering.add(entries(b"b"), NOW)
    assert changes == entries(b"a")


def test_a_gathering_is_bounded() -> None:
    gathering = Gathering()
    half = MOST // 2
    for start in (0, half):
        gathering.add(entries(*[b"%d" % (start + n) for n in range(half)]), NOW)
    gathering.add(entries(b"0"), NOW)  # known already
    gathering.add(entries(b"x"), NOW)
    gathering.add(entries(b"y"), NOW)
    batch = gathering.take()
    assert batch is not None
    assert (batch.count, batch.changes) == (MOST + 3, None)
    assert batch.doubts == Doubts(folders=frozenset({b""}))  # "y" is in there


FILE = Move(b"a", b"b", file=True)


def test_a_file_that_is_written_after_its_rename_is_not_sure() -> None:
    one = collect(entries(b"b"), NOW, moves=[FILE])
    assert one is not None
    for path, kind, sure in (
        (b"b", Kind.ENTRY, False),
        (b"b", Kind.WRITTEN, False),
        (b"b", Kind.LEVEL, True),
        (b"a", Kind.ENTRY, True),  # that is for others to judge
    ):
        later = collect(Changes.of([Change(path, kind)]), NOW + 1)
        assert later is not None
        assert one.merge(later).moves == (FILE._replace(sure=sure),)
    directory = collect(entries(b"b"), NOW, moves=[Move(b"a", b"b")])
    again = collect(entries(b"b"), NOW)
    assert directory is not None
    assert again is not None
    assert directory.merge(again).moves == (Move(b"a", b"b"),)
    assert one.merge(full_pass("x", NOW)).moves == (FILE,)


def test_renames_of_files_are_one_and_apart_from_directories() -> None:
    further = Move(b"b", b"c", file=True)
    assert chained([FILE, further]) == (Move(b"a", b"c", (b"b",), file=True),)
    (unsure,) = chained([FILE._replace(sure=False), further])
    assert not unsure.sure
    (unsure,) = chained([FILE, further._replace(sure=False)])
    assert not unsure.sure
    assert chained([FILE, Move(b"b", b"c")]) == (Move(b"b", b"c"), FILE)
    many = [Move(b"a%d" % n, b"b%d" % n, file=True) for n in range(MOST_FILES + 1)]
    assert len(chained([*many, Move(b"x", b"y")])) == MOST_FILES + 1


def test_a_gathering_doubts_renamed_files_that_change_later() -> None:
    gathering = Gathering()
    gathering.add(entries(b"b"), NOW, moves=[FILE, FILE._replace(old=b"c", new=b"d")])
    gathering.add(entries(b"b"), NOW + 1)
    batch = gathering.take()
    assert batch is not None
    assert [move.sure for move in batch.moves] == [False, True]


def test_what_has_vanished_is_remembered_where_changes_are_not() -> None:
    gathering = Gathering()
    assert not gathering
    gathering.add(Changes(), NOW, gone=frozenset({b"a"}))
    assert gathering
    assert gathering.since == NOW
    gathering.add(entries(*(b"%d" % number for number in range(MOST + 1))), NOW + 1)
    gathering.add(Changes(), NOW + 2, gone=frozenset({b"d/"}))
    batch = gathering.take()
    assert batch is not None
    assert (batch.since, batch.changes, batch.gone) == (NOW, None, {b"a", b"d/"})
    assert batch.again().gone == batch.nameless().gone == batch.gone
    alone = batch.vanished()
    assert alone is not None
    assert (alone.count, alone.changes, alone.gone, alone.empty) == (0, set(), batch.gone, False)
    assert Batch(NOW, 1, changes=Changes()).vanished() is None
    assert Batch(NOW, 1, changes=Changes()).empty
    assert not gathering
    assert gathering.take() is None


def test_no_more_that_has_vanished_is_remembered_than_so_much() -> None:
    def gone(*numbers: int) -> Batch:
        paths = frozenset(b"%d" % number for number in numbers)
        return Batch(NOW, 1, changes=Changes(), gone=paths)

    first = gone(*range(MOST_GONE - 1))
    assert first.merge(gone(1, 2)).gone is first.gone
    assert gone().merge(first).gone is first.gone
    assert first.gone < first.merge(gone(-1)).gone
    full = first.merge(gone(-1, -2, -3))
    assert len(full.gone) == MOST_GONE
    assert full.merge(gone(-4, -5)).gone == full.gone
