"""Engines as snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.rsync.output import Transferred
from inosync.status.layout import Line, picture
from inosync.status.model import Snapshot
from inosync.status.snapshot import Facts, snapshot
from support.configs import make_config, make_pair

NOW = 10_000.0


WALL = 1_700_000_000.0


@dataclass
class Watching:
    """What a watcher would tell."""

    watched: int = 12
    events: int = 34
    overflows: int = 1
    unwatched: dict[bytes, str] = field(default_factory=dict)


def facts(now: float = NOW) -> Facts:
    """What is to be known at `now`, of a process that was begun 100 seconds before NOW."""
    return Facts(
        version="1.2.3",
        pid=4711,
        rss=30 * 2**20,
        began=NOW - 100,
        loaded=NOW - 50,
        now=now,
        wall=WALL + now - NOW,
    )


def make_engine() -> Engine:
    return Engine(make_config([make_pair(None, "a:/m"), make_pair(None, "b:/m")]), lambda: 0.0)


def one_well_and_one_failing() -> Engine:
    engine = make_engine()
    engine.watched(engine.config.sources[0], NOW)
    engine.due(NOW)
    well, failing = engine.mirrors
    engine.exited(well, Outcome(0, Transferred(3, 4000, 1)), NOW + 1)
    engine.exited(failing, Outcome(127, evidence=("sh: rsync: not found",)), NOW + 1)
    return engine


def take(engine: Engine, now: float, watching: Watching | None = None, **more: Any) -> Snapshot:
    return snapshot(engine, {"/srv/www": watching or Watching()}, facts(now), **more)


def plain(lines: Iterable[Line]) -> list[str]:
    """Return lines without what they are to the eye."""
    return ["".join(part for part, _ in line) for line in lines]


def texts(now: Snapshot, columns: int | None = None) -> list[str]:
    """Return the lines of ``--status``."""
    return plain(picture(now, columns))
