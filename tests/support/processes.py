"""What /proc says about processes: children, descendants, who carries a mark, and ending them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from support.waiting import PATIENCE, until


def parent(pid: int) -> int | None:
    """Return the parent's pid, or None when there is no such process (or only a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in parentheses and may itself hold spaces and parentheses, see proc(5).
    state, parent_pid = text.rpartition(")")[2].split()[:2]
    return None if state in "ZX" else int(parent_pid)


def pids() -> list[int]:
    """Return the pids of all processes that we can see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def alive(pid: int) -> bool:
    """Tell whether a process runs. A zombie does not."""
    return parent(pid) is not None


def children(pid: int) -> list[int]:
    """Return the pids of the running children of a process."""
    return [candidate for candidate in pids() if parent(candidate) == pid]


def descendants(pid: int) -> list[int]:
    """Return the pids of everything below a process, parents before their children."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def command(pid: int) -> list[str]:
    """Return the argument list of a process, empty when it is gone."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [os.fsdecode(argument) for argument in data.split(b"\0")[:-1]]


def marked(mark: str) -> list[int]:
    """Return the running processes that were started with the text `mark` in their environment.

    Finds what left its parent, session and group behind, such as a shared ssh connection.
    """
    wanted = os.fsencode(mark)
    found = []
    for pid in pids():
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{pid}/environ").read_bytes() and alive(pid):
                found.append(pid)
    return found


def kill(victims: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to each process; one that is gone already is what we want."""
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_gone(victims: Iterable[int], *, seconds: float = PATIENCE) -> None:
    """Wait until none of these processes runs."""
    watched = list(victims)
    until(
        lambda: not any(alive(pid) for pid in watched),
        seconds=seconds,
        what="processes to end",
        state=lambda: str([command(pid) for pid in watched if alive(pid)]),
    )
