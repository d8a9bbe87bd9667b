"""A chain of three hosts in network namespaces: the first feeds a relay, which feeds the last."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from support import processes
from support.daemon import Daemon, run_inosync
from support.places import wait_equal
from support.servers import program
from support.trees import churn, grow, write
from support.waiting import until


def _run(*command: str, check: bool = True) -> int:
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0 or not check, f"{command}: {ran.stderr}"
    return ran.returncode


class Host:
    """One host: a network namespace with a folder, and an rsync daemon that lets others write."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.mirror = folder / "mirror"
        self.mirror.mkdir(parents=True)
        (folder / "tmp").mkdir()
        ids = f"uid = {os.getuid()}\ngid = {os.getgid()}\nlog file = {folder}/rsyncd.log\n"
        (folder / "rsyncd.conf").write_text(
            f"use chroot = yes\nmunge symlinks = no\nreverse lookup = no\n{ids}"
            f"[host]\npath = {folder}\nread only = no\n"
        )
        _run("ip", "netns", "add", name)
        self._server: subprocess.Popen[bytes] | None = None
        _run("ip", "-n", name, "link", "set", "lo", "up")

    @property
    def inside(self) -> tuple[str, ...]:
        """What runs a command on this host."""
        return ("ip", "netns", "exec", self.name)

    def serve(self) -> None:
        """Start the rsync daemon and return when it answers."""
        config = f"--config={self.folder}/rsyncd.conf"
        command = [*self.inside, program("rsync"), "--daemon", "--no-detach", config]
        self._server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: not self.reach("127.0.0.1"), what="the rsync daemon")

    def reach(self, address: str) -> int:
        """Return 0 when the rsync daemon at this address answers."""
        return _run(
            *self.inside, program("rsync"), "--contimeout=1", f"rsync://{address}/", check=False
        )

    def stop(self) -> None:
        """Stop the rsync daemon with its sessions."""
        server, self._server = self._server, None
        if server is not None:
            victims = processes.descendants(server.pid)
            processes.kill([server.pid, *victims])
            server.wait()
            processes.wait_gone(victims)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[list[Host]]:
    """Three hosts: 10.86.1.1 - 10.86.1.2 and 10.86.2.2 - 10.86.2.3; no route between the outer."""
    names = [f"inosync-{os.getpid()}-{number}" for number in (1, 2, 3)]
    if not shutil.which("ip"):
        pytest.skip("ip (iproute2), which makes network namespaces, is not installed")
    if _run("ip", "netns", "add", names[0], check=False):
        pytest.skip("this user cannot make network namespaces")
    _run("ip", "netns", "del", names[0])
    hosts = []
    try:
        hosts += [Host(name, tmp_path / name[-1]) for name in names]
        for number, (left, right) in enumerate(pairwise(hosts), 1):
            ends = f"ino{os.getpid()}l{number}"[:15], f"ino{os.getpid()}r{number}"[:15]
            _run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
            for host, end, last in ((left, ends[0], number), (right, ends[1], number + 1)):
                _run("ip", "link", "set", end, "netns", host.name)
                address = f"10.86.{number}.{last}/24"
                _run("ip", "-n", host.name, "address", "add", address, "dev", end)
                _run("ip", "-n", host.name, "link", "set", end, "up")
        yield hosts
    finally:
        for host in hosts:
            host.stop()
        for name in names:
            _run("ip", "netns", "del", name, check=False)


def settings(host: Host, target: str, **more: object) -> dict[str, object]:
    """Return a config as of docs/scale.rst."""
    return {
        "wpath": f"{host.mirror}/",
        "rnodes": [f"rsync://{target}/host/mirror/"],
        "rscope": "changes",
        "edelay": 0.1,
        "rretry": (0.2, 0.5),
        **more,
    }


def test_a_relay_passes_on_what_it_is_sent(chain: list[Host], tmp_path: Path) -> None:
    first, relay, last = chain
    grow(first.mirror, seed=7)
    for host in (relay, last):
        host.serve()
    # Only over the relay.
    assert first.reach("10.86.1.2") == 0
    assert relay.reach("10.86.2.3") == 0
    assert first.reach("10.86.2.3") != 0
    feeding = Daemon(
        tmp_path / "feeding",
        settings(first, "10.86.1.2", extra="--temp-dir=/tmp"),
        prefix=first.inside,
    )
    passing = Daemon(
        tmp_path / "passing",
        settings(relay, "10.86.2.3", rmaxdelete=1000),
        prefix=relay.inside,
    )
    with feeding, passing:
        # The relay is empty: it is held, and begins when it is filled.
        passing.start(ready=False)
        passing.wait_for_log("is empty")
        feeding.start()
        wait_equal(first.mirror, relay.mirror)
        wait_equal(first.mirror, last.mirror)
        churn(first.mirror, 7, steps=100)
        write(first.mirror, "a/new/file", "x")
        wait_equal(first.mirror, last.mirror)
        # A barrier for each level is one for the chain.
        write(first.mirror, "a/new/one more", "x")
        for daemon in (feeding, passing):
            waited = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
            assert waited.returncode == 0, waited.stderr
        assert (last.mirror / "a/new/one more").read_text() == "x"
        # The relay goes away and comes back: nothing is lost.
        relay.stop()
        write(first.mirror, "while it was away", "x")
        shutil.rmtree(first.mirror / "a")
        feeding.wait_for_log("exit 10")
        relay.serve()
        wait_equal(first.mirror, last.mirror)
        for host in (relay, last):
            assert list((host.folder / "tmp").iterdir()) == []


def test_a_relay_that_is_filled_anew_deletes_nothing(chain: list[Host], tmp_path: Path) -> None:
    _, relay, last = chain
    last.serve()
    for number in range(30):
        write(last.mirror, f"file {number}", "x")
    write(relay.mirror, "the first that has come", "x")
    passing = Daemon(
        tmp_path / "passing", settings(relay, "10.86.2.3", rmaxdelete=20), prefix=relay.inside
    )
    with passing:
        passing.start()
        passing.wait_for_log("would delete 30 files")
        assert len(list(last.mirror.iterdir())) == 30
