"""Which names there are in a source, and what has vanished, with the real kernel."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.changes.changes import Changes
from inosync.watch.census import Census
from inosync.watch.lookout import Lookout


class Watched:
    """A source in which somebody counts."""

    def __init__(self, root: Path) -> None:
        self.source = make_source(str(root), excludes=("*.tmp",))
        config = make_config([make_pair(self.source, rdelete="seen")])
        self.lookout = Lookout(self.source, config)
        assert self.lookout.open() == ""
        self.walk()

    @property
    def census(self) -> Census:
        assert self.lookout.census is not None
        return self.lookout.census

    def walk(self) -> None:
        while self.lookout.walk():
            pass

    def gone(self) -> set[bytes]:
        """Return what has vanished by now."""
        self.lookout.read()
        self.walk()
        return set(self.census.take())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "source"
    for name in ("d/sub", "e"):
        (top / name).mkdir(parents=True)
        for inner in ("a", "b", "c.tmp"):
            (top / name / inner).touch()
    return top


ALL = {b"d/", b"d/sub/", b"d/sub/a", b"d/sub/b"}


def test_what_is_in_a_directory_goes_with_it(root: Path) -> None:
    it = Watched(root)
    assert it.gone() == set()
    (root / "d").rename(root.parent / "out")
    assert it.gone() == ALL
    (root / "e").rename(root / "f")
    assert it.gone() == {b"e/", b"e/a", b"e/b"}
    shutil.rmtree(root / "f")
    assert it.gone() == {b"f/", b"f/a", b"f/b"}
    it.lookout.close()
    assert it.lookout.census is None


def test_what_comes_is_known_at_once(root: Path) -> None:
    it = Watched(root)
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/x").touch()
    (root / "e/later").touch()
    (root.parent / "whole/in").mkdir(parents=True)
    (root.parent / "whole/in/y").touch()
    (root.parent / "whole").rename(root / "whole")
    assert it.gone() == set()
    for name in ("new", "whole", "e"):
        (root / name).rename(root.parent / f"{name} is out")
    assert it.gone() == {
        *(b"new/", b"new/deep/", b"new/deep/x", b"whole/", b"whole/in/", b"whole/in/y"),
        *(b"e/", b"e/a", b"e/b", b"e/later"),
    }
    it.lookout.close()


def test_another_thing_in_the_same_place(root: Path) -> None:
    it = Watched(root)
    shutil.rmtree(root / "d")
    (root / "d").write_text("a file")
    (root / "e/a").unlink()
    (root / "e/a").mkdir()
    (root / "e/a/in").touch()
    (root / "e/b").unlink()
    (root / "e/b").touch()
    assert it.gone() == ALL | {b"e/a", b"e/b"}
    (root / "d").unlink()
    (root / "e").rename(root.parent / "out")
    assert it.gone() == {b"d", b"e/", b"e/a/", b"e/a/in", b"e/b"}
    it.lookout.close()


def test_what_went_unheard_is_found_and_handed_out(root: Path) -> None:
    it = Watched(root)
    (root / "e/a").unlink()
    shutil.rmtree(root / "d")
    assert it.lookout.watcher is not None
    it.lookout.watcher.read()  # events that nobody gets
    assert not it.lookout.unread
    it.census.recount()
    assert it.lookout.walking
    it.walk()
    assert it.lookout.unread
    assert it.census.take() == ALL | {b"e/a"}
    assert not it.lookout.unread
    (root / "e/b").unlink()
    (root / "n").mkdir()
    (root / "n/x").touch()
    it.lookout.watcher.read()
    it.census.look(Changes(levels={b"e": None, b"": None}))
    it.walk()
    (root / "n").rename(root.parent / "out")
    assert it.gone() == {b"e/b", b"n/", b"n/x"}
    it.lookout.close()


def test_what_cannot_be_read_has_not_vanished(root: Path) -> None:
    source = make_source(str(root))
    lookout = Lookout(source, make_config([make_pair(source)]))
    assert lookout.open() == ""
    assert lookout.census is None  # nobody asks
    lookout.close()
    it = Watched(root)
    root.rename(root.parent / "away")
    it.census.recount()
    it.walk()
    assert it.census.take() == set()
    it.lookout.close()


def test_names_are_packed_and_none_is_lost(root: Path) -> None:
    it = Watched(root)
    names = {b"%d" % number for number in range(1_000)}
    for name in sorted(names):
        (root / "e" / os.fsdecode(name)).touch()
    assert it.gone() == set()
    some = set(sorted(names)[:300])
    for name in some:
        (root / "e" / os.fsdecode(name)).unlink()
    assert it.gone() == {b"e/" + name for name in some}
    (root / "e/0").touch()
    it.gone()
    (root / "e").rename(root.parent / "out")
    left = (names - some) | {b"0", b"a", b"b"}
    assert it.gone() == {b"e/", *(b"e/" + name for name in left)}
    it.lookout.close()
