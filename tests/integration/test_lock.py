"""The pid file and the runtime directory."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.configs import make_config, make_pair
from support.daemon import inosync_environment
from support.waiting import until

from inosync.errors import AlreadyRunningError, ConfigError
from inosync.service.connections import control_directory
from inosync.service.privileges import asking_group
from inosync.system import beacon
from inosync.system.control import Server
from inosync.system.lock import Lock
from inosync.system.runtime import lock_path, own_name, private_folder, runtime_directory, sweep


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


def test_a_dead_process_is_never_named_as_the_holder(tmp_path: Path) -> None:
    """What stands in the file may be its number, or anybody's text."""
    path = tmp_path / "inosync.pid"
    gone = subprocess.Popen(["true"])
    gone.wait()
    for text in (f"{gone.pid}\n", "\x1b]0;evil\x07", ""):
        path.write_text(text)
        script = "echo held; exec sleep 99"
        command = ["flock", "--no-fork", path, "sh", "-c", script]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(AlreadyRunningError) as caught:
                Lock(str(path))
            holder.kill()
        told = f"already running as process {holder.pid} ({path} is locked)"
        assert str(caught.value) == told


def test_who_detaches_is_not_named_when_it_is_gone(tmp_path: Path) -> None:
    """The kernel says who began to listen: until Lock.write() that is the one that forked."""
    name = f"test-{os.getpid()}"
    script = (
        "import os, sys, time; from inosync.system import beacon; it = beacon.light(sys.argv[1])\n"
        "if not os.fork(): print(os.getpid(), flush=True); time.sleep(99)"
    )
    command = [sys.executable, "-c", script, name]
    environment = inosync_environment()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        child = int(first.stdout.readline())
        try:
            first.wait()
            with pytest.raises(AlreadyRunningError, match=r"^already running as another process$"):
                Lock(str(tmp_path / "inosync.pid"), name)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_file_of_the_same_name_that_is_not_ours_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "inosync.pid"
    with Lock(str(path)):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_nobody_else_may_open_the_file(tmp_path: Path) -> None:
    """He could hold the lock, and keep the daemon out."""
    path = tmp_path / "inosync.pid"
    path.touch(0o644)
    with Lock(str(path)):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "run" / "inosync.pid"
    path.parent.mkdir()
    with Lock(str(path)) as lock:
        path.unlink()
        path.parent.rmdir()
        lock.restore()
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(AlreadyRunningError, match=str(os.getpid())):
            Lock(str(path))
        lock.restore()
    assert not path.exists()


def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    for content in ("a line\n", "12 monkeys"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="holds no process id: name another file"):
            Lock(str(path))
        assert path.read_text() == content
    path.write_text("4711\n")
    with Lock(str(path)):
        pass


def test_where_its_directory_cannot_be_looked_into_it_goes_on_without(tmp_path: Path) -> None:
    path = tmp_path / "run" / "inosync.pid"
    path.parent.mkdir()
    with Lock(str(path)) as lock:
        path.parent.rename(tmp_path / "away")
        path.parent.touch()  # not a directory
        lock.restore()


def test_the_beacon_tells_who_runs_it_and_a_foreign_one_tells_nothing(tmp_path: Path) -> None:
    name = f"test-{os.getpid()}"
    assert beacon.keeper(name, os.getuid()) is None
    with Lock(str(tmp_path / "one"), name):
        assert beacon.keeper(name, os.getuid()) == os.getpid()
        with pytest.raises(AlreadyRunningError, match=f"already running as process {os.getpid()}"):
            Lock(str(tmp_path / "two"), name)
    assert beacon.keeper(name, os.getuid()) is None
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(beacon.address(name, 0 if os.getuid() else 1))
        impostor.listen()
        assert beacon.keeper(name, 0 if os.getuid() else 1) is None
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(beacon.address(name, os.getuid()))  # and does not even listen
        with Lock(str(tmp_path / "one"), name) as lock:
            assert lock.beacon is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root may chroot")
def test_a_chroot_has_configs_of_its_own(tmp_path: Path) -> None:
    name = f"test-{os.getpid()}"
    script = (
        "import os, sys; from inosync.system import beacon; print(beacon.keeper(sys.argv[1], 0));"
        "os.chroot(sys.argv[2]); print(beacon.keeper(sys.argv[1], 0))"
    )
    with Lock(str(tmp_path / "one"), name):
        command = [sys.executable, "-c", script, name, tmp_path]
        seen = subprocess.check_output(command, env=inosync_environment(), text=True)
    assert seen == f"{os.getpid()}\nNone\n"


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("killed.pid", "killed.sock", "held.pid", "held.sock", "other"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1, 1))
    fresh = tmp_path / "fresh.pid"
    fresh.touch()
    with Lock(str(tmp_path / "held.pid")):
        sweep(tmp_path, fresh)
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {"held.pid", "held.sock", "fresh.pid", "other"}


def test_shared_connections_that_a_killed_process_left_are_removed(tmp_path: Path) -> None:
    config = make_config([make_pair(None, "host:/m")])
    with tempfile.TemporaryDirectory(prefix="inosync-run-", dir="/tmp") as name:
        runtime = Path(name)
        (runtime / "ssh-killed").mkdir()
        (runtime / "ssh-killed/master").touch()
        if os.getuid() == 0:
            os.chown(runtime / "ssh-killed", 65534, 65534)  # the setting `user`
        os.utime(runtime / "ssh-killed", (1, 1))
        with control_directory(config, runtime) as other:
            os.utime(other, (1, 1))
            assert not (runtime / "ssh-killed").exists()
            with control_directory(config, runtime) as ours:
                assert {str(path) for path in runtime.iterdir()} == {other, ours}
        assert list(runtime.iterdir()) == []


def test_folders_that_a_killed_process_left_are_removed(tmp_path: Path) -> None:
    (tmp_path / "one-killed/inner").mkdir(parents=True)
    (tmp_path / "another").mkdir()
    for old in ("one-killed", "another"):
        os.utime(tmp_path / old, (1, 1))
    with private_folder(tmp_path, "one-") as one:
        os.utime(one, (1, 1))  # as if it had been at work for long
        with private_folder(tmp_path, "one-") as other:
            assert {path.name for path in tmp_path.iterdir()} == {one.name, other.name, "another"}
    assert [path.name for path in tmp_path.iterdir()] == ["another"]


def test_a_config_is_for_its_group_when_it_was_given_to_one(tmp_path: Path) -> None:
    path = tmp_path / "inosync.py"
    path.touch(0o640)
    assert asking_group(str(path)) is None
    assert asking_group("") is None
    others = [group for group in os.getgroups() if group != os.getgid()]
    if os.getuid() == 0 or others:
        group = others[0] if others else 54321
        os.chown(path, -1, group)
        assert asking_group(str(path)) == group
        path.chmod(0o600)
        assert asking_group(str(path)) is None


def test_files_are_called_like_their_config() -> None:
    assert re.fullmatch(r"etc-inosync-web\.py-[0-9a-f]{8}", own_name("/etc/inosync/web.py"))
    assert re.fullmatch(r"srv-a-b-host-m-[0-9a-f]{8}", own_name("/srv/a b/\0host:/m"))
    assert len(own_name("/x" * 500)) <= 57
    assert own_name("/a b") != own_name("/a-b")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_link_in_the_place_of_the_socket_is_not_given_away(tmp_path: Path) -> None:
    """As who may write to the directory that ``socket`` is in can put there."""
    door, precious = tmp_path / "door", tmp_path / "precious"
    precious.touch(mode=0o600)
    with contextlib.closing(Server(str(door))) as server:
        door.unlink()
        door.symlink_to(precious)
        server.give(user=12345, group=12345)
        assert (precious.stat().st_uid, precious.stat().st_gid) == (0, os.getegid())
        assert (door.lstat().st_uid, door.lstat().st_gid) == (12345, 12345)
    assert precious.exists()


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
    with pytest.raises(ConfigError, match="no directory"):
        runtime_directory()


def test_a_runtime_directory_that_cannot_be_made_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/proc/nonexistent")
    with pytest.raises(ConfigError, match="cannot be made"):
        runtime_directory()
