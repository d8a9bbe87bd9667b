"""Random work on a tree, read late, in pieces or as it goes on: no watch and no change is lost."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.profile import DEEP
from support.watching import Observed, refused

SEEDS = range(400 if DEEP else 3)
BURSTS = 6

#: Few, so that names come back; some hostile.
NAMES = (b"a", b"b", b"c", b"d", b"skip", b"caf\xe9", b"new\nline", b"n" * 255)
RULES = ((), (), ("skip",), ("/a/b", "c/d", "skip/"), ("+ /a", "/*/"))

_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_EXCHANGE = 2


class Worker:
    """Does random things to the tree `inside`, with a stock of other trees `outside`."""

    def __init__(self, top: Path, seed: int) -> None:
        self.dice = random.Random(seed)
        self.inside = os.fsencode(top / "inside")
        self.outside = os.fsencode(top / "outside")
        self.count = 0
        self.hidden: list[tuple[bytes, bytes]] = []

    def work(self, steps: int) -> None:
        """Do `steps` things; what cannot be done is left undone."""
        actions: list[tuple[Callable[[], None], int]] = [
            (self.make, 5),
            (self.make_deep, 3),
            (self.write, 8),
            (self.remove_tree, 2),
            (self.remove_file, 2),
            (self.rename, 8),
            (self.rename_file, 2),
            (self.bring_in, 3),
            (self.take_out, 3),
            (self.swap, 2),
            (self.exchange, 2),
            (self.chain, 2),
            (self.turn_over, 2),
            (self.put_under, 2),
            (self.hide, 3),
            (self.show, 3),
            (self.unpack, 2),
            (self.write_outside, 2),
            (self.become, 1),
        ]
        functions, weights = zip(*actions, strict=True)
        for _ in range(steps):
            try:
                self.dice.choices(functions, weights)[0]()
            except OSError:
                continue

    # ---- picking ----

    def name(self) -> bytes:
        return self.dice.choice(NAMES)

    def folders(self, top: bytes) -> list[bytes]:
        return [folder for folder, _, _ in os.walk(top)]

    def folder(self, top: bytes | None = None) -> bytes:
        """Any directory, the top included; deep ones are as likely as flat ones."""
        return self.dice.choice(self.folders(top or self.inside))

    def below(self, top: bytes | None = None) -> bytes:
        """Any directory but the top."""
        found = self.folders(top or self.inside)[1:]
        if not found:
            raise FileNotFoundError
        return self.dice.choice(found)

    def place(self) -> bytes:
        return os.path.join(self.folder(), self.name())

    def file(self) -> bytes:
        found = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(self.inside)
            for name in names
        ]
        if not found:
            raise FileNotFoundError
        return self.dice.choice(found)

    def text(self) -> bytes:
        self.count += 1
        return b"%d" % self.count

    # ---- doing ----

    def make(self) -> None:
        os.mkdir(self.place())

    def make_deep(self) -> None:
        path = self.place()
        for _ in range(self.dice.randrange(6)):
            path = os.path.join(path, self.name())
        os.makedirs(path, exist_ok=True)
        self.put(os.path.join(path, b"file"))

    def put(self, path: bytes) -> None:
        with open(path, "ab") as file:
            file.write(self.text())

    def write(self) -> None:
        self.put(os.path.join(self.folder(), self.dice.choice((b"file", b"other"))))

    def write_outside(self) -> None:
        self.put(os.path.join(self.folder(self.outside), b"file"))

    def remove_tree(self) -> None:
        shutil.rmtree(self.below())

    def remove_file(self) -> None:
        os.unlink(self.file())

    def rename(self) -> None:
        os.rename(self.below(), self.place())

    def rename_file(self) -> None:
        os.rename(self.file(), os.path.join(self.folder(), b"other"))

    def fill(self, path: bytes) -> None:
        for _ in range(self.dice.randrange(5)):
            os.makedirs(os.path.join(self.folder(path), self.name()), exist_ok=True)
            self.put(os.path.join(self.folder(path), b"file"))

    def bring_in(self) -> None:
        """A tree made elsewhere arrives, or one that was here before comes back."""
        found = [entry.path for entry in os.scandir(self.outside) if entry.is_dir()]
        if not found or self.dice.random() < 0.4:
            found = [os.path.join(self.outside, b"new%s" % self.text())]
            os.mkdir(found[0])
            self.fill(found[0])
        os.rename(self.dice.choice(found), self.place())

    def take_out(self) -> None:
        path = os.path.join(self.outside, b"out%s" % self.text())
        os.rename(self.below(), path)
        self.fill(path)

    def swap(self) -> None:
        one, other = self.below(), self.below()
        between = os.path.join(self.folder(), b"between")
        os.rename(one, between)
        os.rename(other, one)
        os.rename(between, other)

    def exchange(self) -> None:
        _LIBC.renameat2(_AT_FDCWD, self.below(), _AT_FDCWD, self.below(), _EXCHANGE)

    def chain(self) -> None:
        path = self.below()
        for _ in range(self.dice.randrange(1, 5)):
            target = self.place()
            os.rename(path, target)
            path = target
            self.put(os.path.join(path, b"file"))

    def turn_over(self) -> None:
        """What lay in a directory now holds it."""
        inner = self.below(self.below())
        outer = os.path.dirname(inner)
        between = os.path.join(self.inside, b"between")
        os.rename(inner, between)
        os.rename(outer, os.path.join(between, self.name()))
        os.rename(between, outer)

    def put_under(self) -> None:
        """A directory comes to lie below what lay in it, which keeps its path."""
        inner = self.below(self.below())
        outer = os.path.dirname(inner)
        between = os.path.join(self.inside, b"between")
        os.rename(outer, between)
        os.mkdir(outer)
        os.rename(os.path.join(between, os.path.basename(inner)), inner)
        os.rename(between, os.path.join(inner, self.name()))

    def hide(self) -> None:
        """Rename a directory, after something happened below it; show() brings it back."""
        path = self.below()
        os.makedirs(os.path.join(self.folder(path), self.name()), exist_ok=True)
        away = os.path.join(os.path.dirname(path), b"hidden%s" % self.text())
        os.rename(path, away)
        self.hidden.append((away, path))

    def show(self) -> None:
        if self.hidden:
            os.rename(*self.hidden.pop())

    def unpack(self) -> None:
        """Make, fill, and rename into place."""
        path = os.path.join(self.folder(), b".unpacking")
        os.mkdir(path)
        self.fill(path)
        os.rename(path, self.place())

    def become(self) -> None:
        """A directory becomes a symlink, or a file a directory."""
        if self.dice.random() < 0.5:
            path = self.below()
            os.rename(path, os.path.join(self.outside, b"out%s" % self.text()))
            os.symlink(self.outside, path)
        else:
            path = self.file()
            os.unlink(path)
            os.mkdir(path)


def prepare(top: Path, seed: int) -> tuple[Worker, tuple[str, ...]]:
    worker = Worker(top, seed)
    os.mkdir(worker.inside)
    os.mkdir(worker.outside)
    worker.work(20)
    return worker, worker.dice.choice(RULES)


def check(observed: Observed, told: str) -> None:
    wrong = observed.wrong()
    assert not wrong, f"{told}: " + "\n".join(wrong)


@pytest.fixture(params=["inotify", "fanotify"])
def how(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What the tree is watched with; only what is permitted here."""
    if reason := refused(request.param, tmp_path):
        pytest.skip(reason)
    return str(request.param)


@pytest.mark.parametrize("seed", SEEDS)
def test_with_a_fast_reader(tmp_path: Path, seed: int, how: str) -> None:
    worker, excludes = prepare(tmp_path, seed)
    observed = Observed(tmp_path / "inside", excludes=excludes, how=how)
    for burst in range(BURSTS * 5):
        worker.work(worker.dice.randrange(1, 4))
        observed.drain()
        check(observed, f"burst {burst}")
    observed.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_with_a_slow_reader(tmp_path: Path, seed: int, how: str) -> None:
    """It reads an event or two at a time, now and then, and walks a few directories at most."""
    worker, excludes = prepare(tmp_path, seed)
    dice = random.Random(seed)
    observed = Observed(
        tmp_path / "inside",
        how=how,
        excludes=excludes,
        walk_limit=dice.choice((1, 2, 5, 500)),
        read_limit=dice.choice((0, 0, 600, 100_000)),
    )
    for burst in range(BURSTS):
        for _ in range(dice.randrange(1, 40)):
            worker.work(dice.choice((1, 1, 2, 10)))
            for _ in range(dice.choice((0, 1, 1, 3))):
                observed.read()
            if dice.random() < 0.1:
                observed.lose()
        observed.drain(dice.choice((1, 3, 100)))
        check(observed, f"burst {burst}")
    observed.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_with_a_writer_at_the_same_time(tmp_path: Path, seed: int, how: str) -> None:
    worker, excludes = prepare(tmp_path, seed)
    dice = random.Random(seed)
    observed = Observed(
        tmp_path / "inside",
        how=how,
        excludes=excludes,
        walk_limit=dice.choice((1, 5, 500)),
        read_limit=dice.choice((0, 600, 100_000)),
    )
    fork = multiprocessing.get_context("fork")
    for burst in range(BURSTS):
        worker.dice.seed(f"{seed} {burst}")
        worker.count += 10_000
        process = fork.Process(target=worker.work, args=(dice.randrange(1, 200),))
        process.start()
        while process.is_alive():
            observed.read()
        process.join()
        observed.drain(dice.choice((1, 100)))
        check(observed, f"burst {burst}")
    observed.close()


def locked(observed: Observed) -> list[str]:
    """Return what is wrong, where directories may be closed to the user that watches."""
    watches = set(observed.watches().values())
    directories = observed.directories()
    unwatched = observed.watcher.unwatched
    told = [f"watch on {inode} is outside" for inode in watches - set(directories.values())]
    told += [f"{path!r} is unwatched, but is not there" for path in unwatched.keys() - directories]
    open_to_all, covered = set(), set()
    for path, inode in directories.items():  # parents come first
        parent = path.rpartition(b"/")[0]
        mode = os.stat(os.path.join(observed.root, path)).st_mode
        if (not path or parent in open_to_all) and mode & 0o005 == 0o005:
            open_to_all.add(path)
            if inode not in watches:
                told.append(f"no watch on {path!r}")
        if path in unwatched or parent in covered:
            covered.add(path)
        elif inode not in watches:
            told.append(f"{path!r} is neither watched nor known to be unwatched")
    present = observed.present()
    for path, content in present.items():
        if path.rpartition(b"/")[0] in open_to_all and observed.mirror.get(path, 0) != content:
            told.append(f"{path!r} was changed silently")
    return told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody without rights")
@pytest.mark.parametrize("seed", SEEDS)
def test_with_directories_that_are_closed_and_opened(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        worker, excludes = prepare(Path(folder), seed)
        dice = random.Random(seed)
        observed = Observed(
            Path(folder) / "inside",
            excludes=excludes,
            read_limit=dice.choice((0, 600, 100_000)),
            user=65534,
        )
        for burst in range(BURSTS):
            for _ in range(dice.randrange(1, 40)):
                worker.work(dice.choice((0, 1, 1, 2)))
                with contextlib.suppress(OSError):
                    os.chmod(worker.below(), dice.choice((0o755, 0o755, 0o700, 0o744, 0o711)))
                for _ in range(dice.choice((0, 1, 1, 3))):
                    observed.read()
            observed.drain()
            wrong = locked(observed)
            assert not wrong, f"burst {burst}: " + "\n".join(wrong)
        observed.close()
