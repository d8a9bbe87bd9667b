"""What the engine orders, and what planning makes of it. Plain values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from inosync.changes.batch import Batch
from inosync.changes.changes import Inode
from inosync.changes.doubts import NO_DOUBTS, Doubts
from inosync.config.model import Pair
from inosync.planning.slices import Course, Slice
from inosync.planning.steps import Step
from inosync.planning.view import View
from inosync.rsync.filters import Filters
from inosync.rsync.options import hindrance


class RunKind(enum.Enum):
    """What one run of rsync is for."""

    PASS = "pass"  # noqa: S105 - over the whole source
    SLICE = "slice"  # a part of a pass: whole directories, by name
    LISTED = "listed"  # carries what it is told on standard input
    STEP = "step"  # goes before one of these, for what was renamed
    REHEARSAL = "rehearsal"  # only asks what one of these would delete, or overwrite
    CONTENTS = "contents"  # follows one of these: compares what it may have taken for equal
    COMPARISON = "comparison"  # carries nothing: finds out what differs, contents included


#: Seconds by which the times of files may lag behind the clock: the kernel's tick, and a second
#: where there are whole ones only (ext4 with small inodes).
LAG = 1.1


@dataclass(frozen=True)
class Moment:
    """A moment by the clock on the wall and by the one that never steps, in seconds."""

    wall: float
    steady: float

    def read(self, now: Moment) -> float:
        """Return this moment as a Unix time.

        The clock may have been set since, back or on: the earlier of two readings is right then.
        """
        return min(self.wall, now.wall - (now.steady - self.steady))

    def by_files(self, now: Moment) -> float:
        """Return a Unix time that no file changed after this moment is older than."""
        return self.read(now) - LAG


@dataclass(frozen=True)
class Order:
    """A run that the engine wants, with all that planning has to know for it.

    ``kind`` is PASS or LISTED, which planning may change (a STEP goes before, a list is too long),
    SLICE, which makes a ``piece`` again or cuts about ``budget`` entries' weight off the
    ``course``, up to so many ``streams`` at once, or REHEARSAL or COMPARISON; or CONTENTS, of what
    its batch leaves in doubt. ``limit`` is how many files it may delete (0: any); ``most``, how
    many it may overwrite without a rehearsal (None: any). Of a pair with a lane for big files it is
    the `big` one's run, or one that is `lenient`: it spares what the lane is at. ``left_out`` are
    files that must wait. ``steps`` go before it; None: that is to be decided now, which takes that
    the run is ``alone`` with the node, and what of other runs' work the node is ``owed`` (None: not
    known). ``stale`` is what must not outlive the run on the node; ``retried`` says that the run
    before failed. ``blind`` are paths that cannot be read: the run leaves alone those that are
    there. ``odd`` are pipes and sockets in whose place there may be a file on the node: it deletes
    that. ``barred`` are paths in whose place there is a directory that no run could delete.
    ``equal_at``: all that had changed by then was on the node, if there was such a moment.
    """

    pair: Pair
    kind: RunKind
    batch: Batch
    limit: int = 0
    most: int | None = None
    big: bool = False
    lenient: bool = False
    left_out: frozenset[bytes] = frozenset()
    steps: tuple[Step, ...] | None = ()
    alone: bool = True
    owed: frozenset[bytes] | None = frozenset()
    stale: frozenset[bytes] = frozenset()
    retried: bool = False
    blind: frozenset[bytes] = frozenset()
    odd: frozenset[bytes] = frozenset()
    barred: frozenset[bytes] = frozenset()
    equal_at: Moment | None = None
    course: Course | None = None
    budget: int = 0
    piece: Slice | None = None
    streams: int = 1

    @property
    def by_name(self) -> bool:
        """Whether its run can name what it carries."""
        named = (self.big or self.batch.named) and not hindrance(self.pair.node.extra)
        wanted = named or self.pair.node.rscope == "changes"
        return self._known and (wanted or self.idle)

    @property
    def _known(self) -> bool:
        return not self.batch.reason and self.batch.changes is not None

    @property
    def forgotten(self) -> bool:
        """Whether it carries changes that are too many to have names, and nothing else is owed."""
        nameless = self.batch.changes is None and not self.batch.reason
        return nameless and self.kind in (RunKind.PASS, RunKind.REHEARSAL)

    @property
    def begun(self) -> bool:
        """Whether some of the pass that it belongs to has been made."""
        made = self.course.done.weight if self.course is not None else 0
        return self.kind is RunKind.SLICE and made > 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to carry: only contents are in doubt."""
        owed = self.batch.changes or self.batch.gone or self.stale or self.odd
        return self._known and not owed

    @property
    def contents(self) -> bool:
        """Whether what is in the files is compared, too."""
        return self.kind is RunKind.COMPARISON or self.batch.contents


@dataclass(frozen=True)
class Sight:
    """A source as it is at this moment, as far as one mirror is concerned.

    ``spare`` is what was mounted in it and is not any more: the run leaves it alone.
    ``directories`` is how many are in it, None when nobody has counted them; ``sees_all``: nothing
    happens without an event. All that had happened at this ``moment`` is known; ``now`` is when it
    was looked at.
    """

    view: View
    filters: Filters
    spare: frozenset[bytes] = frozenset()
    directories: int | None = 0
    sees_all: bool = True
    now: Moment = Moment(0.0, 0.0)
    moment: Moment | None = None


@dataclass(frozen=True)
class Prepared:
    """What is to be run for an order, and what was decided for it.

    ``names`` are for standard input; None: there is no list; none: there is nothing to carry.
    ``steps`` are those that go before the run itself; of a STEP the first is this one. ``gone`` is
    what must be deleted on the node from now on. ``hid``: something of the batch was kept back.
    ``linked`` are files that have more names than the batch knows, and may have changed under these
    as well, each with those that it knows. ``widened`` is why what could have been listed or
    sliced is a whole pass, or "". ``left`` is what the run does not look at. ``candidates`` are
    files that may hold other content, unless the run says that it has sent them: it ``tells``. What
    else is in doubt are ``doubts``; of CONTENTS, what is left for the next one. ``moment``: see
    Sight. Of a pass in slices this is the ``piece``, and ``course`` is what is left. The other
    slices that are made at once are ``beside`` it. ``remaining`` is what has vanished and is
    deleted by another run.
    """

    kind: RunKind
    argv: tuple[str, ...]
    names: tuple[bytes, ...] | None = None
    steps: tuple[Step, ...] | None = ()
    gone: frozenset[bytes] = field(default=frozenset())
    hid: bool = False
    linked: Mapping[Inode, frozenset[bytes]] = field(default_factory=dict)
    widened: str = ""
    left: frozenset[bytes] = frozenset()
    tells: bool = False
    candidates: frozenset[bytes] = frozenset()
    doubts: Doubts = NO_DOUBTS
    moment: Moment | None = None
    piece: Slice | None = None
    course: Course | None = None
    remaining: frozenset[bytes] = frozenset()
    beside: tuple[Prepared, ...] = ()

    @property
    def pieces(self) -> tuple[Slice, ...]:
        """What it carries of a pass in slices, with what is beside it."""
        parts = (self, *self.beside)
        return tuple(part.piece for part in parts if part.piece is not None)

    @property
    def step(self) -> Step | None:
        """The step that it makes, if it makes one."""
        return self.steps[0] if self.kind is RunKind.STEP and self.steps else None

    @property
    def listed(self) -> bool:
        """Whether it carries named changes, and no step before them."""
        if self.kind is RunKind.SLICE:
            return True
        return self.names is not None and self.kind is not RunKind.STEP
