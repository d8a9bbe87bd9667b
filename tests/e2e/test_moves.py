"""Renamed directories: a mirror gets them without a transfer, and as a full pass would make it."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import Daemon, run_inosync
from support.fakersync import Call, FakeRsync
from support.places import Place, wait_equal
from support.waiting import until

from inosync.planning.renamed_files import PER_RUN

SIZE = 40_000
GIANT = 2 * PER_RUN
FILES = 30


def fill(folder: Path) -> None:
    """Make some 1.2 MB, below a few directories."""
    for number in range(FILES):
        path = folder / f"sub {number % 3}" / "deep" / f"file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SIZE))


def relinked(calls: list[Call]) -> list[Call]:
    return [call for call in calls if any(word.startswith("--link-dest") for word in call.argv)]


class Renaming:
    """A daemon on a source in sync, and what its runs do from then on."""

    def __init__(
        self, daemon: Daemon, source: Path, place: Place, fakersync: FakeRsync, logfile: Path
    ) -> None:
        self.daemon = daemon
        self.source = source
        self.mirror = place.root
        self.fakersync = fakersync
        self.logfile = logfile
        self.before = len(fakersync.calls())
        logfile.write_text("")

    def calls(self) -> list[Call]:
        return self.fakersync.calls()[self.before :]

    def literal(self) -> int:
        """Return how many bytes of files the runs sent, by rsync's own statistics."""
        return sum(call.literal for call in self.calls())

    def files_sent(self) -> set[str]:
        """Return the names of the files that were sent, by rsync's own log."""
        found = re.findall(r" [<>]f\S+ (.*)$", self.logfile.read_text(), re.MULTILINE)
        return {name.rpartition("/")[2] for name in found}

    def wait(self) -> None:
        wait_equal(self.source, self.mirror)
        until(lambda: all(call.code is not None for call in self.calls()), what="the runs to end")

    def wait_for_lanes(self) -> None:
        """Wait until all mirrors have all, that of the big files as well."""
        ask = ("-c", self.daemon.config_file, "--wait", "60")
        assert run_inosync(*ask, cwd=self.daemon.folder).returncode == 0

    def links(self) -> set[int]:
        files = [path for path in self.mirror.rglob("*") if path.is_file()]
        return {path.stat().st_nlink for path in files}


Rename = Callable[..., Renaming]


@pytest.fixture
def renaming(
    inosync: Callable, source: Path, fakersync: FakeRsync, tmp_path: Path
) -> Callable[..., Renaming]:
    """Start on a source with a directory ``old``; it is in sync."""

    def begin(place: Place, **settings: object) -> Renaming:
        fakersync.always(delegate=True)
        fill(source / "old")
        logfile = tmp_path / "rsync.log"
        daemon = inosync(
            {
                "edelay": 0.3,
                "rretry": (0.1, 0.5),
                "wpath": f"{source}/",
                "rnodes": [place.node],
                "rsync": str(fakersync.path),
                "logfile": str(logfile),
                **settings,
            },
            environment=place.environment,
        )
        wait_equal(source, place.root)
        daemon.wait_for_log("in sync (first pass")
        return Renaming(daemon, source, place, fakersync, logfile)

    return begin


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_renamed_directory_is_not_sent(renaming: Rename, place: Place, scope: str) -> None:
    world = renaming(place, rscope=scope)
    (world.source / "a b" / "c").mkdir(parents=True)
    (world.source / "old").rename(world.source / "a b" / "c" / "new")
    world.wait()
    assert len(relinked(world.calls())) == 1
    assert world.files_sent() == set()
    assert world.literal() == 0
    assert world.links() == {1}


@pytest.mark.parametrize("name", ["[br]", "b*", "?"])
def test_a_new_name_that_is_a_pattern_leaves_what_it_matches_alone(
    renaming: Rename, source: Path, place: Place, name: str
) -> None:
    fill(source / "b")
    world = renaming(place, rscope="changes")
    before = contents(world.mirror / "b")
    (world.source / "old").rename(world.source / name)
    world.wait()
    assert contents(world.mirror / "b") == before
    assert relinked(world.calls()) == []


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_of_a_renamed_directory_only_changes_are_sent(renaming: Rename, local: Place) -> None:
    world = renaming(local, rscope="changes")
    new = world.source / "new"
    (world.source / "old").rename(new)
    with open(new / "sub 0" / "deep" / "file 0", "ab") as file:
        file.write(b"more")
    (new / "sub 1" / "deep" / "file 1").unlink()
    world.wait()
    assert len(relinked(world.calls())) == 1
    assert world.files_sent() == {"file 0"}
    assert world.links() == {1}


def test_what_is_changed_later_changes_alone(renaming: Rename, local: Place) -> None:
    """Neither content nor attributes go through to a copy in the old place."""
    world = renaming(local)
    old, new = world.source / "old", world.source / "new"
    old.rename(new)
    shutil.copytree(new, old)
    for path in old.rglob("file *"):
        path.chmod(0o600)
    world.wait()
    (new / "sub 0" / "deep" / "file 0").chmod(0o444)
    world.wait()
    assert world.links() == {1}


def test_what_the_node_has_excluded_in_the_old_place_stays(renaming: Rename, local: Place) -> None:
    world = renaming(local, rexcludes=["*.own", "/elsewhere"])
    own = local.root / "old" / "sub 0" / "its.own"
    own.write_text("precious")
    (world.source / "old").rename(world.source / "new")
    until(lambda: not (local.root / "old" / "sub 1").exists(), what="the old place to go")
    assert len(relinked(world.calls())) == 1
    assert world.files_sent() == set()
    left = [path.name for path in (local.root / "old").rglob("*")]
    assert (sorted(left), own.read_text()) == (["its.own", "sub 0"], "precious")


def test_when_it_fails_it_is_sent(renaming: Rename, local: Place) -> None:
    world = renaming(local)
    world.fakersync.exits(0, 23)
    (world.source / "old").rename(world.source / "new")
    world.wait()
    assert [call.code for call in world.calls()[:2]] == [0, 23]
    assert len(world.files_sent()) == FILES


@pytest.mark.parametrize("extra", ["--inplace", "-aH", "--append"])
def test_where_links_could_do_harm_it_is_sent(renaming: Rename, local: Place, extra: str) -> None:
    world = renaming(local, extra=extra)
    (world.source / "old").rename(world.source / "new")
    world.wait()
    assert not relinked(world.calls())


def test_the_new_place_may_be_a_link_on_the_node(
    renaming: Rename, local: Place, tmp_path: Path
) -> None:
    """It is replaced, and nothing goes where it leads."""
    victim = tmp_path / "victim"
    victim.mkdir()
    world = renaming(local)
    (local.root / "new").symlink_to(victim)
    (world.source / "old").rename(world.source / "new")
    world.wait()
    assert len(relinked(world.calls())) == 1
    assert list(victim.iterdir()) == []


@pytest.fixture
def big_files(source: Path) -> Path:
    """A directory with two files that are worth a step of their own.

    Of different sizes: --fuzzy tells no files apart that have one size, and one time in seconds.
    """
    folder = source / "d"
    folder.mkdir()
    for size, name in enumerate(("a", "# b"), start=GIANT):
        (folder / name).write_bytes(os.urandom(size))
    return folder


def fuzzy(calls: list[Call]) -> list[Call]:
    return [call for call in calls if "--fuzzy" in call.argv]


@pytest.mark.parametrize("scope", ["tree", "changes"])
@pytest.mark.usefixtures("big_files")
def test_a_file_with_a_new_name_is_not_sent(renaming: Rename, place: Place, scope: str) -> None:
    world = renaming(place, rscope=scope)
    folder = world.source / "d"
    (folder / "a").rename(folder / "aa.old")
    world.wait()
    assert len(fuzzy(world.calls())) == 1
    assert world.literal() == 0
    assert world.links() == {1}


@pytest.mark.parametrize("scope", ["tree", "changes"])
@pytest.mark.usefixtures("big_files")
def test_a_file_in_a_new_directory_is_not_sent(renaming: Rename, place: Place, scope: str) -> None:
    world = renaming(place, rscope=scope)
    for target in ("old/sub 0/a", "old/sub 0/# b"):
        (world.source / "d" / target.rpartition("/")[2]).rename(world.source / target)
    world.wait()
    assert len(relinked(world.calls())) == 1
    assert not fuzzy(world.calls())
    assert world.literal() == 0
    assert world.links() == {1}
    # To the top, and from it.
    (world.source / "old/sub 0/a").rename(world.source / "a")
    world.wait()
    (world.source / "a").rename(world.source / "d" / "a")
    world.wait()
    assert len(relinked(world.calls())) == 3
    assert world.literal() == 0
    assert world.links() == {1}


@pytest.mark.usefixtures("big_files")
def test_a_file_with_a_new_name_in_a_new_directory_is_sent(renaming: Rename, local: Place) -> None:
    world = renaming(local)
    (world.source / "d" / "a").rename(world.source / "old" / "b")
    world.wait()
    assert len(world.calls()) == 1
    assert world.literal() == GIANT


@pytest.mark.usefixtures("big_files")
def test_of_a_log_that_is_rotated_only_the_new_one_is_sent(renaming: Rename, place: Place) -> None:
    """Its old name is taken again at once."""
    world = renaming(place, rscope="changes")
    log = world.source / "d" / "a"
    log.rename(f"{log}-20300101")
    log.write_text("new")
    world.wait()
    assert len(fuzzy(world.calls())) == 1
    assert world.literal() == len("new")


@pytest.mark.usefixtures("big_files")
def test_what_is_written_into_a_file_in_its_new_directory_is_sent(
    renaming: Rename, local: Place
) -> None:
    """Also when neither size nor time tells of it."""
    world = renaming(local)
    new = world.source / "old" / "a"
    before = (world.source / "d" / "a").rename(new).stat()
    with open(new, "r+b") as file:
        file.write(b"changed")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    world.wait()
    assert not relinked(world.calls())
    assert world.literal() == GIANT


@pytest.mark.usefixtures("big_files")
def test_a_moved_file_is_not_one_with_what_takes_its_old_place(
    renaming: Rename, local: Place
) -> None:
    """Neither then nor later do the modes of one become those of the other."""
    world = renaming(local, rscope="changes")
    old, new = world.source / "d" / "a", world.source / "old" / "a"
    world.fakersync.to(f"{local.root}/old/", hold=True, delegate=True)
    old.rename(new)
    until(lambda: relinked(world.calls()), what="the run that links")
    shutil.copy2(new, old)
    old.chmod(0o600)
    world.fakersync.release()
    world.wait()
    assert len(relinked(world.calls())) == 1
    assert world.links() == {1}
    new.chmod(0o444)
    world.wait()
    assert world.links() == {1}


@pytest.mark.usefixtures("big_files")
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_nor_when_runs_fail_for_ever(renaming: Rename, local: Place, scope: str) -> None:
    """What cannot be sent keeps nothing else back."""
    world = renaming(local, rexcludes=["*.own"], rscope=scope)
    barred = world.source / "barred"
    barred.mkdir()
    world.wait()
    (local.root / "barred" / "its.own").write_text("precious")
    barred.rmdir()
    barred.write_text("a file, where the node has a directory")
    until(lambda: 23 in [call.code for call in world.calls()], what="a failure")
    old, new = world.source / "d" / "a", world.source / "old" / "a"
    world.fakersync.to(f"{local.root}/old/", hold=True, delegate=True)
    old.rename(new)
    until(lambda: relinked(world.calls()), what="the run that links")
    shutil.copy2(new, old)
    old.chmod(0o600)
    world.fakersync.release()
    mirrored = [local.root / path.relative_to(world.source) for path in (old, new)]

    def right() -> bool:
        modes = [stat.S_IMODE(path.stat().st_mode) for path in mirrored if path.exists()]
        return modes == [0o600, stat.S_IMODE(new.stat().st_mode)]

    until(right, what="both of them")
    assert [path.stat().st_nlink for path in mirrored] == [1, 1]
    if scope == "tree":  # where runs name what they carry, what is barred is in no other's run
        assert any("--ignore-times" in call.argv for call in world.calls())
    assert not (local.root / "barred").is_file()


@pytest.mark.usefixtures("big_files")
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_giants_are_not_sent_by_their_lane_either(
    renaming: Rename, place: Place, scope: str
) -> None:
    world = renaming(place, rscope=scope, rbigsize=100_000, rbigdelay=0.2)
    world.wait_for_lanes()
    status = run_inosync("-c", world.daemon.config_file, "--status", cwd=world.daemon.folder)
    assert "(big files)" in status.stdout
    world.before = len(world.fakersync.calls())
    (world.source / "d" / "a").rename(world.source / "old" / "a")
    world.wait()
    world.wait_for_lanes()
    (world.source / "old").rename(world.source / "new")
    world.wait()
    world.wait_for_lanes()
    assert len(relinked(world.calls())) == 2
    assert world.literal() == 0
    assert world.links() == {1}


def test_between_sources_it_is_sent(
    inosync: Callable, tmp_path: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(delegate=True)
    for name in ("one", "two"):
        fill(tmp_path / name / "old")
    (tmp_path / "one" / "big").write_bytes(os.urandom(GIANT))
    daemon = inosync(
        {
            "edelay": 0.3,
            "wpaths": [f"{tmp_path}/one", f"{tmp_path}/two"],
            "rnodes": [local.node],
            "rsync": str(fakersync.path),
        }
    )
    daemon.wait_for_log("in sync (first pass", times=2)
    for old, new in (("one/big", "two/big"), ("one/old", "two/new")):
        (tmp_path / old).rename(tmp_path / new)
    for name in ("one", "two"):
        wait_equal(tmp_path / name, local.root / name)
    assert not relinked(fakersync.calls())
    assert not fuzzy(fakersync.calls())
