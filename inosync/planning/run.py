"""One run of rsync: what its command line depends on, and what an order says of each of its runs.

Pure. Which run is due first is decided in prepare.py; command.py makes its command line.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from inosync.changes.changes import Change, Inode
from inosync.config.model import Pair
from inosync.planning.file_list import Plan, longest_list, plan
from inosync.planning.order import Order, RunKind, Sight
from inosync.planning.steps import Pave, Step
from inosync.planning.view import files
from inosync.rsync.kept import folder
from inosync.rsync.options import compares_contents

#: How many times ``rtimeout`` a run that compares contents may be silent: it is while either end
#: reads a large file.
SILENCE = 10


@dataclass(frozen=True)
class Run:
    """One run of rsync, and all that its command line depends on beside the config.

    A `listed` run carries what standard input names (see file_list.py). ``limit`` is how many files
    it may delete; 0: any. ``contents`` are compared, too. ``spare`` are paths of the source that
    are to be left alone on the node, ``leave`` files, and ``hide`` paths that are to be deleted
    there even if the source has them. A STEP has the ``step`` that it is (see steps.py).

    With ``rbigsize`` the run of the lane for `big` files carries what is larger, and any other what
    is not; one that is `lenient` spares the temporary files of that lane on the node. One that
    `tells` says which files it sends; one that is `dry` does nothing else, as a REHEARSAL.
    CONTENTS that cannot be listed are of these files `only`. A SLICE carries the ``trees``, which
    are directories of the source.
    Where not everything is deleted (``rdelete``), ``gone`` is what may be, and one that was
    `demanded` is a pass. What it overwrites or deletes is put into the folder that it is to `keep`
    it in (see rsync/kept.py).
    """

    pair: Pair
    kind: RunKind
    step: Step | None = None
    listed: bool = False
    limit: int = 0
    big: bool = False
    lenient: bool = False
    contents: bool = False
    spare: Iterable[bytes] = ()
    leave: Iterable[bytes] = ()
    hide: Iterable[bytes] = ()
    trees: Sequence[bytes] = ()
    only: Iterable[bytes] = ()
    tells: bool = False
    dry: bool = False
    keep: str = ""
    gone: Sequence[bytes] = ()
    demanded: bool = False

    @property
    def deletes(self) -> bool:
        """Whether it deletes anything; a comparison finds out what is too much."""
        spares = self.step is not None and not isinstance(self.step, Pave)
        if self.big or spares or self.kind is RunKind.CONTENTS:
            return False
        if self.makes_way or self.kind is RunKind.COMPARISON:
            return True
        return self.pair.node.rdelete == "seen" and bool(self.gone)

    @property
    def makes_way(self) -> bool:
        """Whether what the source lacks, or has otherwise, may go, whatever it is."""
        rdelete = self.pair.node.rdelete
        return rdelete == "all" or (rdelete == "start" and self.demanded)

    @property
    def pretends(self) -> bool:
        """Whether it changes nothing, and tells what it would do."""
        return self.dry or self.kind in (RunKind.REHEARSAL, RunKind.COMPARISON)

    @property
    def short(self) -> bool:
        """Whether it is over soon, as far as one can tell."""
        return self.listed and not self.big


def patient(pair: Pair) -> Pair:
    """Return `pair` with a longer ``rtimeout``, for a run that compares contents."""
    node = dataclasses.replace(pair.node, rtimeout=pair.node.rtimeout * SILENCE)
    return dataclasses.replace(pair, node=node)


def run_for(
    order: Order,
    sight: Sight,
    kind: RunKind,
    *,
    listed: bool,
    step: Step | None = None,
    hide: frozenset[bytes] = frozenset(),
    only: Iterable[bytes] = (),
    tells: bool = False,
    dry: bool = False,
    trees: tuple[bytes, ...] = (),
    gone: Sequence[bytes] = (),
) -> Run:
    """Return a run of this kind, with all that the order says of each of its runs."""
    return Run(
        patient(order.pair) if order.contents or kind is RunKind.CONTENTS else order.pair,
        kind,
        step=step,
        listed=listed,
        limit=order.limit,
        big=order.big,
        lenient=order.lenient,
        contents=order.contents,
        spare=sight.spare,
        leave=files(order.left_out, sight.view) | unreadable(order, sight),
        hide=hide,
        only=only,
        tells=tells,
        dry=dry,
        trees=trees,
        keep=folder(sight.now.wall) if order.pair.node.rkeep else "",
        gone=gone,
        demanded=bool(order.batch.reason) or order.kind is RunKind.SLICE,
    )


def planned(
    changes: Iterable[Change],
    sight: Sight,
    *,
    hide: frozenset[bytes] = frozenset(),
    named: Collection[Inode] = (),
) -> Plan:
    """Return what a run has to name to carry `changes`."""
    return plan(
        changes,
        filters=sight.filters,
        view=sight.view,
        spare=sight.spare,
        hide=hide,
        named=named,
        longest=longest_list(sight.directories),
    )


def unreadable(order: Order, sight: Sight) -> frozenset[bytes]:
    """Return what cannot be read, and is there: it stays on the node as it is."""
    return frozenset(path for path in order.blind if sight.view.look(path) is not None)


def asks_what_is_sent(order: Order) -> bool:
    """Return whether a run is asked what it sends: not when it compares contents anyway."""
    return not order.contents and not compares_contents(order.pair.node.extra)
