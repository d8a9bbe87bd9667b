"""``rdelete = "seen"``: whatever happens to a source, what others have on its mirror survives.

And what was seen to vanish goes, file by file; the real watcher tells, the real rsync deletes.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from support.configs import make_config, make_pair, make_source
from support.servers import program

from inosync.changes.batch import Gathering
from inosync.config.model import Config, Pair
from inosync.planning.order import Order, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.rsync.program import Program
from inosync.watch.lookout import Lookout

#: Each is some ten runs of rsync.
SEEDS = range(8 if settings.default.max_examples <= 100 else settings.default.max_examples // 2)
NAMES = ("a", "b", "c", "*", "n\nl")
ACTIONS = ("write", "write", "mkdir", "link", "fifo", "delete", "away", "move")
RSYNC = Program((3, 4, 0))


@dataclass
class Foreign:
    """A source that is worked on at random, its mirror, and who else puts files there."""

    top: Path
    chance: random.Random
    scope: str
    theirs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source, self.mirror, self.out = (self.top / name for name in ("s", "m", "out"))
        self.source.mkdir(parents=True)
        self.out.mkdir()
        source = make_source(str(self.source), excludes=("*.o",))
        self.pair: Pair = make_pair(source, f"{self.mirror}/", rdelete="seen", rscope=self.scope)
        self.config: Config = make_config([self.pair], rsync=program("rsync"))
        self.lookout = Lookout(source, self.config)
        self.gathering = Gathering()

    def path(self) -> Path:
        """Return a path in the source, of which some is there most often."""
        return self.source.joinpath(*self.chance.choices(NAMES, k=self.chance.randint(1, 3)))

    def act(self) -> None:
        """Do one thing to the source; what is in the way goes."""
        path, what = self.path(), self.chance.choice(ACTIONS)
        if what in ("away", "move"):
            target = self.out / str(self.chance.random()) if what == "away" else self.path()
            inside = path.is_relative_to(target) or target.is_relative_to(path)
            if os.path.lexists(path) and not inside:
                self.clear(target)
                if os.path.lexists(path):
                    path.rename(target)
            return
        self.clear(path)
        if what == "write":
            path.write_text(str(self.chance.random()))
        elif what == "mkdir":
            path.mkdir()
        elif what == "link":
            path.symlink_to("to")
        elif what == "fifo":
            os.mkfifo(path)

    def clear(self, path: Path) -> None:
        """Make a place for something: a directory for it to be in, and nothing there."""
        for way in reversed(path.parents):
            if way.is_relative_to(self.source) and not real(way):
                remove(way)
                way.mkdir()
        remove(path)

    def intrude(self) -> None:
        """Let somebody else put a file onto the mirror."""
        places = [self.mirror, *(each for each in self.mirror.rglob("*") if real(each))]
        place = self.chance.choice(places)
        if self.chance.random() < 0.3:
            place = place / f"theirs{self.chance.randrange(3)}"
            place.mkdir(exist_ok=True)
        path = place / self.chance.choice((f"foreign{len(self.theirs)}", f"{len(self.theirs)}.o"))
        path.write_text(str(self.chance.random()))
        self.theirs[str(path.relative_to(self.mirror))] = path.read_text()

    def hear(self) -> None:
        """Read and walk until nothing is left."""
        watcher = self.lookout.watcher
        assert watcher is not None
        assert self.lookout.census is not None
        more = True
        while more:
            more = self.lookout.walk()
            changes, seen = self.lookout.read()
            assert (seen.resync, seen.root_lost) == ("", False)
            gone = self.lookout.census.take()
            self.gathering.add(changes, 0.0, moves=seen.moves, gone=gone)
            more |= bool(select.select([watcher.fileno()], [], [], 0)[0])
            more |= self.lookout.unread or self.lookout.walking

    def carry(self) -> None:
        """Let the mirror follow."""
        batch = self.gathering.take()
        while batch is not None and not batch.empty:
            order = Order(self.pair, RunKind.PASS, batch, steps=None)
            what = prepare(
                order, Sight(self.lookout.files, self.lookout.filters), self.config, RSYNC
            )
            batch = Gathering().take()
            if what.names != ():
                data = b"".join(name + b"\0" for name in what.names or ())
                ran = subprocess.run(what.argv, input=data, capture_output=True, check=False)
                ways = ran.stderr.count(b"could not make way")
                assert ran.returncode == (23 if ways else 0), (ran.stderr, what)
            self.gathering.add(type(order.batch.changes)(), 0.0, gone=what.remaining)  # type: ignore[misc]

    def check(self) -> None:
        """The mirror has all that is in the source, what others put there, and nothing else."""
        for name, text in self.theirs.items():
            assert (self.mirror / name).read_text() == text, name
        wanted, found = dict(tree(self.source)), dict(tree(self.mirror))
        holding = {parent for name in self.theirs for parent in map(str, Path(name).parents)}
        barred = {name for name, what in wanted.items() if name in holding and what != "directory"}
        extra = found.keys() - wanted.keys() - self.theirs.keys() - holding
        assert not extra
        for name, what in wanted.items():
            if name not in barred:
                assert found.get(name) == what, name


def real(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def remove(path: Path) -> None:
    if real(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def tree(root: Path) -> Iterator[tuple[str, str]]:
    """Give what is sent of a tree."""
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_symlink():
            yield name, f"to {os.readlink(path)}"
        elif path.is_dir():
            yield name, "directory"
        elif path.is_file():
            yield name, path.read_text()


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_what_others_have_survives_and_what_has_vanished_goes(tmp_path: Path, scope: str) -> None:
    for seed in SEEDS:
        world = Foreign(tmp_path / str(seed), random.Random(f"{scope} {seed}"), scope)
        for _ in range(12):
            world.act()
        assert world.lookout.open() == ""
        try:
            world.hear()
            first = ("rsync", "-ltrp", "--exclude=*.o", f"{world.source}/", f"{world.mirror}/")
            subprocess.run(first, check=True)
            for _ in range(6):
                for _ in range(world.chance.randint(0, 2)):
                    world.intrude()
                for _ in range(world.chance.randint(1, 6)):
                    world.act()
                world.hear()
                world.carry()
                world.check()
        finally:
            world.lookout.close()
