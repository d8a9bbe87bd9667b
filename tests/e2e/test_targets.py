"""Mirrors on this machine that are removed, replaced or unmounted while the daemon runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.mounting import disk, hide, mount, mounts_below, needs_mounts, show
from support.places import wait_equal
from support.trees import compare, write

from inosync.watch.mounts import identity


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder below which nothing stays mounted."""
    with mounts_below(tmp_path):
        yield tmp_path


@pytest.fixture
def full(source: Path) -> Path:
    """A source with more in it than what changes."""
    for number in range(5):
        write(source, f"deep/{number}", f"{number}\n")
    return source


def ask(daemon: Daemon, command: str) -> None:
    """Have a command answered."""
    asked = run_inosync("-c", daemon.config_file, command, cwd="/")
    assert asked.returncode == 0, asked.stderr


def wait(daemon: Daemon, status: int = 0) -> str:
    """Have the daemon say whether all is in sync."""
    asked = run_inosync("-c", daemon.config_file, "--wait", "20" if not status else "1", cwd="/")
    assert asked.returncode == status, asked.stdout + asked.stderr + daemon.log()
    return asked.stdout + asked.stderr


@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_removed_or_replaced_it_is_filled_again(
    inosync: Callable, folder: Path, full: Path, scope: str, slash: str
) -> None:
    root = folder / "node"
    mirror = root if slash else root / "source"
    more = {"rscope": scope, "init": False, "wpath": f"{full}{slash}"}
    daemon = inosync(settings(full, f"{root}/", **more))
    # There was nothing at the start: one change brings all of it.
    write(full, "change", "first\n")
    wait(daemon)
    assert compare(full, mirror) == []
    # Removed (at once, for it is soon made again), and nothing changes.
    mirror.rename(folder / "old")
    wait(daemon)
    assert compare(full, mirror) == []
    # Removed with what it lay in, when it was a directory below the node.
    root.rename(folder / "older")
    write(full, "change", "again\n")
    wait(daemon)
    assert compare(full, mirror) == []
    # Replaced by one that looks the same: only its contents differ.
    other = folder / "other"
    shutil.copytree(mirror, other, symlinks=True)
    status = os.stat(other / "deep/1")
    (other / "deep/1").write_text("x\n")
    os.utime(other / "deep/1", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.utime(other / "deep", ns=(status.st_atime_ns, os.stat(mirror / "deep").st_mtime_ns))
    ask(daemon, "--pause")  # or it is made anew in between
    mirror.rename(folder / "away")
    other.rename(mirror)
    ask(daemon, "--resume")
    wait(daemon)
    assert compare(full, mirror) == []
    assert "its target was removed: full pass" in daemon.log()
    assert "its target is another directory now: full pass" in daemon.log()


@needs_mounts
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_unmounted_it_is_held_until_it_is_back(
    inosync: Callable, folder: Path, full: Path, scope: str
) -> None:
    """Whatever lies below the mount point: nothing, or a directory of the same name."""
    point, mirror = folder / "point", folder / "point/mirror"
    point.mkdir()
    show(disk(folder / "disks/backup"), point)
    daemon = inosync(settings(full, f"{mirror}/", rscope=scope))
    wait_equal(full, mirror)
    for below in (False, True):
        hide(point)
        if below:
            mirror.mkdir()
        daemon.wait_for_log("its target is on another file system than before", times=1 + below)
        write(full, f"meanwhile{below}", "x")
        assert "another file system" in wait(daemon, status=5)
        ask(daemon, "--reload")
        assert "another file system" in wait(daemon, status=5)
        assert [path.name for path in point.rglob("*")] == ["mirror"] * below
        show(folder / "disks/backup", point)
        wait(daemon)
        assert compare(full, mirror) == []
    hide(point)
    wait(daemon, status=5)
    ask(daemon, "--sync")
    wait(daemon)
    assert compare(full, mirror) == []
    assert not os.path.ismount(point)
    # What is mounted there now is not what was accepted.
    show(folder / "disks/backup", point)
    write(full, "later", "x")
    wait(daemon, status=5)
    assert not (mirror / "later").exists()
    # Accepted, it gets all that differs, also in what has the same size and date.
    other = mirror / "meanwhileTrue"
    before = other.stat()
    other.write_text("y")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    ask(daemon, "--sync")
    wait(daemon)
    assert compare(full, mirror) == []


@needs_mounts
@pytest.mark.parametrize("end", ["source", "target"])
def test_the_next_tmpfs_is_not_the_one_that_was_there(
    inosync: Callable, folder: Path, full: Path, end: str
) -> None:
    """Though numbers of device and directory are the same, and all happens within a moment."""
    point = folder / "point"
    point.mkdir()
    mount("-t", "tmpfs", "same", point)
    source, mirror = (point / "it", folder / "mirror") if end == "source" else (full, point / "it")
    if end == "source":
        shutil.copytree(full, source)
    elif not identity(str(point)):
        pytest.skip("this kernel's tmpfs has no identity")
    else:
        mirror.mkdir()
    daemon = inosync(settings(source, f"{mirror}/", rscope="changes"))
    wait(daemon)
    ask(daemon, "--pause")
    hide(point)
    mount("-t", "tmpfs", "same", point)
    (point / "it").mkdir()
    write(point / "it", "theirs", "x")
    ask(daemon, "--resume")
    write(source, "change", "x")
    assert "another file system" in wait(daemon, status=5)
    assert sorted(path.name for path in (point / "it").iterdir()) == (
        ["change", "theirs"] if end == "source" else ["theirs"]
    )
    assert not (mirror / "change").exists()
    ask(daemon, "--sync")
    wait(daemon)
    assert compare(source, mirror) == []
