"""What a mirror still owes its node: batches of changes, and how they merge.

Pure. Bounded: a batch remembers single changes up to a number (doubts.MOST), far more than a run
names, since many of them fold into few names: at some 160 bytes each, 8 MB for a source. Beyond it
is just "everything", and where something may have other content.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from inosync.changes.changes import Changes, Inode, Move
from inosync.changes.doubts import LOST, MOST, NO_DOUBTS, Doubts, doubts_of

#: How many paths a batch remembers for messages.
SAMPLE = 3

#: How many renamed directories a batch remembers, and how many names of each.
MOST_MOVES = 32

#: How many renamed files.
MOST_FILES = 1_000

#: A batch that names no more changes than so many is carried soon, as far as one can tell.
FEW = 1_000

#: How many paths that have vanished: some 100 bytes each, of which all mirrors have the same.
MOST_GONE = 200_000


@dataclass(frozen=True)
class Batch:
    """Changes that travel together.

    ``since`` is when the oldest of them was seen (monotonic seconds); ``reason`` is why a full
    pass is owed (start-up, overflow, ...), or ``""`` when ordinary changes alone are. ``changes``
    are these, or None when they are too many or not known. ``moves`` are directories and files that
    were renamed, the first ones; these are changes besides. ``repeated``: a run that carried them
    has to be made once more. ``contents``: a full pass is to compare what is in the files, too.
    ``named``: its run names what it carries wherever that can be done. A batch of what a run could
    not carry is since ``math.inf``: it tries again, and makes no mirror lag. ``whole`` are files of
    which all names are among the changes.
    ``doubts``: what else than the changes say may have other content than rsync finds.
    ``gone``: what has vanished, where nothing else may be deleted (``rdelete``); the path of what
    was a directory ends in a slash. It is remembered even where the changes are not.
    """

    since: float
    count: int
    sample: tuple[bytes, ...] = ()
    reason: str = ""
    changes: Changes | None = None
    repeated: bool = False
    moves: tuple[Move, ...] = ()
    contents: bool = False
    named: bool = False
    whole: frozenset[Inode] = frozenset()
    doubts: Doubts = NO_DOUBTS
    gone: frozenset[bytes] = frozenset()

    @property
    def empty(self) -> bool:
        """Whether it carries nothing, and nothing is in doubt."""
        nothing = self.changes is not None and not self.changes
        return nothing and not (self.reason or self.doubts or self.gone)

    @property
    def brief(self) -> bool:
        """Whether all that it carries are a few names. A directory that is new may hold a lot."""
        changes = self.changes
        if self.reason or changes is None:
            return False
        return not changes.trees and len(changes) <= FEW

    def merge(self, other: Batch) -> Batch:
        """Return one batch that stands for both; `other` is the later one."""
        changes: Changes | None = None
        doubts = self.doubts | other.doubts
        if self.changes is not None and other.changes is not None:
            changes = Changes()
            changes.update(self.changes)
            changes.update(other.changes)
            if len(changes) > MOST:
                changes = None
        if changes is None:
            for known in (self.changes, other.changes):
                doubts |= doubts_of(known) if known else NO_DOUBTS
        return Batch(
            since=min(self.since, other.since),
            count=self.count + other.count,
            sample=(self.sample + other.sample)[:SAMPLE],
            reason=self.reason or other.reason,
            changes=changes,
            moves=_one_after_the_other(_seen_again(self.moves, other.changes), other.moves),
            contents=self.contents or other.contents,
            named=self.named and other.named,
            whole=self.whole | other.whole,
            doubts=doubts,
            gone=_all_gone(self.gone, other.gone),
        )

    def nameless(self) -> Batch:
        """Return the batch that does not say what has changed, only what is in doubt."""
        doubts = self.doubts | (doubts_of(self.changes) if self.changes else NO_DOUBTS)
        return dataclasses.replace(self, changes=None, doubts=doubts)

    def with_levels(self, directories: Iterable[bytes]) -> Batch:
        """Return the batch that also deletes what should not be in these directories."""
        levels = Changes(levels=dict.fromkeys(directories))
        both = self.merge(Batch(self.since, 0, changes=levels, named=self.named))
        return dataclasses.replace(both, repeated=self.repeated)

    def with_gone(self, gone: frozenset[bytes]) -> Batch:
        """Return the batch that also deletes this, where it has vanished by then."""
        return dataclasses.replace(self, gone=_all_gone(self.gone, gone)) if gone else self

    def vanished(self) -> Batch | None:
        """Return the batch that only deletes what has vanished; None: nothing has."""
        if not self.gone:
            return None
        return Batch(self.since, 0, self.sample, changes=Changes(), named=True, gone=self.gone)

    def again(self) -> Batch:
        """Return the batch that carries the same once more."""
        return dataclasses.replace(self, repeated=True, moves=())


def chained(moves: Iterable[Move]) -> tuple[Move, ...]:
    """Return what renames, in their order, come to: those of the same thing become one."""
    found: dict[int, Move] = {}
    here: dict[tuple[bool, bytes], list[int]] = {}  # which of them have led to a path
    for number, move in enumerate(moves):
        led = here.get((move.file, move.old))
        if led:
            before = found.pop(led.pop())
            way = (*before.via, before.new, *move.via)
            sure = before.sure and move.sure
            move = Move(before.old, move.new, way, move.file, sure)  # noqa: PLW2901
        if move.old != move.new and len(move.via) < MOST_MOVES:
            found[number] = move
            here.setdefault((move.file, move.new), []).append(number)
    directories = [move for move in found.values() if not move.file]
    files = [move for move in found.values() if move.file]
    return (*directories[:MOST_MOVES], *files[:MOST_FILES])


def _all_gone(one: frozenset[bytes], other: frozenset[bytes]) -> frozenset[bytes]:
    """Return both together, within bounds; what came first counts."""
    if not (one and other) or other <= one:
        return one or other
    room = max(0, MOST_GONE - len(one))
    return one | (other if len(other) <= room else frozenset(islice(other, room)))


def _one_after_the_other(one: tuple[Move, ...], other: tuple[Move, ...]) -> tuple[Move, ...]:
    return chained((*one, *other)) if one and other else one or other


def _seen_again(moves: tuple[Move, ...], later: Changes | None) -> tuple[Move, ...]:
    """Return them; not sure any more if something happened to their files in `later` changes."""
    if not later or not any(move.file for move in moves):
        return moves
    named = {*later.entries, *later.attributes, *later.trees, *later.written}
    return tuple(m._replace(sure=False) if m.file and m.new in named else m for m in moves)


def merged(one: Batch | None, other: Batch | None) -> Batch | None:
    """Return the merger of two batches of which either may be missing."""
    if one is None or other is None:
        return one or other
    return one.merge(other)


class Gathering:
    """What waits to become a batch. It grows in place, as often as something is read."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._since = 0.0
        self._count = 0
        self._sample: tuple[bytes, ...] = ()
        self._changes = Changes()
        self._folded: Doubts | None = None  # of what was too much to be remembered
        self._moves: tuple[Move, ...] = ()
        self._gone: frozenset[bytes] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return self._count > 0 or bool(self._gone)

    @property
    def since(self) -> float | None:
        """When the first of it was seen; None when there is nothing."""
        return self._since if self else None

    @property
    def changes(self) -> Changes | None:
        """What has changed; None when it is too much to be remembered."""
        return self._changes if self._folded is None else None

    def add(
        self,
        changes: Changes,
        now: float,
        *,
        moves: Sequence[Move] = (),
        gone: frozenset[bytes] = frozenset(),
    ) -> None:
        """Take in `changes`, seen at `now`; `moves` are the renames among them.

        `gone` is what has vanished: see Batch.
        """
        if not (changes or gone):
            return
        if not self:
            self._since = now
        self._gone = _all_gone(self._gone, gone)
        self._count += changes.count
        if len(self._sample) < SAMPLE:
            paths = (change.path for change in islice(changes, SAMPLE))
            self._sample = (*self._sample, *paths)[:SAMPLE]
        self._moves = _one_after_the_other(_seen_again(self._moves, changes), chained(moves))
        self._changes.update(changes)
        if len(self._changes) > MOST:
            # Not at each addition: a flood is read in many lots.
            self._folded = (self._folded or NO_DOUBTS) | doubts_of(self._changes)
            self._changes = Changes()

    def take(self) -> Batch | None:
        """Return the batch that stands for all, or None when there is nothing; forget it."""
        batch = None
        if self:
            batch = Batch(
                self._since,
                self._count,
                self._sample,
                changes=self._changes,
                moves=self._moves,
                gone=self._gone,
            )
            if self._folded is not None:
                batch = dataclasses.replace(batch, doubts=self._folded).nameless()
        self._forget()
        return batch


def collect(changes: Changes, now: float, *, moves: Sequence[Move] = ()) -> Batch | None:
    """Return the batch of what was seen at once: see :meth:`Gathering.add`."""
    gathering = Gathering()
    gathering.add(changes, now, moves=moves)
    return gathering.take()


def full_pass(reason: str, now: float, *, contents: bool = False, lost: bool = False) -> Batch:
    """Return the batch that demands a pass over the whole source, and says why.

    `lost`: something has changed of which the name is not known.
    """
    return Batch(now, 0, (), reason, contents=contents, doubts=LOST if lost else NO_DOUBTS)
