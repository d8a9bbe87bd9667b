"""What a node says when it lets no run in: rrsync, and an rsync daemon that wants a password.

Pure. Knows the sentences of rrsync (the scripts of rsync 3.1 to 3.5) and of rsync's daemon, what
each means, and what a person has to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from inosync.rsync.destination import Destination, Transport


@dataclass(frozen=True)
class Refusal:
    """What was refused and its cure, for people; `passes`: it may be over at the next try."""

    meaning: str
    cure: str
    passes: bool = False


_KEYS = "authorized_keys on {host}"
_BELOW = "write a path below the directory that the key is restricted to"
_BUSY = r"Another instance of rrsync is already accessing this directory"
_OTHER = r"SSH_ORIGINAL_COMMAND(?:='.*')? (?:does not run rsync|is not rsync)"

#: What is said, what it means, and its cure. {option} is what the first group found.
_SSH = (
    (_BUSY, "rrsync lets one run in at a time", f"put -no-lock before the directory in {_KEYS}"),
    (r"option (\S+) has been disabled on this server", "rrsync refuses {option}", ""),
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
    "": "remove from extra {option}, or what implies it",
}
_DAEMON = (
    (
        r"@ERROR: auth failed on module",
        "the rsync daemon wants another password, or another user",
        'give the node "extra": "--password-file=/path" (a file of mode 0600 with nothing but the '
        "password), and write its user before the host",
    ),
    (
        r"password file must|could not open password file",
        "the file with the password cannot be used",
        "let --password-file name one of mode 0600 that belongs to the user that runs inosync",
    ),
)
_TABLES = {Transport.SSH: _SSH, Transport.DAEMON: _DAEMON, Transport.LOCAL: ()}


def refusal(destination: Destination, said: Iterable[str]) -> Refusal | None:
    """Return why a node has let no run in, by what was said; None if nothing tells."""
    text = "\n".join(said)
    for pattern, meaning, cure in _TABLES[destination.transport]:
        if found := re.search(pattern, text):
            option = found[1] if found.re.groups else ""
            by_option = next(what for start, what in _OPTIONS.items() if option.startswith(start))
            names = {"option": option, "host": destination.host}
            text = (cure or by_option).format(**names)
            return Refusal(meaning.format(**names), text, pattern == _BUSY)
    return None


def only_rsync(said: Iterable[str]) -> bool:
    """Return whether another command than rsync was refused: the key is restricted."""
    return any(re.search(_OTHER, line) for line in said)
