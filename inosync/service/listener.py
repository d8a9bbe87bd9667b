"""Hears what is watched, and tells the engine what has changed.

Between the lookouts, each of which knows one source, and the engine, which knows changes. Decides
neither when a mirror runs nor whether it may.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from inosync.changes.changes import Changes, Move
from inosync.config.model import Config, Source
from inosync.engine.engine import Engine
from inosync.engine.memory import Recalled, asked
from inosync.planning.big_files import big_changes
from inosync.planning.resting_files import fresh_below, no_files
from inosync.service.loop import Loop
from inosync.text import printable
from inosync.watch.lookout import Lookout
from inosync.watch.throttle import Pace

log = logging.getLogger("inosync")

#: The change that stands for a whole source.
ALL = Changes(trees={b"": None})


@dataclass
class Listener:
    """Hears the lookouts that it was told to.

    ``lost`` is told of a source whose root has gone from its place, ``filled`` of one that has
    something in it again. ``recall`` says what to ask for its mirrors, instead of a pass.
    """

    engine: Engine
    config: Config
    loop: Loop
    lost: Callable[[Lookout, str], None]
    filled: Callable[[Lookout], None]
    recall: Callable[[Source], Mapping[str, Recalled]]
    _paces: dict[Lookout, Pace] = field(default_factory=dict)

    def listen(self, lookout: Lookout) -> None:
        """Hear from now on a lookout that is open."""
        self._paces[lookout] = Pace()
        self.loop.listen(lookout.fileno(), partial(self._hear, lookout))

    def ignore(self, lookout: Lookout) -> None:
        """Hear it no more; it is about to be closed."""
        if lookout in self._paces and self._paces.pop(lookout).until is None:
            self.loop.ignore(lookout.fileno())

    def due(self, now: float) -> None:
        """Hear the lookouts whose pause is over."""
        for lookout, pace in list(self._paces.items()):
            if pace.until is not None and now >= pace.until:
                self._hear(lookout)

    def deadlines(self) -> Iterable[float | None]:
        """Give when ``due`` has something to do."""
        return (pace.until for pace in self._paces.values())

    def hear_more(self) -> None:
        """Take what came in the last moments."""
        for lookout, pace in list(self._paces.items()):
            if pace.until is None and lookout.waiting():
                self._hear(lookout)

    def catch_up(self, lookout: Lookout) -> None:
        """Take all that the kernel has queued until now."""
        left, pace = lookout.queued(), self._paces.get(lookout)
        while left > 0 and lookout.standing:
            before = lookout.taken
            self.read(lookout)
            if self._paces.get(lookout) is not pace:
                return  # watched anew: nothing is left of what was queued, and all of it is owed
            left -= lookout.taken - before

    def read(self, lookout: Lookout) -> None:
        """Take what a lookout has to say."""
        if not lookout.standing:
            return
        source = lookout.source
        changes, seen = lookout.read()
        now = self.loop.clock()
        for problem in seen.problems:
            log.warning("%s", problem)
        self.engine.shortage(source, lookout.short, now)
        if seen.root_lost:
            self.lost(lookout, lookout.fault() or "was moved or unmounted")
            return
        if changes.trees or seen.resync:
            lookout.guard.learn()
        if seen.resync:
            known = self.recall(source)
            cure = "what has changed is looked for" if asked(known) else "full pass"
            log.warning("%s: %s: %s", printable(source.path), seen.resync, cure)
            self.look_for_fresh(lookout, ALL)
            self.engine.resync(source, seen.resync, now, known=known)
        self.tell(lookout, changes, moves=seen.moves)

    def tell(self, lookout: Lookout, changes: Changes, *, moves: Sequence[Move] = ()) -> None:
        """Let the engine know of these changes in a source; `moves` are the renames among them."""
        now = self.loop.clock()
        self.look_for_fresh(lookout, changes)
        size = self.config.of(lookout.source).rbigsize
        big = big_changes(changes, size=size, filters=lookout.filters, view=lookout.files)
        rules = self.engine.sources[lookout.source.path].settling.rules
        paths = (*changes.attributes, *changes.entries) if rules else ()
        directories = no_files(paths, rules=rules, view=lookout.files)
        gone = lookout.census.take() if lookout.census is not None else frozenset()
        self.engine.changed(
            lookout.source, changes, now, big=big, moves=moves, gone=gone, no_files=directories
        )
        if lookout.guard.hollow and changes and lookout.guard.look_inside():
            self.filled(lookout)

    def look_for_fresh(self, lookout: Lookout, changes: Changes) -> None:
        """Let the files wait that changed just now, where events do not tell (``rsettle``)."""
        rules = self.engine.sources[lookout.source.path].settling.rules
        found = fresh_below(
            changes.trees,
            rules=rules,
            filters=lookout.filters,
            view=lookout.files,
            wall=self.loop.wall(),
            size=self.config.of(lookout.source).rbigsize,
        )
        self.engine.unsettled(lookout.source, found, self.loop.clock())

    def _hear(self, lookout: Lookout) -> None:
        """Take what a lookout has to say, and listen again at once or after a pause."""
        if not lookout.standing:
            return
        pace, descriptor = self._paces[lookout], lookout.fileno()
        before, paused = lookout.events, pace.until is not None
        self.read(lookout)
        if self._paces.get(lookout) is not pace:  # its source is gone, or watched anew
            return
        pace.read(lookout.events - before, self.loop.clock())
        if paused and pace.until is None:
            self.loop.listen(descriptor, partial(self._hear, lookout))
        elif not paused and pace.until is not None:
            self.loop.ignore(descriptor)
