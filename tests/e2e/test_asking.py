"""What the command line asks of a running daemon."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.daemon import Daemon, config_text, inosync_command, inosync_environment, run_inosync
from support.fakersync import FakeRsync
from support.places import Place, wait_equal
from support.servers import free_port
from support.trees import write
from support.waiting import until

from inosync.commands import client


def settings(source: Path, *nodes: str, **more: object) -> dict[str, object]:
    return {"edelay": 0.1, "wpath": f"{source}/", "rnodes": list(nodes), **more}


def ask(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run inosync with the daemon's config."""
    return run_inosync("-c", daemon.config_file, *arguments, cwd=daemon.folder)


def status(daemon: Daemon) -> Any:
    asked = ask(daemon, "--status", "--json")
    assert asked.returncode in (0, 5), asked.stderr
    return json.loads(asked.stdout)


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))  # without a limit: one would fail where there is a queue
        connection.settimeout(20)
        yield connection


def test_the_status_tells_what_is_well_and_what_is_not(
    inosync: Callable, source: Path, local: Place
) -> None:
    dead = f"rsync://127.0.0.1:{free_port()}/m/"
    daemon = inosync(settings(source, local.node, dead))
    daemon.wait_for_log("next try in")
    daemon.wait_for_log("in sync (first pass")
    now = status(daemon)
    assert (now["schema"], now["synced"], now["paused"]) == (1, False, False)
    assert now["daemon"]["pid"] == daemon.pid
    assert now["daemon"]["config"] == str(daemon.config_file)
    assert abs(now["at"] - time.time()) < 10
    assert now["daemon"]["rss"] > 1_000_000
    well, failing = now["mirrors"]
    assert (well["state"], well["lag"], well["files_sent"]) == ("idle", None, 1)
    assert failing["lag"] > 0
    assert failing["last_failure"]["exit"] == 10
    assert "onnection refused" in " ".join(failing["last_failure"]["lines"])
    shown = ask(daemon, "--status")
    assert shown.returncode == 5
    assert shown.stdout.startswith("1 of 2 mirrors in sync, the longest behind for ")
    assert f"source {source}: watched, 1 directory" in shown.stdout


def test_a_run_at_work_tells_how_far_it_is(inosync: Callable, source: Path, local: Place) -> None:
    for number in range(40):
        write(source, f"{number}", "x" * 100_000)
    daemon = inosync(settings(source, local.node, rspeed=400))

    def told() -> Any:
        run = status(daemon)["mirrors"][0]["run"]
        return run if run and run["bytes"] else None

    run = until(told, what="progress")
    assert run["full"] == "start-up"
    assert 0 < run["bytes"] <= 4_000_006
    assert 0 < run["files"] <= 41
    wait_equal(source, local.root)


def test_a_program_that_knows_no_such_signal_is_not_asked(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(delegate=True, hold=True)
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path)))
    until(lambda: status(daemon)["mirrors"][0]["run"], what="a run")
    fakersync.release()
    wait_equal(source, local.root)
    assert status(daemon)["mirrors"][0]["failures"] == 0


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_what_was_written_before_a_wait_is_on_the_mirror_after_it(
    inosync: Callable, source: Path, local: Place, scope: str, tmp_path: Path
) -> None:
    """Without a delay of our own: edelay does not hold a wait up. The program is Python's."""
    path = tmp_path / "control"
    inosync(settings(source, local.node, edelay=600, socket=str(path), rscope=scope))
    request = json.dumps({"version": 1, "command": "wait", "seconds": 30}).encode() + b"\n"
    for number in range(100):
        name = f"new {number}/deep/file" if number % 3 else f"file {number % 30}"
        write(source, name, str(number))
        with connected(path) as connection:
            connection.sendall(request)
            answer = json.loads(connection.makefile().readline())
        assert answer["synced"] is True, answer
        assert (local.root / name).read_text() == str(number)


def test_a_wait_covers_all_that_the_kernel_has_queued(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    """More than the daemon reads at once."""
    path = tmp_path / "control"
    write(source, "other/first", "x")
    more = {"edelay": 600, "socket": str(path), "rscope": "changes"}
    daemon = inosync(settings(source, local.node, **more))
    daemon.wait_for_log("in sync (first pass")
    daemon.signal(signal.SIGSTOP)
    for number in range(12_000):
        os.mknod(source / f"{number:0250}")
    write(source, "other/last", "x")
    with connected(path) as connection:
        connection.sendall(b'{"version": 1, "command": "wait", "seconds": 30}\n')
        daemon.signal(signal.SIGCONT)
        assert json.loads(connection.makefile().readline())["synced"] is True
    assert (local.root / "other/last").exists()


def test_a_dead_node_makes_a_wait_fail_at_its_limit(
    inosync: Callable, source: Path, local: Place
) -> None:
    dead = f"rsync://127.0.0.1:{free_port()}/m/"
    daemon = inosync(settings(source, local.node, dead))
    write(source, "new", "x")
    assert ask(daemon, "--wait", "20", "--node", local.node).returncode == 0
    assert (local.root / "new").exists()
    began = time.monotonic()
    asked = ask(daemon, "--wait", "0.5")
    assert asked.returncode == 5
    assert 0.5 <= time.monotonic() - began < 5
    assert "not in sync after 0.5 s: " in asked.stderr
    assert dead in asked.stderr
    assert local.node not in asked.stderr
    unknown = ask(daemon, "--wait", "--node", "nobody:/")
    assert unknown.returncode == 2
    assert f"there is no node nobody:/; known are {local.node}, {dead}" in unknown.stderr


def test_a_wait_for_a_held_source_says_why(inosync: Callable, source: Path, local: Place) -> None:
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    source.rename(source.with_name("away"))
    daemon.wait_for_log("held")
    asked = ask(daemon, "--wait", "0.2")
    assert asked.returncode == 5
    assert f"{source}: is gone" in asked.stderr
    source.with_name("away").rename(source)
    assert ask(daemon, "--wait", "20").returncode == 0


def test_a_pause_collects_changes_until_it_is_over(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(settings(source, local.node))
    assert ask(daemon, "--wait").returncode == 0
    paused = ask(daemon, "--pause")
    assert (
        paused.stdout
        == "paused: changes are collected, nothing is started; at work still: 0 runs\n"
    )
    write(source, "new", "x")
    assert "when --resume ends the pause" in ask(daemon, "--sync").stdout
    until(lambda: status(daemon)["mirrors"][0]["pending"], what="the change to be known")
    now = status(daemon)
    assert now["paused"] is True
    assert now["mirrors"][0]["state"] == "pending"
    assert "PAUSED" in ask(daemon, "--status").stdout
    assert "paused" in ask(daemon, "--wait", "0.1").stderr
    assert not (local.root / "new").exists()
    assert ask(daemon, "--resume").returncode == 0
    wait_equal(source, local.root)
    assert daemon.stop() == 0


def test_reload_tells_what_is_wrong(inosync: Callable, source: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    daemon = inosync(settings(source, f"{first}/"))
    daemon.configure(settings(source, f"{first}/") | {"edelay": "soon"})
    asked = ask(daemon, "--reload")
    assert asked.returncode == 2
    assert "edelay = 'soon'" in asked.stderr
    assert asked.stdout == "the old config stays in force\n"
    daemon.configure(settings(source, f"{first}/", f"{second}/"))
    asked = ask(daemon, "--reload")
    assert (asked.returncode, asked.stdout) == (0, "config loaded again\n")
    wait_equal(source, second)


def test_a_reload_changes_what_it_says_or_says_that_it_cannot(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    config = settings(source, local.node, init=False, rfull=86400, pidfile=f"{tmp_path}/pid")
    daemon = inosync(config)
    daemon.configure(config | {"socket": f"{tmp_path}/s", "pidfile": f"{tmp_path}/other"})
    daemon.hup()
    daemon.wait_for_log("the config is wrong")
    for name in ("socket", "pidfile"):
        assert re.search(f"{name} was .* restart the daemon, a reload cannot", daemon.log())
    second = run_inosync("-c", daemon.config_file, cwd=tmp_path)
    assert (second.returncode, "already running" in second.stderr) == (3, True)
    # The watcher is opened anew: what changes around that is carried, whatever init says.
    config |= {"eopen": 0}
    around = str(source / "around")
    daemon.configure(f"{config_text(config)}open({around!r}, 'w').close()\n")
    daemon.hup()
    daemon.wait_for_log("reload: config loaded again")
    wait_equal(source, local.root)
    daemon.configure(config | {"umask": "0077", "rfull": 1})
    assert ask(daemon, "--reload").returncode == 0
    assert "0077" in Path(f"/proc/{daemon.pid}/status").read_text()
    write(local.root, "stray", "x")
    wait_equal(source, local.root)


def test_a_held_source_is_not_compared_and_nobody_waits_for_it(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    door = f"{tmp_path}/door"
    write(source, "marker", "x")
    daemon = inosync(settings(source, local.node, wmarker="marker", socket=door))
    wait_equal(source, local.root)
    (source / "marker").unlink()
    until(lambda: status(daemon)["sources"][0]["state"] == "held", what="the guard")
    for options in (["--verify"], ["--verify", "--repair"]):
        asked = ask(daemon, *options)
        assert asked.returncode == 1, asked
        assert "NOT COMPARED: the daemon holds it: the source " in asked.stdout
    answer = client.ask([(door, None)], "wait", node="", seconds=20, impatient=True)
    assert (answer["synced"], answer["seconds"] < 10) == (False, True)


def test_a_wait_and_the_status_know_what_waits(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    door = f"{tmp_path}/door"
    waits: dict[str, object] = {"edelay": 600, "emaxdelay": 600, "rsettle": {"*.log": 1}}
    config = settings(source, local.node, socket=door, **waits)
    daemon = inosync(config)
    assert ask(daemon, "--wait", "20").returncode == 0
    write(source, "new", "x")
    until(lambda: status(daemon)["mirrors"][0]["lag"], what="the change that waits for edelay")
    assert ask(daemon, "--status").returncode == 5
    for number in range(3):
        for _ in range(300):  # so many that the daemon reads them in lots, after the question
            write(source, "busy", "x")
            time.sleep(0.0005)
        write(source, f"{number}.log", "x")
        assert client.ask([(door, None)], "wait", node="", seconds=20)["synced"]
        assert (local.root / f"{number}.log").exists()
    assert (local.root / "new").exists()


def test_top_shows_the_status_until_q_is_pressed(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(settings(source, local.node))
    assert ask(daemon, "--top").returncode == 2
    primary, secondary = pty.openpty()
    with subprocess.Popen(
        inosync_command("-c", daemon.config_file, "--top"),
        stdin=secondary,
        stdout=secondary,
        env=inosync_environment({"TERM": "xterm"}),
    ) as process:
        os.close(secondary)
        shown = b""
        while shown.count(b" in sync") < 2:
            shown += os.read(primary, 65536)
        os.write(primary, b"q")
        assert process.wait(10) == 0
    os.close(primary)


def test_a_stopped_daemon_is_told_from_a_dead_one(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    daemon = inosync(settings(source, local.node))
    daemon.signal(signal.SIGSTOP)
    script = (
        "from inosync.commands import client; "
        "client.ask([(sys.argv[1], None)], 'status', timeout=0.3)"
    )
    hangs = subprocess.run(
        [sys.executable, "-c", f"import sys; {script}", next(iter(sockets(daemon)))],
        env=inosync_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "TimeoutError" in hangs.stderr
    daemon.signal(signal.SIGCONT)
    assert daemon.stop() == 0
    assert ask(daemon, "--wait", "1").returncode == 4


def sockets(daemon: Daemon) -> list[str]:
    """Return the paths of the socket files that the daemon listens at; proc_net_unix(5)."""
    inodes = {
        os.readlink(f"/proc/{daemon.pid}/fd/{name}")[8:-1]
        for name in os.listdir(f"/proc/{daemon.pid}/fd")
        if os.readlink(f"/proc/{daemon.pid}/fd/{name}").startswith("socket:[")
    }
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return [line[7] for line in lines if line[6] in inodes and line[7:] and line[7][0] == "/"]


def test_a_client_that_waits_may_leave(inosync: Callable, source: Path, tmp_path: Path) -> None:
    path = tmp_path / "control"
    dead = f"rsync://127.0.0.1:{free_port()}/m/"
    daemon = inosync(settings(source, dead, socket=str(path)))
    before = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    for _ in range(40):  # more than may be connected at a time
        with connected(path) as connection:
            connection.sendall(b'{"version": 1, "command": "wait", "seconds": 1000}\n')
    status(daemon)
    until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) <= before, what="all to be closed")
    assert daemon.stop() == 0
