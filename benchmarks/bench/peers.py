"""The daemons that are compared: how each is set up for its lowest delay, started and stopped.

inosync: ``edelay = 0``, and a scope. lsyncd: ``delay = 0``. clsync: all of its waits 0 (``-w 0 -t 0
-T 0``, "instant" in its manual), and ``-B 0``, so that it does not look for big files; one process
for each node, since it has no more. Everything else is as installed, but that lsyncd keeps
permissions (``perms``), as the others do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from support import processes
from support.daemon import inosync_environment

from bench import usage
from bench.waiting import LIMIT, Never, content, until

RSYNC = "/usr/bin/rsync"

#: All of a daemon is still for so many seconds when it has settled.
_STILL = 0.2


@dataclass(frozen=True)
class Node:
    """A destination: the directory behind it, and how inosync and the others call it."""

    root: Path
    ours: str
    theirs: str
    speed: int = 0  # KB/s; 0: no limit


def local(root: Path, speed: int = 0) -> Node:
    """Return the node that is a local directory."""
    return Node(root, f"{root}/", f"{root}/", speed)


@dataclass(frozen=True)
class Job:
    """What a daemon is to do. ``parallel`` is how many runs it may have at once; None: its choice.

    ``warm``: for so many seconds inosync has the next run stand ready; None: as it does by default.
    """

    source: Path
    nodes: tuple[Node, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    rsync: str = RSYNC
    parallel: int | None = 1
    warm: float | None = None


Commands = Callable[[Path, Job], list[list[str]]]


def _inosync(scope: str, delay: float | str = 0, **more: object) -> Commands:
    def commands(folder: Path, job: Job) -> list[list[str]]:
        nodes = [{"node": n.ours, "rspeed": n.speed} if n.speed else n.ours for n in job.nodes]
        settings = {
            "wpath": f"{job.source}/",
            "rnodes": nodes,
            "edelay": delay,
            "rscope": scope,
            **({} if job.parallel is None else {"rparallel": max(8, job.parallel)}),
            "rsync": job.rsync,
            "allow_empty": True,
            "socket": str(folder / "socket"),
            "pidfile": str(folder / "pid"),
            **({} if job.warm is None else {"rwarm": job.warm}),
            **more,
        }
        config = folder / "inosync.conf"
        config.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()))
        return [[*inosync_program(), "-c", str(config), "-v"]]

    return commands


def inosync_program() -> list[str]:
    """Return how the installed inosync is called."""
    script = Path(sys.executable).with_name("inosync")
    same = "import sys; from inosync.cli import main; sys.exit(main())"
    return [str(script)] if script.exists() else [sys.executable, "-c", same]


def _lsyncd(folder: Path, job: Job) -> list[list[str]]:
    syncs = ""
    for node in job.nodes:
        limit = f", bwlimit = {node.speed}" if node.speed else ""
        syncs += (
            f'sync {{ default.rsync, source = "{job.source}/", target = "{node.theirs}", '
            f'delay = 0, rsync = {{ binary = "{job.rsync}", perms = true{limit} }} }}\n'
        )
    config = folder / "lsyncd.conf"
    most = "" if job.parallel is None else f", maxProcesses = {job.parallel}"
    # With insist a node that is not there at first is tried again, as inosync does.
    config.write_text(f"settings {{ nodaemon = true, insist = true{most} }}\n{syncs}")
    return [["lsyncd", str(config)]]


def _clsync(folder: Path, job: Job) -> list[list[str]]:
    commands = []
    for number, node in enumerate(job.nodes):
        rsync = job.rsync
        if node.speed:
            rsync = str(folder / f"rsync{number}")
            Path(rsync).write_text(f'#!/bin/sh\nexec {job.rsync} --bwlimit={node.speed} "$@"\n')
            Path(rsync).chmod(0o755)
        # As root it would become nobody, and could read and write nothing of ours.
        root = () if os.getuid() else ("-u", "root", "-g", "root")
        waits = ("-w", "0", "-t", "0", "-T", "0", "-B", "0")
        handler = ("-M", "rsyncdirect", "-S", rsync, "-l", f"node{number}")
        places = ("-W", str(job.source), "-D", node.theirs.rstrip("/"))
        commands.append(["clsync", *root, *waits, *handler, *places])
    return commands


#: Every daemon by the name that tables use.
DAEMONS: dict[str, Commands] = {
    "inosync": _inosync("changes"),
    "inosync, cold": _inosync("changes", rwarm=0),
    "inosync, 8 runs": _inosync("changes", rparallel=8),
    "inosync, 4 streams": _inosync("changes", rstreams=4),
    "inosync, rkeep": _inosync("changes", rkeep=30),
    "inosync, one run": _inosync("changes", extra=["--max-delete=1000000"]),
    "inosync, tree": _inosync("tree"),
    "inosync, edelay 0.5": _inosync("changes", 0.5),
    "inosync, edelay auto": _inosync("changes", "auto"),
    "inosync, init changed": _inosync("changes", init="changed"),
    "lsyncd": _lsyncd,
    "clsync": _clsync,
}


def _waits(pid: int) -> bool:
    """Return whether a process stands by: a shared ssh connection, or a run without its list.

    One that has just got it computes, which is seen by that.
    """
    words = processes.command(pid)
    return "[mux]" in " ".join(words) or ("--files-from=-" in words and words[-2:-1] == ["/"])


def _all_hold(paths: list[Path], text: bytes) -> bool:
    return all(content(path) == text for path in paths)


class Daemon:
    """A daemon, running within its context. Leaving that ends everything that it has started."""

    def __init__(self, name: str, folder: Path, job: Job) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.name = name
        self.job = job
        self.log_file = folder / "log"
        self._commands = DAEMONS[name](folder, job)
        self._mark = f"INOSYNC_BENCH={uuid.uuid4().hex}"
        mark, _, value = self._mark.partition("=")
        self._environment = inosync_environment(job.environment) | {mark: value}
        self._environment["RUNTIME_DIRECTORY"] = str(folder)
        self._environment["STATE_DIRECTORY"] = str(folder / "state")
        if "inosync" in name:
            # What the others need to reach the ssh server; inosync is to choose for itself.
            self._environment.pop("RSYNC_RSH", None)
        self._running: list[subprocess.Popen[bytes]] = []
        self.started = 0.0

    def __enter__(self) -> Daemon:
        self.started = time.monotonic()
        with open(self.log_file, "wb") as log:
            for command in self._commands:
                self._running.append(
                    subprocess.Popen(
                        command,
                        env=self._environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
        return self

    def ready(
        self, *, limit: float = 120.0, nodes: Sequence[Node] | None = None, settles: bool = True
    ) -> Daemon:
        """Return when a change has arrived on all `nodes` and nothing is left to do.

        That may be the start-up pass's doing. With each of the daemons it begins when all watches
        stand. Of one that never `settles` only the change is awaited.
        """
        self._probe(limit, self.job.nodes if nodes is None else nodes)
        if settles:
            self.settle(limit=limit)
        return self

    def rest(self) -> None:
        """Settle; give clsync, which does nothing more within the same second, a new one."""
        self.settle()
        if self.name == "clsync":
            time.sleep(1.0)

    def _probe(self, limit: float, nodes: Sequence[Node]) -> None:
        deadline = time.monotonic() + limit
        while True:
            text = os.urandom(16).hex().encode()  # the last daemon's may be there
            (self.job.source / "probe").write_bytes(text)
            mirrors = [node.root / "probe" for node in nodes]
            with contextlib.suppress(Never):
                until(partial(_all_hold, mirrors, text), limit=5, poll=0.01)
                return
            self.check()
            if time.monotonic() > deadline:
                raise Never

    def settle(self, *, limit: float = LIMIT) -> None:
        """Return when no run is left and nobody computes."""
        before, since = -1.0, time.monotonic()

        def still() -> bool:
            nonlocal before, since
            self.check()
            now = usage.cpu(self.pids())
            if now != before or self._children():
                before, since = now, time.monotonic()
            return time.monotonic() - since > _STILL

        until(still, limit=limit, poll=0.02)

    def check(self) -> bool:
        """Raise Never when it has ended by itself."""
        for process in self._running:
            if process.poll() is not None:
                log = self.log_file.read_text(errors="replace")
                raise Never(f"{self.name} ended with {process.returncode}:\n{log[-2000:]}")
        return True

    def pids(self) -> list[int]:
        """Return all of its processes, those it has started included."""
        return processes.marked(self._mark)

    @property
    def own(self) -> list[int]:
        """The daemon's own processes."""
        return [process.pid for process in self._running]

    def _children(self) -> bool:
        """Return whether a run is at work: not a shared ssh connection, nor what stands ready."""
        others = set(self.pids()) - set(self.own)
        return any(not _waits(pid) and not _waits(processes.parent(pid) or 0) for pid in others)

    def cpu(self) -> float:
        """Return CPU seconds of the daemon and of everything that it has started and waited for."""
        return usage.cpu(self.pids())

    def own_cpu(self) -> float:
        """Return CPU seconds of the daemon alone."""
        return sum(usage.own_cpu(pid) for pid in self.own)

    def resident(self) -> float:
        """Return the daemon's own resident memory in MiB."""
        return sum(usage.resident(pid) for pid in self.own)

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=3)
        while left := self.pids():
            processes.kill(left)
            for process in self._running:
                process.wait(timeout=10)
            processes.wait_gone(left)
