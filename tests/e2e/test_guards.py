"""What is held or left alone stays so through reloads, returns and options, until a person says.

Or until the thing itself is back. tests/property/test_guards.py does the same at random.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.mounting import disk, hide, mounts_below, needs_mounts, show, stir
from support.places import wait_equal
from support.profile import DEEP
from support.trees import Entry, difference, snapshot, write
from support.waiting import until, until_empty

HELD = "held, its mirrors are left as they are"

#: Settings that change how a source is watched, and ones that do not.
OTHER_SETTINGS: tuple[dict[str, object], ...] = (
    {"eopen": 0},
    {"rexcludes": ["never-there"]},
    {"rtimeout": 299},
    {"rbigsize": 10_000},
)
#: What once told the protected from the others wrongly.
OPTIONS = ("", "--delete-excluded", "--delete-after", "--delete-excluded --delete-delay")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder below which nothing stays mounted."""
    with mounts_below(tmp_path):
        yield tmp_path


@pytest.fixture
def node(folder: Path) -> Path:
    """The directory of a node."""
    (folder / "A").mkdir()
    return folder / "A"


@pytest.fixture
def other(folder: Path) -> Path:
    """The directory of another node."""
    (folder / "B").mkdir()
    return folder / "B"


@pytest.fixture
def part(folder: Path, source: Path) -> Path:
    """A directory of the source with a file system of its own, and something in it."""
    inner = source / "disk [2]"
    inner.mkdir()
    show(disk(folder / "disks/part"), inner)
    write(inner, "deep/precious", "precious\n")
    return inner


@pytest.fixture
def own(folder: Path, source: Path) -> Path:
    """A file system of its own for the source, something in it, and something below its mount."""
    show(disk(folder / "disks/own"), source)
    for number in range(3):
        write(source, f"precious{number}", "precious\n")
    return folder / "disks/own"


@pytest.fixture
def mirrored(inosync: Callable, source: Path) -> Callable:
    """Start a daemon that mirrors the source: ``daemon, config, before = mirrored(node, ...)``.

    All nodes are equal to the source; `before` is what the last of them has.
    """

    def start(*nodes: Path, **more: object) -> tuple[Daemon, dict[str, object], dict[bytes, Entry]]:
        config = settings(source, *(f"{node}/" for node in nodes), **more)
        daemon = inosync(config)
        for node in nodes:
            wait_equal(source, node)
        return daemon, config, snapshot(nodes[-1])

    return start


def ask(daemon: Daemon, *arguments: str, status: int | None = 0) -> None:
    """Have a command answered."""
    asked = run_inosync("-c", daemon.config_file, *arguments, cwd=daemon.folder)
    assert status in (None, asked.returncode), asked.stderr


def reload(daemon: Daemon, config: dict[str, object], **other: object) -> None:
    """Change settings, and have them read."""
    daemon.configure(config | other)
    ask(daemon, "--reload")


def held_again(daemon: Daemon, folder: Path) -> None:
    """Let the daemon look again at a source that it holds, with and without a reason to."""
    stir(folder / "stirred")
    ask(daemon, "--wait", "3", status=5)


def after_a_change(daemon: Daemon, source: Path, *mirrors: Path) -> None:
    """Change something, and return when that has arrived, with all that went before."""
    changed = write(source, "change", f"{os.urandom(8).hex()}\n")
    asked = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
    unmounted = (
        "in sync but for" in asked.stderr and "what was mounted there is gone" in asked.stderr
    )
    assert asked.returncode == (5 if unmounted else 0), asked.stderr
    for mirror in mirrors:
        assert (mirror / "change").read_text() == changed.read_text()


def left_alone(before: dict[bytes, Entry], mirror: Path, name: str) -> None:
    """What the mirror has below `name` is what it had."""
    top = os.fsencode(name)
    wanted = {path: entry for path, entry in before.items() if path.startswith(top + b"/")}
    now = snapshot(mirror)
    found = {path: entry for path, entry in now.items() if path.startswith(top + b"/")}
    assert wanted
    assert difference(wanted, found) == []


# ---- what was mounted inside ------------------------------------------------------------------


@needs_mounts
@pytest.mark.parametrize("setting", OTHER_SETTINGS, ids=lambda it: next(iter(it)))
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_unmounted_inside_and_a_reload(
    mirrored: Callable,
    folder: Path,
    source: Path,
    node: Path,
    part: Path,
    setting: dict[str, object],
    scope: str,
) -> None:
    daemon, config, before = mirrored(node, rscope=scope)
    hide(part)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    told = run_inosync("-c", daemon.config_file, "--wait", "20", cwd="/")
    assert (told.returncode, "in sync but for 1 path" in told.stderr) == (5, True), told.stderr
    assert f"{part.name} is left alone: what was mounted there is gone" in told.stderr
    reload(daemon, config, **setting)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    reload(daemon, config)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    show(folder / "disks/part", part)
    write(part, "new", "x")
    wait_equal(source, node)
    assert run_inosync("-c", daemon.config_file, "--wait", "20", cwd="/").returncode == 0


@needs_mounts
@pytest.mark.parametrize("extra", OPTIONS)
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_unmounted_inside_and_options(
    mirrored: Callable, source: Path, node: Path, part: Path, extra: str, scope: str
) -> None:
    daemon, _, before = mirrored(node, extra=extra, rscope=scope, rfull=0)
    hide(part)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    shutil.rmtree(part)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    ask(daemon, "--sync")
    wait_equal(source, node)


@needs_mounts
def test_unmounted_inside_and_the_source_away_and_back(
    mirrored: Callable, folder: Path, source: Path, node: Path, part: Path
) -> None:
    daemon, _, before = mirrored(node)
    hide(part)
    after_a_change(daemon, source, node)
    source.rename(folder / "away")
    daemon.wait_for_log(HELD)
    (folder / "away").rename(source)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)


@needs_mounts
def test_unmounted_inside_while_the_source_is_away(
    mirrored: Callable, folder: Path, source: Path, node: Path, part: Path
) -> None:
    daemon, _, before = mirrored(node)
    source.rename(folder / "away")
    daemon.wait_for_log(HELD)
    hide(folder / "away" / part.name)
    (folder / "away").rename(source)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)


@needs_mounts
def test_unmounted_inside_while_paused(
    mirrored: Callable, source: Path, node: Path, part: Path
) -> None:
    daemon, config, before = mirrored(node)
    ask(daemon, "--pause")
    hide(part)
    write(source, "meanwhile", "x")
    reload(daemon, config, eopen=0)
    ask(daemon, "--resume")
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)


@needs_mounts
def test_the_outer_file_system_is_mounted_before_the_inner_one(
    mirrored: Callable, folder: Path, source: Path, node: Path, own: Path, part: Path
) -> None:
    daemon, _, before = mirrored(node)
    hide(source)
    daemon.wait_for_log(HELD)
    show(own, source)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    show(folder / "disks/part", part)
    write(part, "new", "x")
    wait_equal(source, node)


@needs_mounts
def test_one_inside_the_other_the_outer_first(
    mirrored: Callable, folder: Path, source: Path, node: Path, part: Path
) -> None:
    inner = part / "inner"
    inner.mkdir()
    show(disk(folder / "disks/inner"), inner)
    write(inner, "precious", "precious\n")
    daemon, _, before = mirrored(node)
    hide(part)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    show(folder / "disks/part", part)
    write(part, "new", "x")
    after_a_change(daemon, source, node)
    assert (node / part.name / "new").exists()
    left_alone(before, node, f"{part.name}/inner")


def nothing(point: Path) -> None:
    """Leave nothing there."""


def a_file(point: Path) -> None:
    """Make a file."""
    point.write_text("no directory\n")


def a_link(point: Path) -> None:
    """Make a link to a directory that has other things in it."""
    elsewhere = write(point.parent.parent, "elsewhere/secret", "x").parent
    point.symlink_to(elsewhere)


@needs_mounts
@pytest.mark.parametrize("become", [nothing, a_file, a_link])
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_the_mount_point_is_removed_or_replaced(
    mirrored: Callable,
    folder: Path,
    source: Path,
    node: Path,
    part: Path,
    become: Callable,
    scope: str,
) -> None:
    daemon, config, before = mirrored(node, rscope=scope)
    hide(part)
    part.rmdir()
    become(part)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    reload(daemon, config, eopen=0)
    after_a_change(daemon, source, node)
    left_alone(before, node, part.name)
    if os.path.lexists(part):
        part.unlink()
    part.mkdir()
    show(folder / "disks/part", part)
    write(part, "new", "x")
    wait_equal(source, node)


@needs_mounts
@pytest.mark.parametrize("become", [nothing, a_file, a_link])
def test_the_directory_above_the_mount_point_is_removed_or_replaced(
    mirrored: Callable, folder: Path, source: Path, node: Path, become: Callable
) -> None:
    point = source / "deep/er"
    point.mkdir(parents=True)
    write(source, "deep/beside", "x")
    show(disk(folder / "disks/part"), point)
    write(point, "precious", "precious\n")
    daemon, _, before = mirrored(node, rretry=(0.1, 0.2))
    hide(point)
    daemon.wait_for_log("left alone on the mirrors")
    shutil.rmtree(source / "deep")
    become(source / "deep")
    # For a file rsync cannot make way on the mirror, and says so; all else arrives.
    write(source, "change", "x")
    until((node / "change").exists, what="the change")
    ask(daemon, "--wait", "2", status=None)
    left_alone(before, node, "deep/er")
    ask(daemon, "--sync")
    wait_equal(source, node)


@needs_mounts
def test_of_what_is_unmounted_a_person_decides_for_one_node(
    mirrored: Callable, folder: Path, source: Path, node: Path, other: Path, part: Path
) -> None:
    daemon, config, before = mirrored(node, other)
    hide(part)
    after_a_change(daemon, source, node, other)
    ask(daemon, "--sync", "--node", f"{node}/")
    wait_equal(source, node)
    left_alone(before, other, part.name)
    after_a_change(daemon, source, node, other)
    left_alone(before, other, part.name)
    reload(daemon, config, eopen=0)
    after_a_change(daemon, source, node, other)
    wait_equal(source, node)
    left_alone(before, other, part.name)
    show(folder / "disks/part", part)
    write(part, "new", "x")
    wait_equal(source, node)
    wait_equal(source, other)
    before = snapshot(node)
    hide(part)  # what was said of the last time says nothing of this one
    after_a_change(daemon, source, node, other)
    left_alone(before, node, part.name)


@needs_mounts
def test_what_lies_below_an_accepted_unmount_is_watched(
    mirrored: Callable, source: Path, node: Path, part: Path
) -> None:
    daemon, _, _ = mirrored(node)
    hide(part)
    daemon.wait_for_log("left alone on the mirrors")
    ask(daemon, "--sync")
    wait_equal(source, node)
    write(part, "later", "x")
    wait_equal(source, node)


@needs_mounts
def test_a_node_leaves_the_config_and_comes_back(
    mirrored: Callable, source: Path, node: Path, other: Path, part: Path
) -> None:
    daemon, config, before = mirrored(node, other)
    hide(part)
    after_a_change(daemon, source, node, other)
    reload(daemon, config, rnodes=[f"{node}/"])
    after_a_change(daemon, source, node)
    reload(daemon, config)
    after_a_change(daemon, source, node, other)
    left_alone(before, other, part.name)


# ---- the source's own file system -------------------------------------------------------------


@needs_mounts
@pytest.mark.parametrize("setting", OTHER_SETTINGS, ids=lambda it: next(iter(it)))
def test_the_own_file_system_is_unmounted_something_below_and_a_reload(
    mirrored: Callable,
    folder: Path,
    source: Path,
    node: Path,
    own: Path,
    setting: dict[str, object],
) -> None:
    daemon, config, before = mirrored(node)
    hide(source)
    assert list(source.iterdir())
    daemon.wait_for_log(HELD)
    reload(daemon, config, **setting)
    held_again(daemon, folder)
    assert difference(before, snapshot(node)) == []
    reload(daemon, config)
    held_again(daemon, folder)
    assert difference(before, snapshot(node)) == []
    show(own, source)
    after_a_change(daemon, source, node)
    wait_equal(source, node)


@needs_mounts
def test_of_another_file_system_a_person_decides_for_one_node(
    mirrored: Callable, folder: Path, source: Path, node: Path, other: Path, own: Path
) -> None:
    daemon, config, before = mirrored(node, other)
    hide(source)
    daemon.wait_for_log(HELD)
    ask(daemon, "--sync", "--node", f"{node}/")
    wait_equal(source, node)
    assert difference(before, snapshot(other)) == []
    reload(daemon, config, eopen=0)
    held_again(daemon, folder)
    wait_equal(source, node)
    assert difference(before, snapshot(other)) == []
    show(own, source)
    wait_equal(source, other)


@needs_mounts
def test_an_empty_mount_point_is_accepted_at_once(
    mirrored: Callable, folder: Path, source: Path, node: Path, other: Path
) -> None:
    (source / "first").unlink()
    show(disk(folder / "disks/own"), source)
    write(source, "precious", "x")
    daemon, _, before = mirrored(node, other)
    hide(source)
    daemon.wait_for_log(HELD)
    ask(daemon, "--sync", "--node", f"{node}/")
    wait_equal(source, node)
    assert difference(before, snapshot(other)) == []
    ask(daemon, "--sync")
    wait_equal(source, other)


@needs_mounts
def test_who_waits_is_told_of_the_node_that_is_held(
    mirrored: Callable, source: Path, node: Path, other: Path, own: Path
) -> None:
    daemon, _, _ = mirrored(node, other)
    hide(source)
    daemon.wait_for_log(HELD)
    ask(daemon, "--sync", "--node", f"{node}/")
    wait_equal(source, node)
    ask(daemon, "--wait", "5", "--node", f"{node}/")
    ask(daemon, "--wait", "1", "--node", f"{other}/", status=5)
    ask(daemon, "--wait", "1", status=5)


# ---- empty ------------------------------------------------------------------------------------


def test_of_an_empty_source_a_person_decides_for_one_node(
    inosync: Callable, folder: Path, source: Path, node: Path, other: Path
) -> None:
    (source / "first").unlink()
    for mirror in (node, other):
        write(mirror, "precious", "x")
    config = settings(source, f"{node}/", f"{other}/")
    daemon = inosync(config)
    daemon.wait_for_log("is empty")
    before = snapshot(other)
    ask(daemon, "--sync", "--node", f"{node}/")
    wait_equal(source, node)
    assert difference(before, snapshot(other)) == []
    ask(daemon, "--wait", "3", status=None)
    assert difference(before, snapshot(other)) == []
    reload(daemon, config, eopen=0)
    ask(daemon, "--wait", "3", status=None)
    assert difference(before, snapshot(other)) == []
    write(source, "content", "x")
    wait_equal(source, node)
    wait_equal(source, other)


def test_an_empty_source_is_held_through_a_reload(
    inosync: Callable, folder: Path, source: Path, node: Path
) -> None:
    (source / "first").unlink()
    write(node, "precious", "x")
    config = settings(source, f"{node}/")
    daemon = inosync(config)
    daemon.wait_for_log("is empty")
    before = snapshot(node)
    for other in ({"eopen": 0}, {"rtimeout": 299}, {}):
        reload(daemon, config, **other)
        ask(daemon, "--wait", "1", status=5)
        assert difference(before, snapshot(node)) == []
    write(source, "content", "x")
    wait_equal(source, node)


# ---- a link in its place ----------------------------------------------------------------------


@pytest.fixture
def secret(folder: Path) -> Path:
    """A directory that is nobody's business."""
    return write(folder, "elsewhere/secret", "x").parent


def replace_by_link(source: Path, folder: Path, target: Path) -> None:
    """Put a link in the place of the source."""
    source.rename(folder / "away")
    source.symlink_to(target)


def put_back(source: Path, folder: Path) -> None:
    """Put the source in its place."""
    source.unlink()
    (folder / "away").rename(source)


@pytest.mark.parametrize("slash", ["/", ""])
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_directory_comes_back_as_a_link(
    inosync: Callable, folder: Path, source: Path, node: Path, secret: Path, slash: str, scope: str
) -> None:
    config = settings(source, f"{node}/", wpath=f"{source}{slash}", rscope=scope)
    daemon = inosync(config)
    mirror = node if slash else node / "source"
    wait_equal(source, mirror)
    before = snapshot(node)
    replace_by_link(source, folder, secret)
    daemon.wait_for_log(HELD)
    held_again(daemon, folder)
    assert difference(before, snapshot(node)) == []
    write(secret, "more", "x")
    daemon.configure(config | {"eopen": 0})
    ask(daemon, "--reload", status=0 if slash else 2)  # a config that says so is refused
    held_again(daemon, folder)
    assert difference(before, snapshot(node)) == []
    put_back(source, folder)
    write(source, "new", "x")
    wait_equal(source, mirror)


def test_a_link_at_once(
    mirrored: Callable, folder: Path, source: Path, node: Path, secret: Path
) -> None:
    """The daemon has had no time to see that the source was gone."""
    daemon, config, before = mirrored(node)
    ask(daemon, "--pause")
    write(source, "meanwhile", "x")
    replace_by_link(source, folder, secret)
    reload(daemon, config, eopen=0)
    ask(daemon, "--resume")
    held_again(daemon, folder)
    assert difference(before, snapshot(node)) == []
    put_back(source, folder)
    wait_equal(source, node)


def test_of_a_link_a_person_decides_for_one_node(
    mirrored: Callable, folder: Path, source: Path, node: Path, other: Path, secret: Path
) -> None:
    daemon, _, before = mirrored(node, other)
    replace_by_link(source, folder, secret)
    daemon.wait_for_log(HELD)
    ask(daemon, "--sync", "--node", f"{node}/")
    wait_equal(secret, node)
    stir(folder / "stirred")
    ask(daemon, "--wait", "3", status=None)
    assert difference(before, snapshot(other)) == []
    put_back(source, folder)
    wait_equal(source, node)
    wait_equal(source, other)


def test_without_a_slash_nobody_accepts_a_link(
    inosync: Callable, folder: Path, source: Path, node: Path, secret: Path
) -> None:
    """rsync would make the mirror's directory a link."""
    daemon = inosync(settings(source, f"{node}/", wpath=str(source)))
    wait_equal(source, node / "source")
    before = snapshot(node)
    replace_by_link(source, folder, secret)
    daemon.wait_for_log(HELD)
    ask(daemon, "--sync")
    held_again(daemon, folder)
    ask(daemon, "--sync", "--node", f"{node}/")
    held_again(daemon, folder)
    assert difference(before, snapshot(node)) == []
    put_back(source, folder)
    wait_equal(source, node / "source")


def test_what_was_a_link_at_the_start_may_be_one(
    inosync: Callable, folder: Path, source: Path, node: Path
) -> None:
    (folder / "link").symlink_to(source)
    config = settings(folder / "link", f"{node}/")
    daemon = inosync(config)
    wait_equal(source, node)
    reload(daemon, config, eopen=0)
    write(source, "new", "x")
    wait_equal(source, node)
    (folder / "link").unlink()
    (folder / "link").symlink_to(source)
    stir(folder / "stirred")
    write(source, "newer", "x")
    wait_equal(source, node)


# ---- many deletions, and files at work --------------------------------------------------------


#: What tells the daemon nothing of what was deleted, with each other setting; in the quick profile
#: each with one of them.
LIMITED = [
    (extra, scope, instead)
    for number, extra in enumerate(["", "-h", "-q", "--info=none", "--info=stats0"])
    for scope in ("tree", "changes")
    for instead in (nothing, a_file)
    if DEEP or (scope == "changes") == (number % 2 == (instead is nothing))
]


@pytest.mark.parametrize(("extra", "scope", "instead"), LIMITED)
def test_a_limit_outlives_reloads_and_options(
    mirrored: Callable, source: Path, node: Path, extra: str, scope: str, instead: Callable
) -> None:
    for number in range(12):
        write(source, f"many/{number}", "x")
    daemon, config, before = mirrored(node, rscope=scope, extra=extra, rmaxdelete=10)
    ask(daemon, "--pause")
    shutil.rmtree(source / "many")
    instead(source / "many")
    ask(daemon, "--resume")
    daemon.wait_for_log("rmaxdelete is 10")
    reload(daemon, config, eopen=0)
    ask(daemon, "--wait", "1", status=5)
    ask(daemon, "--pause")
    ask(daemon, "--resume")
    ask(daemon, "--wait", "1", status=5)
    assert difference(before, snapshot(node)) == []
    ask(daemon, "--sync")
    wait_equal(source, node)


def test_a_big_file_in_the_place_of_many_is_limited(
    mirrored: Callable, source: Path, node: Path
) -> None:
    for number in range(12):
        write(source, f"many/{number}", "x")
    more = {"rscope": "changes", "rmaxdelete": 10, "rbigsize": 4000, "rbigdelay": 0}
    daemon, _, before = mirrored(node, **more)
    ask(daemon, "--pause")
    shutil.rmtree(source / "many")
    write(source, "many", "x" * 5000)
    ask(daemon, "--resume")
    ask(daemon, "--wait", "3", status=5)
    # The lane gives the directories on its way their times.
    assert difference(before, snapshot(node), ignore_times=True) == []
    ask(daemon, "--sync")
    wait_equal(source, node)


@pytest.mark.parametrize("extra", OPTIONS)
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_what_settles_is_kept_on_the_mirror(
    mirrored: Callable, source: Path, node: Path, extra: str, scope: str
) -> None:
    write(source, "x.iso", "old\n")
    os.utime(source / "x.iso", (0, 0))
    more = {"rscope": scope, "extra": extra, "rsettle": {"*.iso": 3}, "allow_empty": True}
    daemon, _, _ = mirrored(node, **more)
    write(source, "x.iso", "newer content\n")
    changed = write(source, "other", "x")
    until((node / "other").exists, what=f"{changed.name} to arrive")
    ask(daemon, "--wait", "1", status=None)
    kept = (node / "x.iso").read_text()
    assert kept == "old\n" or time.time() >= (source / "x.iso").stat().st_mtime + 3
    until_empty(lambda: difference(snapshot(source), snapshot(node)), what="the file when it rests")
