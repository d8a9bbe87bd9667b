"""The check for Nagios and Icinga, with a real daemon."""

from __future__ import annotations

import argparse
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support.daemon import inosync_environment, run_inosync, settings
from support.servers import RsyncDaemon
from support.trees import write
from support.waiting import until

CHECK = Path(__file__).resolve().parents[2] / "examples/monitoring/check_inosync"
PLUGIN = re.compile(r"INOSYNC (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+(?: \| (?P<data>[^|\n]+))?\n")
DATUM = re.compile(r"[a-z]+=\d+(?:\.\d+)?(?:s|c|B)?(?:;[\d.]*){0,4}")


def test_each_answer_is_one_line_with_its_exit_status(
    inosync: Callable, source: Path, rsync_daemon: RsyncDaemon, tmp_path: Path
) -> None:
    away, local = rsync_daemon.url("www/"), tmp_path / "local"
    (source / ".here").touch()
    daemon = inosync(settings(source, away, f"{local}/", wmarker=".here"))
    program = tmp_path / "inosync"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m inosync "$@"\n')
    program.chmod(0o755)

    def check(*arguments: str, ask: Path | str = program) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, CHECK, "--inosync", ask, "--config", daemon.config_file, *arguments],
            env=inosync_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout or done.stderr
        found = PLUGIN.fullmatch(said)
        assert found, said
        assert found[1] == ("OK", "WARNING", "CRITICAL", "UNKNOWN")[done.returncode]
        assert all(DATUM.fullmatch(datum) for datum in (found["data"] or "").split())
        return done.returncode, said

    done = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=tmp_path)
    assert done.returncode == 0, daemon.log()
    status, said = check()
    assert status == 0
    assert "OK - 2 mirrors in sync | lag=0.0s;60;300;0 mirrors=2 behind=0 held=0 ailing=0" in said

    # One node is away: late, and too late; the other one is well.
    rsync_daemon.stop()
    write(source, "new", "new")
    until(lambda: check("-w", "0", "-c", "9000")[0] == 1, what="the lag")
    daemon.wait_for_log("error in socket I/O")
    status, said = check("-w", "0", "-c", "0")
    assert status == 2
    assert re.search(rf"CRITICAL - {source} on {away} is \d+ s behind: .* \| lag=", said)
    assert check("-w", "0", "-c", "0", "--node", f"{local}/")[0] == 0
    assert check("--node", "nobody")[0] == 3
    assert check()[0] == 0, "a minute has not passed"

    run_inosync("-c", daemon.config_file, "--pause", cwd=tmp_path)
    status, said = check("-w", "9000", "-c", "9000")
    assert (status, "WARNING - paused |" in said) == (1, True)
    run_inosync("-c", daemon.config_file, "--resume", cwd=tmp_path)

    (source / ".here").unlink()
    until(lambda: check("-w", "9000", "-c", "9000")[0] == 2, what="the source to be held")
    assert f"{source} is held: " in check()[1]

    daemon.stop()
    status, said = check()
    assert (status, "no daemon" in said or "not running" in said) == (2, True), said
    assert check(ask="/no/inosync")[0] == 3
    assert check(ask="/bin/false")[0] == 3
    assert check("-w", "9", "-c", "1")[0] == 3
    assert check("-w", "soon")[0] == 3


def test_what_ails_is_told_and_the_worst_first() -> None:
    judge = runpy.run_path(str(CHECK))["judge"]
    mirror = {
        "source": "/srv",
        "node": "a:/m",
        "state": "idle",
        "reason": "",
        "lag": None,
        "ailing": [],
        "drift": None,
        "failures": 1,
        "bytes_sent": 5,
    }
    source = {"path": "/srv", "state": "watched", "reason": "", "unwatched": 0}
    ailing = [{"path": "a|b", "cause": "cannot be read"}]

    def told(*, paused: bool = False, unwatched: int = 0, **more: object) -> tuple[int, list[str]]:
        sources = [{**source, "unwatched": unwatched}]
        status = {"sources": sources, "mirrors": [{**mirror, **more}], "paused": paused}
        options = argparse.Namespace(warning=60.0, critical=300.0, node=None)
        return judge(status, options)[:2]

    assert told() == (0, ["1 mirror in sync"])
    assert told(lag=60.0) == (0, ["1 mirror in sync"])
    calm = {"sources": [], "mirrors": [], "paused": False, "standby": "there is no /run/active"}
    assert judge(calm, argparse.Namespace(node=None))[:2] == (
        0,
        ["on standby: there is no /run/active"],
    )
    assert told(drift={"paths": 0}) == (0, ["1 mirror in sync"])
    assert told(drift={"paths": 3}) == (1, ["/srv on a:/m: 3 differ"])
    assert told(unwatched=2) == (1, ["/srv: 2 not watched"])
    assert told(ailing=ailing, lag=301.0, reason="exit 255", paused=True) == (
        2,
        [
            "/srv on a:/m is 301 s behind: exit 255",
            "paused",
            "/srv on a:/m: 1 not carried, such as a|b: cannot be read",
        ],
    )
    assert told(state="held", reason="mass deletion", lag=1.0) == (
        2,
        ["/srv on a:/m is held: mass deletion"],
    )
