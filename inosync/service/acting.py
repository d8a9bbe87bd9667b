"""What the engine wants done, carried out: runs, hooks, watches, walks, words for people.

Before a run begins, its source and its target are looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from inosync.engine.actions import Action, Hook, Rewatch, Say, Seek, Start
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Moment
from inosync.planning.scan import Question
from inosync.service.hooks import Hooks
from inosync.service.loop import Loop
from inosync.service.runs import Runs
from inosync.service.scans import Scans
from inosync.service.sources import Sources
from inosync.service.targets import Targets

log = logging.getLogger("inosync")


@dataclass
class Acting:
    """Does what the engine wants done.

    ``instead`` says what to ask for a mirror that owes more than has a name.
    """

    engine: Engine
    sources: Sources
    targets: Targets | None
    scans: Scans
    runs: Runs
    hooks: Hooks
    loop: Loop
    instead: Callable[[Mirror], Question | None]

    def deadline(self) -> float | None:
        """Return when the engine wants something done."""
        return self.engine.deadline()

    def due(self, now: float) -> None:
        """Do what the engine wants done at `now`.

        Runs are started one by one. What changes meanwhile goes with those that are not started
        yet; it would need another run to each node otherwise.
        """
        actions = self.engine.due(now, most=1)
        while actions:
            for action in actions:
                self._perform(action, now)
            started = any(isinstance(action, Start) for action in actions)
            if started:
                self.sources.hear_more()
                now = self.loop.clock()
            actions = (self.engine.more(now) if started else []) or self.engine.due(now, most=1)

    def _perform(self, action: Action, now: float) -> None:
        if isinstance(action, Say):
            fields = action.about.fields() if action.about is not None else {}
            log.log(action.level, "%s", action.text, extra={"fields": fields})
        elif isinstance(action, Start):
            self._start(action, now)
        elif isinstance(action, Hook):
            self.hooks.add(action.report, self.loop.wall())
        elif isinstance(action, Rewatch):
            self.sources.rewatch(action.source)
        elif isinstance(action, Seek):
            self.scans.ask(action)
        else:
            self.runs.act(action, now)

    def _start(self, action: Start, now: float) -> None:
        """Let a run begin, unless its source or target is not what it was a moment before."""
        mirror = action.mirror
        full = bool(action.order.batch.reason) and not action.order.begun
        self.sources.hear_unsettled(mirror.pair.source)
        if mirror.state is not State.RUNNING:  # the source was lost, as has just been heard
            mirror.withdraw()
        elif self.sources.fault(mirror):
            mirror.withdraw()
            self.sources.look()
        elif self.targets is not None and not self.targets.fits(mirror, full=full):
            return
        elif action.order.forgotten and (question := self.instead(mirror)) is not None:
            self.engine.narrow(mirror, question, now)
        elif action.order.forgotten and not mirror.uncut:
            self.engine.widen(mirror)
        else:
            wall = self.loop.wall()
            sight = self.sources.sight(mirror, Moment(wall, now))
            self.runs.start(self.engine.updated(action), sight, now, wall=wall)
