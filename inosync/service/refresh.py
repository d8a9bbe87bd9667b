"""The list of nodes, asked for again every ``rrefresh`` seconds: the config script, run once more.

It runs beside the loop, in a child with a time limit, since it may ask files, DNS and whatever
else. An answer that is none keeps the list as it is, and is told once.
"""

from __future__ import annotations

import base64
import logging
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from inosync.config import load
from inosync.config.model import Config, Pair
from inosync.config.refreshed import refreshed
from inosync.errors import ConfigError
from inosync.rsync.output import evidence
from inosync.system.process import Child
from inosync.text import many, printable

log = logging.getLogger("inosync")

#: Seconds that the script may take.
LIMIT = 30.0

_CHILD = "import sys; from inosync.service.refresh import answer; sys.exit(answer(*sys.argv[1:]))"


def answer(file: str, directory: str, insecure: str) -> int:
    """Run the config script in the child that was started for it, and write what it says.

    What the script itself prints goes where errors go.
    """
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        os.chdir(directory)
        config = load.load(file, insecure=bool(insecure))
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with os.fdopen(out, "wb") as written:
        written.write(base64.b64encode(pickle.dumps(config)))
    return 0


@dataclass(frozen=True)
class Invocation:
    """How the script is run: from which directory, whether it is trusted, its environment."""

    directory: str
    environment: Mapping[str, str]
    insecure: bool = False
    limit: float = LIMIT


@dataclass
class Refresh:
    """A part of the loop. ``config`` tells the one in force, ``take`` puts another in its place.

    Times are monotonic seconds.
    """

    script: Invocation
    config: Callable[[], Config]
    take: Callable[[Config, float], None]
    _child: Child | None = None
    _end_at: float | None = None  # of a child; None: it was killed
    _began: float | None = None
    _last: tuple[Pair, ...] = ()
    _old: bool = False  # what the child answers is not wanted any more
    _fault: str = field(default="", init=False)

    def due(self, now: float) -> None:
        """Ask when it is time to, and end what takes too long."""
        at = self._next()
        if self._child is not None and self._end_at is not None and now >= self._end_at:
            self._child.kill()
            self._end_at = None
        elif self._child is None and at is not None and now >= at:
            self._ask(now)
        elif self._began is None and self.config().rrefresh:
            self._began = now  # what is in force was read just now

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do."""
        return self._end_at if self._child is not None else self._next()

    def _next(self) -> float | None:
        seconds = self.config().rrefresh
        return self._began + seconds if seconds and self._began is not None else None

    def _ask(self, now: float) -> None:
        self._began, self._end_at = now, now + self.script.limit
        insecure = "yes" if self.script.insecure else ""
        arguments = (self.config().file, self.script.directory, insecure)
        argv = [sys.executable, "-c", _CHILD, *arguments]
        try:
            self._child = Child(argv, environment=self.script.environment)
        except OSError as error:
            self._fail(f"{printable(sys.executable)} cannot be run: {error.strerror}")

    def reap(self, now: float) -> None:
        """Take the answer, when there is one."""
        status = self._child.poll() if self._child is not None else None
        if self._child is None or status is None:
            return
        said, lines = evidence(self._child.errors()), list(self._child.lines())
        overran = self._end_at is None
        self._child.close()
        self._child = None
        if self._old:
            self._old = False
            return
        if overran:
            self._fail(f"the script took longer than {self.script.limit:g} s")
            return
        if status:
            self._fail("; ".join(said) or f"exit {status}")
            return
        # The child ran the script that we ran, as the same user: who writes it has us already.
        self._judge(pickle.loads(base64.b64decode(b"".join(lines))), now)  # noqa: S301

    def _judge(self, found: Config, now: float) -> None:
        current = self.config()
        try:
            fresh = refreshed(current, found, self._last)
        except ValueError as error:
            self._fail(str(error))
            return
        self._last = found.pairs
        if self._fault:
            log.info("rrefresh: the list of nodes is read again")
        self._fault = ""
        if fresh is not current:
            old, new = ({node.name for node in each.nodes} for each in (current, fresh))
            for names, what in ((new - old, "new"), (old - new, "gone")):
                if names:
                    shown = printable(", ".join(sorted(names)))
                    log.info("rrefresh: %s %s: %s", many(len(names), "node"), what, shown)
            self.take(fresh, now)

    def _fail(self, fault: str) -> None:
        """Keep the list, and say why: once."""
        self._last = ()
        level = logging.DEBUG if fault == self._fault else logging.WARNING
        self._fault = fault
        log.log(level, "rrefresh: the list of nodes stays as it is: %s", fault)

    def forget(self) -> None:
        """The config was read anew: an answer that is under way is older than that."""
        self._last, self._old = (), self._child is not None

    def kill(self) -> None:
        """End it for certain."""
        if self._child is not None:
            self._child.kill()
