"""A /run of a test's own, as a booted machine has it, and inosync run there as whatever user."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.daemon import config_text, inosync_environment, settings
from support.waiting import until

#: A service's user (nobody, who has a name), an ordinary one, and a group of neither.
SERVICE, ORDINARY, GROUP = 65534, 12345, 54321

#: Becomes somebody else when all is loaded: the interpreter may be where he may not look.
_AS = """
import os, sys
import inosync.cli, inosync.commands.ask, inosync.commands.check, inosync.commands.once
import inosync.config.load
import inosync.service.service, encodings.utf_8_sig
user, groups = int(sys.argv[1]), [int(group) for group in sys.argv[2].split()]
os.setgroups(groups), os.setgid(user), os.setuid(user)
sys.exit(inosync.cli.main(sys.argv[3:]))
"""


class Host:
    """The machine, with a source, a mirror and a config below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.unit = folder / "run/inosync/inosync.service"
        self.session = folder / f"run/user/{ORDINARY}"
        self.source, self.mirror = folder / "source", folder / "mirror"
        self.config = folder / "etc/inosync.py"
        for path in (self.unit, self.session, self.source, self.mirror, self.config.parent):
            path.mkdir(parents=True)
            for above in (path, *path.parents[:2]):
                if above.is_relative_to(folder):
                    above.chmod(0o755)
        os.chown(self.unit, SERVICE, SERVICE)
        os.chown(self.session, ORDINARY, ORDINARY)
        self.session.chmod(0o700)
        (self.source / "first").write_text("x")
        self.config.write_text(config_text(settings(self.source, f"{self.mirror}/")))
        self.config.chmod(0o644)
        self._run = folder / "run"
        self.mounts: dict[Path, str] = {}  # what is started sees these files at those paths
        self._started: list[subprocess.Popen[str]] = []

    def start(
        self, user: int, *arguments: str, groups: Sequence[int] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """Start inosync as this user, with this of our concern in its environment."""
        kept = {
            name: value
            for name, value in inosync_environment().items()
            if name not in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "XDG_RUNTIME_DIR")
        }
        mounts = [f"mount --bind {file} {path} && " for file, path in self.mounts.items()]
        script = f'mount --bind "$0" /run && {"".join(mounts)} exec "$@"'
        if user == 0:
            kept["STATE_DIRECTORY"] = str(self._run.with_name("state"))
        apart: list[object] = ["unshare", "--mount", "sh", "-c", script, self._run]
        becoming = [sys.executable, "-W", "ignore", "-c", _AS, user, " ".join(map(str, groups))]
        process = subprocess.Popen(
            [str(word) for word in (*apart, *becoming, "-c", self.config, *arguments)],
            env=kept | environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def ask(
        self, user: int, *arguments: str, groups: Sequence[int] = (), **environment: str
    ) -> tuple[int, str]:
        """Run a command of inosync to its end; return its exit status and what it said."""
        process = self.start(user, *arguments, groups=groups, **environment)
        said, _ = process.communicate(timeout=30)
        return process.returncode, said

    def daemon(
        self, user: int, groups: Sequence[int] = (), **environment: str
    ) -> subprocess.Popen[str]:
        """Start a daemon; return it when it tells its user that all is in sync."""
        os.chown(self.mirror, user, user)
        process = self.start(user, groups=groups, **environment)
        until(
            lambda: self.ask(user, "--wait", "20", groups=(), **environment)[0] == 0,
            what="the daemon",
        )
        return process

    def stop(self) -> None:
        """End what was started."""
        for process in self._started:
            process.terminate()
            process.communicate(timeout=20)
        self._started.clear()
