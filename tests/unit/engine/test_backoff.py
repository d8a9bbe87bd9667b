"""The waits between tries."""

from __future__ import annotations

import pytest

from inosync.engine.backoff import Backoff


def steady() -> float:
    return 0.0


def test_waits_double_up_to_the_ceiling() -> None:
    backoff = Backoff(1, 300, random=steady)
    waits = [backoff.failed() for _ in range(11)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert backoff.failures == 11


def test_jitter_takes_up_to_half_away() -> None:
    assert Backoff(8, 300, random=lambda: 0.5).failed() == 6
    assert Backoff(8, 300, random=lambda: 0.999999).failed() == pytest.approx(4, abs=0.001)


def test_slowly_goes_to_the_ceiling_at_once() -> None:
    backoff = Backoff(1, 300, random=steady)
    assert backoff.failed(slowly=True) == 300
    assert backoff.failures == 1


def test_it_never_gives_up_and_never_overflows() -> None:
    backoff = Backoff(1, 300, random=steady)
    backoff.failures = 10**9
    assert backoff.failed() == 300


def test_success_begins_anew() -> None:
    backoff = Backoff(1, 300, random=steady)
    backoff.failed()
    backoff.failed()
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.failed() == 1
