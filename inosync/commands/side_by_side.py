"""Several programs side by side, for the commands that need no daemon: run them all, then go on.

Blocks, and ends what it started when it is told to end itself. Knows nothing of rsync.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from signal import Signals as Signal
from typing import Generic, TypeVar

from inosync.errors import InosyncError
from inosync.system.process import Child, not_started
from inosync.system.signals import Signals

_Key = TypeVar("_Key")

#: Seconds between asking a program to end and killing it.
_GRACE = 2.0


@dataclass(frozen=True)
class Job(Generic[_Key]):
    """A program to run; ``key`` is whatever tells it from others."""

    key: _Key
    argv: Sequence[str]
    data: bytes = b""


@dataclass(frozen=True)
class Ended(Generic[_Key]):
    """A program that has ended: its exit status, None when the time was up first.

    ``lines`` can be read until the next one is asked for.
    """

    key: _Key
    argv: Sequence[str]
    status: int | None
    lines: Iterator[bytes]
    errors: bytes


def together(
    jobs: Sequence[Job[_Key]],
    *,
    parallel: int,
    environment: Mapping[str, str],
    seconds: float = 0,
    nice: bool = False,
) -> Iterator[Ended[_Key]]:
    """Run the programs, at most so many in `parallel`, and give each when it has ended.

    Each has `seconds` (0: any time). With `nice` they yield to all others. Raise InosyncError when
    SIGTERM, SIGINT or SIGHUP comes; all that still runs then, or when the caller gives up, is
    ended.
    """
    waiting, running = list(reversed(jobs)), list[tuple[Job[_Key], Child, float]]()
    killed: list[Child] = []  # no more is wanted of them than their end
    signals = Signals()
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                job = waiting.pop()
                try:
                    child = Child(job.argv, environment=environment, data=job.data, nice=nice)
                except OSError as error:
                    code, why = not_started(job.argv, error)
                    yield Ended(job.key, job.argv, code, iter(()), why.encode())
                else:
                    running.append((job, child, time.monotonic() + seconds))
            for entry in list(running):
                job, child, until = entry
                status = child.poll()
                late = status is None and seconds > 0 and time.monotonic() >= until
                if status is None and not late:
                    continue
                running.remove(entry)
                if late:
                    child.kill()
                    killed.append(child)
                try:
                    yield Ended(job.key, job.argv, status, child.lines(), child.errors())
                finally:
                    child.close()
            if running:
                _wait(signals, [until for _, _, until in running] if seconds else [])
    finally:
        _end([*(child for _, child, _ in running), *killed], signals)
        signals.close()


def _wait(signals: Signals, deadlines: Sequence[float]) -> None:
    """Wait until a child has ended, a deadline has come or a signal ends it all."""
    timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
    select.select([signals.fileno()], [], [], timeout)
    for signal in signals.take():
        if signal in (Signal.SIGTERM, Signal.SIGINT, Signal.SIGHUP):
            raise InosyncError(f"stopped by {signal.name} before all was done")


def _end(children: Sequence[Child], signals: Signals) -> None:
    """End what still runs and let go of all: first politely, then for certain."""
    left = [child for child in children if child.poll() is None]
    for end in (Child.terminate, Child.kill):
        for child in left:
            end(child)
        until = time.monotonic() + _GRACE
        while left and time.monotonic() < until:
            select.select([signals.fileno()], [], [], 0.05)
            signals.take()
            left = [child for child in left if child.poll() is None]
    for child in children:
        child.close()
