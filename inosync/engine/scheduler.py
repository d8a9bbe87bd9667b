"""Who runs next, and with what order.

Pure. Keeps the queue of those that wait, and the limits on how many run beside each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inosync.changes.batch import Batch
from inosync.engine import ailing, comparison
from inosync.engine.actions import INFO, Start
from inosync.engine.mirror import Mirror, State
from inosync.engine.roster import LOOKS, Roster
from inosync.engine.streams import processes, streams
from inosync.planning.order import Order, RunKind


@dataclass
class _Room:
    """How many more runs there may be: of all, of those that may take long, to one other host.

    And of those that failed last time, and of big files: nodes that hang until they time out cannot
    keep the well ones waiting, nor can big files hold up anybody; half of the room stays for the
    others. A host may admit few at once (MaxSessions, MaxStartups, ``max connections``).
    """

    all: int
    long: int
    of_host: int
    trials: int
    lanes: int
    hosts: Counter[str] = field(default_factory=Counter)  # how many there are

    def admits(self, mirror: Mirror) -> bool:
        trial = mirror.backoff.failures > 0
        return (
            self.all > 0
            and (self.long > 0 or mirror.short)
            and self.at_host(mirror) > 0
            and (not trial or self.trials > 0)
            and (not mirror.big or self.lanes > 0)
        )

    def at_host(self, mirror: Mirror) -> int:
        host = mirror.pair.destination.host
        return self.of_host - self.hosts[host] if host else self.of_host

    def take(self, mirror: Mirror, count: int = 1) -> None:
        self.all -= count
        if host := mirror.pair.destination.host:
            self.hosts[host] += count
        self.long -= count * (not mirror.work.short)
        self.trials -= count * (mirror.backoff.failures > 0)
        self.lanes -= count * mirror.big


@dataclass
class Scheduler:
    """Starts the mirrors of a roster; the longest waiting first."""

    roster: Roster
    _queue: dict[Mirror, None] = field(default_factory=dict)
    _told: set[Mirror] = field(default_factory=set)

    def configure(self) -> None:
        """Forget those that are no longer configured."""
        present = set(self.roster.mirrors)
        self._queue = {mirror: None for mirror in self._queue if mirror in present}
        self._told &= present

    def line_up(self) -> None:
        """Let all that are pending by now wait for their turn."""
        for mirror in self.roster.mirrors:
            if mirror.state is State.PENDING:
                self._queue.setdefault(mirror)

    def start(self, now: float, most: int | None) -> None:
        """Start the longest waiting mirrors while there is room; no more than `most`."""
        if self.roster.paused or not self._queue:
            return
        room = self._room()
        free = min(room.all, room.long)
        room.all = room.all if most is None else min(room.all, most)
        for mirror in list(self._queue):
            if room.all <= 0:
                return
            if mirror.state is not State.PENDING:  # its target is not what it was
                del self._queue[mirror]
            elif room.admits(mirror) and self._may_begin(mirror):
                del self._queue[mirror]
                spare = min(free - len(self._queue), room.at_host(mirror))
                count = self._begin(mirror, now, spare)
                room.take(mirror, count)
                free -= count

    def _may_begin(self, mirror: Mirror) -> bool:
        is_open = self.roster.source_of(mirror).open_for(mirror.pair.node.name)
        return is_open and not self.roster.lanes.waits(mirror)

    def _room(self) -> _Room:
        config, most = self.roster.config, self.roster.config.long_runs
        half = max(1, most // 2)
        room = _Room(config.all_runs, most, most, half, half)
        for mirror in self.roster.busy():
            if not mirror.work.comparing:
                room.take(mirror, processes(mirror))
        return room

    def _begin(self, mirror: Mirror, now: float, free: int) -> int:
        """Order the run of a mirror; return how many processes it may be, of so many `free`."""
        lenient = self.roster.lanes.lenient(mirror)
        own = self.roster.config.of(mirror.pair.source)
        limits = own.rmaxdelete or mirror.pair.node.rmaxchange
        rehearse = limits > 0 and not mirror.brake.approved
        batch = mirror.start(now, check_after=_look(mirror), rehearse=rehearse, lenient=lenient)
        kind = RunKind.SLICE if mirror.work.slicing else RunKind.PASS
        if batch.reason and kind is RunKind.PASS:
            self._say_uncut(mirror)
        count = streams(mirror, free)
        self._order(mirror, batch, RunKind.REHEARSAL if rehearse else kind, now, count)
        return count

    def _say_uncut(self, mirror: Mirror) -> None:
        """Say once why a pass to a node that names its changes is one run."""
        if mirror.pair.node.rscope == "changes" and not mirror.big and mirror not in self._told:
            self._told.add(mirror)
            self.roster.say(INFO, f"{mirror.name}: a pass is one run, not slices: {mirror.uncut}")

    def go_on(self, mirror: Mirror, now: float, *, rehearsed: bool = True) -> None:
        """Start the next run of the same flight: after a step, or where it was `rehearsed`.

        After the pass or list itself, the next is the run that compares what is in doubt.
        """
        kind = RunKind.PASS if mirror.work.ran is None else RunKind.CONTENTS
        batch = mirror.perform(now, check_after=_look(mirror))
        self._order(mirror, batch, kind, now, rehearsed=rehearsed)

    def compare(self, now: float) -> None:
        """Start the comparison that has been due for longest."""
        mirror = comparison.longest_due(self.comparable(), now)
        if mirror is not None:
            mirror.compare(now, check_after=_look(mirror))
            whole = self.roster.full("rverify", now)
            self._order(mirror, whole, RunKind.COMPARISON, now)

    def comparable(self) -> Sequence[Mirror]:
        """Return the mirrors that may be compared when their time has come: one at a time.

        Such a run is extra (``rparallel``) and gives way: a mirror has nothing to send, and its
        source nothing in store for it.
        """
        roster = self.roster
        if not roster.config.rverify or roster.paused:
            return ()
        if any(mirror.work.comparing for mirror in roster.everybody()):
            return ()
        return [mirror for mirror in roster.mirrors if self._may_be_compared(mirror)]

    def _may_be_compared(self, mirror: Mirror) -> bool:
        state = self.roster.source_of(mirror)
        quiet = not state.batch and not state.written and state.open_for(mirror.pair.node.name)
        return quiet and comparison.idle(mirror, self.roster.lanes.partner(mirror))

    def updated(self, start: Start) -> Start:
        """Return what was ordered a moment ago, without the files that have changed since."""
        waiting = self._unsettled(start.mirror, start.order.batch)
        if waiting == start.order.left_out:  # mostly
            return start
        alone = start.order.alone and not waiting
        return replace(start, order=replace(start.order, left_out=waiting, alone=alone))

    def _unsettled(self, mirror: Mirror, batch: Batch) -> frozenset[bytes]:
        """Return the files that must not travel with `batch`: they are not at rest."""
        waiting = self.roster.source_of(mirror).settling.paths
        if waiting and batch.changes is not None:
            # What the batch itself names has waited long enough, and may have changed again since.
            waiting = waiting.difference(batch.changes.entries)
        return waiting

    def _order(
        self,
        mirror: Mirror,
        batch: Batch,
        kind: RunKind,
        now: float,
        count: int = 1,
        *,
        rehearsed: bool = False,
    ) -> None:
        """Order the next run of a mirror, which carries `batch`; of slices so many at once."""
        waiting = self._unsettled(mirror, batch)
        other = self.roster.lanes.partner(mirror)
        passing = mirror.passing
        limited = not mirror.brake.approved
        deletes = limited and kind in (RunKind.PASS, RunKind.REHEARSAL)
        order = Order(
            mirror.pair,
            kind,
            batch,
            limit=self.roster.config.of(mirror.pair.source).rmaxdelete if deletes else 0,
            most=_left_to_overwrite(mirror) if limited and not rehearsed else None,
            big=mirror.big,
            lenient=mirror.work.lenient,
            left_out=waiting,
            steps=() if mirror.wary else mirror.work.steps,
            alone=not mirror.big and (other is None or not other.busy) and not waiting,
            # What a pass has not come to yet, the node may not have.
            owed=None if mirror.filling else self.roster.lanes.owes(mirror),
            stale=mirror.stale,
            retried=mirror.backoff.failures > 0,
            blind=ailing.blind(mirror.ailing, batch, now),
            odd=mirror.ousted,
            barred=ailing.barred(mirror.ailing, batch),
            equal_at=mirror.equal_at,
            course=passing.course if passing is not None else None,
            budget=passing.budget if passing is not None else 0,
            piece=passing.next if passing is not None else None,
            streams=count,
        )
        self.roster.actions.append(Start(mirror, order))


def _look(mirror: Mirror) -> float:
    """Return after how many seconds somebody looks whether a run moves; 0: never."""
    return mirror.pair.node.rtimeout / LOOKS


def _left_to_overwrite(mirror: Mirror) -> int | None:
    """Return how many more files a flight may overwrite without a rehearsal; None: any number."""
    limit = mirror.pair.node.rmaxchange
    return max(0, limit - mirror.work.overwritten) if limit else None
