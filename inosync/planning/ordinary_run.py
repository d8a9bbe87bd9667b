"""The run that an order is for, where no other has to go first: a pass or a list.

Pure. A rehearsal of it and a comparison name what it names, and carry nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from inosync.changes.changes import Change, Kind
from inosync.changes.doubts import NO_DOUBTS, Doubts
from inosync.config.model import Config
from inosync.planning.big_files import big_changes
from inosync.planning.command import command
from inosync.planning.file_list import Plan, lead, more_names
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.run import asks_what_is_sent, planned, run_for, unreadable
from inosync.planning.suspects import candidates
from inosync.planning.vanished import MOST, Vanished, vanished
from inosync.planning.view import is_sent
from inosync.rsync.program import Program

#: Runs that bring over what they are at.
_CARRIES = (RunKind.PASS, RunKind.SLICE, RunKind.LISTED)


@dataclass(frozen=True)
class Aim:
    """What a run is at: what it names, what it hides, and what it deletes of what has vanished."""

    found: Plan
    hide: frozenset[bytes]
    gone: Vanished


def prepare_ordinary(
    order: Order, sight: Sight, config: Config, program: Program, aim: Aim | None = None
) -> Prepared:
    """Return the run itself, with what it is at, where that is known already."""
    aim = aim or _aim(order, sight, config)
    found, hide, gone = aim.found, aim.hide, aim.gone
    names = found.entries if order.by_name and not found.full else None
    kind, doubtful, doubts = order.kind, frozenset[bytes](), NO_DOUBTS
    linked = found.linked if names is not None else {}
    if kind in _CARRIES:
        kind = RunKind.PASS if names is None else RunKind.LISTED
        doubtful, doubts = _in_doubt(order, sight, None if names is None else found.inside)
        if names is None:  # a pass comes to all names, and may take each of them for equal
            linked = more_names(doubtful, view=sight.view, named=order.batch.whole)
    tells = bool(doubtful) or (kind is RunKind.REHEARSAL and order.most is not None)
    listed = names is not None
    run = run_for(order, sight, kind, listed=listed, hide=hide, tells=tells, gone=gone.paths)
    return Prepared(
        kind,
        tuple(command(run, config, program)),
        names=names,
        steps=order.steps if kind in (RunKind.REHEARSAL, RunKind.COMPARISON) else (),
        hid=any(sight.view.look(path) is not None for path in _stale(order)),
        # The run that follows a rehearsal tells them.
        linked={} if order.kind is RunKind.REHEARSAL else linked,
        widened=found.full,
        left=order.left_out | unreadable(order, sight),
        tells=bool(doubtful),
        candidates=doubtful,
        doubts=doubts,
        moment=sight.moment,
        remaining=gone.rest,
    )


def harmless(order: Order, sight: Sight, config: Config) -> Aim | None:
    """Return what a run is at that names no more files than it may overwrite; None: it may."""
    changes = order.batch.changes
    if order.limit or order.most is None or not order.by_name or order.idle or changes is None:
        return None
    if changes.trees or len(changes) > len(Kind) * order.most:  # one file may be there as each
        return None
    aim = _aim(order, sight, config)
    found = aim.found
    skip, count = len(lead(sight.filters.prefix)), 0
    for name in found.entries:
        count += 1
        if name.endswith(b"/"):  # a level of a directory
            inner = sight.view.listing(name[skip:].rstrip(b"/"))
            count += sum(1 for _ in itertools.islice(inner, order.most))
    return aim if not found.full and count <= order.most else None


def _aim(order: Order, sight: Sight, config: Config) -> Aim:
    """Return what the run for an order is at."""
    hide = _stale(order) | (_odd(order, sight) if order.kind in _CARRIES else frozenset())
    gone = _vanished(order, sight, config)
    hide = hide | gone.hide
    if not order.by_name or order.idle:
        return Aim(Plan(), hide, gone)
    changes = itertools.chain(
        _named(order, sight, config, hide), (Change(home, Kind.LEVEL) for home in gone.homes)
    )
    return Aim(planned(changes, sight, hide=hide, named=order.batch.whole), hide, gone)


def _stale(order: Order) -> frozenset[bytes]:
    """Return what is hidden to be deleted; a rehearsal, which deletes nothing, hides nothing."""
    return frozenset() if order.kind is RunKind.REHEARSAL else order.stale


def _named(order: Order, sight: Sight, config: Config, hide: frozenset[bytes]) -> Iterable[Change]:
    """Return what the run has to name: also where something is to be deleted."""
    changes: Iterable[Change] = order.batch.changes or ()
    if order.big:
        size = config.of(order.pair.source).rbigsize
        changes = big_changes(changes, size=size, filters=sight.filters, view=sight.view)
    deleted = (Change(path.rpartition(b"/")[0], Kind.LEVEL) for path in hide)
    return itertools.chain(changes, deleted)


def _odd(order: Order, sight: Sight) -> frozenset[bytes]:
    """Return which paths still have no file, directory or link to send.

    None where only what has vanished is deleted: a file that a pipe has replaced is among that.
    """
    if order.pair.node.rdelete != "all":
        return frozenset()
    found = {path: sight.view.look(path) for path in order.odd}
    return frozenset(
        path for path, status in found.items() if status is not None and not is_sent(status)
    )


def _vanished(order: Order, sight: Sight, config: Config) -> Vanished:
    """Return what the run deletes of what has vanished: enough to be too much (rmaxdelete)."""
    comparison = order.kind is RunKind.COMPARISON
    if order.big or comparison or order.pair.node.rdelete != "seen" or not order.batch.gone:
        return Vanished()
    limit = config.of(order.pair.source).rmaxdelete
    most = max(MOST, limit + 1)
    return vanished(order.batch.gone, sight.view, sight.filters, most=most)


def _in_doubt(
    order: Order, sight: Sight, inside: Iterable[bytes] | None
) -> tuple[frozenset[bytes], Doubts]:
    """Return which files may hold other content unless they are sent, and what else may."""
    before = order.batch.doubts
    if order.contents:
        return frozenset(), NO_DOUBTS
    if not asks_what_is_sent(order):
        return frozenset(), before
    files, doubts = candidates(
        order.batch.changes,
        filters=sight.filters,
        view=sight.view,
        inside=inside,
        leave=order.left_out,
    )
    files = files | before.files if before.files else files
    return files, dataclasses.replace(before, files=frozenset()) | doubts
