"""What runs overwrite and delete is kept on the nodes (``rkeep``), and brought back."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import struct
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.mounting import mount, mounts_below, needs_mounts
from support.places import place_on, wait_equal
from support.servers import RsyncDaemon, SshServer
from support.trees import HOSTILE_NAMES, compare, write
from support.waiting import until, until_empty

from inosync.rsync.kept import folder

RRSYNC = shutil.which("rrsync")
KEPT = ".inosync-kept"


def kept(mirror: Path) -> dict[bytes, list[bytes]]:
    """Return the contents that a mirror keeps of each path, the oldest first."""
    found: dict[bytes, list[bytes]] = {}
    for run in sorted((mirror / KEPT).glob("*/*")):
        top = os.fsencode(run)
        for parent, _, files in os.walk(top):
            for name in files:
                path = os.path.join(parent, name)
                found.setdefault(os.path.relpath(path, top), []).append(
                    os.readlink(path)
                    if os.path.islink(path)
                    else Path(os.fsdecode(path)).read_bytes()
                )
    return found


def wait_mirrored(source: Path, mirror: Path) -> None:
    """Wait until the mirror is equal but for what it keeps."""
    until_empty(
        lambda: [text for text in compare(source, mirror) if KEPT not in text],
        what="an equal mirror",
    )


def settle(daemon: Daemon, source: Path, *mirrors: Path) -> None:
    """Wait until all that was done so far is on the mirrors."""
    done = run_inosync("-c", daemon.config_file, "--wait", "30", cwd=daemon.folder)
    assert done.returncode == 0, done.stdout + daemon.log()
    for mirror in mirrors:
        wait_mirrored(source, mirror)


@pytest.mark.skipif(RRSYNC is None, reason="rrsync comes with rsync 3.2.4 and later")
def test_what_runs_overwrite_and_delete_is_kept_on_each_node(
    inosync: Callable,
    source: Path,
    tmp_path: Path,
    rsync_daemon: RsyncDaemon,
    ssh_server: SshServer,
) -> None:
    mirrors = [tmp_path / "mirror", rsync_daemon.root / "sub", tmp_path / "jail/sub"]
    mirrors[2].mkdir(parents=True)
    ssh_server.restrict(f'restrict,command="{RRSYNC} -wo -no-lock {tmp_path}/jail"')
    for name in ("dir/a", "dir/deep/b", "turns/c", "new\nline", "old/deep/f"):
        write(source, name, name.encode())
    write(source, "old/deep/large", os.urandom(1_500_000))
    write(source, "big", b"1" * 200_000)
    (source / "link").symlink_to("first")
    nodes = [
        f"{mirrors[0]}/",
        {"node": rsync_daemon.url("sub/"), "rscope": "changes"},
        {"node": ssh_server.url("/sub/"), "rscope": "changes", "restricted": True},
    ]
    more = {"rkeep": 2, "rbigsize": 100_000, "rbigdelay": 0.1, "rmaxdelete": 50}
    daemon = inosync(settings(source, *nodes, **more), environment=ssh_server.environment())
    settle(daemon, source, *mirrors)
    # Nothing was there. (rrsync makes the folder of a run before rsync knows what it does.)
    assert not any((mirror / KEPT).exists() for mirror in mirrors[:2])
    # A relay behind the first mirror passes on what is in it, and not what it keeps.
    behind = tmp_path / "behind"
    inosync(settings(mirrors[0], f"{behind}/"), name="relay")

    (source / "first").write_text("second\n")
    (source / "new\nline").unlink()
    shutil.rmtree(source / "dir")
    shutil.rmtree(source / "turns")
    (source / "turns").write_text("a file now")
    (source / "link").unlink()
    (source / "link").mkdir()
    write(source, "big", b"2" * 200_000)
    settle(daemon, source, *mirrors)
    (source / "first").write_text("third\n")
    settle(daemon, source, *mirrors)
    for mirror in mirrors:
        assert kept(mirror) == {
            b"first": [b"first\n", b"second\n"],
            b"new\nline": [b"new\nline"],
            b"dir/a": [b"dir/a"],
            b"dir/deep/b": [b"dir/deep/b"],
            b"turns/c": [b"turns/c"],
            b"link": [b"first"],
            b"big": [b"1" * 200_000],
        }

    # What is renamed is neither sent again nor kept a second time: it is the same file.
    (source / "old/deep").rename(source / "renamed")
    settle(daemon, source, *mirrors)
    for mirror in mirrors[1:]:
        (was,) = (mirror / KEPT).glob("*/*/old/deep/f")
        assert was.samefile(mirror / "renamed/f")

    # Where only rsync may write, it cannot be read from here.
    ask = ("-c", daemon.config_file)
    told = {"cwd": daemon.folder, "environment": ssh_server.environment()}
    table = run_inosync(*ask, "--kept", f"{source}/turns/c", **told)
    assert table.returncode == 1
    assert table.stdout.count(": 1 kept:\n") == 2, table.stdout + table.stderr
    assert (
        "only be written to from here; on 127.0.0.1, run: find /sub/.inosync-kept" in table.stdout
    )

    # What was changed on a mirror itself is kept by the run that mends it.
    (mirrors[0] / "first").write_text("3rd\n##")
    (mirrors[0] / "own").write_text("own")
    os.utime(mirrors[0] / "first", ns=(0, (source / "first").stat().st_mtime_ns))
    status = run_inosync(*ask, "--verify", **told)
    assert KEPT not in status.stdout
    assert status.stdout.count(": equal") == 2, status.stdout + status.stderr
    assert run_inosync(*ask, "--verify", "--repair", **told).returncode == 0
    wait_mirrored(source, mirrors[0])
    assert kept(mirrors[0])[b"own"] == [b"own"]
    assert kept(mirrors[0])[b"first"][-1] == b"3rd\n##"
    wait_mirrored(source, behind)
    assert not (behind / KEPT).exists()
    wait_equal(source, behind)


def test_days_that_are_over_are_removed_from_each_node(
    inosync: Callable,
    source: Path,
    tmp_path: Path,
    rsync_daemon: RsyncDaemon,
    ssh_server: SshServer,
) -> None:
    mirrors = [tmp_path / "mirror", rsync_daemon.root / "sub", tmp_path / "jail"]
    empty, barred = tmp_path / "none", tmp_path / "barred"
    ssh_server.restrict(f'restrict,command="{RRSYNC} -wo -no-lock {mirrors[2]}"')
    days = ["1999-01-01", *(folder(time.time() - 86_400 * ago)[:10] for ago in (0, 1, 2, 3, 4))]
    for mirror in (*mirrors, barred):
        for day in days:
            write(mirror, f"{KEPT}/{day}/000000.000000Z/dir/file", b"x")
        write(mirror, f"{KEPT}/{days[4]}/own/.hidden", b"x")
    nodes = [
        *(f"{mirrors[0]}/", f"{empty}/", f"{barred}/"),
        {"node": rsync_daemon.url("sub/"), "rscope": "changes"},
        {"node": ssh_server.url("/"), "restricted": True},
    ]
    refusing = tmp_path / "rsync"  # does what runs of the mirror want, and no pruning of one node
    refusing.write_text(
        f'#!/bin/sh\ncase "$*" in *--existing*{barred}/) echo "no" >&2; exit 12;; esac\n'
        f'exec {shutil.which("rsync")} "$@"\n'
    )
    refusing.chmod(0o755)
    daemon = inosync(
        settings(source, *nodes, rkeep=2, rsync=str(refusing)),
        environment=ssh_server.environment(),
    )

    def left(mirror: Path) -> list[str]:
        return sorted(path.name for path in (mirror / KEPT).iterdir())

    for mirror in mirrors:  # days 3 and 4 are over, and what is older than anybody was away stays
        until(lambda m=mirror: left(m) == sorted({*days[:4]}), what="days that are over to go")
    daemon.wait_for_log("cannot be removed: exit 12")
    assert left(barred) == sorted(days)
    settle(daemon, source, *mirrors, empty, barred)
    assert not (empty / KEPT).exists()
    assert "in sync" in run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder).stdout


def test_what_was_deleted_by_mistake_is_brought_back(
    inosync: Callable, source: Path, request: pytest.FixtureRequest
) -> None:
    places = [place_on(request, "daemon"), place_on(request, "ssh")]
    nodes, roots = [place.node for place in places], [place.root for place in places]
    environment = places[1].environment
    for name in (*HOSTILE_NAMES, b"a", b"deep/er/b", b"deep/turns/c", b"deep/x -> y"):
        write(source, b"site/" + name, b"1" + name)
    (source / "site/deep/er").chmod(0o750)
    (source / "site/link").symlink_to("a")
    os.utime(source / "site/a", (1_000_000_000, 1_000_000_000))
    more = {"rkeep": 2, "rscope": "changes", "extra": "-aX"}
    daemon = inosync(settings(source, *nodes, **more), environment=environment)
    ask = ("-c", daemon.config_file)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        told = {"cwd": daemon.folder, "environment": environment}
        return run_inosync(*ask, *arguments, **told)

    settle(daemon, source, *roots)
    assert run("--kept").stdout.count(": 0 kept\n") == 2
    was = daemon.folder / "was"
    shutil.copytree(source, was, symlinks=True)
    then = time.time()
    until(lambda: time.time() >= int(then) + 1, what="the next second: rsync lists no parts of it")

    write(source, "site/a", b"2a")
    settle(daemon, source, *roots)
    write(source, "site/late", b"late")  # is not there at that time
    settle(daemon, source, *roots)
    shutil.rmtree(source / "site")
    (source / "site").mkdir()
    write(source, "site/deep", b"a file in the place of a directory")
    settle(daemon, source, *roots)

    told = run("--kept", f"{source}/site", "--json")
    every = json.loads(told.stdout)
    rows = [row for row in every if row["node"] == nodes[0]]
    assert len(every) == 2 * len(rows)
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    fates = [(row["what"], row["size"]) for row in rows if row["path"] == f"{source}/site/a"]
    assert fates == [("deleted", 2), ("overwritten", 2)]
    told = run("--kept", f"{source}/site/deep/er", "--node", nodes[1])
    table = told.stdout.splitlines()
    assert table[0].endswith(": 1 kept:")
    assert re.fullmatch(r"  [-0-9]{10} [:0-9]{8}  deleted +10  .*/site/deep/er/b", table[1])

    at = datetime.fromtimestamp(then, UTC).astimezone().isoformat(" ")
    restore = ("--restore", f"{source}/site", "--at", at)
    before = sorted(source.rglob("*"))
    shown = run(*restore, "-p")
    assert shown.returncode == 0, shown.stderr
    assert f"{len(rows) - 2} to bring back" in shown.stdout  # but for a second "a", and "late"
    refused = run(*restore)
    assert (refused.returncode, "--yes" in refused.stderr) == (1, True)
    assert sorted(source.rglob("*")) == before
    aside = daemon.folder / "aside"
    put = run(*restore, "--to", str(aside), "--node", nodes[1])
    assert put.returncode == 0, put.stderr
    # Times of directories are those of now: files were put into them.
    assert [text for text in compare(was / "site", aside / "site") if "mtime" not in text] == []
    assert (aside / "site/a").stat().st_mtime == 1_000_000_000
    # Two processes of rsync would make the way to what gives way; it is there before they begin.
    looking = daemon.folder / "rsync"
    looking.write_text(
        f'#!/bin/sh\ncase "$*" in *--force*) [ ! -e {aside} ] || {{ echo "no" >&2; exit 23; }}\n'
        f'ls -d {source}/{KEPT}/2* >&2 || exit 99;; esac\nexec {shutil.which("rsync")} "$@"\n'
    )
    looking.chmod(0o755)
    apart = daemon.folder / "apart.py"
    apart.write_text(Path(daemon.config_file).read_text() + f"\nrsync = {str(looking)!r}\n")
    told = {"cwd": daemon.folder, "environment": environment}
    failed = run_inosync("-c", apart, *restore, "--yes", **told)
    assert failed.returncode == 1
    first, command, *said = failed.stderr.splitlines()
    assert first.endswith("some files could not be transferred; see the lines below")
    assert command.startswith(f"  command: {looking} ")
    assert said == ["  no"]
    shutil.rmtree(aside)
    done = run_inosync("-c", apart, *restore, "--yes", **told)
    assert done.returncode == 0, done.stderr
    (kept_here,) = (source / KEPT).glob("*/*")
    assert (kept_here / "site/deep").read_bytes() == b"a file in the place of a directory"
    shutil.rmtree(source / KEPT)  # of which no event tells
    os.utime(source)
    assert [text for text in compare(was, source) if "mtime" not in text] == []
    settle(daemon, source, *roots)
    # Without a time: what was deleted last, and is not there.
    assert run("--restore", f"{source}/site/late").returncode == 0
    assert (source / "site/late").read_bytes() == b"late"
    assert run("--restore", f"{source}/nothing").returncode == 1
    assert run("--restore", f"{source}/a", "--at", "soon").returncode == 2
    assert run("--restore", "/elsewhere").returncode == 2


def kept_of(daemon: Daemon) -> list[dict]:
    """Return what the status says of what each node keeps, once it was counted everywhere."""

    def counted() -> list[dict]:
        ask = ("-c", daemon.config_file, "--status", "--json")
        told = [
            m["kept"] for m in json.loads(run_inosync(*ask, cwd=daemon.folder).stdout)["mirrors"]
        ]
        return told if all(told) else []

    return until(counted, what="all to be counted")


@pytest.mark.skipif(RRSYNC is None, reason="rrsync comes with rsync 3.2.4 and later")
def test_a_node_keeps_no_more_than_it_may_and_the_status_says_how_much(
    inosync: Callable,
    source: Path,
    tmp_path: Path,
    rsync_daemon: RsyncDaemon,
    ssh_server: SshServer,
) -> None:
    mirrors = [tmp_path / "mirror", rsync_daemon.root / "sub", tmp_path / "jail", tmp_path / "any"]
    ssh_server.restrict(f'restrict,command="{RRSYNC} -wo -no-lock {mirrors[2]}"')
    days = [folder(time.time() - 86_400 * ago)[:10] for ago in (0, 1, 2, 3)]
    for mirror in mirrors:
        for day in days:
            write(mirror, f"{KEPT}/{day}/000000.000000Z/dir/file", b"x" * 700_000)
            write(mirror, f"{KEPT}/{day}/000001.000000Z/file", b"x")
            (mirror / KEPT / day / "000002.000000Z").mkdir()  # as rrsync leaves one
    limit = {"rkeepmax": 2}
    nodes = [
        {"node": f"{mirrors[0]}/"} | limit,
        {"node": rsync_daemon.url("sub/"), "rscope": "changes"} | limit,
        {"node": ssh_server.url("/"), "restricted": True} | limit,
        {"node": f"{mirrors[3]}/"},
    ]
    environment = ssh_server.environment()
    daemon = inosync(settings(source, *nodes, rkeep=9), environment=environment)

    def left(mirror: Path) -> list[str]:
        return sorted((path.name for path in (mirror / KEPT).iterdir()), reverse=True)

    for mirror in mirrors[:2]:
        until(lambda m=mirror: left(m) == days[:2], what="the oldest days to go")
    daemon.wait_for_log("more than rkeepmax", times=2)
    daemon.wait_for_log("can only be written to: what it keeps is not counted; rkeepmax has no")
    told = kept_of(daemon)
    for kept in told[:2]:
        assert (kept["days"], kept["oldest"], kept["runs"]) == (2, days[1], 4)
        assert (kept["bytes"], kept["most_bytes"]) == (1_400_002, 2_000_000)
        assert kept["said"].endswith(f"up to {days[2]} is removed: more than rkeepmax")
    assert (told[2]["days"], told[2]["bytes"]) == (None, None)
    assert (told[3]["days"], told[3]["runs"], told[3]["bytes"]) == (4, 8, None)
    assert left(mirrors[2]) == left(mirrors[3]) == days
    settle(daemon, source, *mirrors)
    table = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder).stdout
    assert f"keeps 4 days since {days[3]}, 8 runs\n" in table
    assert f"keeps 2 days since {days[1]}, 4 runs, 1.4 MB; what it kept of 2 days up to" in table


@needs_mounts
def test_a_full_node_lets_its_oldest_day_go_and_goes_on(
    inosync: Callable, source: Path, tmp_path: Path
) -> None:
    with mounts_below(tmp_path):
        mirror = tmp_path / "mirror"
        mirror.mkdir()
        mount("-t", "tmpfs", "-o", "size=4m", "inosync-test", mirror)
        days = [folder(time.time() - 86_400 * ago)[:10] for ago in (0, 1, 2, 3)]
        for day in days:
            write(mirror, f"{KEPT}/{day}/000000.000000Z/file", b"x" * 800_000)
        write(source, "first", "x")
        daemon = inosync(settings(source, f"{mirror}/", rkeep=9))
        settle(daemon, source, mirror)
        # Two days make enough room, and the others stay.
        write(source, "large", os.urandom(2_000_000))
        daemon.wait_for_log(f"had no room: what it kept of {days[3]}, the oldest day, is removed")
        daemon.wait_for_log(f"had no room: what it kept of {days[2]}, the oldest day, is removed")
        settle(daemon, source, mirror)
        assert sorted(os.listdir(mirror / KEPT)) == sorted(days[:2])
        assert days[2] in kept_of(daemon)[0]["said"]
        # What is kept of today stays, and the mirror waits for room as ever.
        write(source, "larger", os.urandom(2_000_000))
        daemon.wait_for_log("has no room, and keeps nothing but of today")
        assert os.listdir(mirror / KEPT) == [days[0]]
        assert daemon.stop() == 0


#: An access list that lets user 1234 read what is 0640, as the kernel takes it.
_ENTRIES = ((1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1))
ACL = b"".join((struct.pack("<I", 2), *(struct.pack("<HHi", *entry) for entry in _ENTRIES)))


def whole(root: Path) -> dict[str, tuple[object, ...]]:
    """Return all that makes a path what it is, and of hard links the first name, but for times."""
    first: dict[tuple[int, int], str] = {}
    found = {}
    for path in sorted(root.rglob("*")):
        name, status = str(path.relative_to(root)), path.lstat()
        linked = first.setdefault((status.st_dev, status.st_ino), name)
        attributes = {
            each: os.getxattr(path, each, follow_symlinks=False)
            for each in os.listxattr(path, follow_symlinks=False)
        }
        mtime = None if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else status.st_rdev
        owner = (status.st_uid, status.st_gid)
        found[name] = (status.st_mode, owner, mtime, content, attributes, linked)
    return found


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_what_is_brought_back_has_all_its_attributes_and_links(
    inosync: Callable, source: Path, request: pytest.FixtureRequest
) -> None:
    place = place_on(request, "daemon")
    for name in ("a", "large", "over"):
        write(source, f"d/deep/{name}", name * (1 + 50_000 * (name == "large")))
    os.link(source / "d/deep/a", source / "d/b")
    os.link(source / "d/deep/over", source / "over")
    for name in ("d/deep/a", "over"):
        try:  # of a directory rsync keeps all but these
            os.setxattr(source / name, "user.note", name.encode())
        except OSError as error:
            pytest.skip(f"no attributes here: {error.strerror}")
    for name in ("d/deep", "d/deep/large"):
        os.chown(source / name, 1234, 4321)
        (source / name).chmod(0o2750 if name == "d/deep" else 0o640)
    os.setxattr(source / "d/deep/large", "system.posix_acl_access", ACL)
    os.setxattr(source / "d/deep", "system.posix_acl_default", ACL)
    os.mkfifo(source / "d/pipe")
    (source / "d/link").symlink_to("nowhere")
    os.lchown(source / "d/link", 1234, 4321)
    more = {"rkeep": 2, "extra": "-aAXH", "rbigsize": 50_000, "rbigdelay": 0.1}
    daemon = inosync(settings(source, place.node, rscope="changes", **more))
    settle(daemon, source, place.root)
    before = whole(source)
    del before["first"]  # which stays
    at = datetime.now(UTC).astimezone().isoformat(" ")
    write(source, "over", "one name of it is written, and both have changed")
    settle(daemon, source, place.root)
    shutil.rmtree(source / "d")
    (source / "over").unlink()
    settle(daemon, source, place.root)
    aside = daemon.folder / "aside"
    ask = ("-c", daemon.config_file, "--restore", source, "--at", at, "--to", aside)
    done = run_inosync(*ask, cwd=daemon.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    found = whole(aside)
    assert {name: found.get(name) for name in before} == before
