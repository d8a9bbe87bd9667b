"""From nothing to the first mirrored file: ``inosync init``, over ssh and with a person."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.daemon import Daemon, inosync_command, inosync_environment, run_inosync
from support.places import wait_equal
from support.servers import SshServer
from support.trees import write


def test_a_first_config(
    source: Path, tmp_path: Path, inosync: Callable[..., Daemon], ssh_server: SshServer
) -> None:
    """Given everything it asks nothing; asked for, it asks at the terminal. What it wrote runs."""
    tmp_path.chmod(0o755)
    write(source, "f", "1")
    mirrors = [tmp_path / "one", tmp_path / "two"]
    file = tmp_path / "given.py"
    by_ssh = ssh_server.environment()
    given = run_inosync(
        *("init", f"{source}/", ssh_server.url(mirrors[0])),
        cwd=tmp_path,
        environment=by_ssh | {"INOSYNC_CONFIG": str(file)},
    )
    assert (given.returncode, given.stderr) == (0, "")
    assert given.stdout.splitlines()[-2] == "0 problems, 0 warnings"
    refused = run_inosync("-c", tmp_path / "none.py", "init", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "give SRC and at least one DEST" in refused.stderr
    master, terminal = pty.openpty()
    command = inosync_command("--config", tmp_path / "asked.py", "--new")
    asking = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=inosync_environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    os.write(master, f"{source}/\n{mirrors[1]}\n".encode())
    shown = b""
    while b"warnings" not in shown:
        shown += os.read(master, 4096)
    assert asking.wait(timeout=20) == 0
    os.close(master)
    assert b"Directory to mirror" in shown
    for name, mirror in zip(("given", "asked"), mirrors, strict=True):
        daemon = inosync((tmp_path / f"{name}.py").read_text(), environment=by_ssh)
        wait_equal(source, mirror)
        daemon.stop()
