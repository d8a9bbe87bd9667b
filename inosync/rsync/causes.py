"""Why a path could not be carried, why a directory stays on a node, and what to do about either.

Pure: words for people. Which sentence of rsync means what is known to sentences.py.
"""

from __future__ import annotations

import enum

from inosync.rsync.filters import Filters
from inosync.text import printable


class Cause(enum.Enum):
    """Why a path could not be carried, in words that follow its name."""

    UNREADABLE = "cannot be read"
    TOO_LONG = "holds a path that is too long for rsync"
    FORBIDDEN = "may not be written on the node"
    READ_ONLY = "lies on a file system that is read-only on the node"
    ROOM = "has no room on the node"
    IN_THE_WAY = "is a directory on the node that keeps something excluded"
    FOREIGN = "is a directory on the node with something in it that may stay (rdelete)"
    OLD_VERSIONS = "is a directory on the node that keeps old versions"
    OLD_IN_THE_WAY = "cannot have its old version kept: a directory is in the place of that"
    TOO_LARGE = "is larger than a file may be on the node"
    TIMES = "keeps its times: another user owns it on the node"
    MODES = "keeps its permissions: another user owns it on the node"
    OWNER = "keeps its owner and group: only root may give files away"
    DAMAGED = "meets an I/O error"
    OTHER = "cannot be carried"


#: What to do about it. {user} sends, {host} is the node's, {where} is where the mirror lies, or
#: where old versions would go.
_CURES = {
    Cause.UNREADABLE: "let {user} read it (chmod, setfacl), or exclude it",
    Cause.TOO_LONG: "shorten it to less than 4,096 bytes, or exclude it",
    Cause.FORBIDDEN: "let the user that writes on {host} change it (owner, modes, chattr -i)",
    Cause.READ_ONLY: "remount {where} on {host} rw, or under systemd add it to ReadWritePaths=",
    Cause.ROOM: "make room below {where} on {host}",
    Cause.IN_THE_WAY: "delete it on {host} by hand, or let the rule that protects what is in it go "
    "with its directory (-p PATTERN)",
    Cause.FOREIGN: "delete it on {host} by hand",
    Cause.OLD_VERSIONS: "the next run moves them to {where}; if that fails, move {where} away on "
    "{host}",
    Cause.OLD_IN_THE_WAY: "move {where} away on {host}",
    Cause.TOO_LARGE: "raise the limit on {host} (file system, ulimit -f), or exclude it",
    Cause.TIMES: "chown it on {host}, or extra='--omit-dir-times'",
    Cause.MODES: "chown it on {host}, or extra='--no-perms --chmod=ugo=rwX'",
    Cause.OWNER: "extra='--no-owner --no-group', or let root write on {host}",
    Cause.DAMAGED: "look at the disk and the kernel's log",
    Cause.OTHER: "see what rsync said",
}


def cure(cause: Cause, *, user: str, host: str, where: str) -> str:
    """Return what a person can do about it."""
    return _CURES[cause].format(user=user or "the user of inosync", host=host, where=where)


def staying(path: bytes, inner: bytes, filters: Filters) -> str:
    """Return why a directory stays on the node that the source has no more, and what to do.

    `inner` is what is in it there, or ``b""`` where that is not known.
    """
    text = f"{printable(path)} stays on the node, where it is not empty: "
    if not inner:
        return text + "something that is excluded is in it; -p PATTERN would let that go with it"
    rule = filters.decision(inner, directory=False)[1]
    if rule is None:
        return text + f"{printable(inner)} is in it, which runs leave alone"
    pattern = rule.text.removeprefix("- ")
    return (
        text + f"{printable(inner)} is in it, which the rule {printable(rule.text)} protects; "
        f"written as '-p {printable(pattern)}' it would let that go with its directory"
    )
