"""Unpacking 20,000 files, 200 MB, beside 10,000 others."""

from __future__ import annotations

import re
import shutil
import subprocess
import time

from bench import trees
from bench.peers import RSYNC, Daemon, Job, local
from bench.report import Result, Target
from bench.waiting import Never, until_copied
from bench.world import Bench, took

CONTENDERS = ("inosync", "inosync, tree", "lsyncd", "clsync", "bare rsync")


def run(bench: Bench) -> Result:
    """Measure from the start of tar until all is equal."""
    result = Result("untar", "Unpacking 20,000 files, 200 MB, beside 10,000 others; lowest delay")
    source, mirror, tar = (bench.folder / name for name in ("source", "mirror", "new.tar"))
    trees.files(source, bench.size(10_000, 100))
    (source / "probe").touch()
    count = bench.size(20_000, 200)
    names = trees.archive(tar, bench.folder, count, bench.size(200_000_000, 200_000))
    job = Job(source, (local(mirror),))
    unpack = ["tar", "-C", str(source), "-xf", str(tar)]
    for _, contender in bench.rounds(CONTENDERS):
        shutil.rmtree(source / "new", ignore_errors=True)
        trees.equalise(source, mirror)
        subprocess.run(["sync", "-f", str(source)], check=True)
        if contender == "bare rsync":
            result.add("tar alone", "s", contender, took(unpack).seconds)
            bare = took([RSYNC, "-ltrp", f"{source}/", f"{mirror}/"])
            result.add("equal after", "s", contender, bare.seconds)
            result.add("CPU with rsync", "s", contender, bare.cpu)
            continue
        with Daemon(contender, bench.fresh(), job) as daemon:
            try:
                daemon.ready()
                before, log = daemon.cpu(), daemon.log_file.stat().st_size
                began = time.monotonic()
                subprocess.run(unpack, check=True)
                end = until_copied(source, mirror, names)
                daemon.settle()
            except Never:
                result.add("equal after", "s", contender, None)
                continue
            result.add("equal after", "s", contender, end - began)
            result.add("CPU with rsync", "s", contender, daemon.cpu() - before)
            if "inosync" in contender:
                with open(daemon.log_file, errors="replace") as file:
                    file.seek(log)
                    sent = sum(
                        int(n) for n in re.findall(r": (\d+) files?, \d+ bytes?", file.read())
                    )
                result.add("times that each file was sent", "x", contender, sent / count)
    result.targets += [
        Target("equal after", 1.3),
        Target("equal after", 1.0, "lsyncd"),
        Target("equal after", 1.0, "clsync"),
        Target("CPU with rsync", 1.1),
        Target("times that each file was sent", 1.05),
    ]
    result.notes.append("bare rsync: `rsync -ltrp` after tar has ended, so without tar's own time")
    return result
