"""The user's own rsync options (``extra``): split into words, and checked.

Pure. Knows how rsync's option parser (popt) reads an argv, and which options would break what
inosync promises. It must not know any setting but its own, nor run anything.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

#: Long options whose value may be the next word. From rsync's options.c; a test compares this with
#: ``rsync --help``. An option that is missing here still works in the form --option=value.
_TAKES_VALUE = """
    address backup-dir block-size bwlimit cc checksum-choice checksum-seed chmod chown
    compare-dest compress-choice compress-level compress-threads config confine-root contimeout
    copy-as copy-dest debug dparam early-input exclude exclude-from files-from filter groupmap
    iconv include include-from info link-dest log-file log-file-format log-format max-alloc
    max-delete max-size min-size modify-window only-write-batch out-format outbuf partial-dir
    password-file port protocol read-batch remote-option rsh rsync-path skip-compress sockopts
    stderr stop-after stop-at suffix temp-dir time-limit timeout usermap write-batch zc zl zt
"""
TAKES_VALUE = frozenset(f"--{name}" for name in _TAKES_VALUE.split())

#: Short options that take the rest of their word, or the next word, as their value.
SHORT_TAKES_VALUE = "eBfMT@"

_LETTERS = re.compile(f"-([^{SHORT_TAKES_VALUE}]*)([{SHORT_TAKES_VALUE}]?)(.*)", re.DOTALL)

_REASONS = {
    "nothing would be sent and yet it would look like success; to pretend, run inosync -p": (
        "-n --dry-run --list-only --only-write-batch --help -V --version"
    ),
    "it gives rsync another role": (
        "--daemon --config --dparam --detach --no-detach --server --sender"
    ),
    "what a run sends is decided by inosync": "--files-from -0 --from0 --read-batch",
    "a source is never written to": "--remove-source-files --remove-sent-files",
    "a source that cannot be read would empty its mirrors": "--ignore-errors --delete-missing-args",
    "a source that vanished would look mirrored": "--ignore-missing-args",
    "the layout of the mirror is decided by wpath; put /./ where the part to keep begins": (
        "-R --relative --no-R --no-relative"
    ),
    "what lies in subdirectories would never be sent": "--no-r --no-recursive",
}

#: Options that are refused, with the reason.
REFUSED = {option: reason for reason, options in _REASONS.items() for option in options.split()}

#: Options that only change how rsync speaks, of which none is heard by a person.
_MANNERS = frozenset(("-q", "--quiet", "-h", "--human-readable", "--info", "--stderr")) | {
    "--msgs2stderr",
    "--no-msgs2stderr",
}

#: Options that let readers of a mirror see half a file under its final name.
_HALF_WRITTEN = ("--inplace", "--append", "--append-verify", "--write-devices")


def parse_extra(value: object) -> tuple[str, ...]:
    """Return the words of a string (split as a shell would) or of a list of words.

    Raise ValueError for anything else, for words that are no options, and for refused options.
    """
    if isinstance(value, str):
        try:
            words = tuple(shlex.split(value))
        except ValueError as error:
            raise ValueError(
                f"cannot be split into words ({error}); close the quote, or write a list of words"
            ) from None
    elif isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        words = tuple(value)
    else:
        raise ValueError('must be a string or a list of strings, such as "-aH" or ["-a", "-H"]')
    for word in words:
        if "\0" in word:
            raise ValueError("holds a NUL character, which no option can")
        try:
            os.fsencode(word)
        except UnicodeEncodeError:
            raise ValueError("holds a character that no command line can hold") from None
    for group in _groups(words):
        _check(group)
    return words


def _check(group: _Group) -> None:
    """Raise ValueError if a word is no option, or one that is refused."""
    if not group.names:
        # A destination in the wrong place may hold a password.
        word = "a word" if "@" in group.words[0] else f"{group.words[0]!r:.60}"
        raise ValueError(
            f"holds {word}, which is no option: rsync would take it for one more path; "
            "write values as --option=value"
        )
    for option in group.names:
        if option in REFUSED:
            raise ValueError(f"holds {option}, which is refused: {REFUSED[option]}")
    filters = not {"-f", "--filter"}.isdisjoint(group.names)
    patterns = not {"--exclude", "--include"}.isdisjoint(group.names)
    if (filters and group.value.startswith(("!", "clear"))) or (patterns and group.value == "!"):
        raise ValueError(
            f"holds {' '.join(group.words)}, which is refused: it would forget rexcludes, and the "
            "rules for what must not be deleted"
        )


def options(words: Sequence[str]) -> frozenset[str]:
    """Return the options among words that :func:`parse_extra` accepted: ``-a``, ``--rsh``, ..."""
    return frozenset[str]().union(*(group.names for group in _groups(words)))


def spoken(words: Sequence[str]) -> tuple[str, ...]:
    """Return words that :func:`parse_extra` accepted without what only changes how rsync speaks.

    Nobody but inosync listens to a run: it counts deletions and finds differences by what rsync
    says, which ``-q`` keeps back, ``-h`` rounds and ``--info=none`` leaves out.
    """
    kept: list[str] = []
    for group in _groups(words):
        if group.names and group.names <= _MANNERS:
            continue
        first, *value = group.words
        if group.short and not _MANNERS.isdisjoint(group.names):
            letters = [letter for letter in group.letters if f"-{letter}" not in _MANNERS]
            first = f"-{''.join(letters)}{first[1 + len(group.letters) :]}"
        kept += [first, *value]
    return tuple(kept)


def with_rules(words: Sequence[str], rules: Sequence[str]) -> list[str]:
    """Return `words` with those of `rules` again behind each that may forget all rules before it.

    That is a file of rules, in which a line with ``!`` does so.
    """
    result: list[str] = []
    for group in _groups(words):
        result += group.words
        merges = not group.names.isdisjoint(("-f", "--filter")) and group.value.startswith(
            (".", "merge")
        )
        if merges or not group.names.isdisjoint(("--exclude-from", "--include-from")):
            result += rules
    return result


def most_deletions(words: Sequence[str]) -> float:
    """Return how many files a run with these options may delete; infinite when any number."""
    most = math.inf
    for group in _groups(words):
        if "--max-delete" in group.names:
            most = max(0, int(group.value)) if re.fullmatch(r"-?\d+", group.value) else most
    return most


def half_written(words: Sequence[str]) -> str:
    """Return the option that lets half-written files be seen on a mirror, ``""`` when none does."""
    given = options(words)
    for option in _HALF_WRITTEN:
        if option in given:
            return option
    if "--partial-dir" not in given:
        for option in ("--partial", "-P"):
            if option in given:
                return option
    return ""


@dataclass(frozen=True)
class _Group:
    """A word of options, with the next word when that is its value.

    ``letters`` are those of a `short` one that are options. ``value`` is "" without one.
    """

    words: tuple[str, ...]
    names: frozenset[str]
    value: str = ""
    short: bool = False
    letters: str = ""


def _groups(words: Sequence[str]) -> Iterator[_Group]:
    """Give the words as popt would take them; a word that is no option has no names.

    Raise ValueError when the last option lacks its value.
    """
    rest = iter(words)
    for word in rest:
        if word.startswith("--") and word != "--":
            name, equals, value = word.partition("=")
            group = _Group((word,), frozenset((name,)), value)
            open_ended = name in TAKES_VALUE and not equals
        elif word.startswith("-") and word not in ("-", "--"):
            letters, last, value = _LETTERS.fullmatch(word).groups()  # type: ignore[union-attr]
            names = frozenset(f"-{letter}" for letter in letters + last)
            group = _Group((word,), names, value, short=True, letters=letters + last)
            open_ended = bool(last) and not value
        else:
            group, open_ended = _Group((word,), frozenset()), False
        following = next(rest, None) if open_ended else None
        if following is not None:
            group = replace(group, words=(word, following), value=following)
        yield group
        if open_ended and following is None:
            raise ValueError(f"ends in {word!r:.60}, which needs a value")
