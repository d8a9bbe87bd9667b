"""``--top``: the state, live, on a terminal that may be small.

Reads keys and draws; what is seen, and what a key does, is the business of status/screen.py.
"""

from __future__ import annotations

import dataclasses
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inosync.commands.ask import Where, painted, state
from inosync.errors import Exit, NotRunningError
from inosync.status.screen import keys, notice, screen
from inosync.text import printable

#: Seconds between two questions to the daemon.
_EVERY = 1.0

_CLEAR, _HIDE, _SHOW = "\x1b[H\x1b[2J", "\x1b[?25l", "\x1b[?25h"


def top(where: Where) -> int:
    """Show the state live until q or Ctrl-C is pressed."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("inosync: --top needs a terminal; use --status", file=sys.stderr)
        return Exit.USAGE
    first = 0
    with _keys() as pressed:
        while True:
            try:
                now = state(where)
            except NotRunningError as error:
                columns, rows = _size()
                _draw(painted(notice(printable(str(error)), columns, rows), colours=True))
                if "quit" in keys(pressed(_EVERY)):
                    return Exit.OK
                continue
            until = time.monotonic() + _EVERY
            while (left := until - time.monotonic()) > 0:
                seen = screen(now, *_size(), first)
                _draw(painted(seen.lines, colours=True))
                for key in keys(pressed(left)):
                    if key == "quit":
                        return Exit.OK
                    seen = dataclasses.replace(seen, first=seen.moved(key))
                first = seen.first


def _draw(lines: list[str]) -> None:
    print(_CLEAR + "\n".join(lines), end="", flush=True)


def _size() -> tuple[int, int]:
    """Return the columns and rows of the screen; the environment may speak of another one.

    The last row stays empty, so that nothing is scrolled by what is printed.
    """
    size = os.get_terminal_size(sys.stdout.fileno())
    return (size.columns, max(1, size.lines - 1)) if size.columns and size.lines else (80, 23)


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Provide a function that waits so many seconds for keys and returns them, or ""."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> str:
        ready = select.select([descriptor], [], [], max(0.0, seconds))[0]
        return os.read(descriptor, 256).decode("ascii", "replace") if ready else ""

    try:
        tty.setraw(descriptor)
        # Line ends and Ctrl-C as usual: only single keys are wanted, without their echo.
        mode = termios.tcgetattr(descriptor)
        mode[1] = before[1]
        termios.tcsetattr(descriptor, termios.TCSADRAIN, mode)
        print(_HIDE, end="", flush=True)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        print(_SHOW)
