"""The debounce timer, with numbers for time."""

from __future__ import annotations

from inosync.engine.debounce import Debounce

NOW = 10_000.0


def test_the_first_touch_fixes_the_deadline() -> None:
    debounce = Debounce(10, 10)
    assert debounce.deadline is None
    debounce.touch(NOW)
    debounce.touch(NOW + 9)
    assert debounce.deadline == NOW + 10


def test_a_batch_is_taken_once_when_it_is_due() -> None:
    debounce = Debounce(10, 10)
    assert not debounce.take(NOW)
    debounce.touch(NOW)
    assert not debounce.take(NOW + 9.99)
    assert debounce.take(NOW + 10)
    assert debounce.deadline is None
    assert not debounce.take(NOW + 10)


def test_no_delay_is_due_at_once() -> None:
    debounce = Debounce(0, 0)
    debounce.touch(NOW)
    assert debounce.take(NOW)


def test_with_a_cap_each_touch_starts_the_delay_anew() -> None:
    debounce = Debounce(2, 5)
    debounce.touch(NOW)
    debounce.touch(NOW + 1)
    assert debounce.deadline == NOW + 3


def test_the_cap_ends_the_wait_of_a_directory_that_never_rests() -> None:
    debounce = Debounce(2, 5)
    for second in range(5):
        debounce.touch(NOW + second)
    assert debounce.deadline == NOW + 5


def test_after_a_batch_the_cap_counts_from_the_next_touch() -> None:
    debounce = Debounce(2, 5)
    debounce.touch(NOW)
    assert debounce.take(NOW + 2)
    debounce.touch(NOW + 100)
    assert debounce.deadline == NOW + 102
