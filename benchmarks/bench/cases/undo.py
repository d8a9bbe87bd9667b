"""What it costs that a node keeps what runs overwrite and delete: 100,000 files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from bench import trees
from bench.peers import Daemon, Job, inosync_program, local
from bench.report import Result, Target
from bench.waiting import Never, until, until_content
from bench.world import Bench, took
from inosync.config.load import load
from inosync.planning.keeping import pruning
from inosync.rsync.kept import KEPT
from inosync.rsync.program import Program

#: The second has no run stand ready, as no node has that keeps.
CONTENDERS = ("inosync", "inosync, cold", "inosync, rkeep")
_KEEPS = "inosync, rkeep"
_CHANGES = 30
_CHANGED = "a file changes: on the node after"
_CHANGED_CPU = "a file changes: CPU of both ends"
_NOTHING = "a full pass that finds nothing: CPU of both ends"
_GONE = "all are deleted: gone on the node after"
_GONE_CPU = "all are deleted: CPU of both ends"
_ROOM = "all are deleted: room that is taken on the node then"
_OLD_DAY = "2020-01-01"


def run(bench: Bench) -> Result:
    """Change some files, make a pass, delete all of them, then list, bring back and prune."""
    result = Result("undo", "what it costs to keep what is overwritten and deleted")
    source, mirror = bench.folder / "source", bench.folder / "mirror"
    count = bench.size(100_000, 200)
    for number, contender in bench.rounds(CONTENDERS):
        names = trees.files(source / "tree", count)
        (source / "probe").touch()
        trees.equalise(source, mirror)
        folder = bench.fresh()
        with Daemon(contender, folder, Job(source, (local(mirror),))) as daemon:
            try:
                daemon.ready()
                _change(result, daemon, [f"tree/{name}" for name in names], str(number))
                _pass(result, daemon, folder)
                _delete(result, daemon, mirror)
            except Never:
                result.add(_GONE, "s", contender, None)
                continue
        if contender == _KEEPS:
            _undo(result, folder, source, mirror)
        shutil.rmtree(mirror)
    result.targets += [
        Target(_CHANGED, 1.3, "inosync, cold", _KEEPS),
        Target(_NOTHING, 1.3, "inosync, cold", _KEEPS),
        Target(_GONE, 10.0, "inosync, cold", _KEEPS),
    ]
    return result


def _change(result: Result, daemon: Daemon, names: list[str], text: str) -> None:
    """Change some files, one after the other."""
    source, mirror = daemon.job.source, daemon.job.nodes[0].root
    before = daemon.cpu()
    for name in names[:: max(1, len(names) // _CHANGES)][:_CHANGES]:
        began = time.monotonic()
        (source / name).write_text(f"{text} {name}")
        end = until_content({mirror / name: f"{text} {name}".encode()})
        result.add(_CHANGED, "ms", daemon.name, 1000 * (end - began))
        time.sleep(0.05)
    daemon.settle()
    result.add(_CHANGED_CPU, "ms", daemon.name, 1000 * (daemon.cpu() - before) / _CHANGES)


def _pass(result: Result, daemon: Daemon, folder: Path) -> None:
    """Have all compared."""
    before = daemon.cpu()
    _ask(folder, "--sync")
    daemon.settle()
    result.add(_NOTHING, "s", daemon.name, daemon.cpu() - before)


def _delete(result: Result, daemon: Daemon, mirror: Path) -> None:
    """Remove all of it from the source."""
    before, room = daemon.cpu(), _room(mirror)
    subprocess.run(["rm", "-rf", str(daemon.job.source / "tree")], check=True)
    removed = time.monotonic()
    end = until(lambda: not os.path.lexists(mirror / "tree"), limit=60)
    result.add(_GONE, "s", daemon.name, end - removed)
    daemon.settle()
    result.add(_GONE_CPU, "s", daemon.name, daemon.cpu() - before)
    result.add(_ROOM, "% of before", daemon.name, 100 * _room(mirror) / room)


def _undo(result: Result, folder: Path, source: Path, mirror: Path) -> None:
    """List what is kept, bring all of it back, and have the day go."""
    config = str(folder / "inosync.conf")
    program = [*inosync_program(), "-c", config]
    listed = took([*program, "--kept"])
    result.add("--kept of all", "s", _KEEPS, listed.seconds)
    one = took([*program, "--kept", str(source / "tree/000")])
    result.add("--kept of a directory, of 2,000 files", "s", _KEEPS, one.seconds)
    back = took([*program, "--restore", str(source / "tree"), "--to", str(folder / "back")])
    result.add("--restore of all", "s", _KEEPS, back.seconds)
    (day,) = (mirror / KEPT).iterdir()
    day.rename(day.with_name(_OLD_DAY))
    (folder / "empty" / KEPT).mkdir(parents=True)
    known = load(config)
    empty = str(folder / "empty")
    argv = pruning(known.pairs[0], known, Program((3, 2, 7)), days=[_OLD_DAY], empty=empty)
    pruned = took(argv)
    if (mirror / KEPT / _OLD_DAY).exists() or listed.code or back.code or pruned.code:
        raise Never
    result.add("the day goes", "s", _KEEPS, pruned.seconds)
    result.add("the day goes: CPU", "s", _KEEPS, pruned.cpu)


def _room(top: Path) -> int:
    """Return how many bytes a tree takes."""
    told = subprocess.run(["du", "-s", str(top)], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[0]) * 1024


def _ask(folder: Path, *words: str) -> None:
    command = [*inosync_program(), "-c", str(folder / "inosync.conf"), *words]
    environment = os.environ | {"RUNTIME_DIRECTORY": str(folder)}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
