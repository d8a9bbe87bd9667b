"""How often a watcher is read."""

from __future__ import annotations

from inosync.watch.throttle import FREE, LOT, MANY, Pace


def test_a_few_reads_in_a_row_are_free() -> None:
    pace = Pace()
    for number in range(FREE):
        pace.read(1, 10 + number / 10_000)
        assert pace.until is None
    pace.read(1, 10.01)
    assert pace.until == 10.01 + LOT


def busy() -> Pace:
    """One in a pause since 10.0."""
    return Pace(row=FREE, last=10.0, until=10.0 + LOT)


def test_while_events_pour_in_there_is_a_pause_after_each_read() -> None:
    pace = busy()
    for number in range(1, 9):
        now = 10 + LOT * number
        pace.read(500, now)
        assert pace.until == now + LOT


def test_a_read_that_brings_nothing_ends_that() -> None:
    pace = busy()
    for events in (0, 1):
        pace.read(events, 10.0 + LOT)
        assert pace.until is None


def test_a_lull_ends_that() -> None:
    pace = busy()
    pace.read(1, 10.1)
    assert pace.until is None


def test_many_events_are_a_lot_by_themselves() -> None:
    pace = busy()
    now = 10.0 + LOT
    pace.read(MANY, now)
    assert pace.until is None
    pace.read(MANY - 1, now)
    assert pace.until == now + LOT
