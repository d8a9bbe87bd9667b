"""Watching 100,000 directories that the page cache knows: until all watches stand, and memory."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench import trees, usage
from bench.peers import RSYNC, Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import LIMIT, Never, until
from bench.world import LIMITS, Bench

CONTENDERS = ("inosync", "lsyncd", "clsync", "C", "C, leaf rule")


def run(bench: Bench) -> Result:
    """Measure a start; all watches stand when the start-up pass begins."""
    result = Result("watch", "Watching 100,000 directories, warm")
    count = bench.size(100_000, 300)
    source, empty = bench.folder / "source", bench.folder / "empty"
    trees.directories(source, count)
    trees.directories(empty, 1)
    (bench.folder / "mirror").mkdir()
    contenders = [name for name in CONTENDERS if LIMITS.exists() or not name.startswith("C")]
    for _, contender in bench.rounds(contenders):
        if contender.startswith("C"):
            _limit(result, contender, source, count)
            continue
        folder = bench.fresh()
        began = folder / "began"
        rsync = folder / "rsync"
        # It says when it was started, and lets the daemon believe that all is well.
        rsync.write_text(
            f'#!/bin/sh\n[ "$1" != --version ] || exec {RSYNC} --version\n'
            f"[ -e {began} ] || : > {began}\n"
        )
        rsync.chmod(0o755)
        for place, memory in ((empty, "idle"), (source, "watching")):
            began.unlink(missing_ok=True)
            job = Job(place, (local(bench.folder / "mirror"),), rsync=str(rsync))
            with Daemon(contender, folder, job) as daemon:
                _daemon(result, daemon, began, count if place == source else 1, memory)
    for name in (n for n in result.contenders if not n.startswith("C")):
        before, after = (result.row(f"RSS {m}", "MiB").median(name) for m in ("idle", "watching"))
        if before is not None and after is not None:
            each = (after - before) * 2**20 / count
            result.add("memory for each directory", "bytes", name, each)
    result.targets += [
        Target("all watches stand after", 1.0, "C"),
        Target("all watches stand after", 0.2, "lsyncd"),
        Target("RSS watching", 1.0, "lsyncd"),
        Target("memory for each directory", 200),
    ]
    result.notes.append("from the start of the program; idle: the same daemon on one directory")
    return result


def _daemon(result: Result, daemon: Daemon, began: Path, count: int, memory: str) -> None:
    try:
        end = until(lambda: daemon.check() and began.exists(), limit=2 * LIMIT, poll=0.001)
        cpu = daemon.own_cpu()
        daemon.settle()
        if usage.watches(daemon.own[0]) < count + 1:
            raise Never
    except Never:
        if memory == "watching":
            result.add("all watches stand after", "s", daemon.name, None)
        return
    if memory == "watching":
        result.add("all watches stand after", "s", daemon.name, end - daemon.started)
        result.add("CPU until then", "s", daemon.name, cpu)
    result.add(f"RSS {memory}", "MiB", daemon.name, daemon.resident())


def _limit(result: Result, contender: str, source: Path, count: int) -> None:
    mode = "leaf" if "leaf" in contender else "watch"
    began = time.monotonic()
    with subprocess.Popen(
        [LIMITS, mode, source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        said = process.stdout.readline() if process.stdout else b""
        end = time.monotonic()
        assert said == b"ready %d\n" % (count + 1), said
        result.add("all watches stand after", "s", contender, end - began)
        result.add("CPU until then", "s", contender, usage.own_cpu(process.pid))
        result.add("RSS watching", "MiB", contender, usage.resident(process.pid))
