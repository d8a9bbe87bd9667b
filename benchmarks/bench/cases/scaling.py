"""How the cost of one change, and of a thousand, grows with the tree."""

from __future__ import annotations

import random
import shutil
import time

from bench import trees
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until_content
from bench.world import Bench

CONTENDERS = ("inosync", "inosync, tree", "lsyncd", "clsync")
#: Changes of one file in a row, so that CPU ticks of 10 ms do for what takes less.
_IN_A_ROW = 3


def run(bench: Bench) -> Result:
    """Measure in trees of growing size."""
    title = "One change, and a batch of 1,000, in trees of growing size, local, lowest delay"
    result = Result("scaling", title)
    sizes = (100, 200) if bench.small else (1_000, 10_000, 100_000, 300_000)
    batch = bench.size(1000, 20)
    for size in sizes:
        source, mirror = bench.folder / "source", bench.folder / "mirror"
        names = trees.files(source, size)
        dice = random.Random(size)
        job = Job(source, (local(mirror),))
        trees.equalise(source, mirror)
        for number, contender in bench.rounds(CONTENDERS):
            with Daemon(contender, bench.fresh(), job) as daemon:
                try:
                    daemon.ready()
                except Never:
                    for metric, unit in _METRICS:
                        result.add(metric, unit, contender, None, size)
                    continue
                one = dice.sample(names, min(_IN_A_ROW, len(names)))
                _measure(result, daemon, [[name] for name in one], size, number)
                some = dice.sample(names, min(batch, len(names)))
                _measure(result, daemon, [some], size, number)
        shutil.rmtree(source)
        shutil.rmtree(mirror)
    for metric, _ in _METRICS[:2]:
        result.targets += [Target(metric, 1.0, name, x=sizes[-1]) for name in ("lsyncd", "clsync")]
    first, last = (
        result.row(_METRICS[0][0], "ms", sizes[0]),
        result.row(_METRICS[0][0], "ms", sizes[-1]),
    )
    small, large = first.median("inosync"), last.median("inosync")
    if small and large:
        result.notes.append(
            f"one change, inosync: {sizes[-1]:,} files / {sizes[0]:,} files = {large / small:.2f},"
            " to be 1.5 at most"
        )
    return result


_METRICS = (
    ("one change: equal after", "ms"),
    ("one change: CPU with rsync", "ms"),
    ("batch of 1,000: equal after", "ms"),
    ("batch of 1,000: CPU with rsync", "ms"),
)


def _measure(
    result: Result, daemon: Daemon, changes: list[list[str]], size: int, number: int
) -> None:
    """Make the changes, one lot after the other, and take the time and the CPU."""
    source, mirror = daemon.job.source, daemon.job.nodes[0].root
    equal, cpu = _METRICS[:2] if len(changes[0]) == 1 else _METRICS[2:]
    before = daemon.cpu()
    try:
        for names in changes:
            # Of a size that it never had: peers compare whole seconds, and sizes.
            texts = {name: (source / name).read_bytes() + b"and more\n" for name in names}
            daemon.rest()
            began = time.monotonic()
            for name, text in texts.items():
                (source / name).write_bytes(text)
            end = until_content({mirror / name: text for name, text in texts.items()})
            result.add(equal[0], equal[1], daemon.name, 1000 * (end - began), size)
        daemon.settle()
    except Never:
        result.add(equal[0], equal[1], daemon.name, None, size)
        result.add(cpu[0], cpu[1], daemon.name, None, size)
        return
    used = 1000 * (daemon.cpu() - before) / len(changes)
    result.add(cpu[0], cpu[1], daemon.name, used, size)
