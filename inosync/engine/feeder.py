"""From the sources to their mirrors: what has changed, is held, or is owed on schedule.

Pure. Decides when what a source has gathered becomes a batch of its mirrors; starts no run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from inosync.changes.batch import MOST_GONE, Batch, collect, merged
from inosync.changes.changes import Change, Changes, Move
from inosync.changes.doubts import homes
from inosync.config.model import Source
from inosync.engine import late
from inosync.engine.actions import ERROR, INFO, WARNING, About, Event, Rewatch, Seek
from inosync.engine.memory import ROLLED_BACK, Recalled, asked
from inosync.engine.mirror import Mirror
from inosync.engine.records import Sought
from inosync.engine.reports import changed, held, recovered
from inosync.engine.roster import Roster
from inosync.engine.source import SourceState, without_unsettled
from inosync.planning.resting_files import Fresh
from inosync.planning.scan import Answer, Question
from inosync.planning.slices import Course
from inosync.rsync.options import hindrance

#: Seconds between full passes while directories of a source are unwatched.
_SHORT = 300.0


@dataclass
class Feeder:
    """Feeds the mirrors of a roster."""

    roster: Roster
    _full: set[Mirror] = dataclasses.field(default_factory=set)

    def watched(
        self,
        source: Source,
        reason: str,
        now: float,
        known: Mapping[str, Recalled],
        *,
        contents: bool,
    ) -> None:
        """The watches of `source` stand: see ``Engine.watched``."""
        self.roster.sources[source.path].watched = True
        thorough = self.roster.config.of(source).init is True
        if reason:
            self.resync(source, reason, now, known, thorough=thorough, contents=contents)

    def changed(
        self,
        source: Source,
        changes: Changes,
        now: float,
        *,
        big: Iterable[Change],
        moves: Sequence[Move],
        gone: frozenset[bytes],
        no_files: Collection[bytes],
    ) -> None:
        """These paths of `source` may differ: see ``Engine.changed``."""
        state = self.roster.sources[source.path]
        changes, large = without_unsettled(state.settling, changes, Changes.of(big), now, no_files)
        state.big.add(large, now)
        closed = dataclasses.replace(changes, written={}) if changes.written else changes
        if closed or gone:
            state.batch.add(closed, now, moves=moves, gone=gone)
            state.debounce.touch(now)
        if self.roster.config.of(source).eopen and changes.written:
            state.written.add(Changes(written=changes.written), now)
            state.unclosed.touch(now)

    def resync(
        self,
        source: Source,
        reason: str,
        now: float,
        known: Mapping[str, Recalled],
        *,
        thorough: bool = False,
        contents: bool = False,
    ) -> None:
        """Anything below `source` may differ: see ``Engine.resync``.

        Also those that are `known` owe a full pass when it is to be `thorough`, after the rest.
        Where nothing tells what differs, not even sizes and times, passes compare `contents`.
        """
        state = self.roster.sources[source.path]
        full = self.roster.full(reason, now, lost=True, contents=contents)
        state.untold = merged(state.untold, self.roster.full(reason, now))
        for mirror in self.roster.of(source):
            recalled = known.get(mirror.name)
            if recalled is None or recalled.question is None:
                mirror.offer(full)
                if recalled is not None and recalled.cut:
                    late.expect(mirror, full, now)
            else:
                mirror.health = dataclasses.replace(mirror.health, whole=True)
                rest = recalled.rest if mirror.passing is None else None
                after = self.roster.full(reason, now) if thorough or rest else None
                if recalled.cut and recalled.rest is not None:  # perhaps a slice, of what is old
                    late.expect(mirror, full, now)
                self.seek(mirror, recalled.question, now, after=after, rest=rest, cut=recalled.cut)
        self._schedule_full(state, now)

    def seek(
        self,
        mirror: Mirror,
        question: Question,
        now: float,
        *,
        after: Batch | None = None,
        rest: Course | None = None,
        cut: bool = False,
    ) -> None:
        """Have a walk look in the source of a mirror for what has changed without an event.

        When what it found is on the node, the mirror owes `after`, or the `rest` of it. Runs that
        carried some of what it finds may have been `cut` short before this daemon began.
        """
        mirror.seek(now, after, rest, by_time=question.since is not None, cut=cut)
        self.roster.actions.append(Seek(mirror, question))

    def narrow(self, mirror: Mirror, question: Question, now: float) -> None:
        """Look for what a mirror owes and is not known by name: see ``Engine.narrow``."""
        mirror.withdraw()
        mirror.narrow(now)
        text = f"{mirror.name}: more has changed than is remembered: looked for by time"
        self.roster.say(INFO, text)
        self.roster.actions.append(Seek(mirror, question))

    def found(self, mirror: Mirror, answer: Answer | None, now: float) -> None:
        """A walk has answered what was asked for a mirror: see ``Engine.found``."""
        if mirror.sought is None:
            return
        reason = "a look through the source was cut short" if answer is None else _doubt(answer)
        if answer is None or answer.changes is None or reason:
            # In an earlier state of the source, times do not tell what differs.
            older = answer is not None and answer.older
            batch: Batch | None = self.roster.full(reason, now, lost=True, contents=older)
        elif (batch := _collect(mirror, mirror.sought, answer.changes)) is not None:
            batch = dataclasses.replace(batch, whole=answer.named)
        if batch is not None and mirror.sought.cut:
            late.expect(mirror, batch, now)
        lane = self.roster.lanes.partner(mirror)
        mirror.found(batch, beside=lane is not None and lane.beside is not None)

    def found_so_far(self, mirror: Mirror, changes: Changes, now: float) -> None:
        """A walk that goes on has found this for a mirror: see ``Engine.found_so_far``."""
        if mirror.sought is None:
            return
        batch = _collect(mirror, mirror.sought, changes)
        if batch is not None:
            if mirror.sought.cut:
                late.expect(mirror, batch, now)
            mirror.offer(batch)

    def unsettled(self, source: Source, files: Iterable[Fresh], now: float) -> None:
        """These files of `source` changed a little while ago: they are not to be sent yet."""
        settling = self.roster.sources[source.path].settling
        for path, age, big in files:
            settling.touch(path, now, age=age, big=big)

    def shortage(self, source: Source, short: bool, now: float) -> None:
        """Some directories of `source` have no watch (or all have again): passes stand in."""
        state = self.roster.sources[source.path]
        if state.short != short:
            state.short = short
            self._schedule_full(state, now)

    def reschedule(self, now: float) -> None:
        """``rfull`` is another: the next pass is due by it."""
        for state in self.roster.sources.values():
            self._schedule_full(state, now)

    # ---- held -----------------------------------------------------------------------------

    def unwatched(self, source: Source, reason: str, now: float) -> None:
        """Nothing of `source` may travel until it is watched again: see ``Engine.unwatched``."""
        self.roster.sources[source.path].deafen(now)
        for mirror in self.roster.of(source):
            self.roster.end(mirror, f"{source.path} {reason}", now)

    def hold(
        self, source: Source, reason: str, now: float, free: frozenset[str], *, contents: bool
    ) -> None:
        """Nothing of `source` may travel but to the nodes that are `free`: see ``Engine.hold``."""
        state = self.roster.sources[source.path]
        if (state.held, state.free) != (reason, free):
            but = f" but those on {', '.join(sorted(free))}" if free else ""
            text = f"{source.path} {reason}: held, its mirrors are left as they are{but}"
            about = About(source.path, state="held", event=Event.HOLD)
            self.roster.say(ERROR, text, about)
        if state.held != reason:
            self.roster.hook(held(source, reason))
        freed = state.hold(reason, free, now)
        for mirror in self.roster.of(source):
            if mirror.pair.node.name in freed:
                full = self.roster.full("the source came back", now, lost=True, contents=contents)
                mirror.offer(full)
            if mirror.pair.node.name not in free:
                self.roster.end(mirror, f"{source.path} {reason}", now)

    def resume(
        self, source: Source, now: float, known: Mapping[str, Recalled], *, contents: bool
    ) -> None:
        """A held `source` is well again: see ``Engine.resume``."""
        what = "what has changed is looked for" if asked(known) else "full pass"
        about = About(source.path, state="watched", event=Event.RECOVERY)
        self.roster.say(INFO, f"{source.path} is back: {what}", about)
        state = self.roster.sources[source.path]
        self.roster.hook(recovered(source, state.held, now - state.held_since))
        state.resume()
        self.resync(source, "the source came back", now, known, contents=contents)

    # ---- what is due ----------------------------------------------------------------------

    def flush(self) -> None:
        """Let no batch wait for others any longer."""
        for state in self.roster.sources.values():
            if state.batch or state.written:
                self._hand_over(state)
            if state.paced:
                for mirror in self.roster.of(state.source):
                    mirror.rests_until = mirror.rests_until if mirror.big else None

    def due(self, now: float) -> None:
        """Hand the sources' batches to their mirrors when they have waited long enough."""
        for state in self.roster.sources.values():
            due_at = state.due_at(self.roster.of(state.source))
            if (due_at is not None and now >= due_at) or state.unclosed.take(now):
                self._hand_over(state)
            self._settled(state, now)
            if state.open and state.full_at is not None and now >= state.full_at:
                self._repair(state, now)
            if state.untold is not None and not self.roster.paused:
                if self.roster.config.on_change:  # in a flood it takes longer than all of a turn
                    self.roster.hook(changed(state.source, state.untold))
                state.untold = None

    def deadlines(self) -> Iterable[float | None]:
        """Give when ``due`` has something to do."""
        for state in self.roster.sources.values():
            yield state.due_at(self.roster.of(state.source))
            yield from (state.unclosed.deadline, state.settling.deadline)
            yield state.full_at if state.open else None

    def _repair(self, state: SourceState, now: float) -> None:
        """Let the mirrors owe the full pass that is due on schedule."""
        if state.short:
            self.roster.actions.append(Rewatch(state.source))
        reason = "directories without a watch" if state.short else "rfull"
        if reason == "rfull":
            self._pass(state, reason, now)  # repairs mirrors: nothing says that it changed
        else:
            self.resync(state.source, reason, now, {})

    def _hand_over(self, state: SourceState) -> None:
        batch, big = state.take()
        state.untold = merged(state.untold, batch)
        self._offer(state.source, batch, big)

    def _settled(self, state: SourceState, now: float) -> None:
        """Hand on the files that have come to rest."""
        ready = state.settling.due(now)
        if ready:
            changes = Changes(entries=dict.fromkeys(path for path, _, _ in ready))
            batch = collect(changes, min(first for _, first, _ in ready))
            big = Changes(entries=dict.fromkeys(path for path, _, big in ready if big))
            assert batch is not None  # there are changes
            state.untold = merged(state.untold, batch)
            self._offer(state.source, batch, collect(big, batch.since))

    def _pass(self, state: SourceState, reason: str, now: float) -> None:
        self._offer(state.source, self.roster.full(reason, now))
        self._schedule_full(state, now)

    def _schedule_full(self, state: SourceState, now: float) -> None:
        waits = [self.roster.config.rfull] if self.roster.config.rfull else []
        if state.short:
            waits.append(_SHORT)
        state.full_at = now + min(waits) if waits else None

    def _offer(self, source: Source, batch: Batch, big: Batch | None = None) -> None:
        """Add `batch` to what the mirrors of `source` owe, and `big` to what their lanes do."""
        seen, batch = batch, dataclasses.replace(batch, gone=frozenset()) if batch.gone else batch
        for mirror in self.roster.of(source):
            if not mirror.big and mirror.pair.node.rdelete == "seen":
                mirror.offer(seen)
                self._say_full(mirror)
            elif batch.empty:
                continue
            elif not mirror.big or batch.reason:
                mirror.offer(batch)
            elif hindrance(mirror.pair.node.extra):
                # What is big there cannot be told from here: what a link points to, for one.
                mirror.offer(batch.nameless())
            elif big is not None:
                mirror.offer(big)

    def _say_full(self, mirror: Mirror) -> None:
        """Say once that more has vanished than is remembered."""
        full = mirror.pending is not None and len(mirror.pending.gone) >= MOST_GONE
        if full and mirror not in self._full:
            text = f"more than {MOST_GONE} paths have vanished: some of them stay on the node"
            self.roster.say(WARNING, f"{mirror.name}: {text} (rdelete); --verify counts them")
        (self._full.add if full else self._full.discard)(mirror)


def _doubt(answer: Answer) -> str:
    """Return why what a walk has found is no use, or ""."""
    if answer.older:
        return ROLLED_BACK
    return "too much has changed" if answer.changes is None else ""


def _collect(mirror: Mirror, sought: Sought, changes: Changes) -> Batch | None:
    """Return what a walk has found, as one batch; None: nothing.

    A run may have been cut short, also one of the daemon before: what it left has to go.
    """
    batch = collect(changes, sought.since)
    cut = mirror.backoff.failures > 0 or not mirror.health.synced
    if batch is None or not cut or sought.after is not None:
        return batch
    return batch.with_levels(homes(changes.entries))
