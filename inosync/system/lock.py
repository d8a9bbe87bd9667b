"""One daemon per config: the pid file, and the directory it lies in by default.

Knows nothing of what the daemon does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import zlib
from pathlib import Path

from inosync.config.model import Config
from inosync.errors import AlreadyRunningError, ConfigError


def runtime_directory() -> Path:
    """Return the directory for locks and sockets, made if missing; nobody else may write there.

    systemd's RUNTIME_DIRECTORY, else /run/inosync for root, $XDG_RUNTIME_DIR/inosync for others,
    and as a last resort one below the directory for temporary files.
    """
    given = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    if given:
        path = Path(given)
    elif os.getuid() == 0:
        path = Path("/run/inosync")
    elif session and os.access(session, os.W_OK):
        path = Path(session, "inosync")
    else:
        path = Path(tempfile.gettempdir(), f"inosync-{os.getuid()}")
    try:
        # Others may pass through to sockets that are theirs after privileges were dropped.
        path.mkdir(mode=0o755 if os.getuid() == 0 else 0o700, parents=True, exist_ok=True)
        stat = path.lstat()
    except OSError as error:
        raise ConfigError([f"{path}: the runtime directory cannot be made: {error}"]) from error
    if not path.is_dir() or path.is_symlink() or stat.st_uid not in (0, os.getuid()):
        raise ConfigError([f"{path}: the runtime directory belongs to somebody else; remove it"])
    if stat.st_mode & 0o022:
        raise ConfigError([f"{path}: others may write there; chmod go-w {path}"])
    return path


def identity(config: Config) -> str:
    """Return what tells this config from others: its file, or what the command line said."""
    return (
        os.path.realpath(config.file)
        if config.file
        else "\0".join(f"{pair.source.argument}\0{pair.destination.text}" for pair in config.pairs)
    )


def own_path(runtime: Path, identity: str, ending: str) -> str:
    """Return the path in `runtime` that belongs to one config alone."""
    # Not hashlib, with which OpenSSL comes: a seventh of the memory of a daemon that is idle.
    return str(runtime / f"{zlib.crc32(os.fsencode(identity)):08x}{ending}")


def lock_path(runtime: Path, config: Config) -> str:
    """Return where the lock of this config is."""
    return config.pidfile or own_path(runtime, identity(config), ".pid")


def lock_paths(runtime: Path, config: Config) -> list[str]:
    """Return the locks that a daemon of this config holds: that of `lock_path` comes last.

    Whatever ``pidfile`` says, a second daemon never starts beside one with the same config file.
    """
    paths = (own_path(runtime, identity(config), ".pid"), lock_path(runtime, config))
    return list(dict.fromkeys(paths))


def socket_path(runtime: Path, config: Config) -> str:
    """Return where the control socket of this config is."""
    return config.socket or own_path(runtime, identity(config), ".sock")


class Lock:
    """The pid file, held by flock(2): a file that a crash left behind never blocks a start.

    The lock belongs to the open file, so it survives the forks of detaching.
    """

    def __init__(self, path: str) -> None:
        """Take the lock. Raise AlreadyRunningError when it is taken, ConfigError on a bad path."""
        self._path = Path(path)
        while True:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
                self.descriptor = os.open(self._path, flags, 0o644)
            except OSError as error:
                raise ConfigError([f"pidfile = {path!r}: {error.strerror}"]) from error
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(self.descriptor, 32, 0).decode("ascii", "replace").strip()
                os.close(self.descriptor)
                raise AlreadyRunningError(
                    f"already running as process {holder or '(starting)'} ({path} is locked)"
                ) from None
            if self._is_ours():
                return
            os.close(self.descriptor)  # its last holder removed it between our open and flock

    def write(self) -> None:
        """Put our process id into the file. Call it after the last fork."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        # Without privileges the file may have to stay; unlocked, it blocks nobody.
        with contextlib.suppress(OSError):
            os.ftruncate(self.descriptor, 0)
            if self._is_ours():
                self._path.unlink()
        os.close(self.descriptor)

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self.descriptor), self._path.lstat())
        except FileNotFoundError:
            return False
