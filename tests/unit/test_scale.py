"""The guide to scale calculates right."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = (DOCS / "scale.rst").read_text()
UNITS = {"": 1.0, "kB": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9, "µs": 1e-6, "ms": 1e-3}

_EXAMPLE = re.compile(
    r"^\S.*: F ([\d,]+), N (\d+), c (\d+), s (\d+) kB, W (\d+)"
    r" +([\d.]+) +([\d.]+) +([\d.]+) (\S+)$",
    re.MULTILINE,
)


def constant(pattern: str) -> float:
    """Return a number with its unit from the formulas."""
    found = re.search(pattern, GUIDE)
    assert found, pattern
    return float(found[1]) * UNITS[found[2]]


def per_file() -> float:
    """Return the seconds of processor time of a full pass for each file."""
    return constant(r"N x F x ([\d.]+) (µs) / W")


def per_run() -> float:
    """Return those of a run that names what has changed."""
    return constant(r"N x \(([\d.]+) (ms) / W")


def per_change() -> float:
    """Return those of such a run for each change."""
    return constant(r"\+ c x ([\d.]+) (ms)\)")


def measured(who: str, what: str, *, files: int) -> float:
    """Return the seconds that the benchmark has for something."""
    rows = json.loads((DOCS / "benchmarks/scaling.json").read_text())["rows"]
    (row,) = (row for row in rows if row["metric"] == what and row["x"] == files)
    assert row["unit"] == "ms"
    return median(row["samples"][who]) / 1000


def test_the_constants_are_those_of_the_benchmark() -> None:
    """About: no machine is like another. When it fails, the guide is to be calculated anew."""
    one, many = "one change: CPU with rsync", "batch of 1,000: CPU with rsync"
    sizes = (1_000, 10_000, 100_000, 300_000)
    found = (
        (per_file(), measured("inosync, tree", one, files=300_000) / 300_000),
        (per_run(), median(measured("inosync", one, files=files) for files in sizes)),
        (per_change(), median(measured("inosync", many, files=files) for files in sizes) / 1000),
    )
    for said, benchmark in found:
        assert 0.4 < said / benchmark < 2.5


@pytest.mark.parametrize("row", _EXAMPLE.findall(GUIDE))
def test_the_examples(row: tuple[str, ...]) -> None:
    files, nodes, changes, size, window = (float(cell.replace(",", "")) for cell in row[:5])
    tree = nodes * files * per_file() / window
    narrow = nodes * (per_run() / window + changes * per_change())
    bits = nodes * changes * size * 1e3 * 8
    assert float(row[5]) == pytest.approx(tree, rel=0.15)
    assert float(row[6]) == pytest.approx(narrow, rel=0.15)
    assert float(row[7]) * UNITS[row[8]] == pytest.approx(bits, rel=0.15)


def test_there_are_examples() -> None:
    assert len(_EXAMPLE.findall(GUIDE)) == 3
