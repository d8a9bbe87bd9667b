"""When a person says that something was there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.commands.restore import exceeds, moment_of, room
from inosync.errors import ConfigError
from inosync.rsync.kept import KEPT

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


def test_room_for_what_gives_way_is_there_beforehand_and_no_longer_than_it_is_needed(
    tmp_path: Path,
) -> None:
    day = tmp_path / KEPT / "2026-11-28"
    with room(str(tmp_path), "2026-11-28/120000.000000Z"):
        assert day.is_dir()
    assert not (tmp_path / KEPT).exists()
    with room(str(tmp_path), "2026-11-28/120000.000000Z"):
        (day / "120000.000000Z").mkdir()
    with room(str(tmp_path), "2026-11-29/120000.000000Z"):
        pass
    assert [path.name for path in (tmp_path / KEPT).iterdir()] == ["2026-11-28"]


def test_no_room_is_made_where_a_link_leads_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to" / KEPT).symlink_to(tmp_path / "elsewhere")
    with room(str(tmp_path / "to"), "2026-11-28/120000.000000Z"):
        assert not any((tmp_path / "elsewhere").iterdir())
    assert (tmp_path / "to" / KEPT).is_symlink()


def test_who_brings_back_much_is_told_that_mirrors_are_held() -> None:
    source, other = make_source(), make_source("/srv/other")
    pairs = [
        make_pair(source, "/m"),
        make_pair(source, "/n", rmaxchange=5),
        make_pair(other, "/o", rmaxchange=1),
    ]
    config = make_config(pairs)
    assert [exceeds(config, source, replaced) for replaced in (0, 5, 6)] == [False, False, True]
    assert not exceeds(make_config(pairs[:1]), source, 9)
