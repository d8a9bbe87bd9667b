"""The run that compares by content what others may have taken for equal.

Pure. What that may be is known in suspects.py.
"""

from __future__ import annotations

import stat

from inosync.changes.changes import Change, Kind, with_parents
from inosync.changes.doubts import Doubts
from inosync.config.model import Config
from inosync.planning.big_files import is_big
from inosync.planning.command import command
from inosync.planning.file_list import Plan
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.run import planned, run_for, unreadable
from inosync.planning.suspects import BOUNDS, Bounds, take
from inosync.planning.view import Status
from inosync.rsync.options import follows_links, hindrance
from inosync.rsync.program import Program

#: How many files one run compares that are named by rules: each is a few words of argv.
FEW = 200


def prepare_contents(
    order: Order, sight: Sight, config: Config, program: Program, *, few: int = FEW
) -> Prepared:
    """Return the run that compares some of what is in doubt by content.

    That is no more than so `few` files where rules name them.
    """
    spared = {*sight.spare, *order.stale, *order.left_out}
    size = config.of(order.pair.source).rbigsize

    def wants(path: bytes, status: Status) -> bool:
        # What a link leads to may be either.
        if size and not stat.S_ISLNK(status.st_mode) and is_big(status, size) != order.big:
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
        most=Bounds(few) if by_rules else BOUNDS,
        links=follows_links(order.pair.node.extra),
    )
    found = Plan() if by_rules else planned((Change(p, Kind.ENTRY) for p in suspects), sight)
    names = None if suspects and (by_rules or found.full) else found.entries
    only = suspects[:few] if names is None else ()
    if names is None:
        rest |= Doubts(frozenset(suspects[few:]))
    dry = order.most is not None and len(suspects) > order.most
    run = run_for(
        order, sight, RunKind.CONTENTS, listed=names is not None, only=only, tells=dry, dry=dry
    )
    argv = tuple(command(run, config, program))
    return Prepared(
        RunKind.REHEARSAL if dry else RunKind.CONTENTS,
        argv,
        names=names,
        left=unreadable(order, sight),
        doubts=rest,
        moment=sight.moment,
    )
