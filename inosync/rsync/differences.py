"""What differs between a source and its mirror, read from what rsync says of a comparison.

Pure. Knows rsync's itemized lines (rsync(1), --itemize-changes) and nothing of how they came about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inosync.text import many, printable

#: Makes rsync tell what it does in lines of eleven characters, a blank and the name, of which only
#: control characters are escaped; and compare contents, so that ``differences`` reads them.
TOLD = ("--8-bit-output", "--out-format=%i %n")
OPTIONS = ("--checksum", *TOLD)

#: How the line begins that names a directory which stays; the one of its deletion follows.
KEPT = b"cannot delete non-empty directory: "

#: What is wrong with a path that the source does not have.
EXTRA = "extra on the mirror"

#: How many paths a report remembers as examples.
SAMPLE = 5

_LINE = re.compile(rb"([<>ch.])([fdLDS])([.+?cstTpogunbax ]{9}) (.+)", re.DOTALL)
_DELETING = re.compile(rb"\*deleting {3}(.+)", re.DOTALL)
#: How the line of a file begins that got the content of the source: sent or received.
_CARRIED = (b"<f", b">f")
#: And of one that was linked to, or made of, a file that is there: of what size and date say.
_MADE = (b"hf", b"cf")
#: What says that a file differs in more than its attributes.
_OTHER = re.compile(rb"[cst]")
_ESCAPE = re.compile(rb"\\#([0-7]{3})")

#: What a letter means; T is a time that rsync was not asked to keep.
_LETTERS = {
    "t": "times",
    "p": "permissions",
    "o": "owner",
    "g": "group",
    "u": "access times",
    "n": "creation times",
    "b": "access and creation times",
    "a": "ACL",
    "x": "extended attributes",
}


@dataclass(frozen=True)
class Difference:
    """One path that differs on the mirror, and in what: "missing", "times", ...

    ``path`` counts from the top of the transfer; that of a directory ends in a slash.
    """

    path: bytes
    what: str


@dataclass(frozen=True)
class Drift:
    """What a comparison found: how many paths differ, and a few of them with what differs."""

    count: int = 0
    sample: tuple[Difference, ...] = ()


EQUAL = Drift()


def differences(lines: Iterable[bytes]) -> Iterator[Difference]:
    """Return what the output of rsync says; lines of another kind are passed over.

    A directory that stays for what is excluded in it is no difference, though it is said to go.
    """
    kept = b""
    for line in lines:
        # A progress report (output.progress) ends in a return, and the line goes on behind it.
        text = line.rstrip(b"\n").rpartition(b"\r")[2]
        if text.startswith(KEPT):
            kept = text[len(KEPT) :]
        elif found := _DELETING.fullmatch(text):
            if found[1].rstrip(b"/") != kept:
                yield Difference(unescape(found[1]), EXTRA)
        elif found := _LINE.fullmatch(text):
            what = _what(found[1], found[2], found[3].decode())
            if what:
                yield Difference(unescape(found[4]), what)


def carried(lines: Iterable[bytes], *, made: bool = False) -> Iterator[bytes]:
    """Return the files that have got the content of the source, as ``Difference.path`` has them.

    With `made`, also those that were made of what was there.
    """
    begins = _CARRIED + _MADE if made else _CARRIED
    for line in lines:
        text = line if line[:2] in begins else line.rpartition(b"\r")[2]
        if text[:2] in begins:
            name = text[12:].rstrip(b"\n")
            yield unescape(name) if b"\\#" in name else name


def overwritten(lines: Iterable[bytes]) -> Iterator[Difference]:
    """Return the files that are there and get other content, as a rehearsal tells.

    They are those that rsync would send, and other names of these (hard links).
    """
    for line in lines:
        text = line.rstrip(b"\n").rpartition(b"\r")[2]
        found = _LINE.fullmatch(text) if text[1:2] == b"f" else None
        if found is None or found[1] == b"." or b"+" in found[3]:
            continue
        if found[1] in b"<>" or _OTHER.search(found[3]):
            yield Difference(unescape(found[4]), "content")


def summary(found: Iterable[Difference]) -> Drift:
    """Return how many differences there are, and a few of them."""
    count, sample = 0, []
    for difference in found:
        count += 1
        if count <= SAMPLE:
            sample.append(difference)
    return Drift(count, tuple(sample))


def below(prefix: bytes, path: bytes) -> bytes | None:
    """Return a path of the transfer relative to the source whose names begin with `prefix`.

    ``b""`` is the source itself; None is one of the directories above it, which ``-R`` sends.
    """
    bare = path.rstrip(b"/")
    if not prefix:
        return b"" if bare == b"." else bare
    if bare == prefix:
        return b""
    return bare[len(prefix) + 1 :] if bare.startswith(prefix + b"/") else None


def counted(count: int) -> str:
    """Return how many paths differ, for people."""
    return f"{many(count, 'path')} differ{'s' * (count == 1)}"


def line(prefix: bytes, difference: Difference) -> str:
    """Return a difference for people, its path as :func:`shown` has it."""
    return f"{shown(prefix, difference.path)}: {difference.what}"


def shown(prefix: bytes, path: bytes) -> str:
    """Return a path of the transfer for people, as :func:`below` has it; "." is the source."""
    relative = below(prefix, path)
    return printable(b"/" + path if relative is None else relative) or "."


def _what(update: bytes, kind: bytes, letters: str) -> str:
    if "+" in letters:
        return "missing"
    told = []
    if kind == b"f" and ("c" in letters or "s" in letters):
        told.append("content")
    elif "c" in letters:
        told.append("link target" if kind == b"L" else "device")
    told += [meaning for letter, meaning in _LETTERS.items() if letter in letters]
    if update == b"h" and not told:
        told.append("hard link")
    return ", ".join(told)


def unescape(name: bytes) -> bytes:
    """Return a name as it is, from what rsync says of it."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), name)
