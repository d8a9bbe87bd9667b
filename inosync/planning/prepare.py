"""From an order to the run that carries it out: what it names, and its command line.

Pure: an order, a source as it is now and the program that is to run go in, argv and what was
decided come out. Nothing here starts a run or writes into a mirror.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from inosync.changes.changes import Change, Kind
from inosync.config.model import Config
from inosync.planning.big_files import big_changes
from inosync.planning.command import Run, command, patient
from inosync.planning.file_list import LONGEST_ENTRY, TOO_LONG, Plan, longest_list, plan
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.renamed_files import PER_RUN
from inosync.planning.renames import LEAST, holds, steps
from inosync.planning.slices import Course, cut
from inosync.planning.steps import Relink, Renew, Step
from inosync.planning.view import files, is_real
from inosync.rsync.options import prevented, whole_files
from inosync.rsync.program import Program

#: Bytes of a path that are left for a name in it.
_SPARE = 255


@dataclass(frozen=True)
class Worth:
    """From how many bytes on it is worth runs of their own not to send what was renamed.

    Of a renamed directory, and of renamed files for each of these runs.
    """

    directory: int = LEAST
    run: int = PER_RUN


def prepare(
    order: Order, sight: Sight, config: Config, program: Program, worth: Worth | None = None
) -> Prepared:
    """Return what is to be run for `order` first, as the source is now."""
    if order.kind in (RunKind.REHEARSAL, RunKind.COMPARISON):
        return _prepare_run(order, sight, config, program, hide=_hidden(order))
    if order.kind is RunKind.SLICE and order.course is not None and sliceable(sight):
        return _prepare_slice(order, order.course, sight, config, program)
    first = (
        _steps(order, sight, config, program, worth or Worth())
        if order.steps is None
        else order.steps
    )
    if first and isinstance(first[0], Relink) and not holds(first[0], view=sight.view):
        first = ()  # the source is not as it was when these were thought of
    if first:
        return _prepare_step(order, first, sight, config, program)
    return _prepare_run(order, sight, config, program, hide=order.stale)


def sliceable(sight: Sight) -> bool:
    """Return whether a pass over a source can be cut: not when only rsync can read its rules."""
    rules = sight.filters
    return not rules.left_to_rsync and rules.admits(b"", directory=True)


def _prepare_slice(
    order: Order, course: Course, sight: Sight, config: Config, program: Program
) -> Prepared:
    """Return the next slice. What has vanished on the way to it raises an event of its own."""
    piece, rest = cut(course, order.budget, view=sight.view, filters=sight.filters)
    trees = tuple(path for path in piece.trees if is_real(path, sight.view))
    found = _plan(piece.changes, sight)
    full = TOO_LONG if any(len(path) > LONGEST_ENTRY - _SPARE for path in trees) else found.full
    if full:
        whole = _prepare_run(order, sight, config, program, hide=order.stale)
        return dataclasses.replace(whole, widened=full)
    names = None if trees else found.entries
    run = _run(order, sight, RunKind.SLICE, listed=not trees, trees=trees)
    argv = tuple(command(run, config, program))
    return Prepared(RunKind.SLICE, argv, names=names, piece=piece, course=rest)


def _hidden(order: Order) -> frozenset[bytes]:
    """Return what is hidden from a run that deletes nothing."""
    return frozenset() if order.kind is RunKind.REHEARSAL else order.stale


def _prepare_step(
    order: Order, remaining: tuple[Step, ...], sight: Sight, config: Config, program: Program
) -> Prepared:
    """Return the run of the first of the steps that remain."""
    step = remaining[0]
    relink = isinstance(step, Relink)
    run = _run(order, sight, RunKind.STEP, listed=not relink, step=step)
    return Prepared(
        RunKind.STEP,
        tuple(command(run, config, program)),
        names=step.names or None if relink else step.names,
        steps=remaining,
        gone=step.gone if isinstance(step, Relink) else frozenset(),
    )


def _prepare_run(
    order: Order, sight: Sight, config: Config, program: Program, *, hide: frozenset[bytes]
) -> Prepared:
    """Return the run itself."""
    names, widened, linked = None, "", False
    if order.by_name:
        found = _plan(_changes(order, sight, config, hide), sight, hide=hide)
        names, widened, linked = found.entries, found.full, found.linked
        names = None if widened else names
    kind = order.kind
    if kind in (RunKind.PASS, RunKind.SLICE, RunKind.LISTED):
        kind = RunKind.PASS if names is None else RunKind.LISTED
    run = _run(order, sight, kind, listed=names is not None, hide=hide)
    return Prepared(
        kind,
        tuple(command(run, config, program)),
        names=names,
        steps=order.steps if kind in (RunKind.REHEARSAL, RunKind.COMPARISON) else (),
        hid=any(sight.view.look(path) is not None for path in hide),
        linked=linked,
        widened=widened,
    )


def _changes(
    order: Order, sight: Sight, config: Config, hide: frozenset[bytes]
) -> Iterable[Change]:
    """Return what the run has to name: also where something is to be deleted."""
    changes: Iterable[Change] = order.batch.changes or ()
    if order.big:
        changes = big_changes(changes, size=config.rbigsize, filters=sight.filters, view=sight.view)
    deleted = (Change(path.rpartition(b"/")[0], Kind.LEVEL) for path in hide)
    return itertools.chain(changes, deleted)


def _plan(changes: Iterable[Change], sight: Sight, *, hide: frozenset[bytes] = frozenset()) -> Plan:
    """Return what a run has to name to carry `changes`."""
    return plan(
        changes,
        filters=sight.filters,
        view=sight.view,
        spare=sight.spare,
        hide=hide,
        longest=longest_list(sight.directories),
    )


def _run(
    order: Order,
    sight: Sight,
    kind: RunKind,
    *,
    listed: bool,
    step: Step | None = None,
    hide: frozenset[bytes] = frozenset(),
    trees: tuple[bytes, ...] = (),
) -> Run:
    """Return a run of this kind, with all that the order says of each of its runs."""
    return Run(
        patient(order.pair) if order.contents else order.pair,
        kind,
        step=step,
        listed=listed,
        limit=order.limit,
        big=order.big,
        lenient=order.lenient,
        contents=order.contents,
        spare=sight.spare,
        leave=files(order.left_out, sight.view),
        hide=hide,
        trees=trees,
    )


def _steps(
    order: Order, sight: Sight, config: Config, program: Program, worth: Worth
) -> tuple[Step, ...]:
    """Return what goes before a run, for what was renamed."""
    return (*_renewals(order, sight), *_relinks(order, sight, config, program, worth))


def _renewals(order: Order, sight: Sight) -> tuple[Step, ...]:
    """Return the step for what a run has hidden and could not delete: it failed.

    It may fail for ever, for a file that nobody can read. That is to hold back nothing else.
    """
    again = frozenset(path for path in order.stale if sight.view.look(path) is not None)
    if not again or not order.retried:
        return ()
    single = files(again, sight.view)
    changes = [Change(path, Kind.ENTRY if path in single else Kind.TREE) for path in again]
    names = _plan(changes, sight).entries
    return (Renew(again, names),) if names else ()


def _relinks(
    order: Order, sight: Sight, config: Config, program: Program, worth: Worth
) -> tuple[Step, ...]:
    extra = order.pair.node.extra
    if not order.batch.moves or order.owed is None or not order.alone or prevented(extra):
        return ()
    # Older ones, which compare whole seconds, would take other files for these.
    if sight.spare or not sight.sees_all or not program.compares_exactly:
        return ()
    return steps(
        order.batch,
        filters=sight.filters,
        view=sight.view,
        least=worth.directory,
        per_run=worth.run,
        owed=order.owed,
        big=config.rbigsize,
        delta=not whole_files(extra),
    )
