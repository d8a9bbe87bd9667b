"""Big files in a lane of their own (rbigsize), and files that wait until they rest (rsettle)."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import processes
from support.daemon import Daemon, run_inosync
from support.fakersync import Call, FakeRsync
from support.places import Place, place_on, wait_equal
from support.servers import RsyncDaemon
from support.trees import write
from support.waiting import until

GIANT = 800_000
#: In the line about a run that failed.
FAILURE = "; next try in"
SETTINGS = {"edelay": 0.1, "rretry": (0.1, 0.5), "rbigsize": 100_000, "rbigdelay": 0.2}


def big(call: Call) -> bool:
    """Whether that run was one of the lane for big files."""
    return any(word.startswith("--min-size=") for word in call.argv)


def temporary(root: Path) -> list[Path]:
    """What a run is writing to below a mirror."""
    return [path for path in root.rglob(".*.??????") if path.is_file()]


def leftovers(root: Path) -> list[Path]:
    return temporary(root) + list(root.rglob(".inosync-partial"))


def put_giant(source: Path) -> None:
    """Let a giant appear in the source as a whole.

    One that grows there may be small still when it is looked at, and travel with the small files.
    """
    (source.parent / "giant").write_bytes(os.urandom(GIANT))
    (source.parent / "giant").rename(source / "d/giant")


@contextlib.contextmanager
def held_on_its_way(daemon: Daemon, root: Path, *, stays: bool = True) -> Iterator[None]:
    """Wait until a giant is being written below `root`, and stop its run for as long as this lasts.

    What a test does meanwhile takes place beside the giant, however slow the machine is. What has
    been written of it `stays`, or goes with its directory.
    """

    def on_its_way() -> bool:
        return any(path.name.startswith(".giant.") for path in temporary(root))

    def run() -> list[int]:
        started = processes.descendants(daemon.pid)
        return [
            pid
            for pid in started
            if any(word.startswith("--min-size=") for word in processes.command(pid))
        ]

    lane = until(lambda: on_its_way() and run(), what="the giant on its way", state=daemon.log)
    processes.kill(lane, signal.SIGSTOP)
    assert on_its_way(), "the giant has arrived before its run could be stopped"
    yield
    assert on_its_way() == stays, "what the giant's run was writing to"
    processes.kill(lane, signal.SIGCONT)


@pytest.mark.parametrize(
    ("transport", "scope"), [("local", "tree"), ("ssh", "changes"), ("daemon", "tree")]
)
def test_small_files_keep_arriving_while_a_giant_travels(
    inosync: Callable, source: Path, request: pytest.FixtureRequest, transport: str, scope: str
) -> None:
    place = place_on(request, transport)
    write(source, "d/old", "x")
    node = {"node": place.node, "rspeed": 200, "rscope": scope}
    daemon = inosync(
        SETTINGS | {"wpath": f"{source}/", "rnodes": [node]}, environment=place.environment
    )
    wait_equal(source, place.root)
    daemon.wait_for_log("in sync (first pass", times=2)
    put_giant(source)  # some seconds
    with held_on_its_way(daemon, place.root):
        for number in range(2):
            # Each with a deletion in the directory in which the giant is being written.
            write(source, f"d/small{number}", "x")
            (source / ("d/old" if not number else f"d/small{number - 1}")).unlink()
            small = place.root / f"d/small{number}"
            until(small.exists, what="a small file")
        until(lambda: not (place.root / "d/old").exists(), what="the deletion")
        with open(source / "d/giant", "r+b") as file:
            file.write(b"changed on the way")
    wait_equal(source, place.root)
    until(lambda: not leftovers(place.root), what="nothing left over")
    assert FAILURE not in daemon.log()


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_giant_that_is_deleted_on_its_way_does_not_come_back(
    inosync: Callable, source: Path, local: Place, scope: str
) -> None:
    node = {"node": local.node, "rspeed": 200, "rscope": scope}
    daemon = inosync(SETTINGS | {"wpath": f"{source}/", "rnodes": [node]})
    write(source, "d/small", "x")
    write(source, "e/.env.sample", "named like a temporary file")
    wait_equal(source, local.root)
    put_giant(source)  # some seconds
    with held_on_its_way(daemon, local.root, stays=False):
        shutil.rmtree(source / "e")
        write(source, "e", "a file now")
        until((local.root / "e").is_file, what="the file in the place of a directory")
        shutil.rmtree(source / "d")
        until(lambda: not (local.root / "d").exists(), what="the deletion")
    daemon.wait_for_log(f"(big files): 1 file, {GIANT} bytes")
    wait_equal(source, local.root)
    assert FAILURE not in daemon.log()
    assert "in sync but for" not in daemon.log()


def test_a_giant_that_was_interrupted_goes_on(
    inosync: Callable, source: Path, request: pytest.FixtureRequest, rsync_daemon: RsyncDaemon
) -> None:
    place = place_on(request, "daemon")
    (source / "d").mkdir()
    (source / "d/giant").write_bytes(os.urandom(GIANT))
    settings = SETTINGS | {"wpath": f"{source}/", "rnodes": [{"node": place.node, "rspeed": 300}]}
    daemon = inosync(settings)
    until(
        lambda: any(path.stat().st_size > GIANT // 2 for path in temporary(place.root)),
        what="half of the giant",
    )
    daemon.stop()
    assert not temporary(place.root)
    partial = place.root / "d/.inosync-partial/giant"
    assert partial.stat().st_size > GIANT // 2
    before = len(rsync_daemon.log())
    daemon.start()
    wait_equal(source, place.root)
    until(lambda: not leftovers(place.root), what="nothing left over")
    daemon.stop()
    received = re.findall(r" received (\d+) bytes", rsync_daemon.log()[before:])
    assert 0 < sum(map(int, received)) < GIANT * 3 // 4


def test_what_a_run_left_that_was_cut_short_is_deleted_without_a_pass(
    inosync: Callable, source: Path, local: Place
) -> None:
    node = {"node": local.node, "rspeed": 100, "rscope": "changes", "rretry": (1, 1)}
    daemon = inosync(SETTINGS | {"wpath": f"{source}/", "rnodes": [node]})
    write(source, "d/small", "x")
    ask = ("-c", daemon.config_file, "--wait", "20")
    assert run_inosync(*ask, cwd=daemon.folder).returncode == 0
    passes = daemon.log().count(" -ltrp --delete ")

    def at_work(name: str) -> list[int]:
        written = [path.name for path in temporary(local.root)]
        return processes.descendants(daemon.pid) if any(name in each for each in written) else []

    # All processes of a run are killed in the middle of a file.
    write(source, "d/middle", os.urandom(90_000))
    processes.kill(until(lambda: at_work(".middle."), what="the file on its way"), signal.SIGKILL)
    wait_equal(source, local.root)

    # A giant is cut off, of which a part is kept; then it is no giant any more.
    put_giant(source)
    until(
        lambda: sum(each.stat().st_size for each in temporary(local.root)),
        what="a part of the giant",
    )
    with held_on_its_way(daemon, local.root):
        write(source, "small", "small now").rename(source / "d/giant")
    processes.kill(at_work(".giant."), signal.SIGTERM)
    until(lambda: list(local.root.rglob(".inosync-partial")), what="what is kept of it")
    wait_equal(source, local.root)
    assert not leftovers(local.root)
    assert daemon.log().count(" -ltrp --delete ") == passes


@pytest.fixture
def spied(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> Callable[[], list[Call]]:
    """A daemon with a lane on a source in sync; returns the runs since then."""
    fakersync.always(delegate=True)
    write(source, "d/giant", "x" * 200_000)
    daemon = inosync(
        SETTINGS
        | {
            "wpath": f"{source}/",
            "rnodes": [local.node],
            "rsync": str(fakersync.path),
            "rbigdelay": 1.0,
        }
    )
    wait_equal(source, local.root)
    daemon.wait_for_log("in sync (first pass", times=2)
    before = len(fakersync.calls())
    assert before in (2, 3)  # the ordinary one again, if it ran beside the other
    return lambda: fakersync.calls()[2:]


def test_the_lane_runs_for_big_files_only_and_not_too_often(
    spied: Callable[[], list[Call]], source: Path, local: Place
) -> None:
    write(source, "d/small", "x")
    wait_equal(source, local.root)
    (source / "d/small").unlink()
    wait_equal(source, local.root)
    assert not any(big(call) for call in spied())
    for size in (100_000, 100_001, 150_000):
        write(source, "d/growing", "x" * size)
        wait_equal(source, local.root)
    runs = [call for call in spied() if big(call)]
    assert [call.stdin for call in runs] == [b"./d/growing\0"] * 2
    assert runs[0].ended is not None
    assert runs[1].started - runs[0].ended >= 0.9


def test_a_new_directory_is_searched_for_big_files(
    spied: Callable[[], list[Call]], source: Path, tmp_path: Path, local: Place
) -> None:
    write(tmp_path, "new/deep/giant", "x" * 200_000)
    (tmp_path / "new").rename(source / "new")
    wait_equal(source, local.root)
    assert b"./new/deep/giant\0" in [call.stdin for call in spied() if big(call)]


def test_a_giant_in_the_place_of_a_full_directory_and_back(
    spied: Callable[[], list[Call]], source: Path, local: Place
) -> None:
    shutil.rmtree(source / "d")
    write(source, "d", "x" * 200_000)
    wait_equal(source, local.root)
    (source / "d").unlink()
    write(source, "d/giant", "x" * 200_000)
    wait_equal(source, local.root)


@pytest.mark.parametrize(("transport", "scope"), [("local", "tree"), ("daemon", "changes")])
def test_files_that_settle(
    inosync: Callable, source: Path, request: pytest.FixtureRequest, scope: str, transport: str
) -> None:
    place = place_on(request, transport)
    daemon = inosync(
        {
            "edelay": 0.1,
            "eopen": 0,
            "rscope": scope,
            "rsettle": {"*.iso": 1.0},
            "wpath": f"{source}/",
            "rnodes": [place.node],
        }
    )
    write(source, "d/a.iso", "old")
    write(source, "d/b.iso", "to be deleted")
    wait_equal(source, place.root)
    begun = time.monotonic()
    mirrored = place.root / "d/a.iso"

    def at_work() -> bool:
        assert mirrored.read_text() == "old"
        with open(source / "d/a.iso", "a") as file:
            file.write("more")
        # A new one each time: one that is cut short while rsync reads it is a failed run.
        write(source, f"d/small {time.monotonic()}", "x")
        (source / "d/b.iso").unlink(missing_ok=True)
        return time.monotonic() - begun > 1.5 and not (place.root / "d/b.iso").exists()

    until(at_work, what="the deletion while others do not rest")
    wait_equal(source, place.root)
    assert time.monotonic() - begun > 2.4
    assert FAILURE not in daemon.log()


def test_who_waits_for_all_waits_for_files_that_settle(
    inosync: Callable, source: Path, local: Place
) -> None:
    daemon = inosync(
        {"rsettle": {"*.iso": 3.0}, "wpath": f"{source}/", "rnodes": [local.node], "edelay": 0.1}
    )
    daemon.wait_for_log("in sync (first pass")
    write(source, "a.iso", "x")
    ask = ("-c", daemon.config_file, "--wait")
    asked = run_inosync(*ask, "0.1", cwd=daemon.folder)
    assert asked.returncode == 5
    assert ": 1 file not at rest" in asked.stdout + asked.stderr
    # A directory is no file that has to rest, whatever its name is.
    (source / "b.iso").mkdir()
    until((local.root / "b.iso").exists, what="the directory")
    (source / "b.iso").chmod(0o750)
    until(lambda: (local.root / "b.iso").stat().st_mode & 0o777 == 0o750, what="its mode")
    assert not (local.root / "a.iso").exists()
    assert run_inosync(*ask, "20", cwd=daemon.folder).returncode == 0
    assert (local.root / "a.iso").exists()


def test_at_the_start_the_age_of_a_file_counts(
    inosync: Callable, source: Path, local: Place
) -> None:
    write(source, "d/old.iso", "x")
    old = (source / "d/old.iso").stat().st_ctime
    until(lambda: time.time() - old > 2.5, what="an old file")
    write(source, "d/young.iso", "x")
    daemon = inosync({"rsettle": {"*.iso": 2.5}, "wpath": f"{source}/", "rnodes": [local.node]})
    daemon.wait_for_log("in sync (first pass")
    assert [path.name for path in (local.root / "d").iterdir()] == ["old.iso"]
    wait_equal(source, local.root)


def test_a_file_that_never_rests_is_sent_all_the_same(
    inosync: Callable, source: Path, local: Place
) -> None:
    inosync(
        {
            "edelay": 0.1,
            "rsettle": {"/log/**": 0.2},
            "wpath": f"{source}/",
            "rnodes": [local.node],
        }
    )
    wait_equal(source, local.root)
    (source / "log").mkdir()
    began = time.monotonic()

    def sent() -> bool:
        with open(source / "log/busy", "a") as file:
            file.write("more")
        return (local.root / "log/busy").exists()

    until(sent, what="the busy file")
    assert 1.5 < time.monotonic() - began < 5
