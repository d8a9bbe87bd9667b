"""50 changes a second in 100,000 files, for a minute in all."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

from bench import trees
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import LIMIT, Never, content
from bench.world import Bench

# One that waits, too: clsync, even with no waits at all, does nothing twice within a second.
_WAITS = "inosync, edelay 0.5"
_AUTO = "inosync, edelay auto"
CONTENDERS = ("inosync", _AUTO, _WAITS, "inosync, tree", "lsyncd", "clsync")
_RATE = 50


def run(bench: Bench) -> Result:
    """Measure age: from the end of a write until the mirror has its content."""
    result = Result("steady", "50 changes a second in 100,000 files; lowest delay")
    source, mirror = bench.folder / "source", bench.folder / "mirror"
    names = trees.files(source, bench.size(100_000, 500))
    (source / "probe").touch()
    seconds = bench.size(60, 2) / bench.repeat
    dice = random.Random(2)
    job = Job(source, (local(mirror),))
    for _, contender in bench.rounds(CONTENDERS):
        trees.equalise(source, mirror)
        chosen = dice.sample(names, int(seconds * _RATE))
        with Daemon(contender, bench.fresh(), job) as daemon:
            try:
                daemon.ready()
                before = daemon.cpu()
                ages = _write(source, mirror, chosen)
                daemon.settle()
            except Never:
                for metric, unit in _METRICS:
                    result.add(metric, unit, contender, None)
                continue
            p99 = statistics.quantiles(ages, n=100)[-1]
            figures = (1000 * statistics.mean(ages), 1000 * p99, (daemon.cpu() - before) / seconds)
            for (metric, unit), figure in zip(_METRICS, figures, strict=True):
                result.add(metric, unit, contender, figure)
    result.targets += [
        Target(metric, 1.0, theirs, ours)
        for metric, _ in _METRICS
        for ours, theirs in (("inosync", "lsyncd"), (_WAITS, "clsync"))
    ]
    result.targets += [
        Target("mean age", 2.0, "lsyncd", _AUTO),
        Target("CPU with rsync", 1.0, "lsyncd", _AUTO),
        Target("mean age", 0.2, "clsync", _AUTO),
        Target("CPU with rsync", 1.5, "clsync", _AUTO),
    ]
    result.notes.append(f"each round {seconds:g} s; a change counts with equal content")
    return result


_METRICS = (("mean age", "ms"), ("99th percentile of age", "ms"), ("CPU with rsync", "s/s"))


def _write(source: Path, mirror: Path, names: list[str]) -> list[float]:
    """Write one file after the other; return the age that each change had when it was there."""
    ages = []
    pending: dict[str, tuple[bytes, float]] = {}
    began = time.monotonic()
    todo = list(enumerate(names))[::-1]
    end = began + len(names) / _RATE + LIMIT
    while todo or pending:
        now = time.monotonic()
        if todo and now >= began + todo[-1][0] / _RATE:
            name = todo.pop()[1]
            text = (source / name).read_bytes() + b"and more\n"
            (source / name).write_bytes(text)
            pending[name] = (text, time.monotonic())
        for name, (text, written) in list(pending.items()):
            if content(mirror / name) == text:
                ages.append(time.monotonic() - written)
                del pending[name]
        if now > end:
            raise Never
        time.sleep(0.002)
    return ages
