"""Standard output and standard error: whoever reads them may leave, and may never have been there.

Knows nothing of what is printed.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: What writing fails with where no more goes in.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def stand_in() -> None:
    """Open what we were started without (``>&-``), so that no other file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for the whole process


@contextmanager
def flushed() -> Iterator[None]:
    """Have all that was printed inside written at the end, where a failure can still be told."""
    try:
        yield
    finally:
        sys.stdout.flush()


def mute() -> None:
    """Let nothing more be printed, nor what could not be."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)


def end_by_pipe() -> int:
    """End as other programs do whose reader is gone (``| head``): by SIGPIPE.

    Return what a shell makes of that, where the signal is blocked.
    """
    mute()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    return 128 + signal.SIGPIPE


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def mention(line: str) -> None:
    """Print a line of a work that goes on when nobody hears of it."""
    try:
        say(line)
    except OSError:
        mute()
