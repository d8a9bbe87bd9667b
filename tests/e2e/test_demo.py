"""The demonstration that a stranger runs first."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import processes
from support.waiting import until

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Its temporary folder is ours, so that we see what it leaves behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return os.environ | {"PYTHON": sys.executable, "TMPDIR": str(folder)}


def test_it_shows_changes_arriving_and_cleans_up(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [DEMO, "--once"],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    arrived = re.findall(
        r"^source: (.*?)  +mirror-\d: there after [\d.]+ s  mirror-\d: there after [\d.]+ s$",
        done.stdout,
        re.M,
    )
    assert len(arrived) >= 6, done.stdout
    assert "both mirrors are equal to the source" in done.stdout
    assert os.listdir(environment["TMPDIR"]) == []
    assert processes.marked(f"TMPDIR={environment['TMPDIR']}") == []


def test_it_goes_on_until_it_is_interrupted(environment: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "output"
    with open(output, "wb") as file:
        demo = subprocess.Popen(
            # A shell cannot trap what was ignored when it began, as in a job in the background.
            ["env", "--default-signal=INT", DEMO],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        until(
            lambda: "Ctrl-C ends it" in output.read_text(),
            seconds=100,
            what="the end of the show",
            state=output.read_text,
        )
        (folder,) = Path(environment["TMPDIR"]).iterdir()
        (folder / "source" / "by hand").write_text("mine")
        for mirror in ("mirror-1", "mirror-2"):
            until((folder / mirror / "by hand").exists, what="my file", state=output.read_text)
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(timeout=30) == 130
        assert os.listdir(environment["TMPDIR"]) == []
    finally:
        left = processes.marked(f"TMPDIR={environment['TMPDIR']}")
        processes.kill(left)
        demo.wait(timeout=10)
    assert left == []


def test_a_wrong_option_is_told() -> None:
    done = subprocess.run(
        [DEMO, "--twice"], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "usage" in done.stderr
