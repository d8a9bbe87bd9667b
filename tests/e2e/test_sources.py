"""Bad days of a source: gone, renamed, unmounted, replaced, emptied. The mirror survives them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.mounting import disk, hide, show
from support.places import Place, wait_equal
from support.trees import compare, snapshot, write
from support.waiting import until

#: By so much the times of files may lag behind the clock: see inosync/planning/order.py.
SECOND = 1.2

HELD = "held, its mirrors are left as they are"

needs_mounts = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")


@pytest.fixture
def mirrored(inosync: Callable, source: Path, local: Place) -> Daemon:
    """A daemon whose mirror is equal."""
    write(source, "deep/er/file", "x")
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    return daemon


@pytest.fixture
def mounted(source: Path) -> Iterator[Path]:
    """The source on a file system of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "none", source], check=True)
    write(source, "first", "first\n")
    yield source
    while source.exists() and os.path.ismount(source):
        subprocess.run(["umount", "-l", source], check=True)


def unmount(path: Path) -> None:
    """Unmount as soon as the last run has left the directory; the daemon itself never is in it."""
    until(
        lambda: subprocess.run(["umount", path], capture_output=True, check=False).returncode == 0,
        what=f"{path} to be free",
    )


def sync(daemon: Daemon, *arguments: str) -> None:
    asked = run_inosync("-c", daemon.config_file, "--sync", *arguments, cwd=daemon.folder)
    assert asked.returncode == 0, asked.stderr


def waited(daemon: Daemon) -> int:
    """Return the exit status of --wait."""
    return run_inosync("-c", daemon.config_file, "--wait", "60", cwd=daemon.folder).returncode


def test_deleted_and_made_again(mirrored: Daemon, source: Path, local: Place) -> None:
    """An ordinary rm -rf of the source itself: what was deleted in it may be deleted."""
    shutil.rmtree(source)
    mirrored.wait_for_log(HELD)
    source.mkdir()
    mirrored.wait_for_log("is empty", seconds=20)
    before = snapshot(local.root)
    write(source, "new", "x")
    wait_equal(source, local.root)
    assert b"new" not in before


def test_renamed_away_and_back(
    mirrored: Daemon, source: Path, local: Place, tmp_path: Path
) -> None:
    before = snapshot(local.root)
    source.rename(tmp_path / "away")
    mirrored.wait_for_log(HELD)
    write(tmp_path, "away/meanwhile", "x")
    shutil.rmtree(tmp_path / "away/deep")
    assert snapshot(local.root) == before
    (tmp_path / "away").rename(source)
    wait_equal(source, local.root)


def test_a_parent_renamed_away(inosync: Callable, local: Place, tmp_path: Path) -> None:
    """The watches stay on the moved tree; the next change finds that the path leads elsewhere."""
    source = write(tmp_path, "above/source/first", "x").parent
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    before = snapshot(local.root)
    (tmp_path / "above").rename(tmp_path / "moved")
    write(tmp_path, "moved/source/later", "x")
    daemon.wait_for_log(HELD)
    assert snapshot(local.root) == before
    (tmp_path / "moved").rename(tmp_path / "above")
    wait_equal(source, local.root)


def test_replaced_by_another_directory(
    mirrored: Daemon, source: Path, local: Place, tmp_path: Path
) -> None:
    """On the same device with something in it, it is taken for the source's next life."""
    other = write(tmp_path, "other/different", "x").parent
    source.rename(tmp_path / "away")
    other.rename(source)
    wait_equal(source, local.root)


def test_emptied_by_deleting_is_mirrored(mirrored: Daemon, source: Path, local: Place) -> None:
    for entry in source.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    wait_equal(source, local.root)
    assert list(local.root.iterdir()) == []
    write(source, "again", "x")
    wait_equal(source, local.root)


def test_empty_at_start_may_be_allowed(inosync: Callable, source: Path, local: Place) -> None:
    (source / "first").unlink()
    write(local.root, "stale", "x")
    inosync(settings(source, local.node, allow_empty=True))
    wait_equal(source, local.root)


def test_empty_at_start_and_a_person_says_go_on(
    inosync: Callable, source: Path, local: Place
) -> None:
    (source / "first").unlink()
    write(local.root, "stale", "x")
    daemon = inosync(settings(source, local.node))
    daemon.wait_for_log(HELD)
    sync(daemon)
    wait_equal(source, local.root)


def test_without_its_marker_nothing_travels(inosync: Callable, source: Path, local: Place) -> None:
    write(source, ".mounted")
    daemon = inosync(settings(source, local.node, wmarker=".mounted"))
    wait_equal(source, local.root)
    before = snapshot(local.root)
    (source / ".mounted").unlink()
    (source / "first").unlink()
    daemon.wait_for_log("has no .mounted (wmarker; create it): " + HELD)
    sync(daemon)
    assert snapshot(local.root) == before
    write(source, ".mounted")
    wait_equal(source, local.root)


def test_a_marker_that_is_missing_at_start(inosync: Callable, source: Path, local: Place) -> None:
    daemon = inosync(settings(source, local.node, wmarker=".mounted"))
    daemon.wait_for_log(HELD)
    assert list(local.root.iterdir()) == []
    write(source, ".mounted")
    wait_equal(source, local.root)


def test_a_source_that_is_held_delays_no_other(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    second = write(tmp_path, "second/file", "x").parent
    (tmp_path / "mirror 2").mkdir()
    daemon = inosync(
        {
            "edelay": 0.1,
            "wpaths": [f"{source}/", f"{second}/"],
            "rpaths": [local.node, f"{tmp_path}/mirror 2/"],
            "rnodes": [""],
        }
    )
    wait_equal(second, tmp_path / "mirror 2")
    source.rename(tmp_path / "away")
    daemon.wait_for_log(HELD)
    write(second, "goes on", "x")
    wait_equal(second, tmp_path / "mirror 2")
    begun = time.monotonic()
    until(lambda: time.monotonic() - begun > 2.5, what="another look at the source")
    status = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
    assert f"source {source}: held: is gone" in status.stdout
    assert daemon.log().count(HELD) == 1
    assert f"source {second}: watched" in status.stdout


@needs_mounts
def test_an_unmounted_file_system_empties_no_mirror_and_another_one_needs_a_person(
    inosync: Callable, mounted: Path, local: Place
) -> None:
    daemon = inosync(settings(mounted, local.node))
    wait_equal(mounted, local.root)
    before = snapshot(local.root)
    unmount(mounted)
    daemon.wait_for_log(HELD)
    assert snapshot(local.root) == before
    subprocess.run(["mount", "-t", "tmpfs", "another", mounted], check=True)
    write(mounted, "of another disk", "x")
    daemon.wait_for_log("is on another file system than before")
    assert snapshot(local.root) == before
    sync(daemon)
    wait_equal(mounted, local.root)


@needs_mounts
def test_an_unmounted_bind_mount_raises_no_event_and_is_noticed_all_the_same(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    real = write(tmp_path, "real/first", "x").parent
    (source / "first").unlink()
    subprocess.run(["mount", "--bind", real, source], check=True)
    try:
        daemon = inosync(settings(source, local.node))
        wait_equal(real, local.root)
        before = snapshot(local.root)
        subprocess.run(["umount", "-l", source], check=True)
        daemon.wait_for_log(HELD)
        assert snapshot(local.root) == before
        write(real, "meanwhile", "x")
        subprocess.run(["mount", "--bind", real, source], check=True)
        wait_equal(real, local.root)
    finally:
        subprocess.run(["umount", "-l", source], check=False)


@needs_mounts
def test_a_disk_that_is_mounted_after_the_start(
    inosync: Callable, source: Path, local: Place
) -> None:
    (source / "first").unlink()
    write(local.root, "precious", "x")
    daemon = inosync(settings(source, local.node))
    daemon.wait_for_log("is empty")
    subprocess.run(["mount", "-t", "tmpfs", "none", source], check=True)
    try:
        # Empty still: a new file system is made and then filled.
        write(source, "filled", "x")
        wait_equal(source, local.root)
    finally:
        daemon.stop()
        subprocess.run(["umount", source], check=True)


@needs_mounts
def test_what_is_unmounted_inside_a_source_is_left_alone_on_the_mirror(
    inosync: Callable, source: Path, local: Place
) -> None:
    inner = source / "disk [2]"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
    try:
        write(source, "disk [2]/precious", "x")
        daemon = inosync(settings(source, local.node))
        wait_equal(source, local.root)
        unmount(inner)
        daemon.wait_for_log("is gone: left alone on the mirrors until it is back")
        write(source, "another change", "x")
        until((local.root / "another change").exists, what="the change")
        assert (local.root / "disk [2]/precious").exists()
        subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
        write(source, "disk [2]/new", "x")
        wait_equal(source, local.root)
        unmount(inner)
        sync(daemon)
        wait_equal(source, local.root)
    finally:
        if os.path.ismount(inner):
            unmount(inner)


@needs_mounts
@pytest.mark.parametrize("watch", ["inotify", "fanotify"])
def test_what_comes_to_the_place_of_a_disk_is_compared_by_content(
    inosync: Callable, source: Path, local: Place, tmp_path: Path, watch: str
) -> None:
    """The disk itself, changed elsewhere; and another one, though nobody saw the first one go."""
    inner, disks = source / "disk", [disk(tmp_path / "one"), disk(tmp_path / "other")]
    inner.mkdir()
    try:
        for each in disks:
            os.utime(write(each, "deep/file", each.name[:3]), (1e9, 1e9))
        show(disks[0], inner)
        daemon = inosync(settings(source, local.node, watch=watch, rscope="changes"))
        wait_equal(source, local.root)
        hide(inner)
        daemon.wait_for_log("is gone: left alone on the mirrors until it is back")
        os.utime(write(disks[0], "deep/file", "two"), (1e9, 1e9))
        time.sleep(SECOND)
        for content in ("a", "ab"):  # all but the disk is known to be there
            write(source, "another change", content)
            assert waited(daemon) == 5
        show(disks[0], inner)
        assert waited(daemon) == 0
        assert (local.root / "disk/deep/file").read_text() == "two"
        time.sleep(SECOND)
        for content in ("b", "bc"):
            write(source, "another change", content)
            assert waited(daemon) == 0
        daemon.signal(signal.SIGSTOP)
        hide(inner)
        show(disks[1], inner)
        daemon.signal(signal.SIGCONT)
        assert waited(daemon) == 0
        assert (local.root / "disk/deep/file").read_text() == "oth"
        os.utime(write(inner, "deep/file", "new"), (1e9, 1e9))
        assert waited(daemon) == 0
        assert (local.root / "disk/deep/file").read_text() == "new"
    finally:
        for each in (inner, *disks):
            if os.path.ismount(each):
                hide(each, lazy=True)


@needs_mounts
def test_what_is_mounted_inside_a_source_is_mirrored(
    inosync: Callable, source: Path, local: Place
) -> None:
    inner = source / "disk"
    inner.mkdir()
    daemon = inosync(settings(source, local.node))
    wait_equal(source, local.root)
    subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
    try:
        daemon.wait_for_log("mounted: disk: full pass")
        write(source, "disk/new/file", "x")
        wait_equal(source, local.root)
        assert compare(source, local.root) == []
    finally:
        unmount(inner)
