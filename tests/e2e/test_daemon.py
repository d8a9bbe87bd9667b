"""The daemon as a process: starting, stopping, signals, locks, pretending, detaching, idling."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import processes
from support.daemon import (
    QUICK,
    Daemon,
    inosync_command,
    inosync_environment,
    run_inosync,
    settings,
)
from support.fakersync import FakeRsync
from support.places import Place, wait_equal
from support.servers import RsyncDaemon, SshServer
from support.trees import compare, snapshot, write
from support.waiting import until

from inosync.engine.memory import decode
from inosync.service.keeper import MARGIN

# ---- excludes ----------------------------------------------------------------------------


def test_excluded_paths_cost_no_watch_no_run_and_no_deletion(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(delegate=True)
    write(source, "cache/deep/old", "x")
    write(source, "logs/a.log", "x")
    write(source, "logs/keep.log", "x")
    write(local.root, "cache/the mirror's own", "x")
    write(local.root, "stale.log", "x")
    daemon = inosync(
        settings(
            source,
            local.node,
            rsync=str(fakersync.path),
            rexcludes=["/cache/", "+ keep.log", "*.log"],
        )
    )
    first = fakersync.wait_for_calls(1)
    until((local.root / "logs/keep.log").exists, what="the first pass")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log("watched, 2 directories")
    for number in range(20):
        write(source, f"cache/deep/{number}", "x")
        write(source, f"cache/new {number}/x", "x")
        write(source, f"logs/{number}.log", "x")
        (source / f"logs/{number}.log").unlink()

    def noticed() -> bool:
        """The daemon has read these events: it watches logs, only not for such names."""
        status = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
        found = re.search(r"(\d+) event", status.stdout)
        assert status.returncode == 0, status.stdout
        return found is not None and int(found[1]) >= 60

    until(noticed, what="the events of 20 excluded files")
    assert len(fakersync.calls()) == 1
    write(source, "logs/keep.log", "changed")
    until(lambda: (local.root / "logs/keep.log").read_text() == "changed", what="the change")
    assert len(first) == 1
    assert len(fakersync.calls()) == 2
    assert (local.root / "cache/the mirror's own").exists()
    assert (local.root / "stale.log").exists()
    assert not (local.root / "cache/deep").exists()
    assert not (local.root / "logs/a.log").exists()


def test_a_rename_across_the_border_of_an_exclude(
    inosync: Callable, source: Path, local: Place
) -> None:
    inosync(settings(source, local.node, rexcludes=["*.part", "hidden/"]))
    write(source, "movie.part", "all of it")
    (source / "movie.part").rename(source / "movie")
    until(lambda: (local.root / "movie").read_text() == "all of it", what="the movie")
    (source / "movie").rename(source / "movie.part")
    until(lambda: not (local.root / "movie").exists(), what="the movie to go")
    write(source, "hidden/sub/file", "x")
    (source / "hidden").rename(source / "shown")
    until((local.root / "shown/sub/file").exists, what="the directory")
    write(source, "shown/sub/later", "x")
    until((local.root / "shown/sub/later").exists, what="a change in it")
    (source / "shown").rename(source / "hidden")
    until(lambda: not (local.root / "shown").exists(), what="the directory to go")


def test_rules_for_rsync_alone_are_named_and_work(
    inosync: Callable, source: Path, local: Place
) -> None:
    write(source, ".rules", "- secret\n")
    write(source, "secret", "x")
    daemon = inosync(settings(source, local.node, rexcludes=[": .rules"]))
    assert "': .rules' is applied by rsync alone" in daemon.log()
    until((local.root / "first").exists, what="the first pass")
    assert not (local.root / "secret").exists()


# ---- several sources, several nodes --------------------------------------------------------


def test_two_sources_with_paths_of_their_own(inosync: Callable, tmp_path: Path) -> None:
    for name in ("one", "two", "to"):
        (tmp_path / name).mkdir()
    write(tmp_path, "one/1", "1")
    write(tmp_path, "two/2", "2")
    inosync(
        QUICK
        | {
            "wpaths": [f"{tmp_path}/one/", f"{tmp_path}/two"],
            "rpaths": [f"{tmp_path}/to/a", f"{tmp_path}/to/b"],
            "rnodes": [""],
        }
    )
    wait_equal(tmp_path / "one", tmp_path / "to/a")
    wait_equal(tmp_path / "two", tmp_path / "to/b/two")
    write(tmp_path, "one/deep/er", "1")
    write(tmp_path, "two/deep/er", "2")
    wait_equal(tmp_path / "one", tmp_path / "to/a")
    wait_equal(tmp_path / "two", tmp_path / "to/b/two")


def test_a_virtual_root_is_kept_on_the_mirror(
    inosync: Callable, tmp_path: Path, local: Place
) -> None:
    write(tmp_path, "foo/bar/baz/file", "x")
    write(tmp_path, "foo/bar/beside", "x")
    inosync(QUICK | {"wpath": f"{tmp_path}/foo/./bar/baz", "rnodes": [local.node]})
    wait_equal(tmp_path / "foo/bar/baz", local.root / "bar/baz")
    write(tmp_path, "foo/bar/baz/sub/file", "x")
    wait_equal(tmp_path / "foo/bar/baz", local.root / "bar/baz")
    assert not (local.root / "bar/beside").exists()


def test_a_dead_node_delays_no_other_and_catches_up_when_it_returns(
    inosync: Callable, source: Path, tmp_path: Path, rsync_daemon: RsyncDaemon
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    rsync_daemon.stop()
    daemon = inosync(settings(source, f"{tmp_path}/a/", rsync_daemon.url(), f"{tmp_path}/b/"))
    for number in range(3):
        write(source, f"file {number}", "x")
        wait_equal(source, tmp_path / "a")
        wait_equal(source, tmp_path / "b")
    daemon.wait_for_log("exit 10: error in socket I/O; check that 127.0.0.1 is up")
    rsync_daemon.start()
    wait_equal(source, rsync_daemon.root)
    daemon.wait_for_log("well again")
    # One line when it failed and one when it was well, whatever the number of tries.
    assert daemon.log().count("exit 10:") == 1


def test_ssh_connections_are_shared_and_end_with_the_daemon(
    inosync: Callable, source: Path, tmp_path: Path, ssh_server: SshServer
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    daemon = inosync(
        settings(source, ssh_server.url(mirror) + "/"), environment=ssh_server.environment()
    )
    for number in range(5):
        write(source, f"file {number}", "x")
        wait_equal(source, mirror)
    assert ssh_server.connections() == 1
    found = re.search(r"ControlPath=(\S+)/%C", daemon.log())
    assert found is not None
    # ssh writes the path of its socket over its command line.
    masters = [
        pid for pid in processes.pids() if f"{found[1]}/" in " ".join(processes.command(pid))
    ]
    assert masters, "the shared connection should stand"
    assert daemon.stop() == 0
    processes.wait_gone(masters)
    assert daemon.leftovers() == []


def test_an_ssh_node_that_goes_and_comes_back(
    inosync: Callable, source: Path, tmp_path: Path, ssh_server: SshServer
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    daemon = inosync(
        settings(source, ssh_server.url(mirror) + "/"), environment=ssh_server.environment()
    )
    wait_equal(source, mirror)
    ssh_server.stop()
    write(source, "meanwhile", "x")
    daemon.wait_for_log("next try in")
    ssh_server.start()
    wait_equal(source, mirror)


def test_the_users_own_remote_shell_is_used(
    inosync: Callable, source: Path, tmp_path: Path, ssh_server: SshServer
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    shell = f'--rsh="ssh -F {shlex.quote(str(ssh_server.config))}"'
    inosync(settings(source, f"testhost:{mirror}/", extra=shell))
    wait_equal(source, mirror)


# ---- ends and beginnings -------------------------------------------------------------------


def test_term_in_a_burst_ends_clean_and_the_next_start_converges(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(settings(source, local.node, edelay=0))
    for number in range(300):
        write(source, f"{number % 7}/{number}", "x" * number)
    assert daemon.stop() == 0
    assert daemon.leftovers() == []
    write(source, "while it was away", "x")
    daemon.start()
    wait_equal(source, local.root)


def test_kill_9_leaves_nothing_that_blocks_and_the_next_start_converges(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(settings(source, local.node, edelay=0))
    for number in range(300):
        write(source, f"{number % 7}/{number}", "x" * number)
    daemon.kill()
    write(source, "while it was away", "x")
    (source / "first").unlink()
    daemon.start()
    wait_equal(source, local.root)


def test_runs_that_outlive_a_killed_daemon_end_before_the_next_one_begins(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    """An old run has an old list: it would delete what a new one has just sent."""
    fakersync.always(hold=True)
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path)))
    (old,) = fakersync.wait_for_calls(1)
    daemon.kill()
    assert processes.alive(old.pid)
    fakersync.always(delegate=True)
    daemon.start()
    wait_equal(source, local.root)
    assert not processes.alive(old.pid)


def test_term_ends_a_run_that_would_last_for_ever(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(hold=True)
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path)))
    (call,) = fakersync.wait_for_calls(1)
    assert daemon.stop(seconds=4) == 0
    processes.wait_gone([call.pid])


def test_a_deaf_run_is_killed_after_the_grace_or_at_a_second_signal(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(hold=True, deaf=True)
    daemon = inosync(settings(source, local.node, rsync=str(fakersync.path)))
    (call,) = fakersync.wait_for_calls(1)
    assert daemon.stop(seconds=10) == 0
    assert "rsync did not end when told to: killed" in daemon.log()
    processes.wait_gone([call.pid])
    daemon.start()
    call = fakersync.wait_for_calls(2)[1]
    daemon.signal(signal.SIGINT)
    daemon.wait_for_log("SIGINT: stopping")
    assert daemon.stop(seconds=3) == 0
    processes.wait_gone([call.pid])


def test_a_second_daemon_for_the_same_config_is_refused(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(settings(source, local.node))
    second = run_inosync("-c", daemon.config_file, cwd=daemon.folder)
    assert second.returncode == 3
    assert f"already running as process {daemon.pid}" in second.stderr


# ---- signals -------------------------------------------------------------------------------


def test_hup_takes_a_new_config(inosync: Callable, source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    daemon = inosync(settings(source, f"{tmp_path}/a/"))
    wait_equal(source, tmp_path / "a")
    daemon.configure(settings(source, f"{tmp_path}/a/", f"{tmp_path}/b/", rexcludes=["*.tmp"]))
    daemon.hup()
    daemon.wait_for_log("config loaded again")
    wait_equal(source, tmp_path / "b")
    write(source, "x.tmp", "x")
    write(source, "y", "y")
    until((tmp_path / "b/y").exists, what="y")
    assert not (tmp_path / "b/x.tmp").exists()
    # And back: what was excluded is transferred without a new change.
    daemon.configure(settings(source, f"{tmp_path}/b/"))
    daemon.hup()
    wait_equal(source, tmp_path / "b")
    write(source, "z", "z")
    wait_equal(source, tmp_path / "b")
    assert not (tmp_path / "a/z").exists()


def test_hup_with_a_broken_config_keeps_the_old_one(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(settings(source, local.node))
    for broken in ("wpath = \n", "wpath = '/nonexistent'\nrnode = ['x:/y']\n", "raise SystemExit"):
        before = daemon.log().count("the config is wrong, the old one stays in force")
        daemon.configure(broken)
        daemon.hup()
        daemon.wait_for_log("the config is wrong, the old one stays in force", times=before + 1)
    write(source, "still", "at work")
    wait_equal(source, local.root)


def test_hup_resolves_relative_paths_as_at_the_start(
    inosync: Callable, tmp_path: Path, source: Path, local: Place
) -> None:
    daemon = inosync(settings(Path("../source"), local.node))
    wait_equal(source, local.root)
    daemon.hup()
    daemon.wait_for_log("config loaded again")
    write(source, "later", "x")
    wait_equal(source, local.root)


def test_usr1_logs_the_status(inosync: Callable, source: Path, local: Place) -> None:
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    daemon.wait_for_log("in sync (first pass")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log(f"mirror {source} -> {local.node}: idle, in sync, 1 run, 0 failed")
    daemon.wait_for_log(f"source {source}: watched, 1 directory")


def test_usr2_repairs_what_was_changed_on_the_mirror(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    (local.root / "first").unlink()
    write(local.root, "stray", "x")
    daemon.signal(signal.SIGUSR2)
    wait_equal(source, local.root)


# ---- sources ---------------------------------------------------------------------------------


def test_a_source_that_is_empty_at_start_empties_no_mirror(
    inosync: Callable, source: Path, local: Place
) -> None:
    (source / "first").unlink()
    write(local.root, "precious", "x")
    daemon = inosync(settings(source, local.node))
    daemon.wait_for_log("is empty")
    assert (local.root / "precious").exists()
    write(source, "content", "x")
    wait_equal(source, local.root)


def test_a_source_that_vanishes_empties_no_mirror_and_comes_back(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    before = snapshot(local.root)
    source.rename(tmp_path / "elsewhere")
    daemon.wait_for_log("held, its mirrors are left as they are")
    daemon.signal(signal.SIGUSR2)
    daemon.wait_for_log("asked for a full pass of everything")
    assert snapshot(local.root) == before
    write(tmp_path, "elsewhere/while away", "x")
    (tmp_path / "elsewhere").rename(source)
    wait_equal(source, local.root)


# ---- pretending and detaching ------------------------------------------------------------------


def test_pretending_runs_nothing_and_prints_what_can_be_pasted(
    inosync: Callable, source: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "the mirror's place"
    mirror.mkdir()
    write(mirror, "stale", "x")
    before = snapshot(mirror)
    daemon = inosync(settings(source, f"{mirror}/", rexcludes=["don't"]), arguments=("-p",))
    write(source, "new", "x")
    daemon.wait_for_log("would execute: ", times=2)
    assert snapshot(mirror) == before
    assert "in sync" not in daemon.log()
    assert daemon.stop() == 0
    command = re.findall("would execute: (.*)", daemon.log())[-1]
    subprocess.run(["/bin/sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
    assert compare(source, mirror) == []


def start_detached(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    config = tmp_path / "inosync.conf"
    config.write_text(text)
    config.chmod(0o644)
    tmp_path.chmod(0o755)
    return run_inosync("-c", "inosync.conf", "-d", cwd=tmp_path)


def test_detached_it_is_one_process_with_a_locked_pid_file(
    source: Path, local: Place, tmp_path: Path
) -> None:
    pidfile = tmp_path / "inosync.pid"
    text = (
        "wpath = 'source/'\nrnodes = ['mirror/']\nedelay = 0.1\numask = '027'\n"
        f"pidfile = {str(pidfile)!r}\n"
    )
    started = start_detached(tmp_path, text)
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    pid = int(until(lambda: pidfile.read_text().strip(), what="the pid"))
    try:
        wait_equal(source, local.root)
        assert processes.parent(pid) is not None
        assert os.getsid(pid) != os.getsid(0)
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)} == {"/dev/null"}
        umask = re.search(r"^Umask:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)
        assert umask is not None
        assert umask[1] == "0027"
        again = start_detached(tmp_path, text)
        assert again.returncode == 3
        assert f"already running as process {pid}" in again.stderr
        write(source, "later", "x")
        wait_equal(source, local.root)
        # Relative paths were made absolute before the directory changed, and are at reload.
        os.kill(pid, signal.SIGHUP)
        write(source, "after the reload", "x")
        wait_equal(source, local.root)
    finally:
        os.kill(pid, signal.SIGTERM)
        processes.wait_gone([pid])
    assert not pidfile.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wpath = '/nonexistent/'\nrnodes = ['a:/b']\n", "/nonexistent"),
        ("wpath = 'source/'\nrnode = ['a:/b']\n", "did you mean rnodes"),
        ("wpath = 'source/'\nrnodes = ['a:/b']\nrsync = '/bin/true'\n", "--version"),
        ("wpath = 'source/'\nrnodes = ['a:/b']\nrverify = 'x'\n", "rverify = 'x'"),
    ],
)
def test_what_is_wrong_is_told_before_detaching(
    source: Path, tmp_path: Path, text: str, message: str
) -> None:
    started = start_detached(tmp_path, text)
    assert started.returncode == 2
    assert message in started.stderr
    assert "Traceback" not in started.stderr


def test_syslog_gets_what_a_detached_daemon_says(
    source: Path, local: Place, tmp_path: Path
) -> None:
    """Without a system logger to listen to: a socket at /dev/log in a mount namespace."""
    if os.getuid() != 0:
        pytest.skip("needs root for a private /dev/log")
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as logger:
        logger.bind(str(path))
        logger.settimeout(20)
        config = tmp_path / "web.py"
        pidfile = tmp_path / "pid"
        config.write_text(f"wpath = 'source/'\nrnodes = ['mirror/']\npidfile = {str(pidfile)!r}\n")
        config.chmod(0o644)
        tmp_path.chmod(0o755)
        script = 'touch /dev/log && mount --bind "$0" /dev/log && exec "$@"'
        command = inosync_command("-c", config, "-d")
        subprocess.run(
            ["unshare", "-m", "sh", "-c", script, path, *command],
            cwd=tmp_path,
            env=inosync_environment(),
            check=True,
        )
        pid = int(until(lambda: pidfile.read_text().strip(), what="the pid"))
        try:
            received = []
            while "ready after" not in (received or [""])[-1]:
                received.append(logger.recv(4096).decode())
        finally:
            os.kill(pid, signal.SIGTERM)
            processes.wait_gone([pid])
    # <30> is facility daemon, priority info; syslog(3) adds the time.
    assert re.fullmatch(rf"<30>.*inosync-web\[{pid}\]: watching {source}\0?", received[0])
    if Path("/dev/log").exists() and stat.S_ISREG(Path("/dev/log").stat().st_mode):
        Path("/dev/log").unlink()


# ---- systemd ---------------------------------------------------------------------------------


def test_systemd_hears_all_it_is_told(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    for number in range(2000):
        (source / str(number)).mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        daemon = inosync(
            settings(source, local.node),
            environment={
                "NOTIFY_SOCKET": str(tmp_path / "notify"),
                "WATCHDOG_USEC": "400000",
            },
        )
        heard: list[str] = []

        def hear(text: str) -> None:
            while not any(text in message for message in heard):
                heard.append(manager.recv(4096).decode())

        hear("STATUS=1 of 1 mirror well")
        # A slice of the walk, then ready, then the first pass.
        assert heard[0].startswith("STATUS=watching 512 directories…\nEXTEND_TIMEOUT_USEC=")
        assert heard.index("READY=1") < heard.index("STATUS=first pass 0/1 mirror")
        heard.clear()
        hear("WATCHDOG=1")
        heard.clear()
        hear("WATCHDOG=1")
        daemon.hup()
        hear("RELOADING=1\nMONOTONIC_USEC=")
        hear("READY=1")
        daemon.stop()
        hear("STOPPING=1")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root for a private /run/systemd/journal")
def test_the_journal_gets_fields(source: Path, local: Place, tmp_path: Path) -> None:
    """A datagram for each message; what is not taken goes to its stream, with priorities."""
    config = tmp_path / "web.py"
    config.write_text(f"wpath = 'source/'\nrnodes = [{str(local.node)!r}]\n")
    tmp_path.chmod(0o755)
    place = tmp_path / "journal"
    place.mkdir()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    reader, writer = socket.socketpair()
    script = (
        "mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&"
        ' mount --bind "$0" /run/systemd/journal && exec "$@"'
    )
    with listener, reader, writer:
        listener.bind(str(place / "socket"))
        listener.settimeout(20)
        stream = os.fstat(writer.fileno())
        daemon = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script, place, *inosync_command("-c", config)],
            cwd=tmp_path,
            env=inosync_environment({"JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}),
            stderr=writer,
        )
        reader.settimeout(20)
        try:
            told: list[dict[str, str]] = []
            while "first pass" not in (told[-1]["MESSAGE"] if told else ""):
                lines = listener.recv(4096).decode().splitlines()
                told.append(dict(line.split("=", 1) for line in lines))
            (place / "socket").unlink()
            daemon.send_signal(signal.SIGUSR1)
            assert reader.recv(4096).startswith(b"<6>source ")
        finally:
            daemon.terminate()
            assert daemon.wait(timeout=20) == 0
    assert told[0]["MESSAGE"] == f"watching {source}"
    assert {line["SYSLOG_IDENTIFIER"] for line in told} == {"inosync-web"}
    assert (
        told[-1].items()
        >= {
            "PRIORITY": "6",
            "INOSYNC_SOURCE": str(source),
            "INOSYNC_NODE": str(local.node),
            "INOSYNC_STATE": "idle",
            "MESSAGE_ID": "fe318942bad74070a711fd5506add103",
        }.items()
    )


# ---- cost --------------------------------------------------------------------------------------


def test_idle_costs_nothing(inosync: Callable, source: Path, local: Place, tmp_path: Path) -> None:
    """Attach strace to the idle daemon: in the whole time it makes no system call at all."""
    metrics = tmp_path / "inosync.prom"
    # What others mount wakes it, unless it has a table of mounts of its own.
    alone = ("unshare", "--mount") if os.getuid() == 0 else ()
    config = settings(source, local.node, metricsfile=str(metrics))
    daemon = inosync(config, prefix=alone)
    wait_equal(source, local.root)
    daemon.wait_for_log("in sync (first pass")
    write(source, "one more", "x")
    wait_equal(source, local.root)
    daemon.wait_for_log("1 file", times=2)
    # Written a last time, some seconds later.
    last = re.compile(
        r"^inosync_in_sync\{.*\} 1$.*^inosync_mirror_runs_total\{.*\} 2$", re.M | re.S
    )
    until(lambda: last.search(metrics.read_text()), what="the metrics of the last run")
    made_at = (source / "one more").stat().st_ctime
    (state,) = (daemon.folder / "state").iterdir()

    def noted() -> bool:
        (known,) = decode(state.read_bytes())[0].values()
        return known.moment / 1e9 + MARGIN > made_at

    until(noted, what="what is remembered of the last run")
    with open("/proc/self/mountinfo", "rb") as table:
        mounts = select.poll()
        mounts.register(table, select.POLLPRI)
        for _ in range(1 if alone else 6):
            mounts.poll(0)  # takes the sign back
            quiet = subprocess.run(
                ["timeout", "15", "strace", "-f", "-p", str(daemon.pid)],
                capture_output=True,
                text=True,
                check=False,
            )
            if not mounts.poll(0):
                break
    calls = [line for line in quiet.stderr.splitlines() if not line.startswith("strace:")]
    # The one wait that it was found in, and is left in.
    assert re.fullmatch(r"(epoll_wait\(.*|restart_syscall\(.*)<detached \.\.\.>", "".join(calls))


def test_the_command_line_form_needs_no_config(source: Path, local: Place, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "unused", "")
    with open(tmp_path / "log", "ab") as log:
        process = subprocess.Popen(
            inosync_command("-v", "source/./", "mirror", str(tmp_path / "second")),
            cwd=tmp_path,
            env=inosync_environment(),
            stderr=log,
        )
    try:
        wait_equal(source, local.root)
        wait_equal(source, tmp_path / "second")
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert daemon.leftovers() == []


@pytest.mark.parametrize("arguments", [["-x"], ["only-source"], ["-c", "f", "a", "b"], ["-c"]])
def test_wrong_usage_is_exit_code_2(tmp_path: Path, arguments: list[str]) -> None:
    ended = run_inosync(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert "usage: inosync" in ended.stderr


def test_version_and_help(tmp_path: Path) -> None:
    assert run_inosync("--version", cwd=tmp_path).stdout == "inosync 1.0.0\n"
    shown = run_inosync("--help", cwd=tmp_path)
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) <= 52
