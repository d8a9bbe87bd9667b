"""What follows from the end of a run, or from a target that is not what it was.

Pure. Judges what rsync's exit status means for the mirror: in sync, once more, later, held.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from inosync.changes.batch import Batch, merged
from inosync.engine import comparison, late, messages, remains, suspects
from inosync.engine.actions import DEBUG, ERROR, Event, Outcome, about
from inosync.engine.ailing import Table, excuses
from inosync.engine.mirror import Mirror, State
from inosync.engine.passes import nothing
from inosync.engine.records import LAST_LINES, Failure
from inosync.engine.reports import ailing as ailing_report
from inosync.engine.reports import failed, recovered, succeeded
from inosync.engine.roster import Roster
from inosync.engine.scheduler import Scheduler
from inosync.planning.steps import Clear, Renew
from inosync.rsync.exits import FILE_IO, PARTIAL, VANISHED, Judgement, Verdict
from inosync.rsync.output import NOTHING, Transferred

#: Seconds until a run is made again that was kept out by what has gone since.
MOMENT = 0.5


@dataclass
class Endings:
    """Takes the ends of a roster's runs; what goes on is the scheduler's."""

    roster: Roster
    scheduler: Scheduler

    def exited(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """The mirror's run has ended."""
        if mirror in self.roster.leaving:
            self.roster.leaving.remove(mirror)
            if outcome.on_its_way:
                self.leaves(mirror, now, wrote=outcome.homes)
        elif mirror.work.again or (outcome.crowded and mirror.state is State.RUNNING):
            self._make_again(mirror, outcome, now)
        elif mirror.work.comparing:
            said = comparison.ended(mirror, outcome, self.roster.config.rverify, now)
            self.roster.actions += said
        else:
            self._ran(mirror, outcome, now)

    def leaves(self, mirror: Mirror, now: float, *, wrote: Collection[bytes] = ()) -> None:
        """The run of a mirror that is no longer configured may go on, or has been cut short.

        What lies in the same place may be undone by it, also when it is configured again.
        """
        heirs, flight = self.roster.heirs(mirror), mirror.flight or nothing(now)
        if not mirror.work.comparing:
            # What kind of run that is has nobody asked, and it is no more than one pass.
            late.expect_in(heirs or [mirror], late.pass_for(flight), now, wrote=wrote)
        self.roster.part(mirror)

    def died(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """A run that stood ready was dead when it was told what to carry: another carries it.

        What it was told may still arrive, and be done there.
        """
        self._expect_late(mirror, outcome, now)
        mirror.withdraw()

    def _make_again(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """Take back a run that was kept out, which is no failure; it is made again a moment later.

        What was in its way has been told to go, and the node has to see that. Or it waited at a
        pipe, and had begun; that one that was kept out has not is only likely.
        """
        self._expect_late(mirror, outcome, now)
        if mirror.work.again:
            mirror.reason = ""
        if outcome.cut:  # nobody knows that it has not begun
            remains.tidy_up(mirror, self.roster.lanes.partner(mirror), outcome, now)
        if mirror.work.slicing and mirror.passing is not None:
            mirror.passing = mirror.passing.without(outcome.made)
        mirror.wary |= bool(mirror.work.steps)  # some may have been made
        if mirror.work.comparing:
            mirror.comparison = replace(mirror.comparison, due_at=now + MOMENT)
        mirror.withdraw()
        mirror.rests_until, mirror.crowded = now + MOMENT, True

    def _ran(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        took = now - (mirror.work.started if mirror.work.started is not None else now)
        again, first = mirror.reason, not mirror.health.synced
        freed = bool(mirror.health.ailing) and not mirror.ailing  # a person has let go of a hold
        stopped = mirror.state is State.STOPPING
        judgement = _judged(mirror, outcome)
        self._expect_late(mirror, outcome, now)
        if outcome.cut:
            remains.tidy_up(mirror, self.roster.lanes.partner(mirror), outcome, now)
        if not stopped and self._went_on(mirror, outcome, judgement, now):
            return
        if judgement.verdict is Verdict.OK:
            outcome = suspects.both(mirror, outcome)
        mirror.moved(outcome.transferred)
        flight, covered = mirror.flight, remains.coverage(mirror, outcome)
        passing = mirror.passing if mirror.work.slicing else None
        ailed, stayed = mirror.ailing, mirror.kept
        wait = self._take_end(mirror, judgement, outcome, now)
        if outcome.pretended or stopped:
            return
        if judgement.verdict is Verdict.OK:
            if covered is not None:
                self._tell_remains(mirror, outcome, ailed, stayed)
            self._take_health(mirror, now)
            moved, full = mirror.totals.last, ""
            if passing is None:
                self._rest(mirror, took, now)
                again_whole = mirror.passing or any(batch.reason for batch in mirror.owing)
                full = flight.reason if flight is not None and not again_whole else ""
                self._report_success(mirror, flight, moved, took, now)
            elif mirror.passing is passing.after:  # it was the last of its slices
                took = now - (passing.began if passing.began is not None else now)
                moved, full = passing.moved + moved, passing.batch.reason
                self._report_success(mirror, passing.batch, moved, took, now)
            first &= mirror.health.synced
            well = bool(again) or (freed and not mirror.health.ailing)
            told = {"again": well, "first": first}
            said = messages.success(mirror, took, **told, full=full, moved=moved)
            self.roster.actions += said
        else:
            self._report_failure(mirror, outcome, judgement, now, again=again, wait=wait)

    def _expect_late(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """See that what a run has left on its way is carried once more."""
        if outcome.on_its_way:
            lane, flight = self.roster.lanes.partner(mirror), mirror.flight or nothing(now)
            both = [mirror] if lane is None else [mirror, lane]
            named = outcome.listed or mirror.work.steps or (mirror.work.ran or outcome).listed
            batch = flight if named else late.pass_for(flight)
            late.expect_in(both, batch, now, wrote=outcome.homes)

    def _tell_remains(
        self, mirror: Mirror, outcome: Outcome, ailed: Table, stayed: Mapping[bytes, bytes]
    ) -> None:
        """Say what ails or stays that has not before (`ailed`, `stayed`), and what is well."""
        user = self.roster.config.user
        self.roster.actions += messages.ailing(mirror, ailed, outcome.command, user=user)
        self.roster.actions += messages.kept(mirror, stayed)

    def _rest(self, mirror: Mirror, took: float, now: float) -> None:
        """Let the next run wait for as long as this one `took`, where runs set the pace."""
        if self.roster.source_of(mirror).paced and not mirror.big:
            own = self.roster.config.of(mirror.pair.source)
            mirror.rests_until = now + min(took, own.emaxdelay)

    def _take_end(
        self, mirror: Mirror, judgement: Judgement, outcome: Outcome, now: float
    ) -> float:
        """Tell the mirror that its run has ended; return the seconds until the next try."""
        flight, lanes = mirror.flight, self.roster.lanes
        well = judgement.verdict is Verdict.OK and mirror.state is not State.STOPPING
        fine = judgement.verdict is Verdict.OK
        repeat = fine and flight is not None and _to_repeat(mirror, outcome, flight)
        mirror.day = (fine and outcome.put_away) or mirror.day
        slicing = mirror.work.slicing and outcome.listed
        # Of those that were told to end none is sure: what they read may have been wrong.
        told = mirror.state is State.STOPPING
        if mirror.passing is not None and slicing and not told and (repeat or not fine):
            mirror.passing = mirror.passing.without(outcome.made)
        if repeat and slicing and mirror.passing is not None:
            mirror.passing = mirror.passing.repeat()
        lane = lanes.beside(mirror)
        ousted = remains.take_odd(mirror, outcome, now) if well else False
        barred = remains.take_barred(mirror, outcome, now) if well else False
        unsure = remains.take_ailing(mirror, outcome, now) if well else False
        unsure |= remains.take_kept(mirror, outcome, now) if well else False
        left = merged(suspects.rest(mirror), remains.vanished(mirror)) if well else None
        wait = mirror.ended(
            judgement,
            now,
            complete=not (repeat or ousted or barred or unsure) and left is None and lane is None,
            sure=outcome.returncode == 0 and not ousted,
            whole=not outcome.listed,
            partial=outcome.returncode in (PARTIAL, FILE_IO) or outcome.account.room,
        )
        if lane is not None and well:
            lane.beside = merged(lane.beside, suspects.without(flight))
        if mirror.big and well:
            # One that had nothing to do needs no rest.
            ran = bool(outcome.command)
            lanes.ended(mirror, now, rest=self.roster.config.rbigdelay * ran, ran=ran)
        if left is not None:
            mirror.offer(left)
        if repeat and flight is not None and not slicing:
            mirror.offer(flight.again())
        return wait

    def _went_on(self, mirror: Mirror, outcome: Outcome, judgement: Judgement, now: float) -> bool:
        """Return whether what has ended is followed by another run of the same flight."""
        well, steps = judgement.verdict is Verdict.OK, mirror.work.steps
        if mirror.work.rehearsing and well:
            self._rehearsed(mirror, outcome, now)
            return True
        if not steps:
            return well and self._compares(mirror, outcome, now)
        suspects.sent(mirror, outcome)
        mirror.moved(outcome.transferred, last=False)
        if not well:
            cleared = isinstance(steps[0], Clear)
            what = "old versions are in the way" if cleared else "renamed, to be sent again"
            self.roster.say(DEBUG, f"{mirror.name}: {what}: {judgement.meaning}")
        partly = isinstance(steps[0], Renew) and outcome.returncode == PARTIAL
        mirror.stepped(well=well or partly)
        self.scheduler.go_on(mirror, now)
        return True

    def _compares(self, mirror: Mirror, outcome: Outcome, now: float) -> bool:
        """Return whether what a run may have taken for equal is now compared by content."""
        doubts = suspects.in_doubt(mirror, outcome)
        if not doubts:
            return False
        mirror.moved(outcome.transferred)
        suspects.doubt(mirror, doubts, outcome)
        self.scheduler.go_on(mirror, now, rehearsed=False)
        return True

    def _rehearsed(self, mirror: Mirror, outcome: Outcome, now: float) -> None:
        """The run may follow its rehearsal, or would delete or overwrite too much."""
        limit = self.roster.config.of(mirror.pair.source).rmaxdelete
        too_much = messages.too_much(mirror, limit, outcome)
        if too_much is None:  # a reload may have taken the limit away
            if mirror.work.ran is None:
                mirror.work = replace(mirror.work, to_overwrite=outcome.overwrites.count)
            self.scheduler.go_on(mirror, now)
            return
        reason, examples, spared = too_much
        mirror.hold(reason)
        self.roster.say(
            ERROR,
            f"{mirror.name}: {reason}, such as {examples}: held, {spared}; inosync --sync goes on",
            about(mirror, Event.HOLD),
        )
        cure = "look at the source; inosync --sync lets it happen once"
        self.roster.ails(mirror, failed(mirror, reason, cure=cure, held=True), now)

    # ---- holds ----------------------------------------------------------------------------

    def bar(self, mirror: Mirror, reason: str, now: float) -> bool:
        """Hold a mirror whose target is not what it was: see ``Engine.bar``."""
        if mirror.busy or mirror.state is State.HELD:
            self.roster.end(mirror, reason, now)
            return False
        # In sync it is no more, whatever it owes.
        mirror.offer(self.roster.full(reason, now, lost=True))
        mirror.bar(reason)
        self.roster.say(ERROR, f"{mirror.name}: {reason}: held", about(mirror, Event.HOLD))
        self.roster.ails(mirror, failed(mirror, reason, held=True), now)
        return True

    # ---- reports --------------------------------------------------------------------------

    def _take_health(self, mirror: Mirror, now: float) -> None:
        """Tell the hooks that some paths ail, or that the mirror is well again."""
        health = mirror.health
        if mirror.ailing:
            self.roster.ails(mirror, ailing_report(mirror, self.roster.config.user), now)
        elif health.ailing and mirror.aside is None:
            self.roster.hook(recovered(mirror, health.ailing, now - health.since))
            mirror.health = replace(health, ailing="")

    def _report_success(
        self, mirror: Mirror, flight: Batch | None, moved: Transferred, took: float, now: float
    ) -> None:
        """Tell the hooks, unless it was a pass that found nothing to do."""
        if flight is None or not self.roster.config.on_success:
            return
        if flight.count or moved != NOTHING:
            self.roster.hook(succeeded(mirror, flight, moved, seconds=took, now=now))

    def _report_failure(
        self,
        mirror: Mirror,
        outcome: Outcome,
        judgement: Judgement,
        now: float,
        *,
        again: str,
        wait: float,
    ) -> None:
        evidence = outcome.evidence[-LAST_LINES:]
        failure = Failure(
            now,
            outcome.returncode,
            judgement.meaning,
            evidence,
            room=outcome.account.room,
            unstarted=outcome.unstarted,
        )
        mirror.health = replace(mirror.health, failure=failure)
        if self.roster.stopping:
            return
        self.roster.actions += messages.failure(mirror, outcome, again=again, wait=wait)
        report = failed(
            mirror,
            judgement.meaning,
            cure=judgement.cure,
            status=outcome.returncode,
            lines=outcome.evidence,
            wait=wait or None,
            held=mirror.state is State.HELD,
        )
        self.roster.ails(mirror, report, now)


def _judged(mirror: Mirror, outcome: Outcome) -> Judgement:
    """Return the judgement on a run; it is well if all that it could not carry is known by name."""
    judgement, covered = outcome.judged(mirror.pair.destination), remains.coverage(mirror, outcome)
    # What a rename has left on the node, or hides, is brought in order by runs that failed.
    plain = not (mirror.work.steps or mirror.work.hid or mirror.stale)
    if plain and covered is not None:
        table: Table = {} if mirror.work.rehearsing else mirror.ailing
        if excuses(outcome.returncode, outcome.account, covered, table):
            return Judgement(Verdict.OK, judgement.meaning)
    return judgement


def _to_repeat(mirror: Mirror, outcome: Outcome, flight: Batch) -> bool:
    """Return whether a run that went well must be made once more for all of its changes."""
    if outcome.returncode == FILE_IO:
        return True  # it has ended where the next one leaves something out
    if outcome.returncode == PARTIAL and (outcome.account.undeleted or outcome.account.raced):
        return True
    if outcome.put_away not in ("", mirror.day) and not mirror.big:
        return True  # its other process may have left links as they are: see rsync/exits.py
    if mirror.work.hid and outcome.returncode in (0, VANISHED):
        return True  # what took the old place of a renamed directory was kept back
    # What vanished on the way may have kept its directory from being brought up to date.
    listed = outcome.listed and not mirror.work.slicing
    return outcome.returncode == VANISHED and listed and not flight.repeated
