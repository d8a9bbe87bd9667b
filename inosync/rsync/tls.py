"""How rsync reaches an rsync daemon behind TLS: through openssl, in the place of a remote shell.

Pure. Builds the words; what openssl says when it fails is known to refusals.py.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from ipaddress import ip_address

from inosync.rsync.destination import Destination

#: Where rsync-ssl(1) connects to when no port is given.
TLS_PORT = 874

#: What openssl says of a certificate also where that need not prove anything.
UNPROVED = re.compile(rb"depth=\d+ |verify error:num=\d+:")

#: How many certificates may stand between that of the node and one that is trusted, as rsync-ssl.
_DEPTH = 4


@dataclass(frozen=True)
class Tls:
    """What is to be proved on a connection.

    ``ca`` is the file with the certificates of those who are trusted, ``""``: the system's.
    ``name`` is what the node's certificate must be for, ``""``: the host of the destination.
    ``cert`` and ``key`` are files by which we prove who we are, ``""``: not at all, or for the key
    that it is in the other file. Without ``verify`` nothing is to be proved by the node.
    """

    ca: str = ""
    name: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


def tls_words(destination: Destination, tls: Tls) -> list[str]:
    """Return the options by which rsync reaches `destination`, which is one behind TLS.

    The daemon's protocol goes through what ``-e`` starts. rsync puts the words of a remote shell
    behind it, which openssl would not know: they end as parameters of a shell that has become
    openssl. Of RSYNC_CONNECT_PROG nobody would see in the command line that it is set.
    """
    script = f"exec {shlex.join(_client(destination, tls))}"
    # rsync splits at blanks, and takes a quote that is doubled within quotes for one of the word.
    return ["-e", "sh -c '{}'".format(script.replace("'", "''"))]


def _client(destination: Destination, tls: Tls) -> list[str]:
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    words = ["openssl", "s_client", "-quiet", "-verify_quiet"]
    words += ["-connect", f"{host}:{destination.port or TLS_PORT}"]
    name = tls.name or destination.host
    address = _is_address(name)
    # An address is no name to ask for (RFC 6066).
    words += ["-noservername"] if address else ["-servername", name]
    if tls.verify:
        words += ["-verify", str(_DEPTH), "-verify_return_error"]
        words += ["-verify_ip" if address else "-verify_hostname", name]
    for option, path in (("-CAfile", tls.ca), ("-cert", tls.cert), ("-key", tls.key)):
        words += [option, path] if path else []
    return words


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
