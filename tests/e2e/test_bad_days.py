"""Bad days of the kernel queue, the watches, files in motion, mass deletions, and names."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support import namespaces
from support.daemon import Daemon, inosync_command, inosync_environment, run_inosync, settings
from support.fakersync import FakeRsync
from support.places import Place, wait_equal
from support.trees import compare, snapshot, write
from support.waiting import until

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")


def ask(daemon: Daemon, *arguments: str) -> None:
    asked = run_inosync("-c", daemon.config_file, *arguments, cwd=daemon.folder)
    assert asked.returncode == 0, asked.stderr


def sync(daemon: Daemon) -> None:
    ask(daemon, "--sync")


def in_sync(daemon: Daemon) -> None:
    """Wait until the status says that every mirror is in sync."""
    until(
        lambda: (
            run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder).returncode == 0
        ),
        what="a status of 0",
        state=daemon.log,
    )


# ---- the kernel's queue ----------------------------------------------------------------------


def test_an_overflowing_queue_loses_nothing(inosync: Callable, source: Path, local: Place) -> None:
    for number in range(100):
        (source / f"{number}").mkdir()
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    daemon.signal(signal.SIGSTOP)
    for number in range(20_000):
        path = source / f"{number % 100}/{number}"
        path.touch()
        if number % 3:
            path.unlink()
    write(source, "made/while/stopped/file", "x")
    (source / "7").rename(source / "seven")
    daemon.signal(signal.SIGCONT)
    wait_equal(source, local.root, seconds=60)
    assert len(re.findall(r"overflowed: .*: full pass$", daemon.log(), re.M)) == 1
    write(source, "seven/after", "x")
    write(source, "made/while/stopped/after", "x")
    wait_equal(source, local.root)


def for_nobody(folder: Path) -> tuple[Path, Place, pwd.struct_passwd]:
    """Return a source and a local mirror that the user nobody can work with."""
    source = write(folder, "source/first", "x").parent
    mirror = folder / "mirror"
    mirror.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(mirror, nobody.pw_uid, nobody.pw_gid)
    return source, Place(f"{mirror}/", mirror, {}), nobody


# ---- watches -----------------------------------------------------------------------------------


@needs_root
def test_an_unreadable_directory_is_named_and_mirrored_when_it_can_be_read(
    open_path: Path,
) -> None:
    """As an ordinary user, because nothing is unreadable to root."""
    source, local, nobody = for_nobody(open_path)
    write(source, "locked/inside", "x")
    (source / "locked").chmod(0o700)
    daemon = Daemon(
        open_path / "daemon", settings(source, local.node, user="nobody", rretry=(0.5, 1))
    )
    with daemon:
        daemon.start()
        daemon.wait_for_log("source/locked: permission denied")
        until((local.root / "first").exists, what="the rest")
        assert Path(f"/proc/{daemon.pid}").stat().st_uid == nobody.pw_uid
        (source / "locked").chmod(0o755)
        until((local.root / "locked/inside").exists, what="what was locked")
        write(source, "locked/later", "x")
        until((local.root / "locked/later").exists, what="a change in it")


def test_too_few_watches_are_told_with_the_cure_and_passes_stand_in(
    source: Path, local: Place, tmp_path: Path
) -> None:
    """In a user namespace with a limit of its own (user_namespaces(7))."""
    namespaces.need_limits()
    for number in range(60):
        write(source, f"d{number:02}/file", "x")
    config = tmp_path / "inosync.conf"
    config.write_text("".join(f"{k} = {v!r}\n" for k, v in settings(source, local.node).items()))
    config.chmod(0o644)
    tmp_path.chmod(0o755)
    script = 'echo 40 > /proc/sys/user/max_inotify_watches && exec "$@"'
    command = [*namespaces.USER, "sh", "-c", script, "sh", *inosync_command("-c", config, "-v")]
    log = tmp_path / "log"
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stderr=output, env=inosync_environment(), cwd=tmp_path)
    try:
        until(lambda: "ready after" in log.read_text(), what="ready", state=log.read_text)
        text = log.read_text()
        assert "max_inotify_watches" in text or "max_user_watches" in text
        wait_equal(source, local.root)
        process.send_signal(signal.SIGUSR1)
        until(
            lambda: re.search(r"3[0-9] directories.*2[0-9] directories unwatched", log.read_text()),
            what="the status to tell",
            state=log.read_text,
        )
        # Watches are taken when there are some, at the latest with the next pass.
        limit = ["nsenter", "-U", "-t", str(process.pid), "sh", "-c"]
        raised = "echo 100000 > /proc/sys/user/max_inotify_watches"
        subprocess.run([*limit, raised], check=True)
        process.send_signal(signal.SIGUSR2)

        def all_watched() -> bool:
            process.send_signal(signal.SIGUSR1)
            return "watched, 61 directories" in log.read_text()

        until(all_watched, what="all watches", state=log.read_text)
    finally:
        process.terminate()
        process.wait(timeout=20)


# ---- files in motion ---------------------------------------------------------------------------


def test_a_file_that_is_never_closed_is_mirrored_at_the_pace_of_eopen(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(delegate=True)
    daemon = inosync(settings(source, local.node, eopen=1, rsync=str(fakersync.path)))
    with open(source / "log", "ab", buffering=0) as log:
        wait_equal(source, local.root)
        quiet = len(fakersync.calls())
        for number in range(200):
            log.write(b"line %d\n" % number)
            if number % 50 == 49:
                wait_equal(source, local.root)
        runs = len(fakersync.calls()) - quiet
        assert 1 <= runs <= 8
        # Nothing more is written, so nothing more runs.
        in_sync(daemon)
        assert len(fakersync.calls()) == quiet + runs
    os.truncate(source / "first", 2)
    wait_equal(source, local.root)


def test_a_file_that_is_never_closed_and_no_eopen(
    inosync: Callable, source: Path, local: Place
) -> None:
    inosync(settings(source, local.node, eopen=0))
    with open(source / "log", "ab", buffering=0) as log:
        wait_equal(source, local.root)
        log.write(b"unseen")
        os.truncate(source / "first", 2)
        until(lambda: (local.root / "first").stat().st_size == 2, what="what was cut short")
        write(source, "seen", "x")
        wait_equal(source, local.root)


def test_a_file_that_changes_while_it_is_sent_ends_equal(
    inosync: Callable, source: Path, local: Place
) -> None:
    big = write(source, "big", os.urandom(4_000_000))
    daemon = inosync(settings(source, local.node, rspeed=2000))
    until(lambda: list(local.root.glob(".big.*")), what="the transfer to begin")
    with open(big, "ab") as file:
        file.write(os.urandom(500_000))
    until((local.root / "big").exists, what="the first version")
    wait_equal(source, local.root)
    big.write_bytes(os.urandom(3_000_000))
    until(lambda: list(local.root.glob(".big.*")), what="the transfer to begin")
    os.truncate(big, 1000)
    wait_equal(source, local.root)
    big.write_bytes(os.urandom(3_000_000))
    until(lambda: list(local.root.glob(".big.*")), what="the transfer to begin")
    write(source, "new", "replaced").rename(big)
    wait_equal(source, local.root)
    big.write_bytes(os.urandom(3_000_000))
    until(lambda: list(local.root.glob(".big.*")), what="the transfer to begin")
    big.unlink()
    wait_equal(source, local.root)
    assert daemon.stop() == 0


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_pipe_in_the_place_of_a_file_that_is_to_be_sent_keeps_nothing_waiting(
    inosync: Callable, source: Path, local: Place, scope: str
) -> None:
    for name in ("old", "b/file"):
        write(source, name, "x")
    daemon = inosync(settings(source, local.node, rspeed=1000, rscope=scope))
    wait_equal(source, local.root)
    write(source, "a", os.urandom(3_000_000))
    write(source, "b/file", "more")
    until(lambda: list(local.root.glob(".a.*")), what="the transfer to begin")
    (source / "b/file").unlink()
    os.mkfifo(source / "b/file")
    write(source, "b/other", "x")
    daemon.wait_for_log("its run waits at a pipe that was a file: ended, to be made again")
    until((local.root / "b/other").exists, what="what has changed meanwhile")
    (source / "b/file").unlink()
    wait_equal(source, local.root)


def test_a_directory_replaced_by_a_symlink_leaves_the_links_target_alone(
    inosync: Callable, source: Path, local: Place
) -> None:
    """lsyncd#290: what the link points to was deleted on the mirror."""
    write(source, "target/precious", "x")
    write(source, "place/file", "x")
    inosync(settings(source, local.node))
    wait_equal(source, local.root)
    for _ in range(3):
        shutil.rmtree(source / "place")
        (source / "place").symlink_to("target")
        wait_equal(source, local.root)
        assert (local.root / "target/precious").exists()
        (source / "place").unlink()
        write(source, "place/file", "x")
        wait_equal(source, local.root)
        assert (local.root / "target/precious").exists()


def test_links_that_lead_out_of_the_source_are_copied_and_never_followed(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    outside = write(tmp_path, "outside/secret", "x").parent
    (source / "out").symlink_to(outside)
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log("watched, 1 directory")
    assert (local.root / "out").is_symlink()


# ---- rmaxdelete ----------------------------------------------------------------------------------


def test_too_many_deletions_hold_the_mirror_before_the_first_one(
    inosync: Callable, source: Path, local: Place
) -> None:
    for number in range(20):
        write(source, f"d/{number}", "x")
    daemon = inosync(settings(source, local.node, rmaxdelete=5))
    wait_equal(source, local.root)
    (source / "d/0").unlink()
    wait_equal(source, local.root)
    before = snapshot(local.root)
    shutil.rmtree(source / "d")
    daemon.wait_for_log("(rmaxdelete is 5), such as d/")
    assert re.search(r"would delete 2[01] files", daemon.log())
    assert snapshot(local.root) == before
    write(source, "more", "x")
    status = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
    assert re.search(r"held .*\n +would delete 2", status.stdout)
    assert status.returncode == 5
    assert snapshot(local.root) == before
    sync(daemon)
    wait_equal(source, local.root)
    # The brake is on again.
    for number in range(20):
        write(source, f"d/{number}", "x")
    wait_equal(source, local.root)
    shutil.rmtree(source / "d")
    daemon.wait_for_log("(rmaxdelete is 5), such as d/", times=2)
    daemon.signal(signal.SIGUSR2)
    wait_equal(source, local.root)


def test_too_much_that_would_be_overwritten_holds_the_mirror_before_the_first_one(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    nodes = [
        {"node": local.node, "rmaxchange": 10, "rscope": "changes"},
        {"node": f"{other}/", "rmaxchange": 12},
    ]

    def encrypt(what: str) -> None:
        for number in range(20):
            path = write(source, f"d/{number}", what)
            os.utime(path, (1e9, 1e9))

    encrypt("first")
    daemon = inosync(settings(source, *nodes))
    daemon.wait_for_log("in sync (first pass", times=2)  # what is new does not count
    for number in range(4):
        write(source, f"d/{number}", "some")
    for mirror in (local.root, other):
        wait_equal(source, mirror)
    # A run that is at no more files than it may overwrite is not rehearsed, and stands ready.
    rehearsals = [line for line in daemon.log().splitlines() if "--dry-run" in line]
    assert [line.endswith(f"{other}/") for line in rehearsals].count(False) == 1
    before = snapshot(local.root)
    for times in (1, 2):
        ask(daemon, "--pause")
        encrypt(f"{times}")
        ask(daemon, "--resume")
        daemon.wait_for_log("would overwrite 20 files (rmaxchange is 10), such as d/", times=times)
        daemon.wait_for_log("would overwrite 20 files (rmaxchange is 12), such as d/", times=times)
        write(source, f"d/more{times}", "x")
        status = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
        assert re.search(r"held .*\n +would overwrite 20 files", status.stdout), status.stdout
        assert status.returncode == 5
        if times == 1:
            for mirror in (local.root, other):
                assert snapshot(mirror) == before
        else:  # found by content, behind the run that carries what is new, and times
            assert (other / "d/0").read_text() == (local.root / "d/0").read_text() == "1"
        sync(daemon)
        for mirror in (local.root, other):
            wait_equal(source, mirror)
        in_sync(daemon)
        before = snapshot(local.root)


# ---- security ------------------------------------------------------------------------------


@needs_root
def test_privileges_are_dropped_for_good(open_path: Path) -> None:
    source, local, nobody = for_nobody(open_path)
    spy = open_path / "rsync"
    spy.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --version ] && exec /usr/bin/rsync --version\n'
        f'{{ cat /proc/self/status; echo "HOME=$HOME"; }} > {local.root}/unfinished\n'
        f"mv {local.root}/unfinished {local.root}/seen\n"
    )
    spy.chmod(0o755)
    with Daemon(
        open_path / "daemon", settings(source, local.node, rsync=str(spy), user="nobody")
    ) as daemon:
        daemon.start()
        seen = until((local.root / "seen").read_text, what="a run")
        for status in (seen, Path(f"/proc/{daemon.pid}/status").read_text()):
            identity = f"{nobody.pw_uid}\t" * 3 + str(nobody.pw_uid)
            assert f"Uid:\t{identity}" in status
            assert re.search(rf"^Groups:\t({nobody.pw_gid} )?$", status, re.M)
            assert "CapEff:\t0000000000000000" in status
        assert f"HOME={nobody.pw_dir}\n" in seen
        assert daemon.stop() == 0


def test_the_control_socket_is_for_its_owner_alone(
    inosync: Callable, source: Path, local: Place, open_path: Path
) -> None:
    path = open_path / "control"
    daemon = inosync(settings(source, local.node, socket=str(path)))
    assert path.stat().st_mode & 0o777 == 0o600
    if os.getuid() == 0:
        # Even where the file's mode would let him in.
        path.chmod(0o666)
        script = (
            "import contextlib, os, socket, sys\n"
            "os.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])\n"
            "with contextlib.suppress(BrokenPipeError):\n"
            ' s.sendall(b\'{"version": 1, "command": "status"}\\n\')\n'
            "print(s.recv(100))\n"
        )
        stranger = subprocess.run(
            ["/usr/bin/python3", "-c", script, path], capture_output=True, text=True, check=False
        )
        assert '"status"' not in stranger.stdout
        assert '"root and root alone may ask this daemon"' in stranger.stdout
    assert daemon.stop() == 0
    assert not path.exists()


def test_a_long_path_of_the_control_socket(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    daemon = inosync(settings(source, local.node, socket=str(folder / "control")))
    in_sync(daemon)


def test_nonsense_on_the_control_socket_is_answered_and_stalls_nobody(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    path = str(tmp_path / "control")
    daemon = inosync(settings(source, local.node, socket=path))

    def say(data: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(path)
            connection.sendall(data)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer

    for data, error in (
        (b"\xff\xfe\n", "no JSON"),
        (b"[]\n", "names no command"),
        (b'{"version": 1, "command": 7}\n', "names no command"),
        (b'{"version": 99, "command": "status"}\n', "speaks version 1"),
        (b'{"version": 1, "command": "rm -rf"}\n', "knows no command rm -rf"),
        (b'{"version": 1, "command": "sync", "node": ["x"]}\n', "no node"),
        (b'{"version": 1, "command": "wait"}\n', "a number of seconds"),
        (b'{"version": 1, "command": "wait", "seconds": NaN}\n', "a number of seconds"),
        (b'{"version": 1, "command": "sync", "node": "x"}\n', "no node x; known are"),
        (b"[" * 60_000 + b"\n", "no JSON"),
    ):
        answer = json.loads(say(data))
        assert answer["ok"] is False
        assert error in answer["error"], answer
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        assert b"too long" in say(b"x" * 10_000_000)
    silent = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for connection in silent:
        connection.connect(path)
        connection.sendall(b'{"version"')
    write(source, "goes on", "x")
    wait_equal(source, local.root)
    assert json.loads(say(b'{"version": 1, "command": "status"}\n'))["ok"] is True
    for connection in silent:
        connection.close()
    assert daemon.stop() == 0


def test_names_that_look_like_something_else_change_nothing_but_their_mirror(
    inosync: Callable, tmp_path: Path
) -> None:
    witness = write(tmp_path, "witness", "x")
    for name in ("-rf", "--delete", "a::b", "h:x", "[a-z]*", "$(rm witness)", "x;rm witness\n"):
        source = tmp_path / "sources" / name
        write(source, "--exclude=*", "x")
        write(source, "-e sh", "x")
        write(source, "/./".join("ab"), "x")
        mirror = tmp_path / "mirrors" / name
        mirror.mkdir(parents=True)
    folders = sorted((tmp_path / "sources").iterdir())
    inosync(
        {
            "edelay": 0.1,
            "wpaths": [f"{folder}/" for folder in folders],
            "rpaths": [f"{tmp_path}/mirrors/{folder.name}/" for folder in folders],
            "rnodes": [""],
        }
    )
    for folder in folders:
        wait_equal(folder, tmp_path / "mirrors" / folder.name)
        write(folder, "later", "x")
    for folder in folders:
        wait_equal(folder, tmp_path / "mirrors" / folder.name)
    assert witness.exists()


def test_passwords_reach_no_log(inosync: Callable, source: Path, local: Place) -> None:
    daemon = inosync(
        settings(source, local.node),
        environment={"RSYNC_PASSWORD": "sesame-in-the-environment"},
    )
    wait_equal(source, local.root)
    daemon.configure(
        settings(source, local.node) | {"rnodes": ["rsync://user:sesame-in-the-url@127.0.0.1/m/"]}
    )
    daemon.hup()
    daemon.wait_for_log("the old one stays in force")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log("mirror ")
    assert "sesame" not in daemon.log()


def test_a_bug_ends_the_daemon_with_a_traceback_and_status_1(tmp_path: Path) -> None:
    """Provoked by a loop whose selector is taken away under it: never a half-alive daemon."""
    source = write(tmp_path, "source/file", "x").parent
    config = tmp_path / "inosync.conf"
    config.write_text(f"wpath = {str(source)!r}\nrnodes = [{str(tmp_path / 'mirror')!r}]\n")
    config.chmod(0o644)
    tmp_path.chmod(0o755)
    log = tmp_path / "log"
    # Descriptors that are closed behind its back are as good as any bug.
    script = (
        "import os, signal, sys\n"
        "from inosync.cli import main\n"
        "from inosync.watch import watcher\n"
        "watcher.Watcher.read = lambda self: 1 / 0\n"
        "sys.exit(main(['-c', sys.argv[1]]))\n"
    )
    with open(log, "wb") as output:
        process = subprocess.Popen(
            ["/usr/bin/env", *inosync_command()[:1], "-c", script, config],
            stderr=output,
            env=inosync_environment(),
            cwd=tmp_path,
        )
    until(lambda: "ready after" in log.read_text(), what="ready", state=log.read_text)
    write(source, "event", "x")
    assert process.wait(timeout=20) == 1
    assert "ZeroDivisionError" in log.read_text()
    assert "this is a bug, the daemon ends" in log.read_text()


def test_no_thread_is_ever_started(inosync: Callable, source: Path, local: Place) -> None:
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    assert len(os.listdir(f"/proc/{daemon.pid}/task")) == 1
    assert threading.active_count() >= 1
    assert compare(source, local.root) == []
