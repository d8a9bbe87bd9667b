"""The commands that ask the running daemon, as a person at a terminal meets them.

Prints, and returns exit statuses. What the daemon answers is the business of
service/requests.py. Nothing of it is trusted: who answers may be somebody else, or an older daemon.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from inosync.commands import client, told
from inosync.config.model import Config, pairs_on
from inosync.errors import Exit, InosyncError, NotRunningError
from inosync.status import layout
from inosync.status.layout import Line
from inosync.status.model import Snapshot
from inosync.text import many, printable

#: Seconds that --wait waits when it is not told.
WAIT = 60.0

#: Seconds that --repair waits for the daemon: both ends read every file.
_REPAIR = 86400.0

#: Where the daemon may answer.
Where = Sequence[client.Address]


def status(
    where: Where,
    *,
    as_json: bool,
    relays: Callable[[Mapping[str, Any]], list[dict[str, Any]]] | None = None,
) -> int:
    """Print the state of everything; return NOT_IN_SYNC unless all mirrors have everything.

    On standby there is nothing that they should have from here.
    What `relays` have to say to what the daemon has answered is part of the JSON.
    """
    now = state(where)
    more = {"relays": relays(now)} if relays is not None else {}
    if as_json:
        print(json.dumps({**now, **more}, indent=2))
    else:
        terminal = sys.stdout.isatty()
        columns = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else 0
        lines = layout.picture(now, columns or None)
        print("\n".join(painted(lines, colours=terminal)))
    return Exit.OK if now["synced"] or now["standby"] else Exit.NOT_IN_SYNC


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
        complain(f"the daemon is on standby: {why}")
    for line in answer["lagging"]:
        after = answer["seconds"] if impatient else seconds
        complain(f"not in sync after {after:g} s: {line}")
    if answer["ailing"] and not answer["lagging"]:
        count = many(len(answer["ailing"]), "path")
        complain(f"in sync but for {count}:")
    for line in answer["ailing"]:
        complain(line)
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
        complain(problem)
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
        answer = client.ask(where, command, timeout=timeout, **arguments)
    except TimeoutError as error:
        raise NotRunningError(
            f"the daemon at {client.shown(where)} has not answered for {timeout:g} s: it is "
            "stopped, or hangs"
        ) from error
    if not answer["ok"]:
        raise RefusedError(answer["error"])
    return answer


def state(where: Where) -> Snapshot:
    """Return the state of everything."""
    now: Snapshot = _ask(where, "status")["status"]
    return now


@contextmanager
def understood(where: Where) -> Iterator[None]:
    """Have an answer that is none of ours told as one, whatever is missing in it."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise NotRunningError(
            f"what answers at {client.shown(where)} is no daemon of this version: restart it"
        ) from error


def _say(text: str) -> None:
    print(printable(text))


def complain(text: str) -> None:
    """Say what is wrong."""
    print(f"inosync: {printable(text)}", file=sys.stderr)


# ---- the table ------------------------------------------------------------------------------

#: The colours of what a part of a line is to the eye.
_STYLES = {"title": "bold", "dim": "dim", "good": "green", "busy": "cyan", "wait": "yellow"}
_STYLES |= {"bad": "bold red"}


def painted(lines: Sequence[Line], *, colours: bool) -> list[str]:
    """Return lines as a terminal takes them, in colours where the package rich is installed."""
    if colours and "NO_COLOR" not in os.environ:
        try:
            return _rich(lines)
        except ImportError:
            pass
    return [printable("".join(part for part, _ in line)) for line in lines]


def _rich(lines: Sequence[Line]) -> list[str]:
    from rich.console import Console
    from rich.text import Text

    # No table of rich's, and none of its folding: each line is as long as it is to be.
    console = Console(highlight=False)
    with console.capture() as captured:
        for line in lines:
            parts = ((printable(part), _STYLES.get(look, "")) for part, look in line)
            console.print(Text.assemble(*parts), soft_wrap=True)
    return captured.get().splitlines()
