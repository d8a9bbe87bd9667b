"""The user's own rsync options (``extra``): split into words, and checked.

Pure. Knows how rsync's option parser (popt) reads an argv, and which options would break what
inosync promises. It must not know any setting but its own, nor run anything.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

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
    for option, is_option in _read(words):
        if not is_option:
            # A destination in the wrong place may hold a password.
            word = "a word" if "@" in option else f"{option!r:.60}"
            raise ValueError(
                f"holds {word}, which is no option: rsync would take it for one more path; "
                "write values as --option=value"
            )
        if option in REFUSED:
            raise ValueError(f"holds {option}, which is refused: {REFUSED[option]}")
    return words


def options(words: Sequence[str]) -> frozenset[str]:
    """Return the options among words that :func:`parse_extra` accepted: ``-a``, ``--rsh``, ..."""
    return frozenset(option for option, _ in _read(words))


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


def _read(words: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Give each option among `words`, and each word that is none, as popt would take them."""
    value_expected = False
    for word in words:
        if value_expected:
            value_expected = False
        elif word.startswith("--") and word != "--":
            option, equals, _ = word.partition("=")
            value_expected = option in TAKES_VALUE and not equals
            yield option, True
        elif word.startswith("-") and word not in ("-", "--"):
            for position, letter in enumerate(word[1:], start=1):
                yield f"-{letter}", True
                if letter in SHORT_TAKES_VALUE:
                    value_expected = position == len(word) - 1
                    break
        else:
            yield word, False
    if value_expected:
        raise ValueError(f"ends in {words[-1]!r:.60}, which needs a value")
