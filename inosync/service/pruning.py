"""Looks after what nodes keep (``rkeep``): counts it, and removes the days that are over.

Or that are more than ``rkeepmax``, or in the way of a run that lacks room. Beside the runs of
mirrors, whose business it is not: when it fails, that is said, and tried again.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from inosync.config.model import Pair
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.planning.keeping import counting, pruning
from inosync.rsync.exits import judge
from inosync.rsync.kept import KEPT, days_over, folder, nothing_yet, write_only
from inosync.rsync.output import evidence
from inosync.rsync.stock import MEGABYTE, Stock, Tally
from inosync.service.loop import Loop
from inosync.service.runs import Runs
from inosync.status.keeping import Keeping
from inosync.system.process import Child
from inosync.system.runtime import private_folder
from inosync.text import many, printable

#: Seconds between two prunings of a node, and before a failed one is tried again.
DAY, AGAIN = 86_400.0, 3_600.0
#: Seconds between two countings, at the least; and that many times what one takes.
PACE, SHARE = 60.0, 100.0
#: How many nodes are looked after at once, and how many lines of a list are read in one turn.
MOST, LINES = 4, 2_000

log = logging.getLogger("inosync")


class _Task(enum.Enum):
    """What is done to a node; of days that go, why they do."""

    OVER = "are kept for longer than rkeep"
    SIZE = "are more than rkeepmax"
    ROOM = "are in the way of a run that lacks room"
    COUNT = "are counted"


@dataclass
class _Work:
    """A process at work, or its list, that is being read; the ``folders`` go with it."""

    pair: Pair
    task: _Task
    days: tuple[str, ...]
    child: Child
    began: float
    folders: contextlib.ExitStack
    lines: Iterator[bytes] | None = None
    tally: Tally = field(default_factory=Tally)

    def end(self) -> None:
        self.child.close()
        self.folders.close()


@dataclass
class _Place:
    """What is known of a node. Times are monotonic seconds: not before then.

    ``seen`` is what its mirrors had moved when it was counted, ``runs`` how many they had begun
    when a day had gone for lack of room. ``note`` is said for a day.
    """

    prune_at: float = 0.0
    count_at: float = 0.0
    room_at: float = 0.0
    seen: tuple[object, ...] = ()
    runs: int = -1
    failing: bool = False
    note: str = ""
    noted_at: float = 0.0
    keeping: Keeping | None = None


@dataclass
class Pruning:
    """A part of the loop. Places are known by destination."""

    engine: Engine
    runs: Runs
    loop: Loop
    _places: dict[str, _Place] = field(default_factory=dict)
    _working: dict[str, _Work] = field(default_factory=dict)
    _hurried: bool = False

    @property
    def kept(self) -> Mapping[str, Keeping]:
        """What nodes keep, by destination, as far as it was counted."""
        known = ((where, place.keeping) for where, place in self._places.items())
        return {where: keeping for where, keeping in known if keeping is not None}

    def due(self, now: float) -> None:
        """Begin what is due where the mirror has nothing to do, or lacks room."""
        self._hurried = False
        if self.engine.stopping:
            self.kill()
            return
        for where, work in list(self._working.items()):
            if work.lines is not None:
                self._read(where, work, now)
        mirrors = self._mirrors()
        self._places = {where: self._places.get(where, _Place()) for where in mirrors}
        for where, of_place in mirrors.items():
            if len(self._working) >= MOST:
                return
            at, task = self._next(self._places[where], of_place)
            if where not in self._working and task is not None and now >= at:
                over = days_over(self.loop.wall(), of_place[0].pair.node.rkeep)
                days = tuple(over) if task is _Task.OVER else ()
                self._start(where, of_place[0].pair, task, days, now)

    def deadline(self) -> float | None:
        """Return when the next one is due."""
        if self._hurried or any(work.lines is not None for work in self._working.values()):
            return 0.0
        if len(self._working) >= MOST:
            return None
        idle = ((w, m) for w, m in self._mirrors().items() if w not in self._working)
        found = (self._next(self._places.get(where, _Place()), mirrors) for where, mirrors in idle)
        return min((at for at, task in found if task is not None), default=None)

    def reap(self, now: float) -> None:
        """Take note of what has ended."""
        for where, work in list(self._working.items()):
            status = work.child.poll() if work.lines is None else None
            if status is None:
                continue
            said = evidence(work.child.errors())
            if work.task is _Task.COUNT and (status == 0 or nothing_yet(said)):
                work.lines = work.child.lines()
                continue
            self._end(where, work)
            place = self._places.get(where)
            if place is None:  # no longer configured
                continue
            if status == 0:
                self._pruned(work, place, now)
            else:
                self._failed(work, place, now, status, said)

    def kill(self) -> None:
        """End all for certain: the next day is soon enough."""
        for where, work in list(self._working.items()):
            work.child.kill()
            self._end(where, work)

    def _end(self, where: str, work: _Work) -> None:
        del self._working[where]
        work.end()

    def _mirrors(self) -> dict[str, list[Mirror]]:
        """Return the mirrors that keep something, by destination: both lanes have the same."""
        found: dict[str, list[Mirror]] = {}
        for mirror in self.engine.mirrors:
            if mirror.pair.node.rkeep:
                found.setdefault(mirror.pair.destination.text, []).append(mirror)
        return found

    def _next(self, place: _Place, mirrors: Sequence[Mirror]) -> tuple[float, _Task | None]:
        """Return what is to be done next, and when at the earliest; None: nothing."""
        waits = (State.IDLE, State.BACKOFF)
        if any(mirror.short_of_room and mirror.state in waits for mirror in mirrors):
            # One day for each run that finds no room.
            return place.room_at, _Task.COUNT if place.runs != _runs(mirrors) else None
        if any(mirror.state is not State.IDLE for mirror in mirrors):
            return 0.0, None
        if place.seen == _seen(mirrors) or place.prune_at <= place.count_at:
            return place.prune_at, _Task.OVER
        return place.count_at, _Task.COUNT

    def _start(
        self, where: str, pair: Pair, task: _Task, days: tuple[str, ...], now: float
    ) -> None:
        place, runs = self._places[where], self.runs
        folders = contextlib.ExitStack()
        if task is _Task.COUNT:
            place.seen = _seen(self._mirrors()[where])
            place.count_at = now + PACE
            argv = counting(pair, runs.config, runs.program, sized=bool(pair.node.rkeepmax))
        else:
            empty = folders.enter_context(
                private_folder(Path(tempfile.gettempdir()), "inosync-empty-")
            )
            (empty / KEPT).mkdir()
            argv = pruning(pair, runs.config, runs.program, days=days, empty=str(empty))
        if task is _Task.OVER:
            place.prune_at = now + DAY
        log.debug("executing: %s", shlex.join(argv))
        try:
            child = Child(argv, environment=runs.environment, nice=True)
        except OSError as error:
            folders.close()
            place.prune_at = place.count_at = place.room_at = now + AGAIN
            log.debug("%s cannot be run: %s", printable(argv[0]), error.strerror)
            return
        self._working[where] = _Work(pair, task, days, child, now, folders)

    # ---- what comes of it -----------------------------------------------------------------

    def _read(self, where: str, work: _Work, now: float) -> None:
        """Count some more of what was listed."""
        assert work.lines is not None  # it has ended
        more = False
        for line in islice(work.lines, LINES):
            work.tally.add(line)
            more = True
        if more:
            return
        self._end(where, work)
        if (place := self._places.get(where)) is not None:
            stock = work.tally.stock(sized=bool(work.pair.node.rkeepmax))
            self._counted(where, work, place, stock, now)

    def _counted(self, where: str, work: _Work, place: _Place, stock: Stock, now: float) -> None:
        """Remove of what was counted what is too much, or in the way."""
        place.count_at = now + max(PACE, SHARE * (now - work.began))
        place.note = place.note if now < place.noted_at + DAY else ""
        place.keeping = Keeping(now, stock, place.note)
        today = folder(self.loop.wall())[:10]
        mirrors = self._mirrors().get(where, [])
        most = work.pair.node.rkeepmax * MEGABYTE
        if any(mirror.short_of_room for mirror in mirrors):
            if days := stock.past(today)[:1]:
                self._start(where, work.pair, _Task.ROOM, days, now)
                return
            place.room_at = now + AGAIN
            self._note(work, place, "has no room, and keeps nothing but of today", now)
        elif most and (days := stock.too_much(most, today)):
            self._start(where, work.pair, _Task.SIZE, days, now)

    def _pruned(self, work: _Work, place: _Place, now: float) -> None:
        place.failing = False
        if work.task is _Task.OVER:
            place.seen, place.count_at = (), now  # to be counted anew
            return
        if place.keeping is not None and place.keeping.stock is not None:
            stock = place.keeping.stock.without(work.days)
            place.keeping = Keeping(place.keeping.at, stock, place.note)
        if work.task is _Task.SIZE:
            said = f"what it kept of {many(len(work.days), 'day')} up to {work.days[-1]} is removed"
            self._note(work, place, f"{said}: more than rkeepmax", now, logging.INFO)
            return
        said = f"had no room: what it kept of {work.days[0]}, the oldest day, is removed"
        self._note(work, place, said, now)
        mirrors = self._mirrors().get(work.pair.destination.text, [])
        # Of a run that has begun by now nobody knows whether it found the room.
        place.runs = _runs(mirrors)
        for mirror in mirrors:
            if mirror.short_of_room and not mirror.busy:
                mirror.hurry()
                self._hurried = True

    def _failed(
        self, work: _Work, place: _Place, now: float, status: int, said: tuple[str, ...]
    ) -> None:
        shown, counts = work.pair.destination.shown, work.task is _Task.COUNT
        if counts and write_only(said):
            place.count_at = place.room_at = now + DAY
            place.keeping = Keeping(now)
            limit = "; rkeepmax has no effect" if work.pair.node.rkeepmax else ""
            text = f"can only be written to: what it keeps is not counted{limit}"
            self._note(work, place, text, now, logging.WARNING if limit else logging.DEBUG)
            return
        place.prune_at = min(place.prune_at, now + AGAIN) if counts else now + AGAIN
        place.count_at = place.room_at = now + AGAIN
        level = logging.DEBUG if place.failing else logging.WARNING
        place.failing = True
        judgement = judge(status, work.pair.destination, said)
        what = "counted" if counts else f"removed, of days that {work.task.value}"
        if work.task is _Task.OVER:
            what = "removed"
        text = "%s: what it keeps in %s cannot be %s: exit %d: %s; %s"
        log.log(level, text, shown, KEPT, what, status, judgement.meaning, judgement.cure)
        for line in said:
            log.log(level, "  %s", line)

    def _note(
        self, work: _Work, place: _Place, text: str, now: float, level: int = logging.WARNING
    ) -> None:
        """Say it in the log, once, and in the status for a day."""
        if text != place.note:
            log.log(level, "%s: %s", work.pair.destination.shown, text)
        place.note, place.noted_at = text, now
        place.keeping = (place.keeping or Keeping(now)).saying(text)


def _runs(mirrors: Sequence[Mirror]) -> int:
    return sum(mirror.totals.runs for mirror in mirrors)


def _seen(mirrors: Sequence[Mirror]) -> tuple[object, ...]:
    """Return what changes when there may be something else to count."""
    moved = [(mirror.totals.moved.files, mirror.totals.moved.deleted) for mirror in mirrors]
    return (mirrors[0].pair.node.rkeepmax, *moved)
