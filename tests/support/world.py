"""A small world for command lines and configs taken verbatim: a /var of its own, and other hosts.

Everything is below one folder. The daemon runs in a mount namespace in which /var is a folder of
the test; a stand-in for ssh runs the remote command in one more of them, so that each host has
its own /var and home. Nothing outside is touched.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from support import processes
from support.daemon import inosync_command, inosync_environment
from support.waiting import until

_REMOTE_SHELL = """#!/bin/sh
while :; do
    case $1 in
        -l) shift 2 ;;
        -*) shift ;;
        *) break ;;
    esac
done
host={hosts}/$1
shift
mkdir -p "$host/var" "$host/home"
exec {unshare} sh -c 'mount --bind "$0/var" /var && cd "$0/home" && exec "$@"' "$host" "$@"
"""


class World:
    """Hosts by name (`host`), this one's /var (`var`), and what runs inosync in there (`start`)."""

    def __init__(self, folder: Path) -> None:
        self.unshare = ["unshare", "--mount"] + ["--map-root-user"] * (os.geteuid() != 0)
        able = (
            shutil.which("unshare")
            and not subprocess.run(
                [*self.unshare, "true"], check=False, capture_output=True
            ).returncode
        )
        if not able:
            pytest.skip("this user cannot make mount namespaces")
        if folder.is_relative_to("/var"):
            pytest.skip("the tests' folder lies in /var, which this test hides")
        self.folder = folder
        self.var = folder / "var"
        self.var.mkdir(parents=True)
        self.log_file = folder / "log"
        self._hosts = folder / "hosts"
        shell = folder / "remote-shell"
        hosts, unshare = shlex.quote(str(self._hosts)), shlex.join(self.unshare)
        shell.write_text(_REMOTE_SHELL.format(hosts=hosts, unshare=unshare))
        shell.chmod(0o755)
        # Its own, for /run/inosync may be there and belong to the real root.
        self.environment = {"RSYNC_RSH": str(shell), "RUNTIME_DIRECTORY": str(folder / "run")}
        self._process: subprocess.Popen[bytes] | None = None

    def host(self, name: str) -> Path:
        """Return the folder of another host: ``var`` and ``home`` are in it."""
        return self._hosts / name

    def start(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start inosync in this world. Where it is, is `cwd` as the world has it."""
        script = 'mount --bind "$0" /var && cd "$1" && shift && exec "$@"'
        inner = [str(self.var), str(cwd or self.folder), *inosync_command("-v", *arguments)]
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                [*self.unshare, "sh", "-c", script, *inner],
                env=inosync_environment(self.environment | dict(environment or {})),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self) -> str:
        """Return what was logged until now."""
        return self.log_file.read_text(errors="replace")

    def wait_for_log(self, text: str) -> None:
        """Wait until `text` was logged."""
        until(lambda: text in self.log(), what=f"{text!r} in the log", state=self.log)

    def stop(self) -> None:
        """End what was started."""
        process, self._process = self._process, None
        if process is None:
            return
        children = processes.descendants(process.pid)
        process.terminate()
        try:
            assert process.wait(timeout=20) == 0, self.log()
        finally:
            process.kill()
            processes.wait_gone(children)
