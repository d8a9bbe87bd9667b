"""Naming what changed against a full pass: random work, the real watcher, the real rsync."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from support.configs import make_config, make_pair
from support.random_work import Case, World, invent
from support.servers import RsyncDaemon
from support.trees import difference, snapshot
from support.views import Seen

from inosync.changes.changes import Change, Kind
from inosync.planning.file_list import Plan, list_options, plan
from inosync.planning.steps import Step
from inosync.rsync.filters import compile_filters
from inosync.watch.lookout import Lookout

RSYNC = shutil.which("rsync") or ""
pytestmark = pytest.mark.skipif(not RSYNC, reason="rsync is not installed")

#: Each is some ten runs of rsync.
SEEDS = range(20 if settings.default.max_examples <= 100 else settings.default.max_examples // 2)


def drain(lookout: Lookout) -> set[Change]:
    """Read and walk until nothing is left."""
    assert lookout.watcher is not None
    changes: set[Change] = set()
    while True:
        more = lookout.walk()
        found, seen = lookout.read()
        assert (seen.resync, seen.problems, seen.root_lost) == ("", (), False)
        changes.update(found)
        queued = select.select([lookout.watcher.fileno()], [], [], 0)[0]
        if not (more or queued or lookout.watcher.unfinished or lookout.watcher.unread):
            return changes


@contextmanager
def watched(world: World, case: Case) -> Iterator[Lookout]:
    """Mirror the source as it was before, and watch it; in the end, compare the mirrors."""
    world.work(case.before)
    assert world.full_pass("mirror") == 0
    world.silent.clear()
    world.written.clear()
    world.plant()
    lookout = Lookout(world.source, make_config([make_pair(world.source)]))
    assert lookout.open() == ""
    try:
        while lookout.walk():
            pass
        yield lookout
        for _ in range(2):  # what came too late, then what failed because of it
            world.owed |= drain(lookout)
            carry(world)
    finally:
        lookout.close()
    world.full_pass("reference")
    assert not world.unlike()
    world.linked = world.unnoticed
    assert not world.unlike()


def live(world: World, case: Case) -> None:
    """Mirror a world through all that happens to it, one thing after the other."""
    with watched(world, case) as lookout:
        for batch in case.batches:
            world.work(batch.work)
            world.owed |= drain(lookout)
            if not batch.busy:
                carry(world, batch.late, batch.race)


def live_at_once(world: World, case: Case) -> None:
    """Mirror a world while things happen to it."""
    steps = [step for batch in case.batches for step in batch.work] * 4
    with watched(world, case) as lookout, ThreadPoolExecutor() as pool:
        world.racing = True
        writer = pool.submit(world.work, steps)
        while not writer.done():
            world.owed |= drain(lookout)
            carry(world, check=False)
        writer.result()
        world.racing = False


def carry(
    world: World, late: Sequence[Step] = (), race: Sequence[Step] = (), *, check: bool = True
) -> None:
    """Plan and run as the caller should, who merges back what failed.

    Other names of a file are looked for whatever becomes of the run, as the engine does when one
    begins: where something stays in the way, no run of these changes ends with 0.
    """
    world.notice()
    world.work(late)
    planned = world.planned()
    print(f"{sorted(change.path for change in world.owed)} -> {planned}")
    world.work(race)
    if world.run(planned) == 0:
        world.carried()
    if planned.linked:
        world.seek(planned)
        if world.run(world.planned()) == 0:
            world.carried()
    if check and not (late or race or world.remote):
        assert not world.wrong()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_named_makes_the_mirror_that_a_full_pass_makes(tmp_path: Path, seed: int) -> None:
    case = invent(seed)
    live(World(tmp_path, case), case)


@pytest.mark.parametrize("seed", [3, 7, 11, 12, 14])
def test_so_it_does_through_a_daemon(tmp_path: Path, rsync_daemon: RsyncDaemon, seed: int) -> None:
    case = invent(seed)
    live(World(tmp_path, case, rsync_daemon), case)


@pytest.mark.parametrize("seed", SEEDS[::5])
def test_so_it_does_while_work_goes_on(tmp_path: Path, seed: int) -> None:
    case = invent(seed)
    live_at_once(World(tmp_path, case), case)


# ---- what rsync makes of a list -----------------------------------------------------------------


@dataclass(frozen=True)
class Ends:
    """A source and a mirror, below one folder."""

    folder: Path

    def make(self, *paths: str) -> Ends:
        """Make files, ``directories/`` and ``link -> target`` by their paths."""
        for path in paths:
            name, arrow, target = path.partition(" -> ")
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if arrow:
                file.symlink_to(target)
            elif name.endswith("/"):
                file.mkdir()
            else:
                file.write_text(name)
        return self

    def list_run(self, *entries: str | bytes, options: tuple[str, ...] = ()) -> int:
        """Send the entries; return the exit status."""
        names = b"".join(os.fsencode(entry) + b"\0" for entry in entries)
        return self.rsync([*list_options(), *options, "--modify-window=-1"], names)

    def rsync(self, words: list[str], names: bytes) -> int:
        argv = [RSYNC, *words, "--", f"{self.folder}/source/", f"{self.folder}/mirror/"]
        done = subprocess.run(argv, input=names, capture_output=True, timeout=60, check=False)
        print(argv, names, done)
        return done.returncode

    def has(self) -> set[str]:
        """Return what is on the mirror, as `make` takes it."""
        top = self.folder / "mirror"
        marks = {"directory": "/", "file": ""}
        return {
            os.fsdecode(path) + marks.get(entry.kind, f" -> {os.fsdecode(entry.target)}")
            for path, entry in snapshot(top).items()
            if path != b"."
        }

    def differing(self) -> list[str]:
        return difference(snapshot(self.folder / "source"), snapshot(self.folder / "mirror"))


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "source").mkdir()
    return Ends(tmp_path)


def test_a_directory_with_a_slash_is_one_level_of_it(ends: Ends) -> None:
    ends.make("source/d/f", "source/d/e/f", "mirror/old", "mirror/d/old/old", "mirror/d/e/old")
    assert ends.list_run("./d/") == 0
    assert ends.has() == {"old", "d/", "d/f", "d/e/", "d/e/old"}


def test_levels_of_levels_add_up(ends: Ends) -> None:
    ends.make("source/d/f", "source/d/e/f", "mirror/old", "mirror/d/old", "mirror/d/e/old")
    assert ends.list_run("./", "./d/", "./d", "./d/f", "./d/e/f", "./d/e/") == 0
    assert ends.differing() == []


def test_without_a_slash_it_is_the_directory_itself(ends: Ends) -> None:
    ends.make("source/d/f", "mirror/d/old")
    (ends.folder / "source" / "d").chmod(0o700)
    assert ends.list_run("./d") == 0
    assert ends.has() == {"d/", "d/old"}
    assert (ends.folder / "mirror" / "d").stat().st_mode & 0o777 == 0o700


def test_the_way_to_a_file_is_sent_with_its_times(ends: Ends) -> None:
    ends.make("source/d/e/f", "mirror/old", "mirror/d/old")
    for path in ("d/e", "d", "."):
        os.utime(ends.folder / "source" / path, (0, 10**9))
    assert ends.list_run("./d/e/f") == 0
    assert ends.has() == {"old", "d/", "d/old", "d/e/", "d/e/f"}
    for path in ("d/e", "d", "."):
        assert (ends.folder / "mirror" / path).stat().st_mtime == 10**9


@pytest.mark.parametrize("rule", [".*", "*", "/*/", "?", "/**"])
def test_the_top_keeps_its_time_when_a_rule_hides_the_dot(ends: Ends, rule: str) -> None:
    ends.make("source/f", "mirror/f", "mirror/.own")
    os.utime(ends.folder / "source", (0, 10**9))
    rules = ("--exclude=+ f", f"--exclude={rule}")
    words = [word for word in list_options() if not word.startswith("--include")]
    assert ends.rsync([*words, *rules], b"./f\0") == 0
    assert (ends.folder / "mirror").stat().st_mtime != 10**9
    assert ends.list_run("./f", options=rules) == 0
    assert (ends.folder / "mirror").stat().st_mtime == 10**9
    assert ends.has() == {"f", ".own"}


@pytest.mark.parametrize("entry", ["./x", "./"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x", "x/"),
        ("x", "x -> precious"),
        ("x/y/z", "x"),
        ("x/y/z", "x -> precious"),
        ("x -> precious", "x"),
        ("x -> precious", "x/"),
    ],
)
def test_what_has_another_type_now_is_replaced(ends: Ends, entry: str, old: str, new: str) -> None:
    ends.make("source/precious/p", "mirror/precious/p", f"mirror/{old}", f"source/{new}")
    assert ends.list_run(entry) == 0
    assert ends.has() == {"precious/", "precious/p", new}


def test_a_link_on_the_way_would_be_followed(ends: Ends) -> None:
    ends.make("source/other/f", "source/d -> other", "mirror/other/f", "mirror/d -> other")
    assert ends.list_run("./d/") == 0
    assert ends.has() == {"other/", "other/f", "d/", "d/f"}


def test_a_directory_that_became_a_link(ends: Ends) -> None:
    """What the link leads to survives on the mirror."""
    ends.make("source/other/f", "source/d -> other", "mirror/other/f", "mirror/d/e/f")
    root = ends.folder / "source"
    named = plan(
        [Change(b"d", Kind.LEVEL), Change(b"d/e", Kind.TREE), Change(b"d/f", Kind.ENTRY)],
        filters=compile_filters([]),
        view=Seen(lambda path: os.lstat(os.path.join(os.fsencode(root), path))),
    )
    assert named == Plan((b"./",))
    assert ends.list_run(*named.entries) == 0
    assert ends.has() == {"other/", "other/f", "d -> other"}


def test_a_rule_is_asked_about_an_entry_but_not_about_its_parents(ends: Ends) -> None:
    ends.make("source/d/f", "source/d/g", "source/e/f")
    rules = ("--exclude=/d/g", "--exclude=/e/")
    assert ends.list_run("./d/f", "./d/g", "./e/f", "./e/", options=rules) == 0
    assert ends.has() == {"d/", "d/f", "e/", "e/f"}


def test_what_is_excluded_stays_on_the_mirror(ends: Ends) -> None:
    ends.make("source/d/f", "source/d/skip", "mirror/d/skip", "mirror/d/old/skip", "mirror/d/old/x")
    (ends.folder / "mirror" / "d" / "skip").write_text("the node's own")
    assert ends.list_run("./d/", options=("--exclude=skip",)) == 0
    assert ends.has() == {"d/", "d/f", "d/skip", "d/old/", "d/old/skip"}
    assert (ends.folder / "mirror" / "d" / "skip").read_text() == "the node's own"


def test_merge_files_are_not_read_for_an_entry(ends: Ends) -> None:
    ends.make("source/d/f", "source/d/g")
    (ends.folder / "source" / "d" / ".rules").write_text("- f\n")
    assert ends.list_run("./d/f", options=("--filter=: .rules",)) == 0
    assert ends.has() == {"d/", "d/f"}


@pytest.mark.parametrize("entry", ["./gone", "./gone/", "./gone/f", "./dangling/f"])
def test_what_vanished_is_exit_23_or_nothing(ends: Ends, entry: str) -> None:
    ends.make("source/dangling -> gone", "source/d/f", "mirror/d/old")
    names = b"./d/\0" + entry.encode() + b"\0"
    words = [word for word in list_options() if word != "--ignore-missing-args"]
    assert ends.rsync(words, names) == 23
    assert ends.has() == {"d/", "d/f"}
    assert ends.rsync(list_options(), names) == 0


@pytest.mark.parametrize("entry", ["./file/f", "./file/", "./loop/f", "./loop/"])
def test_what_has_no_directory_on_its_way_is_exit_23(ends: Ends, entry: str) -> None:
    """All else is sent, but nothing is deleted."""
    ends.make("source/file", "source/loop -> loop", "source/d/f", "mirror/d/old")
    expected = 0 if entry == "./file/" else 23
    assert ends.list_run("./d/", entry) == expected
    assert ends.has() >= {"d/", "d/f"}
    assert ("d/old" in ends.has()) == (expected == 23)


def test_an_entry_that_is_too_long_is_cut_off(ends: Ends) -> None:
    first, second = ("/".join(["d" * 250] * 8) for _ in range(2))
    name = "f" * (4095 - len(f"./{first}/{second}/"))
    source, mirror = (ends.folder / end / first for end in ("source", "mirror"))
    source.mkdir(parents=True)
    with opened(source) as here:
        os.makedirs(f"{here}/{second}")
        for last in (name, name + "g"):
            Path(f"{here}/{second}/{last}").touch()
    assert ends.list_run(f"./{first}/{second}/{name}g") == 0
    with opened(mirror) as here:
        assert os.listdir(f"{here}/{second}") == [name]


@contextmanager
def opened(folder: Path) -> Iterator[str]:
    """Give a short path for a folder, so that longer ones than PATH_MAX can be named in it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
