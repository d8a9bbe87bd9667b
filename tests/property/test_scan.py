"""What a scan or a poll names, and one run carries, is what one full pass would send."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings
from support.configs import make_source
from support.trees import Entry, difference, snapshot, write

from inosync.changes.changes import Changes
from inosync.planning.file_list import list_options, plan
from inosync.planning.scan import Question, Scan
from inosync.rsync.filters import compile_filters
from inosync.watch.files import Files
from inosync.watch.poll import Poll

RSYNC = shutil.which("rsync") or ""
pytestmark = pytest.mark.skipif(not RSYNC, reason="rsync is not installed")

SEEDS = range(15 if settings.default.max_examples <= 100 else settings.default.max_examples // 2)
OPERATIONS = [
    "create",
    "write",
    "delete",
    "move_file",
    "move_directory",
    "swap",
    "link",
    "mode",
    "symlink",
    "remove_tree",
    "move_in",
    "move_out",
    "replace",
    "flip",
    "touch",
]


class World:
    """A source that changes while nobody looks, and its mirror."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.source, self.mirror = folder / "source", folder / "mirror"
        self.outside = folder / "outside"
        self.filters = compile_filters(["skip"] if seed % 3 == 0 else [])
        for root, count in ((self.source, 40), (self.outside, 20)):
            root.mkdir()
            for _ in range(count):
                way = "/".join(self.dice.choices("abc", k=self.dice.randint(0, 3)))
                name = self.dice.choice(["f", "g", "h", "skip"])
                with suppress(OSError):
                    write(root, f"{way}/{name}".lstrip("/"), str(self.dice.random()))

    def rsync(self, *words: str, names: bytes = b"") -> None:
        argv = [RSYNC, *words, "--modify-window=-1"]
        argv += ["--exclude=skip"] if self.filters.rules else []
        subprocess.run([*argv, f"{self.source}/", f"{self.mirror}/"], input=names, check=True)

    def any(self, directory: bool, root: Path | None = None) -> Path:
        found = [
            Path(top, name)
            for top, directories, files in os.walk(root or self.source)
            for name in (directories if directory else files)
        ]
        return self.dice.choice(sorted(found)) if found else self.source / "nothing"

    def change(self) -> None:
        """Do one thing, if it can be done."""
        file, one, two = self.any(False), self.any(True), self.any(True)
        name = self.dice.choice("vwxyz")
        with suppress(OSError, shutil.Error):
            match self.dice.choice(OPERATIONS):
                case "create":
                    (two / name).write_text("new")
                case "write":
                    file.write_text(file.read_text() + "more")
                case "delete":
                    file.unlink()
                case "move_file":
                    file.rename(two / name)
                case "move_directory":
                    one.rename(two / name)
                case "swap":
                    one.rename(self.source / ".between")
                    two.rename(one)
                    (self.source / ".between").rename(two)
                case "link":
                    os.link(file, two / name)
                case "mode":
                    self.dice.choice([file, one]).chmod(0o700)
                case "symlink":
                    (two / name).symlink_to("a")
                case "remove_tree":
                    shutil.rmtree(one)
                case "move_in":
                    self.any(True, self.outside).rename(two / name)
                case "move_out":
                    one.rename(self.outside / f"out{self.dice.random()}")
                case "replace":
                    file.replace(self.any(False))
                case "flip":
                    shutil.rmtree(one)
                    one.write_text("a file now")
                case _:
                    moment = self.dice.randrange(10**9)
                    os.utime(file, ns=(moment, moment))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_changed_while_nobody_looked_is_found(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    world.rsync("-ltrp", "--delete")
    time.sleep(0.012)  # the clock of files goes in ticks
    since = time.time_ns() - 4_000_000
    time.sleep(0.006)
    for _ in range(world.dice.randint(1, 12)):
        world.change()
    view = Files(make_source(f"{world.source}/"))
    scan = Scan([Question(since)], filters=world.filters, view=view)
    for _ in scan.steps():
        if world.dice.random() < 0.1 and (found := scan.take(0)):
            send(world, found, view)
    (answer,) = scan.answers()
    carry(world, answer.changes, view)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_changed_between_two_looks_is_found(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    view = Files(make_source(f"{world.source}/"))
    poll = Poll(view, world.filters)
    for _ in poll.steps():
        pass
    world.rsync("-ltrp", "--delete")
    for _ in range(2):
        for _ in range(world.dice.randint(1, 12)):
            world.change()
        for _ in poll.steps():
            pass
        # What is excluded may have changed the time of the directory that it is in.
        carry(world, poll.take(), view, times=not world.filters.rules)


def send(world: World, changes: Changes, view: Files) -> None:
    """Let one run carry the changes."""
    planned = plan(changes, filters=world.filters, view=view)
    assert not planned.full
    if planned.entries:
        world.rsync(*list_options(), names=b"".join(name + b"\0" for name in planned.entries))


def carry(world: World, changes: Changes, view: Files, *, times: bool = True) -> None:
    """Let one run carry the changes, and see that it has carried all that a pass would.

    Without `times` those of directories do not count.
    """

    def found() -> dict[bytes, Entry]:
        entries = snapshot(world.mirror).items()
        timeless = {p: e._replace(mtime_ns=0) for p, e in entries if e.kind == "directory"}
        return dict(entries) if times else dict(entries) | timeless

    send(world, changes, view)
    before = found()
    world.rsync("-ltrp", "--delete")
    assert not difference(found(), before)
