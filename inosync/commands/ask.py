"""The commands that ask the running daemon, as a person at a terminal meets them.

Prints, and returns exit statuses. What the daemon answers is the business of requests.py. Nothing
of it is trusted: who answers may be somebody else, or an older daemon.
"""

from __future__ import annotations

import json
import os
import select
import sys
import termios
import time
import tty
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from inosync.commands import told
from inosync.config.model import Config
from inosync.config.nodes import pairs_on
from inosync.errors import Exit, InosyncError, NotRunningError
from inosync.status import table
from inosync.status.model import Snapshot
from inosync.system import control
from inosync.text import many, printable

#: Seconds that --wait waits when it is not told.
WAIT = 60.0

#: Seconds that --repair waits for the daemon: both ends read every file.
_REPAIR = 86400.0

#: Seconds between pictures of --top.
_EVERY = 1.0

#: Where the daemon may answer.
Where = Sequence[control.Address]

_CLEAR, _HIDE, _SHOW = "\x1b[H\x1b[2J", "\x1b[?25l", "\x1b[?25h"


def status(where: Where, *, as_json: bool) -> int:
    """Print the state of everything; return NOT_IN_SYNC unless all mirrors have everything.

    On standby there is nothing that they should have from here.
    """
    now = _status(where)
    if as_json:
        print(json.dumps(now, indent=2))
    else:
        print("\n".join(_picture(now, colours=sys.stdout.isatty())))
    return Exit.OK if now["synced"] or now["standby"] else Exit.NOT_IN_SYNC


def top(where: Where) -> int:
    """Show the state live until q or Ctrl-C is pressed."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("inosync: --top needs a terminal; use --status", file=sys.stderr)
        return Exit.USAGE
    with _keys() as pressed:
        while True:
            size = _size()
            try:
                picture = _picture(_status(where), colours=True, size=size)
            except NotRunningError as error:
                picture = _first([_cut(printable(str(error)), size.columns)], size)
            print(_CLEAR + "\n".join(picture), end="", flush=True)
            if pressed(_EVERY) in ("q", "Q", "\x03", "\x04"):
                return Exit.OK


def wait(where: Where, *, seconds: float, node: str, impatient: bool = False) -> int:
    """Return OK as soon as all that changed until now is on the nodes, or on `node`.

    Who is `impatient` waits for no mirror that has failed or is held.
    """
    answer = _ask(
        where, "wait", timeout=seconds + 30, seconds=seconds, node=node, impatient=impatient
    )
    if answer["synced"]:
        return Exit.OK
    if why := answer.get("standby"):
        _complain(f"the daemon is on standby: {why}")
    for line in answer["lagging"]:
        after = answer["seconds"] if impatient else seconds
        _complain(f"not in sync after {after:g} s: {line}")
    if answer["ailing"] and not answer["lagging"]:
        count = many(len(answer["ailing"]), "path")
        _complain(f"in sync but for {count}:")
    for line in answer["ailing"]:
        _complain(line)
    return Exit.NOT_IN_SYNC


def sync(where: Where, *, node: str) -> int:
    """Ask for a full pass."""
    answer = _ask(where, "sync", node=node)
    _say(f"full pass of {many(answer['mirrors'], 'mirror')} begins{_later(answer)}")
    return Exit.OK


def repair(where: Where, config: Config, *, node: str) -> int:
    """Have the daemon compare contents and mend what differs; return OK when all is well."""
    answer = _ask(where, "repair", node=node)
    passes = many(answer["mirrors"], "full pass")
    _say(f"the daemon mends it by {passes} by contents{_later(answer)}")
    if answer["paused"]:
        return Exit.NOT_IN_SYNC
    result = wait(where, seconds=_REPAIR, node=node, impatient=True)
    if result != Exit.OK:
        return result
    left = told.ask(where, pairs_on(config.pairs, node), running=True)
    for pair, each in left.items():
        if each.apart:
            name = f"{pair.source.path} -> {pair.destination.shown}"
            _say(f"{name}: mended but for {each.apart.told()}")
    if any(each.apart for each in left.values()):
        return Exit.NOT_IN_SYNC
    print("mended")
    return Exit.OK


def pause(where: Where) -> int:
    """Let nothing start until --resume."""
    answer = _ask(where, "pause")
    runs = many(answer["running"], "run")
    _say(f"paused: changes are collected, nothing is started; at work still: {runs}")
    return Exit.OK


def resume(where: Where) -> int:
    """End a pause."""
    _ask(where, "resume")
    print("resumed")
    return Exit.OK


def reload(where: Where) -> int:
    """Have the config read again."""
    problems = _ask(where, "reload")["problems"]
    for problem in problems:
        _complain(problem)
    print("the old config stays in force" if problems else "config loaded again")
    return Exit.USAGE if problems else Exit.OK


def _later(answer: dict[str, Any]) -> str:
    """Return what to add to what begins: when, if the daemon is paused."""
    return " when --resume ends the pause" if answer["paused"] else ""


class RefusedError(InosyncError):
    """The daemon would not do what it was asked: there is no such node, or the like."""

    exit_status = Exit.USAGE


def _ask(where: Where, command: str, *, timeout: float = 30, **arguments: Any) -> dict[str, Any]:
    try:
        answer = control.ask(where, command, timeout=timeout, **arguments)
    except TimeoutError as error:
        raise NotRunningError(
            f"the daemon at {control.shown(where)} has not answered for {timeout:g} s: it is "
            "stopped, or hangs"
        ) from error
    if not answer["ok"]:
        raise RefusedError(answer["error"])
    return answer


def _status(where: Where) -> Snapshot:
    now: Snapshot = _ask(where, "status")["status"]
    return now


@contextmanager
def understood(where: Where) -> Iterator[None]:
    """Have an answer that is none of ours told as one, whatever is missing in it."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise NotRunningError(
            f"what answers at {control.shown(where)} is no daemon of this version: restart it"
        ) from error


def _say(text: str) -> None:
    print(printable(text))


def _complain(text: str) -> None:
    print(f"inosync: {printable(text)}", file=sys.stderr)


# ---- the table ------------------------------------------------------------------------------


def _size() -> os.terminal_size:
    """Return what goes on the screen; the environment may speak of another one."""
    size = os.get_terminal_size(sys.stdout.fileno())
    return size if size.columns and size.lines else os.terminal_size((80, 24))


def _picture(now: Snapshot, *, colours: bool, size: os.terminal_size | None = None) -> list[str]:
    """Return the lines of the table, or as much of them as is seen on a screen of this `size`.

    They have colours where the package rich is installed.
    """
    if colours and "NO_COLOR" not in os.environ:
        try:
            return _rich(now, size)
        except ImportError:
            pass
    lines = [printable(line) for line in table.plain(now)]
    return _first([_cut(line, size.columns) for line in lines], size) if size else lines


def _first(lines: list[str], size: os.terminal_size) -> list[str]:
    """Return the lines that a screen has room for; the last one tells how many there are more."""
    rows = max(1, size.lines - 1)
    if len(lines) <= rows:
        return lines
    return [
        *lines[: rows - 1],
        _cut(f"and {many(len(lines) - rows + 1, 'more line')}", size.columns),
    ]


def _cut(line: str, columns: int) -> str:
    """Return as much of a line as so many columns hold."""
    used = 0
    for position, character in enumerate(line):
        wide = unicodedata.east_asian_width(character) in ("W", "F")
        used += 0 if unicodedata.combining(character) else 1 + wide
        if used > columns:
            return line[:position]
    return line


def _rich(now: Snapshot, size: os.terminal_size | None) -> list[str]:
    from rich.console import Console
    from rich.text import Text

    # No table of rich's: it cuts names short, and folds what a node said into a narrow column.
    console = Console(highlight=False, width=size.columns if size else None)

    def show(*parts: tuple[str, str]) -> None:
        text = Text.assemble(*((printable(part), style) for part, style in parts))
        if size:
            text.truncate(size.columns)
        console.print(text, soft_wrap=size is not None)

    with console.capture() as captured:
        mood = "cyan" if now["standby"] else "red"
        show((table.summary(now), f"bold {'green' if now['synced'] else mood}"))
        show((table.heading(now), "dim"))
        for section in table.sections(now):
            console.print()
            show((section.title, "bold red" if section.held else "bold"))
            if not section.rows:
                continue
            header, *cells = table.aligned(section)
            show(("    " + "  ".join(header).rstrip(), "dim"))
            for row, (node, state, *more) in zip(section.rows, cells, strict=True):
                colour = table.COLOURS.get(row.state, "")
                rest = "  ".join(more)
                show((f"    {node}  ", ""), (state, colour), (f"  {rest}", ""))
                for note in row.notes:
                    show((f"      {note}", "dim"))
    lines = captured.get().splitlines()
    return _first(lines, size) if size else lines


@contextmanager
def _keys() -> Iterator[Any]:
    """Provide a function that waits so many seconds for a key and returns it, or ""."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> str:
        end = time.monotonic() + seconds
        ready = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]
        return os.read(descriptor, 1).decode("ascii", "replace") if ready else ""

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
