"""Records are replaced whole, so that nobody sees half of a change."""

from __future__ import annotations

import dataclasses

import pytest

from inosync.engine.records import Brake, Comparison, Failure, Health, Totals, Work

NOTHING = (Work(), Totals(), Health(), Comparison(), Brake(), Failure(0.0, 12, "x"))


@pytest.mark.parametrize("record", NOTHING)
def test_they_are_not_changed_in_place(record: object) -> None:
    name = dataclasses.fields(record)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, 1)


def test_a_mirror_that_is_new_has_done_nothing() -> None:
    work, totals, health, comparison, brake, _ = NOTHING
    assert (work.started, work.steps, work.rehearsing) == (None, None, False)
    assert (totals.runs, totals.failures, totals.moved.files) == (0, 0, 0)
    assert (health.synced, health.ailing) == (False, "")
    assert (comparison.due_at, comparison.drift.count) == (None, 0)
    assert not brake.limited
    assert not brake.approved
