"""What the other tests stand on can be trusted, and can fail."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import processes, trees
from support.daemon import PROJECT, Daemon
from support.fakersync import FakeRsync
from support.servers import RsyncDaemon, SshServer, program
from support.trees import write
from support.waiting import until

from inosync.system import runtime


def push(
    source: Path, destination: str, *options: str, environment: dict[str, str] | None = None
) -> int:
    """Copy a tree with the real rsync and return its exit code."""
    # Without the window, rsync leaves a time alone that is right to the second.
    argv = [program("rsync"), "-ltrp", "--delete", "--modify-window=-1", "--timeout=10"]
    done = subprocess.run(
        [*argv, *options, f"{source}/", destination],
        env=os.environ | (environment or {}),
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode


def test_a_random_tree_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        trees.grow(tmp_path / name, seed=7)
        trees.churn(tmp_path / name, seed=8)
    trees.grow(tmp_path / "other", seed=9)
    assert trees.compare(tmp_path / "one", tmp_path / "two", ignore_times=True) == []
    assert trees.compare(tmp_path / "one", tmp_path / "other", ignore_times=True) != []
    kinds = {entry.kind for entry in trees.snapshot(tmp_path / "one").values()}
    assert kinds == {"file", "directory", "symlink"}


def test_every_hostile_name_can_be_a_file(tmp_path: Path) -> None:
    for name in trees.HOSTILE_NAMES:
        trees.write(tmp_path / "all", name, name)
    assert trees.snapshot(tmp_path / "all").keys() == {b".", *trees.HOSTILE_NAMES}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda root: (root / "file").write_bytes(b"b"), "digest ca978112ca1bbdca expected"),
        (lambda root: (root / "file").write_bytes(b"aa"), "size 1 expected, 2 found"),
        (lambda root: (root / "file").chmod(0o600), "'file': mode 0644 expected, 0600 found"),
        (lambda root: os.utime(root / "file", ns=(0, 7)), "'file': mtime_ns 5 expected, 7 found"),
        (lambda root: os.utime(root, ns=(0, 7)), "'.': mtime_ns 5 expected, 7 found"),
        (lambda root: (root / "file").unlink(), "'file': missing (file)"),
        (lambda root: (root / "new").mkdir(), "'new': should not be there (directory)"),
        (lambda root: trees.remove(root / "link"), "'link': missing (symlink)"),
    ],
)
def test_every_difference_is_told(tmp_path: Path, spoil: object, expected: str) -> None:
    for name in ("one", "two"):
        root = tmp_path / name
        trees.write(root, "file", b"a").chmod(0o644)
        (root / "link").symlink_to("file")
        for path in (root / "link", root / "file", root):
            os.utime(path, ns=(0, 5), follow_symlinks=False)
    assert trees.compare(tmp_path / "one", tmp_path / "two") == []
    assert callable(spoil)
    spoil(tmp_path / "two")
    told = trees.compare(tmp_path / "one", tmp_path / "two")
    assert any(expected in line for line in told), told


def test_a_link_and_its_target_are_different_things(tmp_path: Path) -> None:
    trees.write(tmp_path / "one", "file", b"a")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "file").symlink_to(tmp_path / "one" / "file")
    (told,) = trees.compare(tmp_path / "one", tmp_path / "two", ignore_times=True)[-1:]
    assert "kind 'file' expected, 'symlink' found" in told


def test_waiting_ends_with_the_last_state() -> None:
    with pytest.raises(AssertionError, match=r"(?s)waited 0 s for snow.*'sun'"):
        until(lambda: False, seconds=0, what="snow", state=lambda: ["sun"])
    with pytest.raises(AssertionError, match=r"(?s)for a file.*FileNotFoundError"):
        until(lambda: os.stat("/no/such/file"), seconds=0, what="a file")
    assert until(lambda: 5, what="five") == 5


def test_the_rsync_daemon_takes_a_tree_stops_and_comes_back(
    rsync_daemon: RsyncDaemon, tmp_path: Path
) -> None:
    trees.grow(tmp_path / "source", seed=3)
    assert push(tmp_path / "source", rsync_daemon.url()) == 0, rsync_daemon.log()
    assert trees.compare(tmp_path / "source", rsync_daemon.root) == []
    rsync_daemon.stop()
    assert push(tmp_path / "source", rsync_daemon.url()) == 10
    rsync_daemon.start()
    assert push(tmp_path / "source", rsync_daemon.url()) == 0


def test_stopping_the_rsync_daemon_cuts_a_transfer(
    rsync_daemon: RsyncDaemon, tmp_path: Path
) -> None:
    trees.write(tmp_path / "source", "big", b"x" * 5_000_000)
    argv = [program("rsync"), "-r", "--bwlimit=100", f"{tmp_path}/source/", rsync_daemon.url()]
    transfer = subprocess.Popen(argv, stderr=subprocess.PIPE)
    until(lambda: os.listdir(rsync_daemon.root), what="the transfer to begin")
    rsync_daemon.stop()
    transfer.communicate(timeout=20)
    assert transfer.returncode in (10, 12)


def test_ssh_lets_us_in_stops_and_comes_back(ssh_server: SshServer, tmp_path: Path) -> None:
    def answer() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ssh_server.ssh("echo", "here"), capture_output=True, check=False, timeout=30
        )

    assert answer().stdout == b"here\n", ssh_server.log()
    assert ssh_server.connections() == 1
    ssh_server.stop()
    assert answer().returncode == 255
    ssh_server.start()
    assert answer().stdout == b"here\n", ssh_server.log()
    assert ssh_server.connections() == 2


def test_rsync_finds_the_ssh_that_knows_the_way(ssh_server: SshServer, tmp_path: Path) -> None:
    trees.grow(tmp_path / "source", seed=4)
    code = push(
        tmp_path / "source",
        f"{ssh_server.user}@127.0.0.1:{tmp_path}/mirror",
        f"--rsh=ssh -p {ssh_server.port} -o BatchMode=yes",
        environment=ssh_server.environment(),
    )
    assert code == 0, ssh_server.log()
    assert trees.compare(tmp_path / "source", tmp_path / "mirror") == []
    assert ssh_server.url("/srv").endswith(f"@127.0.0.1:{ssh_server.port}/srv")


def test_stopping_sshd_ends_its_sessions(ssh_server: SshServer) -> None:
    argv = ssh_server.ssh("echo here; exec sleep 600")
    session = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert session.stdout is not None
    assert session.stdout.readline() == b"here\n"
    ssh_server.stop()
    assert session.wait(timeout=20) == 255
    session.stdout.close()


def test_marked_processes_are_found_wherever_they_hide() -> None:
    mark = f"INOSYNC_TEST_MARK={os.getpid()}"
    name, _, value = mark.partition("=")
    argv = ["setsid", "--fork", "sleep", "600"]
    subprocess.run(argv, env=os.environ | {name: value}, check=True, timeout=30)
    found = until(lambda: processes.marked(mark), what="the hidden process")
    assert processes.parent(found[0]) != os.getpid()
    processes.kill(found, signal.SIGTERM)
    processes.wait_gone(found)
    assert processes.marked(mark) == []


def test_programs_are_executable() -> None:
    folder = Path(__file__).resolve().parents[1]
    for name in ("run", "fakersync", "../.ci/run", "../examples/demo"):
        assert (folder / name).stat().st_mode & stat.S_IXUSR, name


def test_a_daemon_leaves_nothing_behind(
    inosync: Callable[..., Daemon], fakersync: FakeRsync, tmp_path: Path
) -> None:
    trees.write(tmp_path / "source", "file", b"a")
    fakersync.always(hold=True)
    settings = {
        "wpath": f"{tmp_path}/source",
        "rnodes": [f"{tmp_path}/mirror"],
        "rsync": str(fakersync.path),
    }
    with Daemon(tmp_path / "killed", settings) as daemon:
        daemon.start()
        fakersync.wait_for_calls(1)
        daemon.kill()
        assert daemon.exit_code == -signal.SIGKILL
        orphans = daemon.leftovers()
        assert len(orphans) == 1
    assert not any(processes.alive(pid) for pid in orphans)
    fakersync.release()
    daemon = inosync(settings, name="stopped")
    fakersync.wait_for_calls(2)
    assert daemon.stop() == 0
    assert daemon.leftovers() == []


def test_a_daemon_that_cannot_start_says_why(inosync: Callable[..., Daemon]) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)ended with 2 .*rnodes"):
        inosync({"wpath": "/"})


def test_a_traceback_in_the_log_fails_the_test(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Traceback"), Daemon(tmp_path, {}) as daemon:
        daemon.log_file.write_text("all well\nTraceback (most recent call last):\n")


# ---- what a test run leaves behind ------------------------------------------------------------


@pytest.mark.parametrize(("workers", "leaves"), [("0", True), ("2", True), ("2", False)])
def test_a_run_that_leaves_something_in_the_real_runtime_directory_fails(
    tmp_path: Path, workers: str, leaves: bool
) -> None:
    session = tmp_path / "session"
    write(session, "inosync/before")
    write(tmp_path, "conftest.py", "from support.leftovers import watch_over as pytest_configure\n")
    new = f"__import__('pathlib').Path({str(session)!r}, 'inosync/new').touch()"
    write(tmp_path, "test_it.py", f"def test_it():\n    {new if leaves else 'pass'}\n")
    arguments = [f"--rootdir={tmp_path}", "-c", os.devnull, f"--basetemp={tmp_path / 'inner'}"]
    arguments += ["-p", "no:cacheprovider", f"--numprocesses={workers}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, str(tmp_path)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(session), "PYTHONPATH": str(PROJECT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == int(leaves), done.stdout
    assert (str(session / "inosync/new") in done.stdout) is leaves
    assert str(session / "inosync/before") not in done.stdout


def test_each_test_has_a_runtime_directory_of_its_own(runtime_directory: Path) -> None:
    assert runtime.runtime_directory() == runtime_directory
    assert list(runtime_directory.iterdir()) == []
