"""The ssh connections that the runs to a node share: where their sockets are, and their end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from inosync.config.model import Config
from inosync.rsync.destination import Transport
from inosync.system.process import capture
from inosync.system.runtime import private_folder

#: A Unix socket's path holds 107 bytes; ssh appends 40 for the connection and 17 while it binds.
_LONGEST_CONTROL = 48


@contextlib.contextmanager
def control_directory(config: Config, runtime: Path | None = None) -> Iterator[str]:
    """Provide a private directory for ssh's control sockets, or ``""`` when no path is usable.

    It is below `runtime`, else in /tmp; what killed processes have left there is removed. At the
    end the shared connections are closed, so that no ssh outlives us.
    """
    if all(pair.destination.transport is not Transport.SSH for pair in config.pairs):
        yield ""
        return
    short = runtime and len(str(runtime)) < _LONGEST_CONTROL - 13 and " " not in str(runtime)
    where, prefix = (runtime, "ssh-") if runtime and short else (Path("/tmp"), "inosync-ssh-")  # noqa: S108
    with private_folder(where, prefix, _end_masters) as path:
        if config.user:
            os.chown(path, pwd.getpwnam(config.user).pw_uid, -1)
        yield str(path)


def _end_masters(directory: Path) -> None:
    """End the shared connections whose sockets are in this directory, and remove it."""
    ours = directory.stat().st_uid == os.getuid()  # else nobody knows who would answer
    for master in directory.iterdir() if ours else ():
        with contextlib.suppress(OSError):
            capture(["ssh", "-O", "exit", "-o", f"ControlPath={master}", "none"], timeout=3)
    shutil.rmtree(directory, ignore_errors=True)
