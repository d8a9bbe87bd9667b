"""One pattern of rsync's exclude language as regular expressions.

Pure. Owns what a pattern matches: wildcards, classes, anchors, slashes. What a list of rules makes
of it is said in filters.py.

The language is that of rsync(1), "PATTERN MATCHING RULES". Where the manual page and the program
differ, this follows the program:

- Whether a pattern holds a ``/`` or a ``**`` is decided on its raw text: inside a class, or behind
  a backslash, they count as well.
- A pattern with an inner ``/`` and no ``**`` must match as many path components as it has slashes,
  plus one. With a slash in a class (``a[/]b``) it matches nothing: a class never matches a slash.
- An unknown ``[:class:]`` and a class without an end match nothing, and neither does a backslash
  at the end of a pattern with wildcards.

Classes such as ``[:alpha:]`` are those of the C and UTF-8 locales, in which bytes above 127 are in
none of them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

#: Atoms are regular expressions that match one byte; these two stand for the repeating wildcards.
_STAR = b"*"
_STARSTAR = b"**"
_SLASH = b"/"

_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, [*range(1, 32), 127])),
    "digit": string.digits,
    "graph": string.ascii_letters + string.digits + string.punctuation,
    "lower": string.ascii_lowercase,
    "print": string.ascii_letters + string.digits + string.punctuation + " ",
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
_CLASS_BYTES = {name.encode(): frozenset(text.encode()) for name, text in _CLASSES.items()}


@dataclass(frozen=True)
class Pattern:
    """What a pattern matches.

    A pattern `by_name` is matched against the last component of a path, any other against the whole
    path from the root of the transfer, with a leading slash. The two expressions say so for files
    (whatever is not a directory, symlinks too) and for directories; None matches nothing.
    """

    by_name: bool
    file_expression: bytes | None
    directory_expression: bytes | None

    def expression(self, *, directory: bool) -> bytes | None:
        """Return what a path of this sort must match."""
        return self.directory_expression if directory else self.file_expression


def compile_pattern(pattern: bytes) -> Pattern:
    """Return what `pattern` matches, without any prefix such as ``"+ "``."""
    directory_only = len(pattern) > 1 and pattern.endswith(b"/")
    if directory_only:
        pattern = pattern[:-1]
    by_name = b"/" not in pattern and b"**" not in pattern
    atoms = _place(pattern)
    if atoms is None:
        return Pattern(by_name, None, None)
    expression = _expression(atoms)
    for_files = None if directory_only else expression
    for_directories = expression
    if pattern.endswith(b"***") and atoms[-2:] == [_SLASH, _STARSTAR]:
        # "dir/***" is "dir" and "dir/**"; to rsync the name of a directory ends in a slash here.
        for_directories = _expression(atoms[:-2]) + b"|" + expression
    return Pattern(by_name, for_files, for_directories)


def negated(pattern: Pattern) -> Pattern:
    """Return what `pattern` does not match."""

    def other(expression: bytes | None) -> bytes:
        return b"" if expression is None else b"(?!" + expression + b")"

    return Pattern(
        pattern.by_name, other(pattern.file_expression), other(pattern.directory_expression)
    )


def _place(pattern: bytes) -> list[bytes] | None:
    """Return the atoms of a pattern, led by those that let it begin at any component of a path.

    None for a pattern that matches nothing. The pattern of a rule by name needs no lead.
    """
    # Without a wildcard even a backslash is just a byte.
    wild = any(byte in pattern for byte in b"*?[")
    atoms = _atoms(pattern) if wild else [re.escape(bytes([byte])) for byte in pattern]
    if atoms is None or pattern.startswith((b"/", b"**")):
        return atoms
    slashes = pattern.count(b"/")
    if b"**" in pattern:
        return [_STARSTAR, _SLASH, *atoms]
    if atoms.count(_SLASH) != slashes:
        return None
    return [_STARSTAR, _SLASH, *atoms] if slashes else atoms


def _atoms(pattern: bytes) -> list[bytes] | None:
    """Return a pattern with wildcards as atoms; None when it matches nothing."""
    atoms: list[bytes] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        at += 1
        if byte == b"*":
            rest = pattern[at:].lstrip(b"*")
            atoms.append(_STAR if len(rest) == len(pattern) - at else _STARSTAR)
            at = len(pattern) - len(rest)
        elif byte == b"?":
            atoms.append(b"[^/]")
        elif byte == b"[":
            parsed = _class(pattern, at)
            if parsed is None:
                return None
            atom, at = parsed
            atoms.append(atom)
        elif byte == b"\\":
            if at == len(pattern):
                return None
            atoms.append(re.escape(pattern[at : at + 1]))
            at += 1
        else:
            atoms.append(re.escape(byte))
    return atoms


def _class(pattern: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the atom of the class that begins at `at`, behind the bracket, and where it ends.

    None when it has no end, holds an unknown ``[:class:]``, or has no members.
    """
    negated = pattern[at : at + 1] in (b"!", b"^")
    if negated:
        at += 1
    members: set[int] = set()
    previous: int | None = None  # what a "-" would make a range of
    first = at
    while at == first or pattern[at : at + 1] != b"]":
        item = _class_item(pattern, at, previous)
        if item is None:
            return None
        added, previous, at = item
        members |= added
    allowed = (set(range(1, 256)) - members if negated else members) - {ord("/")}
    if not allowed:
        return None
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(allowed)) + b"]", at + 1


def _class_item(
    pattern: bytes, at: int, previous: int | None
) -> tuple[frozenset[int] | set[int], int | None, int] | None:
    """Return the bytes that one item of a class adds, the new `previous`, and where it ends."""
    if pattern[at : at + 2] == b"[:":
        end = pattern.find(b"]", at + 2)
        if end < 0:
            return None
        if end > at + 2 and pattern[end - 1 : end] == b":":
            named = _CLASS_BYTES.get(pattern[at + 2 : end - 1])
            return None if named is None else (named, None, end + 1)
    is_range = (
        pattern[at : at + 1] == b"-"
        and previous is not None
        and (pattern[at + 1 : at + 2] not in (b"", b"]"))
    )
    at += is_range
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        return None
    byte = pattern[at]
    if is_range:
        assert previous is not None
        return set(range(previous, byte + 1)), None, at + 1
    return {byte}, byte, at + 1


def _expression(atoms: Sequence[bytes]) -> bytes:
    """Return a regular expression for a whole name or path.

    Every run of single bytes between two wildcards is taken where it first fits and never tried
    again (an atomic group), since a later fit only leaves less for the rest. This is exact because
    a ``*`` stays within its component, and it bounds the time by the square of the path's length;
    with plain backtracking each further wildcard (``*a*a*a*b``) adds a power.
    """
    *stretches, last = _cut(atoms, _STARSTAR)
    if not stretches:
        return _stretch(last, final=True)
    first, *middle = stretches
    return b"".join(
        (
            _stretch(first, final=False),
            *(b"(?>.*?" + _stretch(stretch, final=False) + b")" for stretch in middle),
            b".*" + _stretch(last, final=True),
        )
    )


def _stretch(atoms: Sequence[bytes], *, final: bool) -> bytes:
    """Return the expression of what lies between two ``**``; the `final` one reaches the end."""
    first, *runs = (b"".join(run) for run in _cut(atoms, _STAR))
    ending = b""
    if final:
        ending = b"[^/]*" + runs.pop() + rb"\Z" if runs else rb"\Z"
    return first + b"".join(b"(?>[^/]*?" + run + b")" for run in runs) + ending


def _cut(atoms: Sequence[bytes], wildcard: bytes) -> list[list[bytes]]:
    """Return the parts of `atoms` between the wildcards; always at least one."""
    parts: list[list[bytes]] = [[]]
    for atom in atoms:
        if atom == wildcard:
            parts.append([])
        else:
            parts[-1].append(atom)
    return parts
