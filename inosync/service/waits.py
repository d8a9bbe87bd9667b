"""A wait for what is owed (``--wait``): when it is over, and what who waits is told then.

Decides nothing about mirrors: the engine says what is owed. Knows no client: requests.py does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from inosync.engine.ailing import described, unmounted
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.text import many, printable


class Awaited(Protocol):
    """The loop, as far as it can be waited for."""

    engine: Engine

    def caught_up(self, node: str = "") -> bool:
        """Return whether all that was there then is known, and no source is held for `node`."""

    def lost(self, mirror: Mirror) -> frozenset[bytes]:
        """Return where something was mounted, for a mirror, and is not any more."""


def in_vain(standby: str) -> dict[str, Any]:
    """Return the answer to a wait for a daemon that is on standby."""
    return {"synced": False, "lagging": [], "ailing": [], "seconds": 0.0, "standby": standby}


@dataclass
class Wait:
    """One wait for a node ("": all), ``since`` it was asked for and ``until`` it is in vain.

    When it is ``impatient`` it is over as soon as a mirror that it waits for has failed or is held.
    Times are monotonic seconds.
    """

    daemon: Awaited
    node: str
    since: float
    until: float
    impatient: bool
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        # What was in the queue is younger to the engine than the question: it was read after it.
        self._known = self.clock()
        self._owed: list[tuple[Mirror, int]] | None = None  # None: what was queued is not known yet

    def answer(self, now: float) -> dict[str, Any] | None:
        """Return what to answer when the wait is over; None before that."""
        engine = self.daemon.engine
        if self._owed is None and not self.daemon.caught_up(self.node):
            self._known = self.clock()
        elif self._owed is None and not engine.settling(self._known):
            engine.flush()
            self._owed = engine.owed(self.node)
        elif self._owed is not None:
            # A reload may have put another mirror in the place of one.
            known = {mirror for mirror, _ in self._owed}
            self._owed += [each for each in engine.owed(self.node) if each[0] not in known]
        lagging = self._lagging()
        hopeful = not (self.impatient and self._stuck())
        if lagging and hopeful and now < self.until:
            return None
        ailing = self._ailing()
        return {
            "synced": not lagging and not ailing,
            "lagging": lagging,
            "ailing": ailing,
            "seconds": round(now - self.since, 3),
        }

    def _ailing(self) -> list[str]:
        """Return the paths that cannot be carried, a line each: nobody waits for these."""
        engine, found = self.daemon.engine, []
        for mirror, _ in self._owed or ():
            for each in mirror.ailing.values():
                user = engine.config.user
                path, what, cure = described(each, mirror.pair, mirror.kept, user=user)
                found.append(f"{mirror.name}: {path} {what}; {cure}")
            for path, what, cure in map(unmounted, sorted(self.daemon.lost(mirror))):
                found.append(f"{mirror.name}: {path} {what}; {cure}")
        return found

    def _lagging(self) -> list[str]:
        """Return what is waited for, a line each."""
        engine = self.daemon.engine
        if self._owed is None:
            if settling := engine.settling(self._known):
                return [
                    f"{printable(path)}: {many(count, 'file')} not at rest (rsettle)"
                    for path, count in settling.items()
                ]
            return [
                f"{printable(path)}: {state.held or 'is being looked through'}"
                for path, state in engine.sources.items()
                if state.held or not state.watched
            ] or ["the sources are being looked through"]
        return [
            f"{mirror.name}: {mirror.state.value}{f' ({reason})' if reason else ''}"
            + (", paused" if engine.paused else "")
            for mirror, number in self._owed
            if mirror.done < number and mirror in engine.mirrors
            for reason in (mirror.reason or engine.source_held(mirror) or _seeking(mirror),)
        ]

    def _stuck(self) -> bool:
        """Return whether one that is waited for has failed, or is held for a person to decide."""
        engine = self.daemon.engine
        if self._owed is None:
            return any(engine.source_held(mirror) for mirror, _ in engine.owed(self.node))
        waited_for = (mirror for mirror, number in self._owed if mirror.done < number)
        return any(
            mirror.state in (State.BACKOFF, State.HELD) or engine.source_held(mirror)
            for mirror in waited_for
        )


def _seeking(mirror: Mirror) -> str:
    return "other names of changed files are looked for" if mirror.sought is not None else ""
