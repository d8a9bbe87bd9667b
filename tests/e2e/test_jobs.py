"""Several jobs in one daemon: each with its own nodes, wait, scope and excludes."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

from support.daemon import Daemon, run_inosync
from support.trees import write
from support.waiting import until

LATE = 1.0


def rsync_that_waits(folder: Path, node: Path) -> tuple[Path, Path]:
    """Return an rsync that never ends a comparison with `node`, and a file that says it began."""
    rsync, began = folder / "rsync", folder / "began"
    real = shutil.which("rsync") or "rsync"
    case = f'case "$*" in *--dry-run*{node}*) : > {began}; exec sleep 60;; esac'
    rsync.write_text(f'#!/bin/sh\n{case}\nexec {real} "$@"\n')
    rsync.chmod(0o755)
    return rsync, began


def test_two_jobs_of_one_daemon(tmp_path: Path) -> None:
    www, etc = tmp_path / "www", tmp_path / "etc"
    one, two, safe = (tmp_path / name for name in ("one", "two", "safe"))
    for folder in (www, etc, one, two, safe):
        folder.mkdir()
    write(www, "first", "x")
    write(etc, "first", "x")
    rsync, began = rsync_that_waits(tmp_path, safe)
    chosen = {
        "wpaths": [f"{www}/", f"{etc}/"],
        "rnodes": {f"{www}/": [f"{one}/", f"{two}/"], "*": [f"{safe}/"]},
        "rexcludes": {f"{www}/": ["*.tmp"]},
        "edelay": {f"{www}/": 0.1, f"{etc}/": LATE},
        "rscope": {f"{www}/": "changes"},
        "init": {f"{etc}/": False},
        "rsync": str(rsync),
    }
    with Daemon(tmp_path / "daemon", chosen) as daemon:
        daemon.start()
        for mirror in (one, two):
            until((mirror / "first").exists, what="the first pass")
        assert not (safe / "first").exists()  # init = False

        # Each has its wait, its scope and its excludes.
        since = time.monotonic()
        for folder in (www, etc):
            write(folder, "d/new", "x")
            write(folder, "d/new.tmp", "x")
        for mirror in (one, two):
            until((mirror / "d/new").exists, what="the quick job")
        assert not (safe / "d").exists()
        until((safe / "d/new.tmp").exists, what="the slow job")
        assert time.monotonic() - since >= LATE
        assert (safe / "first").exists()  # a pass over the tree
        assert not (one / "d/new.tmp").exists()
        runs = [line for line in daemon.log().splitlines() if "executing: " in line]
        assert any("--files-from" in run for run in runs if f" {one}/" in run)
        assert not any("--files-from" in run for run in runs if f" {safe}/" in run)
        asked = run_inosync("-c", daemon.config_file, "--status", "--json", cwd=tmp_path)
        places = {(m["source"], m["node"]) for m in json.loads(asked.stdout)["mirrors"]}
        assert places == {(str(www), f"{one}/"), (str(www), f"{two}/"), (str(etc), f"{safe}/")}

        # Another wait for one does not disturb the other: no pass, no new watches.
        passes = daemon.log().count("the config changed")
        watching = daemon.log().count("watching ")
        daemon.configure(chosen | {"edelay": 0.1})
        daemon.hup()
        daemon.wait_for_log("config loaded again")
        assert daemon.log().count("the config changed") == passes
        assert daemon.log().count("watching ") == watching
        write(etc, "d/newer", "x")
        until((safe / "d/newer").exists, what="the change of the job that is quick now")

        # It goes while it is compared.
        daemon.configure(chosen | {"rverify": 0.2})
        daemon.hup()
        until(began.exists, what="the comparison to begin")
        del chosen["rexcludes"], chosen["edelay"], chosen["rscope"], chosen["init"]
        daemon.configure(chosen | {"wpaths": [f"{www}/"], "rnodes": [f"{one}/"], "edelay": 0.1})
        daemon.hup()
        daemon.wait_for_log("config loaded again", times=3)
        until(lambda: not daemon.leftovers(), what="the end of what has left")
        write(www, "last", "x")
        until((one / "last").exists, what="the job that stays")
        assert daemon.stop() == 0
    assert sorted(os.listdir(two)) == ["d", "first"]
