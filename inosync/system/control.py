"""The control socket: both ends of asking a running daemon something.

A Unix socket, mode 0600, for root and the daemon's own user. One request a connection: a line of
JSON ``{"version": 1, "command": ..., ...}``, answered by a line of JSON
``{"version": 1, "ok": true, ...}`` or ``{"version": 1, "ok": false, "error": "..."}``. The daemon's
end never blocks, and what a client may occupy is bounded. Knows nothing of what the commands mean.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inosync.errors import ConfigError, NotRunningError

VERSION = 1

#: A request is a short line; a client that sends more is not one of ours.
_LONGEST_REQUEST = 65536
_MOST_CLIENTS = 32
_LONGEST_ADDRESS = 107
_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid; unix(7), SO_PEERCRED


class Client:
    """The daemon's end of one connection.

    ``request`` is None until a whole line has come; ``closed``: nothing more is to be done.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
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

    def __init__(self, path: str) -> None:
        """Listen at `path`. Raise ConfigError when that is not possible."""
        self.path = path
        self.clients: set[Client] = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISSOCK(os.lstat(path).st_mode):
                    raise FileExistsError(errno.EEXIST, "is there already and is no socket")
                Path(path).unlink()
            before = os.umask(0o177)
            try:
                with _address(path) as address:
                    self._socket.bind(address)
            finally:
                os.umask(before)
            self._socket.listen(_MOST_CLIENTS)
        except OSError as error:
            self._socket.close()
            raise ConfigError([f"socket = {path!r}: {error.strerror or error}"]) from error

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when somebody connects."""
        return self._socket.fileno()

    def accept(self) -> Client | None:
        """Return the next client that may ask us something; others are turned away."""
        self.clients = {client for client in self.clients if not client.closed}
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return None
        connection.setblocking(False)
        credentials = connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        _, uid, _ = _CREDENTIALS.unpack(credentials)
        if uid not in (0, os.geteuid()) or len(self.clients) >= _MOST_CLIENTS:
            connection.close()
            return None
        client = Client(connection)
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
def _address(path: str) -> Iterator[str]:
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


def ask(path: str, command: str, *, timeout: float | None = 30, **arguments: Any) -> dict[str, Any]:
    """Ask the daemon that listens at `path`; return its answer.

    Blocks: this is the client's end, for the command line. Raise NotRunningError when nobody
    answers there, and TimeoutError after `timeout` seconds without an answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        if timeout is not None:
            # Not settimeout(): with it, connect fails at once where others queue. unix(7), EAGAIN.
            limit = struct.pack("ll", int(timeout), int(timeout % 1 * 1e6))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        try:
            with _address(path) as address:
                connection.connect(address)
            connection.settimeout(timeout)
        except BlockingIOError as error:
            raise TimeoutError(f"no answer for {timeout} s") from error
        except OSError as error:
            raise NotRunningError(
                f"no daemon answers at {path} ({error.strerror}): start it, or name its config "
                "with -c"
            ) from error
        request = {"version": VERSION, "command": command, **arguments}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as stream:
            line = stream.readline()
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise NotRunningError(f"the daemon at {path} ended before it answered") from error
    return answer
