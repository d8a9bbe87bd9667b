"""What lasts for years may not leak: memory and descriptors after thousands of runs and events."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from support.daemon import Daemon
from support.profile import DEEP
from support.servers import free_port
from support.trees import write
from support.waiting import until

#: Runs before the first look: caches fill, and Python's own memory finds its size.
WARM_UP = 200
RUNS = 2000 if DEEP else 800
DIRECTORIES = 6000 if DEEP else 2400
RELOADS = 120 if DEEP else 48
EVENTS = 200_000 if DEEP else 100_000
NODES = 8

#: Seconds, longer than any `edelay` here.
HELD_BACK = 0.5

MIB = 1024  # KiB


class QuickRsync:
    """A program that claims to be rsync, ends at once, and exits as it was told last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exits(0)

    def exits(self, code: int) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(
            "#!/bin/sh\n"
            '[ "$1" = --version ] && echo "rsync  version 3.2.7  protocol version 31" && exit\n'
            'echo "Number of regular files transferred: 1"\n'
            f'[ {code} = 0 ] || echo "rsync error: some or other (code {code})" >&2\n'
            f"exit {code}\n"
        )
        new.chmod(0o755)
        new.replace(self.path)


@pytest.fixture
def quick_rsync(tmp_path: Path) -> QuickRsync:
    return QuickRsync(tmp_path / "rsync")


def local_nodes(folder: Path) -> list[str]:
    return [f"{folder}/mirror {number}/" for number in range(NODES)]


def status(daemon: Daemon) -> str:
    """Return what SIGUSR1 makes the daemon say."""
    begin = daemon.log_file.stat().st_size
    daemon.signal(signal.SIGUSR1)

    def said() -> str:
        text = daemon.log_file.read_bytes()[begin:].decode()
        return text if len(re.findall(r"mirror .* failed\n", text)) == NODES else ""

    return until(said, what="the status", state=daemon.log)


def count(daemon: Daemon, what: str) -> int:
    """Return the sum of a number in the status, such as "runs" or "events"."""
    return sum(map(int, re.findall(rf"(\d+) {what}", status(daemon))))


def descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def resident(daemon: Daemon) -> int:
    """Return the resident memory in KiB: VmRSS in proc_pid_status(5)."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{daemon.pid}/status").read_text())
    assert found is not None
    return int(found[1])


class Taken(NamedTuple):
    """What the daemon takes while it rests."""

    descriptors: int
    resident: int  # KiB


def rest(daemon: Daemon) -> Taken:
    """Wait until all is in sync and nothing is held back; return what the daemon takes then."""
    last, since = "", 0.0

    def rests() -> bool:
        nonlocal last, since
        now, seen = time.monotonic(), re.sub(r"^\S+ \S+ ", "", status(daemon), flags=re.M)
        if seen != last or seen.count(": idle, in sync") != NODES:
            last, since = seen, now
        return now - since >= HELD_BACK

    until(rests, seconds=60, what="all mirrors to be in sync", state=lambda: last)
    return Taken(descriptors(daemon), resident(daemon))


def check(daemon: Daemon, work: Callable[[int], None], times: int, *, most: float) -> None:
    """Do work so many times; fail when descriptors were lost, or more memory than `most` KiB.

    What leaks is lost in each of the four parts; in one or the other Python takes memory in a
    step, which is then enough for years.
    """
    parts = 4
    taken = [rest(daemon)]
    for _ in range(parts):
        work(times // parts)
        taken.append(rest(daemon))
    print(taken)  # `pytest -s` shows it
    assert {one.descriptors for one in taken} == {taken[0].descriptors}
    assert min(after.resident - one.resident for one, after in pairwise(taken)) <= most / parts


@pytest.mark.timeout(300)
def test_thousands_of_runs(
    inosync: Callable, source: Path, tmp_path: Path, quick_rsync: QuickRsync
) -> None:
    daemon = inosync(
        {
            "wpath": f"{source}/",
            "rnodes": local_nodes(tmp_path),
            "rsync": str(quick_rsync.path),
            "edelay": 0,
        },
        arguments=(),
    )

    def run(times: int) -> None:
        target = count(daemon, "runs") + times
        while (runs := count(daemon, "runs")) < target:
            write(source, f"{runs % 50}", f"{runs}\n")
            until(lambda least=runs: count(daemon, "runs") > least, what="the next run")

    run(WARM_UP)
    check(daemon, run, RUNS, most=0.5 * MIB)
    assert count(daemon, "failed") == 0


@pytest.mark.timeout(300)
def test_thousands_of_failures(
    inosync: Callable, source: Path, tmp_path: Path, quick_rsync: QuickRsync
) -> None:
    daemon = inosync(
        {
            "wpath": f"{source}/",
            "rnodes": local_nodes(tmp_path),
            "rsync": str(quick_rsync.path),
            "edelay": 0,
            "rretry": (0.01, 0.02),
        },
        arguments=(),
    )

    def fail(times: int) -> None:
        target = count(daemon, "failed") + times
        quick_rsync.exits(12)
        write(source, "first", f"{target}")
        until(lambda: count(daemon, "failed") >= target, seconds=200, what="more failures")
        quick_rsync.exits(0)

    fail(WARM_UP)
    check(daemon, fail, RUNS, most=0.5 * MIB)


@pytest.mark.timeout(300)
def test_hundreds_of_reloads(
    inosync: Callable, source: Path, tmp_path: Path, quick_rsync: QuickRsync
) -> None:
    """Every other config has other excludes, so that all is watched anew, and a node less."""
    configs = [
        {
            "wpath": f"{source}/",
            "rnodes": local_nodes(tmp_path)[number:],
            "rexcludes": [f"*.{number}"],
            "rsync": str(quick_rsync.path),
            "edelay": 0.1,
        }
        for number in range(2)
    ]
    for number in range(300):
        write(source, f"{number}/file", "x")
    daemon = inosync(configs[0], arguments=())
    loaded = 0

    def reload(times: int) -> None:
        nonlocal loaded
        for _ in range(times):
            loaded += 1
            daemon.configure(configs[loaded % 2])
            daemon.hup()
            daemon.wait_for_log("config loaded again", times=loaded)

    reload(20)
    check(daemon, reload, RELOADS, most=0.5 * MIB)


@pytest.mark.timeout(300)
def test_thousands_of_directories_that_came_and_went(
    inosync: Callable, source: Path, tmp_path: Path, quick_rsync: QuickRsync
) -> None:
    daemon = inosync(
        {
            "wpath": f"{source}/",
            "rnodes": local_nodes(tmp_path),
            "rsync": str(quick_rsync.path),
            "edelay": 0.1,
        },
        arguments=(),
    )

    def come_and_go(times: int) -> None:
        for number in range(times):
            write(source, f"{number}/inner {number}/file", "x")
            if number % 3:
                (source / f"{number}").rename(source / f"renamed {number}")
                shutil.rmtree(source / f"renamed {number}")
            elif number % 2:
                (source / f"{number}").rename(tmp_path / "out")
                shutil.rmtree(tmp_path / "out")
            else:
                shutil.rmtree(source / f"{number}")
        until(lambda: "watched, 1 directory" in status(daemon), seconds=60, what="all to be gone")

    come_and_go(1000)
    check(daemon, come_and_go, DIRECTORIES, most=1 * MIB)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_changes_for_a_node_that_is_away(inosync: Callable, source: Path, scope: str) -> None:
    """What is owed stays small however much it becomes: so many events about ever new names."""
    port = free_port()
    daemon = inosync(
        {
            "wpath": f"{source}/",
            "rnodes": [f"rsync://127.0.0.1:{port}/nobody/{number}/" for number in range(NODES)],
            "rscope": scope,
            "edelay": 0.05,
            "rretry": (0.1, 2),
        },
        arguments=(),
    )
    until(lambda: count(daemon, "failed"), what="the first failure")
    before = resident(daemon)
    while (events := count(daemon, "events")) < EVENTS:
        for number in range(1000):
            path = os.fsencode(source) + b"/%d-a-name-of-some-length" % (events + number)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            os.chmod(path, 0o600)
        until(lambda least=events: count(daemon, "events") >= least + 3000, what="its events")
    assert resident(daemon) - before <= 10 * MIB
    assert "behind" in status(daemon)
