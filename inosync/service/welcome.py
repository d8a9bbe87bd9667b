"""Where runs that stand ready are welcome: what each node and host has done to those that were.

Pure: time is an argument in monotonic seconds. Knows neither processes nor how many there are now.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from inosync.config.model import Pair
from inosync.engine.backoff import Backoff
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


@dataclass
class Welcome:
    """What is known of nodes and hosts, until the next config."""

    _nodes: dict[str, _Peace] = field(default_factory=dict)  # that have ended one
    _open: set[str] = field(default_factory=set)  # nodes that let others in beside one
    _most: dict[Host, int] = field(default_factory=dict)  # where it is less than usual

    def at(self, pair: Pair, now: float) -> bool:
        """Return whether the next run of a mirror may be started now, to wait."""
        peace = self._nodes.get(pair.node.name)
        return peace is None or now >= peace.until

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


def host_of(pair: Pair) -> Host | None:
    """Return which host a mirror is on; None: this one."""
    destination = pair.destination
    if destination.transport is Transport.LOCAL:
        return None
    return destination.host, destination.port
