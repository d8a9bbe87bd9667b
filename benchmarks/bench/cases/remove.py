"""Removing 20,000 files, 200 MB, beside 10,000 others."""

from __future__ import annotations

import os
import subprocess
import time

from bench import trees
from bench.peers import RSYNC, Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until
from bench.world import Bench

CONTENDERS = ("inosync", "inosync, tree", "lsyncd", "clsync", "bare rsync")


def run(bench: Bench) -> Result:
    """Measure from the start of rm until all of it is gone on the mirror."""
    result = Result("remove", "rm -rf of 20,000 files, 200 MB, beside 10,000 others; lowest delay")
    source, mirror, tar = (bench.folder / name for name in ("source", "mirror", "new.tar"))
    trees.files(source, bench.size(10_000, 100))
    (source / "probe").touch()
    trees.archive(tar, bench.folder, bench.size(20_000, 200), bench.size(200_000_000, 200_000))
    job = Job(source, (local(mirror),))
    for _, contender in bench.rounds(CONTENDERS):
        subprocess.run(["tar", "-C", str(source), "-xf", str(tar)], check=True)
        trees.equalise(source, mirror)
        subprocess.run(["sync", "-f", str(source)], check=True)
        if contender == "bare rsync":
            began = time.monotonic()
            subprocess.run(["rm", "-rf", str(source / "new")], check=True)
            subprocess.run([RSYNC, "-ltrp", "--delete", f"{source}/", f"{mirror}/"], check=True)
            result.add("gone after", "s", contender, time.monotonic() - began)
            continue
        with Daemon(contender, bench.fresh(), job) as daemon:
            try:
                daemon.ready()
                before = daemon.cpu()
                began = time.monotonic()
                subprocess.run(["rm", "-rf", str(source / "new")], check=True)
                removed = time.monotonic()
                end = until(lambda: not os.path.lexists(mirror / "new"), limit=bench.size(15, 10))
                result.add("rm alone", "s", contender, removed - began)
                daemon.settle()
            except Never:
                result.add("gone after", "s", contender, None)
                continue
            result.add("gone after", "s", contender, end - began)
            result.add("CPU with rsync", "s", contender, daemon.cpu() - before)
    result.targets += [
        Target("gone after", 0.4),
        Target("gone after", 1.0, "lsyncd"),
        Target("gone after", 1.0, "clsync"),
    ]
    result.notes.append("bare rsync: `rsync -ltrp --delete` after rm has ended, rm included")
    return result
