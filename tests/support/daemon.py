"""The daemon under test, as a person starts it: the installed program with a config file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from support import processes
from support.waiting import PATIENCE, until

PROJECT = Path(__file__).resolve().parents[2]

#: What a service manager around the test run would tell, and is not meant for us.
_NOT_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM")


#: What keeps a test from waiting.
QUICK = {"edelay": 0.1, "rretry": (0.1, 0.5), "rlate": 1}


def settings(source: Path, *nodes: object, **more: object) -> dict[str, object]:
    """Return the settings of a quick config that mirrors what is in `source` on these nodes."""
    return QUICK | {"wpath": f"{source}/", "rnodes": list(nodes)} | more


def config_text(settings: Mapping[str, object] | str) -> str:
    """Return a config script: the text itself, or one assignment for each setting."""
    if isinstance(settings, str):
        return settings
    if "rsync" in settings:
        # A program that stands in for rsync counts a run only when it has read its list.
        settings = {"rwarm": 0, **settings}
    return "".join(f"{name} = {value!r}\n" for name, value in settings.items())


def inosync_command(*arguments: str | os.PathLike[str]) -> list[str]:
    """Return the command line that runs inosync on the interpreter of the tests."""
    return [sys.executable, "-m", "inosync", *(os.fspath(argument) for argument in arguments)]


def inosync_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which inosync is found and no service manager is."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    environment["PYTHONPATH"] = str(PROJECT)
    return environment | dict(extra or {})


def run_inosync(
    *arguments: str | os.PathLike[str],
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Run inosync to its end, with its output captured."""
    return subprocess.run(
        inosync_command(*arguments),
        cwd=cwd,
        env=inosync_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


class Daemon:
    """inosync in the foreground, its log in a file. Use as a context manager.

    Leaving the context kills the daemon and whatever it started, wherever that hides, and fails
    the test when a traceback is in the log.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object] | str,
        *,
        arguments: tuple[str, ...] = ("-v",),
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # a config in a directory that others may write is refused
        self.folder = folder
        self.config_file = folder / "inosync.conf"
        self.log_file = folder / "inosync.system.log"
        self.arguments = arguments
        self.prefix = prefix  # of the command: what runs it elsewhere, and becomes it
        self.exit_code: int | None = None
        self._mark = f"INOSYNC_TEST_RUN={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        state = {"STATE_DIRECTORY": str(self.folder / "state")}
        self._environment = inosync_environment(state | dict(environment or {})) | {name: value}
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(settings)

    def configure(self, settings: Mapping[str, object] | str) -> None:
        """Write the config file; a running daemon reads it on `hup`."""
        # Errors as the daemon reads them: a path that is not UTF-8 keeps its bytes.
        self.config_file.write_text(config_text(settings), errors="surrogateescape")
        self.config_file.chmod(0o644)

    def start(self, *, ready: bool = True, seconds: float = PATIENCE) -> Daemon:
        """Start the program; with `ready`, return when its watches stand."""
        assert self._process is None or self._process.poll() is not None, "it runs already"
        seen = self.log().count(READY)
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, *inosync_command("-c", self.config_file, *self.arguments)],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.exit_code = None
        if ready:
            self._wait_for_log(READY, seen, seconds)
        return self

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None, "not started"
        return self._process.pid

    def log(self) -> str:
        """Return everything logged until now, by all starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_for_log(self, text: str, *, times: int = 1, seconds: float = PATIENCE) -> None:
        """Wait until `text` has been logged at least so many times."""
        self._wait_for_log(text, times - 1, seconds)

    def _wait_for_log(self, text: str, before: int, seconds: float) -> None:
        def logged() -> bool:
            ended = self._process is not None and self._process.poll() is not None
            if self.log().count(text) > before:
                return True
            if ended:
                code = self._process.returncode if self._process else None
                raise RuntimeError(f"ended with {code} before {text!r}:\n{self.log()}")
            return False

        until(logged, seconds=seconds, what=f"{text!r} in the log", state=self.log)

    def signal(self, number: int) -> None:
        """Send a signal to the daemon alone."""
        os.kill(self.pid, number)

    def hup(self) -> None:
        """Ask it to read its config again."""
        self.signal(signal.SIGHUP)

    def wait(self, *, seconds: float = PATIENCE) -> int:
        """Wait for the end of the daemon and return its exit code; negative for a signal."""
        assert self._process is not None, "not started"
        try:
            self.exit_code = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds:g} s:\n{self.log()}") from None
        return self.exit_code

    def stop(self, *, seconds: float = PATIENCE) -> int:
        """Ask the daemon to end as an init system does, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds=seconds)

    def kill(self) -> None:
        """Kill the daemon alone, without a warning; what it started stays behind."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self.wait()

    def leftovers(self) -> list[int]:
        """Return the running processes that this daemon started, itself not included."""
        return [pid for pid in processes.marked(self._mark) if pid != self._own_pid()]

    def _own_pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def __enter__(self) -> Daemon:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        while survivors := processes.marked(self._mark):
            processes.kill(survivors)
            processes.wait_gone(survivors)
        if kind is None:
            log = self.log()
            assert not re.search(r"^\s*Traceback \(most recent call last\)", log, re.M), log


#: Part of the line that says that all watches stand.
READY = "ready after"
