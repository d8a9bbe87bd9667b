"""What a mirror knows of itself, in records that are replaced whole. Plain values.

Times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from inosync.changes.batch import Batch
from inosync.changes.doubts import NO_DOUBTS, Doubts
from inosync.engine.apart import NOTHING as WHOLE
from inosync.engine.apart import Apart
from inosync.planning.order import Moment, Prepared, RunKind
from inosync.planning.slices import Course
from inosync.planning.steps import Step
from inosync.rsync.complaints import SILENT, Account
from inosync.rsync.differences import EQUAL, Drift
from inosync.rsync.output import NOTHING, Transferred

#: Lines of what a failed run said that are remembered.
LAST_LINES = 5


@dataclass(frozen=True)
class Failure:
    """How a run failed, and when (monotonic seconds).

    ``room``: for lack of room on the node. ``unstarted``: there was no rsync here to start.
    """

    at: float
    returncode: int
    meaning: str
    evidence: tuple[str, ...] = ()
    room: bool = False
    unstarted: bool = False


#: Bytes a second that a run has to move at least, or it does nothing: ssh and rsync themselves
#: keep a connection alive, and rsync's sender takes what it writes for that, and only that, for a
#: sign of life. It does so for ever when the generator on the other end was killed (rsync 3.5.0).
TRICKLE = 100

#: Bytes a second that the slowest of ends reads or writes: so long may it be silent over what the
#: run has moved already.
SLOWEST = 5_000_000


@dataclass(frozen=True)
class Activity:
    """What a run has done so far: bytes that rsync has ``read``, here or from the node, and all.

    All that is ``done`` are the bytes that its processes read or wrote, and their computing.
    """

    read: int
    done: int

    def moved(self, before: Activity | None, seconds: float) -> bool:
        """Whether it has done something in these `seconds`, and not only kept its line open."""
        if before is None or self.read != before.read:
            return True
        return self.done - before.done > TRICKLE * seconds


@dataclass(frozen=True)
class Ran:
    """How the run ended that a comparison of suspects follows."""

    returncode: int
    listed: bool
    moved: Transferred
    account: Account = SILENT
    kept: tuple[tuple[bytes, bytes], ...] = ()
    command: str = ""
    put_away: str = ""


@dataclass(frozen=True)
class Late:
    """What runs that were cut short had on their way, and what was there may be undone by it.

    The ``batch`` carries it once more when the time for that is over, ``at`` that moment. It is
    among what was offered up to the number ``until`` then (0: not yet). Until that is on the node,
    no more than the first ``sure`` ones count, and the mirror is behind ``since`` the first cut.
    """

    batch: Batch
    at: float
    since: float
    sure: int
    until: int = 0


@dataclass(frozen=True)
class Work:
    """The run that is at work, or nothing: ``started`` is None. Times are monotonic seconds.

    ``check_at`` is when to look whether it still moves, ``activity`` what that look saw last, and
    ``active_at`` when it last moved. One that was told to end is killed at ``kill_at``. A run that
    is ``rehearsing`` only asks what it would delete and overwrite, one that is ``comparing`` what
    differs; one that is ``slicing`` makes a part of a pass, and one that is ``short`` only names a
    few changes. ``lenient``: it leaves alone what the lane for big files is at. It ``carries`` all
    that was offered up to this number. ``steps`` go before it, for renames; the first is at work;
    None: that is not decided yet. ``hid``: it kept back what came to the old place of something
    renamed. ``left``: it does not look at these paths. A rehearsal has found so many files
    ``to_overwrite``. ``remaining`` has vanished, and is deleted by another run.

    ``candidates`` are files that are suspects unless they were ``sent``; what else is in doubt are
    ``doubts``. ``ran``: that run has ended well, and now its suspects are compared; ``doubts`` are
    those left for the next time. All that had happened at its ``moment`` is in what it carries,
    if there was one when it was ``decided`` first. One that was told to end is made ``again`` at
    once where that is no failure.
    """

    started: float | None = None
    activity: Activity | None = None
    active_at: float = 0.0
    check_at: float | None = None
    kill_at: float | None = None
    rehearsing: bool = False
    comparing: bool = False
    slicing: bool = False
    short: bool = False
    lenient: bool = False
    carries: int = 0
    steps: tuple[Step, ...] | None = None
    hid: bool = False
    left: frozenset[bytes] = frozenset()
    to_overwrite: int | None = None
    remaining: frozenset[bytes] = frozenset()
    candidates: frozenset[bytes] = frozenset()
    sent: frozenset[bytes] = frozenset()
    doubts: Doubts = NO_DOUBTS
    ran: Ran | None = None
    moment: Moment | None = None
    decided: bool = False
    again: bool = False

    @property
    def overwritten(self) -> int:
        """How many files that were on the node it has overwritten so far, at the most."""
        if self.ran is None:
            return 0
        return self.ran.moved.files if self.to_overwrite is None else self.to_overwrite

    def going_on(self, now: float, check_after: float) -> Work:
        """Return the work when the next run of the same flight begins."""
        check_at = begun(now, check_after).check_at
        return replace(self, rehearsing=False, active_at=now, activity=None, check_at=check_at)

    def after(self, what: Prepared, *, all_told: bool) -> Work:
        """Return the work when this was prepared for it: see ``Mirror.decide``."""
        follows = self.ran is not None  # what the run itself kept back and left out counts
        moment = what.moment if all_told else None
        return replace(
            self,
            steps=what.steps,
            hid=what.hid or (follows and self.hid),
            left=what.left | self.left if follows else what.left,
            remaining=self.remaining if follows else what.remaining,
            candidates=what.candidates,
            doubts=what.doubts,
            moment=self.moment if self.decided else moment,
            decided=True,
            rehearsing=what.kind is RunKind.REHEARSAL,
        )


#: Nothing is at work.
RESTING = Work()


def begun(
    now: float,
    check_after: float,
    *,
    rehearsing: bool = False,
    comparing: bool = False,
    short: bool = False,
    lenient: bool = False,
) -> Work:
    """Return the work that begins now; somebody looks at it so many seconds later; 0: never."""
    check_at = now + check_after if check_after else None
    return Work(
        started=now,
        active_at=now,
        check_at=check_at,
        rehearsing=rehearsing,
        comparing=comparing,
        short=short,
        lenient=lenient,
    )


@dataclass(frozen=True)
class Sought:
    """What else has changed is looked for in the source, for what was seen ``since``.

    So many ``walks`` have no answer yet. What was found is among what was offered up to the number
    ``until`` (0: nothing). Until that is on the node, no more than the first ``sure`` ones count.
    ``after`` is owed when that is done; of that pass, the ``rest``, if some of it was made before.
    ``by_time``: that is all since a moment, and not only other names of files. ``cut``: runs that
    carried some of it may have been cut short.
    """

    since: float
    sure: int
    walks: int = 1
    until: int = 0
    after: Batch | None = None
    rest: Course | None = None
    by_time: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Totals:
    """What all runs came to, and what the ``last`` one moved."""

    runs: int = 0
    failures: int = 0
    retries: int = 0
    last: Transferred = NOTHING
    moved: Transferred = NOTHING


@dataclass(frozen=True)
class Health:
    """How it has gone: when a run last ``succeeded``, and the last ``failure``.

    ``synced``: it has been in sync at least once. ``whole``: it had everything once, by a full pass
    or as was remembered, and owes only what has changed since. ``ailing`` is what is wrong
    ``since`` that moment, in words, until a run ends well.
    """

    synced: bool = False
    whole: bool = False
    succeeded: float | None = None
    failure: Failure | None = None
    ailing: str = ""
    since: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """When the mirror is to be compared (``rverify``), when it was, and what that found.

    ``apart`` was not compared. ``doubt`` is why the last one failed, in words.
    """

    due_at: float | None = None
    made_at: float | None = None
    drift: Drift = EQUAL
    apart: Apart = WHOLE
    doubt: str = ""


@dataclass(frozen=True)
class Brake:
    """``limited``: the mirror is held because a rehearsal found too much to delete or overwrite.

    ``approved``: a person said go on, and the next run does what it must.
    """

    limited: bool = False
    approved: bool = False
