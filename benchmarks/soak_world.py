"""The world of a soak: restless sources, nodes with their servers, the daemon, and what must hold.

Knows nothing of plans and faults: it is asked to start, end, mend, check and wait.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from soak_source import KEEP, RestlessSource
from support import processes
from support.daemon import Daemon
from support.servers import RsyncDaemon, Server, SshServer, program
from support.trees import Entry, difference, snapshot
from support.waiting import until

from inosync.rsync.kept import KEPT

#: Seconds in which all mirrors have to be equal once everything is well again.
LIMIT = 60.0

#: KiB that one life of the daemon may add to its memory: Python gives little back after a burst.
MOST_GROWTH = 16 * 1024

#: Seconds that what a killed daemon started may outlive it: ControlPersist is 60.
ORPHANS_LIVE = 75.0

_SETTINGS = {"edelay": 0.2, "eopen": 1.0, "rretry": (0.2, 5), "rtimeout": 20, "rlate": 3}

#: What else a config may turn on, all at once. What rests and what is large is later than the rest.
_EVERYTHING = {
    "rkeep": 1,
    "rstreams": 2,
    "rbigsize": 100_000,
    "rbigdelay": 0.5,
    "rsettle": {"*.tmp": 0.3},
    "rwarm": 0.5,
    "rmaxchange": 100_000,
    "beat": 1,
    "on_beat": ["/bin/true"],
}

#: Seconds, longer than the daemon waits before it acts on a change: edelay and eopen.
_HELD_BACK = 1.2

#: The transports of the nodes, in order; of each kind with a server there are two.
KINDS = ("local", "daemon", "ssh", "local", "daemon", "ssh", "local")

_KEPT = os.fsencode(KEPT)

_SOURCE = re.compile(r"source (.*): (.*), \d+ director(?:y|ies), (\d+) events?, (\d+) overflows?")
_MIRROR = re.compile(r"mirror (.* -> .*): (idle, in sync)?.*, (\d+) runs?, (\d+) failed")


class Trouble(Exception):
    """The daemon did not do what it has to; the text says what."""


@dataclass
class Node:
    """One destination, the directory behind it, and the server between them."""

    destination: str
    root: Path
    server: Server | None = None
    scope: str = "tree"
    inside: bool = True  # each source lies in a directory of its own there
    listed: bool = True  # in the config
    broken: bool = False

    def mirror(self, source: RestlessSource) -> Path:
        """Return where a source is mirrored."""
        return self.root / source.root.name if self.inside else self.root


@dataclass
class Life:
    """One process of the daemon: its log, and what it took each time that it was at rest."""

    log: Path
    began: float
    seconds: float = 0.0
    resident: list[int] = field(default_factory=list)  # KiB
    descriptors: list[int] = field(default_factory=list)


@dataclass
class Figures:
    """What was counted."""

    steps: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # events, overflows, runs, failures
    faults: Counter[str] = field(default_factory=Counter)
    calms: list[float] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)


class Status(NamedTuple):
    """What SIGUSR1 made the daemon say."""

    counts: dict[tuple[str, str], int]  # by what is counted, and of whom
    settled: bool  # every source is watched, every mirror idle and in sync
    text: str


class World:
    """The sources, the nodes and the daemon. Use as a context manager."""

    def __init__(
        self, folder: Path, dice: random.Random, nodes: int, *, everything: bool = False
    ) -> None:
        """Make all but what runs; `everything` is turned on that a config has, or little."""
        self.folder = folder
        self.everything = everything
        self.excludes: list[str] = []
        self.figures = Figures()
        self._counted: dict[tuple[str, str], int] = {}
        self._mirrors = 0  # how many the running daemon has
        self._orphans: dict[int, float] = {}  # what a killed daemon left behind, and when
        self._mends: list[tuple[int, Callable[[], None]]] = []  # at which step, and how
        self._running = contextlib.ExitStack()
        self.sources = [
            RestlessSource(folder / f"source-{n}", folder / f"beside-{n}", dice.randrange(2**32))
            for n in range(dice.choice((1, 2)))
        ]
        daemons, shells = self._servers()
        servers: dict[str, Sequence[Server]] = {"daemon": daemons, "ssh": shells}
        self.nodes = [self._node(number, servers) for number in range(nodes)]
        # A short path: ssh's control sockets have to fit into a Unix socket's 107 bytes.
        self.runtime = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
        environment = {"RUNTIME_DIRECTORY": str(self.runtime), **shells[0].environment()}
        self.daemon = Daemon(folder / "daemon", "", environment=environment)
        self.configure()

    def _servers(self) -> tuple[list[RsyncDaemon], list[SshServer]]:
        one, other = (SshServer(self.folder / f"sshd-{n}") for n in range(2))
        # One ssh client for both: it knows both servers, and both know its key.
        with open(one.folder / "known_hosts", "ab") as file:
            file.write((other.folder / "known_hosts").read_bytes())
        shutil.copy(one.folder / "authorized_keys", other.folder / "authorized_keys")
        for server in (one, other):
            # Sessions are killed: what the user's own ~/.bashrc begins must not be left half-done.
            with open(server.folder / "sshd_config", "a") as file:
                file.write(f"SetEnv HOME={server.folder}\n")
        return [RsyncDaemon(self.folder / f"rsyncd-{n}") for n in range(2)], [one, other]

    def _node(self, number: int, servers: Mapping[str, Sequence[Server]]) -> Node:
        kind = KINDS[number]
        server = servers[kind][number % 2] if kind in servers else None
        node = Node(
            "",
            self.folder / f"node-{number}" / "the mirror",
            server,
            scope="changes" if number % 2 else "tree",
            inside=len(self.sources) > 1,
        )
        if isinstance(server, RsyncDaemon):
            node.root = server.root / f"mirror-{number}"
            node.destination = server.url(f"mirror-{number}/")
            return node
        node.root.mkdir(parents=True)
        node.destination = f"{node.root}/"
        if isinstance(server, SshServer):
            node.destination = f"{server.url(node.root)}/"
        return node

    def __enter__(self) -> World:
        self._running.callback(shutil.rmtree, self.runtime, ignore_errors=True)
        for source in self.sources:
            self._running.callback(source.close)
        for server in {node.server for node in self.nodes} - {None}:
            assert server is not None
            self._running.callback(server.stop)
            server.start()
        self._running.enter_context(self.daemon)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._running.__exit__(kind, error, traceback)

    # ---- the config -----------------------------------------------------------------------

    def configure(self) -> None:
        """Write the config as it is meant to be now."""
        self.daemon.configure(
            _SETTINGS
            | (self._turned_on() if self.everything else {})
            | {
                "wpaths": self._paths(),
                "rnodes": [
                    {"node": node.destination, "rscope": node.scope}
                    for node in self.nodes
                    if node.listed
                ],
                "rsync": program("rsync"),
                "rexcludes": self.excludes,
            }
        )

    def _turned_on(self) -> dict[str, object]:
        """Return what else is in the config: each source has its delay, each life its watcher."""
        delays = {f"{source.root}": 0.1 * number for number, source in enumerate(self.sources)}
        return _EVERYTHING | {"watch": self.watch, "edelay": {**delays, "*": 0.2}}

    @property
    def watch(self) -> str:
        """How this life of the daemon watches."""
        return "fanotify" if self.everything and len(self.figures.lives) % 2 else "inotify"

    def _paths(self) -> list[str]:
        slash = "/" if len(self.sources) == 1 else ""
        return [f"{source.root}{slash}" for source in self.sources]

    def reload(self) -> None:
        """Write the config and have it read."""
        self.status()  # counts begin anew with another config
        before = self.logged("config loaded again")
        self.configure()
        self.daemon.hup()
        self.wait_for_log("config loaded again", before)
        self._mirrors = self._configured()

    def _configured(self) -> int:
        return len(self.sources) * sum(node.listed for node in self.nodes)

    # ---- the daemon -----------------------------------------------------------------------

    def begin(self) -> None:
        """Start a daemon with a log of its own."""
        lives = self.figures.lives
        self.daemon.log_file = self.daemon.folder / f"life-{len(lives) + 1}.log"
        lives.append(Life(self.daemon.log_file, time.monotonic()))
        self._counted = {}
        self._mirrors = self._configured()
        if self.everything:
            self.configure()
        self.daemon.start(seconds=60)

    def end(self, *, kill: bool = False) -> None:
        """End the daemon; told to, it has to end well and leave nothing behind."""
        self.status()
        self.figures.lives[-1].seconds = time.monotonic() - self.figures.lives[-1].began
        if kill:
            self.daemon.kill()
            self._orphans |= dict.fromkeys(self.daemon.leftovers(), time.monotonic())
            return
        code = self.daemon.stop(seconds=30)
        if code != 0:
            raise Trouble(f"the daemon ended with {code} on TERM: {self.daemon.log_file}")
        until(
            lambda: not self._left_behind(),
            what="nothing to be left behind",
            state=lambda: str([processes.command(pid) for pid in self._left_behind()]),
        )

    def _left_behind(self) -> list[int]:
        """Return what is left of the daemon that has no right to be there."""
        since = time.monotonic() - ORPHANS_LIVE
        return [pid for pid in self.daemon.leftovers() if self._orphans.get(pid, since) <= since]

    def running(self) -> list[int]:
        """Return the runs of the daemon: its children that are rsyncs."""
        return [pid for pid in processes.children(self.daemon.pid) if _is_rsync(pid)]

    def _working(self) -> list[int]:
        """Return all runs, those that a killed daemon left behind with them: leaders of a group."""
        found = []
        for pid in self.daemon.leftovers():
            with contextlib.suppress(ProcessLookupError):
                if _is_rsync(pid) and os.getpgid(pid) == pid:
                    found.append(pid)
        return found

    def logged(self, text: str) -> int:
        """Return how often the daemon has logged a text in this life."""
        return self.daemon.log().count(text)

    def wait_for_log(self, text: str, before: int) -> None:
        """Wait until a text was logged once more than `before`."""
        until(
            lambda: self.logged(text) > before,
            seconds=30,
            what=f"{text!r} in the log",
            state=self._last_lines,
        )

    def status(self) -> Status:
        """Return what the daemon says of itself."""
        begin = self.daemon.log_file.stat().st_size
        self.daemon.signal(signal.SIGUSR1)

        def said() -> Status | None:
            with open(self.daemon.log_file, "rb") as log:
                log.seek(begin)
                text = log.read().decode(errors="replace")
            sources, mirrors = _SOURCE.findall(text), _MIRROR.findall(text)
            if len(mirrors) < self._mirrors or not text.endswith("\n"):
                return None
            counts = {}
            for name, _, events, overflows in sources:
                counts["events", name] = int(events)
                counts["overflows", name] = int(overflows)
            for name, _, runs, failures in mirrors:
                counts["runs", name] = int(runs)
                counts["failures", name] = int(failures)
            settled = all(condition.endswith("watched") for _, condition, _, _ in sources)
            settled &= all(rests for _, rests, _, _ in mirrors)
            return Status(counts, settled, text)

        found = until(said, seconds=30, what="the status", state=self._last_lines)
        assert found is not None
        self._count(found.counts)
        return found

    def _last_lines(self) -> str:
        return "\n".join(self.daemon.log().splitlines()[-20:])

    def _count(self, counts: dict[tuple[str, str], int]) -> None:
        """Add up what is new; a source that is watched anew and a new mirror begin at nothing."""
        for (what, whom), count in counts.items():
            before = self._counted.get((what, whom), 0)
            self.figures.counts[what] += count - before if count >= before else count
        self._counted = counts

    def measure(self) -> None:
        """Note memory and descriptors of the daemon once it rests."""
        counted, since = dict(self._counted), time.monotonic()

        def rests() -> bool:
            nonlocal counted, since
            if not self.status().settled or self._counted != counted:
                counted, since = self._counted, time.monotonic()
            return time.monotonic() - since > _HELD_BACK

        until(rests, seconds=30, what="the daemon to rest", state=self._last_lines)
        life = self.figures.lives[-1]
        life.resident.append(resident(self.daemon.pid))
        count, end = min(self._descriptors() for _ in range(5)), time.monotonic() + 10
        while life.descriptors and count > min(life.descriptors) and time.monotonic() < end:
            count = min(count, self._descriptors())
        life.descriptors.append(count)

    def _descriptors(self) -> int:
        """Return how many there are in a moment; a hook and a run that leaves have some, too."""
        time.sleep(0.05)
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    # ---- damage and repair ----------------------------------------------------------------

    def source(self, dice: random.Random) -> RestlessSource:
        """Return one of the sources."""
        return dice.choice(self.sources)

    def later(self, steps: int, mend: Callable[[], None]) -> None:
        """Have something mended so many steps from now, or when all is mended."""
        self._mends.append((self.figures.steps + steps, mend))

    def mend(self, *, everything: bool = False) -> None:
        """Mend what is due, or everything."""
        due = [item for item in self._mends if everything or item[0] <= self.figures.steps]
        self._mends = [item for item in self._mends if item not in due]
        for _, mend in due:
            mend()

    # ---- what has to hold -----------------------------------------------------------------

    def check(self) -> None:
        """Raise Trouble when something is wrong that must never be."""
        if not processes.alive(self.daemon.pid):
            raise Trouble(f"the daemon is gone: {self.daemon.log_file}")
        commands = [processes.command(pid) for pid in self._working()]
        for ends, times in Counter(tuple(command[-2:]) for command in commands).items():
            # What names single changes may begin above all sources; each of them may have its run.
            most = 1 if ends[:1] and ends[0] in self._paths() else len(self.sources)
            if times > most and ends and not self.everything:  # rstreams, rbigsize and rwarm
                raise Trouble(f"{times} runs at once for {' -> '.join(ends)}")
        self.check_kept()

    def check_kept(self) -> None:
        """Raise Trouble when a mirror lacks the file that is never touched."""
        for node in self.nodes:
            for source in self.sources:
                if not node.broken and not (node.mirror(source) / KEEP).exists():
                    raise Trouble(f"{node.mirror(source)} was emptied")

    def converge(self, limit: float = LIMIT) -> float:
        """Wait until all mirrors are equal, and the daemon says so; return the seconds it took."""
        began = time.monotonic()
        wanted = [(source, snapshot(source.root)) for source in self.sources]
        pairs = [(tree, node.mirror(source)) for source, tree in wanted for node in self.nodes]
        unequal = pairs
        while unequal := [(tree, root) for tree, root in unequal if _differ(tree, root)]:
            if time.monotonic() - began > limit:
                raise Trouble(f"not equal after {limit:g} s:\n{self._tell(unequal)}")
            time.sleep(0.05)
        took = time.monotonic() - began
        until(
            lambda: self.status().settled,
            seconds=max(15, limit - took),
            what="the daemon to say that all is in sync",
            state=self._last_lines,
        )
        if unequal := [(tree, root) for tree, root in pairs if _differ(tree, root)]:
            raise Trouble(f"said to be in sync, but is not:\n{self._tell(unequal)}")
        return took

    def _tell(self, unequal: list[tuple[dict[bytes, Entry], Path]]) -> str:
        lines = []
        for tree, root in unequal:
            lines += [f"  {root}:", *(f"    {line}" for line in _differ(tree, root)[:10])]
        with contextlib.suppress(AssertionError):
            lines.append(self.status().text)
        return "\n".join(lines)

    def check_at_end(self) -> None:
        """Raise Trouble when something turns out to be wrong now that all is over."""
        for source in self.sources:
            for node in self.nodes:
                if _differ(snapshot(source.root), node.mirror(source)):
                    raise Trouble(f"{node.mirror(source)} was equal and is not any more")
        for life in self.figures.lives:
            log = life.log.read_text(errors="replace")
            if re.search(r"^\s*Traceback \(most recent call last\)", log, re.M):
                raise Trouble(f"a traceback is in {life.log}")
            grown = life.resident[-1] - life.resident[0] if life.resident else 0
            if grown > MOST_GROWTH:
                raise Trouble(f"the daemon has grown by {grown} KiB in one life: {life.log}")
            if len(set(life.descriptors)) > 1:
                raise Trouble(f"the number of open descriptors has changed: {life.log}")


def _differ(tree: dict[bytes, Entry], root: Path) -> list[str]:
    """Return what differs, but for what the mirror keeps (``rkeep``)."""
    try:
        there = snapshot(root)
        return difference(tree, {path: there[path] for path in there if not path.startswith(_KEPT)})
    except OSError as error:  # runs are at work there
        return [str(error)]


def _is_rsync(pid: int) -> bool:
    return processes.command(pid)[:1] == [program("rsync")]


def resident(pid: int) -> int:
    """Return the resident memory of a process, in KiB: VmRSS in proc_pid_status(5)."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1])
