"""The runs that are at work: what the engine wants started, looked at or ended, and how it ended.

Between the engine, which knows mirrors, and processes, which know neither. Decides nothing.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from inosync.actions import Kill, Look, Outcome, Start, Terminate
from inosync.changes import Batch
from inosync.engine import Engine
from inosync.guard import Guard
from inosync.mirror import Mirror
from inosync.process import NOT_EXECUTABLE, NOT_FOUND, Child
from inosync.rsync import deletions, evidence, transferred
from inosync.text import printable

log = logging.getLogger("inosync")

#: A batch of more changes than this is a full pass. In floods of thousands of new directories a
#: single one was seen to stay unnamed, and a pass finds it.
_BURST = 500


@dataclass(frozen=True)
class _Run:
    """A child at work for a mirror. ``listed``: it carries named changes only."""

    child: Child
    mirror: Mirror
    shown: str
    listed: bool


@dataclass
class Runs:
    """All runs of the daemon.

    ``command`` gives the argv for a start, the directories to be left alone, and whether the run
    names what it carries. With ``pretend`` it is logged and nothing runs.
    """

    engine: Engine
    command: Callable[[Start, frozenset[bytes], bool], list[str]]
    environment: Mapping[str, str]
    pretend: bool = False
    _children: dict[int, _Run] = field(default_factory=dict)

    def start(self, action: Start, guard: Guard, now: float) -> None:
        """Run rsync for a mirror whose source the `guard` has just vouched for."""
        mirror = action.mirror
        spare = guard.lost()
        names = self._names(action, guard, spare, now)
        argv = self.command(action, spare, names is not None)
        log.debug("%s: run for %s", mirror.name, _describe(action.batch))
        if names == ():
            self.engine.exited(mirror, Outcome(0, pretended=self.pretend), now)
            return
        data = b"".join(name + b"\0" for name in names or ())
        shown = shlex.join(argv) + (f" # {len(names)} names on standard input" if names else "")
        if self.pretend:
            log.info("would execute: %s%s", _printf(names or ()), shown)
            self.engine.exited(mirror, Outcome(0, pretended=True), now)
            return
        log.debug("executing: %s", shown)
        try:
            child = Child(argv, environment=self.environment, data=data)
        except OSError as error:
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            reason = f"{argv[0]}: {error.strerror}"
            outcome = Outcome(status, evidence=(reason,), command=shown)
            self.engine.exited(mirror, outcome, now)
            return
        self._children[child.pid] = _Run(child, mirror, shown, listed=names is not None)

    def _names(
        self, start: Start, guard: Guard, spare: frozenset[bytes], now: float
    ) -> tuple[bytes, ...] | None:
        """Return what the run names to rsync; None for a pass over the whole source."""
        batch, pair = start.batch, start.mirror.pair
        if pair.node.rscope == "tree" or batch.reason or batch.changes is None:
            return None
        if batch.count > _BURST:
            return None
        plan = guard.plan(batch.changes, spare=spare)
        if plan.linked:
            self.engine.linked(pair.source, now)
        if plan.full:
            log.debug("%s: full pass: %s", start.mirror.name, plan.full)
            return None
        return plan.entries

    def reap(self, now: float) -> None:
        """Report the runs that have ended. Others' children (a library's) are not ours to take."""
        for pid, run in list(self._children.items()):
            status = run.child.poll()
            if status is None:
                continue
            del self._children[pid]
            output = run.child.output()
            outcome = Outcome(
                status,
                transferred=transferred(output),
                evidence=evidence(run.child.errors()),
                deletions=deletions(output) if run.mirror.rehearsing else (),
                command=run.shown,
                listed=run.listed,
            )
            run.child.close()
            self.engine.exited(run.mirror, outcome, now)

    def act(self, action: Terminate | Kill | Look, now: float) -> None:
        """End the run of a mirror, or look at it."""
        runs = self._children.values()
        child = next((run.child for run in runs if run.mirror is action.mirror), None)
        if child is None:
            return
        if isinstance(action, Terminate):
            child.terminate()
        elif isinstance(action, Kill):
            child.kill()
        else:
            self.engine.activity(action.mirror, child.activity(), now)

    def kill(self) -> None:
        """End all for certain: the daemon itself ends."""
        for run in self._children.values():
            run.child.kill()


def _printf(names: Sequence[bytes]) -> str:
    """Return the front of a shell's command line that writes `names` to the next one's input."""
    if not names:
        return ""
    return f"printf '%s\\0' {shlex.join(os.fsdecode(name) for name in names)} | "


def _describe(batch: Batch) -> str:
    if batch.reason:
        return f"a full pass ({batch.reason})"
    names = ", ".join(printable(path) or "." for path in batch.sample)
    return f"{batch.count} changes ({names}{', …' if batch.count > len(batch.sample) else ''})"
