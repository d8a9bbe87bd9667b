"""The lookout over a source, with the real kernel."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_settings, make_source

from inosync.watch.lookout import Lookout


@pytest.mark.parametrize("root_only", [False, True])
def test_it_says_whether_directories_are_still_to_be_watched(
    tmp_path: Path, *, root_only: bool
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    source = make_source(str(tmp_path))
    lookout = Lookout(source, make_config([make_pair(source)]), root_only=root_only)
    assert not lookout.walking
    assert lookout.open() == ""
    assert lookout.walking  # before anything has happened
    while lookout.walk():
        assert lookout.walking
    assert not lookout.walking
    lookout.close()


def test_where_events_do_not_tell_all_it_is_looked_through_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    for number in range(5000):
        (tmp_path / str(number)).touch()
    source = make_source(str(tmp_path))
    lookout = Lookout(source, make_config([make_pair(source)], rpoll=5.0))
    assert lookout.open() == ""
    assert lookout.poll is not None
    slices = 0
    while lookout.walk():
        slices += 1
        assert not lookout.poll.ready
    assert slices > 1
    assert lookout.walked
    assert lookout.poll.ready
    assert not lookout.sees_all
    lookout.close()


def test_without_eopen_a_truncated_file_is_heard_and_an_open_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"some lines")
    (tmp_path / "data").write_bytes(b"some bytes")
    source = make_source(str(tmp_path))
    lookout = Lookout(source, make_config([make_pair(source)], eopen=0.0))
    assert lookout.open() == ""
    assert not lookout.walk()

    def heard() -> list[bytes]:
        changes, _ = lookout.read()
        return list(changes.entries)

    os.truncate(tmp_path / "data", 4)
    assert heard() == [b"data"]
    with open(tmp_path / "log", "r+b", buffering=0) as log:
        log.write(b"more")
        assert heard() == []
        os.truncate(tmp_path / "log", 2)
        assert heard() == []
        log.write(b"more")
    assert heard() == [b"log"]
    # What is no file is never open; and what has gone has an event of its own.
    os.symlink("data", tmp_path / "link")
    os.truncate(tmp_path / "data", 2)
    (tmp_path / "data").unlink()
    assert heard() == [b"link"]
    with open(tmp_path / "log", "ab"):
        assert lookout.files.being_written(b"log")
    assert not any(map(lookout.files.being_written, (b"log", b"link", b"data", b"")))
    lookout.close()


@pytest.mark.parametrize("more", [{"eopen": 0.0}, {"wmarker": ".m"}, {"rsettle": (("a", 1.0),)}])
def test_it_does_for_another_config_unless_that_says_something_else_of_its_source(
    tmp_path: Path, more: dict[str, object]
) -> None:
    one, other = make_source(str(tmp_path)), make_source("/other")
    config = make_config([make_pair(one), make_pair(other, "b:/m")])
    lookout = Lookout(one, config)
    own, others = config.settings[0], make_settings(**more)
    assert lookout.fits(one, dataclasses.replace(config, settings=(own, others)))
    assert not lookout.fits(one, dataclasses.replace(config, settings=(others, own)))
