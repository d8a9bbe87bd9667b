"""The table of docs/speed.rst says what docs/benchmarks have measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

#: Case, metric and size of each row, by how it begins.
ROWS = {
    "one change in 100,000 files": ("change", "local: equal after", None),
    "the same: processor time with rsync": ("change", "local: CPU with rsync", None),
    "one change over ssh": ("change", "ssh: equal after", None),
    "one change to an rsync daemon": ("change", "rsync daemon: equal after", None),
    "the same, 40 ms away": ("change", "rsync daemon, 40 ms away: equal after", None),
    "a restart": ("restart", "100 files changed meanwhile: on all nodes after", None),
    "a first fill of 20,000": (
        "fill",
        "20,000 small files at 40 ms round-trip: all there after",
        None,
    ),
    "a change behind a first fill": (
        "overtake",
        "a change behind a first fill of 100 MB at 4 MB/s: there after",
        None,
    ),
    "unpacking 20,000 files": ("untar", "equal after", None),
    "the same: processor time with rsync*": ("untar", "CPU with rsync", None),
    "removing them": ("remove", "gone after", None),
    "10,000 new directories: on the mirror": ("newdirs", "on the mirror after", None),
    "10,000 new directories: processor": ("newdirs", "CPU of the daemon itself", None),
    "watching 100,000 directories: ready": ("watch", "all watches stand after", None),
    "the same, nothing cached": ("cold", "all watches stand after", None),
    "watching 100,000 directories: memory": ("watch", "RSS watching", None),
    "1,000 changes in 300,000 files": ("scaling", "batch of 1,000: equal after", 300_000),
    "16 nodes, one slow": ("nodes", "20 files of 256 KB, one slow", None),
    "100 local nodes, a change": ("hundred", "one change each 1.5 s: mean age", None),
    "the same: age": ("hundred", "one change each 1.5 s: age on the last node", None),
    "the same: processor": ("hundred", "one change each 1.5 s: CPU with rsync", None),
    "100 local nodes, 10 changes": ("hundred", "10 changes a second: mean age", None),
    "the same: age on": ("hundred", "10 changes a second: age on the last node", None),
    "the same: processor time": ("hundred", "10 changes a second: CPU with rsync", None),
    "100 local nodes, one slow": ("hundred", "one change each 1.5 s, one slow: mean age", None),
    "50 changes a second: mean": ("steady", "mean age", None),
    "50 changes a second: 99th": ("steady", "99th percentile of age", None),
    "50 changes a second: processor": ("steady", "CPU with rsync", None),
}


def table() -> list[tuple[str, str, str]]:
    """Return what stands in the table: the work, and the two ratios."""
    _, _, text = (DOCS / "speed.rst").read_text().partition(" to clsync\n")
    rows = text.partition("\n")[2].partition("\n====")[0].splitlines()
    return [(row[:60].strip(), row[60:73].strip(), row[73:].strip()) for row in rows]


def measured(case: str, metric: str, size: int | None, peer: str) -> str:
    """Return inosync's median in that of the peer; "never" and "" as the table has it."""
    rows = json.loads((DOCS / f"benchmarks/{case}.json").read_text())["rows"]
    (row,) = (row for row in rows if row["metric"] == metric and row.get("x") == size)
    samples = row["samples"].get(peer)
    if samples is None:
        return ""
    if None in samples:
        return "never"
    return f"{median(row['samples']['inosync']) / median(samples):.2f}"


def test_there_is_a_row_for_each() -> None:
    assert len(table()) == len(ROWS)


@pytest.mark.parametrize(("row", "found"), list(zip(table(), ROWS.items(), strict=False)))
def test_the_ratios_are_those_of_the_benchmarks(
    row: tuple[str, str, str], found: tuple[str, tuple[str, str, int | None]]
) -> None:
    begins, (case, metric, size) = found
    assert re.match(re.escape(begins), row[0])
    lsyncd, clsync = (measured(case, metric, size, peer) for peer in ("lsyncd", "clsync"))
    assert row[1:] == (lsyncd, clsync), (
        f"write docs/speed.rst anew from docs/benchmarks/{case}.json"
    )
