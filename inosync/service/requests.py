"""What people ask of the running daemon through its control socket, and its answers.

Owns the connections and the questions that cannot be answered at once. Decides nothing about
mirrors: the engine and the loop do what is asked for. A client that is slow, silent or gone delays
nobody and is dropped in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from inosync.engine.ailing import described, unmounted
from inosync.engine.apart import Apart
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.service.loop import Selecting
from inosync.status.model import Snapshot
from inosync.system.control import Client, Server
from inosync.text import many, printable

#: Seconds that a client has to send its request, and to take its answer.
PATIENCE = 10.0

#: Seconds for which the beacon is not listened to after somebody came who may not ask: whoever
#: knocks without end must not keep us from work.
DEAF = 1.0

#: The longest wait that may be asked for, in seconds: a year.
_LONGEST_WAIT = 366 * 86400


class Daemon(Protocol):
    """The loop, as far as it can be asked."""

    engine: Engine

    @property
    def standby(self) -> str:
        """Why the daemon is on standby, in words; "" when it is not."""

    def snapshot(self, now: float) -> Snapshot:
        """Return the state of everything."""

    def catch_up(self, now: float) -> None:
        """Take what the kernel has queued until now, and look for what it does not hear."""

    def caught_up(self, node: str = "") -> bool:
        """Return whether all that was there then is known, and no source is held for `node`."""

    def held(self, mirror: Mirror) -> str:
        """Return why the source of a mirror, or its target, is held, in words."""

    def lost(self, mirror: Mirror) -> frozenset[bytes]:
        """Return where something was mounted, for a mirror, and is not any more."""

    def apart(self, mirror: Mirror) -> Apart:
        """Return what is left as it is on a mirror."""

    def release(self, now: float, node: str = "") -> int:
        """Ask for a full pass, also of what is held; return of how many mirrors."""

    def reload(self, now: float) -> tuple[str, ...]:
        """Read the config again; return what is wrong with it."""


@dataclass
class _Conversation:
    """One client. ``until`` is when it is dropped, or told that its wait was in vain.

    When it is ``impatient`` it is told as soon as a mirror that it waits for has failed or is held.
    """

    client: Client
    descriptor: int
    until: float
    waiting: bool = False
    node: str = ""
    owed: list[tuple[Mirror, int]] | None = None  # None: what is queued is not known yet
    since: float = 0.0
    known: float = 0.0  # when all was read that had happened until the question
    impatient: bool = False


@dataclass
class Requests:
    """All conversations of the daemon. Times are monotonic seconds."""

    server: Server
    daemon: Daemon
    selecting: Selecting
    clock: Callable[[], float]
    _open: list[_Conversation] = field(default_factory=list)
    _deaf: float | None = None  # until when the beacon is not listened to

    def __post_init__(self) -> None:
        self._listen()

    def _listen(self) -> None:
        self.selecting.listen(self.server.fileno(), self._accept)
        if self.server.beacon is not None:
            self.selecting.listen(self.server.beacon.fileno(), self._called)

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do at the latest."""
        times = [conversation.until for conversation in self._open]
        return min(times if self._deaf is None else [*times, self._deaf], default=None)

    def due(self, now: float) -> None:
        """Answer those who waited, and drop those who let us wait."""
        if self._deaf is not None and now >= self._deaf:
            self._deaf = None
            self._listen()
        for conversation in list(self._open):
            if conversation.waiting:
                self._look(conversation, now)
            elif now >= conversation.until:
                conversation.client.close()
            self._settle(conversation)

    def end(self) -> None:
        """Talk no more; who waits is told that there is nothing to wait for."""
        for conversation in self._open:
            if conversation.waiting and self.daemon.standby:
                conversation.client.answer(**self._in_vain())
            conversation.client.close()
        self._open.clear()

    def _accept(self) -> None:
        self._begin(self.server.accept())

    def _called(self) -> None:
        """Somebody comes by the beacon: perhaps he has not found our files."""
        assert self.server.beacon is not None
        client = self.server.accept(beacon=self.server.beacon)
        if client is None:
            self.selecting.ignore(self.server.beacon.fileno())
            self._deaf = self.clock() + DEAF
            return
        before = self.server.fileno()
        self.server.restore()
        if self.server.fileno() != before:
            self.selecting.ignore(before)
        self._listen()
        self._begin(client)

    def _begin(self, client: Client | None) -> None:
        if client is not None:
            conversation = _Conversation(client, client.fileno(), self.clock() + PATIENCE)
            self._open.append(conversation)
            self._settle(conversation)

    def _go_on(self, conversation: _Conversation) -> None:
        """The client has sent something, or can take more of its answer."""
        client = conversation.client
        if client.sending:
            client.send()
        else:
            client.receive()
            if client.request is not None and not client.answered and not conversation.waiting:
                self._answer(conversation, client.request)
        self._settle(conversation)

    def _settle(self, conversation: _Conversation) -> None:
        """Wait for what the conversation needs next, or end it."""
        if conversation not in self._open:
            return
        if conversation.client.closed:
            self._open.remove(conversation)
            self.selecting.ignore(conversation.descriptor)
            return
        self.selecting.listen(
            conversation.descriptor,
            lambda: self._go_on(conversation),
            write=conversation.client.sending,
        )

    # ---- the commands ---------------------------------------------------------------------

    def _answer(self, conversation: _Conversation, request: Mapping[str, Any]) -> None:
        commands: dict[str, Callable[[_Conversation, Mapping[str, Any], float], None]] = {
            "status": self._status,
            "apart": self._apart,
            "sync": self._sync,
            "repair": self._repair,
            "wait": self._wait,
            "pause": self._pause,
            "resume": self._resume,
            "reload": self._reload,
        }
        command = commands.get(request["command"])
        if command is None:
            name = printable(str(request["command"]))
            conversation.client.refuse(f"this daemon knows no command {name}")
            return
        if conversation.client.stranger and request["command"] != "status":
            conversation.client.refuse(
                "root and the user of the daemon alone may do that: use sudo"
            )
            return
        if self.daemon.standby and request["command"] in ("sync", "repair", "pause", "resume"):
            conversation.client.refuse(f"the daemon is on standby: {self.daemon.standby}")
            return
        now = self.clock()
        conversation.until = now + PATIENCE
        command(conversation, request, now)

    def _status(self, conversation: _Conversation, _: Mapping[str, Any], now: float) -> None:
        conversation.client.answer(status=self.daemon.snapshot(now))

    def _apart(self, conversation: _Conversation, _: Mapping[str, Any], now: float) -> None:
        """Tell which mirrors are held, and what of the others is left as it is."""
        self.daemon.catch_up(now)
        engine = self.daemon.engine
        conversation.client.answer(
            mirrors=[
                {
                    "source": mirror.pair.source.path,
                    "node": mirror.pair.node.name,
                    "held": self.daemon.held(mirror),
                    "lenient": engine.beside_giants(mirror),
                    **_told(self.daemon.apart(mirror)),
                }
                for mirror in engine.mirrors
                if not mirror.big
            ]
        )

    def _sync(self, conversation: _Conversation, request: Mapping[str, Any], now: float) -> None:
        node = self._node(conversation, request)
        if node is not None:
            count = self.daemon.release(now, node)
            conversation.client.answer(mirrors=count, paused=self.daemon.engine.paused)

    def _repair(self, conversation: _Conversation, request: Mapping[str, Any], now: float) -> None:
        node = self._node(conversation, request)
        if node is not None:
            mirrors = self.daemon.engine.repair(now, node=node)
            conversation.client.answer(mirrors=len(mirrors), paused=self.daemon.engine.paused)

    def _pause(self, conversation: _Conversation, _: Mapping[str, Any], now: float) -> None:
        self.daemon.engine.paused = True
        busy = sum(mirror.busy for mirror in self.daemon.engine.mirrors)
        conversation.client.answer(running=busy)

    def _resume(self, conversation: _Conversation, _: Mapping[str, Any], now: float) -> None:
        self.daemon.engine.paused = False
        conversation.client.answer()

    def _reload(self, conversation: _Conversation, _: Mapping[str, Any], now: float) -> None:
        conversation.client.answer(problems=self.daemon.reload(now))

    def _node(self, conversation: _Conversation, request: Mapping[str, Any]) -> str | None:
        """Return the node that is meant ("": all); None when there is none of that name."""
        node = request.get("node", "")
        known = {mirror.pair.node.name for mirror in self.daemon.engine.mirrors}
        if isinstance(node, str) and (not node or node in known):
            return node
        names = ", ".join(sorted(printable(name) for name in known))
        conversation.client.refuse(f"there is no node {printable(str(node))}; known are {names}")
        return None

    # ---- waiting --------------------------------------------------------------------------

    def _wait(self, conversation: _Conversation, request: Mapping[str, Any], now: float) -> None:
        node = self._node(conversation, request)
        seconds = request.get("seconds")
        if node is None:
            return
        if self.daemon.standby:
            conversation.client.answer(**self._in_vain())
            return
        if not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_WAIT:
            conversation.client.refuse("seconds must be a number of seconds")
            return
        # The kernel queues an event before the change that causes it returns to its program. So
        # all that happened before the client asked is in the queue by now.
        self.daemon.catch_up(now)
        conversation.waiting = True
        # What was in the queue is younger to the engine than the question: it was read after it.
        conversation.node, conversation.since, conversation.known = node, now, self.clock()
        conversation.impatient = bool(request.get("impatient"))
        conversation.until = now + seconds
        self._look(conversation, now)

    def _in_vain(self) -> dict[str, Any]:
        """Return the answer to a wait for a daemon that is on standby."""
        why = self.daemon.standby
        return {"synced": False, "lagging": [], "ailing": [], "seconds": 0.0, "standby": why}

    def _look(self, conversation: _Conversation, now: float) -> None:
        """End a wait whose time has come or is over."""
        if conversation.owed is None and not self.daemon.caught_up(conversation.node):
            conversation.known = self.clock()
        elif conversation.owed is None and not self.daemon.engine.settling(conversation.known):
            self.daemon.engine.flush()
            conversation.owed = self.daemon.engine.owed(conversation.node)
        lagging = self._lagging(conversation)
        hopeful = not (conversation.impatient and self._stuck(conversation))
        if lagging and hopeful and now < conversation.until:
            return
        conversation.waiting = False
        conversation.until = now + PATIENCE
        seconds = now - conversation.since
        ailing = self._ailing(conversation)
        conversation.client.answer(
            synced=not lagging and not ailing,
            lagging=lagging,
            ailing=ailing,
            seconds=round(seconds, 3),
        )

    def _ailing(self, conversation: _Conversation) -> list[str]:
        """Return the paths that cannot be carried, a line each: nobody waits for these."""
        engine, found = self.daemon.engine, []
        for mirror, _ in conversation.owed or ():
            for each in mirror.ailing.values():
                user = engine.config.user
                path, what, cure = described(each, mirror.pair, mirror.kept, user=user)
                found.append(f"{mirror.name}: {path} {what}; {cure}")
            for path, what, cure in map(unmounted, sorted(self.daemon.lost(mirror))):
                found.append(f"{mirror.name}: {path} {what}; {cure}")
        return found

    def _lagging(self, conversation: _Conversation) -> list[str]:
        """Return what is waited for, a line each."""
        engine = self.daemon.engine
        if conversation.owed is None:
            if settling := engine.settling(conversation.known):
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
            for mirror, number in conversation.owed
            if mirror.done < number and mirror in engine.mirrors
            for reason in (mirror.reason or engine.source_held(mirror) or _seeking(mirror),)
        ]

    def _stuck(self, conversation: _Conversation) -> bool:
        """Return whether one that is waited for has failed, or is held for a person to decide."""
        engine = self.daemon.engine
        if conversation.owed is None:
            return any(engine.source_held(mirror) for mirror, _ in engine.owed(conversation.node))
        waited_for = (mirror for mirror, number in conversation.owed if mirror.done < number)
        return any(
            mirror.state in (State.BACKOFF, State.HELD) or engine.source_held(mirror)
            for mirror in waited_for
        )


def _told(apart: Apart) -> dict[str, Any]:
    """Return what is left apart, as an answer has it."""
    paths = {os.fsdecode(path): [left.why, left.whole] for path, left in apart.paths.items()}
    return {"paths": paths, "giants": apart.giants}


def _seeking(mirror: Mirror) -> str:
    return "other names of changed files are looked for" if mirror.sought is not None else ""
