"""Which mirrors may follow their source as it is now: holds it, and lets them go on.

Between the guards, which know what a source was like, and the engine, which does the holding.
Opens a lookout over each source, and again when what was held may be back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from inosync.config.model import Config, Source
from inosync.engine.engine import Engine
from inosync.planning.scan import Question
from inosync.service.listener import ALL, Listener
from inosync.service.loop import Loop
from inosync.text import printable
from inosync.watch.lookout import Lookout
from inosync.watch.mounts import Mounts

log = logging.getLogger("inosync")

#: Seconds between looks at a source that is held, for its return.
_RETRY_SOURCE = 2.0


@dataclass
class Admission:
    """Admits the mirrors of the sources that are watched."""

    engine: Engine
    config: Config
    loop: Loop
    listener: Listener
    lookouts: Callable[[], Collection[Lookout]]
    recall: Callable[[Source], Mapping[str, Question]]
    reopened: set[str] = field(default_factory=set)  # paths of sources that a reload walks anew
    _mounts: Mounts = field(default_factory=Mounts)
    _retry_at: float | None = None

    def begin(self) -> None:
        """Hear of what is mounted and unmounted."""
        self.loop.listen(self._mounts.fileno(), self._look_at_mounts)

    def end(self) -> None:
        """Hear of it no more."""
        self._mounts.close()

    def open(self, lookout: Lookout, *, accept: Collection[str] = ()) -> None:
        """Start to watch; when that fails, hold the source and try again later."""
        now = self.loop.clock()
        reason = lookout.open(accept=accept)
        if lookout.standing:
            self.listener.listen(lookout)
        else:
            self.engine.hold(lookout.source, reason, now)
            self._retry_at = now + _RETRY_SOURCE

    def close(self, lookout: Lookout) -> None:
        """Watch it no more."""
        self.listener.ignore(lookout)
        lookout.close()

    def lose(self, lookout: Lookout, reason: str) -> None:
        """Hold a source that is not what it was, until it is back."""
        now = self.loop.clock()
        self.close(lookout)
        self.engine.hold(lookout.source, reason, now)
        self._retry_at = now + _RETRY_SOURCE

    def walked(self, lookout: Lookout) -> None:
        """All of a source is watched."""
        lookout.guard.hollow = lookout.guard.empty()
        self.admit(lookout)

    def admit(self, lookout: Lookout) -> None:
        """Let those mirrors follow a source that may follow it as it is now."""
        now = self.loop.clock()
        guard, source = lookout.guard, lookout.source
        state = self.engine.sources[source.path]
        refusals = guard.refusals()
        free = frozenset(node for node in guard.nodes if node not in refusals)
        guard.vouch(free)
        if free:
            self.listener.look_for_fresh(lookout, ALL)
        if refusals:
            reason = lookout.fault() or next(iter(refusals.values()))
            self.engine.hold(source, reason, now, free=free)
            if not guard.hollow:
                self._retry_at = now + _RETRY_SOURCE
        elif state.held:
            self.engine.resume(source, now, known=self.recall(source))
        elif not state.watched:
            reason = "the config changed" if source.path in self.reopened else "start-up"
            owing = self.config.init or source.path in self.reopened
            self.reopened.discard(source.path)
            reason = reason if owing else ""
            self.engine.watched(source, now, reason=reason, known=self.recall(source))

    def accept(self, lookout: Lookout, nodes: Collection[str]) -> None:
        """A person says that the source is as it should be for the mirrors on `nodes`."""
        guard = lookout.guard
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
        held = self.engine.sources[lookout.source.path].held
        if lookout.standing and lookout.walked and held:
            self.admit(lookout)

    def due(self, now: float) -> None:
        """See whether what is held is back."""
        if self._retry_at is None or now < self._retry_at:
            return
        self._retry_at = None
        for lookout in self.lookouts():
            if not lookout.standing:
                self.open(lookout)
            elif lookout.walked and self._held_for_some(lookout):
                self._look_again(lookout, now)

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do."""
        return self._retry_at

    def _held_for_some(self, lookout: Lookout) -> bool:
        return bool(self.engine.sources[lookout.source.path].held) and not lookout.guard.hollow

    def _look_again(self, lookout: Lookout, now: float) -> None:
        """See whether what some mirrors wait for is back: on the way to it nothing is watched."""
        guard, state = lookout.guard, self.engine.sources[lookout.source.path]
        if fault := lookout.fault():
            self.lose(lookout, fault)
        elif set(guard.refusals()) != set(guard.nodes) - state.free:
            self.admit(lookout)
        else:
            self._retry_at = now + _RETRY_SOURCE

    def _look_at_mounts(self) -> None:
        """Something was mounted or unmounted somewhere."""
        now = self.loop.clock()
        self._retry_at = now
        for lookout in self.lookouts():
            if not lookout.standing:
                continue
            if fault := lookout.fault():
                self.lose(lookout, fault)
                continue
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
            if fresh := lookout.guard.remounted():
                names = ", ".join(printable(path) for path in sorted(fresh))
                log.info("%s: mounted: %s: full pass", printable(lookout.source.path), names)
                lookout.reconcile()
                self.engine.resync(lookout.source, "something was mounted", now)
