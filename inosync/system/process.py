"""Child processes: starting, watching over and ending them. The only door to subprocess.

A child leads a session, and so a process group, of its own: a signal to the group reaches all it
started, and a terminal's Ctrl-C does not. Its output goes to unlinked temporary files and not to
pipes: an ssh that lives on to share its connection keeps pipes open for ever, so the end of a
child is its exit, not the end of its output. What is known to be short stays in memory: to make a
file on disk takes a good part of a millisecond. Knows nothing of rsync or mirrors.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: How much of the end of a child's output is read; the rest only fills the file.
TAIL = 65536

#: As so many bytes counts a tick of the processor, which is 10 ms.
_TICK = 1000

#: What a shell answers for a program that is missing, and for one that cannot be executed.
NOT_FOUND, NOT_EXECUTABLE = 127, 126


class Child:
    """One running program."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | Mapping[bytes, bytes],
        data: bytes | None = b"",
        nice: bool = False,
        brief: bool = False,
    ) -> None:
        """Start ``argv`` in ``/`` with `data` as its standard input; `nice`: it yields to others.

        Without `data` it waits for what it is told (``tell``). What it writes is kept in memory
        when it is `brief`. Raise OSError when it cannot be started.
        """
        room = _memory if brief else _unlinked
        with contextlib.ExitStack() as stack, contextlib.ExitStack() as until_started:
            given: io.FileIO | int = subprocess.DEVNULL
            if data is None:
                given = subprocess.PIPE
            elif data:
                given = until_started.enter_context(_memory())
                _write(given.fileno(), data)
                given.seek(0)
            self._output = stack.enter_context(room())
            self._errors = stack.enter_context(room())
            self._process = subprocess.Popen(
                argv,
                stdin=given,
                stdout=self._output,
                stderr=self._errors,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
            stack.pop_all()
        if nice:
            # The whole group: it may have forked already. Ended already is as well.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PGRP, self.pid, 19)
        self._told_to_end = False

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status when the child has ended (negative: the signal), else None.

        What the child started itself and left behind after a violent end is killed with it.
        """
        if self._process.returncode is not None:
            return self._process.returncode
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        if self._told_to_end or ended.si_code != os.CLD_EXITED:
            # Not reaped yet, so the number of its group cannot belong to anybody else.
            self._signal(signal.SIGKILL)
        return self._process.wait()

    def tell(self, data: bytes) -> bool:
        """Give a child that waits all that there is for it to read.

        Return False if that cannot be done at once: it has ended, or its pipe has no room.
        """
        pipe = self._process.stdin
        if pipe is None or pipe.closed or len(data) > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ):
            return False
        try:
            os.write(pipe.fileno(), data)  # what fits in an empty pipe never blocks, pipe(7)
        except BrokenPipeError:
            return False
        finally:
            pipe.close()
        return True

    def terminate(self) -> None:
        """Ask the child and all in its group to end."""
        self._told_to_end = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the child and all in its group."""
        self._told_to_end = True
        self._signal(signal.SIGKILL)

    def output(self) -> bytes:
        """Return the end of what it wrote to its standard output."""
        return _tail(self._output)

    def lines(self) -> Iterator[bytes]:
        """Return all that it wrote to its standard output, line by line, once it has ended."""
        if os.fstat(self._output.fileno()).st_size <= TAIL:  # mostly
            yield from io.BytesIO(_tail(self._output))
            return
        with open(self._output.fileno(), "rb", closefd=False) as file:
            file.seek(0)
            yield from file

    def errors(self) -> bytes:
        """Return the end of what it wrote to its standard error."""
        return _tail(self._errors)

    def close(self) -> None:
        """Let go of its input and output."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._output.close()
        self._errors.close()

    def ask_progress(self) -> None:
        """Send the signal at which rsync (3.2.0 or later) tells its progress; see rsync(1).

        Only to a program that is waiting for it (proc_pid_status(5), SigCgt): others it would end.
        """
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self.pid}/status").read_bytes()
            caught = re.search(rb"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
            if caught and int(caught[1], 16) >> (signal.SIGVTALRM - 1) & 1:
                self._process.send_signal(signal.SIGVTALRM)

    def at_pipe(self) -> bool:
        """Return whether the child waits for somebody to open the other end of a pipe: fifo(7).

        By what it sleeps in (proc_pid_wchan(5)), the name of which is the kernel's own (fs/pipe.c).
        """
        try:
            asleep_in = Path(f"/proc/{self.pid}/wchan").read_bytes()
        except OSError:
            return False
        return asleep_in in (b"wait_for_partner", b"fifo_open")

    def activity(self) -> tuple[int, int]:
        """Return the bytes that the child itself has read, and how much its group has done.

        That is the bytes its processes read and wrote (proc_pid_io(5)), but for what the child was
        only told to say (``ask_progress``), and a thousand for each CPU tick (proc_pid_stat(5)).
        """
        read = done = 0
        for process in _processes():
            # Processes end while we look, and another user's are closed to us.
            with contextlib.suppress(OSError, ValueError, IndexError):
                taken, all_of_it = _activity(process, self.pid)
                done += all_of_it
                if process.name == str(self.pid):
                    read = taken
        said = sum(os.fstat(file.fileno()).st_size for file in (self._output, self._errors))
        return read, max(0, done - said)  # of one that is gone, only what it said is left

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


def not_started(argv: Sequence[str], error: OSError) -> tuple[int, str]:
    """Return the exit status that a shell gives a program that cannot be started, and why."""
    status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    return status, f"{argv[0]}: {error.strerror}"


def capture(argv: Sequence[str], *, timeout: float) -> str:
    """Run a program that answers at once; return its standard output.

    For start and end of the daemon only: it blocks. Raise OSError when the program cannot be run
    or takes longer than ``timeout`` seconds.
    """
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"no answer within {timeout:.0f} s") from error
    return done.stdout.decode("utf-8", "replace")


def end_leftovers(mark: str, *, grace: float) -> int:
    """End all processes that were started with `mark` ("NAME=value") in their environment.

    They get SIGTERM and, after `grace` seconds, SIGKILL. Return how many there were. For the start
    of the daemon only: it blocks for so long.
    """
    descriptors = []
    for process in _processes():
        # Processes end while we look, and those of others are closed to us.
        with contextlib.suppress(OSError):
            if _carries(process, os.fsencode(mark)):
                descriptors.append(os.pidfd_open(int(process.name)))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for descriptor in descriptors:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
        for descriptor in descriptors:
            # A pidfd is readable when its process has ended, pidfd_open(2).
            if not select.select([descriptor], [], [], grace)[0]:
                break
    for descriptor in descriptors:
        os.close(descriptor)
    return len(descriptors)


def resident() -> int:
    """Return the resident memory of this process in bytes; see proc_pid_statm(5). 0: unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _processes() -> Iterator[Path]:
    """Yield the directory of each process; none where /proc is not mounted."""
    with contextlib.suppress(OSError), os.scandir("/proc") as entries:
        yield from (Path(entry.path) for entry in entries if entry.name.isdigit())


def _carries(process: Path, mark: bytes) -> bool:
    return mark in (process / "environ").read_bytes().split(b"\0")


def _unlinked() -> io.FileIO:
    try:
        return tempfile.TemporaryFile("w+b", buffering=0)
    except OSError:
        # No room or no permission anywhere on disk: memory will do.
        return _memory()


def _memory() -> io.FileIO:
    return io.FileIO(os.memfd_create("inosync"), "w+")


def _write(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a list may be longer than one call takes (write(2): 2 GiB)."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _tail(file: io.FileIO) -> bytes:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), TAIL, max(0, size - TAIL))


def _activity(process: Path, group: int) -> tuple[int, int]:
    # The second field is the program's name in parentheses and may hold anything; after it come
    # state, parent, group, ... and as the 12th and 13th the CPU ticks in user and kernel mode.
    fields = (process / "stat").read_bytes().rpartition(b")")[2].split()
    if int(fields[2]) != group:
        return 0, 0
    moved = {b"rchar:": 0, b"wchar:": 0}
    with contextlib.suppress(OSError):
        lines = (process / "io").read_bytes().splitlines()
        moved.update((name, int(count)) for name, count in map(bytes.split, lines))
    read, written = moved[b"rchar:"], moved[b"wchar:"]
    return read, read + written + _TICK * (int(fields[11]) + int(fields[12]))
