"""The snapshot as a table for people.

Pure: turns a snapshot into text, for a terminal of any width. Knows neither the engine nor the
terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inosync.status.keeping import kept_line
from inosync.status.model import MirrorStatus, Snapshot
from inosync.status.passing import pass_line, span
from inosync.status.snapshot import ailing_lines, but_for, source_line
from inosync.text import many, printable

HEADER = ("node", "state", "lag", "pending", "run", "last success")

#: What a state is to the eye: as a colour (well, at work, waiting, in trouble).
COLOURS = {
    "idle": "green",
    "pending": "cyan",
    "running": "cyan",
    "stopping": "yellow",
    "backoff": "red",
    "held": "red",
}

#: How many paths of a mirror the table names, with what to do about them.
_LINES = 10


@dataclass(frozen=True)
class Row:
    """One mirror: the cells below ``HEADER``, and lines that need more room."""

    cells: tuple[str, ...]
    state: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One source and its mirrors."""

    title: str
    held: bool
    rows: tuple[Row, ...]


def heading(status: Snapshot) -> str:
    """Return one line about the daemon."""
    daemon = status["daemon"]
    text = f"inosync {daemon['version']}, pid {daemon['pid']}, up {span(daemon['uptime'])}, "
    text += f"{daemon['rss'] / 2**20:.0f} MiB"
    if daemon["config"]:
        text += f", {printable(daemon['config'])}"
        text += f" loaded {span(status['at'] - daemon['loaded_at'])} ago"
    return text + (" - PAUSED: nothing is started (inosync --resume)" if status["paused"] else "")


def sections(status: Snapshot) -> list[Section]:
    """Return what the table shows, source by source."""
    return [
        Section(
            title=source_line(source),
            held=source["state"] == "held",
            rows=tuple(
                _row(mirror, status["at"])
                for mirror in status["mirrors"]
                if mirror["source"] == source["path"]
            ),
        )
        for source in status["sources"]
    ]


def summary(status: Snapshot) -> str:
    """Return one line that says whether all is well, as monitoring programs show it."""
    behind = [mirror for mirror in status["mirrors"] if mirror["lag"] is not None]
    held = [source for source in status["sources"] if source["state"] == "held"]
    count = len(status["mirrors"])
    text = f"{count - len(behind)} of {many(count, 'mirror')} in sync"
    if ailing := sum(len(mirror["ailing"]) for mirror in status["mirrors"]):
        text += f" but for {many(ailing, 'path')}"
    if behind:
        text += f", the longest behind for {span(max(mirror['lag'] or 0.0 for mirror in behind))}"
    if held:
        text += f", {len(held)} of {many(len(status['sources']), 'source')} held"
    return text


def plain(status: Snapshot) -> Iterator[str]:
    """Yield the table line by line, without colours."""
    yield summary(status)
    yield heading(status)
    for section in sections(status):
        yield ""
        yield section.title
        header, *cells = aligned(section)
        yield "    " + "  ".join(header).rstrip()
        for row, padded in zip(section.rows, cells, strict=True):
            yield "    " + "  ".join(padded).rstrip()
            yield from (f"      {note}" for note in row.notes)


def aligned(section: Section) -> list[list[str]]:
    """Return the header's cells and then those of each row, as wide as their columns."""
    grid = [HEADER, *(row.cells for row in section.rows)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    return [
        [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)] for cells in grid
    ]


def size(count: int) -> str:
    """Return a number of bytes as people say it: 512 B, 1.5 MiB."""
    if count < 1024:
        return f"{count} B"
    power = min(4, (count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {' KMGT'[power]}iB"


def _row(mirror: MirrorStatus, at: float) -> Row:
    lag, success = mirror["lag"], mirror["last_success_at"]
    notes = []
    if mirror["reason"]:
        notes.append(f"{mirror['reason']} (failures: {mirror['failures']})")
        if failure := mirror["last_failure"]:
            notes += [f"| {line}" for line in failure["lines"][-2:]]
    if (drift := mirror["drift"]) and drift["paths"]:
        examples = "; ".join(f"{path}: {what}" for path, what in drift["examples"].items())
        paths = many(drift["paths"], "path")
        notes.append(f"drift: {paths} ({examples}), found {span(at - drift['at'])} ago")
    told = ailing_lines(mirror)
    notes += told[:_LINES] + ([f"and {len(told) - _LINES} more (--json)"] * (len(told) > _LINES))
    notes += [kept] if (kept := kept_line(mirror)) else []
    pending = mirror["full"] and "full pass"
    if mirror["full_pass"] is not None:
        pending = f"full pass {pass_line(mirror['full_pass'])}"
    return Row(
        cells=(
            printable(mirror["node"] or mirror["destination"])
            + (" (big files)" if mirror["lane"] == "big" else ""),
            mirror["state"],
            (span(lag) if lag is not None else "in sync") + but_for(mirror),
            pending or (str(mirror["pending"]) if mirror["pending"] else "-"),
            _run(mirror, at),
            f"{span(at - success)} ago" if success is not None else "never",
        ),
        state=mirror["state"],
        notes=tuple(notes),
    )


def _run(mirror: MirrorStatus, at: float) -> str:
    run, next_try = mirror["run"], mirror["next_try_at"]
    if run is None:
        ready = "warm" if mirror["warm"] else "-"
        return f"next try in {span(next_try - at)}" if next_try is not None else ready
    text = f"for {span(run['seconds'])}"
    if run["bytes"] is not None:
        text += f", {size(run['bytes'])}, {run['percent']} %, {span(run['eta'] or 0)} left"
    return text
