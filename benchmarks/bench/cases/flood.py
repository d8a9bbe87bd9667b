"""What must not grow or overflow: a million events without a node, a burst during a long walk."""

from __future__ import annotations

import os
from pathlib import Path

from bench import trees
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import until
from bench.world import Bench


def run(bench: Bench) -> Result:
    """Measure memory while no node is reachable, and count overflows of the default queue."""
    result = Result("flood", "Events without an end")
    for _, _ in bench.rounds(("inosync",)):
        _no_node(bench, result)
        _walk(bench, result)
    result.targets += [
        Target("RSS gained by a million events, no node reachable", 10),
        Target("overflows by a burst during a walk of 50,000 new directories", 0),
    ]
    return result


def _no_node(bench: Bench, result: Result) -> None:
    """The node is there, then it is gone; all files change ten times."""
    source, mirror = bench.fresh(), bench.fresh()
    names = trees.files(source, bench.size(100_000, 200))
    with Daemon("inosync", bench.fresh(), Job(source, (local(mirror / "root"),))) as daemon:
        (mirror / "root").mkdir()
        daemon.ready()
        (mirror / "root").rename(mirror / "away")
        (mirror / "root").symlink_to("/dev/null")  # nothing can be written there
        before = daemon.resident()
        for _ in range(10):
            for name in names:
                os.utime(source / name)
        daemon.settle()
        gained = daemon.resident() - before
    result.add("RSS gained by a million events, no node reachable", "MiB", "inosync", gained)


def _walk(bench: Bench, result: Result) -> None:
    """A tree of new directories is moved in, and at once all files of another change."""
    source, mirror, outside = bench.fresh(), bench.fresh(), bench.fresh()
    files = trees.files(source / "files", bench.size(150_000, 200))
    trees.directories(outside / "new", bench.size(50_000, 100))
    with Daemon("inosync", bench.fresh(), Job(source, (local(mirror),))) as daemon:
        daemon.ready()
        (outside / "new").rename(source / "new")
        for name in files:
            os.utime(source / "files" / name)
        daemon.ready()
        until(lambda: _same(source, mirror))
        overflows = daemon.log_file.read_text(errors="replace").count("overflowed")
    metric = "overflows by a burst during a walk of 50,000 new directories"
    result.add(metric, "", "inosync", overflows)


def _same(source: Path, mirror: Path) -> bool:
    """Return whether the mirror has as many directories."""
    return sum(1 for _ in os.walk(source)) == sum(1 for _ in os.walk(mirror))
