"""The runs that stand ready: started when one has ended well, told when there is a change.

Owns the processes that wait for their lists, and how many there are. None is a run: one of them
counts, fails and is spoken of only when it was told what to carry. What it may be told is decided
in planning/warm.py, where they are welcome is known to welcome.py.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from inosync.config.model import Config
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Prepared
from inosync.planning.warm import Reserve, reserve, seconds
from inosync.rsync.destination import Transport
from inosync.rsync.program import Program
from inosync.service.welcome import Host, Welcome, host_of
from inosync.system.process import Child

#: How many wait at once: a pair of processes takes 2 MB here.
MOST = 16
#: Seconds for which one that was used keeps its place. Where more mirrors than that are in use at
#: once, they would else take it from each other, and each start would be in vain.
TENURE = 30.0
#: Seconds after a run was told what to carry until the next one is started: else they share the
#: processors at the very moment at which the change is carried. The run ends no sooner anyway: a
#: local rsync sleeps 20 ms at a time while it waits for its other end to leave.
MARGIN = 0.01
#: Seconds in which one that is not needed any more may end by itself.
GRACE = 5.0
#: So many that carry nothing have to be let in beside one, one after the other: the first may have
#: been there before it. Each may take so many seconds.
TRIALS = 3
TRIAL = 60.0
#: How a run ends whose connection has died while it waited; see rsync/exits.py.
DEAD = frozenset((10, 12, 30, 35, 255))
#: What ssh says when it has to make a connection of its own, since sshd admits no more sessions.
CROWDED = b"session request failed"

log = logging.getLogger("inosync")


@dataclass
class _Waiting:
    """A child that waits for its list until it is dropped; its mirror last ran at ``used``."""

    child: Child
    reserve: Reserve
    used: float

    def until(self, mirror: Mirror) -> float:
        return self.used + seconds(mirror.pair)


@dataclass
class _Leaving:
    """A child that is to end by itself, or is killed then."""

    host: Host | None
    kill_at: float


class _Trial(NamedTuple):
    """A run that carries nothing, beside the one that waits for this mirror; so many come after."""

    mirror: Mirror
    more: int


@dataclass
class Warm:
    """All runs that wait; those of the mirrors that ran last. A part of the loop."""

    config: Config
    program: Program
    environment: Mapping[bytes, bytes]
    stopping: bool = False
    _wanted: dict[Mirror, float] = field(default_factory=dict)  # not before then
    _waiting: dict[Mirror, _Waiting] = field(default_factory=dict)  # the last used is the last
    _leaving: dict[Child, _Leaving] = field(default_factory=dict)
    # The first that waits on a node is tried. Where a key lets one run in at a time (rrsync), or a
    # module one connection, that would else be shut for all others.
    _trials: dict[Child, _Trial] = field(default_factory=dict)
    _welcome: Welcome = field(default_factory=Welcome)

    def due(self, now: float) -> None:
        """Start those that are wanted, and drop those that are of no use any more."""
        for mirror, waiting in list(self._waiting.items()):
            if now >= waiting.until(mirror) or mirror.state in (State.HELD, State.BACKOFF):
                self._drop(mirror, now)
        for child, leaving in self._leaving.items():
            if now >= leaving.kill_at:
                child.kill()
                leaving.kill_at = now + GRACE
        for mirror in [mirror for mirror, at in self._wanted.items() if now >= at]:
            del self._wanted[mirror]
            if mirror.state in (State.IDLE, State.RUNNING) and mirror not in self._waiting:
                self._start(mirror, now)

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do."""
        waits = [waiting.until(mirror) for mirror, waiting in self._waiting.items()]
        waits += (leaving.kill_at for leaving in self._leaving.values())
        waits += self._wanted.values()
        return min(waits, default=None)

    @property
    def mirrors(self) -> Collection[Mirror]:
        """The mirrors for which a run stands ready."""
        return self._waiting.keys()

    # ---- what happens to mirrors ----------------------------------------------------------

    def want(self, mirror: Mirror, now: float, *, after: float = 0.0) -> None:
        """The next run is to stand ready: one has ended well, or has just been told what to carry.

        It is started so many seconds later.

        Where changes follow each other closely, that is while the one before is still at work.
        """
        if self.stopping or mirror.big or not seconds(mirror.pair):
            return
        if mirror in self._waiting:
            waiting = self._waiting.pop(mirror)
            waiting.used = now
            self._waiting[mirror] = waiting
        elif self._welcome.at(mirror.pair, now):
            self._wanted[mirror] = min(now + after, self._wanted.get(mirror, math.inf))

    def take(self, mirror: Mirror, what: Prepared, now: float) -> Child | None:
        """Return the run that stood ready for a mirror and is now what was prepared, if any."""
        waiting = self._waiting.get(mirror)
        data = waiting.reserve.told(what) if waiting is not None else b""
        if waiting is None or not data:
            return None
        if waiting.child.poll() is None and waiting.child.tell(data):
            del self._waiting[mirror]
            self.want(mirror, now, after=MARGIN)
            return waiting.child
        self._drop(mirror, now)
        return None

    def went_well(self, mirror: Mirror) -> None:
        """A run that stood ready has done its work."""
        self._welcome.went_well(mirror.pair)

    def failed(self, mirror: Mirror, now: float) -> None:
        """A run has failed: none waits for its host any more."""
        host = host_of(mirror.pair)
        for other in (*self._waiting, *self._wanted):
            if other is mirror or (host and host == host_of(other.pair)):
                self._forget(other, now)

    def kept_out(self, mirror: Mirror, began: float, now: float) -> bool:
        """Return whether a run that found no room is to be made again: ours may have taken it.

        Then none waits for its host any more.
        """
        host = host_of(mirror.pair)
        there = [host_of(other.pair) for other in self._waiting]
        there += [leaving.host for leaving in self._leaving.values()]
        if not self._welcome.kept_out(mirror, began, now, there=host in there):
            return False
        for other in (*self._waiting, *self._wanted):
            if host_of(other.pair) == host:
                self._forget(other, now)
        return True

    def let_in(self, mirror: Mirror, began: float, now: float) -> None:
        """A run has found room on its node."""
        self._welcome.let_in(mirror, began, now)

    def crowded(self, mirror: Mirror, now: float) -> None:
        """A run found the sessions of its host in use: one less waits there from now on."""
        host = host_of(mirror.pair)
        if host and (beside := self._on(host)):
            self._welcome.only(host, len(beside) - 1)
            self._drop(beside[0], now)

    def refused(self, mirror: Mirror, now: float) -> None:
        """A run that stood ready has ended by itself, or was dead when it was told something."""
        self._welcome.refused(mirror.pair, now)

    # ---- the processes --------------------------------------------------------------------

    def reap(self, now: float) -> None:
        """Take note of those that have ended."""
        for mirror, waiting in list(self._waiting.items()):
            if (status := waiting.child.poll()) is not None:
                log.debug("%s: what stood ready has ended with %d", mirror.name, status)
                del self._waiting[mirror]
                waiting.child.close()
                self._welcome.gone(host_of(mirror.pair), now)
                self.refused(mirror, now)
        for child in list(self._leaving):
            if (status := child.poll()) is not None:
                self._welcome.gone(self._leaving.pop(child).host, now)
                child.close()
                if child in self._trials:
                    self._tried(self._trials.pop(child), now, well=status == 0)

    def _tried(self, trial: _Trial, now: float, *, well: bool) -> None:
        """A trial has ended, `well` where it was let in."""
        mirror = trial.mirror
        if not well:
            self._drop(mirror, now)
            self.refused(mirror, now)
        elif mirror in self._waiting and trial.more:
            self._try(trial, self._waiting[mirror].reserve, now)
        elif mirror in self._waiting:
            self._welcome.opened(mirror.pair)

    def _try(self, trial: _Trial, what: Reserve, now: float) -> None:
        try:
            child = Child(what.argv, environment=self.environment, brief=True)
        except OSError:
            self._tried(trial, now, well=False)
            return
        self._trials[child] = trial._replace(more=trial.more - 1)
        self._leaving[child] = _Leaving(host_of(trial.mirror.pair), now + TRIAL)

    def configure(self, config: Config, program: Program, now: float) -> None:
        """Take another config: what waits was started by the old one."""
        self.config, self.program = config, program
        self._welcome = Welcome()
        self._trials.clear()
        self.drop(now)

    def drop(self, now: float) -> None:
        """Let none wait any more."""
        self._wanted.clear()
        for mirror in list(self._waiting):
            self._drop(mirror, now)

    @property
    def empty(self) -> bool:
        """Whether none waits, or is about to end."""
        return not (self._waiting or self._leaving)

    def stop(self, now: float) -> None:
        """Let none wait any more, nor ever again; they end at once, since nothing is at stake."""
        self.stopping = True
        self.drop(now)
        self.kill()

    def kill(self) -> None:
        """End all for certain."""
        for child in (*self._leaving, *(waiting.child for waiting in self._waiting.values())):
            child.kill()

    def _start(self, mirror: Mirror, now: float) -> None:
        victims = self._in_the_way(mirror, now)
        if victims is None:  # mostly, where many mirrors run at once
            return
        what = reserve(mirror.pair, self.config, self.program)
        if what is None:
            return
        for victim in victims:
            self._drop(victim, now)
        try:
            child = Child(what.argv, environment=self.environment, data=None, brief=True)
        except OSError:
            self.refused(mirror, now)
            return
        log.debug("%s: the next run stands ready (pid %d)", mirror.name, child.pid)
        self._waiting[mirror] = _Waiting(child, what, now)
        far = mirror.pair.destination.transport is not Transport.LOCAL
        if far and not self._welcome.is_open(mirror.pair):
            self._try(_Trial(mirror, TRIALS), what, now)

    def _in_the_way(self, mirror: Mirror, now: float) -> set[Mirror] | None:
        """Return whose runs have to go for one more, unused for long; None: there is no room."""
        host = host_of(mirror.pair)
        bounds = [(list(self._waiting), MOST)]
        bounds += [(self._on(host), self._welcome.most(host))] if host else []
        victims = set[Mirror]()
        for others, most in bounds:
            if len(others) >= most:
                if not most or now - self._waiting[others[0]].used < TENURE:
                    return None
                victims.add(others[0])
        return victims

    def _on(self, host: Host) -> list[Mirror]:
        """Return the mirrors on another host for which a run waits."""
        return [mirror for mirror in self._waiting if host == host_of(mirror.pair)]

    def _forget(self, mirror: Mirror, now: float) -> None:
        """Let none wait for a mirror, nor begin to."""
        self._wanted.pop(mirror, None)
        self._drop(mirror, now)

    def _drop(self, mirror: Mirror, now: float) -> None:
        """Have a waiting child end; by an empty list it would make a target that is missing."""
        waiting = self._waiting.pop(mirror, None)
        if waiting is not None:
            waiting.child.terminate()
            self._leaving[waiting.child] = _Leaving(host_of(mirror.pair), now + GRACE)
