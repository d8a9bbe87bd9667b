"""What a comparison has found of a mirror: how it differs, and what was left out of it."""

from __future__ import annotations

import itertools
import os

from inosync.config.model import Config, Source
from inosync.engine.apart import Apart, Left
from inosync.engine.standing import Standing
from inosync.rsync.complaints import Account
from inosync.rsync.differences import EXTRA, Difference, Drift, below, differences, summary
from inosync.service.at_work import AtWork
from inosync.watch.files import Files, changed

#: Paths of a comparison that are looked at: it is done while all else waits.
MOST_DRIFT = 10_000


def left_apart(run: AtWork, said: Account, standing: Standing) -> Apart:
    """Return what a comparison has left out, when it began or now, or could not see."""
    unseen = {each.path: Left(each.cause.value, each.whole) for each in said.complaints}
    return run.apart | standing.apart(run.mirror, lost=run.lost) | Apart(unseen)


def drift(run: AtWork, apart: Apart, standing: Standing, config: Config) -> Drift:
    """Return what a comparison has found; what changed since it began is no drift."""
    source = run.mirror.pair.source
    prefix = os.fsencode(source.prefix)
    keeps = run.mirror.pair.node.rdelete != "all"
    told = differences(run.child.lines())
    counted = (each for each in told if not (keeps and each.what == EXTRA))
    found = (
        each
        for each in itertools.islice(counted, MOST_DRIFT)
        if not changed(source, below(prefix, each.path), run.wall)
    )
    drifted = standing.drifted(run.mirror, found, apart)
    eopen = config.of(source).eopen
    return summary(each for each in drifted if eopen or not unclosed(source, each))


def unclosed(source: Source, difference: Difference) -> bool:
    """Return whether a file differs that is open for writing: with ``eopen = 0`` it is not owed."""
    path = below(os.fsencode(source.prefix), difference.path)
    written = difference.what.startswith(("content", "times"))
    if path is None or not written or difference.path.endswith(b"/"):
        return False
    return Files(source).being_written(path)
