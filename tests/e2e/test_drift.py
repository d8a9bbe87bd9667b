"""What a comparison says: only what is not owed is drift, only what was compared is equal."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.daemon import Daemon, run_inosync, settings
from support.mounting import disk, hide, mounts_below, needs_mounts, show
from support.places import Place
from support.trees import write
from support.waiting import until

OLD = 1_600_000_000


def age(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (OLD, OLD))
    os.utime(root, (OLD, OLD))


def run(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_inosync("-c", daemon.config_file, *arguments, cwd=daemon.folder)


def between(folder: Path, *, once: str) -> str:
    """A program that runs rsync, but does something else before its first comparison."""
    program = folder / "rsync"
    program.write_text(
        f"#!/bin/sh\ncase $* in *--dry-run*--checksum*|*--checksum*--dry-run*)"
        f" [ -e '{folder}/done' ] || {{ touch '{folder}/done'; {once}; }};; esac\n"
        'exec /usr/bin/rsync "$@"\n'
    )
    program.chmod(0o755)
    return str(program)


def compared(daemon: Daemon) -> list[dict[str, Any]]:
    """What the next comparison of each mirror finds that begins from now on."""
    since = time.time()

    def found() -> list[dict[str, Any]]:
        status = json.loads(run(daemon, "--status", "--json").stdout)
        drifts = [mirror["drift"] for mirror in status["mirrors"] if mirror["lane"] == ""]
        return drifts if all(drift and drift["at"] > since for drift in drifts) else []

    until(found, what="a comparison", state=daemon.log)
    since = time.time()  # that one may have begun before
    until(found, what="another comparison", state=daemon.log)
    return found()


def test_what_nobody_owes_is_no_drift(inosync: Callable, tmp_path: Path, local: Place) -> None:
    base = tmp_path / "base"
    source = base / "over" / "source"
    for name in ("first", "plain/file", "busy/file", "log/open", "hidden/file"):
        write(source, name, "x")
    age(base)
    daemon = inosync(
        settings(source, local.node, rverify=0.3, eopen=0, emaxdelay=0.2, rscope="changes")
        | {"wpath": f"{base}/./over/source", "rexcludes": ["/over/source/busy/*.tmp"]}
        | {"rsettle": {"*.iso": 60}}
    )
    daemon.wait_for_log("in sync (first pass")
    mirror = local.root / "over" / "source"
    with open(source / "log" / "open", "w") as log:
        log.write("not closed yet")
        log.flush()
        write(source, "busy/a.tmp", "excluded")  # gives the directory another time
        write(source, "plain/big.iso", "not at rest")
        os.utime(base / "over", (1, 1))
        write(source, "hidden/file", "new")  # and what is sent afterwards makes all that older
        until(lambda: (mirror / "hidden/file").read_text() == "new", what="a change")
        time.sleep(0.1)
        assert [drift["paths"] for drift in compared(daemon)] == [0], daemon.log()
        told = run(daemon, "--verify")
        assert told.returncode == 5, told.stdout
        wanted = [
            "note: log/open may still be open for writing (eopen = 0): not counted",
            "note: other times, by what is not sent: busy, plain",
            "not compared: plain/big.iso is not at rest (rsettle)",
            "equal but for 1 path not compared",
        ]
        lines = [line.partition(": ")[2] for line in told.stdout.splitlines()]
        assert sorted(lines) == sorted(wanted), told.stdout
    until(lambda: (mirror / "log/open").read_text() == "not closed yet", what="the closed file")
    # The same differences count where nothing explains them.
    for path in ("hidden", "first"):
        os.utime(mirror / path, (1, 1))
    until(lambda: compared(daemon)[0]["paths"] == 2, what="drift", state=daemon.log)
    told = run(daemon, "--verify")
    assert "hidden: times" in told.stdout
    assert "first: times" in told.stdout
    assert told.stdout.endswith("2 paths differ, 1 path not compared\n")


def test_what_is_renamed_while_it_is_compared_is_no_drift(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    for number in range(5):
        write(source, f"old/below/{number}", "x")
    age(source)
    rename = f"mv '{source}/old' '{source}/new'"
    away = tmp_path / "away"
    rsync = between(tmp_path, once=f"while [ ! -e '{away}' ]; do sleep 0.01; done; {rename}")
    daemon = inosync(settings(source, local.node, rverify=0.2, edelay=1, rsync=rsync))
    daemon.wait_for_log("in sync (first pass")
    away.touch()
    until((local.root / "new/below/4").exists, what="the renamed directory")
    compared(daemon)
    assert "differ" not in daemon.log()
    assert daemon.stop() == 0

    # Without a daemon nobody will carry it: that is said, and no word of what is in it.
    (tmp_path / "done").unlink()
    between(tmp_path, once=f"mv '{source}/new' '{source}/old'; sleep 0.1")
    told = run(daemon, "--verify")
    assert "differ" not in told.stdout, told.stdout
    assert "changed just now and not counted: " in told.stdout
    told = run(daemon, "--verify")
    assert told.returncode == 5
    assert told.stdout.count(": missing") == 7


def test_what_comes_to_rest_before_the_second_look_is_no_drift(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    """A file is swapped for another with an old ctime, and the daemon needs a while to carry it."""
    write(source, "sub/file", "one")
    write(tmp_path, "beside/sub/file", "two")
    for root in (source, tmp_path / "beside"):
        age(root)
    swap = f"mv '{source}/sub' '{tmp_path}/x'; mv '{tmp_path}/beside/sub' '{source}'"
    rsync = between(tmp_path, once=f"{swap}; touch '{source}/sub/new'")
    daemon = inosync(settings(source, local.node, edelay=0.5, emaxdelay=0.5, rsync=rsync))
    daemon.wait_for_log("in sync (first pass")
    time.sleep(2.6)
    told = run(daemon, "--verify")
    assert told.stdout.endswith(": equal\n"), told.stdout
    assert (local.root / "sub/file").read_text() == "two"


@needs_mounts
def test_what_was_not_compared_is_named(inosync: Callable, source: Path, local: Place) -> None:
    with mounts_below(source.parent) as folder:
        (source / "disk").mkdir()
        show(disk(folder / "part"), source / "disk")
        write(source, "disk/precious", "x")
        write(source, "A/f", "x")
        write(local.root, "A/x.tmp", "it is excluded, and stays")
        age(source)
        more = {"rexcludes": ["*.tmp"], "rretry": (1, 60), "rverify": 0.3, "emaxdelay": 0.2}
        more |= {"rbigsize": 10_000, "rbigdelay": 60, "rsettle": {"*.iso": 60}}
        daemon = inosync(settings(source, local.node, **more))
        daemon.wait_for_log("in sync (first pass", times=2)
        hide(source / "disk")
        (source / "A/f").unlink()
        (source / "A").rmdir()
        write(source, "A", "a file")
        until(lambda: "all is sent but 1 path" in daemon.log(), what="a path that ails")
        write(source, "x.iso", "not at rest")
        (drift,) = compared(daemon)
        assert drift["paths"] == 0, daemon.log()
        assert drift["apart"] == 3
        assert sorted(drift["apart_examples"]) == ["A", "disk", "x.iso"]
        write(source, "two", "two" * 5_000)  # its lane rests after the first pass
        # Times and contents of what is not compared may be what they want.
        write(local.root, "disk/other", "?")
        told = run(daemon, "--verify")
        lines = [line.partition("/: ")[2] for line in told.stdout.splitlines()]
        assert told.returncode == 5
        wanted_lines = [
            "A ",
            "disk is left alone: what was mounted there is gone",
            "two is on its way in the lane for big files",
            "x.iso is not at rest (rsettle)",
        ]
        assert [line.removeprefix("not compared: ") for line in sorted(lines[-5:-1])] == [
            next(found for found in lines if found.startswith(f"not compared: {line}"))[14:]
            for line in wanted_lines
        ]
        assert lines[-1] == "equal but for 4 paths not compared", told.stdout
        assert not any("differ" in line for line in lines)


def test_nothing_is_compared_through_a_link_that_is_held(
    inosync: Callable, tmp_path: Path, local: Place
) -> None:
    """Nor is it waited for: the other source is mended."""
    held, well = tmp_path / "above/held", tmp_path / "well"
    for source in (held, well, tmp_path / "secret/held"):
        write(source, "file", "1")
        age(source)
    more = {"wpaths": [str(held), str(well)], "rverify": 0.2, "emaxdelay": 0.1, "rscope": "changes"}
    conf = settings(held, local.node, **more)
    del conf["wpath"]
    daemon = inosync(conf)
    daemon.wait_for_log("in sync (first pass", times=2)
    write(tmp_path / "secret/held", "file", "2")
    write(tmp_path / "secret/held", "key", "2")
    held.parent.rename(tmp_path / "away")
    held.parent.symlink_to(tmp_path / "secret")
    compared_well = time.time()

    def drifts() -> list[dict[str, Any]]:
        status = json.loads(run(daemon, "--status", "--json").stdout)
        return [mirror["drift"] for mirror in status["mirrors"]]

    until(lambda: (drifts()[1] or {"at": 0})["at"] > compared_well, what="another comparison")
    assert (drifts()[0] or {"at": 0.0})["at"] < compared_well
    assert "differ" not in daemon.log()
    changed = (well / "file").stat().st_ctime
    until(lambda: time.time() - changed > 2.5, what="a change that was long ago")
    os.utime(local.root / "well/file", (1, 1))
    began = time.monotonic()
    mended = run(daemon, "--verify", "--repair")
    assert time.monotonic() - began < 15
    assert mended.returncode == 1
    assert (
        f"{held} -> {local.node}: NOT COMPARED: the daemon holds it: the source " in mended.stdout
    )
    assert ": file: times" in mended.stdout
    assert "\nmended\n" not in mended.stdout
    until(lambda: (local.root / "well/file").stat().st_mtime == OLD, what="what was well")
    assert daemon.stop() == 0
    assert (local.root / "held/file").read_text() == "1"


@needs_mounts
def test_what_is_left_alone_is_not_said_to_be_mended(
    inosync: Callable, source: Path, local: Place
) -> None:
    with mounts_below(source.parent) as folder:
        (source / "disk").mkdir()
        show(disk(folder / "part"), source / "disk")
        age(source)
        daemon = inosync(settings(source, local.node, emaxdelay=0.1))
        daemon.wait_for_log("in sync (first pass")
        hide(source / "disk")
        daemon.wait_for_log("what was mounted on disk is gone")
        daemon.wait_for_log("what was mounted on disk is gone")
        mended = run(daemon, "--verify", "--repair")
        assert mended.returncode == 5
        assert "in sync but for 1 path" in mended.stderr
        assert "disk is left alone: what was mounted there is gone" in mended.stderr
        assert "mended" not in mended.stdout
