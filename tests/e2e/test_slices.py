"""A pass in slices: no change waits behind it, and a daemon that is killed in it goes on."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

from support.daemon import Daemon, run_inosync, settings
from support.places import wait_equal
from support.trees import write
from support.waiting import until

from inosync.service.keeper import MARGIN

#: A pass of some twelve seconds at so many KB/s.
DIRECTORIES, SIZE, SPEED = 80, 50_000, 300


def told(daemon: Daemon) -> dict:
    asked = run_inosync("-c", daemon.config_file, "--status", "--json", cwd=daemon.folder)
    return json.loads(asked.stdout)["mirrors"][0]


def rest(state: Path) -> list[bytes]:
    """Return what the state file knows to be left of a pass."""
    (known,) = json.loads(state.read_text())["mirrors"].values()
    return [os.fsencode(path) for _, path in known.get("rest", {"left": ()})["left"]]


def sliced(log: str) -> set[str]:
    """Return the directories that slices named."""
    return set(re.findall(r"/\./(d\d+)\b", log))


def test_a_change_overtakes_a_pass_and_a_killed_daemon_goes_on(
    tmp_path: Path, source: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for number in range(DIRECTORIES):
        write(source, f"d{number}/sub/file", "")
        (source / f"d{number}/sub/file").write_bytes(os.urandom(SIZE))
        os.utime(source / f"d{number}/sub/file", (10**9, 10**9 + number))
    # What may have changed since a pass began is not left to what is left of it.
    youngest = max(path.stat().st_ctime for path in source.rglob("*"))
    until(lambda: time.time() > youngest + MARGIN, what="the source to be older than a pass")
    node = {"node": str(mirror), "rspeed": SPEED, "rstreams": 2}
    chosen = settings(source, node, rscope="changes", edelay=0.1)
    seen: set[Path] = set()

    def arrived() -> set[Path]:
        """Return what is on the mirror: nothing that was there may vanish."""
        now = {path for path in mirror.glob("d*/sub/file") if path.stat().st_size == SIZE}
        assert seen <= now
        seen.update(now)
        return now

    with Daemon(tmp_path, chosen, arguments=["-v"]) as daemon:
        daemon.start()
        until(lambda: len(arrived()) >= 5, what="some of the pass")
        write(source, "d0/late", "x")  # the oldest directory, which comes last
        until((mirror / "d0/late").exists, what="what has changed meanwhile")
        assert len(arrived()) < DIRECTORIES
        assert "in sync" not in daemon.log()
        daemon.stop()

        # Stopped in the middle of the pass.
        (state,) = (tmp_path / "state").glob("*.json")
        left = {path.split(b"/")[0].decode() for path in rest(state) if path}
        done = {f"d{number}" for number in range(DIRECTORIES)} - left
        assert done
        assert left
        (first, *_) = sorted(done)
        write(source, f"{first}/down", "x")
        (source / first / "sub/file").unlink()
        seen.discard(mirror / first / "sub/file")
        before = len(daemon.log())
        daemon.start()
        daemon.wait_for_log("the pass that was under way goes on")
        until((mirror / first / "down").exists, what="what changed while it was down")
        assert not (mirror / first / "sub/file").exists()
        passing = until(lambda: told(daemon)["full_pass"], what="the pass to go on")
        assert passing["reason"] == "start-up"
        assert 0 < passing["percent"] < 100
        assert 0 < passing["directories"] < 2 * DIRECTORIES + 1
        daemon.kill()

        # Killed in it, and it goes on once more.
        assert rest(state)
        write(source, "d1/killed", "x")
        daemon.configure({**chosen, "rnodes": [{**node, "rspeed": 0}]})
        daemon.start()
        asked = run_inosync("-c", daemon.config_file, "--wait", "30", cwd=daemon.folder)
        assert asked.returncode == 0, asked.stderr
        wait_equal(source, mirror)
        arrived()
        assert sliced(daemon.log()[before:]) <= left
        assert told(daemon)["full_pass"] is None
        daemon.stop()
        assert not rest(state)
