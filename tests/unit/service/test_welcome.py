"""Where runs that stand ready are welcome, with numbers for the time."""

from __future__ import annotations

import pytest
from support.configs import make_pair

from inosync.config.model import Pair
from inosync.engine.backoff import Backoff
from inosync.engine.mirror import Mirror
from inosync.service.welcome import MOST_OF_A_HOST, Welcome, host_of

NOW = 10_000.0
ONE, OTHER = make_pair(None, "a:/m"), make_pair(None, "a:/n")


def test_a_node_that_ends_them_is_asked_ever_more_rarely() -> None:
    known = Welcome()
    assert known.at(ONE, NOW)
    for wait in (10, 20, 40):
        known.refused(ONE, NOW)
        assert not known.at(ONE, NOW + wait - 0.1)
        assert known.at(ONE, NOW + wait)
    assert known.at(OTHER, NOW)
    for _ in range(20):
        known.refused(ONE, NOW)
    assert known.at(ONE, NOW + 3600)
    known.went_well(ONE)
    assert known.at(ONE, NOW)
    known.went_well(OTHER)


def test_what_a_node_and_a_host_let_in() -> None:
    known = Welcome()
    assert not known.is_open(ONE)
    known.opened(ONE)
    assert known.is_open(ONE)
    assert not known.is_open(OTHER)
    host = host_of(ONE)
    assert host is not None
    assert known.most(host) == MOST_OF_A_HOST
    known.only(host, 1)
    assert known.most(host) == 1


def mirror_of(pair: Pair) -> Mirror:
    return Mirror(pair, Backoff(1.0, 2.0, random=lambda: 0.0))


def test_a_run_is_kept_out_by_what_was_there_since_it_began() -> None:
    known, (one, other) = Welcome(), map(mirror_of, (ONE, make_pair(None, "b:/m")))
    assert not known.kept_out(one, NOW, NOW + 1, there=False)
    known.gone(host_of(ONE), NOW)
    assert not known.kept_out(other, NOW, NOW + 1, there=False)
    assert not known.kept_out(one, NOW + 0.1, NOW + 1, there=False)
    assert known.kept_out(one, NOW, NOW + 1, there=False)
    assert known.kept_out(other, NOW, NOW + 1, there=True)
    assert not known.at(ONE, NOW + 1)  # beside the other


def test_it_is_made_once_more_and_no_oftener() -> None:
    known, mirror = Welcome(), mirror_of(ONE)
    assert known.kept_out(mirror, NOW, NOW + 1, there=True)
    assert known.kept_out(mirror, NOW, NOW + 2, there=True)  # of slices that are made at once
    known.let_in(mirror, NOW, NOW + 3)
    assert not known.kept_out(mirror, NOW + 1, NOW + 4, there=True)
    assert known.at(ONE, NOW + 12)  # it was not for ours
    known.let_in(mirror, NOW + 20, NOW + 20)
    assert known.at(ONE, NOW + 20)


def test_a_host_without_room_for_them_is_asked_ever_more_rarely() -> None:
    known, mirror, at = Welcome(), mirror_of(ONE), NOW
    for wait in (10, 20, 40):
        assert known.kept_out(mirror, at, at, there=True)
        known.let_in(mirror, at + 1, at + 1)
        assert not known.at(OTHER, at + wait)  # of the same host
        at += wait + 1
        assert known.at(OTHER, at)
        known.went_well(ONE)  # as each does that waits there
    known.let_in(mirror, at, at)
    assert known.at(ONE, at)


@pytest.mark.parametrize(
    ("destination", "host"),
    [
        ("/m", None),
        ("a:/m", ("a", 0)),
        ("ssh://u@a:2/m", ("a", 2)),
        ("a::m", ("a", 0)),
        ("rsync://a:8730/m/", ("a", 8730)),
    ],
)
def test_which_host_it_is(destination: str, host: tuple[str, int] | None) -> None:
    assert host_of(make_pair(None, destination)) == host
