"""What a run that has ended has done, as its process wrote it: an outcome for the engine."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from inosync.config.model import Config, Pair
from inosync.engine.actions import Outcome
from inosync.engine.apart import NOTHING
from inosync.engine.engine import Engine
from inosync.planning.file_list import homes
from inosync.planning.order import RunKind
from inosync.planning.steps import Relink
from inosync.rsync.accounts import account, told_apart
from inosync.rsync.destination import Transport
from inosync.rsync.differences import EQUAL, below, carried, overwritten, summary
from inosync.rsync.ends import Ends
from inosync.rsync.exits import FILE_IO, PARTIAL, cut_short, exit_status, goes_on
from inosync.rsync.kept import day_of
from inosync.rsync.options import aside, backs_up, suffix, values
from inosync.rsync.output import deletions, evidence, overwrote, rehearsed, transferred
from inosync.service.at_work import AtWork
from inosync.service.drift import drift, left_apart
from inosync.system.process import TAIL
from inosync.watch.files import first_inside


def outcome_of(run: AtWork, status: int, engine: Engine, config: Config) -> Outcome:
    """Return how a run has ended, with this `status`, and what it has done."""
    output, errors = run.child.output(), run.child.errors()
    rehearsing = run.what.kind is RunKind.REHEARSAL
    cut, code = len(errors) >= TAIL, exit_status(status, errors)
    ends = ends_of(run.mirror.pair)
    said = account(run.child.lines(), errors, ends, cut=cut, ended=code == FILE_IO)
    said = told_apart(said, lambda path: os.path.lexists(os.path.join(ends.source, path)))
    count = rehearsed if rehearsing else transferred
    # Of one that is no longer configured nobody wants to know how it differs.
    compared = run.what.kind is RunKind.COMPARISON and run.mirror in engine.mirrors
    apart = left_apart(run, said, engine) if compared else None
    written, told = _homes(run), evidence(errors)
    cut_off = _cut(run, code, written)
    return Outcome(
        code,
        transferred=count(output),
        evidence=told,
        deletions=deletions(output) if rehearsing else (),
        overwrites=summary(overwritten(run.child.lines())) if rehearsing else EQUAL,
        drift=EQUAL if apart is None else drift(run, apart, engine, config),
        apart=apart or NOTHING,
        command=run.shown,
        listed=run.what.listed,
        account=said,
        kept=staying(run.mirror.pair, said.kept),
        sent=_sent(run) if run.what.tells else frozenset(),
        cut=cut_off,
        homes=written,
        on_its_way=cut_off and goes_on(code, run.mirror.pair.destination, told),
        put_away=day_of(run.what.argv) if overwrote(output) else "",
    )


def ends_of(pair: Pair) -> Ends:
    """Return how rsync names the paths of a mirror."""
    source, destination, extra = pair.source, pair.destination, pair.node.extra
    keeps = bool(backs_up(extra))
    return Ends(
        os.fsencode(source.path),
        os.fsencode(source.prefix),
        os.fsencode(destination.path),
        module=destination.transport is Transport.DAEMON,
        aside=os.fsencode(aside(extra)) if keeps else b"",
        suffix=os.fsencode(suffix(extra)) if keeps else b"",
        elsewhere=any(values(extra, ("-T", "--temp-dir"))),
    )


def staying(pair: Pair, directories: Iterable[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return directories that stay on the node, each with what is in it, where that can be seen."""
    local = pair.destination.transport is Transport.LOCAL
    found = []
    for path in directories:
        place = pair.landing(os.fsdecode(path)).path
        inner = first_inside(os.fsencode(place)) if local else b""
        found.append((path, path + b"/" + inner if inner else b""))
    return tuple(found)


def _sent(run: AtWork) -> frozenset[bytes]:
    """Return the files, relative to the source, that a run has said it sent."""
    step, lines = run.what.step, run.child.lines()
    if isinstance(step, Relink):
        # Its top is the directory itself, and what it links has come along.
        return frozenset(os.path.join(step.new, name) for name in carried(lines, made=True))
    prefix = os.fsencode(run.mirror.pair.source.prefix)
    found = (below(prefix, name) for name in carried(lines))
    return frozenset(path for path in found if path is not None)


def _homes(run: AtWork) -> frozenset[bytes]:
    """Return the directories, relative to the source, that a run wrote into; none: any of them."""
    step = run.what.step
    if isinstance(step, Relink):  # all that is below is carried once more
        return frozenset((step.new,))
    return homes(run.what.names or (), os.fsencode(run.mirror.pair.source.prefix))


def _cut(run: AtWork, code: int, written: Collection[bytes]) -> bool:
    """Return whether a run that has ended so may have left something half written."""
    if run.what.kind in (RunKind.REHEARSAL, RunKind.COMPARISON):
        return False
    # The lane for big files keeps in any case what has arrived of one that it could not finish.
    return cut_short(code) or (run.mirror.big and code == PARTIAL and bool(written))
