"""What a daemon costs: CPU time, memory and wake-ups, from proc(5)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


def cpu(pids: Iterable[int]) -> float:
    """Return CPU seconds of these processes and of all children that they have waited for.

    In steps of a tick (10 ms) for each process: measure several things at once.
    """
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks * _TICK


def own_cpu(pid: int) -> float:
    """Return CPU seconds of the threads of one process, without its children, to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    return _status(Path(f"/proc/{pid}/status"), "VmRSS") / 1024


def wakeups(pid: int) -> int:
    """Return how often the threads of a process have gone to sleep of their own accord."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(_status(task / "status", "voluntary_ctxt_switches") for task in tasks)


def watches(pid: int) -> int:
    """Return how many inotify watches a process has."""
    count = 0
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            count += entry.read_bytes().count(b"inotify wd:")
    return count


def _status(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(f"{file} has no {name}")
