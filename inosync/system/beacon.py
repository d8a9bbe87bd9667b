"""The beacon: an abstract Unix socket that says that a daemon of a config runs, and as whom.

It is found wherever the files of the daemon are, also when they were removed, and goes with the
process. Anybody may take any name. So one counts only when its holder is the user in the name,
which the kernel knows (SO_PEERCRED, unix(7)).
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

#: struct ucred: pid, uid, gid.
_CREDENTIALS = struct.Struct("iII")

#: How many may wait for the daemon to look at them.
QUEUE = 32


def address(name: str, user: int) -> str:
    """Return the address of the beacon of the config that is called `name`.

    Containers and chroots share the names of the network that they are in, but have configs of
    their own: the root directory tells them apart.
    """
    root = os.stat("/")
    return f"\0inosync/{user}/{root.st_dev:x}.{root.st_ino:x}/{name}"


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return process and user at the other end."""
    size = _CREDENTIALS.size
    answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, user, _ = _CREDENTIALS.unpack(answer)
    return pid, user


def light(name: str) -> socket.socket | None:
    """Return the beacon, which says that we run; None when somebody has our name.

    Call ``listen`` again after a fork: it tells the kernel which process it is.
    """
    beacon = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        beacon.bind(address(name, os.getuid()))
        beacon.listen(QUEUE)
        beacon.setblocking(False)
    except OSError:
        beacon.close()
        return None
    return beacon


def keeper(name: str, user: int) -> int | None:
    """Return the process that runs the config for this user; None where there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        # Whose queue is full may be anybody, and must not keep us waiting.
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.connect(address(name, user))
            pid, holder = peer(connection)
            return pid if holder == user else None
    return None


def of_units(name: str) -> Iterator[int]:
    """Yield the users, whoever they are, for whom a unit of the machine runs the config.

    The kernel tells which names there are, proc_net(5), and whose unit a process is in, which
    nobody but root decides: cgroups(7). What runs in the session of a user is no such unit.
    """
    root = re.escape(address(name, 0).split("/")[2])
    ours = re.compile(rf" @inosync/(\d+)/{root}/{re.escape(name)}$", re.MULTILINE)
    with contextlib.suppress(OSError):
        told = Path("/proc/net/unix").read_text(errors="replace")
        for user in dict.fromkeys(map(int, ours.findall(told))):
            if (pid := keeper(name, user)) and _in_unit(pid):
                yield user


def _in_unit(pid: int) -> bool:
    groups = Path("/proc", str(pid), "cgroup").read_text()
    inside = r"^\d+:[^:]*:(?!.*/user\.slice/).*/inosync[^/]*\.service$"
    return bool(re.search(inside, groups, re.MULTILINE))
