"""145,000 events in 5,000 directories: what it costs to read them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.daemon import PROJECT

from bench.report import Result, Target
from bench.world import LIMITS, Bench, limits

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
    modes = {name: mode for name, mode in limits().items() if mode != "leaf"}
    first = [file for file in files if file.name == "file00"]
    for _, contender in bench.rounds(("inosync", "pyinotify", *modes)):
        if contender in modes:
            command = [str(LIMITS), modes[contender]]
        else:
            command = [sys.executable, str(PROJECT / "benchmarks/bench/reader.py"), contender]
        for metric, touched in ((_SAME, first * each), (_OTHER, files)):
            seconds = _feed([*command, str(source)], touched)
            result.add(metric, "us for each", contender, 1e6 * seconds / len(touched))
    result.targets += [Target(_SAME, 1.0), Target(_OTHER, 1.0)]
    result.notes += [
        "inosync: through filters and debounce to the pending set; pyinotify: to event objects;",
        "C: only looks at each; fanotify: the events of all directories of that file system",
    ]
    return result


def _feed(command: list[str], files: list[Path]) -> float:
    """Touch all files; return how many CPU seconds the reader has taken for that."""
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
    # fanotify makes one of several events of the same file.
    assert events >= len(files) or "fanotify" in command, f"{command}: {events} of {len(files)}"
    return nanoseconds / 1e9
