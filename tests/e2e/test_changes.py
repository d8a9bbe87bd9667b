"""Scope "changes": a run names what has changed, and falls back to a full pass when it must."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.fakersync import Call, FakeRsync
from support.places import Place, wait_equal
from support.profile import DEEP
from support.trees import write
from support.waiting import until


def names(call: Call) -> list[bytes]:
    """What a run was told to carry."""
    return call.stdin.split(b"\0")[:-1]


@pytest.fixture
def spied(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> Callable[[], list[Call]]:
    """Start a daemon on a source in sync; return what gives the runs since then."""
    fakersync.always(delegate=True)
    for number in range(50):
        write(source, f"d{number % 5}/{number}", "x")
    daemon = inosync(
        {
            "edelay": 0.2,
            "rretry": (0.1, 0.5),
            "wpath": f"{source}/",
            "rnodes": [local.node],
            "rsync": str(fakersync.path),
            "rscope": "changes",
        }
    )
    wait_equal(source, local.root)
    daemon.wait_for_log("in sync (first pass")
    (first,) = fakersync.calls()
    assert "-ltrp" in first.argv
    return lambda: fakersync.calls()[1:]


def status(daemon: Daemon) -> dict[str, Any]:
    """What the daemon answers."""
    asked = run_inosync("-c", daemon.config_file, "--status", "--json", cwd=daemon.folder)
    return json.loads(asked.stdout)


def test_one_run_names_what_a_batch_changed(
    spied: Callable[[], list[Call]], source: Path, local: Place
) -> None:
    write(source, "d1/1", "changed")
    (source / "d2/2").unlink()
    write(source, "new/deep/file", "x")
    wait_equal(source, local.root)
    (call,) = spied()
    assert set(names(call)) - {b"./"} == {b"./d1/1", b"./d2/", b"./new/", b"./new/deep/"}


def test_what_is_not_named_is_left_alone(
    spied: Callable[[], list[Call]], source: Path, local: Place
) -> None:
    """A stray file on the mirror shows that a run did not look there."""
    write(local.root, "d3/stray", "x")
    write(source, "d1/1", "changed")
    until(lambda: (local.root / "d1/1").read_text() == "changed", what="the change")
    assert (local.root / "d3/stray").exists()


def test_a_failed_batch_is_carried_again_with_what_came_since(
    spied: Callable[[], list[Call]], source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.exits(12)
    write(source, "d1/1", "changed")
    until(lambda: len(spied()) == 1, what="the failure")
    write(source, "d2/2", "changed")
    wait_equal(source, local.root)
    # The run that was cut short may have left something in d1.
    assert {b"./d1/", b"./d2/2"} <= {name for call in spied()[1:] for name in names(call)}
    assert all("-ltrp" not in call.argv for call in spied())


def test_renamed_directories_and_links_in_their_place(
    spied: Callable[[], list[Call]], source: Path, local: Place
) -> None:
    (source / "d1").rename(source / "moved")
    (source / "d1").symlink_to("d2")
    write(source, "moved/later", "x")
    wait_equal(source, local.root)
    shutil.rmtree(source / "moved")
    (source / "d1").unlink()
    wait_equal(source, local.root)
    assert len(list((local.root / "d2").iterdir())) == 10


def test_another_name_of_a_file_is_found_without_a_full_pass(
    spied: Callable[[], list[Call]], source: Path, local: Place
) -> None:
    os.link(source / "d1/1", source / "d2/the same")
    wait_equal(source, local.root)
    with open(source / "d2/the same", "a") as file:
        file.write("more")
    wait_equal(source, local.root)
    assert not any("-ltrp" in call.argv for call in spied())


@pytest.mark.timeout(300)
def test_a_batch_of_very_many_names_is_one_run(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    """One changed file in each of ever so many directories; 90,000 in the deep profile."""
    count = 90_000 if DEEP else 11_000
    for number in range(count):
        write(source, f"{number % 100}/{number}/file", "x")
    fakersync.always(delegate=True)
    daemon = inosync(
        {
            "edelay": 4,  # to write them takes pauses where others work, too
            "emaxdelay": 60,
            "wpath": f"{source}/",
            "rnodes": [local.node],
            "rsync": str(fakersync.path),
            "rscope": "changes",
        }
    )
    daemon.wait_for_log("in sync (first pass", seconds=120)
    before = len(fakersync.calls())

    def events() -> int:
        return int(status(daemon)["sources"][0]["events"])

    for number in range(count):
        if number % 5000 == 0:  # the kernel's queue has its limit
            until(lambda least=number: events() >= least, what="the events to be read")
        (source / f"{number % 100}/{number}/file").write_text("changed")
    wait_equal(source, local.root, seconds=120)
    (call,) = fakersync.calls()[before:]
    assert len([name for name in names(call) if name.endswith(b"/file")]) == count


def test_a_huge_batch_is_a_full_pass(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    """More names than a list may have, gathered while another run is held, so in one batch."""
    # In no directory so many that it would be named in their place (plan.CROWD).
    paths = [f"d{number % 110}/{number}" for number in range(110 * 95)]
    for path in paths:
        write(source, path, "x")
    fakersync.always(delegate=True)
    daemon = inosync(settings(source, local.node, rscope="changes", rsync=str(fakersync.path)))
    daemon.wait_for_log("in sync (first pass")
    before = len(fakersync.calls())
    fakersync.always(delegate=True, hold=True)
    write(source, "new", "x")
    fakersync.wait_for_calls(before + 1)
    for path in paths:
        os.utime(source / path, (1, 1))  # one event each, which the kernel's queue has room for
    until(
        lambda: status(daemon)["mirrors"][0]["pending"] >= len(paths),
        what="all changes to wait for the run",
        state=lambda: status(daemon)["mirrors"],
    )
    fakersync.release()
    wait_equal(source, local.root)
    held, huge = fakersync.calls()[before:]
    assert b"./new" in names(held)
    assert "-ltrp" in huge.argv
    daemon.wait_for_log("more than 10000 paths have changed")


def test_sources_whose_names_begin_as_comments_do(inosync: Callable, tmp_path: Path) -> None:
    """What is before ``/./``, and the place where the mirror lies, keep their times and modes."""
    mirror = tmp_path / "mirror"
    mirror.mkdir(mode=0o700)
    paths = [tmp_path / "#one", tmp_path / "base/;two"]
    for path in paths:
        write(path, "d/first", "x")
    inosync(
        {
            "edelay": 0.1,
            "wpaths": [str(paths[0]), f"{tmp_path}/base/./;two"],
            "rnodes": [f"{mirror}/"],
            "rscope": "changes",
        }
    )
    for path in paths:
        wait_equal(path, mirror / path.name)
    for path in paths:
        (path / "d").rename(path / "moved")
        write(path, "moved/second", "x")
        write(path, "third", "x")
        wait_equal(path, mirror / path.name)
    assert mirror.stat().st_mode & 0o777 == 0o700


def test_pretending_prints_what_can_be_pasted(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(
        {
            "edelay": 0.1,
            "wpath": f"{source}/",
            "rnodes": [local.node],
            "rscope": "changes",
            "init": False,
        },
        arguments=("-p",),
    )
    write(source, "it's new", "x")
    daemon.wait_for_log("would execute: printf '%s\\0' ")
    line = next(line for line in daemon.log().splitlines() if "would execute" in line)
    command = line.partition("would execute: ")[2]
    subprocess.run(["/bin/sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
    assert (local.root / "it's new").read_text() == "x"
