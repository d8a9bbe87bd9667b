"""A minute in which nothing happens."""

from __future__ import annotations

import time

from bench import trees, usage
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never
from bench.world import Bench

CONTENDERS = ("inosync", "inosync, tree", "lsyncd", "clsync")


def run(bench: Bench) -> Result:
    """Count how often each wakes up: all at the same time, each on a tree of its own, once."""
    result = Result("idle", "A minute in which nothing happens")
    daemons = []
    for name in CONTENDERS:
        folder = bench.fresh()
        trees.files(folder / "source", bench.size(1000, 50))
        (folder / "mirror").mkdir()
        job = Job(folder / "source", (local(folder / "mirror"),))
        daemon = bench.stack.enter_context(Daemon(name, folder / "daemon", job))
        try:
            daemons.append(daemon.ready())
        except Never:
            result.add("wake-ups", "", name, None)
    before = [(sum(usage.wakeups(pid) for pid in d.own), d.own_cpu()) for d in daemons]
    time.sleep(bench.size(60, 2))
    for daemon, (wakeups, cpu) in zip(daemons, before, strict=True):
        now = sum(usage.wakeups(pid) for pid in daemon.own)
        result.add("wake-ups", "", daemon.name, now - wakeups)
        result.add("CPU", "ms", daemon.name, 1000 * (daemon.own_cpu() - cpu))
    result.targets.append(Target("wake-ups", 0))
    return result
