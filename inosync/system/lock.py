"""One daemon per config: the pid file.

Knows nothing of what the daemon does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from inosync.config.model import Config
from inosync.errors import AlreadyRunningError, ConfigError
from inosync.system import beacon, runtime

#: More bytes than a file with a process id has.
_LONGEST = 64


class Lock:
    """The pid file, held by flock(2): a file that a crash left behind never blocks a start.

    The lock belongs to the open file, so it survives the forks of detaching. Nobody else may open
    the file, or he could hold the lock. With ``beacon`` others see that we run without it.
    """

    def __init__(self, path: str, name: str = "") -> None:
        """Take the lock of the config that is called `name`.

        Raise AlreadyRunningError when it is taken, ConfigError on a bad path.
        """
        self.path = Path(path)
        self._name = name
        self.descriptor = self._take()
        self.beacon = beacon.light(name) if name else None
        if name and self.beacon is None and (pid := beacon.keeper(name, os.getuid())):
            os.close(self.descriptor)  # two of us began at the same moment, at two places
            raise AlreadyRunningError(f"already running {_as_process(pid)}")

    def _take(self) -> int:
        while True:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
                descriptor = os.open(self.path, flags, 0o600)
            except OSError as error:
                raise ConfigError([f"pidfile = {str(self.path)!r}: {error.strerror}"]) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                known = _as_process(_holder(descriptor))
                os.close(descriptor)
                raise AlreadyRunningError(
                    f"already running {known} ({self.path} is locked)"
                ) from None
            if self._is_ours(descriptor):
                content = os.pread(descriptor, _LONGEST, 0).strip(b"\0 \n")
                if content and not content.isdigit():
                    os.close(descriptor)
                    text = "is there already and holds no process id: name another file"
                    raise ConfigError([f"pidfile = {str(self.path)!r}: {text}"])
                os.ftruncate(descriptor, 0)  # who was killed is not who starts
                with contextlib.suppress(OSError):
                    os.fchmod(descriptor, 0o600)  # of one that an older version has left
                return descriptor
            os.close(descriptor)  # its last holder removed it between our open and flock

    @property
    def preserved(self) -> list[int]:
        """The descriptors that must stay open when the process detaches."""
        return [self.descriptor, *([self.beacon.fileno()] if self.beacon else [])]

    def write(self) -> None:
        """Put our process id into the file. Call it after the last fork."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)
        if self.beacon is not None:
            self.beacon.listen(beacon.QUEUE)

    def restore(self) -> None:
        """Make the file again when somebody has removed it; where that cannot be, go on without."""
        if self._is_ours(self.descriptor):
            return
        with contextlib.suppress(OSError, ConfigError, AlreadyRunningError):
            self.path.parent.mkdir(mode=0o755 if os.getuid() == 0 else 0o700, exist_ok=True)
            fresh = self._take()
            os.dup2(fresh, self.descriptor, inheritable=False)
            os.close(fresh)
            os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        # Without privileges the file may have to stay; unlocked, it blocks nobody.
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            if self._is_ours(self.descriptor):
                self.path.unlink()
        os.close(self.descriptor)
        if self.beacon is not None:
            self.beacon.close()

    def _is_ours(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.lstat())
        except OSError:  # it is gone, or its directory is not ours to look into
            return False


def _holder(descriptor: int) -> int:
    """Return a process that holds the lock on this file, 0 where none can be seen.

    What is in the file is older than the lock when a killed daemon has left it. The kernel tells
    for each open file which locks it has, proc_pid_fdinfo(5), and never blocks over that.
    """
    lock = re.compile(rb"^lock:.* FLOCK .*:%d " % os.fstat(descriptor).st_ino, re.MULTILINE)
    with contextlib.suppress(OSError):
        for process in (entry for entry in os.listdir("/proc") if entry.isdigit()):
            # Those of others are closed to us, and all may end while we look.
            with contextlib.suppress(OSError):
                for path in Path("/proc", process, "fdinfo").iterdir():
                    if lock.search(path.read_bytes()):
                        return int(process)
    return 0


def _as_process(pid: int) -> str:
    """Return which process that is, as far as there is one (any more, or for our eyes)."""
    return f"as process {pid}" if pid > 0 and _alive(pid) else "as another process"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True


def refuse_a_second(config: Config) -> None:
    """Raise AlreadyRunningError when a daemon of this config runs, as whatever user.

    What an ordinary user runs is in nobody's way but his own.
    """
    for pid, user in _running(config):
        as_whom = "" if user == os.getuid() else f" of {runtime.user_name(user)}"
        raise AlreadyRunningError(f"already running {_as_process(pid)}{as_whom}")


def runs(config: Config) -> bool:
    """Return whether a daemon of this config runs."""
    return any(_running(config))


def _running(config: Config) -> Iterator[tuple[int, int]]:
    """Yield the process and the user of each daemon of this config that counts for us."""
    name = runtime.own_name(runtime.identity(config))
    for user in dict.fromkeys((os.getuid(), 0, *_keepers(config), *beacon.of_units(name))):
        if pid := beacon.keeper(name, user):
            yield pid, user


def _keepers(config: Config) -> Iterator[int]:
    """Yield to whom the locks of this config belong where root has handed out a directory."""
    for place in runtime.places(0):
        with contextlib.suppress(OSError):
            yield os.lstat(runtime.lock_path(place, config)).st_uid


def addresses(file: str, config: Config | None) -> tuple[tuple[str, int | None], ...]:
    """Return where a daemon of a config may answer, and which user that has to be.

    The config is that of the `file`, and need not be known as long as it has no ``socket``.
    """
    who = runtime.identity(config) if config else os.path.realpath(file)
    owner = runtime.owner(file)
    if config and config.socket:
        paths = [config.socket]
    else:
        paths = [runtime.own_path(place, who, ".sock") for place in runtime.places(owner)]
    name, us = runtime.own_name(who), os.getuid()
    # By the beacon of another user root alone is answered.
    users = dict.fromkeys((us, *((owner, *beacon.of_units(name)) if us == 0 else ())))
    beacons = [(beacon.address(name, user), user) for user in users]
    return (*((path, None) for path in paths), *beacons)
