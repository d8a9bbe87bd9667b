"""The command line of benchmarks/run."""
# ruff: noqa: T201 - a report is printed

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from support.daemon import PROJECT

from bench.report import table, write
from bench.world import Bench

#: In the order in which they are run when none is named.
CASES = (
    "scaling",
    "change",
    "watch",
    "cold",
    "restart",
    "overtake",
    "fill",
    "large",
    "untar",
    "remove",
    "undo",
    "passes",
    "newdirs",
    "events",
    "flood",
    "nodes",
    "hundred",
    "steady",
    "idle",
    "version",
)


def main() -> int:
    """Run the benchmarks that are named; return 0 when each of them could be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(CASES)}")
    parser.add_argument("--list", action="store_true", help="print the names, measure nothing")
    parser.add_argument("--small", action="store_true", help="tiny sizes: only to see it work")
    parser.add_argument("--repeat", type=int, help="rounds (5; with --small 1)")
    parser.add_argument("--only", action="append", default=[], help="only this contender")
    parser.add_argument("--folder", type=Path, help="where trees are made (a temporary folder)")
    parser.add_argument("--output", type=Path, help="for JSON and plots (docs/benchmarks)")
    given = parser.parse_args()
    unknown = set(given.names) - set(CASES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; known are {', '.join(CASES)}")
    if given.list:
        print(*CASES, sep="\n")
        return 0
    # Leave by the way of an exception, so that all that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end by SIGTERM"))
    repeat = given.repeat or (1 if given.small else 5)
    output = given.output or (None if given.small else PROJECT / "docs" / "benchmarks")
    for name in given.names or CASES:
        _one(name, given, repeat, output)
    return 0


def _one(name: str, given: argparse.Namespace, repeat: int, output: Path | None) -> None:
    case = importlib.import_module(f"bench.cases.{name}")
    before = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(prefix=f"inosync-{name}-", dir=given.folder)).resolve()
    folder.chmod(0o755)
    try:
        with contextlib.ExitStack() as stack:
            result = case.run(Bench(folder, given.small, repeat, stack, tuple(given.only)))
        loads = [round(load, 2) for load in (before, os.getloadavg()[0])]
        print(f"{table(result)}\n  load average {loads[0]} before, {loads[1]} after\n", flush=True)
        if output is not None:
            write(result, output, loads, {"repeat": repeat, "small": given.small})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
