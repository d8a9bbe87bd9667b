"""A first fill of many small files over a long line: several connections beside each other."""

from __future__ import annotations

import shutil

from bench import trees
from bench.peers import RSYNC, Daemon, Job
from bench.report import Result, Target
from bench.waiting import Never, until_copied
from bench.world import Bench, took

ROUND_TRIP = 0.04
CONTENDERS = ("inosync", "inosync, 4 streams", "lsyncd", "rsync")
FILLED = "20,000 small files at 40 ms round-trip: all there after"


def run(bench: Bench) -> Result:
    """Fill an empty module of an rsync daemon behind a relay that delays."""
    result = Result("fill", "a first fill over a long line")
    source = bench.folder / "source"
    count = bench.size(20_000, 400)
    node = bench.rsyncd_node()
    far = bench.far(node, ROUND_TRIP)
    names = trees.files(source, count)
    for _, contender in bench.rounds(CONTENDERS):
        shutil.rmtree(node.root)
        node.root.mkdir()
        if contender == "rsync":
            spent = took([RSYNC, "-ltrp", "--delete", f"{source}/", far.theirs])
            result.add(FILLED, "s", contender, spent.seconds)
            continue
        with Daemon(contender, bench.fresh(), Job(source, (far,))) as daemon:
            try:
                there = until_copied(source, node.root, names, limit=300)
                result.add(FILLED, "s", contender, there - daemon.started)
            except Never:
                result.add(FILLED, "s", contender, None)
    ratio = Target(FILLED, 0.5, theirs="inosync", ours="inosync, 4 streams")
    result.targets.append(ratio)
    return result
