"""``--status --all`` and ``--wait --all``: the daemons on nodes that are relays are asked as well.

A relay is asked by running inosync there, over the ssh that reaches it anyway (``rrelay``), and
asks its own relays in turn. What it answers is not trusted: it may be anybody, or an older one.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inosync.commands import ask
from inosync.commands.side_by_side import Ended, Job, together
from inosync.config.model import Config, Pair, pairs_on
from inosync.errors import Exit
from inosync.rsync.options import values
from inosync.rsync.program import ssh_command
from inosync.service.privileges import become, run_environment
from inosync.status import layout
from inosync.text import printable

#: Seconds that a relay has for each level of relays below it, beside what it is to wait.
_PATIENCE = 15.0
#: Seconds by which a start may differ that is told twice: it goes by the clock on the wall.
_SLEW = 1.0
#: What is said of a relay that was asked before, by way of those behind it.
_RING = "is in a ring: it feeds what feeds it, and both delete and bring back (docs/two-way.rst)"


@dataclass(frozen=True)
class Answer:
    """What a relay has answered: its status, if it was asked for; ``problem``: it did not."""

    name: str
    end: Exit
    status: Mapping[str, Any] | None = None
    lines: tuple[str, ...] = ()
    problem: str = ""

    def told(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"node": self.name, "status": self.status, "problem": self.problem}


def status(
    where: ask.Where, config: Config, *, levels: int, as_json: bool, say: Callable[[str], None]
) -> int:
    """Tell the state of everything here and on the relays; return what it comes to."""
    answers: list[Answer] = []
    told: list[dict[str, Any]] = []

    def relays(own: Mapping[str, Any]) -> list[dict[str, Any]]:
        answers.extend(asked(config, ["--status", "--json"], levels=levels))
        told.extend(once_round(answer.told(), (own,)) for answer in answers)
        return told

    own = ask.status(where, as_json=as_json, relays=relays)
    if not as_json:
        for each in told:
            for line in picture(each):
                say(printable(line))
    return _worst([Exit(own), *(answer.end for answer in answers)])


def wait(where: ask.Where, config: Config, *, levels: int, seconds: float, node: str) -> int:
    """Return OK as soon as all that changed until now is on the nodes, and on those behind them."""
    until = time.monotonic() + seconds
    own = ask.wait(where, seconds=seconds, node=node)
    if own != Exit.OK:
        return own
    left = max(0.0, until - time.monotonic())
    ends = [Exit.OK]
    for answer in asked(config, [f"--wait={left:.3f}"], levels=levels, node=node, seconds=left):
        ends.append(answer.end)
        for line in answer.lines:
            ask.complain(f"relay {answer.name}: {line}")
        if answer.problem:
            ask.complain(f"relay {answer.name} {answer.problem}")
    return _worst(ends)


def argv(pair: Pair, words: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return the command that asks the daemon on a relay."""
    asked = pair.node.rrelay
    if not isinstance(asked, str):
        return [*asked, *words]
    destination = pair.destination
    named = [*values(pair.node.extra, ("-e", "--rsh"))] or [environment.get("RSYNC_RSH", "")]
    shell = named[-1] or ssh_command(destination, "")
    return [*shlex.split(shell), destination.login, shlex.join([*shlex.split(asked), *words])]


def asked(
    config: Config, words: Sequence[str], *, levels: int, node: str = "", seconds: float = 0.0
) -> list[Answer]:
    """Put a question to the relays, each of which has so many `seconds`; return their answers."""
    if os.geteuid() == 0:
        become(config)  # whose keys get there
    environment = run_environment()
    words = [*words, *([f"--all={levels - 1}"] if levels > 1 else [])]
    pairs = [pair for pair in pairs_on(config.pairs, node) if pair.node.rrelay]
    names = {tuple(argv(pair, words, environment)): pair.node.name for pair in reversed(pairs)}
    jobs = [Job(name, command) for command, name in reversed(names.items())]
    found = {}
    limit = seconds + _PATIENCE * levels
    for ended in together(jobs, parallel=config.long_runs, environment=environment, seconds=limit):
        found[tuple(ended.argv)] = _answer(ended, limit, as_status=words[0] == "--status")
    return [found[tuple(job.argv)] for job in jobs]


def _answer(ended: Ended[str], limit: float, *, as_status: bool) -> Answer:
    """Return what has come of a question."""
    output = b"".join(ended.lines)
    said = [line for line in ended.errors.decode("utf-8", "replace").splitlines() if line.strip()]
    known = {int(each): each for each in (Exit.OK, Exit.NOT_IN_SYNC, Exit.UNANSWERED)}
    if ended.status is None:
        return _silent(ended, f"within {limit:.0f} s")
    if ended.status not in known:
        last = said[-1].removeprefix("inosync: ") if said else "it said nothing"
        return _silent(ended, f"(exit {ended.status}: {last})")
    if not as_status:
        lines = tuple(line.removeprefix("inosync: ") for line in said)
        return Answer(ended.key, known[ended.status], lines=lines if ended.status else ())
    try:
        status = json.loads(output)
        list(_table(status))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return _silent(ended, "as a daemon of this version: update the older one")
    return Answer(ended.key, known[ended.status], status)


def _silent(ended: Ended[str], why: str) -> Answer:
    problem = f"does not answer {why}; asked by: {shlex.join(ended.argv)}"
    return Answer(ended.key, Exit.UNANSWERED, problem=problem)


def _worst(ends: Sequence[Exit]) -> Exit:
    """Return the exit status that stands for several daemons."""
    return max(ends, key=(Exit.OK, Exit.NOT_IN_SYNC, Exit.UNANSWERED).index)


def once_round(told: Mapping[str, Any], above: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Return what a relay has told, without the daemons that are `above` it: they are in a ring."""
    status = told["status"]
    if status is None:
        return {**told}
    if any(_same(status, each) for each in above):
        return {**told, "status": None, "problem": _RING}
    behind = [once_round(each, (*above, status)) for each in status.get("relays", ())]
    return {**told, "status": {**status, **({"relays": behind} if behind else {})}}


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two answers are of one daemon.

    Containers may share process id, config and start; these have other mirrors.
    """

    def who(status: Mapping[str, Any]) -> object:
        mirrors = [(mirror["source"], mirror["node"]) for mirror in status["mirrors"]]
        return status["daemon"]["pid"], status["daemon"]["config"], mirrors

    try:
        begun = abs(one["daemon"]["started_at"] - other["daemon"]["started_at"])
        return begun < _SLEW and who(one) == who(other)
    except (LookupError, TypeError):  # it may be anybody
        return False


def picture(told: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Give the lines that tell of a relay, and of those behind it."""
    name = f"{above}{told['node']}"
    yield ""
    if told["status"] is None:
        yield f"relay {name} {told['problem']}"
        return
    first, *lines = _table(told["status"])
    yield f"relay {name}: {first}"
    yield from (f"    {line}" if line else "" for line in lines)
    for each in told["status"].get("relays", ()):
        yield from picture(each, f"{name} > ")


def _table(status: Any) -> list[str]:
    """Return the lines of a status, and find out that all is in it."""
    for each in status.get("relays", ()):
        list(picture(each))
    return ask.painted(layout.picture(status), colours=False)
