"""The control socket: the end of it that a running daemon answers at.

A Unix socket for root and the daemon's own user, mode 0600; a group that root has chosen may ask
how things are. Who finds no socket asks through the beacon. One request a connection: a line of
JSON ``{"version": 1, "command": ..., ...}``, answered by a line of JSON
``{"version": 1, "ok": true, ...}`` or ``{"version": 1, "ok": false, "error": "..."}``. This end
never blocks, and what a client may occupy is bounded. Knows nothing of what the commands mean; the
other end is commands/client.py.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inosync.errors import ConfigError
from inosync.system.beacon import peer
from inosync.system.lock import Lock
from inosync.system.runtime import user_name

VERSION = 1

#: A request is a short line; a client that sends more is not one of ours.
_LONGEST_REQUEST = 65536
_MOST_CLIENTS = 32
_LONGEST_ADDRESS = 107


class Client:
    """The daemon's end of one connection.

    ``request`` is None until a whole line has come; ``closed``: nothing more is to be done. A
    ``stranger`` may ask how things are, and for nothing else.
    """

    def __init__(self, connection: socket.socket, *, stranger: bool = False) -> None:
        self._connection = connection
        self.stranger = stranger
        self._received = b""
        self._to_send = b""
        self.request: dict[str, Any] | None = None
        self.answered = False
        self.closed = False

    def fileno(self) -> int:
        """Return the connection's descriptor."""
        return self._connection.fileno()

    @property
    def sending(self) -> bool:
        """Whether an answer waits for the client to take it."""
        return bool(self._to_send)

    def receive(self) -> None:
        """Take what the client has sent. Nonsense is answered with an error."""
        try:
            data = self._connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        if self.request is not None or self.answered:
            return
        self._received += data
        line, newline, _ = self._received.partition(b"\n")
        if newline:
            self._parse(line)
        elif len(self._received) > _LONGEST_REQUEST:
            self.refuse("the request is too long")

    def _parse(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            self.refuse("the request is no JSON")
            return
        if not isinstance(request, dict) or not isinstance(request.get("command"), str):
            self.refuse("the request names no command")
        elif request.get("version") != VERSION:
            self.refuse(f"this daemon speaks version {VERSION}; restart it, or use its own inosync")
        else:
            self.request = request

    def answer(self, **content: Any) -> None:
        """Send the answer, as far as the client takes it; call ``send`` for the rest."""
        self._queue({"version": VERSION, "ok": True, **content})

    def refuse(self, error: str) -> None:
        """Send an error, one line for a person."""
        self._queue({"version": VERSION, "ok": False, "error": error})

    def _queue(self, content: dict[str, Any]) -> None:
        self.answered = True
        self._to_send = json.dumps(content).encode() + b"\n"
        self.send()

    def send(self) -> None:
        """Go on sending; closes the connection when all is sent."""
        try:
            sent = self._connection.send(self._to_send)
            self._to_send = self._to_send[sent:]
        except BlockingIOError:
            return
        except OSError:
            self._to_send = b""
        if not self._to_send:
            self.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
        self.closed = True


class Server:
    """The daemon's socket. A socket file that a crash left behind is replaced."""

    def __init__(self, path: str, *, lock: Lock | None = None, group: int | None = None) -> None:
        """Listen at `path`, where `group` may ask how things are, and at the beacon of `lock`.

        Raise ConfigError when that is not possible.
        """
        self.path = path
        self.beacon = lock.beacon if lock else None
        self._lock = lock
        self.clients: set[Client] = set()
        self._group = group
        self.shut_out = False  # that group: who we are cannot give it anything
        self._socket, self._file = self._listening()

    def _listening(self) -> tuple[socket.socket, os.stat_result]:
        path = self.path
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        try:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISSOCK(os.lstat(path).st_mode):
                    raise FileExistsError(errno.EEXIST, "is there already and is no socket")
                Path(path).unlink()
            before = os.umask(0o177 if self._group is None else 0o117)
            try:
                with address_of(path) as address:
                    listener.bind(address)
            finally:
                os.umask(before)
            if self._group is not None:
                try:
                    self.give(group=self._group)
                except OSError:
                    self.shut_out = True
                    Path(path).chmod(0o600)
            listener.listen(_MOST_CLIENTS)
            return listener, os.lstat(path)
        except OSError as error:
            listener.close()
            raise ConfigError([f"socket = {path!r}: {error.strerror or error}"]) from error

    def give(self, *, user: int = -1, group: int = -1) -> None:
        """Let the socket's file be theirs.

        Who may write to its directory may put a link in its place meanwhile: that is not followed.
        """
        os.chown(self.path, user, group, follow_symlinks=False)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when somebody connects."""
        return self._socket.fileno()

    def restore(self) -> None:
        """Make lock and socket again when somebody has removed them, as far as that can be.

        The descriptor may be another one then.
        """
        if self._lock is not None:
            self._lock.restore()
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(self.path), self._file):
                return
        with contextlib.suppress(ConfigError):
            fresh = self._listening()
            self._socket.close()
            self._socket, self._file = fresh

    def accept(self, *, beacon: socket.socket | None = None) -> Client | None:
        """Return the next client, of the `beacon` when given, that may ask us something.

        Others are told so, and turned away.
        """
        self.clients = {client for client in self.clients if not client.closed}
        try:
            connection, _ = (beacon or self._socket).accept()
        except OSError:
            return None
        connection.setblocking(False)
        _, user = peer(connection)
        # To the socket's file the kernel lets its group alone, to the beacon everybody.
        stranger = user not in (0, os.geteuid())
        client = Client(connection, stranger=stranger)
        if stranger and (beacon or self._group is None):
            client.refuse(f"root and {user_name(os.geteuid())} alone may ask this daemon")
        if len(self.clients) >= _MOST_CLIENTS:
            client.close()
        if client.closed:
            return None
        self.clients.add(client)
        return client

    def close(self) -> None:
        """Stop listening and remove the socket file."""
        for client in self.clients:
            client.close()
        self._socket.close()
        with contextlib.suppress(OSError):
            Path(self.path).unlink()


@contextlib.contextmanager
def address_of(path: str) -> Iterator[str]:
    """Provide an address for `path`, of which unix(7) takes 107 bytes at the most."""
    directory, name = os.path.split(path)
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield path
        return
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
