"""The engine: decides which mirror runs when. It never waits and never looks.

Pure: everything it knows was told to it, with the time of the telling (monotonic seconds); what it
wants done it returns from ``due()`` as actions. The loop carries them out and reports back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inosync.actions import (
    DEBUG,
    ERROR,
    INFO,
    WARNING,
    Action,
    Kill,
    Look,
    Outcome,
    Rewatch,
    Say,
    Start,
    Terminate,
)
from inosync.backoff import Backoff
from inosync.changes import Batch, collect, full_pass, merged
from inosync.config import Config, Pair, Source
from inosync.debounce import Debounce
from inosync.events import Change, Kind
from inosync.mirror import Mirror, State
from inosync.rsync import VANISHED, Verdict, judge

#: Seconds between asking a run to end and killing it.
GRACE = 5.0

#: A run is looked at this many times within its ``rtimeout``: a hung one is found soon after.
_LOOKS = 4

#: Seconds between full passes while directories of a source are unwatched.
_SHORT = 300.0

#: Seconds between full passes because of files with several names.
_LINKED = 300.0


@dataclass
class SourceState:
    """What the engine knows of one source."""

    source: Source
    debounce: Debounce
    unclosed: Debounce  # the same for files that are written and not closed
    batch: Batch | None = None  # what the debounce timer holds back
    written: Batch | None = None  # what the timer for unclosed files holds back
    watched: bool = False  # the watches stand
    short: bool = False  # some directories have no watch
    full_at: float | None = None  # when the next repairing full pass is due
    linked: bool = False  # that pass is due for files with several names
    linked_at: float = -math.inf  # when such a pass was last made
    held: str = ""  # why nothing of it may travel; "" is well

    @property
    def open(self) -> bool:
        """Whether its mirrors may run."""
        return self.watched and not self.held


@dataclass
class Engine:
    """Sources, their mirrors, and the deadlines of both."""

    config: Config
    random: Callable[[], float]
    sources: dict[str, SourceState] = field(default_factory=dict)  # by path
    mirrors: list[Mirror] = field(default_factory=list)
    leaving: list[Mirror] = field(default_factory=list)  # no longer configured, still running
    stopping: bool = False
    _queue: list[Mirror] = field(default_factory=list)  # pending, the longest waiting first
    _actions: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._configure(self.config)

    # ---- what the loop tells --------------------------------------------------------------

    def watched(self, source: Source, now: float, *, reason: str = "start-up") -> None:
        """The watches of `source` stand; with a `reason`, every mirror of it owes a full pass."""
        self.sources[source.path].watched = True
        if reason:
            self.resync(source, reason, now)

    def changed(self, source: Source, changes: Sequence[Change], now: float) -> None:
        """These paths of `source` may differ on the mirrors from now on."""
        state = self.sources[source.path]
        keep = any(m.pair.node.rscope == "changes" for m in self._mirrors_of(source))
        closed = [change for change in changes if change.kind is not Kind.WRITTEN]
        batch = collect(closed, now, keep=keep)
        if batch is not None:
            state.batch = merged(state.batch, batch)
            state.debounce.touch(now)
        unclosed = [change for change in changes if change.kind is Kind.WRITTEN]
        written = collect(unclosed, now, keep=keep)
        if written is not None:
            state.written = merged(state.written, written)
            state.unclosed.touch(now)

    def resync(self, source: Source, reason: str, now: float) -> None:
        """Anything below `source` may differ: every mirror of it owes a full pass, at once."""
        self._offer(source, full_pass(reason, now))
        self._schedule_full(self.sources[source.path], now)

    def linked(self, source: Source, now: float) -> None:
        """A file with several names has changed: under the others it may have changed unseen."""
        state = self.sources[source.path]
        soon = max(now, state.linked_at + _LINKED)
        state.full_at = soon if state.full_at is None else min(state.full_at, soon)
        state.linked = True

    def shortage(self, source: Source, short: bool, now: float) -> None:
        """Some directories of `source` have no watch (or all have again): passes stand in."""
        state = self.sources[source.path]
        if state.short != short:
            state.short = short
            self._schedule_full(state, now)

    def hold(self, source: Source, reason: str, now: float) -> None:
        """`source` is not what it was: nothing of it may travel, and what travels is ended."""
        state = self.sources[source.path]
        if state.held != reason:
            self._say(ERROR, f"{source.path} {reason}: held, its mirrors are left as they are")
        state.held = reason
        for mirror in self._mirrors_of(source):
            if mirror.state is State.RUNNING:
                self._end(mirror, f"{source.path} {reason}", now)

    def resume(self, source: Source, now: float) -> None:
        """A held `source` is well again; its mirrors owe a full pass."""
        self._say(INFO, f"{source.path} is back: full pass")
        state = self.sources[source.path]
        state.held = ""
        state.watched = True
        self.resync(source, "the source came back", now)

    def release(self, reason: str, now: float, *, node: str = "") -> list[Mirror]:
        """A person wants a full pass now: frees holds and waits of mirrors; return those.

        ``node`` limits that to the mirrors on one node, named as in ``rnodes``; "" is all.
        """
        released = [m for m in self.mirrors if node in ("", m.pair.node.name)]
        for mirror in released:
            mirror.offer(full_pass(reason, now))
            mirror.release(approve=True)
        return released

    def exited(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """The mirror's run has ended."""
        if mirror in self.leaving:
            self.leaving.remove(mirror)
            return
        took = now - (mirror.started if mirror.started is not None else now)
        again, first = mirror.reason, not mirror.synced
        stopped = mirror.state is State.STOPPING
        judgement = judge(outcome.returncode, mirror.pair.destination)
        if mirror.rehearsing and not stopped and judgement.verdict is Verdict.OK:
            self._rehearsed(mirror, outcome, now)
            return
        mirror.last = outcome.transferred
        flight = mirror.flight
        wait = mirror.ended(judgement, now)
        if outcome.returncode == VANISHED and outcome.listed and flight and not flight.repeated:
            # What vanished on the way may have kept its directory from being brought up to date.
            mirror.offer(flight.again())
        if outcome.pretended:
            return
        if judgement.verdict is Verdict.OK and not stopped:
            if again:
                self._say(INFO, f"{mirror.name}: well again")
            elif first:
                self._say(INFO, f"{mirror.name}: in sync (first pass, {took:.1f} s)")
            moved = outcome.transferred
            self._say(
                DEBUG,
                f"{mirror.name}: {moved.files} files, {moved.size} bytes, "
                f"{moved.deleted} deleted, {took:.2f} s",
            )
        elif not self.stopping and not stopped:
            self._tell_failure(mirror, outcome, again=again, wait=wait)

    def activity(self, mirror: Mirror, amount: int, now: float) -> None:
        """Answer to ``Look``: `amount` is any number that grows while the run does something."""
        if mirror.state is not State.RUNNING:
            return
        limit = mirror.pair.node.rtimeout
        if amount != mirror.activity:
            mirror.activity = amount
            mirror.active_at = now
        elif now - mirror.active_at >= limit:
            reason = f"its run did nothing for {limit} s (rtimeout)"
            level = DEBUG if mirror.reason == reason else WARNING
            self._say(level, f"{mirror.name}: {reason}: ended, to be tried again")
            self._end(mirror, reason, now)
            return
        mirror.check_at = now + limit / _LOOKS

    def stop(self, now: float) -> None:
        """End all runs and start no more. A second call kills them."""
        for mirror in self._busy():
            if self.stopping:
                self._actions.append(Kill(mirror))
            elif mirror.state is State.RUNNING:
                self._end(mirror, "stopping", now)
        self.stopping = True

    def configure(self, config: Config, now: float) -> None:
        """Take a new config: mirrors that stay keep what they owe, new and altered ones owe a pass.

        Sources whose watches no longer fit must be reported with ``watched`` again by the caller.
        """
        for state in self.sources.values():
            batch = merged(state.batch, state.written)
            if batch is not None:
                self._offer(state.source, batch)
        before = {(mirror.pair, id(mirror)) for mirror in self.mirrors}
        self._configure(config)
        for mirror in self.mirrors:
            mirror.release()
            if (mirror.pair, id(mirror)) not in before:
                mirror.offer(full_pass("the config changed", now))
        for mirror in self.leaving:
            if mirror.state is State.RUNNING:
                self._end(mirror, "no longer configured", now)

    # ---- what the loop asks ---------------------------------------------------------------

    def due(self, now: float) -> list[Action]:
        """Return everything that is to be done at `now`, in order."""
        if not self.stopping:
            for state in self.sources.values():
                self._due_source(state, now)
        for mirror in [*self.mirrors, *self.leaving]:
            mirror.ready(now)
            if mirror.check_at is not None and now >= mirror.check_at:
                mirror.check_at = None
                self._actions.append(Look(mirror))
            if mirror.kill_at is not None and now >= mirror.kill_at:
                mirror.kill_at = None
                self._say(WARNING, f"{mirror.name}: rsync did not end when told to: killed")
                self._actions.append(Kill(mirror))
        if not self.stopping:
            self._start(now)
        actions, self._actions = self._actions, []
        return actions

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do next, or None when only events can tell."""
        waits: list[float | None] = []
        if not self.stopping:
            for state in self.sources.values():
                waits += [state.debounce.deadline, state.unclosed.deadline]
                waits.append(state.full_at if state.open else None)
        for mirror in [*self.mirrors, *self.leaving]:
            waits += [mirror.kill_at, mirror.check_at]
            if not self.stopping:
                waits.append(mirror.retry_at)
        return min((wait for wait in waits if wait is not None), default=None)

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called and no run is left."""
        return self.stopping and not self._busy()

    # ---- inside ---------------------------------------------------------------------------

    def _configure(self, config: Config) -> None:
        self.config = config
        old_sources = self.sources
        self.sources = {}
        for source in config.sources:
            state = SourceState(
                source,
                Debounce(config.edelay, config.emaxdelay),
                Debounce(config.eopen, config.eopen),
            )
            old = old_sources.get(source.path)
            if old is not None:
                state.watched, state.held = old.watched, old.held
                state.short, state.full_at = old.short, old.full_at
            self.sources[source.path] = state
        # One that was to leave and is wanted again goes on: its run may not have ended yet.
        old_mirrors = {_place(mirror.pair): mirror for mirror in [*self.leaving, *self.mirrors]}
        self.leaving = []
        self.mirrors = []
        for pair in config.pairs:
            mirror = old_mirrors.pop(_place(pair), None) or Mirror(pair, self._backoff(pair))
            if mirror.pair != pair:
                mirror.pair = pair
                mirror.backoff = self._backoff(pair)
            self.mirrors.append(mirror)
        self.leaving += [mirror for mirror in old_mirrors.values() if mirror.busy]
        self._queue = [mirror for mirror in self._queue if mirror in self.mirrors]

    def _backoff(self, pair: Pair) -> Backoff:
        first, ceiling = pair.node.rretry
        return Backoff(first, ceiling, random=self.random)

    def _mirrors_of(self, source: Source) -> list[Mirror]:
        return [mirror for mirror in self.mirrors if mirror.pair.source.path == source.path]

    def _busy(self) -> list[Mirror]:
        return [mirror for mirror in [*self.mirrors, *self.leaving] if mirror.busy]

    def _due_source(self, state: SourceState, now: float) -> None:
        """Hand a source's batches to its mirrors when they have waited long enough."""
        if state.debounce.take(now) or state.unclosed.take(now):
            # A pass carries all of it: what is written and not closed need not go again soon.
            batch = merged(state.batch, state.written)
            state.batch = state.written = None
            state.debounce.reset()
            state.unclosed.reset()
            assert batch is not None  # a timer is only touched with one
            self._offer(state.source, batch)
        if state.open and state.full_at is not None and now >= state.full_at:
            if state.short:
                self._actions.append(Rewatch(state.source))
            reason = "directories without a watch" if state.short else "rfull"
            if state.linked:
                reason = "a file with several names has changed"
                state.linked, state.linked_at = False, now
            self.resync(state.source, reason, now)

    def _schedule_full(self, state: SourceState, now: float) -> None:
        waits = [self.config.rfull] if self.config.rfull else []
        if state.short:
            waits.append(_SHORT)
        state.full_at = now + min(waits) if waits else None

    def _rehearsed(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """The run may follow its rehearsal, or would delete too much."""
        limit, count = self.config.rmaxdelete, outcome.transferred.deleted
        if count > limit:
            names = ", ".join(outcome.deletions)
            reason = f"would delete {count} files (rmaxdelete is {limit})"
            mirror.hold(reason)
            self._say(
                ERROR,
                f"{mirror.name}: {reason}, such as {names}: held, nothing was deleted; "
                "inosync --sync or SIGUSR2 goes on",
            )
            return
        look = mirror.pair.node.rtimeout / _LOOKS
        self._actions.append(Start(mirror, mirror.perform(now, check_after=look), limit=limit))

    def _offer(self, source: Source, batch: Batch) -> None:
        for mirror in self._mirrors_of(source):
            mirror.offer(batch)

    def _say(self, level: int, text: str) -> None:
        self._actions.append(Say(level, text))

    def _end(self, mirror: Mirror, reason: str, now: float) -> None:
        mirror.end(reason, now, grace=GRACE)
        self._actions.append(Terminate(mirror))

    def _start(self, now: float) -> None:
        """Start the longest waiting mirrors while there is room.

        Mirrors that failed last time get half of the room at most: nodes that hang until they time
        out cannot keep the well ones waiting.
        """
        for mirror in self.mirrors:
            if mirror.state is State.PENDING and mirror not in self._queue:
                self._queue.append(mirror)
        busy = self._busy()
        room = self.config.rparallel - len(busy)
        trials = max(1, self.config.rparallel // 2)
        trials -= sum(1 for mirror in busy if mirror.backoff.failures)
        for mirror in list(self._queue):
            trial = mirror.backoff.failures > 0
            ready = self.sources[mirror.pair.source.path].open
            if not ready or room <= 0 or (trial and trials <= 0):
                continue
            self._queue.remove(mirror)
            room -= 1
            trials -= trial
            rehearse = self.config.rmaxdelete > 0 and not mirror.approved
            look = mirror.pair.node.rtimeout / _LOOKS
            batch = mirror.start(now, check_after=look, rehearse=rehearse)
            self._actions.append(Start(mirror, batch, rehearse=rehearse))

    def _tell_failure(self, mirror: Mirror, outcome: Outcome, *, again: str, wait: float) -> None:
        """Log a failure once per change of its kind; later ones at growing distances."""
        judgement = judge(outcome.returncode, mirror.pair.destination)
        ending = f"next try in {wait:.1f} s" if wait else "held until told to go on (SIGUSR2)"
        tries = mirror.backoff.failures
        if again == mirror.reason:
            # Tries grow rare; at each doubling of their number one line says that it still lasts.
            level = WARNING if tries >= 8 and tries & (tries - 1) == 0 else DEBUG
            self._say(
                level, f"{mirror.name}: still {judgement.meaning} after {tries} tries; {ending}"
            )
            return
        level = WARNING if judgement.verdict is Verdict.RETRY else ERROR
        status = f"exit {outcome.returncode}: " if outcome.returncode >= 0 else ""
        self._say(level, f"{mirror.name}: {status}{judgement.meaning}; {judgement.cure}; {ending}")
        self._say(level, f"  command: {outcome.command}")
        for line in outcome.evidence:
            self._say(level, f"  {line}")


def _place(pair: Pair) -> tuple[str, str]:
    """What makes two pairs of an old and a new config the same mirror."""
    return pair.source.argument, pair.destination.text
