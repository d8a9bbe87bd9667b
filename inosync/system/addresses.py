"""The addresses of this host, and word of their coming and going: the door to rtnetlink(7)."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

_GROUPS = 0x10 | 0x100  # RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_NEWADDR, _GETADDR, _DONE, _ERROR = 20, 22, 3, 2
_REQUEST_ALL = 0x1 | 0x300  # NLM_F_REQUEST, NLM_F_DUMP
_ADDRESS, _LOCAL = 1, 2
# An address that another host may have, or has (IFA_F_TENTATIVE, IFA_F_DADFAILED), is not ours yet.
_DOUBTFUL = 0x40 | 0x08

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_IFADDR = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr
_ENOUGH = 1 << 18


class AddressNews:
    """A socket that is readable when an address of this host has come or gone."""

    def __init__(self) -> None:
        self._socket = _open(_GROUPS)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """The descriptor that becomes readable."""
        return self._socket.fileno()

    def read(self) -> None:
        """Take what has come. What it says is asked for anew: news may be lost, answers are not."""
        while True:
            try:
                self._socket.recv(_ENOUGH)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: the queue ran over, and is read on
                continue

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


def holds(address: str) -> bool:
    """Return whether this host holds an address now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.inet_pton(family, address)) in set(_addresses())


def _open(groups: int) -> socket.socket:
    channel = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    channel.bind((0, groups))
    return channel


def _addresses() -> Iterator[tuple[int, bytes]]:
    """Give family and address of all that this host holds."""
    with contextlib.closing(_open(0)) as channel:
        size = _HEADER.size + _IFADDR.size
        request = _HEADER.pack(size, _GETADDR, _REQUEST_ALL, 1, 0)
        channel.send(request + _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
        while True:
            for kind, body in _messages(channel.recv(_ENOUGH)):
                if kind in (_DONE, _ERROR):
                    return
                if kind == _NEWADDR:
                    yield from _held(body)


def _messages(buffer: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _HEADER.size <= len(buffer):
        length, kind, *_ = _HEADER.unpack_from(buffer, offset)
        yield kind, buffer[offset + _HEADER.size : offset + length]
        offset += max(_aligned(length), _HEADER.size)


def _held(body: bytes) -> Iterator[tuple[int, bytes]]:
    family, _, flags, _, _ = _IFADDR.unpack_from(body)
    if flags & _DOUBTFUL:
        return
    found, offset = {}, _IFADDR.size
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        found[kind] = body[offset + _ATTRIBUTE.size : offset + length]
        offset += max(_aligned(length), _ATTRIBUTE.size)
    # On a point-to-point link IFA_ADDRESS is the other end.
    address = found.get(_LOCAL) or found.get(_ADDRESS)
    if address is not None:
        yield family, address


def _aligned(length: int) -> int:
    return (length + 3) & ~3
