"""When a person says that something was there."""

from __future__ import annotations

import time

import pytest

from inosync.commands.restore import moment_of
from inosync.errors import ConfigError

NOW = 1_795_867_200.0


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("yesterday", NOW - 86_400),
        ("2 hours ago", NOW - 7200),
        ("1.5 days", NOW - 129_600),
        ("1 minute ago", NOW - 60),
        ("2026-11-28T12:00:00+00:00", NOW),
        ("2026-11-28 12:00:01Z", NOW + 1),
    ],
)
def test_times_that_are_understood(text: str, meant: float) -> None:
    assert moment_of(text, NOW) == meant


def test_times_by_the_clock_of_this_place() -> None:
    here = time.localtime(NOW)
    assert moment_of(time.strftime("%Y-%m-%d %H:%M", here), NOW) == NOW
    assert moment_of(time.strftime("%H:%M:%S", here), NOW) == NOW
    midnight = time.localtime(moment_of(time.strftime("%Y-%m-%d", here), NOW))
    assert (midnight.tm_hour, midnight.tm_mday) == (0, here.tm_mday)


@pytest.mark.parametrize("text", ["soon", "2 hours later", "25:00", ""])
def test_times_that_are_not(text: str) -> None:
    with pytest.raises(
        ConfigError, match="is no time; write it as 2026-11-27 14:03, 14:03, yester"
    ):
        moment_of(text, NOW)
