"""The main job, on every transport: what happens to the source happens to the mirror."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import run_inosync
from support.places import Place, wait_equal
from support.trees import HOSTILE_NAMES, churn, grow, write
from support.waiting import until

SETTINGS = {"edelay": 0.1}


@pytest.fixture(params=["tree", "changes"])
def mirrored(
    inosync: Callable, source: Path, place: Place, request: pytest.FixtureRequest
) -> Callable[[], None]:
    """Start a daemon on a grown source; return what waits for an equal mirror."""
    grow(source, seed=1)
    inosync(
        SETTINGS | {"wpath": f"{source}/", "rnodes": [place.node], "rscope": request.param},
        environment=place.environment,
    )
    wait_equal(source, place.root)
    return lambda: wait_equal(source, place.root)


def test_start_up_brings_the_mirror_up_to_date(
    inosync: Callable, source: Path, place: Place
) -> None:
    grow(source, seed=2)
    grow(place.root, seed=3)  # stale files that have to go
    inosync(
        SETTINGS | {"wpath": f"{source}/", "rnodes": [place.node]}, environment=place.environment
    )
    wait_equal(source, place.root)


def test_create_modify_chmod_touch_delete_and_rename_files(
    mirrored: Callable[[], None], source: Path
) -> None:
    file = write(source, "new", "one")
    mirrored()
    write(source, "new", "another")
    mirrored()
    file.chmod(0o600)
    os.utime(file, ns=(1, 1_234_567_890_123_456_789))
    mirrored()
    file.rename(source / "renamed")
    mirrored()
    (source / "renamed").unlink()
    mirrored()


def test_deep_directories_made_renamed_and_removed(
    mirrored: Callable[[], None], source: Path
) -> None:
    deep = "/".join("abcdefghijklmnopqrstuvwxyz")
    write(source, f"{deep}/bottom", "deep")
    mirrored()
    (source / "a/b").rename(source / "b moved")
    write(source, "b moved/c/d/under a new path", "x")
    mirrored()
    (source / "b moved/c").rename(source / "c")
    (source / "c").rename(source / "c2")
    write(source, "c2/d/e/after two renames", "x")
    mirrored()
    shutil.rmtree(source / "c2")
    shutil.rmtree(source / "a")
    mirrored()


def test_a_burst_of_trees(mirrored: Callable[[], None], source: Path) -> None:
    for number in range(50):
        write(source, f"burst/{number}/x/y/z/{number}", str(number))
    mirrored()
    for number in range(0, 50, 2):
        shutil.rmtree(source / f"burst/{number}")
    mirrored()


def test_trees_moved_in_and_out(mirrored: Callable[[], None], source: Path, tmp_path: Path) -> None:
    grow(tmp_path / "elsewhere", seed=4)
    (tmp_path / "elsewhere").rename(source / "moved in")
    mirrored()
    write(source, "moved in/later", "x")
    mirrored()
    (source / "moved in").rename(tmp_path / "out")
    mirrored()
    write(tmp_path, "out/outside now", "x")
    write(source, "inside", "x")
    mirrored()


def test_symlinks_and_changes_of_kind(mirrored: Callable[[], None], source: Path) -> None:
    write(source, "target/keep", "x")
    (source / "link").symlink_to("target")
    (source / "dangling").symlink_to("nowhere")
    mirrored()
    (source / "link").unlink()
    write(source, "link/now a directory", "x")
    mirrored()
    shutil.rmtree(source / "link")
    (source / "link").write_text("now a file")
    mirrored()
    (source / "link").unlink()
    (source / "link").symlink_to("target")
    mirrored()
    shutil.rmtree(source / "target")
    (source / "target").symlink_to("first")
    mirrored()


def test_hostile_names(mirrored: Callable[[], None], source: Path) -> None:
    for name in HOSTILE_NAMES:
        write(source, name, b"file " + name)
        write(source, b"directories/" + name + b"/" + name, name)
    mirrored()
    for name in HOSTILE_NAMES:
        os.rename(os.fsencode(source / "directories") + b"/" + name, os.fsencode(source) + b"/d")
        os.unlink(os.fsencode(source) + b"/" + name)
        os.rename(os.fsencode(source) + b"/d", os.fsencode(source) + b"/" + name)
    mirrored()


def test_an_unpacked_archive(mirrored: Callable[[], None], source: Path, tmp_path: Path) -> None:
    for number in range(1000):
        write(tmp_path, f"packed/{number % 97}/{number % 31}/{number}", f"content {number}\n")
    archive = str(tmp_path / "packed.tar")
    subprocess.run(["tar", "-C", tmp_path, "-cf", archive, "packed"], check=True)
    subprocess.run(["tar", "-C", source, "-xf", archive], check=True)
    mirrored()


def test_directories_that_rsync_has_for_itself_in_a_mirror_stay(
    inosync: Callable, source: Path, tmp_path: Path
) -> None:
    mirrors = {name: tmp_path / name for name in ("beside", "below", "making", "suffix")}
    for mirror in mirrors.values():
        (mirror / "tmp").mkdir(parents=True)
    extras = {
        "beside": "--backup --backup-dir=.old",
        "below": f"--backup --backup-dir={mirrors['below']}/a/old",
        "making": "--temp-dir=tmp",
        "suffix": "--backup --suffix=~old",
    }
    nodes = [{"node": f"{mirrors[name]}/", "extra": extra} for name, extra in extras.items()]
    nodes[1]["rscope"] = "changes"
    write(source, "d/e", "1")
    daemon = inosync(SETTINGS | {"wpath": f"{source}/", "rnodes": nodes})

    def settled() -> None:
        done = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
        assert done.returncode == 0, done.stdout + daemon.log()

    settled()
    for number in range(3):
        write(source, "d/e", f"{number}")
        settled()
    shutil.rmtree(source / "d")
    (source / "d").symlink_to("first")
    settled()
    assert run_inosync("-c", daemon.config_file, "--sync", cwd=daemon.folder).returncode == 0
    settled()
    kept = {path.relative_to(mirrors["beside"]).as_posix() for path in mirrors["beside"].rglob("*")}
    assert kept == {"first", "d", ".old", ".old/d", ".old/d/e"}
    kept = {path.relative_to(mirrors["below"]).as_posix() for path in mirrors["below"].rglob("*")}
    assert kept == {"first", "d", "a", "a/old", "a/old/d", "a/old/d/e"}
    assert (mirrors["making"] / "tmp").is_dir()
    kept = {path.relative_to(mirrors["suffix"]).as_posix() for path in mirrors["suffix"].rglob("*")}
    assert kept == {"first", "d", "d~old", "d~old/d", "d~old/d/e~old"}
    assert (mirrors["suffix"] / "d").is_symlink()
    assert "; next try in" not in daemon.log()


def test_random_churn(mirrored: Callable[[], None], source: Path) -> None:
    for seed in range(5):
        churn(source, seed, steps=150)
    mirrored()


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_file_rewritten_with_the_same_size_at_once_is_never_stale(
    inosync: Callable, source: Path, place: Place, scope: str
) -> None:
    inosync(
        {"wpath": f"{source}/", "rnodes": [place.node], "edelay": 0, "rscope": scope},
        environment=place.environment,
    )
    for number in range(50):
        text = f"version {number:04}\n"
        (source / "first").write_text(text)
        until(
            lambda text=text: (place.root / "first").read_text() == text,
            what=f"version {number} on the mirror",
        )
