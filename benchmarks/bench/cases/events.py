"""145,000 events in 5,000 directories: what it costs to read them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.daemon import PROJECT

from bench.report import Result, Target
from bench.world import LIMITS, Bench

CONTENDERS = ("inosync", "pyinotify", "C")
_SAME = "29 events of one file in each directory"
_OTHER = "one event of 29 files in each directory"


def run(bench: Bench) -> Result:
    """Measure CPU for each event: in lots that the default queue holds, read all at once."""
    result = Result("events", "CPU for 145,000 events in 5,000 directories")
    directories, each = bench.size(5000, 50), bench.size(29, 10)
    source = bench.folder / "source"
    files = []
    for directory in range(directories):
        path = source / f"{directory // 100:02}/{directory % 100:02}"
        os.makedirs(path)
        for number in range(each):
            files.append(path / f"file{number:02}")
            files[-1].touch()
    contenders = [name for name in CONTENDERS if LIMITS.exists() or name != "C"]
    first = [file for file in files if file.name == "file00"]
    for _, contender in bench.rounds(contenders):
        command = [str(LIMITS), "watch"]
        if contender != "C":
            command = [sys.executable, str(PROJECT / "benchmarks/bench/reader.py"), contender]
        for metric, touched in ((_SAME, first * each), (_OTHER, files)):
            events, seconds = _feed([*command, str(source)], touched)
            result.add(metric, "us for each", contender, 1e6 * seconds / events)
    result.targets += [Target(_SAME, 1.0), Target(_OTHER, 1.0)]
    result.notes += [
        "inosync: through filters and debounce to the pending set; pyinotify: to event objects;",
        "C: only looks at each",
    ]
    return result


def _feed(command: list[str], files: list[Path]) -> tuple[int, float]:
    """Touch all files; return how many events the reader has read of that, and CPU seconds."""
    lot = 14_500
    events = nanoseconds = 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        for start in range(0, len(files), lot):
            for file in files[start : start + lot]:
                os.utime(file)
            process.stdin.write(b"\n")
            process.stdin.flush()
            said = process.stdout.readline().split()
            events += int(said[0])
            nanoseconds += int(said[1])
    assert events >= len(files), f"{command}: {events} events of {len(files)}"
    return events, nanoseconds / 1e9
