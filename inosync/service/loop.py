"""The loop: the only place that waits, and the only one that reads the clock.

Brings together what the kernel reports (watchers, signals, ended children) and what the engine
wants done. Decides nothing itself about when a mirror runs. Single-threaded; when nothing happens
and no deadline is set, it sleeps in one system call.
"""

from __future__ import annotations

import logging
import os
import selectors
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from signal import Signals as Signal
from typing import Protocol

from inosync import __version__
from inosync.changes.changes import Changes
from inosync.config.model import Config, Source
from inosync.engine.actions import Action, Hook, Rewatch, Say, Start
from inosync.engine.engine import Engine
from inosync.engine.mirror import State
from inosync.errors import ConfigError
from inosync.planning.big_files import big_changes
from inosync.planning.resting_files import fresh_below
from inosync.rsync.program import Program
from inosync.service.hooks import Hooks
from inosync.service.publisher import Publisher
from inosync.service.requests import Requests
from inosync.service.runs import Runs, sight
from inosync.status.snapshot import Facts, Snapshot, snapshot
from inosync.status.snapshot import lines as status_lines
from inosync.system.control import Server
from inosync.system.process import resident
from inosync.system.signals import Signals
from inosync.text import printable
from inosync.watch.guard import Guard, Memory
from inosync.watch.mounts import Mounts
from inosync.watch.throttle import Pace

log = logging.getLogger("inosync")

#: Seconds between looks at a source that is held, for its return.
_RETRY_SOURCE = 2.0

#: The change that stands for a whole source.
_ALL = Changes(trees={b"": None})


class Supervisor(Protocol):
    """Who started the daemon and wants to hear of it (systemd, or nobody)."""

    watchdog: float  # seconds between signs of life; 0: none wanted

    def tell(self, **states: str) -> None:
        """Pass on states such as READY="1" (sd_notify(3))."""


class Onlooker(Protocol):
    """Who wants to see each turn: a command that ends the loop when its work is done."""

    def look(self, engine: Engine, runs: Runs, now: float) -> float | None:
        """See how things are, and stop the engine if that will do; return when to call again."""


@dataclass
class Loop:
    """One running daemon. ``run`` returns when it was told to stop and all children have ended."""

    config: Config
    engine: Engine
    signals: Signals
    supervisor: Supervisor
    runs: Runs
    hooks: Hooks
    load: Callable[[], tuple[Config, Program]]
    control: Server | None = None
    onlooker: Onlooker | None = None  # with one, nothing is mirrored but full passes
    _guards: dict[str, Guard] = field(default_factory=dict)
    _memories: dict[str, Memory] = field(default_factory=dict)  # of sources, whoever guards them
    _paces: dict[Guard, Pace] = field(default_factory=dict)  # of those that are watched
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _mounts: Mounts = field(default_factory=Mounts)
    _retry_at: float | None = None
    _alive_at: float | None = None
    _requests: Requests | None = None
    _look_at: float | None = None
    _publisher: Publisher | None = None
    _began: float = 0.0
    _loaded: float = 0.0
    _ready: bool = False
    _told: str = ""

    def run(self) -> None:
        """Watch and mirror until SIGTERM or SIGINT."""
        self._began = self._loaded = time.monotonic()
        self.listen(self.signals.fileno(), self._handle_signals)
        self.listen(self._mounts.fileno(), self._look_at_mounts)
        if self.control is not None:
            self._requests = Requests(self.control, self, self, time.monotonic)
        # While pretending, a daemon that runs beside may write the same files.
        if not self.runs.pretend and self.onlooker is None:
            self._publisher = Publisher(self, self.config)
        try:
            for source in self.config.sources:
                log.info("watching %s", printable(source.path))
                self._guards[source.path] = self._guard(source)
                self._open(self._guards[source.path])
            while not self._stopped:
                self._turn()
            if self._publisher is not None:
                self._publisher.close(time.monotonic())
        finally:
            self.runs.kill()
            self.hooks.kill()
            for guard in self._guards.values():
                guard.close()
            self._mounts.close()
            self._selector.close()

    # ---- one turn -------------------------------------------------------------------------

    def _turn(self) -> None:
        """Do what is due, then wait for the next thing to happen and take note of it."""
        walking = self._walk()
        now = time.monotonic()
        for guard, pace in list(self._paces.items()):
            if pace.until is not None and now >= pace.until:
                self._hear(guard)
        self._retry_sources(now)
        if self._requests is not None:
            self._requests.due(now)
        now = self._act(now)
        self.hooks.due(now)
        self._announce(now)
        if self.onlooker is not None:
            self._look_at = self.onlooker.look(self.engine, self.runs, now)
        if self._publisher is not None:
            self._publisher.due(now)
        timeout = 0.0 if walking else self._timeout(now)
        if self._stopped:
            return
        for key, _ in self._selector.select(timeout):
            key.data()

    @property
    def _stopped(self) -> bool:
        # An onlooker has the engine stopped, and runs no hooks.
        return self.engine.stopped and (self.hooks.stopped or self.onlooker is not None)

    def listen(self, descriptor: int, react: Callable[[], None], *, write: bool = False) -> None:
        """Call `react` when the descriptor is readable, or writable; replaces what was said."""
        wanted = selectors.EVENT_WRITE if write else selectors.EVENT_READ
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, wanted, react)
        else:
            self._selector.register(descriptor, wanted, react)

    def ignore(self, descriptor: int) -> None:
        """Forget the descriptor."""
        self._selector.unregister(descriptor)

    def _timeout(self, now: float) -> float | None:
        waits = [self.engine.deadline(), self.hooks.deadline()]
        waits += [self._retry_at, self._alive_at, self._look_at]
        waits += [pace.until for pace in self._paces.values()]
        if self._requests is not None:
            waits.append(self._requests.deadline())
        if self._publisher is not None:
            waits.append(self._publisher.deadline())
        known = [wait for wait in waits if wait is not None]
        return max(0.0, min(known) - now) if known else None

    # ---- watching -------------------------------------------------------------------------

    def _guard(self, source: Source) -> Guard:
        memory = self._memories.setdefault(source.path, {})
        root_only = self.onlooker is not None
        return Guard(source, self.config, root_only=root_only, memory=memory)

    def _open(self, guard: Guard, *, accept: Collection[str] = ()) -> None:
        """Start to watch; when that fails, hold the source and try again later."""
        now = time.monotonic()
        reason = guard.open(accept=accept)
        if guard.watcher is not None:
            self._paces[guard] = Pace()
            self.listen(guard.watcher.fileno(), partial(self._hear, guard))
        else:
            self.engine.hold(guard.source, reason, now)
            self._retry_at = now + _RETRY_SOURCE

    def _close(self, guard: Guard) -> None:
        if guard.watcher is not None and self._paces.pop(guard).until is None:
            self.ignore(guard.watcher.fileno())
        guard.close()

    def _walk(self) -> bool:
        """Watch a slice of every source that needs it; return whether more is to be done."""
        more = False
        for guard in list(self._guards.values()):
            first = not guard.walked
            more |= guard.walk()
            if first and guard.walked:
                self._walked(guard)
            if guard.watcher is not None and guard.watcher.unread:
                self._read(guard)
        return more

    def _walked(self, guard: Guard) -> None:
        guard.hollow = guard.empty()
        self._admit(guard, time.monotonic())

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
        elif state.held:
            self.engine.resume(source, now)
        elif not state.watched:
            self.engine.watched(source, now, reason="start-up" if self.config.init else "")

    def _look_for_fresh(self, guard: Guard, changes: Changes, now: float) -> None:
        """Let the files wait that changed just now, where events do not tell (``rsettle``)."""
        rules = self.engine.sources[guard.source.path].settling.rules
        found = fresh_below(
            changes.trees,
            rules=rules,
            filters=guard.filters,
            view=guard.files,
            wall=time.time(),
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
        pace.read(guard.watcher.events - before, time.monotonic())
        if paused and pace.until is None:
            self.listen(descriptor, partial(self._hear, guard))
        elif not paused and pace.until is not None:
            self.ignore(descriptor)

    def _hear_more(self) -> None:
        """Take what came in the last moments."""
        for guard, pace in list(self._paces.items()):
            if pace.until is None and guard.watcher is not None and guard.watcher.waiting():
                self._hear(guard)

    def _read(self, guard: Guard) -> None:
        """Take what one watcher has to say."""
        if guard.watcher is None:
            return
        changes, seen = guard.read()
        now = time.monotonic()
        for problem in seen.problems:
            log.warning("%s", problem)
        self.engine.shortage(guard.source, bool(guard.watcher.unwatched), now)
        if seen.root_lost:
            self._lose(guard, guard.fault() or "was moved or unmounted", now)
            return
        if seen.resync:
            log.warning("%s: %s: full pass", printable(guard.source.path), seen.resync)
            self._look_for_fresh(guard, _ALL, now)
            self.engine.resync(guard.source, seen.resync, now)
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
        now = time.monotonic()
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

    # ---- running --------------------------------------------------------------------------

    def _act(self, now: float) -> float:
        """Do what the engine wants done at `now`; return the time after that.

        Runs are started one by one. What changes meanwhile goes with those that are not started
        yet; it would need another run to each node otherwise.
        """
        while actions := self.engine.due(now, most=1):
            for action in actions:
                self._perform(action, now)
            if any(isinstance(action, Start) for action in actions):
                self._hear_more()
                now = time.monotonic()
        return now

    def _perform(self, action: Action, now: float) -> None:
        if isinstance(action, Say):
            log.log(action.level, "%s", action.text)
        elif isinstance(action, Start):
            self._start(action, now)
        elif isinstance(action, Hook):
            self.hooks.add(action.report, time.time())
        elif isinstance(action, Rewatch):
            watcher = self._guards[action.source.path].watcher
            if watcher is not None:
                watcher.retry_unwatched()
        else:
            self.runs.act(action, now)

    def _start(self, action: Start, now: float) -> None:
        """Let a run begin, unless its source is not what it was a moment before."""
        guard = self._guards[action.mirror.pair.source.path]
        if fault := guard.fault():
            action.mirror.withdraw()
            self._lose(guard, fault, now)
        elif reason := guard.misled(action.mirror.pair.node.name):
            action.mirror.withdraw()
            self._lose(guard, reason, now)
        else:
            self.runs.start(
                action, sight(guard, action.mirror.pair.node.name), now, wall=time.time()
            )

    # ---- signals --------------------------------------------------------------------------

    def _handle_signals(self) -> None:
        for signal in self.signals.take():
            now = time.monotonic()
            if signal is Signal.SIGCHLD:
                self.runs.reap(now)
                self.hooks.reap(now)
            elif signal is Signal.SIGHUP and self.onlooker is None:
                log.info("SIGHUP: reading the config again")
                self.reload(now)
            elif signal is Signal.SIGUSR1:
                for line in status_lines(self.snapshot(now)):
                    log.info("%s", line)
            elif signal is Signal.SIGUSR2:
                log.info("SIGUSR2")
                self.release(now)
            else:
                log.info("%s: stopping", signal.name)
                self.supervisor.tell(STOPPING="1", STATUS="stopping")
                self.engine.stop(now)
                self.hooks.stop(now)

    # ---- what people ask for --------------------------------------------------------------

    def snapshot(self, now: float) -> Snapshot:
        """Return the state of everything."""
        facts = Facts(
            version=__version__,
            pid=os.getpid(),
            rss=resident(),
            began=self._began,
            loaded=self._loaded,
            now=now,
            wall=time.time(),
        )
        watchers = {path: guard.watcher for path, guard in self._guards.items()}
        return snapshot(self.engine, watchers, facts, self.runs.progress)

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

    def release(self, now: float, node: str = "") -> int:
        """A person says: full pass now, and what is held goes on as it is; return how many do."""
        log.info("asked for a full pass of %s", printable(node) or "everything")
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
        return len(self.engine.release("asked for", now, node=node))

    def reload(self, now: float) -> tuple[str, ...]:
        """Take the config anew; keep the old one when the new one is wrong; return what is."""
        self.supervisor.tell(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1000))
        problems: tuple[str, ...] = ()
        try:
            config, program = self.load()
        except ConfigError as error:
            problems = error.problems
            for problem in problems:
                log.error("%s", problem)
            log.error("reload: the config is wrong, the old one stays in force")
        else:
            self.runs.configure(config, program)
            self._apply(config, now)
            self._loaded = now
            log.info("reload: config loaded again")
        self._told = ""
        self.supervisor.tell(READY="1")
        return problems

    def _apply(self, config: Config, now: float) -> None:
        old = self._guards
        self._guards = {}
        self.config = self.hooks.config = config
        self.engine.configure(config, now)
        if self._publisher is not None:
            self._publisher.configure(config, now)
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
                # Another rule may admit what the old one hid, so all is walked and sent anew.
                self._close(guard)
            self._guards[source.path] = self._guard(source)
            self.engine.sources[source.path].watched = False
            self._open(self._guards[source.path])
        for guard in old.values():
            self._close(guard)

    # ---- telling --------------------------------------------------------------------------

    def _announce(self, now: float) -> None:
        """Say when all is ready, and keep the supervisor informed of what goes on."""
        total = sum(guard.watcher.watched for guard in self._guards.values() if guard.watcher)
        states = self.engine.sources.values()
        if not self._ready and all(state.watched or state.held for state in states):
            self._ready = True
            log.info(
                "ready after %.2f s: %d sources, %d directories, %d mirrors",
                now - self._began,
                len(self._guards),
                total,
                len(self.engine.mirrors),
            )
            self.supervisor.tell(READY="1")
        if self._ready:
            mirrors = self.engine.mirrors
            synced = sum(mirror.health.synced for mirror in mirrors)
            failing = sum(mirror.state in (State.BACKOFF, State.HELD) for mirror in mirrors)
            text = f"{len(mirrors) - failing} of {len(mirrors)} mirrors well"
            if synced < len(mirrors) and self.config.init:
                text = f"first pass {synced}/{len(mirrors)} mirrors"
        else:
            text = f"watching {total} directories…"
        if text != self._told:
            self._told = text
            # A walk of a huge tree may take longer than a start is given.
            more = {} if self._ready else {"EXTEND_TIMEOUT_USEC": "60000000"}
            self.supervisor.tell(STATUS=text, **more)
        if self.supervisor.watchdog and (self._alive_at is None or now >= self._alive_at):
            self._alive_at = now + self.supervisor.watchdog
            self.supervisor.tell(WATCHDOG="1")
