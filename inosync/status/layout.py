"""The snapshot on a terminal: what stands where, so that no line is longer than there is room.

Pure: turns a snapshot and a number of columns into lines. Knows what takes two columns; knows no
terminal. The daemon needs none of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from inosync.status.keeping import kept_line
from inosync.status.lines import source_line
from inosync.status.model import Snapshot, SourceStatus
from inosync.status.table import HEADER, cells, details, facts, heading, look, summary, tone
from inosync.status.troubles import listed, short_names, title, troubles
from inosync.text import printable

#: Parts of a line, each with what it is to the eye: title, dim, good, busy, wait, bad or nothing.
Line = tuple[tuple[str, str], ...]

#: What a line of a mirror begins with, and what lies between its cells.
_INDENT, _GAP = "    ", "  "

#: No line is folded to less.
_NARROWEST = 20

#: What a cell ends with that is cut.
_MORE = ".."

#: The columns that may be shortened, with the least that is left of them, the first one first.
_SHRINK = ((4, 12), (3, 9), (0, 16))

#: The columns that are left out where even that is too much, the first one first.
_DROP = (6, 4, 3)


def picture(status: Snapshot, columns: int | None = None) -> list[Line]:
    """Return all lines, none of them longer than `columns`; None: as long as they are."""
    return [*head(status, columns), *body(status, columns)]


def head(status: Snapshot, columns: int | None = None) -> list[Line]:
    """Return the lines that matter most: whether all is well, and what the daemon is."""
    well = "good" if status["synced"] else "wait" if status["standby"] else "bad"
    lines: list[Line] = [((line, well),) for line in fold(summary(status), columns)]
    lines.append(((cut(heading(status), columns), "dim"),))
    if status["paused"]:
        pause = "PAUSED: nothing is started (inosync --resume)"
        lines += [((line, "wait"),) for line in fold(pause, columns)]
    return lines


def body(status: Snapshot, columns: int | None = None) -> list[Line]:
    """Return the lines below: what ails, then the other mirrors of each source."""
    lines: list[Line] = []
    for trouble in troubles(status):
        lines.append(())
        first, *more = fold(f"{trouble.state}  {facts(trouble, status['at'])}", columns, _INDENT)
        state, rest = first[: len(trouble.state)], first[len(trouble.state) :]
        lines.append(((state, tone(trouble)), (rest, "title")))
        lines += [((line, "title"),) for line in more]
        for detail in details(trouble):
            said = detail.startswith("| ")
            folded = fold(_INDENT + detail, columns, _INDENT + ("| " if said else ""))
            lines += [((line, "dim" if said else ""),) for line in folded]
    names = short_names(status)
    for source in status["sources"]:
        lines.append(())
        held = "bad" if source["state"] == "held" else "title"
        lines += [((line, held),) for line in fold(source_line(source), columns, _INDENT)]
        lines += _mirrors(status, source, names, columns)
    return lines


def _mirrors(
    status: Snapshot, source: SourceStatus, names: dict[str, str], columns: int | None
) -> Iterator[Line]:
    mirrors = listed(status, source)
    if not mirrors:
        return
    told = [tuple(map(printable, cells(mirror, status["at"]))) for mirror in mirrors]
    grid = [HEADER, *((title(m), *of) for m, of in zip(mirrors, told, strict=True))]
    if columns is not None and _line(_widths(grid)) > columns:
        grid = [HEADER, *((title(m, names), *of) for m, of in zip(mirrors, told, strict=True))]
    widths = fitted(_widths(grid), columns)
    for mirror, row in zip([None, *mirrors], grid, strict=True):
        cut_row = (cut_within(row[0], widths[0]), *row[1:])
        shown = [_padded(cell, room) for cell, room in zip(cut_row, widths, strict=True) if room]
        node, state, *more = shown
        rest, plain = (_GAP + _GAP.join(more)).rstrip(), "" if mirror else "dim"
        parts = (_INDENT + node + _GAP, plain), (state, look(mirror) if mirror else plain)
        yield _clipped((*parts, (rest, plain)), columns)
        if mirror is not None and (kept := kept_line(mirror)):
            yield ((cut(_INDENT + _GAP + kept, columns), "dim"),)


def _clipped(line: Line, columns: int | None) -> Line:
    """Return as much of a line as there is room for, where even the narrowest table has none."""
    parts, room = [], columns
    for part, look_ in line:
        parts.append((part if room is None else _begin(part, room), look_))
        room = room and max(0, room - width(part))
    return tuple(parts)


def fitted(widths: Sequence[int], columns: int | None) -> list[int]:
    """Return the widths of a table's columns so that its lines fit; 0: that one is left out."""
    fit = list(widths)
    for dropped in range(len(_DROP) + 1):
        fit = [0 if column in _DROP[:dropped] else width for column, width in enumerate(widths)]
        if columns is None:
            break
        for column, least in _SHRINK:
            fit[column] -= max(0, min(_line(fit) - columns, fit[column] - least))
        if _line(fit) <= columns:
            break
    return fit


def _widths(grid: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(width, column)) for column in zip(*grid, strict=True)]


def _line(widths: Sequence[int]) -> int:
    """Return how long a line of cells is that are so wide."""
    shown = [width for width in widths if width]
    return len(_INDENT) + sum(shown) + len(_GAP) * (len(shown) - 1)


def _padded(cell: str, room: int) -> str:
    shown = cut(cell, room)
    return shown + " " * (room - width(shown))


def width(text: str) -> int:
    """Return how many columns a text takes: ideograms take two, and combining characters none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in ("W", "F"))
        for c in text
    )


def cut(text: str, columns: int | None) -> str:
    """Return as much of a line as so many columns hold; two dots say that there is more."""
    text = printable(text)
    if columns is None or width(text) <= columns:
        return text
    return _begin(text, columns - len(_MORE)) + _MORE


def cut_within(text: str, columns: int) -> str:
    """Return both ends of a name, as much as so many columns hold: many begin alike."""
    text = printable(text)
    if width(text) <= columns:
        return text
    room = max(0, columns - len(_MORE))
    end = _begin(text[::-1], room // 2)[::-1]
    return _begin(text, room - width(end)) + _MORE + end


def _begin(text: str, columns: int) -> str:
    used = 0
    for position, character in enumerate(text):
        used += width(character)
        if used > columns:
            return text[:position]
    return text


def fold(text: str, columns: int | None, indent: str = "") -> list[str]:
    """Return a line as several, none longer than `columns`; all but the first are indented."""
    text, lines, columns = printable(text), [], columns and max(columns, _NARROWEST)
    while columns is not None and width(text) > columns:
        piece = _begin(text, columns)
        # At the end of a word, unless the next one is longer than a line.
        end = piece.rfind(" ", len(piece) - len(piece.lstrip()))
        word = text[end + 1 :].split(" ", 1)[0]
        if text[len(piece)] != " " and end > 0 and width(indent + word) <= columns:
            piece = piece[:end]
        lines.append(piece.rstrip())
        text = indent + text[len(piece) :].lstrip(" ")
    return [*lines, text]
