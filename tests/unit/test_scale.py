"""The guide to scale calculates right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = (Path(__file__).resolve().parents[2] / "docs/scale.rst").read_text()
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


@pytest.mark.parametrize("row", _EXAMPLE.findall(GUIDE))
def test_the_examples(row: tuple[str, ...]) -> None:
    files, nodes, changes, size, window = (float(cell.replace(",", "")) for cell in row[:5])
    per_file = constant(r"N x F x ([\d.]+) (µs) / W")
    per_run = constant(r"N x \(([\d.]+) (ms) / W")
    per_change = constant(r"\+ c x ([\d.]+) (ms)\)")
    tree = nodes * files * per_file / window
    narrow = nodes * (per_run / window + changes * per_change)
    bits = nodes * changes * size * 1e3 * 8
    assert float(row[5]) == pytest.approx(tree, rel=0.15)
    assert float(row[6]) == pytest.approx(narrow, rel=0.15)
    assert float(row[7]) * UNITS[row[8]] == pytest.approx(bits, rel=0.15)


def test_there_are_examples() -> None:
    assert len(_EXAMPLE.findall(GUIDE)) == 3
