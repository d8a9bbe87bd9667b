"""What ``--top`` shows on a screen of any size, and what keys do to it.

Pure: turns a snapshot, a size and a place into lines, and the bytes of keys into a place. The
summary stays where it is; all else is scrolled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inosync.status.layout import Line, body, cut, fold, head
from inosync.status.model import Snapshot

#: What a terminal sends for keys, in both of its modes, and what they are for.
_KEYS = {
    **dict.fromkeys(("\x1b[A", "\x1bOA", "k"), "up"),
    **dict.fromkeys(("\x1b[B", "\x1bOB", "j", "\r", "\n"), "down"),
    **dict.fromkeys(("\x1b[5~", "b"), "page up"),
    **dict.fromkeys(("\x1b[6~", " "), "page down"),
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "g"), "home"),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "G"), "end"),
    **dict.fromkeys(("q", "Q", "\x03", "\x04"), "quit"),
}

#: One key: a sequence of a terminal, or a character.
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO.|.", re.DOTALL)

#: A screen of so many lines has room for an empty one below the summary.
_TALL = 20

#: What the last line says where not all is seen.
_HELP = "arrows, Page Up/Down, Home, End; q"


@dataclass(frozen=True)
class Screen:
    """The lines on a screen, the first of `count` that is seen below the summary, and how many."""

    lines: list[Line]
    first: int
    seen: int
    count: int

    def moved(self, key: str) -> int:
        """Return which line is to be the first after a key."""
        page = max(1, self.seen - 1)
        steps = {"up": -1, "down": 1, "page up": -page, "page down": page}
        ends = {"home": 0, "end": self.count}
        return max(0, min(ends.get(key, self.first + steps.get(key, 0)), self.count - self.seen))


def keys(text: str) -> list[str]:
    """Return what the keys are for that a terminal has sent; others are passed over."""
    return [_KEYS[key] for key in _KEY.findall(text) if key in _KEYS]


def screen(status: Snapshot, columns: int, rows: int, first: int = 0) -> Screen:
    """Return what is seen, from the line `first` of all that ails and is."""
    top = head(status, columns)[: max(1, rows)]
    rest = body(status, columns)
    if rows < _TALL:
        rest = rest[1:]  # the empty one
    room = max(0, rows - len(top))
    if len(rest) <= room:
        return Screen([*top, *rest], 0, len(rest), len(rest))
    seen = max(0, room - 1)
    first = max(0, min(first, len(rest) - seen))
    told = f"{first + 1}-{first + seen} of {len(rest)} lines: {_HELP}"
    last: Line = ((cut(told, columns), "dim"),)
    lines = [*top, *rest[first : first + seen], *([last] if room else [])]
    return Screen(lines, first, seen, len(rest))


def notice(text: str, columns: int, rows: int) -> list[Line]:
    """Return what is seen instead while the daemon does not answer."""
    lines: list[Line] = [((line, "bad"),) for line in fold(text, columns)]
    return lines[:rows]
