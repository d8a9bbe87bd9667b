"""Engines to be told with numbers, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inosync.changes.changes import Change, Changes, Kind, Move
from inosync.config.model import Source
from inosync.engine.actions import (
    INFO,
    Action,
    Outcome,
    Say,
    Start,
)
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror
from inosync.planning.order import Prepared, RunKind
from inosync.planning.steps import Pave, Relink, Step
from inosync.rsync.differences import EQUAL, Difference, Drift
from inosync.rsync.output import Transferred
from support.configs import make_config, make_pair

NOW = 10_000.0

ONE = Changes.of([Change(b"f", Kind.ENTRY)])


#: How a run ends that was killed, after it had written to these directories.
CUT = Outcome(-9, listed=True, cut=True, homes=frozenset((b"", b"d")), on_its_way=True)


def levels(*paths: bytes) -> Changes:
    return Changes(levels=dict.fromkeys(paths))


def entries(*paths: bytes) -> Changes:
    return Changes(entries=dict.fromkeys(paths))


def steady() -> float:
    return 0.0


def make_engine(
    count: int = 1, *, watched: bool = True, rmaxchange: int = 0, **settings: object
) -> Engine:
    node = {"rretry": (1.0, 300.0), "rmaxchange": rmaxchange}
    pairs = [make_pair(None, f"n{number}:/m", **node) for number in range(count)]
    engine = Engine(make_config(pairs, **settings), steady)
    if watched:
        for source in engine.config.sources:
            engine.watched(source, NOW, reason="")
    return engine


def starts(actions: Sequence[Action]) -> list[Mirror]:
    return [action.mirror for action in actions if isinstance(action, Start)]


def said(actions: Sequence[Action], least: int = INFO) -> list[str]:
    return [a.text for a in actions if isinstance(a, Say) and a.level >= least]


def events(actions: Sequence[Action]) -> list[tuple[str, str, str]]:
    """Return what programs are told to have happened: event, node and state."""
    told = [a.about for a in actions if isinstance(a, Say) and a.about and a.about.event]
    return [(str(about.event), about.node, about.state) for about in told]


def started(engine: Engine, now: float = NOW) -> list[Mirror]:
    """Change something and return what runs for it at `now`."""
    source = engine.config.sources[0]
    edelay = engine.config.of(source).edelay
    engine.changed(source, ONE, now - (edelay if isinstance(edelay, float) else 0.0))
    return starts(engine.due(now))


def written(*paths: bytes) -> Changes:
    return Changes(written=dict.fromkeys(paths))


def changing(count: int = 1, **settings: object) -> Engine:
    """An engine with nodes of which the first names what it carries."""
    pairs = [
        make_pair(None, f"n{number}:/m", rscope="tree" if number else "changes")
        for number in range(count)
    ]
    engine = Engine(make_config(pairs, **settings), steady)
    engine.watched(engine.config.sources[0], NOW, reason="")
    return engine


PAVE = Pave((b"./new",))

RELINK = Relink(b"old", b"new", (), (), frozenset({b"old"}))


def step(engine: Engine, mirror: Mirror, *steps: Step) -> None:
    """Let these go before the run that has just been ordered."""
    what = Prepared(RunKind.STEP, ("rsync",), steps=steps, gone=RELINK.gone)
    engine.prepared(mirror, what, NOW)


def stepping(**settings: Any) -> tuple[Engine, Mirror]:
    """Return an engine whose run is to be preceded by two steps; the first is at work."""
    engine = make_engine(**settings)
    source = engine.config.sources[0]
    engine.changed(source, ONE, NOW - 10, moves=[Move(b"old", b"new")])
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    if action.order.kind is RunKind.REHEARSAL:
        engine.exited(action.mirror, Outcome(0), NOW)
        (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.moves == (Move(b"old", b"new"),)
    step(engine, action.mirror, PAVE, RELINK)
    return engine, action.mirror


#: A file with several names, of which one is known to have changed.
LINKED = {(1, 7): frozenset([b"f"])}


def tell_linked(engine: Engine, now: float) -> None:
    what = Prepared(RunKind.LISTED, ("rsync",), (b"./f",), linked=LINKED)
    engine.prepared(engine.mirrors[0], what, now)


def rehearsed(
    engine: Engine, deleted: int, now: float = NOW, overwrites: Drift = EQUAL
) -> list[Action]:
    """Start a run that must rehearse, end the rehearsal, and return what follows."""
    (action,) = [a for a in engine.due(now) if isinstance(a, Start)]
    assert action.order.kind is RunKind.REHEARSAL
    outcome = Outcome(0, Transferred(deleted=deleted), deletions=("a", "b"), overwrites=overwrites)
    engine.exited(action.mirror, outcome, now)
    return engine.due(now)


def held_source(*free: str) -> tuple[Engine, Source]:
    """Return an engine with two mirrors that are in sync, and its source, which is held then."""
    engine = make_engine(2, rfull=0.0)
    for mirror in started(engine):
        engine.exited(mirror, Outcome(0), NOW)
    (source,) = engine.config.sources
    engine.hold(source, "is gone", NOW + 1, free=frozenset(free))
    return engine, source


DAY = 86400.0

DRIFTED = Drift(2, (Difference(b"a", "content"), Difference(b"b/", "times")))


def comparisons(actions: Sequence[Action]) -> list[Mirror]:
    return [
        a.mirror for a in actions if isinstance(a, Start) and (a.order.kind is RunKind.COMPARISON)
    ]


def comparing(count: int = 1, **settings: Any) -> Engine:
    """Return an engine whose first comparison has just begun, a day after its start."""
    engine = make_engine(count, rverify=DAY, **settings)
    assert engine.deadline() == NOW + DAY
    assert comparisons(engine.due(NOW + DAY - 1)) == []
    assert comparisons(engine.due(NOW + DAY)) == engine.mirrors[:1]
    return engine
