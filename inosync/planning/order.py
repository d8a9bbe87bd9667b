"""What the engine orders, and what planning makes of it. Plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from inosync.changes.batch import Batch
from inosync.config.model import Pair
from inosync.planning.slices import Course, Slice
from inosync.planning.steps import Step
from inosync.planning.view import View
from inosync.rsync.filters import Filters


class RunKind(enum.Enum):
    """What one run of rsync is for."""

    PASS = "pass"  # noqa: S105 - over the whole source
    SLICE = "slice"  # a part of a pass: whole directories, by name
    LISTED = "listed"  # carries what it is told on standard input
    STEP = "step"  # goes before one of these, for what was renamed
    REHEARSAL = "rehearsal"  # only asks what one of these would delete
    COMPARISON = "comparison"  # carries nothing: finds out what differs, contents included


@dataclass(frozen=True)
class Order:
    """A run that the engine wants, with all that planning has to know for it.

    ``kind`` is PASS or LISTED, which planning may change (a STEP goes before, a list is too long),
    SLICE, which cuts about ``budget`` entries' weight off the ``course``, or REHEARSAL or
    COMPARISON. ``limit`` is how many files it may delete (0: any). Of a pair with a
    lane for big files it is the `big` one's run, or one that is `lenient`: it spares what the lane
    is at. ``left_out`` are files that must wait. ``steps`` go before it; None: that is to be
    decided now, which takes that the run is ``alone`` with the node, and what of other runs' work
    the node is ``owed`` (None: not known). ``stale`` is what must not outlive the run on the node;
    ``retried`` says that the run before failed.
    """

    pair: Pair
    kind: RunKind
    batch: Batch
    limit: int = 0
    big: bool = False
    lenient: bool = False
    left_out: frozenset[bytes] = frozenset()
    steps: tuple[Step, ...] | None = ()
    alone: bool = True
    owed: frozenset[bytes] | None = frozenset()
    stale: frozenset[bytes] = frozenset()
    retried: bool = False
    course: Course | None = None
    budget: int = 0

    @property
    def by_name(self) -> bool:
        """Whether its run can name what it carries."""
        known = not self.batch.reason and self.batch.changes is not None
        return known and (self.big or self.pair.node.rscope == "changes")

    @property
    def contents(self) -> bool:
        """Whether what is in the files is compared, too."""
        return self.kind is RunKind.COMPARISON or self.batch.contents


@dataclass(frozen=True)
class Sight:
    """A source as it is at this moment, as far as one mirror is concerned.

    ``spare`` is what was mounted in it and is not any more: the run leaves it alone.
    ``directories`` is how many are watched; ``sees_all``: nothing happens without an event.
    """

    view: View
    filters: Filters
    spare: frozenset[bytes] = frozenset()
    directories: int = 0
    sees_all: bool = True


@dataclass(frozen=True)
class Prepared:
    """What is to be run for an order, and what was decided for it.

    ``names`` are for standard input; None: there is no list; none: there is nothing to carry.
    ``steps`` are those that go before the run itself; of a STEP the first is this one. ``gone`` is
    what must be deleted on the node from now on. ``hid``: something of the batch was kept back.
    ``linked``: a file with several names is in it, and may have changed under the others.
    ``widened`` is why what could have been listed or sliced is a whole pass, or "". Of a pass in
    slices this is the ``piece``, and ``course`` is what is left.
    """

    kind: RunKind
    argv: tuple[str, ...]
    names: tuple[bytes, ...] | None = None
    steps: tuple[Step, ...] | None = ()
    gone: frozenset[bytes] = field(default=frozenset())
    hid: bool = False
    linked: bool = False
    widened: str = ""
    piece: Slice | None = None
    course: Course | None = None

    @property
    def listed(self) -> bool:
        """Whether it carries named changes, and no step before them."""
        return self.names is not None and self.kind is not RunKind.STEP
