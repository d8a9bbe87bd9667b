"""From an order to the run that carries it out: what it names, and its command line.

Pure: an order, a source as it is now and the program that is to run go in, argv and what was
decided come out. Nothing here starts a run or writes into a mirror.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from inosync.changes.changes import Change, Inode, Kind, with_parents
from inosync.changes.doubts import NO_DOUBTS, Doubts
from inosync.config.model import Config
from inosync.planning.big_files import big_changes, is_big
from inosync.planning.command import Run, command, patient
from inosync.planning.file_list import (
    LONGEST_ENTRY,
    TOO_LONG,
    Plan,
    lead,
    longest_list,
    more_names,
    plan,
)
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.renamed_files import PER_RUN
from inosync.planning.renames import LEAST, holds, steps
from inosync.planning.slices import Course, Slice, cut_beside, small
from inosync.planning.steps import Clear, Relink, Renew, Step
from inosync.planning.suspects import FILES, candidates, take
from inosync.planning.vanished import MOST, Vanished, vanished
from inosync.planning.view import Status, files, is_real, is_sent
from inosync.rsync.kept import folder
from inosync.rsync.options import (
    compares_contents,
    hindrance,
    keeps_in_place,
    prevented,
    whole_files,
)
from inosync.rsync.program import Program

#: How many files one run compares that are named by rules: each is a few words of argv.
FEW = 200

#: For how many paths a run is preceded by a step that makes way for each.
CLEARED = 10

#: Bytes of a path that are left for a name in it.
_SPARE = 255

#: Runs that bring over what they are at.
_CARRIES = (RunKind.PASS, RunKind.SLICE, RunKind.LISTED)


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
    """Return what is to be run for `order` first, as the source is now.

    A REHEARSAL is left out where the run is at too few files to need one.
    """
    aim = None
    if order.kind is RunKind.REHEARSAL:
        carried = dataclasses.replace(order, kind=RunKind.PASS)
        if (aim := _harmless(carried, sight, config)) is not None:
            order = carried
    if order.kind in (RunKind.REHEARSAL, RunKind.COMPARISON):
        return _prepare_run(order, sight, config, program, hide=_hidden(order))
    if order.kind is RunKind.CONTENTS:
        return _prepare_contents(order, sight, config, program)
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
    return _prepare_run(order, sight, config, program, hide=order.stale, aim=aim)


@dataclass(frozen=True)
class _Aim:
    """What a run is at: what it names, what it hides, and what it deletes of what has vanished."""

    found: Plan
    hide: frozenset[bytes]
    gone: Vanished


def _aim(order: Order, sight: Sight, config: Config, hide: frozenset[bytes]) -> _Aim:
    """Return what the run for an order is at."""
    if order.kind in _CARRIES:
        hide = hide | _odd(order, sight)
    gone = _vanished(order, sight, config)
    hide = hide | gone.hide
    if not order.by_name or order.idle:
        return _Aim(Plan(), hide, gone)
    changes = itertools.chain(
        _changes(order, sight, config, hide), (Change(home, Kind.LEVEL) for home in gone.homes)
    )
    return _Aim(_plan(changes, sight, hide=hide, named=order.batch.whole), hide, gone)


def _harmless(order: Order, sight: Sight, config: Config) -> _Aim | None:
    """Return what a run is at that names no more files than it may overwrite; None: it may."""
    changes = order.batch.changes
    if order.limit or order.most is None or not order.by_name or order.idle or changes is None:
        return None
    if changes.trees or len(changes) > len(Kind) * order.most:  # one file may be there as each
        return None
    aim = _aim(order, sight, config, order.stale)
    found = aim.found
    skip, count = len(lead(sight.filters.prefix)), 0
    for name in found.entries:
        count += 1
        if name.endswith(b"/"):  # a level of a directory
            inner = sight.view.listing(name[skip:].rstrip(b"/"))
            count += sum(1 for _ in itertools.islice(inner, order.most))
    return aim if not found.full and count <= order.most else None


def _odd(order: Order, sight: Sight) -> frozenset[bytes]:
    """Return which paths still have no file, directory or link to send.

    Where only what has vanished is deleted, that says so itself.
    """
    if order.pair.node.rdelete != "all":
        return frozenset()
    found = {path: sight.view.look(path) for path in order.odd}
    return frozenset(
        path for path, status in found.items() if status is not None and not is_sent(status)
    )


def _left(order: Order, sight: Sight) -> frozenset[bytes]:
    """Return what cannot be read, and is there: it stays on the node as it is."""
    return frozenset(path for path in order.blind if sight.view.look(path) is not None)


def sliceable(sight: Sight) -> bool:
    """Return whether a pass over a source can be cut: not when only rsync can read its rules."""
    rules = sight.filters
    return not rules.left_to_rsync and rules.admits(b"", directory=True)


def _prepare_slice(
    order: Order, course: Course, sight: Sight, config: Config, program: Program
) -> Prepared:
    """Return the next slice, with those that are made beside it.

    What has vanished on the way to it raises an event of its own.
    """
    if small(course, order.budget, view=sight.view, filters=sight.filters):
        return _prepare_run(order, sight, config, program, hide=order.stale)
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
        whole = _prepare_run(order, sight, config, program, hide=order.stale)
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
    found = _plan(piece.changes, sight, hide=order.stale)
    full = TOO_LONG if any(len(path) > LONGEST_ENTRY - _SPARE for path in trees) else found.full
    names = None if trees else found.entries
    hide = order.stale
    run = _run(order, sight, RunKind.SLICE, listed=not trees, trees=trees, hide=hide)
    return Prepared(
        RunKind.SLICE,
        tuple(command(run, config, program)),
        names=names,
        left=order.left_out | _left(order, sight),
        widened=full,
        moment=sight.moment,
        piece=piece,
    )


def _hidden(order: Order) -> frozenset[bytes]:
    """Return what is hidden from a run that deletes nothing."""
    return frozenset() if order.kind is RunKind.REHEARSAL else order.stale


def _prepare_step(
    order: Order, remaining: tuple[Step, ...], sight: Sight, config: Config, program: Program
) -> Prepared:
    """Return the run of the first of the steps that remain."""
    step = remaining[0]
    relink = isinstance(step, Relink)
    tells = _tells(order)
    run = _run(order, sight, RunKind.STEP, listed=not relink, step=step, tells=tells)
    return Prepared(
        RunKind.STEP,
        tuple(command(run, config, program)),
        names=step.names or None if relink else step.names,
        steps=remaining,
        gone=step.gone if isinstance(step, Relink) else frozenset(),
        tells=tells,
        moment=sight.moment,
    )


def _tells(order: Order) -> bool:
    """Return whether a run is asked what it sends: not when it compares contents anyway."""
    return not order.contents and not compares_contents(order.pair.node.extra)


def _prepare_run(
    order: Order,
    sight: Sight,
    config: Config,
    program: Program,
    *,
    hide: frozenset[bytes],
    aim: _Aim | None = None,
) -> Prepared:
    """Return the run itself; its `aim`, where that is known."""
    stale = hide
    aim = aim or _aim(order, sight, config, hide)
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
    run = dataclasses.replace(
        _run(order, sight, kind, listed=names is not None, hide=hide, tells=tells), gone=gone.paths
    )
    return Prepared(
        kind,
        tuple(command(run, config, program)),
        names=names,
        steps=order.steps if kind in (RunKind.REHEARSAL, RunKind.COMPARISON) else (),
        hid=any(sight.view.look(path) is not None for path in stale),
        # The run that follows a rehearsal tells them.
        linked={} if order.kind is RunKind.REHEARSAL else linked,
        widened=found.full,
        left=order.left_out | _left(order, sight),
        tells=bool(doubtful),
        candidates=doubtful,
        doubts=doubts,
        moment=sight.moment,
        remaining=gone.rest,
    )


def _vanished(order: Order, sight: Sight, config: Config) -> Vanished:
    """Return what the run deletes of what has vanished: enough to be too much (rmaxdelete)."""
    comparison = order.kind is RunKind.COMPARISON
    if order.big or comparison or order.pair.node.rdelete != "seen" or not order.batch.gone:
        return Vanished()
    limit = config.of(order.pair.source).rmaxdelete
    return vanished(order.batch.gone, sight.view, most=max(MOST, limit + 1))


def _in_doubt(
    order: Order, sight: Sight, inside: Iterable[bytes] | None
) -> tuple[frozenset[bytes], Doubts]:
    """Return which files may hold other content unless they are sent, and what else may."""
    before = order.batch.doubts
    if order.contents:
        return frozenset(), NO_DOUBTS
    if not _tells(order):
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


def _prepare_contents(order: Order, sight: Sight, config: Config, program: Program) -> Prepared:
    """Return the run that compares some of what is in doubt by content."""
    spared = {*sight.spare, *order.stale, *order.left_out}
    size = config.of(order.pair.source).rbigsize

    def wants(path: bytes, status: Status) -> bool:
        if size and is_big(status, size) != order.big:
            return False
        if spared and any(above in spared for above in with_parents(path)):
            return False
        return sight.filters.admits_path(path, directory=False)

    # Where a list would not mean the same as a pass, rules name the files.
    by_rules = not sight.filters.plain or bool(hindrance(order.pair.node.extra))
    since = order.equal_at.by_files(sight.now) if order.equal_at is not None else None
    suspects, rest = take(
        order.batch.doubts,
        view=sight.view,
        wants=wants,
        since=since,
        most=FEW if by_rules else FILES,
    )
    found = Plan() if by_rules else _plan((Change(p, Kind.ENTRY) for p in suspects), sight)
    names = None if suspects and (by_rules or found.full) else found.entries
    only = suspects[:FEW] if names is None else ()
    if names is None:
        rest |= Doubts(frozenset(suspects[FEW:]))
    dry = order.most is not None and len(suspects) > order.most
    run = _run(
        order, sight, RunKind.CONTENTS, listed=names is not None, only=only, tells=dry, dry=dry
    )
    argv = tuple(command(run, config, program))
    return Prepared(
        RunKind.REHEARSAL if dry else RunKind.CONTENTS,
        argv,
        names=names,
        left=_left(order, sight),
        doubts=rest,
        moment=sight.moment,
    )


def _changes(
    order: Order, sight: Sight, config: Config, hide: frozenset[bytes]
) -> Iterable[Change]:
    """Return what the run has to name: also where something is to be deleted."""
    changes: Iterable[Change] = order.batch.changes or ()
    if order.big:
        size = config.of(order.pair.source).rbigsize
        changes = big_changes(changes, size=size, filters=sight.filters, view=sight.view)
    deleted = (Change(path.rpartition(b"/")[0], Kind.LEVEL) for path in hide)
    return itertools.chain(changes, deleted)


def _plan(
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


def _run(
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
        leave=files(order.left_out, sight.view) | _left(order, sight),
        hide=hide,
        only=only,
        tells=tells,
        dry=dry,
        trees=trees,
        keep=folder(sight.now.wall) if order.pair.node.rkeep else "",
        demanded=bool(order.batch.reason) or order.kind is RunKind.SLICE,
    )


def _steps(
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
        names = _plan((Change(path, Kind.ENTRY),), sight).entries
        if names and path in files((path,), sight.view):
            yield Clear(path, names)


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
