"""The steps that go before a run: which ones a batch is worth, and the run of the first of them.

Pure. What each step is: steps.py. What can be made of what was renamed: renames.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inosync.changes.changes import Change, Kind
from inosync.config.model import Config
from inosync.planning.command import command
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.renamed_files import PER_RUN
from inosync.planning.renames import LEAST, steps
from inosync.planning.run import asks_what_is_sent, planned, run_for
from inosync.planning.steps import Clear, Relink, Renew, Step
from inosync.planning.view import files
from inosync.rsync.options import keeps_in_place, prevented, whole_files
from inosync.rsync.program import Program

#: For how many paths a run is preceded by a step that makes way for each.
CLEARED = 10


@dataclass(frozen=True)
class Worth:
    """From how many bytes on what was renamed is worth runs of its own, so that it is not sent.

    Of a renamed ``directory``, and of renamed files for each ``run`` of these.
    """

    directory: int = LEAST
    run: int = PER_RUN


def steps_before(
    order: Order, sight: Sight, config: Config, program: Program, worth: Worth
) -> tuple[Step, ...]:
    """Return what goes before a run, for what was renamed."""
    relinks = _relinks(order, sight, config, program, worth)
    return (*_clearances(order, sight), *_renewals(order, sight), *relinks)


def _clearances(order: Order, sight: Sight) -> Iterable[Step]:
    """Give the steps for what has taken the place of directories in which old versions are kept."""
    if not keeps_in_place(order.pair.node.extra) or order.pair.node.rdelete != "all":
        return
    for path in sorted(order.barred)[:CLEARED]:
        names = planned((Change(path, Kind.ENTRY),), sight).entries
        if names and path in files((path,), sight.view):
            yield Clear(path, names)


def _renewals(order: Order, sight: Sight) -> tuple[Step, ...]:
    """Return the step for what a run that failed has hidden, and could not delete.

    Runs may fail for ever, for a file that nobody can read. That is to hold back nothing else.
    """
    again = frozenset(path for path in order.stale if sight.view.look(path) is not None)
    if not again or not order.retried:
        return ()
    single = files(again, sight.view)
    changes = [Change(path, Kind.ENTRY if path in single else Kind.TREE) for path in again]
    names = planned(changes, sight).entries
    return (Renew(again, names),) if names else ()


def _relinks(
    order: Order, sight: Sight, config: Config, program: Program, worth: Worth
) -> tuple[Step, ...]:
    extra = order.pair.node.extra
    if not order.batch.moves or order.owed is None or not order.alone or prevented(extra):
        return ()
    # The old place has to go, whatever else is in it.
    if order.pair.node.rdelete != "all":
        return ()
    # What the node has may not be what it should be.
    if order.batch.doubts:
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
        big=config.of(order.pair.source).rbigsize,
        delta=not whole_files(extra),
    )


def prepare_step(
    order: Order, remaining: tuple[Step, ...], sight: Sight, config: Config, program: Program
) -> Prepared:
    """Return the run of the first of the steps that remain."""
    step = remaining[0]
    relink = isinstance(step, Relink)
    tells = asks_what_is_sent(order)
    run = run_for(order, sight, RunKind.STEP, listed=not relink, step=step, tells=tells)
    return Prepared(
        RunKind.STEP,
        tuple(command(run, config, program)),
        names=step.names or None if relink else step.names,
        steps=remaining,
        gone=step.gone if isinstance(step, Relink) else frozenset(),
        tells=tells,
        moment=sight.moment,
    )
