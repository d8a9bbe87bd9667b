"""100 local nodes: one change each 1.5 s, then ten a second; beside nodes that are not well."""

from __future__ import annotations

import dataclasses
import os
import statistics
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

from support.servers import RsyncDaemon, free_port

from bench.peers import Daemon, Job, Node, local
from bench.report import Result, Target
from bench.waiting import LIMIT, Never
from bench.world import Bench

CONTENDERS = ("inosync", "inosync, 8 runs", "lsyncd")
#: KB/s of the node that is slow, of which each change takes a good while.
_SLOW = 20
_BYTES = 16 * 1024
#: So many nodes are there for a second, and then are not for one.
_FLAPPING = 10
_RATES = ((1 / 1.5, "one change each 1.5 s"), (10.0, "10 changes a second"))


def run(bench: Bench) -> Result:
    """Measure the age of a change on the nodes that are well, and what all of it costs.

    It is there when its file is: rsync puts that in its place when it is whole.
    """
    count = bench.size(100, 4)
    result = Result("hundred", f"{count} local nodes: age on those that are well; lowest delay")
    source = bench.folder / "source"
    for directory in range(10):
        (source / str(directory)).mkdir(parents=True)
        for number in range(10):
            (source / str(directory) / str(number)).write_bytes(os.urandom(200))
    (source / "probe").touch()
    roots = [bench.folder / f"mirror{number}" for number in range(count)]
    for root in roots:
        root.mkdir()
    job = Job(source, tuple(map(local, roots)), parallel=None)
    for _, contender in bench.rounds(CONTENDERS):
        for what, more, ill in _worlds(bench, roots[0].parent):
            whole = dataclasses.replace(job, nodes=(*job.nodes, *more))
            for root in roots:  # else that of the daemon before would say that this one is ready
                (root / "probe").unlink(missing_ok=True)
            with ill(), Daemon(contender, bench.fresh(), whole) as daemon:
                try:
                    daemon.ready(nodes=job.nodes, settles=not more)
                except Never:
                    _add(result, _RATES[0][1] + what, contender, None)
                    continue
                for rate, words in _RATES if not more else _RATES[:1]:
                    _measure(result, daemon, roots, rate, words + what)
    for metric in list(dict.fromkeys(row.metric for row in result.rows)):
        limit = 0.9 if metric.endswith(_CPU) else 1.0
        result.targets.append(Target(metric, limit, "lsyncd"))
    return result


_AGE, _WORST, _CPU = "mean age", "age on the last node", "CPU with rsync"


def _add(
    result: Result, what: str, contender: str, figures: tuple[float, float, float] | None
) -> None:
    for name, unit, place in ((_AGE, "ms", 0), (_WORST, "ms", 1), (_CPU, "s/change", 2)):
        result.add(f"{what}: {name}", unit, contender, figures and figures[place])


class _Flapping:
    """An rsync daemon that is there for a second, and then is not for one."""

    def __init__(self, server: RsyncDaemon) -> None:
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._flap)

    def __enter__(self) -> None:
        self._server.start()
        self._thread.start()

    def _flap(self) -> None:
        there = True
        while not self._over.wait(1.0):
            (self._server.stop if there else self._server.start)()
            there = not there

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._server.stop()


def _worlds(
    bench: Bench, folder: Path
) -> list[tuple[str, tuple[Node, ...], Callable[[], AbstractContextManager[None]]]]:
    """Return what else there is beside the nodes that are well."""
    dead = f"rsync://127.0.0.1:{free_port()}/mirror/"
    server = RsyncDaemon(bench.fresh() / "rsyncd")
    flapping = []
    for number in range(_FLAPPING):
        (server.root / str(number)).mkdir()
        flapping.append(Node(server.root, server.url(f"{number}/"), server.url(f"{number}/")))
    slow = local(folder / "slow", _SLOW)
    return [
        ("", (), nullcontext),
        (", one dead", (Node(folder, dead, dead),), nullcontext),
        (", one slow", (slow,), nullcontext),
        (", ten flapping", tuple(flapping), lambda: _Flapping(server)),
    ]


def _measure(result: Result, daemon: Daemon, roots: list[Path], rate: float, what: str) -> None:
    seconds = 15 if len(roots) > 10 else 2
    try:
        before = daemon.cpu()
        ages, worst = _write(daemon.job.source, roots, rate, max(2, int(seconds * rate)))
        if len(daemon.job.nodes) == len(roots):
            daemon.settle()
        cpu = (daemon.cpu() - before) / len(worst)
    except Never:
        _add(result, what, daemon.name, None)
        return
    _add(
        result,
        what,
        daemon.name,
        (1000 * statistics.mean(ages), 1000 * statistics.mean(worst), cpu),
    )


def _write(
    source: Path, roots: list[Path], rate: float, count: int
) -> tuple[list[float], list[float]]:
    """Write new files; return the age of each on each node, and of each on the last node."""
    ages: list[float] = []
    worst: list[float] = []
    pending: dict[int, tuple[float, set[Path]]] = {}
    began, written, name = time.monotonic(), 0, uuid.uuid4().hex
    while written < count or pending:
        now = time.monotonic()
        if written < count and now >= began + written / rate:
            file = f"{written % 10}/{name}-{written}"
            (source / file).write_bytes(os.urandom(_BYTES if rate < 5 else 200))
            pending[written] = (time.monotonic(), {root / file for root in roots})
            written += 1
        for number, (since, missing) in list(pending.items()):
            there = {path for path in missing if os.path.exists(path)}
            missing.difference_update(there)
            ages += [time.monotonic() - since] * len(there)
            if not missing:
                worst.append(time.monotonic() - since)
                del pending[number]
        if now > began + count / rate + LIMIT:
            raise Never
        time.sleep(0.005)
    return ages, worst
