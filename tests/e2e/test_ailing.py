"""Paths that cannot be carried: named, tried again, and in nobody's way."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.mounting import disk, mounts_below, needs_mounts
from support.places import Place, place_on
from support.trees import write
from support.waiting import until

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")


def ask(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    return run_inosync("-c", daemon.config_file, *words, cwd=daemon.folder)


def mirror_of(daemon: Daemon) -> dict[str, Any]:
    (mirror,) = json.loads(ask(daemon, "--status", "--json").stdout)["mirrors"]
    return mirror


@pytest.mark.parametrize(
    ("transport", "scope"), [("local", "tree"), ("daemon", "changes"), ("ssh", "changes")]
)
def test_what_stands_in_the_way_delays_nothing(
    request: pytest.FixtureRequest, transport: str, scope: str, inosync: Callable, source: Path
) -> None:
    place = place_on(request, transport)
    write(source, "A/f", "x")
    write(source, "D/E/f", "x")
    write(source, "pipe", "a file")
    write(place.root, "A/x.tmp", "cache")
    write(place.root, "D/E/y.tmp", "cache")
    more = {"rscope": scope, "rexcludes": ["*.tmp"], "rretry": (60, 60)}
    daemon = inosync(settings(source, place.node, **more), environment=place.environment)
    until((place.root / "pipe").exists, what="the first pass")
    assert ask(daemon, "--wait", "20").returncode == 0

    shutil.rmtree(source / "A")
    write(source, "A", "a file")
    (source / "pipe").unlink()
    os.mkfifo(source / "pipe")
    shutil.rmtree(source / "D")
    began = time.monotonic()
    waited = ask(daemon, "--wait", "20")
    assert time.monotonic() - began < 10
    assert waited.returncode == 5
    assert "in sync but for 1 path:" in waited.stderr
    assert " A is a directory on the node that keeps something excluded" in waited.stderr
    assert not os.path.lexists(place.root / "pipe")

    write(source, "other", "x")
    until((place.root / "other").exists, what="another change")
    shown = ask(daemon, "--status")
    assert (shown.returncode, "in sync but for 1 path" in shown.stdout) == (5, True)
    told = mirror_of(daemon)
    assert [each["path"] for each in told["ailing"]] == ["A"]
    assert (told["lag"], told["state"]) == (None, "idle")
    assert [note.split(" stays")[0] for note in told["notes"]] == ["D/E"]
    words = ("-c", daemon.config_file, "--verify")
    verified = run_inosync(*words, cwd=daemon.folder, environment=place.environment).stdout
    assert "note: D/E stays on the node" in verified
    if place.node.startswith("/"):
        assert "D/E/y.tmp is in it, which the rule *.tmp protects" in verified

    (place.root / "A/x.tmp").unlink()
    (place.root / "D/E/y.tmp").unlink()
    (source / "A").touch()
    (source / "D").touch()
    until((place.root / "A").is_file, what="a file in the place of the directory")
    assert ask(daemon, "--wait", "20").returncode == 0
    assert ask(daemon, "--status").returncode == 0


@pytest.mark.parametrize(("transport", "scope"), [("local", "tree"), ("daemon", "changes")])
def test_what_comes_into_a_directory_while_it_is_deleted_goes_as_well(
    request: pytest.FixtureRequest, transport: str, scope: str, inosync: Callable, source: Path
) -> None:
    place = place_on(request, transport)
    late = source.parent / "late"
    spy = source.parent / "rsync"
    spy.write_text(  # the half of a run that was killed gives up its last file in this moment
        f'#!/bin/sh\nrsync "$@"\ncode=$?\n[ -d {place.root}/d ] && exit $code\n'
        f"rmdir {late} 2>/dev/null || exit $code\n"
        f"mkdir {place.root}/d && touch {place.root}/d/file\n"
        "echo 'cannot delete non-empty directory: d'\nexit $code\n"
    )
    spy.chmod(0o755)
    write(source, "d/file", "x")
    daemon = inosync(
        settings(source, place.node, rscope=scope, rsync=str(spy)), environment=place.environment
    )
    assert ask(daemon, "--wait", "20").returncode == 0
    late.mkdir()
    shutil.rmtree(source / "d")
    assert ask(daemon, "--wait", "20").returncode == 0
    assert not late.exists()
    assert not (place.root / "d").exists()
    assert mirror_of(daemon)["notes"] == []


@pytest.mark.parametrize(("transport", "scope"), [("local", "changes"), ("daemon", "tree")])
def test_what_ends_a_run_delays_nothing(
    request: pytest.FixtureRequest, transport: str, scope: str, inosync: Callable, source: Path
) -> None:
    """A file whose old version has no place: rsync goes no further."""
    place = place_on(request, transport)
    for name in ("c", "z/deep"):
        write(source, name, "new and longer")
    write(place.root, "c", "old")
    write(place.root, "c~/x.tmp", "cache")
    more = {"rscope": scope, "rexcludes": ["*.tmp"], "rretry": (60, 60), "extra": "--backup"}
    daemon = inosync(settings(source, place.node, **more), environment=place.environment)
    until((place.root / "z/deep").exists, what="what comes after it in the first pass")
    waited = ask(daemon, "--wait", "20")
    assert waited.returncode == 5, daemon.log()
    assert "c cannot have its old version kept" in waited.stderr
    write(source, "c", "newer")
    write(source, "other", "x")
    until((place.root / "other").exists, what="another change")
    assert (place.root / "c").read_text() == "old"
    shutil.rmtree(place.root / "c~")
    (source / "c").touch()
    until(lambda: (place.root / "c").read_text() == "newer", what="what has a place now")
    assert ask(daemon, "--wait", "20").returncode == 0
    assert (place.root / "c~").read_text() == "old"


@needs_root
@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_what_cannot_be_read_is_not_deleted_and_all_else_is(scope: str, open_path: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    source, mirror = open_path / "source", open_path / "mirror"
    for path in ("f", "locked/inside", "z/gone", "secret", "theirs/x"):
        write(source, path, "x")
    mirror.mkdir()
    write(mirror, "locked/before", "x")
    for folder, names, files in os.walk(open_path):
        for name in (".", *names, *files):
            os.chown(os.path.join(folder, name), nobody, -1)
    for path, mode in ((source / "locked", 0o700), (source / "secret", 0o600)):
        os.chown(path, 0, 0)
        path.chmod(mode)
    write(mirror, "theirs/old", "x")
    (mirror / "theirs").chmod(0o755)
    more = {"user": "nobody", "rscope": scope, "rretry": (60, 60)}
    with Daemon(open_path / "daemon", settings(source, f"{mirror}/", **more)) as daemon:
        daemon.start()
        until((mirror / "f").exists, what="the first pass")
        waited = ask(daemon, "--wait", "20")
        assert waited.returncode == 5
        told = {each["path"]: each["cause"] for each in mirror_of(daemon)["ailing"]}
        assert told["locked"] == told["secret"] == "cannot be read"
        assert "theirs/x" in told
        assert "let nobody read it" in waited.stderr
        assert "in sync but for " in waited.stderr
        (source / "z/gone").unlink()
        # rsync has come to what is locked before it would delete this.
        until(lambda: not (mirror / "z/gone").exists(), what="a deletion")
        assert (mirror / "locked/before").exists()
        for path in ("locked", "secret"):
            os.chown(source / path, nobody, -1)
        os.chown(mirror / "theirs", nobody, -1)
        until((mirror / "locked/inside").exists, what="what was locked")
        until(lambda: not (mirror / "locked/before").exists(), what="a deletion there")
        until((mirror / "secret").exists, what="what was secret")
        assert ask(daemon, "--sync").returncode == 0
        assert ask(daemon, "--wait", "20").returncode == 0, mirror_of(daemon)


def test_rsync_is_there_again(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "rsync"
    program.parent.mkdir()
    shutil.copy2(shutil.which("rsync") or "", program)
    daemon = inosync(settings(source, local.node, rsync=str(program), rretry=(60, 60)))
    until((local.root / "first").exists, what="the first pass")
    program.rename(program.with_name("away"))
    write(source, "later", "x")
    daemon.wait_for_log("rsync was not found")
    program.with_name("away").rename(program)
    until((local.root / "later").exists, what="the next try")
    assert ask(daemon, "--wait", "10").returncode == 0


@needs_mounts
def test_there_is_room_again(inosync: Callable, source: Path, tmp_path: Path) -> None:
    with mounts_below(tmp_path):
        full = disk(tmp_path / "full")
        subprocess.run(["mount", "-o", "remount,size=256k", full], check=True)
        (full / "rest").write_bytes(b"x" * 200_000)
        write(source, "big", "x" * 150_000)
        (full / "mirror").mkdir()
        daemon = inosync(
            settings(source, f"{full}/mirror/", rscope="changes", rretry=(60, 60), edelay=0)
        )
        until(lambda: mirror_of(daemon)["state"] == "backoff", what="a full disk")
        write(source, "small", "x")
        until((full / "mirror/small").exists, what="what there is room for")
        (full / "rest").unlink()
        until((full / "mirror/big").exists, what="the next try")
        assert ask(daemon, "--wait", "10").returncode == 0
