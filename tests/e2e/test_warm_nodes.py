"""Runs that stand ready on nodes with little room: in nobody's way, and no failure for that."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from support import processes
from support.daemon import QUICK, Daemon, run_inosync, settings
from support.line import line
from support.places import wait_equal
from support.servers import RsyncDaemon, SshServer, free_port, greeting
from support.trees import write
from support.waiting import until

#: A remote shell of the user's own. As long as there is a file "full", a node behind it has room
#: for no run; as long as there is one "poor", for one.
SHELL = """\
#!/bin/sh
cd {folder}
[ ! -e full ] || exit 255
[ ! -e poor ] || ! pgrep -f '^rsync --server .* {folder}' >/dev/null || exit 255
shift
exec sh -c "$*"
"""

#: An ssh that gives up a dead connection after 2 seconds, where it is told to do so after 45.
IMPATIENT = """\
#!/bin/sh
for word; do
    shift
    case $word in
        ServerAliveInterval=15) word=ServerAliveInterval=1 ;;
        ServerAliveCountMax=3) word=ServerAliveCountMax=1 ;;
    esac
    set -- "$@" "$word"
done
exec {ssh} -o HostKeyAlias=[127.0.0.1]:{port} "$@"
"""


def wait_ready(daemon: Daemon, count: int = 1) -> None:
    """Wait until so many runs stand ready, and those that tried the node beside them have gone."""
    daemon.wait_for_log("the next run stands ready", times=count)
    seen: list[int] = []

    def alone() -> bool:
        seen.append(len(processes.children(daemon.pid)))
        return seen[-10:] == [count] * 10  # between two that try there is none

    until(alone, what="none but those", state=daemon.log)


def test_a_run_that_finds_no_room_beside_those_that_stand_ready_is_made_again_unsaid(
    inosync: Callable, source: Path, tmp_path: Path
) -> None:
    shell, other = tmp_path / "shell", tmp_path / "other"
    shell.write_text(SHELL.format(folder=tmp_path))
    shell.chmod(0o755)
    write(other, "1", "x")
    mirrors = [tmp_path / "m0", tmp_path / "m1"]
    daemon = inosync(
        {
            **QUICK,
            "wpaths": [f"{source}/", f"{other}/"],
            "rpaths": [f"{mirror}/" for mirror in mirrors],
            "rnodes": ["host:"],
            "rscope": "changes",
            "rparallel": 1,
            "extra": ["-e", str(shell)],
        }
    )
    wait_ready(daemon, 2)
    (tmp_path / "poor").touch()
    run_inosync("-c", daemon.config_file, "--sync", cwd=daemon.folder)
    daemon.wait_for_log("full pass done (asked for)", times=2)
    assert "next try in" not in daemon.log()
    assert "no room beside what stands ready" in daemon.log()
    # A host that has no room for them is left in peace for a while.
    until(lambda: not processes.children(daemon.pid), what="no run that waits")

    # One that finds no room where none stands ready has failed.
    (tmp_path / "full").touch()
    write(source, "1", "shut out")
    daemon.wait_for_log("next try in")
    (tmp_path / "full").unlink()
    wait_equal(source, mirrors[0])


def test_one_whose_connection_was_forgotten_is_given_up_before_its_time(
    inosync: Callable, source: Path, rsync_daemon: RsyncDaemon
) -> None:
    port, mirror = free_port(), rsync_daemon.root
    with line(port, rsync_daemon.port) as way:
        until(lambda: greeting(port), what="the line")
        at = {"node": f"rsync://127.0.0.1:{port}/mirror/", "rwarm": 60, "rtimeout": 6}
        daemon = inosync(settings(source, at, rscope="changes"))
        wait_ready(daemon)
        with way.dead():
            write(source, "1", "lost on the line")
            daemon.wait_for_log("what stood ready was dead (exit -9)")  # rsync's own ends with 30
        wait_equal(source, mirror)
    assert "next try in" not in daemon.log()


def test_over_ssh_a_dead_line_is_noticed_while_nothing_is_to_be_carried(
    inosync: Callable, source: Path, ssh_server: SshServer, tmp_path: Path
) -> None:
    port, mirror, ssh = free_port(), tmp_path / "mirror", tmp_path / "bin" / "ssh"
    mirror.mkdir()
    ssh.parent.mkdir()
    ssh.write_text(IMPATIENT.format(ssh=ssh_server.bin / "ssh", port=ssh_server.port))
    ssh.chmod(0o755)
    with line(port, ssh_server.port) as way:
        until(lambda: greeting(port), what="the line")
        node = ssh_server.url(mirror).replace(f":{ssh_server.port}/", f":{port}/") + "/"
        path = {"PATH": f"{ssh.parent}:{os.environ['PATH']}"}
        daemon = inosync(settings(source, node, rscope="changes"), environment=path)
        wait_ready(daemon)
        with way.dead():
            daemon.wait_for_log("what stood ready has ended with 255")
        write(source, "1", "changed")
        wait_equal(source, mirror)


def test_others_get_into_a_module_that_lets_one_in_at_a_time(
    inosync: Callable, source: Path, rsync_daemon: RsyncDaemon
) -> None:
    rsync_daemon.admit(1)
    node = {"node": rsync_daemon.url(), "rwarm": 60}  # by who has forgotten that limit
    daemon = inosync(settings(source, node, rscope="changes"))
    daemon.wait_for_log("the next run stands ready")
    other = ["rsync", rsync_daemon.url()]
    until(
        lambda: subprocess.run(other, capture_output=True, check=False).returncode == 0,
        what="another one that is let in",
        seconds=20,
    )
    write(source, "1", "changed")
    wait_equal(source, rsync_daemon.root)
    until(lambda: not processes.children(daemon.pid), what="no run that waits")
    assert "next try in" not in daemon.log()
