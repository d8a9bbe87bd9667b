"""How rsync's option parser (popt) reads an argv.

Pure. Which options take a value is in option_table.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from inosync.rsync.option_table import TABLE, row_of

_SHORT_WITH_VALUE = "".join(
    name[1] for name, row in TABLE.items() if row.value and not name.startswith("--")
)
_LETTERS = re.compile(f"-([^{_SHORT_WITH_VALUE}]*)([{_SHORT_WITH_VALUE}]?)(.*)", re.DOTALL)

#: What names a file of rules, whatever is in it.
RULE_FILES = frozenset(("--exclude-from", "--include-from"))


@dataclass(frozen=True)
class Group:
    """A word of options, with the next word when that is its value.

    ``letters`` are those of a `short` one that are options. ``value`` is "" without one.
    """

    words: tuple[str, ...]
    names: frozenset[str]
    value: str = ""
    short: bool = False
    letters: str = ""


def groups(words: Sequence[str]) -> Iterator[Group]:
    """Give the words as popt would take them; a word that is no option has no names.

    Raise ValueError when the last option lacks its value.
    """
    rest = iter(words)
    for word in rest:
        if word.startswith("--") and word != "--":
            name, equals, value = word.partition("=")
            group = Group((word,), frozenset((name,)), value)
            open_ended = row_of(name).value and not equals
        elif word.startswith("-") and word not in ("-", "--"):
            letters, last, value = _LETTERS.fullmatch(word).groups()  # type: ignore[union-attr]
            names = frozenset(f"-{letter}" for letter in letters + last)
            group = Group((word,), names, value, short=True, letters=letters + last)
            open_ended = bool(last) and not value
        else:
            group, open_ended = Group((word,), frozenset()), False
        following = next(rest, None) if open_ended else None
        if following is not None:
            group = replace(group, words=(word, following), value=following)
        yield group
        if open_ended and following is None:
            raise ValueError(f"ends in {word!r:.60}, which needs a value")
