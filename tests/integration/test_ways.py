"""The ways to paths, with the real kernel: where they lead, who may change that, what is told."""

from __future__ import annotations

import os
import select
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.engine.engine import Engine
from inosync.service.loop import Loop
from inosync.service.sources import Sources
from inosync.watch.way import exposed, way
from inosync.watch.ways import Ways


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A source behind two links: current/www, where current is a link to a link."""
    (tmp_path / "releases/7/www").mkdir(parents=True)
    (tmp_path / "stable").symlink_to("releases/7")
    (tmp_path / "current").symlink_to("./releases/../stable")
    return tmp_path / "current/www"


class Open(Ways):
    """Ways that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open()

    def stirred(self) -> bool:
        """Whether there is anything to tell; what has happened is in the kernel's queue already."""
        return bool(select.select([self.descriptor], [], [], 0)[0])

    def told(self) -> set[str]:
        """Return what is told now."""
        return set(self.read()) if self.stirred() else set()


@pytest.fixture
def ways() -> Iterator[Open]:
    """The ways, with nothing on them yet."""
    found = Open()
    yield found
    found.close()


def test_each_name_on_the_way_is_a_step(release: Path, tmp_path: Path) -> None:
    steps = [step for step in way(str(release)) if step.place.startswith(os.fsencode(tmp_path))]
    places = [os.path.relpath(os.fsdecode(step.place), tmp_path) for step in steps]
    assert places == [".", "current", "releases", "stable", "releases", "releases/7", places[-1]]
    assert places[-1] == "releases/7/www"
    assert [step.target for step in steps if step.target] == [
        b"./releases/../stable",
        b"releases/7",
    ]
    assert {step.part for step in steps[1:6]} == {str(tmp_path / "current")}
    assert steps[-1].inode == os.stat(release).st_ino


def test_a_way_ends_where_nothing_is_or_where_it_goes_round(tmp_path: Path) -> None:
    (last,) = [step for step in way(str(tmp_path / "none/deeper")) if not step.inode]
    assert last.place == os.fsencode(tmp_path / "none")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert sum(1 for step in way(str(tmp_path / "loop")) if step.target) == 41
    assert way("/") == ()


def switch(release: Path) -> None:
    """Let the inner link lead elsewhere, as ln -sfn does."""
    (release.parents[1] / "new").symlink_to("releases")
    (release.parents[1] / "new").rename(release.parents[1] / "stable")


def rename_parent(release: Path) -> None:
    """Give a directory on the way another name."""
    (release.parents[1] / "releases").rename(release.parents[1] / "old")


def remove_link(release: Path) -> None:
    """Take a link away."""
    release.parent.unlink()


def exchange(release: Path) -> None:
    """Put another directory in the place of the source."""
    release.with_name("other").mkdir()
    release.rename(release.with_name("away"))
    release.with_name("other").rename(release)


@pytest.mark.parametrize("change", [switch, rename_parent, remove_link, exchange])
def test_what_changes_the_way_is_told(release: Path, ways: Open, change: Callable) -> None:
    ways.watch(str(release))
    assert not ways.blind(str(release))
    change(release)
    assert ways.told() == {str(release)}


def test_nothing_else_wakes_us(release: Path, ways: Open) -> None:
    ways.watch(str(release))
    for folder in (release, release.parent, release.parents[1]):
        (folder / "file").write_text("x")
        (folder / "file").chmod(0o600)
        (folder / "file").unlink()
        os.utime(folder)
    assert not ways.stirred()


def test_what_is_missing_is_told_when_it_comes(tmp_path: Path, ways: Open) -> None:
    path, other = str(tmp_path / "a/b"), str(tmp_path / "c")
    ways.watch(path)
    ways.watch(other)
    (tmp_path / "else").mkdir()
    assert ways.told() == set()
    (tmp_path / "a").mkdir()
    assert ways.told() == {path}
    ways.watch(path)
    (tmp_path / "a/b").mkdir()
    assert ways.told() == {path}
    ways.watch(path)
    (tmp_path / "c").mkdir()
    assert ways.told() == {other}
    ways.watch(other)
    assert ways.told() == set()  # but that the kernel has dropped a watch
    (tmp_path / "d").mkdir()  # nobody waits for anything in there now
    assert not ways.stirred()
    ways.forget(path)
    shutil.rmtree(tmp_path / "a")
    assert ways.told() == set()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_who_may_replace_what_is_on_the_way(tmp_path: Path) -> None:
    shared, own = tmp_path / "shared", tmp_path / "shared/own"
    source = own / "source"
    source.mkdir(parents=True)
    own.chmod(0o755)
    shared.chmod(0o755)
    assert str(shared) not in exposed(str(source))
    shared.chmod(0o777)
    assert exposed(str(source))[str(shared)] == "everybody"
    shared.chmod(0o1777)  # only the owner of an entry may replace it there
    assert str(shared) not in exposed(str(source))
    os.chown(own, 54321, 0)
    assert exposed(str(source))[str(shared)] == "everybody"
    assert exposed(str(source))[str(own)] == "user 54321"
    os.chown(own, 0, 54321)
    own.chmod(0o775)
    assert exposed(str(source))[str(own)] == "the group 54321"
    own.chmod(0o755)
    assert str(own) not in exposed(str(source))


def test_nothing_is_polled_for_a_source_that_is_held(tmp_path: Path) -> None:
    """Its return is told; the loop sleeps until then."""
    path = tmp_path / "above/source"
    path.mkdir(parents=True)
    (path / "file").touch()
    source = make_source(str(path))
    config = make_config([make_pair(source)])
    loop = Loop()
    sources = Sources(Engine(config, lambda: 0.0), config, loop)
    state = sources.engine.sources[str(path)]

    def turn(seconds: float = 5.0) -> None:
        for key, _ in loop._selector.select(seconds):
            key.data()
        while sources.deadline() is not None:
            sources.due(loop.clock())

    sources.open()
    turn(0)
    assert (state.watched, state.held) == (True, "")
    (tmp_path / "above").rename(tmp_path / "moved")
    turn()
    assert state.held == "is gone"
    assert sources.deadline() is None
    (tmp_path / "above").mkdir()
    turn()
    assert (state.held, sources.deadline()) == ("is gone", None)
    (tmp_path / "moved/source").rename(path)
    turn()
    assert (state.watched, state.held) == (True, "")
    sources.close()
    loop.close()
