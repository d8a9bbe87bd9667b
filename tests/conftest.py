"""Fixtures that every test may use; the work is done in tests/support."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings
from support.daemon import Daemon
from support.fakersync import FakeRsync
from support.leftovers import watch_over
from support.servers import RsyncDaemon, SshServer

settings.register_profile("quick", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("deep", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("INOSYNC_PROFILE", "quick"))


def pytest_configure(config: pytest.Config) -> None:
    """Watch over what the tests leave behind."""
    watch_over(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that may take longest, or the last one would end alone."""
    items.sort(key=_may_take, reverse=True)


def _may_take(item: pytest.Item) -> float:
    """Return for how many seconds a test may go on, if that is its own; else 0."""
    own = item.get_closest_marker("timeout")
    return float(own.args[0]) if own is not None and own.args else 0.0


@pytest.fixture(autouse=True)
def runtime_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory for this test alone, to which all that it starts keeps; root's state too.

    Not below `tmp_path`: the path of ssh's control socket has to be short, and users whom pytest
    lets into none of its folders have to come by. What a killed daemon left goes with it.
    """
    with tempfile.TemporaryDirectory(prefix="inosync-run-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("RUNTIME_DIRECTORY", name)
        state = f"{name}.state"  # made when it is needed
        if os.getuid() == 0:
            monkeypatch.setenv("STATE_DIRECTORY", state)
        yield folder
        if os.path.exists(state):
            shutil.rmtree(state)


@pytest.fixture
def rsync_daemon(tmp_path: Path) -> Iterator[RsyncDaemon]:
    """A running rsync daemon with one writable module."""
    server = RsyncDaemon(tmp_path / "rsyncd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    """A running sshd that lets the current user in."""
    server = SshServer(tmp_path / "sshd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fakersync(tmp_path: Path) -> FakeRsync:
    """A program that stands in for rsync, with its records and its orders in a folder."""
    return FakeRsync(tmp_path / "fakersync")


@pytest.fixture
def inosync(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start daemons: ``inosync({"wpath": ..., "rnodes": [...]})`` returns one that is ready.

    Keyword arguments: `arguments`, `environment`, `prefix` as of Daemon; ``ready=False`` does not
    wait; ``name`` when a test starts more than one.
    """
    with contextlib.ExitStack() as running:

        def start(
            configuration: Mapping[str, object] | str,
            *,
            name: str = "daemon",
            ready: bool = True,
            arguments: tuple[str, ...] = ("-v",),
            environment: Mapping[str, str] | None = None,
            prefix: tuple[str, ...] = (),
        ) -> Daemon:
            daemon = Daemon(
                tmp_path / name,
                configuration,
                arguments=arguments,
                environment=environment,
                prefix=prefix,
            )
            running.enter_context(daemon)
            return daemon.start(ready=ready)

        yield start
