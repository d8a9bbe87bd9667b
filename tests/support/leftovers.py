"""A guard: a test run that leaves something where the real system keeps such things fails.

Each test has directories of its own (conftest.py); what is elsewhere was started without.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def runtime_files() -> set[Path]:
    """Return what is in the directories that inosync uses when nothing names one."""
    session = os.environ.get("XDG_RUNTIME_DIR")
    directories = [
        Path("/run/inosync"),
        Path("/var/lib/inosync"),
        Path(f"/run/user/{os.getuid()}/inosync"),
        Path(f"/tmp/inosync-{os.getuid()}"),
        *([Path(session, "inosync")] if session else []),
    ]
    return {path for directory in directories if directory.is_dir() for path in directory.iterdir()}


def watch_over(config: pytest.Config) -> None:
    """Guard the run that begins; with workers, all of them together."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Guard())


class _Guard:
    def __init__(self) -> None:
        self._before = runtime_files()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that has left something new, and name it."""
        left = sorted(map(str, runtime_files() - self._before))
        if not left:
            return
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.section(
                "left behind by a test that used a real directory of inosync", red=True
            )
            reporter.write_line("\n".join(left))
