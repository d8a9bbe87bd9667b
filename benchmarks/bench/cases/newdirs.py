"""10,000 new directories under a daemon's eyes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path

from bench import trees, usage
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until
from bench.world import LIMITS, Bench

CONTENDERS = ("inosync", "lsyncd", "clsync", "C")


def run(bench: Bench) -> Result:
    """Measure what the daemon itself computes, and until all of them are on the mirror."""
    result = Result("newdirs", "10,000 new directories; lowest delay")
    source, mirror = bench.folder / "source", bench.folder / "mirror"
    count = bench.size(10_000, 200)
    trees.files(source, 100)
    (source / "probe").touch()
    job = Job(source, (local(mirror),))
    contenders = [name for name in CONTENDERS if LIMITS.exists() or name != "C"]
    for _, contender in bench.rounds(contenders):
        shutil.rmtree(source / "new", ignore_errors=True)
        trees.equalise(source, mirror)
        if contender == "C":
            _limit(result, source, count)
            continue
        with Daemon(contender, bench.fresh(), job) as daemon:
            try:
                daemon.ready()
                own, cpu, began = daemon.own_cpu(), daemon.cpu(), time.monotonic()
                names = _make(source, count)
                end = until(partial(_all_there, mirror, names), poll=0.02)
                daemon.settle()
                missing = max(0, count - usage.watches(daemon.own[0]))
            except Never:
                result.add("CPU of the daemon itself", "s", contender, None)
                result.add("on the mirror after", "s", contender, None)
                continue
            result.add("CPU of the daemon itself", "s", contender, daemon.own_cpu() - own)
            result.add("CPU with rsync", "s", contender, daemon.cpu() - cpu)
            result.add("on the mirror after", "s", contender, end - began)
            result.add("left without a watch", "directories", contender, missing)
    result.targets += [
        Target("CPU of the daemon itself", 0.15),
        Target("CPU of the daemon itself", 0.05, "lsyncd"),
        Target("on the mirror after", 1.0, "lsyncd"),
    ]
    return result


def _all_there(mirror: Path, names: list[str]) -> bool:
    return all(os.path.isdir(mirror / name) for name in names)


def _make(source: Path, count: int) -> list[str]:
    """Make the directories as `mkdir -p` would; return a name for each lowest one."""
    trees.directories(source / "new", count)
    return [
        f"new/{upper}/{lower}"
        for upper in sorted(os.listdir(source / "new"))
        for lower in os.listdir(source / "new" / upper)
    ]


def _limit(result: Result, source: Path, count: int) -> None:
    with subprocess.Popen(
        [LIMITS, "follow", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        before = usage.own_cpu(process.pid)
        _make(source, count)
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        result.add("CPU of the daemon itself", "s", "C", usage.own_cpu(process.pid) - before)
        assert usage.watches(process.pid) >= count
