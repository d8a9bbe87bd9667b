"""What is said when a node lets no run in: by rrsync, an rsync daemon, or openssl before it.

Pure. Knows the sentences of rrsync (the scripts of rsync 3.1 to 3.5), of rsync's daemon and of
``openssl s_client`` (3.0 to 3.5), what each means, and what a person has to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from inosync.rsync.destination import Destination, Transport
from inosync.rsync.tls import TLS_PORT


@dataclass(frozen=True)
class Refusal:
    """What was refused and its cure, for people.

    One that `passes` may be over at the next try. ``busy``: another run keeps this one out, which
    passes as well.
    """

    meaning: str
    cure: str
    passes: bool = False
    busy: bool = False


_KEYS = "authorized_keys on {host}"
_BELOW = "write a path below the directory that the key is restricted to"
_BUSY = r"Another instance of rrsync is already accessing this directory"
_OTHER = r"SSH_ORIGINAL_COMMAND(?:='.*')? (?:does not run rsync|is not rsync)"

#: What is said, what it means, and its cure. {found} is what the first group found.
_SSH = (
    (_BUSY, "rrsync lets one run in at a time", f"put -no-lock before the directory in {_KEYS}"),
    (r"option (\S+) has been disabled on this server", "rrsync refuses {found}", ""),
    (
        r"invalid rsync-command syntax or options",
        "rrsync does not know an option of the run",
        "remove from extra what rrsync(1) does not admit, or use a newer rrsync on {host}",
    ),
    (
        r"sending to read-only server is not allowed",
        "rrsync only lets read",
        f"write -wo in the place of -ro in {_KEYS}",
    ),
    (
        rf"{_OTHER}|--server option is not the first arg",
        "rrsync starts nothing but rsync",
        "remove --rsync-path from extra",
    ),
    (
        r"Restricted directory does not exist|in lock_or_die\n(?:.*\n)+FileNotFoundError",
        "the directory that the key is restricted to does not exist",
        f"create it, or name another one in {_KEYS}",
    ),
    (
        r"\bunsafe arg\b|post-pin path escaped tree",
        "rrsync lets no path lead out of its directory",
        _BELOW,
    ),
    (
        r"do not use \.\. in",
        "rrsync lets no path have '..'",
        f'{_BELOW}, and "restricted": True for the node',
    ),
    (
        r"receiver option path does not exist",
        "rrsync misses a directory that extra names",
        "create it below the directory that the key is restricted to",
    ),
)
#: Cures for what rrsync refuses, by how the option begins.
_OPTIONS = {
    "-s": "remove --protect-args from extra, and use rsync 3.2.4 or later here",
    "--delete": f'remove -no-del in {_KEYS}, or write rdelete = "never" for the node',
    "": "remove from extra {found}, or what implies it",
}
_DAEMON = (
    (  # rsync asks for what it was not given; nobody answers
        r"^Password: *\n?@ERROR: auth failed on module",
        "the rsync daemon wants a password",
        'give the node "extra": "--password-file=/path" (a file of mode 0600 with nothing but the '
        "password), and write its user before the host",
    ),
    (
        r"@ERROR: auth failed on module",
        "the rsync daemon wants another password, or another user",
        "compare what --password-file names, and the user before the host, with 'secrets file' and "
        "'auth users' in rsyncd.conf on {host}, whose log says which it is",
    ),
    (
        r"password file must|could not open password file",
        "the file with the password cannot be used",
        "let --password-file name one of mode 0600 that belongs to the user that runs inosync",
    ),
)
_SILENT = r"BIO_connect:(Connection (?:refused|timed out)|No route to host|[\w ]+unreachable)"
_UNKNOWN = r"BIO_lookup_ex:.*:(.+)$"
#: Certificates are complained of as well where they need not prove anything, and all goes on then.
_UNPROVED = r"(?=[\s\S]*certificate verify failed)verify error:num="
_EXPIRED = rf"{_UNPROVED}10:"
_TLS = (
    (r"openssl: (?:command )?not found", "openssl is not installed here", "install it"),
    (
        _SILENT,
        "nothing answers at port {port} ({found})",
        "check that {host} is up, and what listens there; another port is written behind the host",
    ),
    (_UNKNOWN, "{host} is not found ({found})", "check the name, and DNS"),
    (
        r"wrong version number|packet length too long|record layer failure",
        "what answers at port {port} does not speak TLS",
        f"write the port of what does, usually {TLS_PORT}; or rsync://, without TLS",
    ),
    (
        rf"{_UNPROVED}6[24]:",
        "the certificate of {host} is for another name",
        'write the host as that has it, or give the node "rtls": {{"name": "..."}}',
    ),
    (_EXPIRED, "the certificate of {host} has expired", "renew it there"),
    (rf"{_UNPROVED}9:", "the certificate of {host} is not valid yet", "set both clocks"),
    (
        rf"{_UNPROVED}(?:2|18|19|20|21):",
        "nobody who is trusted here has signed the certificate of {host}",
        'give the node "rtls": {{"ca": "/path"}}, a file with the certificate of who has',
    ),
    (rf"{_UNPROVED}\d+:(.*)", "the certificate of {host} is not good: {found}", "mend it there"),
    (
        r"SSL alert number (?:4\d|5[01]|116)\b",
        "{host} does not let in who proves nothing, or this",
        'give the node "rtls": {{"cert": "/path", "key": "/path"}}, which it trusts',
    ),
    (
        r"calling fopen\(([^,)]+)|Could not .* client certificate .*from ([^\s:]+)",
        "{found}, which rtls names, cannot be used",
        "let it name a file in PEM that the user that runs inosync may read",
    ),
)
#: What may be over at the next try.
_PASSING = frozenset((_BUSY, _SILENT, _UNKNOWN, _EXPIRED))
_TABLES = {Transport.SSH: _SSH, Transport.DAEMON: _DAEMON, Transport.LOCAL: ()}


def refusal(destination: Destination, said: Iterable[str]) -> Refusal | None:
    """Return why a node has let no run in, by what was said; None if nothing tells."""
    text = "\n".join(said)
    for pattern, meaning, cure in (
        *(_TLS if destination.tls else ()),
        *_TABLES[destination.transport],
    ):
        if found := re.search(pattern, text, re.MULTILINE):
            what = next((group for group in found.groups() if group), "")
            by_option = next(then for start, then in _OPTIONS.items() if what.startswith(start))
            names = {
                "found": what,
                "host": destination.host,
                "port": destination.port or TLS_PORT,
            }
            text = (cure or by_option).format(**names)
            return Refusal(
                meaning.format(**names), text, passes=pattern in _PASSING, busy=pattern == _BUSY
            )
    return None


def only_rsync(said: Iterable[str]) -> bool:
    """Return whether another command than rsync was refused: the key is restricted."""
    return any(re.search(_OTHER, line) for line in said)
