"""The same watches as in `watch`, when nothing of the tree is in memory."""

from __future__ import annotations

import os
from pathlib import Path

from bench import trees
from bench.cases.watch import READY, limit, start
from bench.report import Result, Target
from bench.world import Bench, limits

#: proc(5): 3 frees the page cache, and the directories and inodes that are kept in memory.
_DROP = Path("/proc/sys/vm/drop_caches")


def run(bench: Bench) -> Result:
    """Measure a start after all caches were dropped."""
    result = Result("cold", "Watching 100,000 directories, nothing cached")
    if not os.access(_DROP, os.W_OK):
        result.notes.append("not measured: only root may drop the caches")
        return result
    source = bench.folder / "source"
    count = bench.size(100_000, 300)
    trees.directories(source, count)
    os.sync()
    modes = {name: mode for name, mode in limits().items() if mode != "fanotify"}
    for _, contender in bench.rounds(("inosync", "lsyncd", "clsync", *modes)):
        _DROP.write_text("3\n")
        if contender in modes:
            limit(result, contender, modes[contender], source, count)
        else:
            start(result, contender, bench, source, count)
    result.targets.append(Target(READY, 0.2, "lsyncd"))
    result.notes.append("programs and libraries are read from the disk, too")
    return result
