"""The run that stands ready: it takes the next change, and nothing goes wrong by it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from support import processes
from support.daemon import Daemon, run_inosync, settings
from support.line import line
from support.places import Place, wait_equal
from support.servers import RsyncDaemon, free_port, greeting
from support.trees import write
from support.waiting import until

READY = re.compile(r"the next run stands ready \(pid (\d+)\)")
TAKEN = re.compile(r"\(stood ready, pid (\d+)\)")


def ready(daemon: Daemon, *before: int) -> int:
    """Wait until a run stands ready that is none of those before; return its pid."""

    def waiting() -> int:
        pid = last(READY, daemon)
        known = (*before, *map(int, TAKEN.findall(daemon.log())))
        return pid if pid and pid not in known and processes.alive(pid) else 0

    return until(waiting, what="a ready run", state=daemon.log)


def last(pattern: re.Pattern[str], daemon: Daemon) -> int:
    """Return the last pid of this pattern in the log, or 0."""
    return int((pattern.findall(daemon.log()) or [0])[-1])


def wait_still(*pids: int) -> None:
    """Wait until these processes read and write nothing."""
    seen: list[list[str]] = []

    def still() -> bool:
        seen.append([Path(f"/proc/{pid}/io").read_text() for pid in pids])
        return len(seen) > 5 and all(each == seen[-1] for each in seen[-5:])

    until(still, what="processes that wait")


def failures(daemon: Daemon) -> int:
    """Return how many runs have failed."""
    asked = run_inosync("-c", daemon.config_file, "--status", "--json", cwd=daemon.folder)
    return sum(mirror["failures"] for mirror in json.loads(asked.stdout)["mirrors"])


def test_the_next_change_goes_by_the_run_that_stands_ready(
    inosync: Callable, source: Path, place: Place, tmp_path: Path
) -> None:
    write(source, "a/b/1", "x")
    node = {"node": place.node, "rscope": "changes", "rwarm": 60}
    plain = settings(source, node)
    daemon = inosync(plain, environment=place.environment)
    wait_equal(source, place.root)
    first = ready(daemon)  # behind the first pass
    write(source, "a/b/1", "changed")
    second = ready(daemon, first)
    wait_equal(source, place.root)
    assert last(TAKEN, daemon) == first
    write(source, "#2", "new")
    (source / "first").unlink()
    third = ready(daemon, first, second)
    wait_equal(source, place.root)
    assert last(TAKEN, daemon) == second

    # One that knows other rules is of no use.
    daemon.configure(plain | {"rexcludes": ["*.no"]})
    daemon.hup()
    daemon.wait_for_log("config loaded again")
    run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
    processes.wait_gone([third])
    write(source, "hidden.no", "x")
    write(source, "a/3", "new")
    ready(daemon, third)
    wait_equal(source / "a", place.root / "a")
    assert not (place.root / "hidden.no").exists()
    (source / "hidden.no").unlink()
    write(source, "3", "new")
    wait_equal(source, place.root)

    assert failures(daemon) == 0

    # Another directory is in the place of the source, and it is empty: nothing is deleted.
    away = tmp_path / "away"
    source.rename(away)
    source.mkdir()
    daemon.wait_for_log("held")
    wait_equal(away, place.root)
    source.rmdir()
    away.rename(source)
    write(source, "a/4", "new")
    wait_equal(source, place.root)
    assert daemon.stop() == 0
    processes.wait_gone(map(int, READY.findall(daemon.log())))
    assert not daemon.leftovers()


def test_one_that_is_dead_costs_nothing(inosync: Callable, source: Path, local: Place) -> None:
    waits = settings(source, local.node, rscope="changes")
    daemon = inosync(waits)
    wait_equal(source, local.root)
    # Its other end has died, of which it knows nothing as long as it waits.
    other = until(lambda: processes.children(ready(daemon)), what="the other end")
    wait_still(*other)
    processes.kill(other)
    processes.wait_gone(other)
    write(source, "1", "changed")
    # The latter where it was not ready yet.
    dead = re.compile(r"what stood ready (was dead|has ended with) ")
    until(lambda: dead.search(daemon.log()), what="a dead run")
    wait_equal(source, local.root)
    assert failures(daemon) == 0
    # A node that ends one is not asked again soon.
    until(lambda: not processes.children(daemon.pid), what="the end of all")

    daemon.stop()
    daemon.start()
    processes.kill([ready(daemon)])
    write(source, "1", "once more")
    wait_equal(source, local.root)
    assert failures(daemon) == 0

    daemon.hup()  # a new config, a new try
    daemon.wait_for_log("config loaded again")
    run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
    write(source, "1", "for the third time")
    waiting = ready(daemon)
    daemon.kill()
    processes.wait_gone([waiting])
    until(lambda: not daemon.leftovers(), what="no process")


def test_a_line_that_is_dead_unseen_costs_no_more_than_a_run_that_is_started(
    inosync: Callable, source: Path, rsync_daemon: RsyncDaemon
) -> None:
    mirror = rsync_daemon.root / "mirror"
    mirror.mkdir()
    port = free_port()
    with line(port, rsync_daemon.port) as way:
        until(lambda: greeting(port), what="the line")
        node = f"rsync://127.0.0.1:{port}/{rsync_daemon.url('mirror/').split('/', 3)[3]}"
        at = {"node": node, "rscope": "changes", "rwarm": 60, "rtimeout": 4}
        daemon = inosync(settings(source, at, rretry=(0.5, 0.5)))
        wait_equal(source, mirror)
        write(source, "1", "by the line")
        wait_equal(source, mirror)
        waiting = ready(daemon)
        wait_still(waiting)
        with way.dead():
            write(source, "1", "lost on the line")
            daemon.wait_for_log(f"(stood ready, pid {waiting})")
            asked = run_inosync("-c", daemon.config_file, "--wait", "0.2", cwd=daemon.folder)
            assert asked.returncode != 0
            until(lambda: failures(daemon), what="the end of the run")
            asked = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
            assert "0 of 1 mirror in sync" in asked.stdout
        wait_equal(source, mirror)
        write(source, "1", "and again")
        wait_equal(source, mirror)
    assert daemon.stop() == 0


def test_who_needs_a_session_of_the_host_gets_it(
    inosync: Callable, source: Path, tmp_path: Path
) -> None:
    """By a remote shell of the user's own, which says what ssh does when sshd admits no more."""
    full, shell = tmp_path / "full", tmp_path / "shell"
    said = "mux_client_request_session: session request failed: Session open refused by peer"
    shell.write_text(f'#!/bin/sh\n[ ! -e {full} ] || echo {said} >&2\nshift\nexec sh -c "$*"\n')
    shell.chmod(0o755)
    other = tmp_path / "other"
    write(other, "1", "x")
    mirrors = [tmp_path / "m0", tmp_path / "m1"]
    daemon = inosync(
        {
            "edelay": 0.1,
            "wpaths": [f"{source}/", f"{other}/"],
            "rpaths": [f"{mirror}/" for mirror in mirrors],
            "rnodes": ["host:"],
            "rscope": "changes",
            "extra": ["-e", str(shell)],
        }
    )
    daemon.wait_for_log("in sync (first pass", times=2)
    until(lambda: len(processes.children(daemon.pid)) == 2, what="one for each")
    write(source, "1", "changed")
    wait_equal(source, mirrors[0])
    assert last(TAKEN, daemon)
    full.touch()
    run_inosync("-c", daemon.config_file, "--sync", cwd=daemon.folder)  # no list: a run of its own
    wait_equal(other, mirrors[1])
    until(lambda: not processes.children(daemon.pid), what="no run that waits")
    assert failures(daemon) == 0


def test_after_a_while_nothing_waits(inosync: Callable, source: Path, local: Place) -> None:
    """Nor does anything while it does that a source or a mirror cannot be unmounted for."""
    daemon = inosync(settings(source, local.node, rscope="changes", rwarm=1.5))
    wait_equal(source, local.root)
    waiting = ready(daemon)
    pair = until(
        lambda: (found := [waiting, *processes.descendants(waiting)])[1:] and found, what="both"
    )
    assert {str(Path(f"/proc/{pid}/cwd").readlink()) for pid in pair} == {"/"}
    processes.wait_gone(pair)
    assert processes.children(daemon.pid) == []
    wait_equal(source, local.root)
