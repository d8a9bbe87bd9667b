"""Children, against the real /bin/sh."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support import processes
from support.waiting import until

from inosync.system.process import Child, capture, end_leftovers

ENVIRONMENT = {"PATH": os.environ["PATH"], "GREETING": "hello"}


@pytest.fixture
def run() -> Iterator[object]:
    children = []

    def start(script: str) -> Child:
        child = Child(["/bin/sh", "-c", script], environment=ENVIRONMENT)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        until(lambda child=child: child.poll() is not None, what="the child's end")
        child.close()


def status(child: Child) -> int:
    return until(lambda: child.poll() is not None and [child.poll()], what="an exit")[0]


@pytest.mark.parametrize("code", [0, 1, 23, 127, 255])
def test_the_exit_status(run, code: int) -> None:
    assert status(run(f"exit {code}")) == code


def test_death_by_a_signal_is_negative(run) -> None:
    assert status(run("kill -SEGV $$")) == -signal.SIGSEGV


def test_output_and_errors_are_kept_apart(run) -> None:
    child = run("echo $GREETING; echo oh >&2; read x || echo no input")
    status(child)
    assert child.output() == b"hello\nno input\n"
    assert child.errors() == b"oh\n"


def test_only_the_end_of_much_output_is_read(run) -> None:
    child = run("yes 0123456789 | head -n 100000; echo end")
    status(child)
    assert len(child.output()) == 65536
    assert child.output().endswith(b"\nend\n")


def test_it_leads_a_session_of_its_own_and_stands_in_the_root(run) -> None:
    child = run("pwd; sleep 60")
    until(lambda: child.output() == b"/\n", what="the child to print")
    assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid


def test_the_end_of_a_child_is_its_exit_though_a_grandchild_keeps_its_output_open(run) -> None:
    child = run("setsid sleep 60 & echo $!; exit 3")
    assert status(child) == 3
    (grandchild,) = child.output().split()
    assert processes.alive(int(grandchild))
    processes.kill([int(grandchild)])


def test_terminate_reaches_the_whole_group(run) -> None:
    child = run("sleep 60 & echo $!; wait")
    (grandchild,) = until(lambda: child.output().split(), what="the pid")
    child.terminate()
    assert status(child) == -signal.SIGTERM
    processes.wait_gone([int(grandchild)])


def test_what_ignores_the_end_of_its_parent_is_killed_with_it(run) -> None:
    child = run("(trap '' TERM; sleep 60) & echo $!; wait")
    (grandchild,) = until(lambda: child.output().split(), what="the pid")
    child.terminate()
    status(child)
    processes.wait_gone([int(grandchild)])


def test_a_child_deaf_to_terminate_is_killed(run) -> None:
    child = run("trap '' TERM; echo deaf; while :; do sleep 1; done")
    until(child.output, what="the trap")
    child.terminate()
    assert child.poll() is None
    child.kill()
    assert status(child) == -signal.SIGKILL


def test_signals_to_a_child_that_has_ended_go_nowhere(run) -> None:
    child = run("exit 0")
    status(child)
    child.terminate()
    child.kill()
    assert child.poll() == 0


def test_activity_grows_while_something_moves_and_rests_when_stopped(run) -> None:
    child = run("while :; do read x < /proc/self/stat; done")
    first = child.activity()
    until(lambda: all(map(operator.gt, child.activity(), first)), what="both to grow")
    os.killpg(child.pid, signal.SIGSTOP)
    last = (0, 0)

    def rests() -> bool:
        nonlocal last
        before, last = last, child.activity()
        return last == before > (0, 0)

    until(rests, what="the stop to take effect")


def test_what_a_child_says_is_not_what_it_does(run) -> None:
    child = run("echo x; printf '%050000d' 0; printf '%050000d' 0 >&2; exec sleep 60")
    until(lambda: len(child.output()) + len(child.errors()) > 100_000, what="its words")
    assert child.activity()[1] < 100_000
    child.kill()
    status(child)
    assert child.activity() == (0, 0), "none is left that could do anything"


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["/nonexistent"], FileNotFoundError),
        (["/etc/passwd"], PermissionError),
        (["/bin/true", "x" * 3_000_000], OSError),
    ],
)
def test_what_cannot_be_started_says_so(argv: Sequence[str], error: type[OSError]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(error):
        Child(argv, environment=ENVIRONMENT)
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_descriptor_is_left_and_none_is_handed_on(run) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    child = run("ls /proc/self/fd | wc -l")
    status(child)
    assert int(child.output()) == 4  # 0, 1, 2 and that of ls itself
    child.close()
    os.close(reader)
    os.close(writer)
    assert len(os.listdir("/proc/self/fd")) == before


def test_output_goes_to_memory_when_no_disk_takes_it() -> None:
    before, tempfile.tempdir = tempfile.tempdir, "/nonexistent"
    try:
        child = Child(["/bin/echo", "well"], environment=ENVIRONMENT)
    finally:
        tempfile.tempdir = before
    assert status(child) == 0
    assert child.output() == b"well\n"
    child.close()


def test_what_a_brief_child_writes_is_kept_in_memory_and_so_is_what_it_reads() -> None:
    script = "cat; echo oh >&2; ls -l /proc/self/fd"
    child = Child(["/bin/sh", "-c", script], environment=ENVIRONMENT, data=b"given\n", brief=True)
    assert status(child) == 0
    assert child.errors() == b"oh\n"
    given, *files = child.output().splitlines()
    assert given == b"given"
    assert sum(b" -> /memfd:" in file for file in files) == 3
    child.close()


@pytest.mark.parametrize("count", [2, 20_000])
def test_lines_end_with_a_line_feed_and_with_nothing_else(run, count: int) -> None:
    child = run(f"yes 'a\rb' | head -n {count}; printf c")
    assert status(child) == 0
    assert list(child.lines()) == [b"a\rb\n"] * count + [b"c"]
    assert list(child.lines())[-1] == b"c", "they can be read again"


def test_leftovers_are_ended_and_nobody_else(tmp_path: Path) -> None:
    name = str(tmp_path)  # another run of these tests has another
    started = [
        subprocess.Popen(["/bin/sh", "-c", script], env=ENVIRONMENT | mark, start_new_session=True)
        for script, mark in (
            ("sleep 60", {"MARK": name}),
            ("trap '' TERM; while :; do sleep 1; done", {"MARK": name}),
            ("sleep 60", {"MARK": f"{name} too"}),
            ("sleep 60", {}),
        )
    ]
    ours, deaf, other, unmarked = started
    until(lambda: b"trap" in Path(f"/proc/{deaf.pid}/cmdline").read_bytes(), what="the shell")
    assert end_leftovers(f"MARK={name}", grace=0.5) >= 2
    assert ours.wait(timeout=5) == -signal.SIGTERM
    assert deaf.wait(timeout=5) < 0
    for process in (other, unmarked):
        assert process.poll() is None
        process.kill()
        process.wait()
    # The last `sleep 1` of the shell that was killed may live a little longer.
    until(lambda: end_leftovers(f"MARK={name}", grace=0.5) == 0, what="nothing to be left")


def test_capture() -> None:
    assert capture(["/bin/echo", "x"], timeout=10) == "x\n"
    with pytest.raises(FileNotFoundError):
        capture(["/nonexistent"], timeout=10)
    with pytest.raises(TimeoutError, match="no answer"):
        capture(["/bin/sleep", "60"], timeout=0.1)


def test_a_child_that_waits_is_told_once() -> None:
    child = Child(["/bin/cat"], environment=ENVIRONMENT, data=None)
    assert child.poll() is None
    assert child.tell(b"x" * 65_536)
    assert status(child) == 0
    assert child.output() == b"x" * 65_536
    assert not child.tell(b"again")
    child.close()


def test_a_child_that_cannot_be_told() -> None:
    full = Child(["/bin/cat"], environment=ENVIRONMENT, data=None)
    assert not full.tell(b"x" * 2_000_000)
    assert full.tell(b"")
    assert (status(full), full.output()) == (0, b"")
    gone = Child(["/bin/true"], environment=ENVIRONMENT, data=None)
    assert status(gone) == 0
    assert not gone.tell(b"x")
    for child in (full, gone):
        child.close()


def test_a_child_that_waits_ends_with_us() -> None:
    script = "from inosync.system.process import Child; import os, signal; " + (
        "child = Child(['/bin/cat'], environment={}, data=None); print(child.pid, flush=True); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    processes.wait_gone([int(done.stdout)])


def test_one_that_waits_at_a_pipe_is_known(run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    child = run(f"exec cat '{tmp_path}/pipe'")
    until(child.at_pipe, what="it to wait")
    with open(tmp_path / "pipe", "w"):
        until(lambda: not child.at_pipe(), what="it to read")
    status(child)
    assert not child.at_pipe()
