"""What is remembered of the mirrors from one start to the next: when it is noted, and believed.

Between the engine, which knows what has arrived, the sources, which know what was heard, and the
state file. A mirror has everything up to a moment when all that was owed at that moment is on the
node and nothing was unheard then. While nothing changes, nothing is noted: the moment stays good.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from inosync.config.model import Config, Source
from inosync.engine.engine import Engine
from inosync.engine.memory import (
    Facts,
    Known,
    Place,
    Recalled,
    bounded,
    decode,
    doubt,
    encode,
    told_since,
    untrusted,
)
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Moment
from inosync.planning.scan import Question
from inosync.planning.slices import Course
from inosync.service.loop import Loop
from inosync.service.sources import Sources
from inosync.service.targets import Targets
from inosync.system.state import StateFile, boot, sum_of
from inosync.text import printable

log = logging.getLogger("inosync")

#: Seconds between two writings while something goes on.
EVERY = 10.0

#: Seconds from what is to be noted to the first writing: more may come.
SETTLE = 1.0

#: Seconds by which the times of files may lag behind the clock: the kernel's tick, and a second
#: where there are whole ones only (ext4 with small inodes).
MARGIN = 1.1


@dataclass(frozen=True)
class _Mark:
    """At a moment (seconds since 1970) nothing was unheard; so many batches had been offered."""

    wall: float
    number: int
    highest: int
    made_by: str


@dataclass
class Keeper:
    """Remembers the mirrors of a daemon. Times are monotonic seconds.

    Those in scope "tree" owe a pass at each start all the same, and so do those where files wait
    to be at rest or for their lane: it tells which files that pass may take for equal.
    """

    engine: Engine
    sources: Sources
    loop: Loop
    file: StateFile
    targets: Targets
    _known: dict[str, Known] = field(default_factory=dict)  # by the names of mirrors
    _marks: dict[Mirror, _Mark] = field(default_factory=dict)
    _noted: dict[Mirror, int] = field(default_factory=dict)  # the number of the mark before
    _places: dict[str, Place] = field(default_factory=dict)  # of sources, by their paths
    _courses: dict[Mirror, Course | None] = field(default_factory=dict)  # how far passes were
    _beside: dict[Mirror, _Mark] = field(default_factory=dict)  # for what goes beside a pass
    _level: dict[Mirror, float] = field(default_factory=dict)  # all else had arrived (wall clock)
    _asked: dict[Mirror, int] = field(default_factory=dict)  # for which of its runs
    _boot: str = ""
    _begun: bool = False  # something is to be written before much of it can be on a node
    _at: float | None = None
    _written_at: float = -math.inf
    _failing: str = ""

    def open(self) -> None:
        """Read what was noted before; from now on, to be killed is not to have ended."""
        self._boot = boot()
        content, problem = self.file.read()
        if content and not problem:
            self._known, problem = decode(content)
        if problem:
            log.warning("%s: %s: full pass", printable(self.file.path), problem)
        if self._known:
            ended = self._known
            self._known = {name: replace(known, ended=False) for name, known in ended.items()}
            self._write()
            self._known = ended

    def recall(self, source: Source) -> Mapping[str, Recalled]:
        """Return what to ask for the mirrors of `source` that do not owe a full pass, by name.

        They owe what has changed, and the rest of a pass if there is one.
        """
        asked = {}
        place = self.sources.place(source)
        if place is None:
            return {}
        self._places[source.path] = place
        for mirror in self.engine.mirrors:
            if mirror.pair.source == source and (known := self._believed(mirror, place)):
                asked[mirror.name] = Recalled(_question(known), known.rest)
                if known.rest is not None and mirror.passing is None:
                    log.info("%s: the pass that was under way goes on", mirror.name)
        return asked

    def instead(self, mirror: Mirror) -> Question | None:
        """Return what to ask for a mirror that owes more than has a name; None: it owes a pass.

        Not twice for one run: what floods in during the walk is never to keep it from running.
        """
        place = self.sources.place(mirror.pair.source)
        asked = mirror.work.decided or self._asked.get(mirror) == mirror.totals.runs
        if place is None or asked or mirror.aside is not None or mirror not in self.engine.mirrors:
            return None
        self._asked[mirror] = mirror.totals.runs
        before = self._known.get(mirror.name)
        if before is not None and before.begun:
            return None  # its pass is not over
        known = self._believed(mirror, place)
        return _question(known) if known is not None else None

    def _believed(self, mirror: Mirror, place: Place) -> Known | None:
        """Return what is known of a mirror of a source at this place; None when it is in doubt."""
        now = int(self.loop.wall() * 1e9)
        known = self._known.get(mirror.name)
        if known is None:
            return None
        by_name = mirror.pair.node.rscope == "changes" and self._by_number(mirror)
        facts = Facts(now, place, self._made_now(mirror), self._boot)
        reason = doubt(known, facts) if by_name else ""
        since = told_since(known, facts)
        if mirror.equal_at is None:
            # A pass may take for equal what has changed since then: the ctimes of files tell.
            mirror.equal_at = Moment(since / 1e9, self.loop.clock() - (now - since) / 1e9)
        if by_name and not reason:
            return known
        if reason:
            # To be known again when the pass has ended.
            self._begin(mirror, place, min(since, now))
            log.info("%s: full pass: %s", mirror.name, reason)
        return None

    def due(self, now: float) -> None:
        """Take note of what has arrived, and write it down when it is time to."""
        for mirror in self.engine.mirrors:
            if mirror.name not in self._known and mirror.state is not State.IDLE:
                self._note_begin(mirror)
            if mirror not in self._marks and self._noted.get(mirror) != mirror.offered:
                self._mark(mirror)
            mark = self._marks.get(mirror)
            if mark is not None and mirror.done >= mark.number and _whole(mirror):
                del self._marks[mirror]
                self._note(mirror, mark)
                self._write_soon(now)
            course = mirror.passing.course if mirror.passing is not None else None
            if course is not self._courses.get(mirror):
                self._courses[mirror] = course
                if course is None:
                    self._beside.pop(mirror, None)
                    self._level.pop(mirror, None)
                else:
                    self._follow(mirror)
                    self._write_soon(now)
        if self._begun:
            self._begun = False
            self._write()
        if self._at is not None and now >= self._at:
            self._at, self._written_at = None, now
            for mirror in self.engine.mirrors:
                self._note_rest(mirror)
            self._write()

    def _write_soon(self, now: float) -> None:
        if self._at is None:
            self._at = max(now + SETTLE, self._written_at + EVERY)

    def deadline(self) -> float | None:
        """Return when something is to be written."""
        return self._at

    def close(self) -> None:
        """Note for the last time: all is still."""
        for mirror in self.engine.mirrors:
            self._marks.pop(mirror, None)
            if mirror.passing is not None:
                self._follow(mirror)
            if _whole(mirror) and mirror.done == mirror.offered and self._mark(mirror):
                self._note(mirror, self._marks.pop(mirror))
            self._note_rest(mirror)
        if self._known:
            self._known = {name: replace(each, ended=True) for name, each in self._known.items()}
            self._write()

    def _by_number(self, mirror: Mirror) -> bool:
        """Return whether what its node does not have is known by number, whatever waits."""
        own = self.engine.config.of(mirror.pair.source)
        return not (own.rbigsize or own.rsettle)

    def _mark(self, mirror: Mirror) -> bool:
        """Mark this moment, if all that has happened in the source is owed by now."""
        mark = self._mark_of(mirror)
        if mark is not None:
            self._marks[mirror] = mark
        return mark is not None

    def _mark_of(self, mirror: Mirror) -> _Mark | None:
        """Return the mark of this moment; None: not all that has happened is owed."""
        wall = self.loop.wall()
        source = mirror.pair.source
        if not self.sources.all_heard(source):
            return None
        if not self._by_number(mirror) and self.engine.behind_since(mirror) is not None:
            return None
        batch = mirror.pending or mirror.flight
        changes = batch.changes if batch is not None else None
        highest = self.sources.newest(source, changes)
        return _Mark(wall, mirror.offered, highest, _made_by(mirror, self.engine.config))

    def _follow(self, mirror: Mirror) -> None:
        """Take note of the last moment of which only what a pass has left is not on the node."""
        if mirror.sought is not None or not self._by_number(mirror):
            return
        for _ in range(2):  # where nothing else is owed, that is this moment
            mark = self._beside.get(mirror)
            if mark is not None and mirror.carried >= mark.number:
                self._level[mirror] = mark.wall
                mark = None
            mark = mark or self._mark_of(mirror)
            if mark is not None:
                self._beside[mirror] = mark

    def _note_begin(self, mirror: Mirror) -> None:
        """Note that runs are about to carry what there is, to a mirror of which nothing is known.

        If they are cut short, what has changed since may have gone there as it was before.
        """
        place = self._places.get(mirror.pair.source.path)
        if place is not None and self.engine.config.of(mirror.pair.source).init:
            self._begin(mirror, place, int((self.loop.wall() - MARGIN) * 1e9))

    def _begin(self, mirror: Mirror, place: Place, moment: int) -> None:
        known = self._record(place, moment, self._made_now(mirror))
        self._known[mirror.name] = replace(known, begun=True)
        self._begun = True

    def _record(self, place: Place, moment: int, made_by: str) -> Known:
        """Return what is known of a mirror up to a moment, of a source at this place."""
        return Known(
            moment=moment,
            inode=place.inode,
            home=place.home,
            highest=0,
            made_by=made_by,
            boot=self._boot,
        )

    def _note(self, mirror: Mirror, mark: _Mark) -> None:
        self._noted[mirror] = mark.number
        place = self._places.get(mirror.pair.source.path)
        if place is None or untrusted(place):
            return
        before = self._known.get(mirror.name)
        made_by = mark.made_by + self._lying(mirror)
        known = self._record(place, int((mark.wall - MARGIN) * 1e9), made_by)
        highest = max(mark.highest, before.highest if before else 0)
        self._known[mirror.name] = replace(known, highest=highest)

    def _note_rest(self, mirror: Mirror) -> None:
        """Note what is left of a pass: all else is on the node, as it was at some moment since."""
        place = self._places.get(mirror.pair.source.path)
        rest = mirror.rest if self._by_number(mirror) else None
        if rest is None or place is None or untrusted(place):
            return
        known = self._known.get(mirror.name)
        made_by = self._made_now(mirror)
        if known is None or known.made_by != made_by:
            assert mirror.passing is not None
            assert mirror.passing.began is not None  # or there would be no rest
            began = self.loop.wall() - (self.loop.clock() - mirror.passing.began)
            known = replace(self._record(place, int((began - MARGIN) * 1e9), made_by), rest=rest)
        if bounded(rest):
            assert mirror.passing is not None
            if not (mirror.passing.batch.doubts.altered and mirror.equal_at is not None):
                # Later than when the pass began: what that has left is not for the next walk to
                # name. But where its end would compare what has changed, that walk has to.
                level = int((self._level.get(mirror, 0.0) - MARGIN) * 1e9)
                known = replace(known, moment=max(known.moment, level))
            known = replace(known, rest=rest, boot=self._boot, ended=False, begun=False)
            self._known[mirror.name] = known
        elif known.rest is not None:
            self._known.pop(mirror.name, None)

    def _made_now(self, mirror: Mirror) -> str:
        return _made_by(mirror, self.engine.config) + self._lying(mirror)

    def _lying(self, mirror: Mirror) -> str:
        """Return what tells the directory of a mirror on this machine from others; "" elsewhere."""
        path = mirror.pair.here
        if not path:
            return ""
        found = self.targets.lying(path)
        return f" {sum_of(repr((found.place, found.inode, found.home)))}"

    def _write(self) -> None:
        names = {mirror.name for mirror in self.engine.mirrors}
        known = {name: each for name, each in self._known.items() if name in names}
        problem = self.file.write(encode(known))
        if problem and problem != self._failing:
            log.warning(
                "%s: cannot be written: %s; let the user that inosync runs as write there, or name "
                "another directory in STATE_DIRECTORY: until then each start is a full pass",
                printable(self.file.path),
                problem,
            )
        self._failing = problem


def _question(known: Known) -> Question:
    """Return what to ask for a mirror of which this is known."""
    return Question(known.moment, reached=known.highest)


def _whole(mirror: Mirror) -> bool:
    """Return whether it has all that it was offered, and owes nothing besides."""
    owes = mirror.stale or mirror.ousted or mirror.ailing or mirror.aside
    return mirror.health.whole and not owes


def _made_by(mirror: Mirror, config: Config) -> str:
    """Return a sum of all that says what is on a node, but the files themselves."""
    pair = mirror.pair
    said = (pair.source.argument, pair.source.excludes, pair.destination.text, pair.node.extra)
    # What was left there by one is not by another.
    kept = (pair.node.rdelete,) if pair.node.rdelete != "all" else ()
    return sum_of(repr((said, config.emask, *kept)))
