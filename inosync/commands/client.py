"""The command line's end of the control socket: asks a running daemon, and waits for its answer.

What goes through the socket is told in system/control.py.
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from inosync.errors import InosyncError, NotRunningError
from inosync.system.beacon import peer
from inosync.system.control import VERSION, address_of

#: Many times what the status of 10,000 mirrors takes.
_LONGEST_ANSWER = 2**28

#: Where a daemon may answer, and which user that has to be; None: nobody else gets there.
Address = tuple[str, int | None]


class NotAllowedError(InosyncError):
    """The daemon is another user's, and may not be asked."""


def ask(
    where: Sequence[Address],
    command: str,
    *,
    timeout: float | None = 30,
    longest: int = _LONGEST_ANSWER,
    **arguments: Any,
) -> dict[str, Any]:
    """Ask the daemon that listens at the first address that is in use; return its answer.

    Blocks. Raise NotRunningError when nobody answers, or more than the `longest` answer in bytes;
    NotAllowedError when it is not for us, and TimeoutError after `timeout` seconds without an
    answer.
    """
    until = time.monotonic() + timeout if timeout is not None else math.inf
    with _connected(where, timeout) as connection:
        request = {"version": VERSION, "command": command, **arguments}
        # Who is turned away may be told so before the request is sent, and the connection closed.
        with contextlib.suppress(BrokenPipeError):
            connection.sendall(json.dumps(request).encode() + b"\n")
        line = _line(connection, until, longest)
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotRunningError(f"the daemon at {shown(where)} ended before it answered") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        raise NotRunningError(f"what answers at {shown(where)} is no inosync")
    return answer


def shown(where: Sequence[Address]) -> str:
    """Return the first of these addresses that a person can look at."""
    return next((path for path, _ in where if path[0] != "\0"), "its beacon")


def _connected(where: Sequence[Address], timeout: float | None) -> socket.socket:
    """Return a connection to the first address that is in use, by whom it is to be."""
    first: OSError | None = None
    closed = ""
    for path, user in where:
        try:
            connection = _connection(path, user, timeout)
        except BlockingIOError as error:
            if user is None:
                raise TimeoutError(f"no answer for {timeout} s") from error
        except OSError as error:
            # One that there is and that is closed to us says more than one that is not there.
            if isinstance(error, PermissionError):
                closed, first = closed or path, error
            first = first or error
        else:
            if connection is not None:
                return connection
    if closed:
        raise NotAllowedError(
            f"the daemon at {closed} is for root and its own user alone: use sudo; or, for "
            "--status, give the config to a group of yours that may read it (chgrp), and restart it"
        ) from first
    why = f" ({first.strerror})" if first else ""
    raise NotRunningError(
        f"no daemon answers at {shown(where)}{why}: start it, or name its config with -c"
    ) from first


def _connection(path: str, user: int | None, timeout: float | None) -> socket.socket | None:
    """Return a connection to this address; None where another than this user answers."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Whose queue at a beacon is full may be anybody: he must not keep us waiting.
    patience = timeout if user is None else 1.0
    try:
        if patience is not None:
            # Not settimeout(): with it, connect fails at once where others queue. unix(7), EAGAIN.
            limit = struct.pack("ll", int(patience), int(patience % 1 * 1e6))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        with address_of(path) as address:
            connection.connect(address)
        if user in (None, peer(connection)[1]):
            connection.settimeout(timeout)
            return connection
    except OSError:
        connection.close()
        raise
    connection.close()
    return None


def _line(connection: socket.socket, until: float, longest: int) -> bytes:
    """Return the line that is the answer, or what came of it. Raise TimeoutError after `until`."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while not received.endswith(b"\n") and len(received) <= longest:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer in time")
            connection.settimeout(None if math.isinf(left) else left)
            data = connection.recv(2**16)
            if not data:
                break
            received += data
    if len(received) > longest:
        raise NotRunningError("what answers is no inosync: its answer has no end")
    return bytes(received)
