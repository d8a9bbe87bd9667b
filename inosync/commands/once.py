"""One full pass to every node, then the end: ``--once``, and ``--verify --repair``.

Looks on while the ordinary loop runs, so that the source guard, ``rmaxdelete`` and ``rparallel``
hold as they do for the daemon; says what comes of each mirror and stops the loop after the last.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterable

from inosync.config.model import Config, pairs_on
from inosync.config.values import YEAR
from inosync.engine.actions import Outcome
from inosync.engine.ailing import described
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.errors import Exit
from inosync.rsync.differences import differences, line
from inosync.rsync.exits import VANISHED
from inosync.rsync.output import Progress
from inosync.service.runs import Runs
from inosync.system.runtime import lock_path, runtime_directory, socket_path
from inosync.text import many, printable

#: Seconds between two looks at how far the runs are: on a terminal, and elsewhere.
_SCREEN, _PLAIN = 0.5, 30.0


def once(config: Config, *, node: str = "") -> Config:
    """Return `config` for a daemon whose mirrors, or those on `node`, each try one full pass.

    Changes and failures wait for longer than anybody runs this, and no run stands ready behind it.
    Raise ConfigError if there is no such node.
    """
    pairs = tuple(
        dataclasses.replace(
            pair, node=dataclasses.replace(pair.node, rretry=(YEAR, YEAR), rwarm=0.0)
        )
        for pair in config.pairs
    )
    if not config.file:
        # Fewer pairs make no other config: the lock is still the daemon's.
        runtime = runtime_directory()
        lock, socket = lock_path(runtime, config), socket_path(runtime, config)
        config = dataclasses.replace(config, pidfile=lock, socket=socket)
    config = config.for_all(init=True, edelay=YEAR, emaxdelay=YEAR, eopen=0)
    return dataclasses.replace(config, pairs=tuple(pairs_on(pairs, node)), rfull=0, rverify=0)


class Once:
    """Watches over the passes.

    ``say`` takes a finished line. ``show``, on a terminal, takes the line that tells how far things
    are and is overwritten by the next; None elsewhere. With `mend` the passes compare contents and
    tell what they mended.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        show: Callable[[str], None] | None,
        *,
        mend: bool = False,
    ) -> None:
        self.compare = mend
        self._say = say
        self._show = show
        self._outcomes: dict[str, Outcome] = {}
        self._began: dict[str, float] = {}
        self._told: set[str] = set()
        self._failed = False
        self._next = -math.inf

    def ended(self, mirror: Mirror, outcome: Outcome, lines: Iterable[bytes]) -> None:
        """Take note of how a run has ended, and of what it mended."""
        self._outcomes[mirror.name] = outcome
        if not self.compare or mirror.work.rehearsing:
            return
        prefix = os.fsencode(mirror.pair.source.prefix)
        for difference in differences(lines):
            self._line(f"{printable(mirror.name)}: mended: {line(prefix, difference)}")

    def look(self, engine: Engine, runs: Runs, now: float) -> float | None:
        """Say what is new; stop the engine when no mirror has anything left to do."""
        if engine.stopping:
            return None
        for mirror in engine.mirrors:
            held = engine.sources[mirror.pair.source.path].held
            if mirror.work.started is not None:
                self._began.setdefault(mirror.name, mirror.work.started)
            if mirror.name not in self._told and not mirror.busy and _done(mirror, held):
                self._told.add(mirror.name)
                self._tell(engine, mirror, held, now)
        if all(mirror.name in self._told for mirror in engine.mirrors):
            engine.stop(now)
            return None
        if now >= self._next:
            first = self._next == -math.inf
            self._next = now + (_SCREEN if self._show else _PLAIN)
            if self._show:
                self._show(self._summary(engine, runs))
            elif not first:
                self._line(self._summary(engine, runs))
        return self._next

    def conclude(self, engine: Engine) -> int:
        """Say what was not finished; return OK only when all mirrors are equal."""
        for mirror in engine.mirrors:
            if mirror.name not in self._told:
                self._failed = True
                self._line(f"{printable(mirror.name)}: NOT EQUAL: stopped before its pass was over")
        return Exit.FAILED if self._failed else Exit.OK

    def _tell(self, engine: Engine, mirror: Mirror, held: str, now: float) -> None:
        outcome = self._outcomes.get(mirror.name)
        name = printable(mirror.name)
        if held:
            self._fail(f"{name}: NOT EQUAL: the source {held}; nothing was sent")
        elif mirror.state is State.HELD and (outcome is None or not outcome.returncode):
            self._fail(f"{name}: NOT EQUAL: {mirror.reason}: held; raise that limit")
        elif outcome is None:
            self._line(f"{name}: no run (pretending)")
        elif outcome.returncode:
            judgement = outcome.judged(mirror.pair.destination)
            cure = judgement.cure
            if outcome.returncode == VANISHED:
                cure = "run it again while nothing changes the source"
            what = f"exit {outcome.returncode}: {judgement.meaning}; {cure}"
            self._fail(f"{name}: NOT EQUAL: {mirror.reason if _hung(mirror) else what}")
            for line in (f"command: {outcome.command}", *outcome.evidence):
                self._line(f"  {line}")
        elif mirror.ailing:
            self._fail(f"{name}: NOT EQUAL: equal but for {many(len(mirror.ailing), 'path')}")
            for each in mirror.ailing.values():
                user = engine.config.user
                path, what, cure = described(each, mirror.pair, mirror.kept, user=user)
                self._line(f"  {path} {what}; {cure}")
        else:
            moved, took = mirror.totals.moved, now - self._began.get(mirror.name, now)
            self._line(
                f"{name}: equal: {many(moved.files, 'file')} sent ({many(moved.size, 'byte')}), "
                f"{moved.deleted} deleted, {took:.1f} s"
            )

    def _fail(self, line: str) -> None:
        self._failed = True
        self._line(line)

    def _line(self, line: str) -> None:
        if self._show:
            self._show("")
        self._say(line)

    def _summary(self, engine: Engine, runs: Runs) -> str:
        """Return how far all is, on one line."""
        parts = [f"{len(self._told)} of {many(len(engine.mirrors), 'mirror')} done"]
        for mirror in engine.mirrors:
            if mirror.state is State.RUNNING:
                parts.append(f"{mirror.pair.destination.shown}: {_how_far(runs.progress(mirror))}")
        return "; ".join(parts)


def _how_far(progress: Progress | None) -> str:
    if progress is None:
        return "comparing"
    return f"{progress.percent}%, {many(progress.files, 'file')}, {progress.eta} s left"


def _done(mirror: Mirror, held: str) -> bool:
    """Return whether a mirror without a run has none to come."""
    if held or mirror.state in (State.BACKOFF, State.HELD):
        return True
    return mirror.state is State.IDLE and mirror.health.synced


def _hung(mirror: Mirror) -> bool:
    """Return whether its run was ended because it did nothing."""
    return "rtimeout" in mirror.reason
