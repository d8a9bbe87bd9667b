"""The user's own rsync options (``extra``): split into words, and checked.

Pure. Knows how rsync's option parser (popt) reads an argv, and says what the options of a node mean
for a run by the table in option_table.py. It must not know any setting but its own, nor run
anything.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from inosync.rsync.option_table import LONG, TABLE, Row
from inosync.rsync.rules import Sort, parse_rule

_SHORT_WITH_VALUE = "".join(
    name[1] for name, row in TABLE.items() if row.value and not name.startswith("--")
)
_LETTERS = re.compile(f"-([^{_SHORT_WITH_VALUE}]*)([{_SHORT_WITH_VALUE}]?)(.*)", re.DOTALL)

_UNKNOWN = Row("")
#: What takes -c back when it stands behind it.
_NO_CHECKSUM = ("--no-c", "--no-checksum")

#: What says how a run gets to a node, and nothing of what it does there.
_REACHING = """
    -e --rsh --rsync-path -M --remote-option --address --port --sockopts --password-file -z
    --early-input --protocol --timeout --contimeout --bwlimit -4 --ipv4 -6 --ipv6 --compress
    --blocking-io --no-blocking-io --iconv
"""
#: What says with which attributes a file arrives.
_ATTRIBUTES = """
    -a --archive -o --owner -g --group -A --acls -X --xattrs -H --hard-links -D --devices
    --specials --numeric-ids -N --crtimes -U --atimes -E --executability -S --sparse
"""

_RULE_FILES = frozenset(("--exclude-from", "--include-from"))
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
    for group in _groups(words):
        seen += group.words
        try:
            _check(group)
        except ValueError as error:
            if isinstance(value, str) and (group.value or not group.names):
                following = words[len(seen) : len(seen) + bool(group.names)]
                raise ValueError(f"{error}{_torn([*seen, *following])}") from None
            raise
    return words


def _torn(words: Sequence[str]) -> str:
    """Return what to do if the last of `words` belongs to the value that begins before it."""
    begins = [number for number, word in enumerate(words) if "=" in word]
    if not begins or words[-1].startswith("-") or "@" in words[-1]:
        return ""
    whole = shlex.quote(" ".join(words[begins[-1] :]))
    short = len(whole) < 80 and whole.isprintable()
    return f"; if that is one option, quote it: {whole}" if short else ""


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
        if why := _row(option).refused:
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


def _wrong_rule(group: _Group) -> str:
    """Return what is wrong with the rule, or the file of rules, that a word has."""
    if not _RULE_FILES.isdisjoint(group.names) and group.value == "-":
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


def rule_files(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give the files that rsync reads rules from when a run with these options starts.

    Each with the rule of rsync that reads it likewise; :func:`parse_extra` has accepted the words.
    """
    for group in _groups(words):
        if not _RULE_FILES.isdisjoint(group.names):
            yield group.value, ""
        elif not {"-f", "--filter"}.isdisjoint(group.names):
            entry = parse_rule(group.value)
            if entry.once:
                yield entry.pattern, group.value


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
        manners = {name for name in group.names if _row(name).manner}
        if group.names and group.names <= manners:
            continue
        first, *value = group.words
        if group.short and manners:
            letters = [letter for letter in group.letters if f"-{letter}" not in manners]
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


def values(words: Sequence[str], names: Iterable[str]) -> Iterator[str]:
    """Give the values that the options with these `names` have, in order."""
    for group in _groups(words):
        if not group.names.isdisjoint(names) and group.value:
            yield group.value


def reaching(words: Sequence[str], *, attributes: bool = False) -> Iterator[str]:
    """Give the words that say how a node is reached, and with which `attributes` files travel."""
    wanted = {*_REACHING.split(), *(_ATTRIBUTES.split() if attributes else ())}
    for group in _groups(words):
        for name in sorted(group.names & wanted):
            yield name
            if _row(name).value:
                yield group.value


def leads_out(words: Sequence[str]) -> str:
    """Return the option that lets a run write where a link on the mirror leads to, or ``""``."""
    given = options(words)
    return next((name for name in TABLE if name in given and TABLE[name].leads_out), "")


def keeps_in_place(words: Sequence[str]) -> bool:
    """Return whether old versions are kept beside their files, and a run can name these."""
    given = options(words)
    kept = not given.isdisjoint(("-b", "--backup")) and "--backup-dir" not in given
    return kept and not hindrance(words)


def suffix(words: Sequence[str]) -> str:
    """Return how the names of old versions end, where they are kept."""
    return ["" if aside(words) else "~", *values(words, ("--suffix",))][-1]


def aside(words: Sequence[str]) -> str:
    """Return the directory of old versions, with its slash; "" where they are not kept apart."""
    given = ["", *values(words, ("--backup-dir",))][-1]
    return given.rstrip("/") + "/" if given else ""


def backs_up(words: Sequence[str]) -> str:
    """Return the option that says where old versions are kept, ``""`` when none does."""
    return min(options(words) & {"-b", "--backup", "--backup-dir", "--suffix"}, default="")


def most_deletions(words: Sequence[str]) -> float:
    """Return how many files a run with these options may delete; infinite when any number."""
    most = math.inf
    for group in _groups(words):
        if "--max-delete" in group.names:
            most = max(0, int(group.value)) if re.fullmatch(r"-?\d+", group.value) else most
    return most


def deletes_excluded(words: Sequence[str]) -> bool:
    """Return whether a run with these options deletes on the mirror what the excludes hide."""
    return "--delete-excluded" in options(words)


def half_written(words: Sequence[str]) -> str:
    """Return the option that lets half-written files be seen on a mirror, ``""`` when none does."""
    given = options(words)
    shown = [name for name in TABLE if name in given and TABLE[name].in_place]
    if "--partial-dir" not in given:
        shown += [name for name in TABLE if name in given and TABLE[name].keeps_half]
    return shown[0] if shown else ""


def keeps_partials(words: Sequence[str]) -> bool:
    """Return whether these options say where an interrupted file stays.

    A run that has one of them must not be given another ``--partial-dir``.
    """
    given = options(words)
    return "--partial-dir" in given or any(_row(name).in_place for name in given)


def hindrance(words: Sequence[str]) -> str:
    """Return which of a node's options demands full passes: what and why, in words.

    ``""`` when none does.
    """
    for option in sorted(options(words)):
        if why := _row(option).no_list:
            return f"{option}: {why}"
    return ""


def indivisible(words: Sequence[str]) -> str:
    """Return which of a node's options demands that a pass is one run: what and why, in words.

    ``""`` when none does.
    """
    for option in sorted(options(words)):
        if why := _row(option).no_list or _row(option).no_slices:
            return f"{option}: {why}"
    return ""


def prevented(words: Sequence[str]) -> bool:
    """Return whether a node's options keep renames from being anything but ordinary changes."""
    return any(_row(option).no_steps for option in options(words))


def compares_contents(words: Sequence[str]) -> bool:
    """Return whether a run with these options takes no file for equal by size and date."""
    given = options(words)
    return not given.isdisjoint(("-c", "--checksum")) and given.isdisjoint(_NO_CHECKSUM)


def whole_files(words: Sequence[str]) -> bool:
    """Return whether a node's options have files sent whole, whatever is there already."""
    return any(_row(option).whole for option in options(words))


def timed(words: Sequence[str]) -> bool:
    """Return whether it matters when a run with these options is started."""
    return any(_row(option).timed for option in options(words))


def withholding(words: Sequence[str]) -> list[str]:
    """Return which options keep more from a node than the exclude rules do, sorted."""
    return sorted(option for option in options(words) if _row(option).withholds)


def follows_links(words: Sequence[str]) -> bool:
    """Return whether a run with these options sends what a symbolic link points to."""
    return any(_row(option).follows for option in options(words))


def _row(option: str) -> Row:
    return TABLE.get(option, _UNKNOWN)


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
            open_ended = _row(name).value and not equals
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
