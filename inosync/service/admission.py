"""Which mirrors may follow their source as it is now: holds it, and lets them go on.

Between the guards, which know what a source was like, and the engine, which does the holding.
Opens a lookout over each source, and again when what was held may be back.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from inosync.changes.changes import Changes
from inosync.config.model import Config, Source
from inosync.engine.engine import Engine
from inosync.engine.memory import Recalled
from inosync.service.listener import ALL, Listener
from inosync.service.loop import Loop
from inosync.text import printable
from inosync.watch.blind import without_marks
from inosync.watch.lookout import Lookout
from inosync.watch.mounts import Mounts, remote
from inosync.watch.ways import Ways

log = logging.getLogger("inosync")

#: Seconds between looks at a source that is held, where no event tells that it is back.
_RETRY_SOURCE = 2.0


@dataclass
class Admission:
    """Admits the mirrors of the sources that are watched.

    ``reopened`` says of sources, by path, why all of them is owed when they are watched again.
    What a person has accepted in the place of one is as new as what is followed without asking.
    """

    engine: Engine
    config: Config
    loop: Loop
    listener: Listener
    lookouts: Callable[[], Collection[Lookout]]
    recall: Callable[[Source], Mapping[str, Recalled]]
    reopened: dict[str, str] = field(default_factory=dict)
    _accepted: dict[str, str] = field(default_factory=dict)  # what was new then, by paths
    _mounts: Mounts = field(default_factory=Mounts)
    _ways: Ways = field(default_factory=Ways)
    _retry_at: float | None = None

    def begin(self) -> None:
        """Hear of what is mounted and unmounted, and of what happens on the ways to sources."""
        self.loop.listen(self._mounts.fileno(), self._look_at_mounts)
        if (descriptor := self._ways.open()) is not None:
            self.loop.listen(descriptor, self._look_at_ways)

    def end(self) -> None:
        """Hear of it no more."""
        self._mounts.close()
        self._ways.close()

    def due(self, now: float) -> None:
        """See whether what is held is back, where nothing else tells."""
        if self._retry_at is None or now < self._retry_at:
            return
        self._retry_at = None
        for lookout in self.lookouts():
            if self._held(lookout) and not lookout.guard.hollow:
                self.look(lookout)
                self._await(lookout)

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do."""
        return self._retry_at

    # ---- watched or not -------------------------------------------------------------------

    def open(self, lookout: Lookout, *, accept: Collection[str] = ()) -> None:
        """Start to watch; when that fails, hold the source until something on its way changes."""
        self._ways.watch(lookout.guard.vital)
        reason = lookout.open(accept=accept)
        if lookout.standing:
            self.listener.listen(lookout)
            if lookout.fallback:
                name = printable(lookout.source.path)
                log.warning("%s: %s", name, without_marks(lookout.fallback))
        else:
            self.engine.hold(lookout.source, reason, self.loop.clock())
            self._await(lookout)

    def close(self, lookout: Lookout) -> None:
        """Watch it no more."""
        self.listener.ignore(lookout)
        lookout.close()

    def leave(self, lookout: Lookout) -> None:
        """It is no longer configured."""
        self.close(lookout)
        self._ways.forget(lookout.guard.vital)

    def reopen(self, lookout: Lookout, reason: str) -> None:
        """The path does not lead to what is watched: watch what is there now, or hold it."""
        self.close(lookout)
        self.engine.unwatched(lookout.source, reason, self.loop.clock())
        self.reopened[lookout.source.path] = "its path leads elsewhere"
        self.open(lookout)

    def _await(self, lookout: Lookout) -> None:
        """Look again soon at a source that is held, if its return may go unseen."""
        unseen = lookout.unannounced or self._ways.blind(lookout.guard.vital)
        if self._held(lookout) and (unseen or remote(lookout.source.path)):
            self._retry_at = self.loop.clock() + _RETRY_SOURCE

    def _held(self, lookout: Lookout) -> bool:
        return bool(self.engine.sources[lookout.source.path].held)

    # ---- who may follow -------------------------------------------------------------------

    def look(self, lookout: Lookout) -> None:
        """See whether the path of a source leads to what is watched, and who may follow it."""
        guard, state = lookout.guard, self.engine.sources[lookout.source.path]
        if not lookout.standing:
            self.open(lookout)
        elif fault := lookout.fault():
            self.reopen(lookout, fault)
        elif lookout.walked:
            refused = set(guard.nodes) - state.free if state.held else set[str]()
            if set(guard.refusals()) != refused:
                self.admit(lookout)

    def glance(self, lookout: Lookout) -> None:
        """Do as ``look`` if a source is watched and its path, or a link on it, is not as it was."""
        if lookout.standing and (lookout.fault() or lookout.guard.strays()):
            self.look(lookout)

    def walked(self, lookout: Lookout) -> None:
        """All of a source is watched."""
        lookout.guard.look_inside()
        self.admit(lookout)

    def admit(self, lookout: Lookout) -> None:
        """Let a source, as it is now, be followed by each mirror whose node does not refuse it."""
        now = self.loop.clock()
        guard, source = lookout.guard, lookout.source
        state = self.engine.sources[source.path]
        refusals = guard.refusals()
        free = frozenset(node for node in guard.nodes if node not in refusals)
        news = (guard.news() or self._accepted.pop(source.path, "")) if free else ""
        if news:
            log.info("%s %s: all that differs is sent", printable(source.path), news)
        guard.vouch(free)
        if free:
            self.listener.look_for_fresh(lookout, ALL)
        known = {} if refusals else self.recall(source)
        if refusals:
            reason = lookout.fault() or next(iter(refusals.values()))
            self.engine.hold(source, reason, now, free=free, contents=bool(news))
            if not guard.hollow:
                self._await(lookout)
            return
        if news:
            known = {}  # what has changed since when cannot be told by times
        why = self.reopened.pop(source.path, "start-up" if self.config.of(source).init else "")
        if state.held:
            self.engine.resume(source, now, known=known, contents=bool(news))
        elif not state.watched:
            self.engine.watched(source, now, reason=why, known=known, contents=bool(news))

    def accept(self, lookout: Lookout, nodes: Collection[str]) -> None:
        """A person says that the source is as it should be for the mirrors on `nodes`."""
        guard = lookout.guard
        if os.path.exists(lookout.source.path) and (news := guard.news()):
            self._accepted[lookout.source.path] = news
        if lookout.standing and (fault := lookout.fault()):
            self.reopen(lookout, fault)
        if not lookout.standing:
            self.open(lookout, accept=nodes)
            return
        if any(guard.lost(each) for each in nodes):
            lookout.reconcile()  # what lies below is watched from now on
        else:
            lookout.retry_unwatched()
        guard.vouch(nodes, anew=True)
        self.admit_held(lookout)

    def admit_held(self, lookout: Lookout) -> None:
        """See which mirrors may follow a source that is held for some of them."""
        if lookout.standing and lookout.walked and self._held(lookout):
            self.admit(lookout)

    # ---- what happens ---------------------------------------------------------------------

    def _look_at_ways(self) -> None:
        """Something on the way to a source was renamed, deleted or replaced, or is there now."""
        stirred = self._ways.read()
        for lookout in self.lookouts():
            if lookout.guard.vital in stirred:
                self._ways.watch(lookout.guard.vital)
                self.look(lookout)
                lookout.stir()

    def _look_at_mounts(self) -> None:
        """Something was mounted or unmounted somewhere."""
        for lookout in self.lookouts():
            self._ways.watch(lookout.guard.vital)
            if not lookout.standing or lookout.fault():
                self.look(lookout)
                continue
            lookout.stir()
            self._look_at_parts(lookout)
            if self._held(lookout) and not lookout.guard.hollow:
                self.look(lookout)

    def _look_at_parts(self, lookout: Lookout) -> None:
        """See what is mounted in a source, and what is not any more."""
        now = self.loop.clock()
        lost = sorted(lookout.guard.newly_lost())
        if lost:
            # What a run has not come to yet would look as if it had been deleted.
            self.engine.interrupt(lookout.source, "something in it was unmounted", now)
        for path in lost:
            log.error(
                "%s: what was mounted on %s is gone: left alone on the mirrors until it is back"
                " (inosync --sync mirrors it as it is)",
                printable(lookout.source.path),
                printable(path),
            )
        fresh = lookout.guard.remounted()
        if fresh or lookout.mounts_changed():
            names = ", ".join(printable(path) for path in sorted(fresh)) or "something anew"
            log.info("%s: mounted: %s: full pass", printable(lookout.source.path), names)
            lookout.reconcile()
            lookout.look_anew()
            self.engine.resync(lookout.source, "something was mounted", now)
            # What was changed while it was elsewhere may have kept its date, and is older than much
            # that the mirrors have got since.
            self.listener.tell(lookout, Changes(trees=dict.fromkeys(fresh)))
