"""Memory that was freed goes back to the kernel: once, when the last run has ended."""

from __future__ import annotations

import ctypes

import pytest

from inosync.service.thrift import MUCH, Thrift
from inosync.system.process import resident

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library has no malloc_trim"
)


def flood() -> list[bytes]:
    """Use much memory, and free it but for a little at its upper end, which holds all of it."""
    blocks = [bytes(2000) for _ in range(20_000)]
    return blocks[-1:]


def test_when_the_last_run_has_ended_what_was_freed_is_given_back() -> None:
    working = True
    thrift = Thrift(lambda: working)
    thrift.due(0.0)
    kept = flood()
    thrift.due(0.0)
    high = resident()
    working = False
    thrift.due(0.0)
    assert high - resident() > 20 * MUCH
    assert kept
    assert thrift.deadline() is None


def test_not_again_until_it_is_much() -> None:
    working = [True]
    thrift = Thrift(lambda: working[0])
    for now in (True, False):
        working[0] = now
        thrift.due(0.0)
    least = resident()
    kept = flood()
    high = resident()
    assert high > least + 20 * MUCH
    thrift.due(0.0)  # nothing has run since
    assert resident() > least + 20 * MUCH
    for now in (True, False):
        working[0] = now
        thrift.due(0.0)
    assert resident() < high - 20 * MUCH
    assert kept
