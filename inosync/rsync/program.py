"""The program rsync on this machine: its version, its checksum, and how it gets to other hosts.

Pure. Reads what the program says of itself, and says how ssh is called for it; runs neither.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from inosync.rsync.destination import Destination
from inosync.rsync.options import options

#: Older ones lack options that every run needs (--protect-args with --info style statistics).
OLDEST = (3, 1, 0)

#: Since then the quick check can compare fractions of seconds, on whichever end receives.
EXACT = (3, 1, 3)

#: Older ones open what has taken the place of a directory while they work, a link for one.
FIRM = (3, 4, 0)

#: Seconds to wait for a node to accept a connection: ssh's ConnectTimeout, rsync's --contimeout.
CONNECT_TIMEOUT = 30

#: What ssh says when it makes a connection of its own: runs that begin at once race for the shared
#: one, and sshd lets so many into each (MaxSessions). And what openssl says of one that is made.
CHATTER = re.compile(
    rb"ControlSocket .* already exists, disabling multiplexing"
    rb"|mux_client_request_session: (?:session request failed|read from master failed): "
    rb"|Connecting to [\d.:a-f]+$|Can't use SSL_get_servername$"
)

#: Instead of a directory for shared connections: this one is not shared (ssh_config(5)).
OWN = "none"

_SHARED_SSH = (
    "ssh -o BatchMode=yes -o ConnectTimeout={timeout} -o ServerAliveInterval=15 "
    "-o ServerAliveCountMax=3"
)


@dataclass(frozen=True)
class Program:
    """The local rsync, and how it gets to other hosts.

    ``checksum`` is what two of it agree on, "" when that is not known. ``control`` is a private
    directory for ssh's control sockets; without one, or with OWN, connections are not shared.
    ``environment_shell`` says that RSYNC_RSH chooses the remote shell, so that no ``-e`` may
    override it.
    """

    version: tuple[int, int, int]
    checksum: str = ""
    control: str = ""
    environment_shell: bool = False

    @property
    def apart(self) -> Program:
        """The same program, with a connection of its own: each has a TCP window of its own."""
        return dataclasses.replace(self, control=OWN)

    @property
    def compares_exactly(self) -> bool:
        """Whether its quick check tells times within one second apart (--modify-window=-1)."""
        return self.version >= EXACT

    @property
    def escapes(self) -> bool:
        """Whether it says names to a remote shell so that none of them is taken apart there.

        Then --protect-args is not needed, which a key that is restricted by rrsync refuses.
        """
        return self.version >= (3, 2, 4)


def parse_version(output: str) -> tuple[int, int, int] | None:
    """Return (3, 2, 7) from the output of ``rsync --version``, or None when that is not rsync's."""
    found = re.match(r"rsync\s+version\s+v?(\d+)\.(\d+)\.(\d+)", output)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def parse_checksum(output: str) -> str:
    """Return which checksum two of this rsync agree on, from the output of ``rsync --version``.

    That is the first that it lists; ``""`` when it lists none, as those before 3.2.0.
    """
    found = re.search(r"^Checksum list:\n +(\w+)", output, re.MULTILINE)
    return found[1] if found else ""


def chooses_shell(extra: Sequence[str]) -> bool:
    """Return whether the user's options name a remote shell."""
    return not options(extra).isdisjoint(("-e", "--rsh"))


def ssh_command(destination: Destination, control: str) -> str:
    """Return the remote shell for rsync's ``-e``: never asks questions, notices a dead peer.

    Connections are shared through sockets in the directory `control`, unless that is ``""``; with
    OWN this one is not shared, whatever ssh's configuration says.
    rsync splits this at blanks, so `control` must hold none; ssh expands ``%``.
    """
    words = _SHARED_SSH.format(timeout=CONNECT_TIMEOUT)
    if control == OWN:
        words += f" -o ControlPath={OWN}"
    elif control:
        socket = control.replace("%", "%%") + "/%C"
        words += f" -o ControlMaster=auto -o ControlPersist=60 -o ControlPath={socket}"
    if destination.port:
        words += f" -p {destination.port}"
    return words
