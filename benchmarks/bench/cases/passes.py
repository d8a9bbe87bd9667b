"""A pass while all is well: what slices cost, after an overflow, and beside a node that is slow.

The slow node is an rsync daemon that sleeps 10 ms in each lstat, as a cold disk would: the library
for that is made by `benchmarks/compile`.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from support.daemon import PROJECT

from bench import trees
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until, until_content
from bench.world import Bench
from inosync.commands.client import ask

_SLICED = ("inosync", "inosync, one run")
_OVERFLOWS = ("inosync", "inosync, tree", "lsyncd")
_NODES = 4
_CHANGES = 100
_CPU = "nothing to do: CPU of both ends"
_EQUAL = f"the queue overflowed, {_NODES} nodes: what nobody heard of is there after"
_AGE = "a pass to a node with 10 ms for each lstat: oldest live change"
_TOOK = "that pass"

#: What a daemon under LD_PRELOAD sleeps with (benchmarks/slow.c).
_SLOW = PROJECT / "build" / "slow.so"


def run(bench: Bench) -> Result:
    """Measure passes that were asked for, an overflow, and a pass to a slow node."""
    result = Result("passes", "a pass over 300,000 files")
    source = bench.folder / "source"
    names = trees.files(source, bench.size(300_000, 300))
    (source / "probe").touch()
    roots = [bench.folder / f"mirror{number}" for number in range(_NODES)]
    for _, contender in bench.rounds(_SLICED):
        trees.equalise(source, roots[0])
        with Daemon(contender, bench.fresh(), Job(source, (local(roots[0]),))) as daemon:
            daemon.ready()
            before = daemon.cpu()
            os.kill(daemon.own[0], signal.SIGUSR2)
            time.sleep(0.2)
            daemon.settle()
            result.add(_CPU, "s", contender, daemon.cpu() - before)
    for number, contender in bench.rounds(_OVERFLOWS):
        for root in roots:
            trees.equalise(source, root)
        job = Job(source, tuple(local(root) for root in roots), parallel=_NODES)
        try:
            took = _overflow(bench, contender, job, names, f"{number} {contender}")
            result.add(_EQUAL, "s", contender, took)
        except Never:
            result.add(_EQUAL, "s", contender, None)
    if _SLOW.exists():
        for _, contender in bench.rounds(("inosync",)):
            age, took = _slow(bench, contender)
            result.add(_AGE, "s", contender, age)
            result.add(_TOOK, "s", contender, took)
    else:
        result.notes.append("no slow node: benchmarks/compile makes what it takes")
    result.targets += [
        Target(_CPU, 1.3, "inosync, one run"),
        Target(_EQUAL, 0.3, "inosync, tree"),
        Target(_AGE, 3.0),
    ]
    return result


def _overflow(bench: Bench, contender: str, job: Job, names: list[str], text: str) -> float:
    """Stop the daemon, overflow its queue, then change files; return seconds until they are there.

    What is written until the queue is full is in a directory of its own.
    """
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    flood = job.source / "flood"
    flood.mkdir(exist_ok=True)
    with Daemon(contender, bench.fresh(), job) as daemon:
        daemon.ready()
        os.kill(daemon.own[0], signal.SIGSTOP)
        for number in range(limit):  # more than one event each
            (flood / str(number % 1000)).write_text(f"{number} {text}")
        wanted: dict[Path, bytes] = {}
        for name in names[:: max(1, len(names) // _CHANGES)][:_CHANGES]:
            (job.source / name).write_text(text)
            wanted |= {node.root / name: text.encode() for node in job.nodes}
        began = time.monotonic()
        os.kill(daemon.own[0], signal.SIGCONT)
        return until_content(wanted) - began


def _slow(bench: Bench, contender: str) -> tuple[float, float]:
    """Have a pass made while a file changes every second; return the worst age, and its seconds."""
    source = bench.fresh() / "source"
    names = trees.files(source, bench.size(3000, 60))
    (source / "probe").touch()
    node = bench.rsyncd_node("env", f"LD_PRELOAD={_SLOW}")
    trees.equalise(source, node.root)
    ages = []
    folder = bench.fresh()
    with Daemon(contender, folder, Job(source, (node,))) as daemon:
        daemon.ready()
        os.kill(daemon.own[0], signal.SIGUSR2)
        began = time.monotonic()
        for name in names[:: max(1, len(names) // 1000)]:
            time.sleep(1.0)
            changed = time.monotonic()
            text = f"{changed}"
            (source / name).write_text(text)
            ages.append(until_content({node.root / name: text.encode()}) - changed)
            if not _passes(folder):
                break
        return max(ages), until(lambda: not _passes(folder), poll=0.05) - began


def _passes(folder: Path) -> bool:
    """Return whether the daemon of a folder owes or makes a pass, as its status says."""
    mirrors = ask([(str(folder / "socket"), None)], "status")["status"]["mirrors"]
    return any(mirror["full_pass"] is not None for mirror in mirrors)
