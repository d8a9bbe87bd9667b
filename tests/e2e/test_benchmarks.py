"""The benchmarks (benchmarks/run), so that they do not rot. Figures are nobody's business here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support.daemon import PROJECT

sys.path.insert(0, str(PROJECT / "benchmarks"))

from bench.__main__ import CASES
from bench.report import Result, Target, table


def test_small_ones(tmp_path: Path) -> None:
    paths = [PROJECT, PROJECT / "tests", PROJECT / "benchmarks"]
    small = ["--small", "--only", "inosync", "--folder", tmp_path, "--output", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", *small, "version", "newdirs", "events"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("version", "newdirs", "events"):
        found = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        for row in found["rows"]:
            none = row["metric"] == "left without a watch"
            assert all((sample > 0) != none for sample in row["samples"]["inosync"]), row
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_small_giant() -> None:
    small = ["--megabytes=3", "--rate=2", "--changes=2", "--files=10"]
    short = ["--pause=0.2", "--edelay=0.1", "--rbigdelay=0.2"]
    done = subprocess.run(
        [sys.executable, PROJECT / "benchmarks" / "giant", *small, *short],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ages = [line.split() for line in done.stdout.splitlines() if line.startswith("their age")]
    assert [float(words[-2]) > 0 for words in ages] == [True] * 3
    assert "NOT EQUAL" not in done.stdout


def test_each_name_has_its_module() -> None:
    folder = PROJECT / "benchmarks" / "bench" / "cases"
    assert sorted(CASES) == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")


def test_one_that_does_not_get_there_has_no_figure() -> None:
    result = Result("x", "X", targets=[Target("equal after", 0.5, "b"), Target("equal after", 9)])
    for ours, theirs in ((1.0, None), (3.0, None), (2.0, 7.0)):
        result.add("equal after", "s", "inosync", ours)
        result.add("equal after", "s", "b", theirs)
    assert table(result).splitlines() == [
        "X",
        "",
        "                inosync           b",
        "equal after, s  2.00 (1.00-3.00)  7.00, never 2 of 3",
        "",
        "  reached  equal after, s: inosync / b: the other never got there",
        "  reached  equal after, s: inosync = 2.00, to be 9 at most",
    ]
