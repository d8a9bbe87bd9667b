"""Sources that are heard, and whose watches are made anew just then."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.changes.changes import Change, Kind
from inosync.engine.engine import Engine
from inosync.service.loop import Loop
from inosync.service.sources import Sources


class Scene:
    """The sources of a config, and the turns of a loop."""

    def __init__(self, folder: Path) -> None:
        config = make_config([make_pair(make_source(str(folder)), "/m", rscope="changes")])
        self.engine = Engine(config, lambda: 0.5)
        self.loop = Loop()
        self.sources = Sources(self.engine, config, self.loop)
        self.sources.open()
        (self.lookout,) = self.sources.lookouts
        self.state = self.engine.sources[str(folder)]
        self.turn(until=lambda: self.state.watched)

    def turn(self, *, until=lambda: False, most: int = 100) -> None:
        """Let the loop turn, and pauses pass."""
        for _ in range(most):
            if until():
                return
            for key, _ in self.loop._selector.select(0):
                key.data()
            self.sources.due(self.loop.clock())
            if most > 1:
                time.sleep(0.002)

    def heard(self) -> list[Change]:
        """Return what was gathered since this was asked last."""
        self.turn()
        batch = self.state.batch.take()
        return list(batch.changes or ()) if batch is not None else []


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    (tmp_path / "up/source").mkdir(parents=True)
    (tmp_path / "up/source/f").touch()
    scene = Scene(tmp_path / "up/source")
    yield scene
    scene.sources.close()
    scene.loop.close()


def away_and_back(path: Path) -> None:
    other = path.with_name("away")
    path.rename(other)
    other.rename(path)


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("lower", [False, True], ids=["same descriptor", "another descriptor"])
def test_a_source_is_heard_when_its_watches_are_made_anew_in_a_row_of_reads(
    scene: Scene, tmp_path: Path, *, paused: bool, lower: bool
) -> None:
    source = tmp_path / "up/source"
    spare = os.open("/dev/null", os.O_RDONLY) if lower else -1
    scene.heard()
    for _ in range(40 if paused else 16):  # each is read by itself: after that one waits a little
        os.utime(source / "f")
        scene.turn(most=1)
    if lower:
        os.close(spare)
    away_and_back(source)
    scene.heard()
    (source / "new").touch()
    assert Change(b"new", Kind.ENTRY) in scene.heard()


def test_to_catch_up_ends_when_the_watches_are_made_anew(scene: Scene, tmp_path: Path) -> None:
    away_and_back(tmp_path / "up/source")
    assert scene.lookout.queued()
    scene.sources.catch_up()
    (tmp_path / "up/source/new").touch()
    assert Change(b"new", Kind.ENTRY) in scene.heard()


def test_a_directory_is_watched_that_was_new_while_the_source_was_elsewhere(
    scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "up/source/d").mkdir()
    (tmp_path / "up").rename(tmp_path / "away")
    scene.sources.catch_up()
    (tmp_path / "away").rename(tmp_path / "up")
    scene.heard()
    (tmp_path / "up/source/d/new").touch()
    assert Change(b"d/new", Kind.ENTRY) in scene.heard()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
def test_what_was_mounted_in_a_directory_that_came_is_missed_when_it_is_unmounted(
    scene: Scene, tmp_path: Path
) -> None:
    disk = tmp_path / "outside/disk"
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "disk", disk], check=True)
    (node,), source = scene.lookout.guard.nodes, tmp_path / "up/source"
    # No event of the table tells of a rename; those of other tests are not to come in between.
    scene.loop.ignore(scene.sources._admission._mounts.fileno())
    try:
        disk = disk.parent.rename(source / "inside") / "disk"
        scene.heard()
        (source / "more").mkdir()  # nothing else is mounted
        scene.heard()
        disk = disk.parent.rename(source / "moved") / "disk"
        scene.heard()
        assert not scene.lookout.guard.lost(node)
    finally:
        subprocess.run(["umount", disk], check=True)
    assert scene.lookout.guard.lost(node) == {b"moved/disk"}
