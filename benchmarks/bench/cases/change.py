"""One change in a tree of 100,000 files: local, over ssh, and to an rsync daemon, near and far."""

from __future__ import annotations

import os
import random
import subprocess
import time
from functools import partial
from pathlib import Path

from bench import trees
from bench.peers import RSYNC, Daemon, Job, Node, local
from bench.report import Result, Target
from bench.waiting import Never, content, until, until_content
from bench.world import Bench

CONTENDERS = ("inosync", "inosync, cold", "lsyncd", "clsync", "bare rsync")
#: Changes in a row by each contender in each round, so that CPU ticks of 10 ms do.
_IN_A_ROW = 5


def run(bench: Bench) -> Result:
    """Measure each transport."""
    result = Result("change", "One change in a tree of 100,000 files, lowest delay, scope changes")
    source = bench.folder / "source"
    names = trees.files(source, bench.size(100_000, 200))
    (source / "probe").touch()
    near = bench.rsyncd_node()
    nodes = {
        "local": local(bench.folder / "mirror"),
        "ssh": bench.ssh_node(bench.folder / "mirror-ssh"),
        "rsync daemon": near,
        "rsync daemon, 40 ms away": bench.far(near, 0.04),
    }
    dice = random.Random(1)
    count = bench.size(_IN_A_ROW, 2)
    for transport, node in nodes.items():
        job = Job(source, (node,), bench.environment, warm=300)
        trees.equalise(source, node.root)
        # clsync takes HOST:PATH for a local directory.
        contenders = [n for n in CONTENDERS if (n, transport) != ("clsync", "ssh")]
        for _, contender in bench.rounds(contenders):
            chosen = dice.sample(names, count)
            if contender == "bare rsync":
                _bare(result, bench, job, transport, chosen)
                continue
            with Daemon(contender, bench.fresh(), job) as daemon:
                _daemon(result, daemon, transport, chosen)
    equal, cpu = "{}: equal after", "{}: CPU with rsync"
    result.targets += [
        Target(equal.format("local"), 1.1, "bare rsync"),
        Target(equal.format("local"), 1.0, "lsyncd"),
        Target(cpu.format("local"), 1.0, "lsyncd"),
        Target(equal.format("ssh"), 0.1, "lsyncd"),
        Target(equal.format("rsync daemon"), 0.25, "lsyncd"),
        *(Target(equal.format(transport), 0.7, "inosync, cold") for transport in nodes),
        Target(equal.format("rsync daemon, 40 ms away"), 100),
    ]
    result.notes += [
        "bare rsync: `rsync -t FILE DIRECTORY/`, over ssh through a connection that stands",
        "inosync, cold: with `rwarm = 0`; else 300, also for the module of the rsync daemon",
        "CPU of a remote end is its own affair and not counted",
    ]
    return result


def _daemon(result: Result, daemon: Daemon, transport: str, names: list[str]) -> None:
    mirror = daemon.job.nodes[0].root
    try:
        daemon.ready()
        before = daemon.cpu()
        for name in names:
            daemon.rest()
            if transport.endswith("away"):
                time.sleep(1.0)  # what stands ready has to get there
            text, began = _change(daemon.job.source / name)
            end = until_content({mirror / name: text}, limit=20)
            result.add(f"{transport}: equal after", "ms", daemon.name, 1000 * (end - began))
        daemon.settle()
    except Never:
        result.add(f"{transport}: equal after", "ms", daemon.name, None)
        result.add(f"{transport}: CPU with rsync", "ms", daemon.name, None)
        return
    used = 1000 * (daemon.cpu() - before) / len(names)
    result.add(f"{transport}: CPU with rsync", "ms", daemon.name, used)


def _change(path: Path) -> tuple[bytes, float]:
    """Write a file anew, of a size that it never had; return what it holds, and since when."""
    text = path.read_bytes() + b"and more\n"
    began = time.monotonic()
    path.write_bytes(text)
    return text, began


def _bare(result: Result, bench: Bench, job: Job, transport: str, names: list[str]) -> None:
    node, environment, shell = job.nodes[0], {}, []
    if transport == "ssh":
        environment = {"RSYNC_RSH": job.environment["RSYNC_RSH"]}
        socket = bench.fresh() / "socket"
        environment["RSYNC_RSH"] += f" -o ControlPath={socket}"
        shell = environment["RSYNC_RSH"].split()
        subprocess.run([*shell, "-M", "-f", "-N", "testhost"], check=True)
    used = 0.0
    for name in names:
        text, began = _change(job.source / name)
        command = [RSYNC, "-t", str(job.source / name), _directory(node, name)]
        if transport.startswith("rsync daemon"):
            command.insert(1, "--sockopts=TCP_NODELAY")
        run_ = _Running(command, environment)
        end = until(partial(_holds, node.root / name, text))
        used += run_.wait()
        result.add(f"{transport}: equal after", "ms", "bare rsync", 1000 * (end - began))
    result.add(f"{transport}: CPU with rsync", "ms", "bare rsync", 1000 * used / len(names))
    if shell:
        subprocess.run([*shell, "-O", "exit", "testhost"], check=True, capture_output=True)


def _holds(path: Path, text: bytes) -> bool:
    return content(path) == text


def _directory(node: Node, name: str) -> str:
    return node.theirs + name.rpartition("/")[0] + "/"


class _Running:
    """A program that has been started; ``wait`` returns the CPU seconds that it took."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(command, env=os.environ | environment)

    def wait(self) -> float:
        """Return CPU seconds."""
        _, _, used = os.wait4(self._process.pid, 0)
        self._process.returncode = 0
        return used.ru_utime + used.ru_stime
