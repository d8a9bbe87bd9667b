"""What people ask of the running daemon through its control socket, and its answers.

Owns the connections; the question that cannot be answered at once is a wait (waits.py). Decides
nothing about mirrors: the engine and the loop do what is asked for. A client that is slow, silent
or gone delays nobody and is dropped in the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from inosync.engine.apart import Apart
from inosync.engine.mirror import Mirror
from inosync.service.loop import Selecting
from inosync.service.waits import Awaited, Wait, in_vain
from inosync.status.model import Snapshot
from inosync.system.control import Client, Server
from inosync.text import printable

#: Seconds that a client has to send its request, and to take its answer.
PATIENCE = 10.0

#: Seconds for which the beacon is not listened to after somebody came who may not ask: whoever
#: knocks without end must not keep us from work.
DEAF = 1.0

#: The longest wait that may be asked for, in seconds: a year.
_LONGEST_WAIT = 366 * 86400


class Asked(Awaited, Protocol):
    """The loop, as far as it can be asked."""

    @property
    def standby(self) -> str:
        """Why the daemon is on standby, in words; "" when it is not."""

    def snapshot(self, now: float) -> Snapshot:
        """Return the state of everything."""

    def hear(self) -> None:
        """Take what the kernel has queued until now."""

    def catch_up(self, now: float) -> None:
        """Do as ``hear``, and look for what the kernel does not tell."""

    def held(self, mirror: Mirror) -> str:
        """Return why the source of a mirror, or its target, is held, in words."""

    def apart(self, mirror: Mirror) -> Apart:
        """Return what is left as it is on a mirror."""

    def release(self, now: float, node: str = "") -> int:
        """Ask for a full pass, also of what is held; return of how many mirrors."""

    def reload(self, now: float) -> tuple[str, ...]:
        """Read the config again; return what is wrong with it."""


@dataclass
class _Conversation:
    """One client. ``until`` is when it is dropped, or told that its ``wait`` was in vain."""

    client: Client
    descriptor: int
    until: float
    wait: Wait | None = None


@dataclass
class Requests:
    """All conversations of the daemon. Times are monotonic seconds."""

    server: Server
    daemon: Asked
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
            if conversation.wait is not None:
                self._look(conversation, conversation.wait, now)
            elif now >= conversation.until:
                conversation.client.close()
            self._settle(conversation)

    def end(self) -> None:
        """Talk no more; who waits is told that there is nothing to wait for."""
        for conversation in self._open:
            if conversation.wait is not None and self.daemon.standby:
                conversation.client.answer(**in_vain(self.daemon.standby))
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
            if client.request is not None and not client.answered and conversation.wait is None:
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
        self.daemon.hear()  # what is queued is not in sync
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
        self.daemon.engine.pause(True)
        busy = sum(mirror.busy for mirror in self.daemon.engine.mirrors)
        conversation.client.answer(running=busy)

    def _resume(self, conversation: _Conversation, _: Mapping[str, Any], now: float) -> None:
        self.daemon.engine.pause(False)
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
            conversation.client.answer(**in_vain(self.daemon.standby))
            return
        if not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_WAIT:
            conversation.client.refuse("seconds must be a number of seconds")
            return
        # The kernel queues an event before the change that causes it returns to its program. So
        # all that happened before the client asked is in the queue by now.
        self.daemon.catch_up(now)
        wait = conversation.wait = Wait(
            self.daemon,
            node,
            since=now,
            until=now + seconds,
            impatient=bool(request.get("impatient")),
            clock=self.clock,
        )
        conversation.until = wait.until
        self._look(conversation, wait, now)

    def _look(self, conversation: _Conversation, wait: Wait, now: float) -> None:
        """End a wait whose time has come or is over."""
        if (answer := wait.answer(now)) is not None:
            conversation.wait = None
            conversation.until = now + PATIENCE
            conversation.client.answer(**answer)


def _told(apart: Apart) -> dict[str, Any]:
    """Return what is left apart, as an answer has it."""
    paths = {os.fsdecode(path): [left.why, left.whole] for path, left in apart.paths.items()}
    return {"paths": paths, "giants": apart.giants}
