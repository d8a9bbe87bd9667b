"""Which path of the source rsync means by a name: each end has its own, and so has the transfer.

Pure. Where a name may be of no path below the source, or of one of several, nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inosync.rsync.differences import below

_ESCAPE = re.compile(rb"\\#([0-7]{3})")
_TEMPORARY = re.compile(rb"\.(.+)\.[0-9A-Za-z]{6}", re.DOTALL)
#: From this length on a temporary name does not tell the whole name (receiver.c, get_tmpname).
_LONGEST_NAME = 240


@dataclass(frozen=True)
class Ends:
    """Where a mirror is, and what it mirrors: how rsync names a path.

    ``source`` is an absolute path, whose names begin with ``prefix`` in the transfer; ``target`` is
    the path of the destination, in its `module` where an rsync daemon has it. The names of old
    versions begin with ``aside`` and end in ``suffix``; both empty: none are kept. Temporary files
    may lie ``elsewhere``.

    A method returns the path relative to the source, or None where the name tells none.
    """

    source: bytes
    prefix: bytes
    target: bytes
    module: bool = False
    aside: bytes = b""
    suffix: bytes = b""
    elsewhere: bool = False

    def of_sender(self, name: bytes) -> bytes | None:
        """Return the path that has this name at the sender."""
        return _under(_plain(name), self.source)

    def of_receiver(self, name: bytes) -> bytes | None:
        """Return the path that has this name at the receiver."""
        path = self._landed(name)
        return None if path is None else below(self.prefix, path or b".")

    def of_temporary(self, name: bytes) -> bytes | None:
        """Return the path of a file that the receiver writes under this name at first.

        Or it is that path with a dot before its name: where there is one rsync adds no other
        (receiver.c, get_tmpname).
        """
        parent, slash, base = (self._landed(name) or b"").rpartition(b"/")
        match = _TEMPORARY.fullmatch(base)
        if match is None or len(match[1]) > _LONGEST_NAME or self.elsewhere:
            return None
        return below(self.prefix, parent + slash + match[1])

    def of_transfer(self, name: bytes) -> bytes | None:
        """Return the path that both ends call by this name."""
        return below(self.prefix, _plain(name))

    def of_old(self, name: bytes) -> bytes | None:
        """Return the path whose old version both ends call by this name."""
        original = self.original(_plain(name))
        return None if original is None else below(self.prefix, original)

    def original(self, name: bytes) -> bytes | None:
        """Return the name of which this is the old version's; None where it is no such name."""
        if not (self.aside or self.suffix) or not name.startswith(self.aside):
            return None
        name = name[len(self.aside) :]
        return name.removesuffix(self.suffix) if name.endswith(self.suffix) else None

    def _landed(self, name: bytes) -> bytes | None:
        """Return the path relative to the destination of a name as the receiver has it."""
        target = self.target
        if self.module:
            target = b"/" + target.partition(b"/")[2]
        return _under(_plain(name), target) if target else None


def _under(path: bytes, top: bytes) -> bytes | None:
    """Return `path` relative to `top`, which may itself be relative to a home directory."""
    whole = top.startswith(b"/")
    top = top.rstrip(b"/").removesuffix(b"/.")
    if not whole:
        # Where a home directory is, only the node knows.
        lead = b"/" + top.removeprefix(b"~/") + b"/"
        before, _, after = (path + b"/").partition(lead)
        if not before or (path + b"/").count(lead) != 1:
            return None
        return _relative(after.rstrip(b"/"))
    if path == top:
        return b""
    return _relative(path[len(top) + 1 :]) if path.startswith(top + b"/") else None


def _relative(path: bytes) -> bytes:
    return b"" if path == b"." else path.removeprefix(b"./")


def _plain(name: bytes) -> bytes:
    """Return a name of which rsync has escaped some bytes (log.c, filtered_fwrite)."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), name)
