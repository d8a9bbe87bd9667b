"""The next slice of a pass, and those that are made beside it.

Pure. What it carries is cut in cutting.py.
"""

from __future__ import annotations

import dataclasses

from inosync.changes.doubts import NO_DOUBTS
from inosync.config.model import Config
from inosync.planning.command import command
from inosync.planning.cutting import cut_beside, small
from inosync.planning.file_list import LONGEST_ENTRY, TOO_LONG
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.ordinary_run import prepare_ordinary
from inosync.planning.run import planned, run_for, unreadable
from inosync.planning.slices import Course, Slice
from inosync.planning.view import is_real
from inosync.rsync.program import Program

#: Bytes of a path that are left for a name in it.
_SPARE = 255


def sliceable(sight: Sight) -> bool:
    """Return whether a pass over a source can be cut: not when only rsync can read its rules."""
    rules = sight.filters
    return not rules.left_to_rsync and rules.admits(b"", directory=True)


def prepare_slice(
    order: Order, course: Course, sight: Sight, config: Config, program: Program
) -> Prepared:
    """Return the next slice, with those that are made beside it.

    What has vanished on the way to it raises an event of its own.
    """
    if small(course, order.budget, view=sight.view, filters=sight.filters):
        return prepare_ordinary(order, sight, config, program)
    pieces: tuple[Slice, ...]
    if order.piece is not None:
        pieces, rest = (order.piece,), course
    else:
        pieces, rest = cut_beside(
            course, order.budget, order.streams, view=sight.view, filters=sight.filters
        )
    order = _sharing(order, len(pieces))
    first, *beside = (
        _prepare_piece(order, piece, sight, config, program if not number else program.apart)
        for number, piece in enumerate(pieces)
    )
    if full := next((part.widened for part in (first, *beside) if part.widened), ""):
        whole = prepare_ordinary(order, sight, config, program)
        return dataclasses.replace(whole, widened=full)
    doubts = order.batch.doubts if rest.over and not order.contents else NO_DOUBTS
    return dataclasses.replace(first, doubts=doubts, course=rest, beside=tuple(beside))


def _sharing(order: Order, count: int) -> Order:
    """Return the order of which so many runs are made at once: they share its speed."""
    node = order.pair.node
    if count == 1 or not node.rspeed:
        return order
    node = dataclasses.replace(node, rspeed=max(1, node.rspeed // count))
    return dataclasses.replace(order, pair=dataclasses.replace(order.pair, node=node))


def _prepare_piece(
    order: Order, piece: Slice, sight: Sight, config: Config, program: Program
) -> Prepared:
    """Return the run of one slice; it is ``widened`` if there can be none."""
    trees = tuple(path for path in piece.trees if is_real(path, sight.view))
    found = planned(piece.changes, sight, hide=order.stale)
    full = TOO_LONG if any(len(path) > LONGEST_ENTRY - _SPARE for path in trees) else found.full
    names = None if trees else found.entries
    run = run_for(order, sight, RunKind.SLICE, listed=not trees, trees=trees, hide=order.stale)
    return Prepared(
        RunKind.SLICE,
        tuple(command(run, config, program)),
        names=names,
        left=order.left_out | unreadable(order, sight),
        widened=full,
        moment=sight.moment,
        piece=piece,
    )
