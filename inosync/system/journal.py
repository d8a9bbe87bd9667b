"""systemd's journal: messages with fields (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).

Knows how a message is sent, not what is said.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping

#: Where the journal listens.
SOCKET = "/run/systemd/journal/socket"

#: The MESSAGE_ID of each event; docs/logging.rst has them.
IDS = {
    "failure": "4eae780f90ba4c1b99b4434574f4916f",
    "recovery": "095b7347b0704bf282e5ec6c27f881f8",
    "hold": "3a1b5c7b22b34c16991c16982ffa4b45",
    "pass": "fe318942bad74070a711fd5506add103",
}


def is_stream(descriptor: int) -> bool:
    """Return whether the descriptor is the stream that JOURNAL_STREAM names (systemd.exec(5))."""
    try:
        stat = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def send(fields: Mapping[str, str | int], path: str = SOCKET) -> bool:
    """Send a message made of these fields; return whether the journal has taken it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.sendto(encoded(fields), path)
    except OSError:  # too long for a datagram, too busy, or not there
        return False
    return True


def encoded(fields: Mapping[str, str | int]) -> bytes:
    """Return the fields as the journal wants them. A name that is not UTF-8 keeps its bytes."""
    parts = []
    for name, value in fields.items():
        data = str(value).encode("utf-8", "surrogateescape")
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)
