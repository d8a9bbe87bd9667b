"""What came out: as a table, as JSON, as a plot, and beside what was to be reached."""
# ruff: noqa: T201 - a report is printed

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inosync import __version__

#: A sample: a figure, or None when the daemon did not get there.
Sample = float | None


@dataclass
class Row:
    """One thing that was measured: samples of each contender. ``x`` is a size, for curves."""

    metric: str
    unit: str
    x: int | None = None
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def add(self, contender: str, sample: Sample) -> None:
        """Take note of a sample."""
        self.samples.setdefault(contender, []).append(sample)

    def median(self, contender: str) -> Sample:
        """Return the median; None when half of the samples, or more, never got there."""
        samples = self.samples.get(contender, [])
        reached = [s for s in samples if s is not None]
        return statistics.median(reached) if 2 * len(reached) > len(samples) else None


@dataclass(frozen=True)
class Target:
    """A ratio to reach: ours / theirs <= limit; without `theirs` a plain figure."""

    metric: str
    limit: float
    theirs: str = ""
    ours: str = "inosync"
    x: int | None = None


@dataclass
class Result:
    """What a benchmark found."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(self, metric: str, unit: str, x: int | None = None) -> Row:
        """Return the row of this metric, made when there is none."""
        for row in self.rows:
            if (row.metric, row.x) == (metric, x):
                return row
        self.rows.append(Row(metric, unit, x))
        return self.rows[-1]

    def add(
        self, metric: str, unit: str, contender: str, sample: Sample, x: int | None = None
    ) -> None:
        """Take note of a sample."""
        self.row(metric, unit, x).add(contender, sample)

    @property
    def contenders(self) -> list[str]:
        """All that took part, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row.samples))


def shown(value: float) -> str:
    """Return a figure with three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(row: Row, contender: str) -> str:
    """Return median (min-max), or what else there is to say."""
    samples = row.samples.get(contender)
    if not samples:
        return ""
    reached = [sample for sample in samples if sample is not None]
    missed = len(samples) - len(reached)
    if not reached:
        return f"never ({missed} of {missed})"
    text = shown(statistics.median(reached))
    if len(reached) > 1:
        text += f" ({shown(min(reached))}-{shown(max(reached))})"
    return text + (f", never {missed} of {len(samples)}" if missed else "")


def label(row: Row) -> str:
    """Return what a row is called."""
    return f"{row.metric}, {row.unit}" + (f", {row.x:,}" if row.x is not None else "")


def table(result: Result) -> str:
    """Return the table for people: a line for each metric, a column for each contender."""
    names = result.contenders
    lines = [["", *names]] + [
        [label(row), *(cell(row, name) for name in names)] for row in result.rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names) + 1)]
    text = [result.title, ""]
    for line in lines:
        cells = (word.ljust(width) for word, width in zip(line, widths, strict=True))
        text.append("  ".join(cells).rstrip())
    if result.targets:
        text += ["", *(f"  {verdict(result, target)}" for target in result.targets)]
    return "\n".join([*text, *(f"  {note}" for note in result.notes)])


def verdict(result: Result, target: Target) -> str:
    """Return in words whether a target was reached."""
    row = result.row(target.metric, "", target.x)
    if target.theirs and target.theirs not in row.samples:
        return f"unknown  {label(row)}: {target.theirs} did not take part"
    ours = row.median(target.ours)
    theirs = row.median(target.theirs) if target.theirs else 1.0
    what = label(row) + f": {target.ours}" + (f" / {target.theirs}" if target.theirs else "")
    if ours is None:
        return f"missed   {what}: it never got there"
    if theirs is None:
        return f"reached  {what}: the other never got there"
    if theirs == 0:
        return f"{'reached' if ours == 0 else 'missed'}  {what}: both, or the other, took nothing"
    ratio = ours / theirs
    word = "reached" if ratio <= target.limit else "missed "
    return f"{word}  {what} = {shown(ratio)}, to be {target.limit:.3g} at most"


def machine() -> dict[str, object]:
    """Return where this was measured."""
    rsync = subprocess.run(["rsync", "--version"], capture_output=True, text=True, check=True)
    return {
        "kernel": platform.release(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "inosync": __version__,
        "rsync": rsync.stdout.split()[2],
        "lsyncd": _said("lsyncd", "-version"),
        "clsync": _said("clsync", "-V"),
    }


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).split()
    return next((word for word in words if word.strip("v")[:1].isdigit()), "?")


def write(result: Result, folder: Path, loads: Sequence[float], options: dict[str, object]) -> None:
    """Write NAME.json and, where matplotlib is installed, NAME.png."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "name": result.name,
        "title": result.title,
        "machine": machine(),
        "load average before and after": list(loads),
        "options": options,
        "rows": [
            {"metric": r.metric, "unit": r.unit, "x": r.x, "samples": _rounded(r)}
            for r in result.rows
        ],
        "verdicts": [verdict(result, target) for target in result.targets],
        "notes": result.notes,
    }
    (folder / f"{result.name}.json").write_text(json.dumps(document, indent=1) + "\n")
    try:
        from bench import plot  # noqa: PLC0415 - what it needs is optional
    except ImportError:
        print("no plot: matplotlib is not installed (pip install inosync[bench])")
    else:
        plot.draw(result, folder / f"{result.name}.png")


def _rounded(row: Row) -> dict[str, list[Sample]]:
    return {
        name: [sample if sample is None else float(f"{sample:.5g}") for sample in samples]
        for name, samples in row.samples.items()
    }
