"""Signals through the wake-up socket."""

from __future__ import annotations

import select
import signal
from collections.abc import Iterator

import pytest

from inosync.system.signals import HANDLED, Signals


@pytest.fixture
def signals() -> Iterator[Signals]:
    caught = Signals()
    yield caught
    caught.close()


def wakes(signals: Signals) -> bool:
    return bool(select.select([signals], [], [], 0)[0])


@pytest.mark.parametrize("number", HANDLED)
def test_a_signal_wakes_the_loop_and_is_handed_out_once(
    signals: Signals, number: signal.Signals
) -> None:
    assert not wakes(signals)
    signal.raise_signal(number)
    assert wakes(signals)
    assert signals.take() == [number]
    assert signals.take() == []
    assert not wakes(signals)


def test_several_keep_their_order(signals: Signals) -> None:
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
        signal.raise_signal(number)
    assert signals.take() == [signal.SIGHUP, signal.SIGTERM, signal.SIGHUP]


def test_children_that_end_at_once_are_asked_once(signals: Signals) -> None:
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGCHLD, signal.SIGTERM):
        signal.raise_signal(number)
    assert signals.take() == [signal.SIGCHLD, signal.SIGTERM, signal.SIGTERM]


def test_a_flood_loses_nothing_that_matters(signals: Signals) -> None:
    for _ in range(100_000):
        signal.raise_signal(signal.SIGCHLD)
    assert signal.SIGCHLD in signals.take()


def test_closing_puts_back_what_was_there() -> None:
    before = {number: signal.getsignal(number) for number in HANDLED}
    Signals().close()
    assert {number: signal.getsignal(number) for number in HANDLED} == before
    assert signal.set_wakeup_fd(-1) == -1
