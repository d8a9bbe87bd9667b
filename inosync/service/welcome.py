"""Where runs that stand ready are welcome: what each node and host has done to those that were.

Pure: time is an argument in monotonic seconds. Knows neither processes nor how many there are now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from inosync.config.model import Pair
from inosync.engine.backoff import Backoff
from inosync.engine.mirror import Mirror
from inosync.rsync.destination import Transport

#: How many wait for one host: sshd admits ten sessions of a connection (MaxSessions).
MOST_OF_A_HOST = 4
#: Seconds until a node is asked again that has ended one: at first, and at the most.
PATIENCE = (10.0, 3600.0)

Host = tuple[str, int]


@dataclass
class _Peace:
    """Nobody is asked until then; each time that is longer."""

    backoff: Backoff = field(default_factory=lambda: Backoff(*PATIENCE, random=lambda: 0.0))
    until: float = 0.0

    def wanted(self, now: float) -> None:
        self.until = now + self.backoff.failed()

    def kept(self, now: float) -> None:
        self.until = max(self.until, now + PATIENCE[0])


@dataclass
class Welcome:
    """What is known of nodes and hosts, until the next config."""

    _nodes: dict[str, _Peace] = field(default_factory=dict)  # that have ended one
    _open: set[str] = field(default_factory=set)  # nodes that let others in beside one
    _most: dict[Host, int] = field(default_factory=dict)  # where it is less than usual
    _crowded: dict[Host | None, _Peace] = field(default_factory=dict)  # where they kept a run out
    _gone: dict[Host | None, float] = field(default_factory=dict)  # when the last one was there
    _kept_out: dict[Mirror, float] = field(default_factory=dict)  # since then, for the first time

    def at(self, pair: Pair, now: float) -> bool:
        """Return whether the next run of a mirror may be started now, to wait."""
        known = (self._nodes.get(pair.node.name), self._crowded.get(host_of(pair)))
        return all(peace is None or now >= peace.until for peace in known)

    def refused(self, pair: Pair, now: float) -> None:
        """A node has ended one, or it was dead when it was told something."""
        self._nodes.setdefault(pair.node.name, _Peace()).wanted(now)

    def went_well(self, pair: Pair) -> None:
        """One has done its work."""
        self._nodes.pop(pair.node.name, None)

    def opened(self, pair: Pair) -> None:
        """A node has let others in beside one."""
        self._open.add(pair.node.name)

    def is_open(self, pair: Pair) -> bool:
        """Return whether a node is known to let others in beside one."""
        return pair.node.name in self._open

    def only(self, host: Host, most: int) -> None:
        """No more than so many may wait for a host."""
        self._most[host] = most

    def most(self, host: Host) -> int:
        """Return how many may wait for a host."""
        return self._most.get(host, MOST_OF_A_HOST)

    def gone(self, host: Host | None, now: float) -> None:
        """One that was on a host has ended."""
        self._gone[host] = now

    def kept_out(self, mirror: Mirror, began: float, now: float, *, there: bool) -> bool:
        """Return whether a run that found no room is to be made once more without a word.

        That is where one that waited may have been in its way: it is still `there`, or was since
        the run `began`. If the other finds no room either, it was something else.
        """
        if began >= self._kept_out.get(mirror, math.inf):
            del self._kept_out[mirror]
            return False
        if not there and self._gone.get(host_of(mirror.pair), -math.inf) < began:
            return False
        self._kept_out.setdefault(mirror, now)
        self._crowded.setdefault(host_of(mirror.pair), _Peace()).kept(now)  # for the other
        return True

    def let_in(self, mirror: Mirror, began: float, now: float) -> None:
        """A run that `began` then found room: had one been kept out before, it was by ours."""
        if began >= self._kept_out.get(mirror, math.inf):
            del self._kept_out[mirror]
            self._crowded.setdefault(host_of(mirror.pair), _Peace()).wanted(now)


def host_of(pair: Pair) -> Host | None:
    """Return which host a mirror is on; None: this one."""
    destination = pair.destination
    if destination.transport is Transport.LOCAL:
        return None
    return destination.host, destination.port
