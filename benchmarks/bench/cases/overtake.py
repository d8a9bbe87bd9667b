"""A change while a mirror is being filled over a slow line: how long it is behind the fill."""

from __future__ import annotations

import os
import shutil
import time
from functools import partial
from pathlib import Path

from bench import trees
from bench.peers import Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until, until_content
from bench.world import Bench

CONTENDERS = ("inosync", "lsyncd")
_SPEED = 4000  # KB/s
_AGE = "a change behind a first fill of 100 MB at 4 MB/s: there after"
_FILLED = "all of it there after"


def run(bench: Bench) -> Result:
    """Change a file that is on the mirror already, a second after the fill has begun."""
    result = Result("overtake", "a change behind a pass")
    source, root = bench.folder / "source", bench.folder / "mirror"
    source.mkdir()
    count, size = bench.size(400, 8), 256 * 1024
    for number in range(count):
        place = source / f"{number // 20:03}"
        place.mkdir(exist_ok=True)
        (place / f"{number:04}").write_bytes(os.urandom(size))
    trees.files(source / "others", 100)
    large = [root / path.relative_to(source) for path in source.glob("*/*") if path.is_file()]
    probe = source / "others" / "000/00/file03"
    for number, contender in bench.rounds(CONTENDERS):
        shutil.rmtree(root, ignore_errors=True)
        job = Job(source, (local(root, _SPEED),))
        with Daemon(contender, bench.fresh(), job) as daemon:
            try:
                until(root.exists, poll=0.01)
                time.sleep(1.0)
                text = b"%d %s" % (number, contender.encode())
                began = time.monotonic()
                probe.write_bytes(text)
                age = until_content({root / probe.relative_to(source): text}) - began
                result.add(_AGE, "s", contender, age)
                # A name is there when its file is whole: rsync renames it into its place.
                filled = until(partial(_all_there, large), poll=0.01) - daemon.started
                result.add(_FILLED, "s", contender, filled)
            except Never:
                result.add(_AGE, "s", contender, None)
    result.targets.append(Target(_AGE, 2.5))
    return result


def _all_there(paths: list[Path]) -> bool:
    return all(path.exists() for path in reversed(paths))
