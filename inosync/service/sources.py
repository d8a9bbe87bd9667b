"""The sources that are watched: guards, what they see, and which mirrors may follow.

Between the watch, which knows one source, and the engine, which knows changes. Decides nothing
about when a mirror runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from inosync.changes.changes import Changes
from inosync.config.model import Config, Source
from inosync.engine.engine import Engine
from inosync.engine.memory import Place, Recalled
from inosync.engine.mirror import Mirror
from inosync.planning.big_files import big_changes
from inosync.planning.order import Moment, Sight
from inosync.planning.resting_files import fresh_below
from inosync.planning.scan import Question, Scan
from inosync.service.loop import Loop
from inosync.text import printable
from inosync.watch.guard import Guard, Memory
from inosync.watch.mounts import Mounts, file_systems
from inosync.watch.throttle import Pace
from inosync.watch.watcher import Watcher

log = logging.getLogger("inosync")

#: Seconds between looks at a source that is held, for its return.
_RETRY_SOURCE = 2.0

#: The change that stands for a whole source.
_ALL = Changes(trees={b"": None})


@dataclass
class Sources:
    """All sources of a daemon. With ``root_only`` they are vouched for, and not watched below."""

    engine: Engine
    config: Config
    loop: Loop
    root_only: bool = False
    recall: Callable[[Source], Mapping[str, Recalled]] = lambda _: {}
    _guards: dict[str, Guard] = field(default_factory=dict)
    _memories: dict[str, Memory] = field(default_factory=dict)  # of sources, whoever guards them
    _paces: dict[Guard, Pace] = field(default_factory=dict)  # of those that are watched
    _mounts: Mounts = field(default_factory=Mounts)
    _retry_at: float | None = None
    _reopened: set[str] = field(default_factory=set)  # paths of sources that a reload walks anew

    def open(self) -> None:
        """Begin to watch all of them."""
        self.loop.listen(self._mounts.fileno(), self._look_at_mounts)
        for source in self.config.sources:
            log.info("watching %s", printable(source.path))
            self._guards[source.path] = self._guard(source)
            self._open(self._guards[source.path])

    def close(self) -> None:
        """Watch none any more."""
        for guard in self._guards.values():
            guard.close()
        self._mounts.close()

    def due(self, now: float) -> None:
        """Watch more of those that are being walked, hear those that pause, retry those held."""
        self._walk()
        now = self.loop.clock()
        for guard, pace in list(self._paces.items()):
            if pace.until is not None and now >= pace.until:
                self._hear(guard)
        self._retry_sources(now)

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do: at once while there is more to be walked."""
        if any(guard.walking for guard in self._guards.values()):
            return 0.0
        waits = [self._retry_at, *(pace.until for pace in self._paces.values())]
        return min((wait for wait in waits if wait is not None), default=None)

    # ---- for runs -------------------------------------------------------------------------

    def fault(self, mirror: Mirror) -> str:
        """Return "" while the source of a mirror is what it was, else what is wrong, in words."""
        guard = self._guards[mirror.pair.source.path]
        return guard.fault() or guard.misled(mirror.pair.node.name)

    def lose(self, source: Source, reason: str, now: float) -> None:
        """Hold a source that is not what it was, until it is back."""
        self._lose(self._guards[source.path], reason, now)

    def sight(self, mirror: Mirror, now: Moment) -> Sight:
        """Return the source of a mirror as it is `now`."""
        return sight(self._guards[mirror.pair.source.path], mirror.pair.node.name, now)

    def scan(self, path: str, questions: Sequence[Question]) -> Scan:
        """Return a walk over a source that answers these questions."""
        guard = self._guards[path]
        return Scan(questions, filters=guard.filters, view=guard.files)

    def place(self, source: Source) -> Place | None:
        """Return what a source lies on; None while it cannot be watched."""
        guard = self._guards[source.path]
        status = guard.files.look(b"")
        if guard.watcher is None or status is None:
            return None
        return Place(status.st_ino, *file_systems(source.path))

    def all_heard(self, source: Source) -> bool:
        """Return whether all that has happened in a source by now is owed by its mirrors."""
        guard, state = self._guards[source.path], self.engine.sources[source.path]
        watcher = guard.watcher
        if watcher is None or not state.watched or state.held or state.gathering:
            return False
        known = guard.walked and guard.sees_all and not watcher.unfinished and not watcher.unread
        return known and not watcher.waiting()

    def newest(self, source: Source, changes: Changes | None) -> int:
        """Return the highest ctime (nanoseconds) of the source and some of what changed in it."""
        paths = [b""]
        moving = (
            (changes.entries, changes.attributes, changes.levels, changes.trees) if changes else ()
        )
        for each in moving:
            paths += [path for path, _ in zip(reversed(each), range(1), strict=False)]
        seen = [self._guards[source.path].files.look(path) for path in paths]
        return max((status.st_ctime_ns for status in seen if status is not None), default=0)

    def hear_more(self) -> None:
        """Take what came in the last moments."""
        for guard, pace in list(self._paces.items()):
            if pace.until is None and guard.watcher is not None and guard.watcher.waiting():
                self._hear(guard)

    def rewatch(self, source: Source) -> None:
        """Try to watch the directories that could not be watched."""
        watcher = self._guards[source.path].watcher
        if watcher is not None:
            watcher.retry_unwatched()

    # ---- for people -----------------------------------------------------------------------

    @property
    def watchers(self) -> dict[str, Watcher | None]:
        """What watches each source, by its path; None: nothing can at the moment."""
        return {path: guard.watcher for path, guard in self._guards.items()}

    @property
    def directories(self) -> int:
        """How many directories are watched."""
        return sum(watcher.watched for watcher in self.watchers.values() if watcher)

    def catch_up(self, now: float) -> None:
        """Take what the kernel has queued until now."""
        for guard in self._guards.values():
            left = guard.watcher.queued() if guard.watcher is not None else 0
            while left > 0 and guard.watcher is not None:
                before = guard.watcher.taken
                self._read(guard)
                left -= guard.watcher.taken - before if guard.watcher is not None else left

    def caught_up(self, node: str = "") -> bool:
        """Return whether all that was queued then is known, and every source is watched.

        And no source is held for its mirror on `node`, or on any.
        """
        return all(
            all(self.engine.sources[path].open_for(n) for n in guard.nodes if node in ("", n))
            and guard.watcher is not None
            and not guard.watcher.unfinished
            and not guard.watcher.unread
            for path, guard in self._guards.items()
        )

    def accept(self, node: str, now: float) -> None:
        """A person says that all is as it should be for the mirrors on `node` ("": on all)."""
        for guard in self._guards.values():
            nodes = [each for each in guard.nodes if node in ("", each)]
            if guard.watcher is None:
                self._open(guard, accept=nodes)
                continue
            if any(guard.lost(each) for each in nodes):
                guard.watcher.reconcile()  # what lies below is watched from now on
            else:
                guard.watcher.retry_unwatched()
            guard.vouch(nodes, anew=True)
            if guard.walked and self.engine.sources[guard.source.path].held:
                self._admit(guard, now)

    def configure(self, config: Config, now: float) -> None:
        """Watch by another config, which the engine has taken already."""
        old = self._guards
        self._guards = {}
        self.config = config
        for source in config.sources:
            guard = old.pop(source.path, None)
            if guard is not None and guard.fits(source, config):
                self._guards[source.path] = guard
                guard.serve(config)
                if (
                    guard.watcher is not None
                    and guard.walked
                    and self.engine.sources[source.path].held
                ):
                    self._admit(guard, now)
                continue
            if guard is not None:
                # Another rule may admit what the old one hid, so all is walked and sent anew. And
                # what changes while nothing watches is not heard of: a pass, whatever init says.
                self._close(guard)
                self._reopened.add(source.path)
            self._guards[source.path] = self._guard(source)
            self.engine.sources[source.path].watched = False
            self._open(self._guards[source.path])
        for guard in old.values():
            self._close(guard)

    # ---- watching -------------------------------------------------------------------------

    def _guard(self, source: Source) -> Guard:
        memory = self._memories.setdefault(source.path, {})
        return Guard(source, self.config, root_only=self.root_only, memory=memory)

    def _open(self, guard: Guard, *, accept: Collection[str] = ()) -> None:
        """Start to watch; when that fails, hold the source and try again later."""
        now = self.loop.clock()
        reason = guard.open(accept=accept)
        if guard.watcher is not None:
            self._paces[guard] = Pace()
            self.loop.listen(guard.watcher.fileno(), partial(self._hear, guard))
        else:
            self.engine.hold(guard.source, reason, now)
            self._retry_at = now + _RETRY_SOURCE

    def _close(self, guard: Guard) -> None:
        if guard.watcher is not None and self._paces.pop(guard).until is None:
            self.loop.ignore(guard.watcher.fileno())
        guard.close()

    def _walk(self) -> None:
        """Watch a slice of every source that needs it."""
        for guard in list(self._guards.values()):
            first = not guard.walked
            guard.walk()
            if first and guard.walked:
                self._walked(guard)
            if guard.watcher is not None and guard.watcher.unread:
                self._read(guard)

    def _walked(self, guard: Guard) -> None:
        guard.hollow = guard.empty()
        self._admit(guard, self.loop.clock())

    def _admit(self, guard: Guard, now: float) -> None:
        """Let those mirrors follow a source that may follow it as it is now."""
        source, state = guard.source, self.engine.sources[guard.source.path]
        refusals = guard.refusals()
        free = frozenset(node for node in guard.nodes if node not in refusals)
        guard.vouch(free)
        if free:
            self._look_for_fresh(guard, _ALL, now)
        if refusals:
            reason = guard.fault() or next(iter(refusals.values()))
            self.engine.hold(source, reason, now, free=free)
            if not guard.hollow:
                self._retry_at = now + _RETRY_SOURCE
        elif state.held:
            self.engine.resume(source, now, known=self.recall(source))
        elif not state.watched:
            reason = "the config changed" if source.path in self._reopened else "start-up"
            owing = self.config.init or source.path in self._reopened
            self._reopened.discard(source.path)
            reason = reason if owing else ""
            self.engine.watched(source, now, reason=reason, known=self.recall(source))

    def _look_for_fresh(self, guard: Guard, changes: Changes, now: float) -> None:
        """Let the files wait that changed just now, where events do not tell (``rsettle``)."""
        rules = self.engine.sources[guard.source.path].settling.rules
        found = fresh_below(
            changes.trees,
            rules=rules,
            filters=guard.filters,
            view=guard.files,
            wall=self.loop.wall(),
            size=self.config.rbigsize,
        )
        self.engine.unsettled(guard.source, found, now)

    def _hear(self, guard: Guard) -> None:
        """Take what one watcher has to say, and listen again at once or after a pause."""
        if guard.watcher is None:
            return
        pace, descriptor = self._paces[guard], guard.watcher.fileno()
        before, paused = guard.watcher.events, pace.until is not None
        self._read(guard)
        if guard not in self._paces:  # its source is gone
            return
        pace.read(guard.watcher.events - before, self.loop.clock())
        if paused and pace.until is None:
            self.loop.listen(descriptor, partial(self._hear, guard))
        elif not paused and pace.until is not None:
            self.loop.ignore(descriptor)

    def _read(self, guard: Guard) -> None:
        """Take what one watcher has to say."""
        if guard.watcher is None:
            return
        changes, seen = guard.read()
        now = self.loop.clock()
        for problem in seen.problems:
            log.warning("%s", problem)
        self.engine.shortage(guard.source, bool(guard.watcher.unwatched), now)
        if seen.root_lost:
            self._lose(guard, guard.fault() or "was moved or unmounted", now)
            return
        if seen.resync:
            known = self.recall(guard.source)
            cure = "what has changed is looked for" if known else "full pass"
            log.warning("%s: %s: %s", printable(guard.source.path), seen.resync, cure)
            self._look_for_fresh(guard, _ALL, now)
            self.engine.resync(guard.source, seen.resync, now, known=known)
        self._look_for_fresh(guard, changes, now)
        big = big_changes(
            changes, size=self.config.rbigsize, filters=guard.filters, view=guard.files
        )
        self.engine.changed(guard.source, changes, now, big=big, moves=seen.moves)
        if guard.hollow and changes and not guard.empty():
            guard.hollow = False
            self._admit(guard, now)

    def _lose(self, guard: Guard, reason: str, now: float) -> None:
        self._close(guard)
        self.engine.hold(guard.source, reason, now)
        self._retry_at = now + _RETRY_SOURCE

    def _look_at_mounts(self) -> None:
        """Something was mounted or unmounted somewhere."""
        now = self.loop.clock()
        self._retry_at = now
        for guard in self._guards.values():
            if guard.watcher is None:
                continue
            if fault := guard.fault():
                self._lose(guard, fault, now)
                continue
            lost = sorted(guard.newly_lost())
            if lost:
                # What a run has not come to yet would look as if it had been deleted.
                self.engine.interrupt(guard.source, "something in it was unmounted", now)
            for path in lost:
                log.error(
                    "%s: what was mounted on %s is gone: left alone on the mirrors until it is back"
                    " (inosync --sync mirrors it as it is)",
                    printable(guard.source.path),
                    printable(path),
                )
            if fresh := guard.remounted():
                names = ", ".join(printable(path) for path in sorted(fresh))
                log.info("%s: mounted: %s: full pass", printable(guard.source.path), names)
                guard.watcher.reconcile()
                self.engine.resync(guard.source, "something was mounted", now)

    def _retry_sources(self, now: float) -> None:
        if self._retry_at is None or now < self._retry_at:
            return
        self._retry_at = None
        for guard in self._guards.values():
            if guard.watcher is None:
                self._open(guard)
            elif guard.walked and self._held_for_some(guard):
                self._look_again(guard, now)

    def _held_for_some(self, guard: Guard) -> bool:
        return bool(self.engine.sources[guard.source.path].held) and not guard.hollow

    def _look_again(self, guard: Guard, now: float) -> None:
        """See whether what some mirrors wait for is back: on the way to it nothing is watched."""
        state = self.engine.sources[guard.source.path]
        if fault := guard.fault():
            self._lose(guard, fault, now)
        elif set(guard.refusals()) != set(guard.nodes) - state.free:
            self._admit(guard, now)
        else:
            self._retry_at = now + _RETRY_SOURCE


def sight(guard: Guard, node: str, now: Moment) -> Sight:
    """Return a source as it is `now`, for its mirror on `node`."""
    watcher = guard.watcher
    heard = watcher is not None and not (watcher.unread or watcher.unfinished or watcher.waiting())
    return Sight(
        guard.files,
        guard.filters,
        spare=guard.lost(node),
        directories=guard.watcher.watched if guard.watcher is not None else 0,
        sees_all=guard.sees_all,
        now=now,
        moment=now if heard and guard.sees_all else None,
    )
