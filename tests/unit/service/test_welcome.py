"""Where runs that stand ready are welcome, with numbers for the time."""

from __future__ import annotations

import pytest
from support.configs import make_pair

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
