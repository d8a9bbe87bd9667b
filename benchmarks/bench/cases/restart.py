"""A daemon is started again: until 4 local nodes have what changed meanwhile, and its cost."""

from __future__ import annotations

import time
from pathlib import Path

from bench import trees
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until_content
from bench.world import Bench

CONTENDERS = ("inosync", "inosync, init changed", "lsyncd")
_NODES = 4
_CHANGES = 100
_AFTER = "100 files changed meanwhile: on all nodes after"
_CPU = "the same: CPU of both ends"
_FRESH = "a change 50 ms after a start: on all nodes after"
_IDLE = "nothing changed: CPU of both ends"
_EACH = "nothing changed: CPU for each file"


def run(bench: Bench) -> Result:
    """Measure three starts of each daemon, each after one that ended with all in sync."""
    result = Result("restart", f"a restart with {_NODES} local nodes")
    source = bench.folder / "source"
    names = trees.files(source, bench.size(300_000, 300))
    (source / "probe").touch()
    roots = [bench.folder / f"mirror{number}" for number in range(_NODES)]
    for number, contender in bench.rounds(CONTENDERS):
        for root in roots:
            trees.equalise(source, root)
        job = Job(source, tuple(local(root) for root in roots), parallel=_NODES)
        folder = bench.fresh()
        try:
            with Daemon(contender, folder, job) as daemon:
                daemon.ready()
            # What changed in the last moment before a stop is looked at again.
            time.sleep(2.5)
            changed = names[:: max(1, len(names) // _CHANGES)][:_CHANGES]
            took, cpu = _again(contender, folder, job, changed, f"{number} {contender}")
            result.add(_AFTER, "s", contender, took)
            result.add(_CPU, "s", contender, cpu)
            time.sleep(2.5)
            with Daemon(contender, folder, job) as daemon:
                time.sleep(0.05)
                result.add(_FRESH, "s", contender, _change(job, names[7], f"{number} {contender}"))
                daemon.settle()
            time.sleep(2.5)
            with Daemon(contender, folder, job) as daemon:
                daemon.settle()
                cpu = daemon.cpu()
            result.add(_IDLE, "s", contender, cpu)
            result.add(_EACH, "us", contender, 1e6 * cpu / len(names))
        except Never:
            result.add(_AFTER, "s", contender, None)
    result.targets += [
        Target(_AFTER, 0.3, "lsyncd"),
        Target(_CPU, 0.25, "lsyncd", "inosync, init changed"),
        Target(_FRESH, 1.5),
        Target(_EACH, 3.0, "", "inosync, init changed"),
    ]
    return result


def _again(
    contender: str, folder: Path, job: Job, names: list[str], text: str
) -> tuple[float, float]:
    """Change files while nobody watches; return seconds from the start, and CPU until all rests."""
    wanted: dict[Path, bytes] = {}
    for name in names:
        (job.source / name).write_text(text)
        wanted |= {node.root / name: text.encode() for node in job.nodes}
    with Daemon(contender, folder, job) as daemon:
        took = until_content(wanted) - daemon.started
        daemon.settle()
        return took, daemon.cpu()


def _change(job: Job, name: str, text: str) -> float:
    began = time.monotonic()
    (job.source / name).write_text(text)
    return until_content({node.root / name: text.encode() for node in job.nodes}) - began
