"""From an order to the run that carries it out: what it names, and its command line.

Pure: an order, a source as it is now and the program that is to run go in, argv and what was
decided come out. Nothing here starts a run or writes into a mirror. Each sort of run has a room:
ordinary_run.py, slice_run.py, step_run.py, contents_run.py.
"""

from __future__ import annotations

import dataclasses

from inosync.config.model import Config
from inosync.planning.contents_run import prepare_contents
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.ordinary_run import harmless, prepare_ordinary
from inosync.planning.renames import holds
from inosync.planning.slice_run import prepare_slice, sliceable
from inosync.planning.step_run import Worth, prepare_step, steps_before
from inosync.planning.steps import Relink
from inosync.rsync.program import Program


def prepare(
    order: Order, sight: Sight, config: Config, program: Program, worth: Worth | None = None
) -> Prepared:
    """Return what is to be run for `order` first, as the source is now.

    A REHEARSAL is left out where the run is at too few files to need one.
    """
    aim = None
    if order.kind is RunKind.REHEARSAL:
        carried = dataclasses.replace(order, kind=RunKind.PASS)
        if (aim := harmless(carried, sight, config)) is not None:
            order = carried
    if order.kind in (RunKind.REHEARSAL, RunKind.COMPARISON):
        return prepare_ordinary(order, sight, config, program)
    if order.kind is RunKind.CONTENTS:
        return prepare_contents(order, sight, config, program)
    if order.kind is RunKind.SLICE and order.course is not None and sliceable(sight):
        return prepare_slice(order, order.course, sight, config, program)
    first = (
        steps_before(order, sight, config, program, worth or Worth())
        if order.steps is None
        else order.steps
    )
    if first and isinstance(first[0], Relink) and not holds(first[0], view=sight.view):
        first = ()  # the source is not as it was when these were thought of
    if first:
        return prepare_step(order, first, sight, config, program)
    return prepare_ordinary(order, sight, config, program, aim)
