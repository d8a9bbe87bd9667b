"""A host that is the active one only while a file is there, or while it holds an address."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from support.daemon import Daemon, inosync_command, inosync_environment, run_inosync, settings
from support.namespaces import need
from support.waiting import until

ADDRESS = "192.0.2.10"
LARGE = 4_000_000


def watches(daemon: Daemon) -> int:
    """Return how many inotify watches a daemon has."""
    infos = Path(f"/proc/{daemon.pid}/fdinfo").iterdir()
    return sum(info.read_text().count("inotify wd:") for info in infos)


def ran(daemon: Daemon) -> tuple[int, ...]:
    """Return how often the daemon has slept and was interrupted: what no wake-up leaves alone."""
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    return tuple(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


def running(now: dict[str, Any]) -> bool:
    """Return whether a run is at work."""
    return any(mirror["run"] for mirror in now["mirrors"])


def whole(path: Path) -> bool:
    """Return whether a large file has arrived."""
    return path.exists() and path.stat().st_size == LARGE


def sockets(daemon: Daemon) -> int:
    """Return how many sockets a daemon has."""
    found = (os.readlink(each) for each in Path(f"/proc/{daemon.pid}/fd").iterdir())
    return sum(name.startswith("socket:") for name in found)


def within(daemon: Daemon, *command: str) -> None:
    """Run a command in the daemon's network namespace."""
    subprocess.run(["nsenter", "-t", str(daemon.pid), "-n", *command], check=True)


def test_a_host_is_active_while_a_file_is_there_or_it_holds_an_address(
    source: Path, tmp_path: Path
) -> None:
    """Before, between and after that it watches nothing, starts nothing, and says so."""
    need("unshare", "-n")
    mirror, file = tmp_path / "mirror", tmp_path / "run" / "pair" / "active"
    mirror.mkdir()
    page, metrics = tmp_path / "page.html", tmp_path / "inosync.prom"
    common = {"htmlfile": str(page), "metricsfile": str(metrics), "rscope": "changes"}
    config = settings(source, str(mirror), **common, wactive=str(file), rspeed=500)

    with Daemon(tmp_path / "daemon", config, prefix=("unshare", "-n")) as daemon:

        def ask(*words: str) -> subprocess.CompletedProcess[str]:
            return run_inosync("-c", daemon.config_file, *words, cwd=tmp_path)

        daemon.start(ready=False).wait_for_log("on standby: there is no")

        asked = ask("--status")
        assert asked.returncode == 0, asked
        assert asked.stdout.startswith(f"on standby: there is no {file}\n")
        now = json.loads(ask("--status", "--json").stdout)
        assert (now["synced"], now["mirrors"]) == (False, [])
        assert now["standby"] == f"there is no {file}"
        assert [each["state"] for each in now["sources"]] == ["standby"]
        waited = ask("--wait", "30")
        assert waited.returncode == 5
        assert waited.stderr == f"inosync: the daemon is on standby: there is no {file}\n"
        assert ask("--sync").returncode == 2
        assert "this host is on standby" in ask("--check").stdout

        until(lambda: page.exists() and "on standby" in page.read_text(), what="the page")
        assert "inosync_standby{" in metrics.read_text()
        assert metrics.read_text().count("inosync_mirror_lag_seconds{") == 0
        # The way to the file is all that is watched, and nothing happens on it.
        assert watches(daemon) <= len(file.parts)
        before = ran(daemon)
        (source / "unseen").write_text("x")
        time.sleep(0.3)
        assert ran(daemon) == before
        assert not (mirror / "first").exists()

        file.parent.mkdir(parents=True)
        file.touch()
        until((mirror / "unseen").exists, what="what changed on standby", state=daemon.log)
        assert ask("--wait", "20").returncode == 0
        assert ask("--status").stdout.startswith("1 of 1 mirror in sync")

        # A run that takes long, and somebody who waits for it.
        (source / "large").write_bytes(os.urandom(LARGE))
        until(lambda: running(json.loads(ask("--status", "--json").stdout)), what="a run")
        command = inosync_command("-c", daemon.config_file, "--wait", "30")
        idle = sockets(daemon)
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, env=inosync_environment()
        ) as waiting:
            until(lambda: sockets(daemon) > idle, what="who waits")
            file.unlink()
            assert waiting.wait(timeout=5) == 5
            assert b"is on standby" in (waiting.stderr.read() if waiting.stderr else b"")
        daemon.wait_for_log("going on standby")
        lost = time.monotonic()
        daemon.wait_for_log("on standby: there is no", times=2)
        assert time.monotonic() - lost < 1
        until(lambda: not daemon.leftovers(), seconds=5, what="the other half of its run to end")
        assert ask("--status").stdout.startswith("on standby")

        # Another mandate, by a reload.
        daemon.configure(settings(source, str(mirror), **common, wactive=ADDRESS))
        assert ask("--reload").returncode == 0
        assert f"does not hold {ADDRESS}" in ask("--status").stdout
        within(daemon, "ip", "addr", "add", f"{ADDRESS}/24", "dev", "lo")
        until(lambda: whole(mirror / "large"), what="the large file", state=daemon.log)
        within(daemon, "ip", "addr", "del", f"{ADDRESS}/24", "dev", "lo")
        daemon.wait_for_log(f"this host does not hold {ADDRESS}: going on standby")

        # And none any more, which is as ever.
        (source / "last").write_text("x")
        daemon.configure(settings(source, str(mirror), **common))
        daemon.hup()
        until((mirror / "last").exists, what="the last file", state=daemon.log)
        assert daemon.stop() == 0
