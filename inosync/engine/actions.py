"""What the engine and the loop say to each other: actions one way, outcomes the other.

Plain values; nothing here does anything.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from inosync.config.model import Source
from inosync.engine.apart import NOTHING as WHOLE
from inosync.engine.apart import Apart
from inosync.engine.mirror import Mirror
from inosync.engine.reports import Report
from inosync.planning.order import Order
from inosync.planning.scan import Question
from inosync.rsync.complaints import SILENT, Account
from inosync.rsync.destination import Destination
from inosync.rsync.differences import EQUAL, Drift
from inosync.rsync.exits import Judgement, judge
from inosync.rsync.output import NOTHING, Transferred

#: How urgent a line for the log is, as in the standard library's logging.
DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40


@dataclass(frozen=True)
class Start:
    """Run rsync for this mirror as the order says; then call ``prepared``, and later ``exited``."""

    mirror: Mirror
    order: Order


@dataclass(frozen=True)
class Terminate:
    """Ask the mirror's run to end."""

    mirror: Mirror


@dataclass(frozen=True)
class Kill:
    """End the mirror's run for certain."""

    mirror: Mirror


@dataclass(frozen=True)
class Look:
    """See how much the mirror's run has done so far; then call ``activity``."""

    mirror: Mirror


@dataclass(frozen=True)
class Rewatch:
    """Try to watch the directories of this source that could not be watched."""

    source: Source


@dataclass(frozen=True)
class Seek:
    """Walk over the source of the mirror to answer the question; then call ``found``."""

    mirror: Mirror
    question: Question


class Event(enum.StrEnum):
    """What a program may look for in the log; docs/logging.rst says the same."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    HOLD = "hold"
    PASSED = "pass"


@dataclass(frozen=True)
class About:
    """What a line is about, for programs: a mirror, or with ``node`` "" a source."""

    source: str
    node: str = ""
    state: str = ""
    exit: int | None = None  # rsync's exit status, or the signal that ended it, negative
    event: Event | None = None

    def fields(self) -> dict[str, str | int]:
        """Return what is known, by name."""
        known = {"source": self.source, "node": self.node, "state": self.state, "exit": self.exit}
        named = known | {"event": self.event.value if self.event else ""}
        return {name: value for name, value in named.items() if value not in ("", None)}


def about(mirror: Mirror, event: Event | None = None, *, status: int | None = None) -> About:
    """Return what a line says of this mirror, to programs."""
    pair = mirror.pair
    return About(pair.source.path, pair.node.name, mirror.state.value, status, event)


@dataclass(frozen=True)
class Say:
    """Log this line; ``level`` is one of the above."""

    level: int
    text: str
    about: About | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Hook:
    """Let the program that the config names for this event have the report."""

    report: Report


Action = Start | Terminate | Kill | Look | Rewatch | Seek | Say | Hook


@dataclass(frozen=True)
class Outcome:
    """How a run ended: what the process left behind."""

    returncode: int
    transferred: Transferred = NOTHING
    evidence: tuple[str, ...] = ()
    deletions: tuple[str, ...] = ()  # a few names that a rehearsal would have deleted
    overwrites: Drift = EQUAL  # the files that one would have overwritten
    drift: Drift = EQUAL  # what a comparison has found
    apart: Apart = WHOLE  # what it has not compared
    command: str = ""
    pretended: bool = False  # nothing ran, so nothing may be claimed
    listed: bool = False  # the run carried named changes only
    account: Account = SILENT  # what it complained of
    kept: tuple[tuple[bytes, bytes], ...] = ()  # directories that stay, and what is in each, or b""
    unstarted: bool = False  # the local rsync could not be started
    sent: frozenset[bytes] = frozenset()  # the files that it said it has sent, if it was asked
    cut: bool = False  # it may have left temporary files on the node
    homes: frozenset[bytes] = frozenset()  # where that may be; none: anywhere
    on_its_way: bool = False  # it has left behind what may arrive there yet
    put_away: str = ""  # the day under which it has put old versions of files away
    made: frozenset[int] = frozenset()  # of slices made at once, those that went well
    crowded: bool = False  # it carried nothing, and only what stood ready may have been in its way

    def judged(self, destination: Destination) -> Judgement:
        """Return what this end of a run to `destination` means."""
        return judge(self.returncode, destination, self.evidence)
