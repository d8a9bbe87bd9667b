"""Programs side by side, against the real /bin/sh."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from support import processes

from inosync.commands.side_by_side import Ended, Job, together
from inosync.errors import InosyncError

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def sh(key: str, script: str, data: bytes = b"") -> Job[str]:
    return Job(key, ["/bin/sh", "-c", script], data)


def run(*jobs: Job[str], parallel: int = 8, **more: float) -> dict[str, tuple[object, list[bytes]]]:
    ended = together(jobs, parallel=parallel, environment=ENVIRONMENT, **more)
    return {each.key: (each.status, list(each.lines)) for each in ended}


def test_all_are_told_of() -> None:
    found = run(
        sh("well", "echo one; echo two"),
        sh("fails", "exit 3"),
        sh("reads", "cat", b"data"),
        Job("missing", ["/no/such/program"]),
        parallel=2,
    )
    assert found == {
        "well": (0, [b"one\n", b"two\n"]),
        "fails": (3, []),
        "reads": (0, [b"data"]),
        "missing": (127, []),
    }


def test_no_more_at_once_than_said(tmp_path: Path) -> None:
    script = f"mkdir {tmp_path}/lock && sleep 0.05 && rmdir {tmp_path}/lock"
    found = run(*(sh(str(number), script) for number in range(3)), parallel=1)
    assert [status for status, _ in found.values()] == [0, 0, 0]


def test_one_that_takes_too_long_is_ended() -> None:
    before = time.monotonic()
    found = run(sh("slow", "echo begun; sleep 60"), sh("quick", "true"), seconds=0.5)
    assert found["slow"] == (None, [b"begun\n"])
    assert found["quick"] == (0, [])
    assert time.monotonic() - before < 30


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all(number: signal.Signals, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    tell = sh("tells", f"kill -{number.value} {os.getpid()}")
    with pytest.raises(InosyncError, match=f"stopped by {number.name}"):
        run(sh("long", f"echo $$ > {pids}; exec sleep 60"), tell)
    survivors = [int(pids.read_text())] if pids.exists() and pids.read_text() else []
    processes.wait_gone(survivors)


def test_who_gives_up_leaves_nothing(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = together(
        [
            sh("quick", f"until test -s {pids}; do sleep 0.02; done"),
            sh("long", f"echo $$ > {pids}; exec sleep 60"),
        ],
        parallel=2,
        environment=ENVIRONMENT,
    )
    first: Ended[str] = next(ended)
    assert first.key == "quick"
    ended.close()  # type: ignore[attr-defined]
    processes.wait_gone([int(pids.read_text())])


def test_what_is_nice_yields() -> None:
    ended = together(
        [sh("nice", "sleep 0.2; nice")], parallel=1, environment=ENVIRONMENT, nice=True
    )
    assert [list(each.lines) for each in ended] == [[b"19\n"]]
