"""What a running daemon tells of its mirrors: which it holds, and what it leaves as it is.

For the commands that look at the same mirrors beside it. Decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inosync.commands import client
from inosync.config.model import Pair
from inosync.engine.apart import NOTHING, Apart, Left
from inosync.errors import InosyncError

#: Seconds that the daemon has to answer, beside what it is asked to wait.
_PATIENCE = 10.0


@dataclass(frozen=True)
class Told:
    """What is told of one mirror: why it is held, or "", and what is left ``apart``.

    ``lenient``: a run for big files is, or was, at work there, and its temporary files with it.
    """

    held: str = ""
    apart: Apart = NOTHING
    lenient: bool = False


_UNTOLD = Told()


def ask(
    where: Sequence[client.Address], pairs: Iterable[Pair], *, running: bool
) -> dict[Pair, Told]:
    """Return what the daemon tells of each mirror; nothing of any when none answers."""
    told: dict[tuple[str, str], Told] = {}
    if running:
        try:
            answer = client.ask(where, "apart", timeout=_PATIENCE)
            if not answer["ok"]:  # it is an older one, or we are strangers to it
                return _held(client.ask(where, "status", timeout=_PATIENCE), pairs)
        except (InosyncError, TimeoutError):
            answer = {"mirrors": []}
        told = {(each["source"], each["node"]): _told(each) for each in answer["mirrors"]}
    return {pair: told.get((pair.source.path, pair.node.name), _UNTOLD) for pair in pairs}


def settled(where: Sequence[client.Address], node: str, seconds: float) -> bool:
    """Return whether all that has changed until now is on the nodes within so many seconds."""
    try:
        answer = client.ask(
            where,
            "wait",
            timeout=seconds + _PATIENCE,
            seconds=seconds,
            node=node,
            impatient=True,
        )
    except (InosyncError, TimeoutError):
        return False
    return bool(answer["ok"]) and not answer["lagging"]


def _told(mirror: Mapping[str, Any]) -> Told:
    paths = {os.fsencode(path): Left(why, whole) for path, (why, whole) in mirror["paths"].items()}
    return Told(_reason(mirror["held"]), Apart(paths, mirror["giants"]), mirror["lenient"])


def _held(status: Mapping[str, Any], pairs: Iterable[Pair]) -> dict[Pair, Told]:
    sources = status["status"]["sources"] if status["ok"] else []
    held = {s["path"]: f"the source {s['reason']}" for s in sources if s["state"] == "held"}
    return {pair: Told(_reason(held.get(pair.source.path, ""))) for pair in pairs}


def _reason(held: str) -> str:
    return f"the daemon holds it: {held}" if held else ""
