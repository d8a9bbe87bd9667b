"""``--status --all`` and ``--wait --all``: one command for a chain, over a real sshd."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import PROJECT, Daemon, run_inosync, settings
from support.servers import SshServer
from support.trees import write


def asking(daemon: Daemon) -> str:
    """Return the command that asks a daemon on the host that it runs on."""
    where = [f"{name}={os.environ[name]}" for name in ("RUNTIME_DIRECTORY",)]
    python = [sys.executable, "-m", "inosync"]
    words = ["env", f"PYTHONPATH={PROJECT}", *where, *python, "-c", str(daemon.config_file)]
    return shlex.join(words)


def ask(
    daemon: Daemon, environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return run_inosync(
        "-c", daemon.config_file, *arguments, cwd=daemon.folder, environment=environment
    )


@pytest.mark.skipif("INOSYNC_RRSYNC" in os.environ, reason="rrsync lets nobody be asked there")
def test_one_command_says_whether_the_last_of_a_chain_has_it(
    inosync: Callable[..., Daemon], source: Path, tmp_path: Path, ssh_server: SshServer
) -> None:
    relay, last = tmp_path / "relay", tmp_path / "last"
    relay.mkdir()
    write(relay, "something", "x")
    passing = inosync(settings(relay, f"{last}/", rscope="changes"), name="passing")
    relay_node = ssh_server.url(relay) + "/"
    node = {"node": relay_node, "rrelay": asking(passing)}
    plain = {"node": ssh_server.url(tmp_path / "plain") + "/"}
    environment = ssh_server.environment()
    first = inosync(
        settings(source, node, plain, rscope="changes"), name="first", environment=environment
    )
    write(source, "new/file", "for the last")
    waited = ask(first, environment, "--wait", "20", "--all")
    assert (waited.returncode, waited.stdout, waited.stderr) == (0, "", "")
    assert (last / "new/file").read_text() == "for the last"
    status = ask(first, environment, "--status", "--all")
    assert (status.returncode, status.stderr) == (0, "")
    assert status.stdout.startswith("2 of 2 mirrors in sync\n")
    assert f"\nrelay {relay_node}: 1 of 1 mirror in sync\n" in status.stdout
    assert f"        {last}/" in status.stdout

    # What is not there behind the relay is said, with its name.
    assert ask(passing, environment, "--pause").returncode == 0
    write(source, "more", "x")
    waited = ask(first, environment, "--wait", "2", "--all")
    assert waited.returncode == 5
    (line,) = waited.stderr.splitlines()
    assert line.startswith(f"inosync: relay {relay_node}: not in sync after ")
    assert str(last) in line

    # A relay that does not answer: its daemon is down, then nobody lets us in.
    assert passing.stop() == 0
    waited = ask(first, environment, "--wait", "5", "--all")
    assert waited.returncode == 6
    assert waited.stderr.startswith(f"inosync: relay {relay_node} does not answer (exit 4: ")
    ssh_server.stop()
    asked = ask(first, environment, "--status", "--json", "--all")
    assert asked.returncode == 6
    (behind,) = json.loads(asked.stdout)["relays"]
    assert (behind["node"], behind["status"]) == (relay_node, None)
    assert behind["problem"].startswith("does not answer (exit 255: ")
