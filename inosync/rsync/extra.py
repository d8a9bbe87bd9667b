"""The user's own rsync options (``extra``): split into words, and checked.

Pure. What they mean for a run is said in options.py.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from inosync.rsync.option_table import LONG, row_of
from inosync.rsync.option_words import RULE_FILES, Group, groups
from inosync.rsync.rules import Sort, parse_rule
from inosync.text import printable

_FORGETS = "it would forget rexcludes, and the rules for what must not be deleted"


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
    seen: list[str] = []
    for group in groups(words):
        seen += group.words
        try:
            _check(group)
        except ValueError as error:
            text = printable(str(error))
            if isinstance(value, str) and (group.value or not group.names):
                following = words[len(seen) : len(seen) + bool(group.names)]
                text += _torn([*seen, *following])
            raise ValueError(text) from None
    return words


def _torn(words: Sequence[str]) -> str:
    """Return what to do if the last of `words` belongs to the value that begins before it."""
    begins = [number for number, word in enumerate(words) if "=" in word]
    if not begins or words[-1].startswith("-") or "@" in words[-1]:
        return ""
    whole = shlex.quote(" ".join(words[begins[-1] :]))
    short = len(whole) < 80 and whole.isprintable()
    return f"; if that is one option, quote it: {whole}" if short else ""


def _check(group: Group) -> None:
    """Raise ValueError if a word is no option, or one that is refused."""
    if not group.names:
        # A destination in the wrong place may hold a password.
        word = "a word" if "@" in group.words[0] else f"{group.words[0]!r:.60}"
        raise ValueError(
            f"holds {word}, which is no option: rsync would take it for one more path; "
            "write values as --option=value"
        )
    for option in group.names:
        if why := row_of(option).refused:
            raise ValueError(f"holds {option}, which is refused: {why}")
        if option.startswith("--") and option not in LONG and (wrong := _misspelled(option)):
            raise ValueError(f"holds {option}, which rsync does not know: {wrong}")
    if what := _wrong_rule(group):
        raise ValueError(f"holds {' '.join(group.words)}, which is refused: {what}")


def _misspelled(option: str) -> str:
    """Return what is right in the place of an option that no rsync has, ``""`` if one might."""
    if option.startswith("--no-del"):
        return 'to delete nothing there write rdelete = "never"'
    if option.startswith("--no-") and len(option) > len("--no-x"):
        positive = f"--{option[len('--no-') :]}"
        return f"there is no opposite of {positive}; remove it" if positive in LONG else ""
    longer = sorted(name for name in LONG if name.startswith(option))
    return f"it takes no abbreviations; write {' or '.join(longer[:3])}" if longer else ""


def _wrong_rule(group: Group) -> str:
    """Return what is wrong with the rule, or the file of rules, that a word has."""
    if not RULE_FILES.isdisjoint(group.names) and group.value == "-":
        return "standard input is inosync's own; write the path of a file"
    if not {"--exclude", "--include"}.isdisjoint(group.names) and group.value == "!":
        return _FORGETS
    if {"-f", "--filter"}.isdisjoint(group.names):
        return ""
    try:
        entry = parse_rule(group.value)
    except ValueError as error:
        return str(error) if not group.value.startswith(("!", "clear")) else _FORGETS
    if entry.once and entry.pattern == "-":
        return "standard input is inosync's own; write the path of a file"
    return _FORGETS if entry.sort is Sort.CLEAR else ""
