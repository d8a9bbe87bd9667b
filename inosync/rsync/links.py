"""Symbolic links that an rsync daemon keeps otherwise than it got them, and says nothing of.

Pure. Without chroot a daemon disarms them (``munge symlinks``), or strips what leads out of its
module; a run that compares gets its own target back each time. Only a list of what is there tells:
of a disarmed link it has the target as it was, and the size as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inosync.rsync.destination import Destination, Transport
from inosync.rsync.differences import unescape
from inosync.rsync.options import options
from inosync.text import printable

_PREFIX = b"/rsyncd-munged/"
#: With these, links are not to be there as they are here, or not at all.
_OTHERWISE = frozenset(
    ("-L", "--copy-links", "--no-links", "--no-l", "--safe-links", "--copy-unsafe-links")
)
_LISTED = re.compile(rb"l\S{9} +([\d,]+) \d{4}/\d\d/\d\d \d\d:\d\d:\d\d (.*)", re.DOTALL)


@dataclass(frozen=True)
class Listing:
    """A run that lists links: its argv, and the names for its standard input."""

    argv: tuple[str, ...]
    names: bytes


def listing(
    rsync: str,
    destination: Destination,
    extra: tuple[str, ...],
    links: Iterable[bytes],
    *,
    reach: Iterable[str] = (),
) -> Listing | None:
    """Return what to ask a daemon about these links, by their names in the transfer.

    The words of `reach` get there. None where there is nothing to ask.
    """
    names = b"".join(b"./" + name + b"\0" for name in links)
    if destination.transport is not Transport.DAEMON or not names or options(extra) & _OTHERWISE:
        return None
    words = ["--list-only", "--links", "--no-human-readable", "--8-bit-output", "--no-motd"]
    words += [*reach, "--from0", "--files-from=-"]
    there = destination.text.rstrip("/") + "/"
    return Listing((rsync, *words, *extra, "--", there, "."), names)


def findings(
    lines: Iterable[bytes], links: Mapping[bytes, bytes], destination: Destination
) -> list[str]:
    """Return what the answer says of `links`, names and targets, for people: a sentence each."""
    disarmed: list[bytes] = []
    stripped: dict[bytes, bytes] = {}
    for line in lines:
        found = _LISTED.fullmatch(line.rstrip(b"\n"))
        name, target = _split(unescape(found[2]), links) if found else (b"", b"")
        if not found or not name:
            continue
        if int(found[1].replace(b",", b"")) == len(target) + len(_PREFIX):
            disarmed.append(name)
        elif target != links[name] and (links[name].startswith(b"/") or b".." in links[name]):
            stripped[name] = target
    said = []
    if disarmed:
        text = f"{_count(disarmed)} disarmed there, such as {printable(disarmed[0])} "
        text += f"({printable(_PREFIX + links[disarmed[0]])}); "
        text += "set 'munge symlinks = no' and 'use chroot = yes' in rsyncd.conf on "
        said.append(f"{text}{destination.host}")  # without chroot links are stripped instead
    if stripped:
        name, target = next(iter(stripped.items()))
        text = f"{_count(stripped)} made to lead elsewhere there, such as {printable(name)} "
        text += f"({printable(target)} for {printable(links[name])}); "
        said.append(f"{text}set 'use chroot = yes' in rsyncd.conf on {destination.host}")
    return said


def in_transfer(prefix: str, links: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return links of a source by their names in the transfer."""
    start = os.fsencode(prefix) + b"/" if prefix else b""
    return {start + path: target for path, target in links.items()}


def _split(text: bytes, links: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """Return the link and its target of ``NAME -> TARGET``, both of which may hold an arrow."""
    at = text.find(b" -> ")
    while at != -1:
        if text[:at] in links:
            return text[:at], text[at + 4 :]
        at = text.find(b" -> ", at + 1)
    return b"", b""


def _count(names: Iterable[bytes]) -> str:
    number = len(list(names))
    return "1 link is" if number == 1 else f"{number} links are"
