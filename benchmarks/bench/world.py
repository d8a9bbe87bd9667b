"""What a benchmark is handed: a folder, sizes, servers, and the rounds in which all take turns."""
# ruff: noqa: T201 - tells how far it is

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.daemon import PROJECT
from support.servers import RsyncDaemon, SshServer, free_port, greeting
from support.waiting import until

from bench.peers import Node

LIMITS = PROJECT / "build" / "limits"


def limits() -> dict[str, str]:
    """Return the physical limits that can be measured here, each with the program's mode for it."""
    if not LIMITS.exists():
        return {}
    found = {"C": "watch", "C, leaf rule": "leaf"}
    works = took([str(LIMITS), "fanotify", "/"]).code == 0
    return found | ({"C, fanotify": "fanotify"} if works else {})


class _Through(RsyncDaemon):
    """An rsync daemon that is started by another program."""

    through: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [*self.through, *super().command()]


@dataclass
class Bench:
    """One run of one benchmark. ``stack`` ends at its end."""

    folder: Path
    small: bool
    repeat: int
    stack: contextlib.ExitStack
    only: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def size(self, full: int, small: int) -> int:
        """Return how many, for a full run or a small one."""
        return small if self.small else full

    def rounds(self, contenders: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Yield round and contender: A B A B."""
        for number in range(self.repeat):
            for name in contenders:
                if not self.only or name in self.only:
                    print(f"\r\033[K{number + 1} of {self.repeat}: {name}", end="", file=sys.stderr)
                    yield number, name
        print("\r\033[K", end="", file=sys.stderr)

    def fresh(self) -> Path:
        """Return a folder that nobody has used."""
        self._count += 1
        path = self.folder / f"run{self._count}"
        path.mkdir()
        return path

    def ssh_node(self, root: Path) -> Node:
        """Return a node behind a new sshd on loopback."""
        server = SshServer(self.folder / "sshd")
        server.start()
        self.stack.callback(server.stop)
        self.environment |= server.environment() | {"RSYNC_RSH": f"ssh -F {server.config}"}
        return Node(root, server.url(root) + "/", f"testhost:{root}/")

    def rsyncd_node(self, *through: str) -> Node:
        """Return a node behind a new rsync daemon on loopback, started `through` a command."""
        server = _Through(self.fresh() / "rsyncd")
        server.through = through
        server.start()
        self.stack.callback(server.stop)
        root = server.root / "mirror"
        root.mkdir()
        return Node(root, server.url("mirror/"), server.url("mirror/"))

    def far(self, node: Node, seconds: float) -> Node:
        """Return a module of an rsync daemon as it is behind a line with this round-trip time."""
        port, target = free_port(), node.ours.split(":")[2].partition("/")[0]
        command = [sys.executable, "-m", "bench.relay", str(port), target, str(seconds / 2)]
        line = subprocess.Popen(command)
        self.stack.callback(line.wait)
        self.stack.callback(line.kill)
        until(lambda: greeting(port).startswith(b"@RSYNCD:"), what="the line")
        place = node.ours.replace(f":{target}/", f":{port}/", 1)
        return Node(node.root, place, place)


@dataclass(frozen=True)
class Took:
    """How long a program ran, and CPU seconds of it and its children."""

    seconds: float
    cpu: float
    code: int


def took(command: Sequence[str], environment: dict[str, str] | None = None) -> Took:
    """Run a program to its end, its output thrown away."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Took(ended - began, _cpu(used), process.returncode)


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime
