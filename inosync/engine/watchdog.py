"""Runs at work: looked at now and then, ended when they do nothing, and killed when they stay.

Pure. What they have done so far is told by those that can see it: see ``Look``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from inosync.engine import messages
from inosync.engine.actions import WARNING, Kill, Look
from inosync.engine.mirror import Mirror, State
from inosync.engine.records import LAST_LINES, SLOWEST, Activity, Failure
from inosync.engine.reports import failed
from inosync.engine.roster import LOOKS, Roster

#: How one ends that was told to: by SIGTERM.
_TOLD_TO_END = -15


@dataclass
class Watchdog:
    """Watches the runs of a roster."""

    roster: Roster

    def look(self, mirror: Mirror, now: float) -> None:
        """Have the run of a busy mirror looked at, ended or killed when its time has come."""
        if mirror.work.comparing:
            lane = self.roster.lanes.partner(mirror)
            if mirror.pending or (lane is not None and lane.pending):
                self.roster.end(mirror, "what has changed goes first", now)
        if mirror.work.check_at is not None and now >= mirror.work.check_at:
            mirror.work = replace(mirror.work, check_at=None)
            self.roster.actions.append(Look(mirror))
        if mirror.work.kill_at is not None and now >= mirror.work.kill_at:
            mirror.work = replace(mirror.work, kill_at=None)
            self.roster.say(WARNING, f"{mirror.name}: rsync did not end when told to: killed")
            self.roster.actions.append(Kill(mirror))

    def activity(
        self, mirror: Mirror, activity: Activity, now: float, *, said: tuple[str, ...] = ()
    ) -> None:
        """Answer to ``Look``: what the run has done so far.

        `said` are the lines that it has written to standard error.
        """
        if mirror.state is not State.RUNNING:
            return
        check_at = now + mirror.pair.node.rtimeout / LOOKS
        limit = mirror.pair.node.rtimeout + activity.done // SLOWEST
        idle = now - mirror.work.active_at
        if activity.moved(mirror.work.activity, idle):
            mirror.work = replace(mirror.work, activity=activity, active_at=now, check_at=check_at)
        elif idle < limit:
            mirror.work = replace(mirror.work, check_at=check_at)
        else:
            reason = f"its run did nothing for {limit} s (rtimeout)"
            self.roster.actions += messages.hung(mirror, reason, said)
            if not mirror.work.comparing:
                failure = Failure(now, _TOLD_TO_END, reason, said[-LAST_LINES:])
                mirror.health = replace(mirror.health, failure=failure)
            self.roster.end(mirror, reason, now)
            self.roster.ails(mirror, failed(mirror, reason, lines=said), now)
