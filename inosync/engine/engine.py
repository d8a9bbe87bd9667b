"""The engine: decides which mirror runs when. It never waits and never looks.

Pure: everything it knows was told to it, with the time of the telling (monotonic seconds); what it
wants done it returns from ``due()`` as actions. The service carries them out and reports back.

How things stand may be asked of it, too (standing.py). Its parts share one roster: the feeder gives
the mirrors what their sources have gathered, the scheduler starts those that wait, the watchdog
ends runs that do nothing, the endings judge what has run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from inosync.changes.batch import full_pass
from inosync.changes.changes import Change, Changes, Move
from inosync.config.model import Config, Source
from inosync.engine import comparison
from inosync.engine.actions import INFO, Action, Kill, Outcome, Start
from inosync.engine.endings import Endings
from inosync.engine.feeder import Feeder
from inosync.engine.memory import Recalled
from inosync.engine.mirror import BUSY, Mirror, State
from inosync.engine.records import Activity
from inosync.engine.roster import Roster
from inosync.engine.scheduler import Scheduler
from inosync.engine.standing import Standing
from inosync.engine.watchdog import Watchdog
from inosync.planning.order import Prepared
from inosync.planning.resting_files import Fresh
from inosync.planning.scan import Answer, Question

_NOTHING: Mapping[str, Recalled] = {}


class Engine(Standing):
    """Sources, their mirrors, and the deadlines of both.

    With `contents`, full passes compare what is in the files, too. `alone`: nobody tells what
    changes, so that each pass is one run.
    """

    def __init__(
        self,
        config: Config,
        random: Callable[[], float],
        *,
        contents: bool = False,
        alone: bool = False,
    ) -> None:
        super().__init__(Roster(config, random, contents, alone))
        self._feeder = Feeder(self._roster)
        self._scheduler = Scheduler(self._roster)
        self._watchdog = Watchdog(self._roster)
        self._endings = Endings(self._roster, self._scheduler)
        self._roster.configure(config)

    # ---- what is told of sources ----------------------------------------------------------

    def watched(
        self,
        source: Source,
        now: float,
        *,
        reason: str = "start-up",
        known: Mapping[str, Recalled] = _NOTHING,
        contents: bool = False,
    ) -> None:
        """The watches of `source` stand; with a `reason`, as :meth:`resync`.

        But with ``init = True`` also the mirrors that are `known` owe a full pass, afterwards.
        With `contents`, passes compare what is in the files: it is another directory than before.
        """
        self._feeder.watched(source, reason, now, known, contents=contents)
        comparison.schedule(self.mirrors, self.config.rverify, now)

    def changed(
        self,
        source: Source,
        changes: Changes,
        now: float,
        *,
        big: Iterable[Change] = (),
        moves: Sequence[Move] = (),
        gone: frozenset[bytes] = frozenset(),
        no_files: Collection[bytes] = (),
    ) -> None:
        """These paths of `source` may differ on the mirrors from now on; `moves` say why.

        ``gone`` is what has vanished, where somebody has to know its names (see Batch),
        ``big`` is what of it the lanes for big files have to carry (see planning/big_files.py),
        ``no_files`` what need not come to rest (see planning/resting_files.py).
        """
        self._feeder.changed(
            source, changes, now, big=big, moves=moves, gone=gone, no_files=no_files
        )

    def resync(
        self, source: Source, reason: str, now: float, *, known: Mapping[str, Recalled] = _NOTHING
    ) -> None:
        """Anything below `source` may differ: every mirror of it owes a full pass, at once.

        For those that are `known` (by name) a walk finds what has changed instead.
        """
        self._feeder.resync(source, reason, now, known)

    def unsettled(self, source: Source, files: Iterable[Fresh], now: float) -> None:
        """These files of `source` changed a little while ago: they are not to be sent yet."""
        self._feeder.unsettled(source, files, now)

    def shortage(self, source: Source, short: bool, now: float) -> None:
        """Some directories of `source` have no watch (or all have again): passes stand in."""
        self._feeder.shortage(source, short, now)

    def unwatched(self, source: Source, reason: str, now: float) -> None:
        """The watches of `source` do not stand: nothing of it travels until it is ``watched``."""
        self._feeder.unwatched(source, reason, now)

    def hold(
        self,
        source: Source,
        reason: str,
        now: float,
        *,
        free: frozenset[str] = frozenset(),
        contents: bool = False,
    ) -> None:
        """`source` is not what it was: nothing of it may travel, and what travels is ended.

        That does not count for the nodes that are `free`: a person said that it may. Their mirrors
        owe a full pass, which compares `contents`, too, where it is another directory than before.
        """
        self._feeder.hold(source, reason, now, free, contents=contents)

    def interrupt(self, source: Source, reason: str, now: float) -> None:
        """What runs read below `source` may be wrong from now on: end them, to be made again."""
        for mirror in self._roster.of(source):
            self._roster.end(mirror, reason, now)

    def resume(
        self,
        source: Source,
        now: float,
        *,
        known: Mapping[str, Recalled] = _NOTHING,
        contents: bool = False,
    ) -> None:
        """A held `source` is well again; its mirrors owe what :meth:`watched` says."""
        self._feeder.resume(source, now, known, contents=contents)

    # ---- what is told of targets ----------------------------------------------------------

    def bar(self, mirror: Mirror, reason: str, now: float) -> bool:
        """What lies at the mirror's target is not what it was: hold it until :meth:`renew`.

        Return whether that was done; a run is ended first, and what is held already stays so.
        """
        return self._endings.bar(mirror, reason, now)

    def renew(
        self, mirror: Mirror, reason: str, now: float, *, contents: bool, release: bool
    ) -> None:
        """Nothing is sure of what lies at the mirror's target: it owes a full pass, soon.

        ``release``: one that is held goes on.
        """
        mirror.divide(mirror.uncut, anew=True)
        mirror.day = ""
        mirror.offer(self._roster.full(reason, now, lost=True, contents=contents))
        if release:
            mirror.release()
        else:
            mirror.hurry()

    def fill(self, mirror: Mirror, now: float) -> None:
        """There is nothing at the mirror's target: a full pass goes first, and all else is in it.

        Its start has been taken back.
        """
        if mirror.passing is None and not (mirror.pending and mirror.pending.reason):
            mirror.offer(self._roster.full("there is nothing at its target", now, lost=True))
        mirror.day = ""
        mirror.fill()

    # ---- what is told of runs -------------------------------------------------------------

    def updated(self, start: Start) -> Start:
        """Return `start` as it would be ordered now, when more is known of files not at rest."""
        return self._scheduler.updated(start)

    def prepared(self, mirror: Mirror, what: Prepared, now: float) -> None:
        """Take note of what was decided for the mirror's run, which begins now."""
        state = self._roster.source_of(mirror)
        lost = mirror.flight is not None and bool(mirror.flight.doubts.altered)
        told = (lost or not state.short) and not state.in_store and mirror.sought is None
        mirror.decide(what, all_told=told and mirror.pending is None)
        if what.linked:
            self._feeder.seek(mirror, Question(inodes=what.linked), now)

    def found(self, mirror: Mirror, answer: Answer | None, now: float) -> None:
        """Answer to ``Seek``: the mirror owes what was found; a full pass if there is no answer.

        None: the walk was given up.
        """
        self._feeder.found(mirror, answer, now)

    def found_so_far(self, mirror: Mirror, changes: Changes, now: float) -> None:
        """These are a part of the answer, which goes on its way before all is known."""
        self._feeder.found_so_far(mirror, changes, now)

    def narrow(self, mirror: Mirror, question: Question, now: float) -> None:
        """The start of a mirror that owes more than has a name is not carried out.

        A walk over the source finds what it owes: what has changed since it had everything, which
        the `question` knows.
        """
        self._feeder.narrow(mirror, question, now)

    def widen(self, mirror: Mirror) -> None:
        """The start of such a mirror is not carried out: it owes a pass in slices."""
        mirror.withdraw()
        mirror.widen()

    def exited(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """The mirror's run has ended."""
        self._endings.exited(mirror, outcome, now)

    def died(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """The mirror's run stood ready, and was dead when it was told what to carry."""
        self._endings.died(mirror, outcome, now)

    def activity(
        self, mirror: Mirror, activity: Activity, now: float, *, said: tuple[str, ...] = ()
    ) -> None:
        """Answer to ``Look``: what the run has done so far.

        `said` are the lines that it has written to standard error.
        """
        self._watchdog.activity(mirror, activity, now, said=said)

    def end(self, mirror: Mirror, reason: str, now: float) -> None:
        """The mirror's run gets no further, for this reason: it is ended, and made again."""
        if mirror.state is State.RUNNING:
            self._roster.say(INFO, f"{mirror.name}: {reason}: ended, to be made again")
            mirror.work = replace(mirror.work, again=True)
            self._roster.end(mirror, reason, now)

    # ---- what people want -----------------------------------------------------------------

    def release(self, reason: str, now: float, *, node: str = "") -> list[Mirror]:
        """A person wants a full pass now: frees holds and waits of mirrors; return those.

        ``node`` limits that to the mirrors on one node, named as in ``rnodes``; "" is all.
        """
        released = self._roster.on(node)
        for mirror in released:
            mirror.offer(self._roster.full(reason, now))
            mirror.release(approve=True)
        return released

    def repair(self, now: float, *, node: str = "") -> list[Mirror]:
        """A person wants full passes that compare contents; free no holds. Return the mirrors."""
        asked = self._roster.on(node)
        for mirror in asked:
            mirror.offer(full_pass("repair", now, contents=True))
        return asked

    def pause(self, paused: bool) -> None:
        """A person wants nothing to start: changes are collected. Or `paused` no longer."""
        self._roster.paused = paused

    def flush(self) -> None:
        """Let no batch wait for others any longer."""
        self._feeder.flush()

    def stop(self, now: float) -> None:
        """End all runs and start no more. A second call kills them."""
        for mirror in self._roster.busy():
            if self.stopping:
                self._roster.actions.append(Kill(mirror))
            else:
                self._roster.end(mirror, "stopping", now)
        self._roster.stopping = True

    def configure(self, config: Config, now: float) -> None:
        """Take a new config: mirrors that stay keep what they owe, new and altered ones owe a pass.

        Sources whose watches no longer fit must be reported with ``watched`` again by the caller.
        """
        self.flush()
        before = {(mirror.pair, id(mirror)) for mirror in self.mirrors}
        old = self.config
        self._roster.configure(config)
        self._scheduler.configure()
        for mirror in self.mirrors:
            mirror.hurry()
            stays = (mirror.pair, id(mirror)) in before
            own = config.of(mirror.pair.source)
            was = old.of(mirror.pair.source) if stays else own
            if mirror.brake.limited and (not stays or own.rmaxdelete != was.rmaxdelete):
                mirror.release()  # to be rehearsed anew
            # Another limit, and files change from one lane to the other.
            if not stays or own.rbigsize != was.rbigsize:
                mirror.offer(self._roster.full("the config changed", now, lost=True))
        for mirror in self._roster.leaving:
            self._endings.leaves(mirror, now)
            self._roster.end(mirror, "no longer configured", now)
        if config.rfull != old.rfull:
            self._feeder.reschedule(now)
        comparison.schedule(self.mirrors, config.rverify, now)

    # ---- what is to be done ---------------------------------------------------------------

    def due(self, now: float, *, most: int | None = None) -> list[Action]:
        """Return everything that is to be done at `now`, in order.

        With `most`, no more runs are started than that; the next call starts others.
        """
        if not self.stopping:
            self._feeder.due(now)
        for mirror in self._roster.everybody():
            if mirror.state in BUSY:
                self._watchdog.look(mirror, now)
            else:
                mirror.ready(now)
        if not self.stopping:
            self._scheduler.line_up()
            self._scheduler.start(now, most)
            self._scheduler.compare(now)
        return self._roster.take()

    def more(self, now: float) -> list[Action]:
        """Return what follows at once when ``due`` has started one run: the start of another.

        What has been told meanwhile goes with it. All else waits for ``due``, which looks at every
        mirror: with hundreds of them that is not for each run.
        """
        if not self.stopping:
            self._feeder.due(now)
            self._scheduler.start(now, most=1)
        return self._roster.take()

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do next, or None when only events can tell."""
        waits: list[float | None] = []
        for mirror in self._roster.everybody():
            if mirror.state in BUSY:
                waits += (mirror.work.kill_at, mirror.work.check_at)
            elif self.stopping:
                continue
            elif mirror.state is State.BACKOFF:
                waits.append(mirror.retry_at)
            elif mirror.state is State.PENDING:
                waits.append(mirror.rests_until)
            elif mirror.ailing or mirror.late:
                waits.append(mirror.trial_at)
        if not self.stopping:
            waits += self._feeder.deadlines()
            waits += [mirror.comparison.due_at for mirror in self._scheduler.comparable()]
        return min((wait for wait in waits if wait is not None), default=None)
