"""The loop takes turns; the parts of a daemon take part in their order."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from support.configs import make_config, make_pair

from inosync.engine.engine import Engine
from inosync.rsync.program import Program
from inosync.service.daemon import Daemon
from inosync.service.hooks import Hooks
from inosync.service.loop import Loop
from inosync.service.mandate import Mandate
from inosync.service.runs import Runs
from inosync.system.control import Server
from inosync.system.signals import Signals
from inosync.system.systemd import Systemd


@dataclass
class Clock:
    """Time that only a test moves on."""

    now: float = 10_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Counting:
    """A part that counts its turns and wants the next one at once, or never."""

    name: str
    turns: list[str]
    wants: float | None = 0.0

    def due(self, now: float) -> None:
        self.turns.append(self.name)

    def deadline(self) -> float | None:
        return self.wants


@dataclass
class Pipe:
    """Becomes readable; says what it has read."""

    loop: Loop
    turns: list[str]
    ends: tuple[int, int] = field(default_factory=os.pipe)

    def read(self) -> None:
        self.turns.append(os.read(self.ends[0], 10).decode())


def test_each_part_has_its_turn_in_order_and_then_comes_what_happens() -> None:
    turns: list[str] = []
    loop = Loop(clock=Clock())
    pipe = Pipe(loop, turns)
    loop.parts = [Counting("one", turns), Counting("two", turns, None)]
    loop.listen(pipe.ends[0], pipe.read)
    os.write(pipe.ends[1], b"read")
    loop.run(lambda: turns.count("one") >= 2)
    assert turns == ["one", "two", "read", "one", "two"]
    loop.ignore(pipe.ends[0])
    loop.close()
    for end in pipe.ends:
        os.close(end)


def test_it_waits_for_what_is_months_away_and_forgets_when_all_is_over() -> None:
    turns: list[str] = []
    loop = Loop(clock=Clock())
    pipe = Pipe(loop, turns)
    loop.parts = [Counting("one", turns, 1e9)]
    loop.listen(pipe.ends[0], pipe.read)
    os.write(pipe.ends[1], b"read")
    loop.run(lambda: "read" in turns)
    loop.close()
    loop.ignore(pipe.ends[0])
    for end in pipe.ends:
        os.close(end)


def test_who_has_stopped_in_a_turn_waits_for_nothing() -> None:
    turns: list[str] = []
    loop = Loop([Counting("one", turns, None)], clock=Clock())
    loop.run(lambda: bool(turns))
    assert turns == ["one"]
    loop.close()


def test_the_parts_of_a_daemon_in_their_order(tmp_path: Path) -> None:
    """What is seen comes before what is done, and what is done before what is told.

    Who waits is answered last: a run that has nothing to carry ends where it is begun.
    """
    pair = make_pair()
    config = make_config([pair])
    engine = Engine(config, lambda: 0.0)
    runs = Runs(engine, config, Program((3, 2, 7)), {})
    signals = Signals()
    daemon = Daemon(
        config=config,
        engine=engine,
        signals=signals,
        supervisor=Systemd(),
        runs=runs,
        hooks=Hooks(config, {}, pretend=False),
        load=lambda: (config, Program((3, 2, 7))),
        mandate=Mandate(""),
        control=Server(str(tmp_path / "control")),
    )
    names = [type(part).__name__ for part in daemon.parts()]
    assert names == [
        "Mandate",
        "Leaving",
        "Sources",
        "Polls",
        "Scans",
        "Targets",
        "Acting",
        "Remedies",
        "Beat",
        "Hooks",
        "Warm",
        "Announcer",
        "Pipes",
        "Publisher",
        "Pruning",
        "Requests",
        "Thrift",
    ]
    assert daemon.control is not None
    daemon.control.close()
    daemon.sources.close()
    daemon.loop.close()
    signals.close()
