"""Watching 100,000 directories that the page cache knows: until all watches stand, and memory."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from bench import trees, usage
from bench.peers import RSYNC, Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import LIMIT, Never, until
from bench.world import LIMITS, Bench, limits

DAEMONS = ("inosync", "lsyncd", "clsync")
READY = "all watches stand after"


def run(bench: Bench) -> Result:
    """Measure a start; all watches stand when the start-up pass begins."""
    result = Result("watch", "Watching 100,000 directories, warm")
    count = bench.size(100_000, 300)
    source, empty = bench.folder / "source", bench.folder / "empty"
    trees.directories(source, count)
    trees.directories(empty, 1)
    modes = limits()
    for _, contender in bench.rounds((*DAEMONS, *modes)):
        if contender in modes:
            limit(result, contender, modes[contender], source, count)
        else:
            start(result, contender, bench, empty, 1)
            start(result, contender, bench, source, count)
    per_directory(result, count)
    result.targets += [
        Target(READY, 1.0, "C"),
        Target(READY, 0.2, "lsyncd"),
        Target("CPU until then", 1.0, "C"),
        Target("RSS watching", 1.0, "lsyncd"),
        Target("memory for each directory", 200),
    ]
    result.notes += [
        "from the start of the program; idle: the same daemon on one directory",
        "fanotify: one mark on the file system, which says nothing about the tree",
    ]
    return result


def start(
    result: Result,
    contender: str,
    bench: Bench,
    source: Path,
    count: int,
    *,
    x: int | None = None,
) -> None:
    """Start a daemon on a tree of `count` directories and measure until all watches stand."""
    mirror, folder = bench.folder / "mirror", bench.fresh()
    mirror.mkdir(exist_ok=True)
    began = folder / "began"
    rsync = folder / "rsync"
    # It says when it was started, and lets the daemon believe that all is well.
    rsync.write_text(
        f'#!/bin/sh\n[ "$1" != --version ] || exec {RSYNC} --version\n'
        f"[ -e {began} ] || : > {began}\n"
    )
    rsync.chmod(0o755)
    job = Job(source, (local(mirror),), rsync=str(rsync))
    with Daemon(contender, folder, job) as daemon:
        memory = "watching" if count > 1 else "idle"
        _daemon(result, daemon, began, count, memory=memory, x=x)


def per_directory(result: Result, count: int, x: int | None = None) -> None:
    """Add what each directory costs in memory."""
    for name in DAEMONS:
        before, after = (
            result.row(f"RSS {memory}", "MiB", size).median(name)
            for memory, size in (("idle", None), ("watching", x))
        )
        if before is not None and after is not None:
            each = (after - before) * 2**20 / count
            result.add("memory for each directory", "bytes", name, each, x)


def _daemon(
    result: Result, daemon: Daemon, began: Path, count: int, *, memory: str, x: int | None
) -> None:
    try:
        end = until(lambda: daemon.check() and began.exists(), limit=2 * LIMIT, poll=0.001)
        cpu = daemon.own_cpu()
        daemon.settle()
        if usage.watches(daemon.own[0]) < count + 1:
            raise Never
    except Never:
        if memory == "watching":
            result.add(READY, "s", daemon.name, None, x)
        return
    if memory == "watching":
        result.add(READY, "s", daemon.name, end - daemon.started, x)
        result.add("CPU until then", "s", daemon.name, cpu, x)
    result.add(f"RSS {memory}", "MiB", daemon.name, daemon.resident(), x)


def limit(result: Result, contender: str, mode: str, source: Path, count: int) -> None:
    """Measure the C program."""
    began = time.monotonic()
    with subprocess.Popen(
        [LIMITS, mode, source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        said = process.stdout.readline() if process.stdout else b""
        end = time.monotonic()
        assert said == b"ready %d\n" % (0 if mode == "fanotify" else count + 1), said
        result.add(READY, "s", contender, end - began)
        result.add("CPU until then", "s", contender, usage.own_cpu(process.pid))
        result.add("RSS watching", "MiB", contender, usage.resident(process.pid))
