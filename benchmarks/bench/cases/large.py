"""Up to 500,000 directories: whether time and memory grow with their number, and no faster."""

from __future__ import annotations

from pathlib import Path

from bench import trees
from bench.cases.watch import READY, per_directory, start
from bench.report import Result
from bench.world import Bench

_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")


def run(bench: Bench) -> Result:
    """Measure a start on trees of more and more directories."""
    result = Result("large", "Watching up to 500,000 directories, warm")
    sizes = [bench.size(*size) for size in ((100_000, 200), (200_000, 400), (500_000, 1000))]
    before = _LIMIT.read_text()
    if int(before) < sizes[-1] + 10_000:
        try:
            _LIMIT.write_text(f"{sizes[-1] + 10_000}\n")
        except PermissionError:
            result.notes.append(f"not measured: only root may raise {_LIMIT}")
            return result
        bench.stack.callback(_LIMIT.write_text, before)
    empty, source = bench.folder / "empty", bench.folder / "source"
    trees.directories(empty, 1)
    there = 0
    for size in sizes:
        trees.directories(source / str(size), size - there - 1)
        there = size
        for _, contender in bench.rounds(("inosync", "lsyncd")):
            start(result, contender, bench, empty, 1)
            start(result, contender, bench, source, size, x=size)
        per_directory(result, size, size)
    smallest, largest = sizes[0], sizes[-1]
    for metric, unit in ((READY, "s"), ("memory for each directory", "bytes")):
        few, many = (result.row(metric, unit, x).median("inosync") for x in (smallest, largest))
        if few and many:
            grown = many / few / (largest / smallest if unit == "s" else 1)
            result.notes.append(f"{metric}: {grown:.2f} times what proportion would give")
    return result
