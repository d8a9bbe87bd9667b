"""When it is noted that a mirror has everything up to a moment: that moment stays good.

Between the engine, which knows what has arrived, and the sources, which know what was heard. A
mirror has everything up to a moment when all that was owed at that moment is on the node and
nothing was unheard then. While nothing changes, nothing is noted.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, replace

from inosync.engine.engine import Engine
from inosync.engine.memory import STEP, bounded, untrusted
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import LAG, Moment
from inosync.planning.slices import Course
from inosync.service.loop import Loop
from inosync.service.notes import Notes, by_number, made_by
from inosync.service.sources import Sources

#: Seconds between two writings while something goes on.
EVERY = 10.0

#: Seconds from what is to be noted to the first writing: more may come.
SETTLE = 1.0

#: Seconds by which the times of files may lag behind the clock, and it may have been set back.
MARGIN = LAG + STEP / 1e9


@dataclass(frozen=True)
class _Mark:
    """At a moment nothing was unheard; so many batches had been offered."""

    moment: Moment
    number: int
    newest: tuple[int, bytes]  # the highest ctime, and which path had it
    made_by: str


@dataclass
class Keeper:
    """Notes what the mirrors of a daemon have. Times are monotonic seconds."""

    engine: Engine
    sources: Sources
    loop: Loop
    notes: Notes
    _marks: dict[Mirror, _Mark] = field(default_factory=dict)
    _noted: dict[Mirror, int] = field(default_factory=dict)  # the number of the mark before
    _courses: dict[Mirror, Course | None] = field(default_factory=dict)  # how far passes were
    _beside: dict[Mirror, _Mark] = field(default_factory=dict)  # for what goes beside a pass
    _level: dict[Mirror, Moment] = field(default_factory=dict)  # all else had arrived
    _at: float | None = None
    _written_at: float = -math.inf

    def due(self, now: float) -> None:
        """Take note of what has arrived, and write it down when it is time to."""
        for mirror in self.engine.mirrors:
            if mirror.name not in self.notes.known and mirror.state is not State.IDLE:
                self._note_begin(mirror)
            arrived, went_on = self._arrived(mirror), self._went_on(mirror)
            if self._at is None and (arrived or went_on):
                self._at = max(now + SETTLE, self._written_at + EVERY)
        if self.notes.urgent:
            self.notes.urgent = False
            self.notes.write()
        if self._at is not None and now >= self._at:
            self._at, self._written_at = None, now
            for mirror in self.engine.mirrors:
                self._note_rest(mirror)
            self.notes.write()

    def _arrived(self, mirror: Mirror) -> bool:
        """Note the moment that is marked, if by now all is on the node that was owed then."""
        mark = self._marks.get(mirror)
        if mark is None and self._noted.get(mirror) != mirror.offered:
            mark = self._mark(mirror)
        if mark is None:
            return False
        if mirror.done < mark.number or not _whole(mirror):
            self._marks[mirror] = mark
            return False
        self._marks.pop(mirror, None)
        self._note(mirror, mark)
        return True

    def _went_on(self, mirror: Mirror) -> bool:
        """Follow its pass; return whether that has got further and has something left."""
        course = mirror.passing.course if mirror.passing is not None else None
        if course is self._courses.get(mirror):
            return False
        self._courses[mirror] = course
        if course is None:
            self._beside.pop(mirror, None)
            self._level.pop(mirror, None)
            return False
        self._follow(mirror)
        return True

    def deadline(self) -> float | None:
        """Return when something is to be written."""
        return self._at

    def close(self) -> None:
        """Note for the last time: all is still."""
        for mirror in self.engine.mirrors:
            self._marks.pop(mirror, None)
            if mirror.passing is not None:
                self._follow(mirror)
            if _whole(mirror) and mirror.done == mirror.offered and (mark := self._mark(mirror)):
                self._note(mirror, mark)
            self._note_rest(mirror)
        self.notes.close()

    def _mark(self, mirror: Mirror) -> _Mark | None:
        """Return the mark of this moment; None: not all that has happened is owed."""
        moment = self.loop.moment()
        source = mirror.pair.source
        if not self.sources.all_heard(source):
            return None
        if (
            not by_number(mirror, self.engine.config)
            and self.engine.behind_since(mirror) is not None
        ):
            return None
        newest = self.sources.newest(source, mirror.last)
        return _Mark(moment, mirror.offered, newest, made_by(mirror, self.engine.config))

    def _follow(self, mirror: Mirror) -> None:
        """Take note of the last moment of which only what a pass has left is not on the node."""
        unsure = mirror.sought is not None or mirror.late is not None
        if unsure or not by_number(mirror, self.engine.config):
            return
        for _ in range(2):  # where nothing else is owed, that is this moment
            mark = self._beside.get(mirror)
            if mark is not None and mirror.carried >= mark.number:
                self._level[mirror] = mark.moment
                mark = None
            mark = mark or self._mark(mirror)
            if mark is not None:
                self._beside[mirror] = mark

    def _note_begin(self, mirror: Mirror) -> None:
        """Note that runs begin, to a mirror of which nothing is known."""
        place = self.notes.place(mirror)
        if place is not None and self.engine.config.of(mirror.pair.source).init:
            self.notes.begin(mirror, place, _surely(self.loop.wall()))

    def _note(self, mirror: Mirror, mark: _Mark) -> None:
        """Note that the node had everything at the moment that was marked."""
        self._noted[mirror] = mark.number
        place = self.notes.place(mirror)
        if place is None or untrusted(place):
            return
        before = self.notes.known.get(mirror.name)
        made = mark.made_by + self.notes.lying(mirror)
        known = self.notes.record(
            mirror, place, _surely(mark.moment.read(self.loop.moment())), made
        )
        highest, where = mark.newest
        known = replace(known, highest=highest, where=os.fsdecode(where))
        if before is not None and before.highest > highest:
            known = replace(known, highest=before.highest, where=before.where)
        self.notes.known[mirror.name] = known

    def _note_rest(self, mirror: Mirror) -> None:
        """Note what is left of a pass: all else is on the node, as it was at some moment since."""
        place, passing = self.notes.place(mirror), mirror.passing
        rest = mirror.rest if by_number(mirror, self.engine.config) else None
        if rest is None or passing is None or place is None or untrusted(place):
            return
        known, made = self.notes.known.get(mirror.name), self.notes.made_now(mirror)
        now = self.loop.moment()
        if known is not None and known.made_by != made:
            known = None
        if not bounded(rest):
            if known is None or known.rest is not None:
                self.notes.known.pop(mirror.name, None)
            return
        if known is None:
            assert passing.began is not None  # or there would be no rest
            began = now.wall - (now.steady - passing.began)
            known = self.notes.record(mirror, place, _surely(began), made)
        compares = passing.batch.doubts.altered and mirror.equal_at is not None
        if (level := self._level.get(mirror)) is not None and not compares:
            # Later than when the pass began: what that has left is not for the next walk to
            # name. But where its end would compare what has changed, that walk has to.
            known = replace(known, moment=max(known.moment, _surely(level.read(now))))
        if known.boot != self.notes.boot:
            known = replace(known, boot=self.notes.boot, ahead=self.loop.ahead())
        known = replace(known, rest=rest, ended=False, begun=False)
        self.notes.known[mirror.name] = known


def _surely(wall: float) -> int:
    """Return a time that no file has which was changed later (nanoseconds since 1970)."""
    return int((wall - MARGIN) * 1e9)


def _whole(mirror: Mirror) -> bool:
    """Return whether it has all that it was offered, and owes nothing besides.

    What is in doubt has no later moment by which a walk would find it.
    """
    owes = mirror.stale or mirror.ousted or mirror.ailing or mirror.aside or mirror.late
    doubts = any(batch.doubts for batch in mirror.owing)
    return mirror.health.whole and not (owes or doubts)
