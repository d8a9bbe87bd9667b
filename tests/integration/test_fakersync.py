"""The contract of tests/fakersync: what tests believe about the stand-in holds for rsync too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import processes, trees
from support.fakersync import PROGRAM, FakeRsync
from support.servers import RsyncDaemon, program
from support.waiting import until

BASE = ("-ltrp", "--delete", "--modify-window=-1")


def run(
    command: Path | str, *arguments: str | Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run to the end, with `stdin` as a pipe and the output captured."""
    argv = [os.fspath(argument) for argument in (command, *arguments)]
    return subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=30)


def start(fakersync: FakeRsync, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own."""
    return subprocess.Popen(
        [fakersync.path, *arguments], stdin=subprocess.DEVNULL, start_new_session=True
    )


@pytest.fixture
def rsync() -> str:
    """The real one."""
    return program("rsync")


def test_delegating_gives_the_same_files_and_code(
    fakersync: FakeRsync, rsync: str, tmp_path: Path
) -> None:
    fakersync.always(delegate=rsync)
    trees.grow(tmp_path / "source", seed=1)
    real = run(rsync, *BASE, f"{tmp_path}/source/", tmp_path / "real")
    fake = run(fakersync.path, *BASE, f"{tmp_path}/source/", tmp_path / "fake")
    assert (fake.returncode, fake.stdout, fake.stderr) == (0, real.stdout, real.stderr)
    assert trees.compare(tmp_path / "real", tmp_path / "fake") == []
    assert trees.compare(tmp_path / "source", tmp_path / "fake") == []


def test_delegating_passes_standard_input_on(
    fakersync: FakeRsync, rsync: str, tmp_path: Path
) -> None:
    fakersync.always(delegate=rsync)
    for name in ("wanted", "new\nline", "other"):
        trees.write(tmp_path / "source", name, name)
    arguments = ("-lt", "--from0", "--files-from=-", f"{tmp_path}/source/")
    names = b"wanted\0new\nline\0"
    run(rsync, *arguments, tmp_path / "real", stdin=names)
    run(fakersync.path, *arguments, tmp_path / "fake", stdin=names)
    assert sorted(os.listdir(tmp_path / "fake")) == ["new\nline", "wanted"]
    assert trees.compare(tmp_path / "real", tmp_path / "fake", ignore_times=True) == []
    assert fakersync.calls()[0].stdin == names


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--no-such-option", "/", "/nowhere"), id="usage"),
        pytest.param(("-r", "/no/such/source/", "/no/such/mirror"), id="missing source"),
        pytest.param(("-r", ".", "rsync://127.0.0.1:1/module/"), id="nobody listens"),
    ],
)
def test_delegating_fails_as_rsync_fails(
    fakersync: FakeRsync, rsync: str, arguments: tuple[str, ...]
) -> None:
    fakersync.always(delegate=rsync)
    real, fake = run(rsync, *arguments), run(fakersync.path, *arguments)
    assert real.returncode != 0
    assert (fake.returncode, fake.stderr) == (real.returncode, real.stderr)
    assert fakersync.calls()[0].code == real.returncode


def test_delegating_ends_on_term_as_rsync_does(
    fakersync: FakeRsync, rsync: str, rsync_daemon: RsyncDaemon, tmp_path: Path
) -> None:
    fakersync.always(delegate=rsync)
    trees.write(tmp_path / "source", "big", b"x" * 3_000_000)

    def code_after_term(command: str, name: str) -> int:
        # Slow enough to be met at work: 3 MB at 100 KB/s.
        argv = [command, "-r", "--bwlimit=100", f"{tmp_path}/source/", rsync_daemon.url(name)]
        child = subprocess.Popen(argv, stderr=subprocess.PIPE, start_new_session=True)
        until(lambda: os.listdir(rsync_daemon.root / name), what="the transfer to begin")
        os.killpg(child.pid, signal.SIGTERM)
        child.communicate(timeout=20)
        return child.returncode

    assert code_after_term(rsync, "real") == 20
    assert code_after_term(str(fakersync.path), "fake") == 20


def test_version_reads_like_the_real_one(fakersync: FakeRsync, rsync: str) -> None:
    real = run(rsync, "--version").stdout.split()
    fake = run(fakersync.path, "--version").stdout.split()
    assert fake[:3] == [b"rsync", b"version", b"3.2.7"]
    assert (fake[:2], fake[3:5]) == (real[:2], real[3:5])
    fakersync.always(version="3.1.2")
    assert b"version 3.1.2 " in run(fakersync.path, "--version").stdout
    assert fakersync.calls() == []


def test_a_call_is_recorded_byte_for_byte(fakersync: FakeRsync, tmp_path: Path) -> None:
    names = [os.fsdecode(name) for name in trees.HOSTILE_NAMES]
    run(fakersync.path, *names, stdin=b"\0".join(trees.HOSTILE_NAMES))
    (call,) = fakersync.calls()
    assert call.argv == tuple(names)
    assert call.stdin == b"\0".join(trees.HOSTILE_NAMES)
    assert call.ended is not None
    assert call.ended >= call.started
    assert call.code == 0


def test_the_program_runs_by_itself_too(tmp_path: Path) -> None:
    environment = os.environ | {"FAKERSYNC_DIR": str(tmp_path)}
    argv = [sys.executable, str(PROGRAM), "--version"]
    answer = subprocess.run(argv, env=environment, capture_output=True, check=True, timeout=30)
    assert answer.stdout.startswith(b"rsync  version 3.2.7")
    assert os.access(PROGRAM, os.X_OK)


def test_codes_are_used_up_one_each(fakersync: FakeRsync) -> None:
    fakersync.always(exit=23)
    fakersync.exits(12, 0, 255)
    assert [run(fakersync.path, "a", "b").returncode for _ in range(4)] == [12, 23, 255, 23]


def test_a_destination_has_orders_of_its_own(fakersync: FakeRsync) -> None:
    fakersync.to("bad:", exit=10)
    assert run(fakersync.path, "a", "bad:").returncode == 10
    assert run(fakersync.path, "a", "good:").returncode == 0
    assert [call.destination for call in fakersync.calls()] == ["bad:", "good:"]


def test_lines_and_error_are_printed(fakersync: FakeRsync) -> None:
    fakersync.always(lines=3, error="rsync error: so it is", exit=11)
    done = run(fakersync.path, "a", "b")
    assert done.stdout == b"line 1\nline 2\nline 3\n"
    assert done.stderr == b"rsync error: so it is\n"
    assert done.returncode == 11


def test_it_holds_until_released(fakersync: FakeRsync) -> None:
    fakersync.always(hold=True, exit=5)
    child = start(fakersync, "a", "b")
    (call,) = fakersync.wait_for_calls(1)
    assert (call.ended, child.poll()) == (None, None)
    assert call.group == child.pid
    fakersync.release()
    assert child.wait(timeout=20) == 5


def test_term_ends_it_and_a_deaf_one_needs_kill(fakersync: FakeRsync) -> None:
    fakersync.always(hold=True)
    fakersync.to("deaf:", hold=True, deaf=True)
    polite, deaf = start(fakersync, "a", "polite:"), start(fakersync, "a", "deaf:")
    fakersync.wait_for_calls(2)
    processes.kill([polite.pid, deaf.pid], signal.SIGTERM)
    assert polite.wait(timeout=20) == -signal.SIGTERM
    assert deaf.poll() is None
    deaf.kill()
    assert deaf.wait(timeout=20) == -signal.SIGKILL


def test_it_dies_by_the_ordered_signal(fakersync: FakeRsync) -> None:
    fakersync.always(signal=int(signal.SIGSEGV))
    assert run(fakersync.path, "a", "b").returncode == -signal.SIGSEGV
