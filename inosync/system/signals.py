"""Signals, turned into something the loop can select on.

A handler that acted would act at an arbitrary point of the program. So the handlers do nothing, and
the interpreter writes each signal's number into a socket that wakes the loop, which then acts.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from types import FrameType

HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)


class Signals:
    """Catches the signals of ``HANDLED`` until closed."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        # A full socket already wakes the loop, and children are polled, so a lost number of
        # SIGCHLD does no harm; of the others so many never come.
        self._before_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _nothing) for number in HANDLED}

    def fileno(self) -> int:
        """The descriptor that becomes readable when a signal has come."""
        return self._reader.fileno()

    def take(self) -> list[signal.Signals]:
        """Return the signals that came since the last call, in order; SIGCHLD once, and first.

        Who hears of it asks all children whether they have ended, however many have.
        """
        received = b""
        with contextlib.suppress(BlockingIOError):
            received = self._reader.recv(4096)
        others = received.translate(None, bytes([signal.SIGCHLD]))
        ended = [signal.SIGCHLD] if len(others) < len(received) else []
        return ended + [signal.Signals(number) for number in others if number in HANDLED]

    def close(self) -> None:
        """Put back what was there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        self._reader.close()
        self._writer.close()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Stand in for the default action; the wake-up socket has it all."""
