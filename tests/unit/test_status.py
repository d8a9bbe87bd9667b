"""The status, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.configs import make_config, make_pair

from inosync.actions import Outcome
from inosync.engine import Engine
from inosync.status import lines

NOW = 10_000.0


@dataclass
class Watching:
    """What a watcher would tell."""

    watched: int = 12
    events: int = 34
    overflows: int = 1
    unwatched: dict[bytes, str] = field(default_factory=dict)


def make_engine() -> Engine:
    return Engine(make_config([make_pair(None, "a:/m"), make_pair(None, "b:/m")]), lambda: 0.0)


def test_before_the_watches_stand() -> None:
    assert lines(make_engine(), {"/srv/www": None}, NOW) == [
        "source /srv/www: setting up",
        "mirror /srv/www -> a:/m: idle, in sync, 0 runs, 0 failed",
        "mirror /srv/www -> b:/m: idle, in sync, 0 runs, 0 failed",
    ]


def test_one_well_and_one_failing() -> None:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW)
    engine.due(NOW)
    well, failing = engine.mirrors
    engine.exited(well, Outcome(0), NOW)
    engine.exited(failing, Outcome(127), NOW)
    assert lines(engine, {"/srv/www": Watching()}, NOW + 2.5) == [
        "source /srv/www: watched, 12 directories, 34 events, 1 overflows",
        "mirror /srv/www -> a:/m: idle, in sync, 1 runs, 0 failed",
        "mirror /srv/www -> b:/m: backoff (rsync was not found), 2.5 s behind, "
        "next try in 298 s, 1 runs, 1 failed",
    ]


def test_a_held_source_and_directories_without_a_watch() -> None:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW)
    engine.hold(engine.config.sources[0], "is gone", NOW)
    watching = Watching(unwatched={b"a": "permission denied", b"b": "no watch left"})
    assert lines(engine, {"/srv/www": watching}, NOW)[0] == (
        "source /srv/www: held: is gone, 12 directories, 34 events, 1 overflows, "
        "2 directories unwatched"
    )
