"""The sources of a daemon: what watches each, and what others ask of them.

Decides nothing about when a mirror runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from inosync.changes.changes import Changes, with_parents
from inosync.config.model import Config, Source
from inosync.engine.engine import Engine
from inosync.engine.memory import Place, Recalled
from inosync.engine.mirror import Mirror
from inosync.planning.order import Moment, Sight
from inosync.planning.scan import Question, Scan
from inosync.service.admission import Admission
from inosync.service.listener import Listener
from inosync.service.loop import Loop
from inosync.text import printable
from inosync.watch.guard import Memory
from inosync.watch.lookout import AnyWatcher, Lookout
from inosync.watch.mounts import file_systems

log = logging.getLogger("inosync")


@dataclass
class Sources:
    """All sources of a daemon. With ``root_only`` they are vouched for, and not watched below."""

    engine: Engine
    config: Config
    loop: Loop
    root_only: bool = False
    recall: Callable[[Source], Mapping[str, Recalled]] = lambda _: {}
    _lookouts: dict[str, Lookout] = field(default_factory=dict)
    _memories: dict[str, Memory] = field(default_factory=dict)  # of sources, whoever guards them

    def __post_init__(self) -> None:
        self._listener = Listener(
            self.engine,
            self.config,
            self.loop,
            lost=self._lost,
            filled=self._filled,
            recall=self._recalled,
        )
        self._admission = Admission(
            self.engine,
            self.config,
            self.loop,
            self._listener,
            lookouts=lambda: tuple(self._lookouts.values()),
            recall=self._recalled,
        )

    def _lost(self, lookout: Lookout, reason: str) -> None:
        self._admission.reopen(lookout, reason)

    def _filled(self, lookout: Lookout) -> None:
        self._admission.admit(lookout)

    def _recalled(self, source: Source) -> Mapping[str, Recalled]:
        return self.recall(source)

    def open(self) -> None:
        """Begin to watch all of them."""
        self._admission.begin()
        for source in self.config.sources:
            log.info("watching %s", printable(source.path))
            self._open(source)

    def _open(self, source: Source) -> None:
        self.engine.sources[source.path].deafen(self.loop.clock())
        memory = self._memories.setdefault(source.path, {})
        lookout = Lookout(source, self.config, root_only=self.root_only, memory=memory)
        self._lookouts[source.path] = lookout
        self._admission.open(lookout)

    def close(self) -> None:
        """Watch none any more."""
        for lookout in self._lookouts.values():
            lookout.close()
        self._admission.end()

    def due(self, now: float) -> None:
        """Watch more of those that are being walked, hear those that pause, retry those held."""
        self._walk()
        now = self.loop.clock()
        self._listener.due(now)
        self._admission.due(now)

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do: at once while there is more to be walked."""
        if any(lookout.walking for lookout in self._lookouts.values()):
            return 0.0
        waits = [self._admission.deadline(), *self._listener.deadlines()]
        return min((wait for wait in waits if wait is not None), default=None)

    def _walk(self) -> None:
        """Watch a slice of every source that needs it."""
        for lookout in list(self._lookouts.values()):
            first = not lookout.walked
            lookout.walk()
            if first and lookout.walked:
                self._admission.walked(lookout)
            if lookout.unread:
                self._listener.read(lookout)

    # ---- for runs -------------------------------------------------------------------------

    def fault(self, mirror: Mirror) -> str:
        """Return "" while the source of a mirror is what it was, else what is wrong, in words."""
        lookout = self._lookouts[mirror.pair.source.path]
        return lookout.fault() or lookout.guard.stray(mirror.pair.node.name)

    def lost(self, mirror: Mirror) -> frozenset[bytes]:
        """Return where something was mounted, for a mirror, and is not any more."""
        return self._lookouts[mirror.pair.source.path].guard.lost(mirror.pair.node.name)

    def look(self) -> None:
        """See of all sources whether their paths lead to what is watched, and who may follow."""
        for lookout in tuple(self._lookouts.values()):
            self.glance(lookout)

    def sight(self, mirror: Mirror, now: Moment) -> Sight:
        """Return the source of a mirror as it is `now`."""
        return sight(self._lookouts[mirror.pair.source.path], mirror.pair.node.name, now)

    def hear_more(self) -> None:
        """Take what came in the last moments."""
        self._listener.hear_more()

    def hear_unsettled(self, source: Source) -> None:
        """Take what came in the last moments, where files have to come to rest (``rsettle``)."""
        lookout = self._lookouts[source.path]
        if self.engine.sources[source.path].settling.rules and lookout.waiting():
            self._listener.read(lookout)

    def tell(self, lookout: Lookout, changes: Changes) -> None:
        """Take what was found to have changed, of which no event has told."""
        if lookout.census is not None:
            lookout.census.look(changes)
        self._listener.tell(lookout, changes)

    def glance(self, lookout: Lookout) -> None:
        """See whether the path of a source leads to what is watched, and who may follow."""
        self._admission.glance(lookout)

    def rewatch(self, source: Source) -> None:
        """Try to watch the directories that could not be watched."""
        self._lookouts[source.path].retry_unwatched()

    # ---- for what is remembered -----------------------------------------------------------

    def scan(self, path: str, questions: Sequence[Question]) -> Scan:
        """Return a walk over a source that answers these questions."""
        lookout = self._lookouts[path]
        return Scan(questions, filters=lookout.filters, view=lookout.files)

    def place(self, source: Source) -> Place | None:
        """Return what a source lies on; None while it cannot be watched."""
        lookout = self._lookouts[source.path]
        status = lookout.files.look(b"")
        if not lookout.standing or status is None:
            return None
        return Place(status.st_ino, *file_systems(source.path))

    def all_heard(self, source: Source) -> bool:
        """Return whether all that has happened in a source by now is owed by its mirrors."""
        lookout, state = self._lookouts[source.path], self.engine.sources[source.path]
        if not lookout.standing or not state.watched or state.held or state.gathering:
            return False
        known = lookout.walked and lookout.sees_all and lookout.all_known
        return known and not lookout.waiting()

    def newest(self, source: Source, paths: Iterable[bytes]) -> tuple[int, bytes]:
        """Return the highest ctime (nanoseconds) of the source and these paths, and which has it.

        For one that is gone counts what it has gone from. 0 when the source cannot be looked at.
        """
        return max(self.ctime(source, path) for path in (b"", *paths))

    def ctime(self, source: Source, path: bytes) -> tuple[int, bytes]:
        """Return the ctime of a path, or of what it has gone from, and the path that has it."""
        for each in (*with_parents(path), b""):
            status = self._lookouts[source.path].files.look(each)
            if status is not None:
                return status.st_ctime_ns, each
        return 0, b""

    # ---- for people -----------------------------------------------------------------------

    @property
    def lookouts(self) -> Collection[Lookout]:
        """Who watches each source."""
        return self._lookouts.values()

    @property
    def watchers(self) -> dict[str, AnyWatcher | None]:
        """What watches each source, by its path; None: nothing can at the moment."""
        return {path: lookout.watcher for path, lookout in self._lookouts.items()}

    @property
    def directories(self) -> int:
        """How many directories are watched."""
        return sum(lookout.directories for lookout in self._lookouts.values())

    def catch_up(self) -> None:
        """Take what the kernel has queued until now."""
        for lookout in self._lookouts.values():
            self._listener.catch_up(lookout)

    def caught_up(self, node: str = "") -> bool:
        """Return whether all that was queued then is known, and every source is watched.

        And no source is held for its mirror on `node`, or on any.
        """
        return all(
            all(self.engine.sources[path].open_for(n) for n in _on(lookout, node))
            and lookout.all_known
            for path, lookout in self._lookouts.items()
        )

    def accept(self, node: str) -> None:
        """A person says that all is as it should be for the mirrors on `node` ("": on all)."""
        for lookout in self._lookouts.values():
            self._admission.accept(lookout, _on(lookout, node))

    def configure(self, config: Config) -> None:
        """Watch by another config, which the engine has taken already."""
        old, self._lookouts = self._lookouts, {}
        self.config = self._listener.config = self._admission.config = config
        for source in config.sources:
            lookout = old.pop(source.path, None)
            if lookout is not None and lookout.fits(source, config):
                self._lookouts[source.path] = lookout
                lookout.guard.serve(config)
                self._admission.admit_held(lookout)
                continue
            if lookout is not None:
                # Another rule may admit what the old one hid, so all is walked and sent anew. And
                # what changes while nothing watches is not heard of: a pass, whatever init says.
                self._admission.close(lookout)
                self._admission.reopened[source.path] = "the config changed"
            self._open(source)
        for lookout in old.values():
            self._admission.leave(lookout)


def _on(lookout: Lookout, node: str) -> Collection[str]:
    return [each for each in lookout.guard.nodes if node in ("", each)]


def sight(lookout: Lookout, node: str, now: Moment) -> Sight:
    """Return a source as it is `now`, for its mirror on `node`."""
    heard = lookout.all_known and not lookout.waiting()
    return Sight(
        lookout.files,
        lookout.filters,
        spare=lookout.guard.lost(node),
        directories=None if lookout.marked else lookout.directories,
        sees_all=lookout.sees_all,
        now=now,
        moment=now if heard and lookout.sees_all else None,
    )
