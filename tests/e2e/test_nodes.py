"""Bad days of a node: refusing, hanging, full, read-only. No other node may notice."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import processes
from support.daemon import run_inosync, settings
from support.fakersync import FakeRsync
from support.line import line
from support.places import Place, wait_equal
from support.servers import RsyncDaemon, SshServer, free_port, greeting
from support.trees import compare, write
from support.waiting import until

CODES = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 20, 21, 22, 23, 30, 35, 126, 127, 255, 77)


def test_after_any_failure_the_mirror_converges_without_a_new_change(
    inosync: Callable, source: Path, tmp_path: Path, fakersync: FakeRsync
) -> None:
    """One node for each exit status that may pass, all at once."""
    nodes = {code: f"{tmp_path}/mirror {code}/" for code in CODES}
    for code, node in nodes.items():
        Path(node).mkdir()
        fakersync.to(node, exit=code)
    daemon = inosync(
        settings(source, *nodes.values(), rsync=str(fakersync.path), rparallel=len(nodes))
    )
    for code in CODES:
        daemon.wait_for_log(f"exit {code}:")
    for node in nodes.values():
        fakersync.to(node, delegate=True)
    for node in nodes.values():
        wait_equal(source, Path(node))
    daemon.wait_for_log("well again", times=len(nodes))
    for code in CODES:
        assert daemon.log().count(f"exit {code}:") == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_run_that_is_killed_is_tried_again(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync, number: signal.Signals
) -> None:
    fakersync.always(signal=int(number))
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path)))
    daemon.wait_for_log(f"killed by signal {int(number)}")
    fakersync.always(delegate=True)
    wait_equal(source, local.root)


def test_vanished_files_are_no_failure(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(exit=24)
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path)))
    daemon.wait_for_log("in sync (first pass")
    assert "next try" not in daemon.log()


def test_rsyncs_max_delete_holds_the_mirror_until_a_person_says_go_on(
    inosync: Callable, source: Path, local: Place
) -> None:
    for number in range(5):
        write(local.root, f"stale {number}", "x")
    daemon = inosync(settings(source, local.node, extra="--max-delete=2"))
    daemon.wait_for_log("exit 25: the --max-delete limit stopped deletions")
    status = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
    assert status.returncode == 5
    assert re.search(r"held .*\n +the --max-delete limit stopped deletions", status.stdout)


def test_one_bad_node_among_eight_delays_none_of_the_seven(
    inosync: Callable, source: Path, tmp_path: Path, fakersync: FakeRsync
) -> None:
    """The bad one hangs, and twice as many are well as may run at once."""
    nodes = [f"{tmp_path}/mirror {number}/" for number in range(8)]
    for node in nodes:
        Path(node).mkdir()
    fakersync.always(delegate=True)
    fakersync.to(nodes[0], hold=True)
    inosync(settings(source, *nodes, rsync=str(fakersync.path), rparallel=4))
    for number in range(3):
        write(source, f"file {number}", "x")
        for node in nodes[1:]:
            wait_equal(source, Path(node))
    assert compare(source, Path(nodes[0])) != []
    fakersync.release()
    fakersync.to(nodes[0], delegate=True)
    wait_equal(source, Path(nodes[0]))


def test_a_stopped_rsync_is_ended_after_rtimeout(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(hold=True)
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path), rtimeout=2))
    (call,) = fakersync.wait_for_calls(1)
    os.killpg(call.group, signal.SIGSTOP)
    fakersync.always(delegate=True)
    daemon.wait_for_log("its run did nothing for 2 s (rtimeout): ended, to be tried again")
    processes.wait_gone([call.pid])
    wait_equal(source, local.root)


def test_an_rsync_that_only_keeps_its_connection_alive_is_ended(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    """So does a sender for ever, with --timeout, when the generator on the node was killed."""
    program, first = tmp_path / "rsync", tmp_path / "first"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, time\n"
        "if '--version' in sys.argv or os.path.exists({first!r}):\n"
        "    os.execv({rsync!r}, sys.argv)\n"
        "open({first!r}, 'w').close()\n"
        "null = open(os.devnull, 'wb', buffering=0)\n"
        "while True:\n"
        "    null.write(b'noop')\n"
        "    time.sleep(0.1)\n".format(first=str(first), rsync=shutil.which("rsync"))
    )
    program.chmod(0o755)
    daemon = inosync(settings(source, local.node, rsync=str(program), rtimeout=2))
    daemon.wait_for_log("its run did nothing for 2 s (rtimeout): ended, to be tried again")
    wait_equal(source, local.root)


def test_a_node_that_accepts_and_never_answers(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    """What one says before it falls silent is told."""
    shell = tmp_path / "shell"
    shell.write_text("#!/bin/sh\necho welcome >&2; echo the disk hangs >&2; exec sleep 99\n")
    shell.chmod(0o755)
    talker = {"node": "talker:/m/", "extra": f"-e {shell}"}
    with socket.create_server(("127.0.0.1", 0)) as hole:
        port = hole.getsockname()[1]
        daemon = inosync(
            settings(source, local.node, f"rsync://127.0.0.1:{port}/module/", talker, rtimeout=2)
        )
        wait_equal(source, local.root)
        write(source, "goes on", "x")
        wait_equal(source, local.root)
        told = "its run did nothing for 2 s (rtimeout): ended, to be tried again"
        daemon.wait_for_log(f"/module/: {told}\n")
        daemon.wait_for_log(f"talker:/m/: {told}; its last words were: the disk hangs\n")


def test_an_rsync_daemon_that_is_stopped_in_a_transfer(
    inosync: Callable, source: Path, rsync_daemon: RsyncDaemon
) -> None:
    write(source, "big", os.urandom(3_000_000))
    daemon = inosync(settings(source, rsync_daemon.url(), rspeed=500, rtimeout=2))
    until(lambda: list(rsync_daemon.root.glob(".big.*")), what="the transfer to begin")
    server = rsync_daemon._process
    assert server is not None
    sessions = processes.descendants(server.pid)
    processes.kill(sessions, signal.SIGSTOP)
    daemon.configure(settings(source, rsync_daemon.url(), rtimeout=2))
    daemon.hup()
    # rsync's own timeout or ours, whichever sees it first.
    until(
        lambda: re.search("next try in|to be tried again", daemon.log()),
        seconds=30,
        what="the run to be given up",
        state=daemon.log,
    )
    processes.kill(sessions)
    wait_equal(source, rsync_daemon.root)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("rsync://127.0.0.1:{port}/no-such-module/", "check the module's name"),
        ("rsync://127.0.0.1:{closed}/mirror/", "check that 127.0.0.1 is up"),
        ("nobody@nowhere.invalid:/x", "try 'ssh nobody@nowhere.invalid true'"),
        ("/nonexistent/parent/mirror/", "its parent directory exists"),
        ("rsync://127.0.0.1:{port}/mirror/no/parent/", "its parent directory exists"),
    ],
)
def test_what_is_wrong_with_a_node_is_said_once_with_its_cure(
    inosync: Callable,
    source: Path,
    local: Place,
    rsync_daemon: RsyncDaemon,
    node: str,
    said: str,
) -> None:
    node = node.format(port=rsync_daemon.port, closed=free_port())
    daemon = inosync(settings(source, node, local.node))
    daemon.wait_for_log(said)
    wait_equal(source, local.root)
    line = next(line for line in daemon.log().splitlines() if said in line)
    assert "next try in" in line
    daemon.wait_for_log("  command: ")
    assert daemon.log().count("  command: ") == 1


def test_a_missing_remote_rsync_and_its_return(
    inosync: Callable, source: Path, tmp_path: Path, ssh_server: SshServer
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    remote = tmp_path / "remote-rsync"
    daemon = inosync(
        settings(source, ssh_server.url(mirror) + "/", extra=f"--rsync-path={remote}"),
        environment=ssh_server.environment(),
    )
    daemon.wait_for_log("install rsync on 127.0.0.1")
    remote.symlink_to("/usr/bin/rsync")
    wait_equal(source, mirror)


def test_a_read_only_module_converges_when_it_is_mended(
    inosync: Callable, source: Path, rsync_daemon: RsyncDaemon
) -> None:
    config = rsync_daemon.folder / "rsyncd.conf"
    text = config.read_text()
    config.write_text(text.replace("read only = no", "read only = yes"))
    daemon = inosync(settings(source, rsync_daemon.url()))
    daemon.wait_for_log("next try in")
    config.write_text(text)
    wait_equal(source, rsync_daemon.root)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
def test_a_full_disk_converges_when_there_is_room(
    inosync: Callable, source: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", mirror], check=True)
    try:
        write(source, "too big", os.urandom(3_000_000))
        write(source, "small", "x")
        daemon = inosync(settings(source, f"{mirror}/"))
        daemon.wait_for_log("No space left on device")
        subprocess.run(["mount", "-o", "remount,size=10m", mirror], check=True)
        wait_equal(source, mirror)
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", mirror], check=True)


def test_on_return_there_is_one_run_for_all_that_came(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(exit=255)
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path)))
    for number in range(30):
        write(source, f"file {number}", "x")
        fakersync.wait_for_calls(number // 5 + 1)
    fakersync.always(delegate=True)
    wait_equal(source, local.root)
    daemon.wait_for_log("well again")
    assert [call.code for call in fakersync.calls()].count(0) == 1


def test_the_waits_of_nodes_that_failed_together_differ(
    inosync: Callable, source: Path, tmp_path: Path, fakersync: FakeRsync
) -> None:
    fakersync.always(exit=255)
    nodes = [f"{tmp_path}/{number}/" for number in range(8)]
    daemon = inosync(settings(source, *nodes, rsync=str(fakersync.path), rretry=(100, 100)))
    daemon.wait_for_log("next try in", times=len(nodes))
    waits = re.findall(r"next try in ([\d.]+) s", daemon.log())
    assert len(set(waits)) > 4, waits


def test_a_status_is_to_be_had_while_everything_is_down(
    inosync: Callable, source: Path, tmp_path: Path
) -> None:
    daemon = inosync(settings(source, f"rsync://127.0.0.1:{free_port()}/m/"))
    daemon.wait_for_log("next try in")
    daemon.configure("this is = not a config")
    began = time.monotonic()
    asked = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
    assert asked.returncode == 5
    assert "0 of 1 mirror in sync, the longest behind for" in asked.stdout
    assert time.monotonic() - began < 5
    unknown = daemon.folder / "other.conf"
    unknown.write_text(f"wpath = {str(source)!r}\nrnodes = ['a:/b']\n")
    asked = run_inosync("-c", unknown, "--status", cwd=daemon.folder)
    assert asked.returncode == 4
    assert "no daemon answers" in asked.stderr


def test_what_was_still_on_the_line_when_a_run_was_killed_does_not_stay(
    inosync: Callable, source: Path, rsync_daemon: RsyncDaemon
) -> None:
    port, mirror = free_port(), rsync_daemon.root
    with line(port, rsync_daemon.port, rate=50_000):
        until(lambda: greeting(port), what="the line")
        at = {"node": f"rsync://127.0.0.1:{port}/mirror/", "rwarm": 0, "rlate": 20}
        daemon = inosync(settings(source, at, rscope="changes"))
        wait_equal(source, mirror)
        daemon.wait_for_log("in sync (first pass")

        def asked(*command: str, exits: int = 0) -> str:
            answer = run_inosync("-c", daemon.config_file, *command, cwd=daemon.folder)
            assert answer.returncode == exits, answer
            return answer.stdout

        write(source, "before", os.urandom(300_000))
        write(source, "file", os.urandom(100_000))
        until(lambda: any(mirror.glob(".before.*")), what="what goes on for eight seconds")
        time.sleep(1)  # until the run has left all of it to the line
        for child in processes.children(daemon.pid):
            os.kill(child, signal.SIGKILL)
        write(source, "file", "later")
        until(lambda: (mirror / "file").stat().st_size == 5, what="what is later")
        until(lambda: daemon.log().count("well again") == 1, what="the run after it")

        def idle() -> Any:
            (known,) = json.loads(asked("--status", "--json", exits=5))["mirrors"]
            return known if known["state"] == "idle" else None

        known = until(idle, what="an end of what is known")
        assert known["lag"] is not None
        assert "may arrive yet" in known["notes"][0]
        assert "next try in" in asked("--status", exits=5)
        until(lambda: (mirror / "file").stat().st_size == 100_000, what="what it was before")
        asked("--wait", "60")
        assert (mirror / "file").read_bytes() == b"later"
        asked("--status")
