"""Runs that stand ready on nodes with little room: in nobody's way, and no failure for that."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from support import processes
from support.daemon import QUICK, run_inosync, settings
from support.line import line
from support.places import wait_equal
from support.servers import RsyncDaemon, free_port, greeting
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
    daemon.wait_for_log("the next run stands ready", times=2)
    until(lambda: len(processes.children(daemon.pid)) == 2, what="none but those")
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
        at = {"node": f"rsync://127.0.0.1:{port}/mirror/", "rwarm": 60, "rtimeout": 4}
        daemon = inosync(settings(source, at, rscope="changes"))
        daemon.wait_for_log("the next run stands ready")
        until(lambda: len(processes.children(daemon.pid)) == 1, what="none but that")
        with way.dead():
            write(source, "1", "lost on the line")
            daemon.wait_for_log("what stood ready was dead (exit -9)")  # rsync's own ends with 30
        wait_equal(source, mirror)
    assert "next try in" not in daemon.log()


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
