"""16 local nodes of which one is slow: until the other 15 have everything."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench import trees
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until_content
from bench.world import Bench

CONTENDERS = ("inosync", "lsyncd", "clsync")
_NODES = 16
_SLOW = 200  # KB/s


def run(bench: Bench) -> Result:
    """Measure with and without the slow one; a second lot comes while that is still busy."""
    result = Result("nodes", "16 local nodes, one throttled: the other 15 are equal after")
    source = bench.folder / "source"
    trees.files(source, bench.size(1000, 40))
    (source / "probe").touch()
    count = _NODES if not bench.small else 3
    roots = [bench.folder / f"mirror{number}" for number in range(count)]
    for number, contender in bench.rounds(CONTENDERS):
        for slow in (0, _SLOW):
            for root in roots:
                trees.equalise(source, root)
            nodes = (local(roots[0], slow), *(local(root) for root in roots[1:]))
            job = Job(source, nodes, parallel=count)
            with Daemon(contender, bench.fresh(), job) as daemon:
                try:
                    daemon.ready()
                except Never:
                    for lot in _LOTS:
                        result.add(_metric(lot, slow), "ms", contender, None)
                    continue
                for lot in _LOTS:
                    _measure(result, daemon, lot, slow, number)
    for lot in _LOTS:
        result.targets.append(Target(_metric(lot, _SLOW), 0.7, "lsyncd"))
    for lot in _LOTS:
        both = [result.row(_metric(lot, s), "ms").median("inosync") for s in (0, _SLOW)]
        if both[0] and both[1]:
            result.notes.append(f"{lot}, inosync: slow / none slow = {both[1] / both[0]:.2f}")
    result.notes.append("for clsync one process for each node, for lsyncd maxProcesses = 16")
    return result


_LOTS = ("20 files of 256 KB", "20 small files after it")


def _metric(lot: str, slow: int) -> str:
    return f"{lot}, {'one slow' if slow else 'none slow'}"


def _measure(result: Result, daemon: Daemon, lot: str, slow: int, number: int) -> None:
    source, mirrors = daemon.job.source, [node.root for node in daemon.job.nodes[1:]]
    size = 256 * 1024 if lot == _LOTS[0] else 100
    wanted: dict[Path, bytes] = {}
    began = time.monotonic()
    for file in range(20):
        name = f"000/00/{lot.split()[1]}-{file}"
        text = os.urandom(size + 10 * number + bool(slow))
        (source / name).write_bytes(text)
        wanted |= {mirror / name: text for mirror in mirrors}
    try:
        end = until_content(wanted)
    except Never:
        result.add(_metric(lot, slow), "ms", daemon.name, None)
        return
    result.add(_metric(lot, slow), "ms", daemon.name, 1000 * (end - began))
