"""What of the notes of an earlier time is believed, and what is asked of the source instead.

A mirror that is believed to have had everything at a moment owes what has changed since; one of
which that is in doubt owes a pass. Between the notes and the sources, which know where they lie.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from inosync.config.model import Source
from inosync.engine.engine import Engine
from inosync.engine.memory import Known, Place, Present, Recalled, doubt, told_since
from inosync.engine.mirror import Mirror
from inosync.planning.order import Moment
from inosync.planning.scan import Question
from inosync.service.loop import Loop
from inosync.service.notes import Notes, by_number
from inosync.service.sources import Sources

log = logging.getLogger("inosync")


@dataclass
class Recollection:
    """Recalls what was known of the mirrors of a daemon.

    Those in scope "tree" owe a pass at each start all the same, and so do those where files wait
    to be at rest or for their lane: it tells which files that pass may take for equal.
    """

    engine: Engine
    sources: Sources
    loop: Loop
    notes: Notes
    _asked: dict[Mirror, int] = field(default_factory=dict)  # for which of its runs

    def recall(self, source: Source) -> Mapping[str, Recalled]:
        """Return what is recalled of the mirrors of `source`, by name; the others owe a full pass.

        Where there is something to ask, they owe what has changed, and the rest of a pass if there
        is one.
        """
        asked = {}
        place = self.sources.place(source)
        if place is None:
            return {}
        self.notes.places[source.path] = place
        for mirror in self.engine.mirrors:
            if mirror.pair.source != source:
                continue
            cut = self._cut(mirror)
            if (known := self._believed(mirror, place)) is None:
                if cut:
                    asked[mirror.name] = Recalled(None, cut=True)
            else:
                asked[mirror.name] = Recalled(_question(known), known.rest, cut)
                if known.rest is not None and mirror.passing is None:
                    log.info("%s: the pass that was under way goes on", mirror.name)
        return asked

    def _cut(self, mirror: Mirror) -> bool:
        """Return whether a daemon was killed since the mirror had everything, and maybe its run."""
        known = self.notes.known.get(mirror.name)
        killed = known is not None and not known.ended and known.boot == self.notes.boot
        return killed and not mirror.health.synced

    def acquaint(self) -> None:
        """A config was taken: a mirror that it brings back owes a full pass.

        That may take for equal what has changed since the mirror was left.
        """
        self.notes.part()
        for mirror in self.engine.mirrors:
            source = mirror.pair.source
            place, known = self.sources.place(source), self.notes.known.get(mirror.name)
            if self.engine.sources[source.path].watched and place is not None and known is not None:
                self._present(mirror, place, known)

    def instead(self, mirror: Mirror) -> Question | None:
        """Return what to ask for a mirror that owes more than has a name; None: it owes a pass.

        Not twice for one run: what floods in during the walk is never to keep it from running.
        """
        place = self.sources.place(mirror.pair.source)
        asked = mirror.work.decided or self._asked.get(mirror) == mirror.totals.runs
        if place is None or asked or mirror.aside is not None or mirror not in self.engine.mirrors:
            return None
        self._asked[mirror] = mirror.totals.runs
        before = self.notes.known.get(mirror.name)
        if before is not None and before.begun:
            return None  # its pass is not over
        known = self._believed(mirror, place)
        return _question(known) if known is not None else None

    def _believed(self, mirror: Mirror, place: Place) -> Known | None:
        """Return what is known of a mirror of a source at this place; None when it is in doubt."""
        known = self.notes.known.get(mirror.name)
        if known is None:
            return None
        present, since = self._present(mirror, place, known)
        if mirror.pair.node.rscope != "changes" or not by_number(mirror, self.engine.config):
            return None
        reason = doubt(known, present)
        if not reason:
            return known
        # To be known again when the pass has ended.
        self.notes.begin(mirror, place, since)
        log.info("%s: full pass: %s", mirror.name, reason)
        return None

    def _present(self, mirror: Mirror, place: Place, known: Known) -> tuple[Present, int]:
        """Return how a mirror of which this is known is now, and since when changes are told.

        A pass may take for equal what has changed since then: the ctimes of files tell.
        """
        now, there = int(self.loop.wall() * 1e9), None
        if known.where is not None:
            there, _ = self.sources.ctime(mirror.pair.source, os.fsencode(known.where))
        made = self.notes.made_now(mirror)
        present = Present(now, place, made, self.notes.boot, there, self.loop.ahead())
        since = min(now, told_since(known, present))
        if mirror.equal_at is None:
            mirror.equal_at = self._moment(since, now)
        hidden = known.hidden if known.made_by == made else since
        if mirror.hidden_at is None and hidden is not None:
            mirror.hidden_at = self._moment(hidden, now)
        return present, since

    def _moment(self, when: int, now: int) -> Moment:
        return Moment(when / 1e9, self.loop.clock() - (now - when) / 1e9)


def _question(known: Known) -> Question:
    """Return what to ask for a mirror of which this is known."""
    return Question(known.moment, reached=known.highest)
