"""How long `inosync --version` takes."""

from __future__ import annotations

import os
import sys

from support.daemon import inosync_environment

from bench.peers import inosync_program
from bench.report import Result, Target
from bench.world import Bench, took


def run(bench: Bench) -> Result:
    """Measure, beside an interpreter that does nothing."""
    result = Result("version", "inosync --version")
    commands = {
        "inosync": [*inosync_program(), "--version"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "lsyncd": ["lsyncd", "-version"],
        "clsync": ["clsync", "-V"],
    }
    environment = inosync_environment()
    output = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # clsync speaks on standard error
    try:
        for _, name in bench.rounds(list(commands)):
            for _ in range(bench.size(20, 3)):
                used = took(commands[name], environment)
                result.add("takes", "ms", name, 1000 * used.seconds if used.code == 0 else None)
    finally:
        os.dup2(output, 2)
    result.targets.append(Target("takes", 3.0, "python -c pass"))
    return result
