"""The pid file and the runtime directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.configs import make_config, make_pair
from support.daemon import inosync_environment
from support.waiting import until

from inosync.errors import AlreadyRunningError, ConfigError
from inosync.system.lock import Lock, lock_path, runtime_directory


def test_the_lock_holds_the_pid_and_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "inosync.pid"
    with Lock(str(path)) as lock:
        lock.write()
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


def test_a_second_holder_is_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "inosync.pid"
    with Lock(str(path)) as lock:
        lock.write()
        with pytest.raises(AlreadyRunningError, match=f"already running as process {os.getpid()}"):
            Lock(str(path))
        assert path.read_text() == f"{os.getpid()}\n"
    with Lock(str(path)):
        pass


def test_a_pid_file_left_by_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "inosync.pid"
    script = (
        "import sys, time; import inosync.system.lock as lock; "
        "lock.Lock(sys.argv[1]).write(); time.sleep(99)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(path)], env=inosync_environment())
    until(lambda: path.read_text() == f"{holder.pid}\n", what="the other's lock")
    with pytest.raises(AlreadyRunningError, match=str(holder.pid)):
        Lock(str(path))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert path.exists()
    with Lock(str(path)) as lock:
        lock.write()
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_file_of_the_same_name_that_is_not_ours_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "inosync.pid"
    with Lock(str(path)):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "inosync.pid"
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigError, match="pidfile"):
        Lock(str(path))


def test_a_pid_file_that_cannot_be_made_says_so() -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        Lock("/nonexistent/inosync.pid")


def test_each_config_has_a_lock_of_its_own(tmp_path: Path) -> None:
    one = lock_path(tmp_path, make_config(file="/etc/a.py"))
    assert one == lock_path(tmp_path, make_config(file="/etc/a.py", edelay=1.0))
    assert one != lock_path(tmp_path, make_config(file="/etc/b.py"))
    without = lock_path(tmp_path, make_config([make_pair(None, "a:/m")], file=""))
    assert without != lock_path(tmp_path, make_config([make_pair(None, "b:/m")], file=""))


def test_the_runtime_directory_is_systemds_when_it_gives_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}/run:{tmp_path}/other")
    assert runtime_directory() == tmp_path / "run"
    assert (tmp_path / "run").is_dir()


def test_a_runtime_directory_that_others_may_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match="chmod go-w"):
        runtime_directory()
    tmp_path.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(link))
    with pytest.raises(ConfigError, match="somebody else"):
        runtime_directory()


def test_a_runtime_directory_that_cannot_be_made_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/proc/nonexistent")
    with pytest.raises(ConfigError, match="cannot be made"):
        runtime_directory()
