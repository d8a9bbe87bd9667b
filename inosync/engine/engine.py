"""The engine: decides which mirror runs when. It never waits and never looks.

Pure: everything it knows was told to it, with the time of the telling (monotonic seconds); what it
wants done it returns from ``due()`` as actions. The loop carries them out and reports back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from inosync.changes.batch import Batch, collect, full_pass, merged
from inosync.changes.changes import Change, Changes, Move
from inosync.config.model import Config, Pair, Source
from inosync.engine import comparison as comparing
from inosync.engine import messages as telling
from inosync.engine.actions import (
    DEBUG,
    ERROR,
    INFO,
    WARNING,
    Action,
    Hook,
    Kill,
    Look,
    Outcome,
    Rewatch,
    Say,
    Start,
    Terminate,
)
from inosync.engine.backoff import Backoff
from inosync.engine.debounce import Debounce
from inosync.engine.lanes import Lanes
from inosync.engine.mirror import Failure, Mirror, State
from inosync.engine.reports import Failed, Report, changed, failed, held, recovered, succeeded
from inosync.engine.source import SourceState, without_unsettled
from inosync.planning.command import SILENCE
from inosync.planning.order import Order, Prepared, RunKind
from inosync.planning.resting_files import Fresh, compile_rules
from inosync.planning.steps import Renew
from inosync.rsync.exits import PARTIAL, VANISHED, Judgement, Verdict, judge
from inosync.rsync.options import hindrance
from inosync.rsync.output import NOTHING
from inosync.text import printable

#: Seconds between asking a run to end and killing it.
GRACE = 5.0

#: A run is looked at this many times within its ``rtimeout``: a hung one is found soon after.
_LOOKS = 4

#: Lines of what a failed run said that are remembered.
_LINES = 5

#: Seconds between full passes while directories of a source are unwatched.
_SHORT = 300.0

#: Seconds between full passes because of files with several names.
_LINKED = 300.0


@dataclass
class Engine:
    """Sources, their mirrors, and the deadlines of both."""

    config: Config
    random: Callable[[], float]
    contents: bool = False  # full passes compare what is in the files, too
    sources: dict[str, SourceState] = field(default_factory=dict)  # by path
    mirrors: list[Mirror] = field(default_factory=list)
    leaving: list[Mirror] = field(default_factory=list)  # no longer configured, still running
    stopping: bool = False
    paused: bool = False  # a person wants nothing to start: changes are collected
    _lanes: Lanes = field(default_factory=lambda: Lanes(()))
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
        comparing.schedule(self.mirrors, self.config.rverify, now)

    def changed(
        self,
        source: Source,
        changes: Changes,
        now: float,
        *,
        big: Iterable[Change] = (),
        moves: Sequence[Move] = (),
    ) -> None:
        """These paths of `source` may differ on the mirrors from now on; `moves` say why.

        ``big`` is what of it the lanes for big files have to carry (see big.py).
        """
        state = self.sources[source.path]
        keep = self._names_changes(source)
        changes, large = without_unsettled(state.settling, changes, Changes.of(big), now)
        state.big.add(large, now, keep=True)
        closed = dataclasses.replace(changes, written={}) if changes.written else changes
        if closed:
            state.batch.add(closed, now, keep=keep, moves=moves)
            state.debounce.touch(now)
        if self.config.eopen and changes.written:
            state.written.add(Changes(written=changes.written), now, keep=keep)
            state.unclosed.touch(now)

    def resync(self, source: Source, reason: str, now: float) -> None:
        """Anything below `source` may differ: every mirror of it owes a full pass, at once."""
        state = self.sources[source.path]
        state.untold = merged(state.untold, self._full(reason, now))
        self._pass(state, reason, now)

    def linked(self, source: Source, now: float) -> None:
        """A file with several names has changed: under the others it may have changed unseen."""
        state = self.sources[source.path]
        soon = max(now, state.linked_at + _LINKED)
        state.full_at = soon if state.full_at is None else min(state.full_at, soon)
        state.linked = True

    def unsettled(self, source: Source, files: Iterable[Fresh], now: float) -> None:
        """These files of `source` changed a little while ago: they are not to be sent yet."""
        settling = self.sources[source.path].settling
        for path, age, big in files:
            settling.touch(path, now, age=age, big=big)

    def prepared(self, mirror: Mirror, what: Prepared, now: float) -> None:
        """Take note of what was decided for the mirror's run, which begins now."""
        mirror.decide(what)
        if what.linked:
            self.linked(mirror.pair.source, now)

    def _full(self, reason: str, now: float) -> Batch:
        """Return what a full pass carries."""
        return full_pass(reason, now, contents=self.contents)

    def _order(self, mirror: Mirror, batch: Batch, kind: RunKind) -> Order:
        """Return the order for the next run of a mirror that carries `batch`."""
        state = self.sources[mirror.pair.source.path]
        waiting = state.settling.paths
        if waiting and batch.changes is not None:
            # What the batch itself names has waited long enough, and may have changed again since.
            waiting = waiting.difference(batch.changes.entries)
        other = self._lanes.partner(mirror)
        limited = kind is RunKind.PASS and not mirror.approved
        return Order(
            mirror.pair,
            kind,
            batch,
            limit=self.config.rmaxdelete if limited else 0,
            big=mirror.big,
            lenient=mirror.lenient,
            left_out=waiting,
            steps=() if mirror.wary else mirror.steps,
            alone=not mirror.big and (other is None or not other.busy) and not waiting,
            owed=self._lanes.owes(mirror),
            stale=mirror.stale,
            retried=mirror.backoff.failures > 0,
        )

    def shortage(self, source: Source, short: bool, now: float) -> None:
        """Some directories of `source` have no watch (or all have again): passes stand in."""
        state = self.sources[source.path]
        if state.short != short:
            state.short = short
            self._schedule_full(state, now)

    def hold(
        self, source: Source, reason: str, now: float, *, free: frozenset[str] = frozenset()
    ) -> None:
        """`source` is not what it was: nothing of it may travel, and what travels is ended.

        That does not count for the nodes that are `free`: a person said that it may. Their mirrors
        owe a full pass.
        """
        state = self.sources[source.path]
        if (state.held, state.free) != (reason, free):
            but = f" but those on {', '.join(sorted(free))}" if free else ""
            self._say(ERROR, f"{source.path} {reason}: held, its mirrors are left as they are{but}")
        if state.held != reason:
            self._hook(held(source, reason))
            state.held_since = state.held_since if state.held else now
        well = state.watched and not state.held
        freed = frozenset[str]() if well else free - state.free if state.watched else free
        state.held, state.free = reason, free
        state.watched |= bool(free)
        for mirror in self._mirrors_of(source):
            if mirror.pair.node.name in freed:
                mirror.offer(self._full("the source came back", now))
            if mirror.pair.node.name not in free and mirror.state is State.RUNNING:
                self._end(mirror, f"{source.path} {reason}", now)

    def interrupt(self, source: Source, reason: str, now: float) -> None:
        """What runs read below `source` may be wrong from now on: end them, to be made again."""
        for mirror in self._mirrors_of(source):
            if mirror.state is State.RUNNING:
                self._end(mirror, reason, now)

    def resume(self, source: Source, now: float) -> None:
        """A held `source` is well again; its mirrors owe a full pass."""
        self._say(INFO, f"{source.path} is back: full pass")
        state = self.sources[source.path]
        self._hook(recovered(source, state.held, now - state.held_since))
        state.held, state.free = "", frozenset()
        state.watched = True
        self.resync(source, "the source came back", now)

    def release(self, reason: str, now: float, *, node: str = "") -> list[Mirror]:
        """A person wants a full pass now: frees holds and waits of mirrors; return those.

        ``node`` limits that to the mirrors on one node, named as in ``rnodes``; "" is all.
        """
        released = [m for m in self.mirrors if node in ("", m.pair.node.name)]
        for mirror in released:
            mirror.offer(self._full(reason, now))
            mirror.release(approve=True)
        return released

    def repair(self, now: float, *, node: str = "") -> list[Mirror]:
        """A person wants full passes that compare contents; free no holds. Return the mirrors."""
        asked = [m for m in self.mirrors if node in ("", m.pair.node.name)]
        for mirror in asked:
            mirror.offer(full_pass("repair", now, contents=True))
        return asked

    def flush(self) -> None:
        """Let no batch wait for others any longer."""
        for state in self.sources.values():
            if state.batch or state.written:
                self._hand_over(state)

    def settling(self, before: float) -> dict[str, int]:
        """Return how many files of which sources, changed `before` that, are not at rest yet."""
        found = {path: state.settling.count(before) for path, state in self.sources.items()}
        return {path: count for path, count in found.items() if count}

    def owed(self, node: str = "") -> list[tuple[Mirror, int]]:
        """Return the mirrors (on `node`, or on all) and up to what they have been offered by now.

        All of it is on the node of a mirror as soon as its ``done`` is not less.
        """
        return [(m, m.offered) for m in self.mirrors if node in ("", m.pair.node.name)]

    def source_held(self, mirror: Mirror) -> str:
        """Return why the source of `mirror` is held for it, in words; "" when it is not."""
        state = self.sources[mirror.pair.source.path]
        held = state.held and mirror.pair.node.name not in state.free
        return f"{printable(state.source.path)} {state.held}" if held else ""

    def exited(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """The mirror's run has ended."""
        if mirror in self.leaving:
            self.leaving.remove(mirror)
        elif mirror.comparing:
            self._actions += comparing.ended(mirror, outcome, self.config.rverify, now)
        else:
            self._ran(mirror, outcome, now)

    def _ran(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        took = now - (mirror.started if mirror.started is not None else now)
        again, first = mirror.reason, not mirror.synced
        stopped = mirror.state is State.STOPPING
        judgement = judge(outcome.returncode, mirror.pair.destination)
        if not stopped and self._went_on(mirror, outcome, judgement, now):
            return
        mirror.last = outcome.transferred
        mirror.total += outcome.transferred
        flight = mirror.flight
        wait = self._take_end(mirror, judgement, outcome, now)
        if outcome.pretended:
            return
        if judgement.verdict is Verdict.OK and not stopped:
            self._report_success(mirror, flight, took, now)
            self._actions += telling.success(mirror, took, again=bool(again), first=first)
        elif not stopped:
            mirror.failure = Failure(
                now, outcome.returncode, judgement.meaning, outcome.evidence[-_LINES:]
            )
            if not self.stopping:
                self._actions += telling.failure(mirror, outcome, again=again, wait=wait)
                report = failed(
                    mirror,
                    judgement.meaning,
                    cure=judgement.cure,
                    status=outcome.returncode,
                    lines=outcome.evidence,
                    wait=wait or None,
                    held=mirror.state is State.HELD,
                )
                self._ails(mirror, report, now)

    def activity(self, mirror: Mirror, amount: int, now: float) -> None:
        """Answer to ``Look``: `amount` is any number that grows while the run does something."""
        if mirror.state is not State.RUNNING:
            return
        limit = mirror.pair.node.rtimeout * (SILENCE if mirror.thorough else 1)
        if amount != mirror.activity:
            mirror.activity = amount
            mirror.active_at = now
        elif now - mirror.active_at >= limit:
            reason = f"its run did nothing for {limit} s (rtimeout)"
            level = DEBUG if mirror.reason == reason else WARNING
            self._say(level, f"{mirror.name}: {reason}: ended, to be tried again")
            self._end(mirror, reason, now)
            self._ails(mirror, failed(mirror, reason), now)
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
        self.flush()
        before = {(mirror.pair, id(mirror)) for mirror in self.mirrors}
        big_size, most = self.config.rbigsize, self.config.rmaxdelete
        self._configure(config)
        for mirror in self.mirrors:
            mirror.hurry()
            if mirror.limited and config.rmaxdelete != most:
                mirror.release()  # to be rehearsed anew
            # Another limit, and files change from one lane to the other.
            if (mirror.pair, id(mirror)) not in before or config.rbigsize != big_size:
                mirror.offer(self._full("the config changed", now))
        for mirror in self.leaving:
            if mirror.state is State.RUNNING:
                self._end(mirror, "no longer configured", now)
        comparing.schedule(self.mirrors, self.config.rverify, now)

    # ---- what the loop asks ---------------------------------------------------------------

    def due(self, now: float, *, most: int | None = None) -> list[Action]:
        """Return everything that is to be done at `now`, in order.

        With `most`, no more runs are started than that; the next call starts others.
        """
        if not self.stopping:
            for state in self.sources.values():
                self._due_source(state, now)
        for mirror in [*self.mirrors, *self.leaving]:
            mirror.ready(now)
            lane = self._lanes.partner(mirror)
            waiting = mirror.pending or (lane is not None and lane.pending)
            if mirror.comparing and waiting and mirror.state is State.RUNNING:
                self._end(mirror, "what has changed goes first", now)
            if mirror.check_at is not None and now >= mirror.check_at:
                mirror.check_at = None
                self._actions.append(Look(mirror))
            if mirror.kill_at is not None and now >= mirror.kill_at:
                mirror.kill_at = None
                self._say(WARNING, f"{mirror.name}: rsync did not end when told to: killed")
                self._actions.append(Kill(mirror))
        if not self.stopping:
            self._start(now, most)
            self._compare(now)
        actions, self._actions = self._actions, []
        return actions

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do next, or None when only events can tell."""
        waits: list[float | None] = []
        if not self.stopping:
            for state in self.sources.values():
                waits += [state.debounce.deadline, state.unclosed.deadline]
                waits.append(state.settling.deadline)
                waits.append(state.full_at if state.open else None)
        for mirror in [*self.mirrors, *self.leaving]:
            waits += [mirror.kill_at, mirror.check_at]
            if not self.stopping:
                waits.append(mirror.retry_at)
                waits.append(mirror.rests_until if mirror.state is State.PENDING else None)
        if not self.stopping:
            waits += [mirror.compare_at for mirror in self._comparable()]
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
                state.watched, state.held, state.free = old.watched, old.held, old.free
                state.short, state.full_at = old.short, old.full_at
                state.held_since, state.untold = old.held_since, old.untold
                state.settling = old.settling
            state.settling = state.settling.under(
                compile_rules(config.rsettle, prefix=source.prefix)
            )
            self.sources[source.path] = state
        # One that was to leave and is wanted again goes on: its run may not have ended yet.
        old_mirrors = {(_place(m.pair), m.big): m for m in [*self.leaving, *self.mirrors]}
        self.leaving = []
        self.mirrors = []
        pairs = []
        for pair in config.pairs:
            lanes: list[Mirror] = []
            for big in (False, True) if config.rbigsize else (False,):
                mirror = old_mirrors.pop((_place(pair), big), None)
                mirror = mirror or Mirror(pair, self._backoff(pair), big)
                if mirror.pair != pair:
                    mirror.pair = pair
                    mirror.backoff = self._backoff(pair)
                lanes.append(mirror)
            self.mirrors += lanes
            pairs.append(tuple(lanes))
        self._lanes = Lanes(pairs)
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
            self._hand_over(state)
        self._settled(state, now)
        if state.open and state.full_at is not None and now >= state.full_at:
            if state.short:
                self._actions.append(Rewatch(state.source))
            reason = "directories without a watch" if state.short else "rfull"
            if state.linked:
                reason = "a file with several names has changed"
                state.linked, state.linked_at = False, now
            if reason == "rfull":
                self._pass(state, reason, now)  # repairs mirrors: nothing says that it changed
            else:
                self.resync(state.source, reason, now)
        if state.untold is not None and not self.paused:
            if self.config.on_change:  # in a flood it takes longer than all else of a turn
                self._hook(changed(state.source, state.untold))
            state.untold = None

    def _hand_over(self, state: SourceState) -> None:
        # A pass carries all of it: what is written and not closed need not go again soon.
        batch, big = merged(state.batch.take(), state.written.take()), state.big.take()
        state.debounce.reset()
        state.unclosed.reset()
        assert batch is not None  # a timer is only touched with one
        state.untold = merged(state.untold, batch)
        self._offer(state.source, batch, big)

    def _pass(self, state: SourceState, reason: str, now: float) -> None:
        self._offer(state.source, self._full(reason, now))
        self._schedule_full(state, now)

    def _schedule_full(self, state: SourceState, now: float) -> None:
        waits = [self.config.rfull] if self.config.rfull else []
        if state.short:
            waits.append(_SHORT)
        state.full_at = now + min(waits) if waits else None

    def _take_end(
        self, mirror: Mirror, judgement: Judgement, outcome: Outcome, now: float
    ) -> float:
        """Tell the mirror that its run has ended; return the seconds until the next try."""
        flight = mirror.flight
        well = judgement.verdict is Verdict.OK and mirror.state is not State.STOPPING
        repeat = flight is not None and _to_repeat(mirror, outcome, flight)
        lane = self._lanes.beside(mirror)
        complete, sure = not repeat and lane is None, outcome.returncode == 0
        wait = mirror.ended(judgement, now, complete=complete, sure=sure)
        if lane is not None and well:
            lane.beside = merged(lane.beside, flight)
        if mirror.big and well:
            # One that had nothing to do needs no rest.
            rest = self.config.rbigdelay if outcome.command else 0.0
            self._lanes.ended(mirror, now, rest=rest)
        if repeat and flight is not None:
            mirror.offer(flight.again())
        return wait

    def _went_on(self, mirror: Mirror, outcome: Outcome, judgement: Judgement, now: float) -> bool:
        """Return whether what has ended is followed by another run of the same flight."""
        well = judgement.verdict is Verdict.OK
        if mirror.rehearsing and well:
            self._rehearsed(mirror, outcome, now)
            return True
        if not mirror.steps:
            return False
        mirror.total += outcome.transferred
        if not well:
            self._say(DEBUG, f"{mirror.name}: renamed, to be sent again: {judgement.meaning}")
        partly = isinstance(mirror.steps[0], Renew) and outcome.returncode == PARTIAL
        mirror.stepped(well=well or partly)
        self._perform(mirror, now)
        return True

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
            cure = "look at the source; inosync --sync lets it happen once"
            self._ails(mirror, failed(mirror, reason, cure=cure, held=True), now)
            return
        self._perform(mirror, now)

    def _perform(self, mirror: Mirror, now: float) -> None:
        """Go on to the next run of the same flight."""
        look = mirror.pair.node.rtimeout / _LOOKS
        batch = mirror.perform(now, check_after=look)
        self._actions.append(Start(mirror, self._order(mirror, batch, RunKind.PASS)))

    def _comparable(self) -> list[Mirror]:
        """Return the mirrors that may be compared when their time has come: one at a time.

        Such a run is extra (``rparallel``) and gives way: a mirror has nothing to send, and its
        source nothing in store for it.
        """
        if not self.config.rverify or self.paused:
            return []
        if any(mirror.comparing for mirror in [*self.mirrors, *self.leaving]):
            return []
        quiet = {
            path: state
            for path, state in self.sources.items()
            if not state.batch and not state.written
        }
        return [
            mirror
            for mirror in self.mirrors
            if mirror.pair.source.path in quiet
            and quiet[mirror.pair.source.path].open_for(mirror.pair.node.name)
            and comparing.idle(mirror, self._lanes.partner(mirror))
        ]

    def _compare(self, now: float) -> None:
        """Start the comparison that has been due for longest."""
        mirror = comparing.longest_due(self._comparable(), now)
        if mirror is not None:
            mirror.compare(now, check_after=mirror.pair.node.rtimeout * SILENCE / _LOOKS)
            batch = self._full("rverify", now)
            self._actions.append(Start(mirror, self._order(mirror, batch, RunKind.COMPARISON)))

    def _offer(self, source: Source, batch: Batch, big: Batch | None = None) -> None:
        """Add `batch` to what the mirrors of `source` owe, and `big` to what their lanes do."""
        for mirror in self._mirrors_of(source):
            if not mirror.big or batch.reason:
                mirror.offer(batch)
            elif hindrance(mirror.pair.node.extra):
                # What is big there cannot be told from here: what a link points to, for one.
                mirror.offer(dataclasses.replace(batch, changes=None))
            elif big is not None:
                mirror.offer(big)

    def _names_changes(self, source: Source) -> bool:
        """Return whether somebody wants to know what has changed, not only that something has."""
        scopes = {mirror.pair.node.rscope for mirror in self._mirrors_of(source)}
        told = self.config.on_change or self.config.on_success
        return "changes" in scopes or bool(self.config.rsettle or told)

    def _settled(self, state: SourceState, now: float) -> None:
        """Hand on the files that have come to rest."""
        ready = state.settling.due(now)
        if ready:
            changes = Changes(entries=dict.fromkeys(path for path, _, _ in ready))
            batch = collect(changes, min(first for _, first, _ in ready), keep=True)
            big = Changes(entries=dict.fromkeys(path for path, _, big in ready if big))
            assert batch is not None  # there are changes
            state.untold = merged(state.untold, batch)
            self._offer(state.source, batch, collect(big, batch.since, keep=True))

    def _say(self, level: int, text: str) -> None:
        self._actions.append(Say(level, text))

    def _hook(self, report: Report) -> None:
        if getattr(self.config, report.event):
            self._actions.append(Hook(report))

    def _ails(self, mirror: Mirror, report: Failed, now: float) -> None:
        """Tell the hook when a mirror is not well any more, and when something else is wrong."""
        if mirror.ailing != report.meaning:
            mirror.ailing_since = mirror.ailing_since if mirror.ailing else now
            mirror.ailing = report.meaning
            self._hook(report)

    def _report_success(
        self, mirror: Mirror, flight: Batch | None, took: float, now: float
    ) -> None:
        """Tell the hooks, unless it was a pass that found nothing to do."""
        if mirror.ailing:
            self._hook(recovered(mirror, mirror.ailing, now - mirror.ailing_since))
            mirror.ailing = ""
        if flight is None or not self.config.on_success:
            return
        if flight.count or mirror.last != NOTHING:
            self._hook(succeeded(mirror, flight, mirror.last, seconds=took, now=now))

    def _end(self, mirror: Mirror, reason: str, now: float) -> None:
        mirror.end(reason, now, grace=GRACE)
        self._actions.append(Terminate(mirror))

    def _start(self, now: float, most: int | None) -> None:
        """Start the longest waiting mirrors while there is room.

        Mirrors that failed last time get half of the room at most: nodes that hang until they time
        out cannot keep the well ones waiting.
        """
        if self.paused:
            return
        for mirror in self.mirrors:
            if mirror.state is State.PENDING and mirror not in self._queue:
                self._queue.append(mirror)
        busy = [mirror for mirror in self._busy() if not mirror.comparing]
        room = self.config.rparallel - len(busy)
        room = room if most is None else min(room, most)
        trials = max(1, self.config.rparallel // 2)
        trials -= sum(1 for mirror in busy if mirror.backoff.failures)
        # Big files hold up nobody: half of the room stays for the others.
        lanes = max(1, self.config.rparallel // 2) - sum(1 for mirror in busy if mirror.big)
        for mirror in list(self._queue):
            trial = mirror.backoff.failures > 0
            source, node = self.sources[mirror.pair.source.path], mirror.pair.node.name
            if not source.open_for(node) or room <= 0 or (trial and trials <= 0):
                continue
            if mirror.big and (lanes <= 0 or self._lanes.waits(mirror)):
                continue
            self._queue.remove(mirror)
            room -= 1
            trials -= trial
            lanes -= mirror.big
            mirror.lenient = self._lanes.lenient(mirror)
            rehearse = self.config.rmaxdelete > 0 and not mirror.approved
            look = mirror.pair.node.rtimeout / _LOOKS
            batch = mirror.start(now, check_after=look, rehearse=rehearse)
            kind = RunKind.REHEARSAL if rehearse else RunKind.PASS
            self._actions.append(Start(mirror, self._order(mirror, batch, kind)))


def _to_repeat(mirror: Mirror, outcome: Outcome, flight: Batch) -> bool:
    """Return whether a run that went well must be made once more for all of its changes."""
    if mirror.hid and outcome.returncode in (0, VANISHED):
        return True  # what took the old place of a renamed directory was kept back
    # What vanished on the way may have kept its directory from being brought up to date.
    return outcome.returncode == VANISHED and outcome.listed and not flight.repeated


def _place(pair: Pair) -> tuple[str, str]:
    """What makes two pairs of an old and a new config the same mirror."""
    return pair.source.argument, pair.destination.text
