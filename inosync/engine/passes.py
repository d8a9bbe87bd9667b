"""A pass that goes as a row of slices: how far it is, and how large the next slice is to be.

Pure: a record goes in with what has happened, and the next record comes out. What a slice names is
cut by planning (planning/cutting.py) when it is about to start.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from inosync.changes.batch import Batch, merged
from inosync.changes.changes import Changes
from inosync.changes.doubts import NO_DOUBTS
from inosync.config.model import Config, Pair
from inosync.engine.stride import UNKNOWN, Stride
from inosync.planning.order import Prepared
from inosync.planning.slices import Amount, Course, Slice
from inosync.rsync.options import indivisible
from inosync.rsync.output import NOTHING, Transferred

#: What the first slice weighs, and that of a pass which has to send all files on a slow line: no
#: more than takes some two seconds where each look at a file takes 10 ms, as on a cold disk.
FIRST, FIRST_FILL = 120, 100

_OVER = Course(todo=None)


@dataclass(frozen=True)
class Pass:
    """A pass under way. ``batch`` demanded it, as the ``number``-th that was offered.

    The ``pieces`` are at work, the ``course`` is what comes after it. The pieces to make ``again``
    come last: they have failed, or have left something out. While it ``rests`` none is made.
    So many directories had been done ``before`` it, by another daemon. ``turn``: the next slice
    goes before whatever has changed. It has run for so many ``seconds``, and has ``moved`` so much;
    its ``stride`` is what that took. What demanded a pass when it had begun is ``after`` it.
    """

    batch: Batch
    number: int
    course: Course
    budget: int
    before: int = 0
    began: float | None = None
    pieces: tuple[Slice, ...] = ()
    again: tuple[Slice, ...] = ()
    rests: bool = False
    turn: bool = False
    seconds: float = 0.0
    stride: Stride = UNKNOWN
    moved: Transferred = NOTHING
    after: Pass | None = None

    @property
    def last(self) -> bool:
        """Whether nothing is to be made after the pieces that are at work."""
        return self.course.over and not self.again

    @property
    def next(self) -> Slice | None:
        """The piece that is to be made again now; None: the next one of the course."""
        return self.again[0] if self.again and self.course.over else None

    @property
    def done(self) -> Amount:
        """How much of the source is on the node."""
        return self.course.with_pieces(self._open).done

    def left(self, total: int, now: float) -> float | None:
        """Return how many seconds it takes from now on if the source has `total` directories.

        None when that cannot be told; a `total` of 0 is not known.
        """
        here = self.done.directories - self.before
        if self.began is None or here <= 0 or not total:
            return None
        return (now - self.began) * max(0, total - self.done.directories) / here

    @property
    def _open(self) -> tuple[Slice, ...]:
        """The pieces that are cut off and not made."""
        return (*self.again, *self.pieces)

    @property
    def rest(self) -> Course | None:
        """What is left of it; None when it is not to be gone on with by another daemon.

        That would not know what is in doubt, nor which files to read.
        """
        doubts = replace(self.batch.doubts, altered=frozenset())
        if self.began is None or self.after is not None or self.batch.contents or doubts:
            return None
        return self.course.with_pieces(self._open)

    @property
    def first(self) -> int:
        """The lowest number of this pass and those after it."""
        return min(self.number, self.after.first) if self.after else self.number

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All that demanded this pass and those after it."""
        return (self.batch, *(self.after.batches if self.after else ()))

    @property
    def since(self) -> float:
        """When the oldest of what demanded it was seen."""
        return min(batch.since for batch in self.batches)

    def flight(self) -> Batch:
        """Return what the next slice carries, before it is known by name."""
        repeated = self.next is not None and self.next.repeated
        return replace(self.batch, repeated=repeated or self.batch.repeated)

    def demanded(self, batch: Batch, number: int, *, fresh: bool) -> Pass:
        """Return the pass when another one is demanded."""
        if self.began is None:
            batch, number = merged(self.batch, batch) or batch, min(self.number, number)
            # What was made before by another daemon is not of this one.
            course = Course(sizes=self.course.sizes or fresh)
            return replace(self, batch=batch, number=number, course=course, before=0)
        if self.after is not None:
            return replace(self, after=self.after.demanded(batch, number, fresh=fresh))
        return replace(self, after=demand(batch, number, fresh=fresh))

    def begun(self, now: float) -> Pass:
        """Return the pass when a slice begins."""
        return replace(self, began=now if self.began is None else self.began, turn=False)

    def cut(self, what: Prepared) -> Pass:
        """Return the pass when its next pieces are known."""
        if not what.pieces or what.course is None:
            return self  # it became one whole run
        again = self.again[1:] if self.next is not None else self.again
        return replace(self, pieces=what.pieces, course=what.course, again=again)

    def carries(self, flight: Batch) -> Batch:
        """Return the batch of the pieces that are at work."""
        if not self.pieces:
            return flight
        doubts, changes = self.batch.doubts if self.last else NO_DOUBTS, Changes()
        for piece in self.pieces:
            changes.update(piece.all)
        return replace(flight, reason="", changes=changes, doubts=doubts)

    def landed(self, seconds: float, moved: Transferred) -> Pass | None:
        """Return the pass when its pieces are on the node; the next one, or None: it is over."""
        if self.last:
            return self.after
        budget, stride = self.budget, self.stride
        if self.pieces:
            weight = max(piece.amount.weight for piece in self.pieces)
            stride = stride.after(weight, seconds)
            budget = stride.budget(budget, weight, seconds)
        return replace(
            self,
            pieces=(),
            budget=budget,
            seconds=self.seconds + seconds,
            stride=stride,
            moved=self.moved + moved,
        )

    def without(self, made: Collection[int]) -> Pass:
        """Return the pass when some of the pieces at work are `made`: the first one is 0."""
        left = (piece for number, piece in enumerate(self.pieces) if number not in made)
        return replace(self, pieces=tuple(left))

    def repeat(self) -> Pass:
        """Return the pass when its pieces went well and are to be made once more all the same."""
        again = (replace(piece, repeated=True) for piece in self.pieces)
        return replace(self, pieces=(), again=(*self.again, *again))

    def failed(self, *, rests: bool = False) -> Pass:
        """Return the pass when its pieces could not be made: each is made again by itself.

        It `rests` where other pieces may do.
        """
        if not rests and self.done == Amount():
            return self.anew(flying=False)  # it is as if it had never begun
        return replace(self, pieces=(), again=self._open, rests=rests)

    def anew(self, *, flying: bool) -> Pass:
        """Return the pass that begins at its beginning.

        While a run of it is `flying`, it comes after that: that run began before what is new.
        """
        course = Course(sizes=self.course.sizes)
        fresh = replace(self, course=course, pieces=(), again=(), began=None, turn=False)
        return replace(self, course=_OVER, again=(), after=fresh) if flying else fresh


def demand(batch: Batch, number: int, *, fresh: bool, rest: Course | None = None) -> Pass:
    """Return the pass that this batch demands, or the `rest` of one.

    `fresh`: all files are to be sent, or read.
    """
    course = rest or Course(sizes=fresh)
    budget = FIRST_FILL if course.sizes else FIRST
    return Pass(batch, number, course, budget, course.done.directories)


def uncut(pair: Pair, config: Config) -> str:
    """Return why a pass to this mirror is one run, in words; "" when it is a row of slices."""
    if pair.node.rscope != "changes":
        return 'rscope is "tree"'
    if why := _counted(pair, config):
        return why
    if config.of(pair.source).rbigsize:
        return "rbigsize has two runs share the node"
    if why := indivisible(pair.node.extra):
        return why
    rules = pair.source.filters
    if rules.left_to_rsync or not rules.admits(b"", directory=True):
        return "rsync alone can read its rules"
    return ""


def _counted(pair: Pair, config: Config) -> str:
    """Return which limit is for a whole pass, in words; "" for none."""
    if config.of(pair.source).rmaxdelete:
        return "rmaxdelete counts what a whole pass would delete"
    return "rmaxchange counts what a whole pass would overwrite" if pair.node.rmaxchange else ""


def nothing(since: float) -> Batch:
    """Return the batch that carries nothing, and waits."""
    return Batch(since, 0, changes=Changes())
