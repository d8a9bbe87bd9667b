"""Batches and how they merge."""

from __future__ import annotations

from inosync.changes import Batch, collect, full_pass, merged
from inosync.events import Change, Kind

NOW = 10_000.0


def entries(*paths: bytes) -> list[Change]:
    return [Change(path, Kind.ENTRY) for path in paths]


def test_nothing_collects_to_nothing() -> None:
    assert collect([], NOW) is None


def test_a_batch_counts_and_remembers_a_few_names() -> None:
    batch = collect(entries(b"a", b"b", b"c", b"d"), NOW)
    assert batch == Batch(NOW, 4, (b"a", b"b", b"c"))


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
