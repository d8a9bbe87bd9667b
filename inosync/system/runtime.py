"""Where a daemon keeps its lock and its socket, and where others look for them.

A daemon writes into one directory, into which nobody else may write. Who looks for it cannot know
as which user it runs, and looks wherever it may be. Knows nothing of what is in the files.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from inosync.config.model import Config
from inosync.errors import ConfigError

#: Where root's daemons are, and below it those of units that have a user of their own.
_MACHINE = Path("/run/inosync")

#: Bytes of a config's own path in the names of its files, and of its beacon: unix(7) takes 107.
_LONGEST = 48

#: Seconds after which a file that nobody holds is one that a killed process has left.
_STALE = 60.0


def runtime_directory() -> Path:
    """Return the directory for our own locks and sockets, made if missing.

    systemd's RUNTIME_DIRECTORY, else /run/inosync for root; for others one below the directory of
    their session, also when nothing in the environment names it, or below /tmp.
    Raise ConfigError when there is none into which nobody else may write.
    """
    path = _home()
    try:
        # Others may pass through to sockets that are theirs after privileges were dropped.
        path.mkdir(mode=0o755 if os.getuid() == 0 else 0o700, parents=True, exist_ok=True)
        status, above = path.lstat(), path.parent.lstat()
    except OSError as error:
        raise ConfigError([f"{path}: the runtime directory cannot be made: {error}"]) from error
    us = (0, os.getuid())
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigError([f"{path}: the runtime directory is no directory; remove what is there"])
    if status.st_uid not in us:
        raise ConfigError([f"{path}: the runtime directory {_taken(path, status.st_uid)}"])
    if above.st_uid not in us and not above.st_mode & stat.S_ISVTX:
        raise ConfigError([f"{path.parent}: the runtime directory {_taken(path, above.st_uid)}"])
    if status.st_mode & 0o022:
        raise ConfigError([f"{path}: others may write there; chmod go-w {path}"])
    return path


def _taken(path: Path, owner: int) -> str:
    """Return what to do about a directory that is another user's. Live locks may be in it."""
    name = user_name(owner)
    if _MACHINE in {path, path.parent}:
        return (
            f"belongs to {name}: a unit with User={name} has RuntimeDirectory=inosync; give it "
            "inosync/%n as in examples/inosync.service, restart it, and "
            f"chown root {_MACHINE}"
        )
    return f"belongs to {name}; name another in XDG_RUNTIME_DIR"


def user_name(uid: int) -> str:
    """Return the name of a user, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _home() -> Path:
    given = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    user = os.getuid()
    if user == 0:
        return _MACHINE
    usable = (path for path in _sessions(user) if os.access(path.parent, os.W_OK))
    return next(usable, _temporary(user))


def _sessions(user: int) -> list[Path]:
    """Return where the session of a user has a directory for us.

    cron, su and sudo do not say so in the environment, or name that of another user.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "") if user == os.getuid() else ""
    parents = [named] if named else []
    return [Path(parent, "inosync") for parent in [*parents, f"/run/user/{user}"]]


def _temporary(user: int) -> Path:
    # Not $TMPDIR: it differs between a session and cron.
    return Path(f"/tmp/inosync-{user}")  # noqa: S108 - refused unless it is ours alone


def places(owner: int) -> list[Path]:
    """Return the directories in which a daemon of a config may be, its file belonging to `owner`.

    Only such as nobody can have put there but root, we ourselves and the owner.
    """
    us = os.getuid()
    found = [_home(), _MACHINE]
    with contextlib.suppress(OSError):
        # Not the shared connections of a daemon, which may be another user's.
        units = [path for path in _MACHINE.iterdir() if not path.name.startswith("ssh-")]
        found += sorted(path for path in units if path.is_dir())
    for user in dict.fromkeys((us, owner)):
        found += [*_sessions(user), _temporary(user)]
    return [path for path in dict.fromkeys(found) if _vouched(path, {0, us, owner})]


def _vouched(path: Path, users: Collection[int]) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    # What is in /run/inosync root has put there, whomever it has given it to.
    handed_out = _MACHINE in {path, path.parent}
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o022
    return private and (handed_out or status.st_uid in users)


# ---- names ----------------------------------------------------------------------------------


def identity(config: Config) -> str:
    """Return what tells this config from others: its file, or what the command line said."""
    return (
        os.path.realpath(config.file)
        if config.file
        else "\0".join(f"{pair.source.argument}\0{pair.destination.text}" for pair in config.pairs)
    )


def own_name(identity: str) -> str:
    """Return how the files of one config alone are called: like the config, for people."""
    shown = re.sub(r"[^A-Za-z0-9._+@-]+", "-", identity).strip("-")[-_LONGEST:]
    # Not hashlib, with which OpenSSL comes: a seventh of the memory of a daemon that is idle.
    return f"{shown}-{zlib.crc32(os.fsencode(identity)):08x}"


def own_path(runtime: Path, identity: str, ending: str) -> str:
    """Return the path in `runtime` that belongs to one config alone."""
    return str(runtime / f"{own_name(identity)}{ending}")


def lock_path(runtime: Path, config: Config) -> str:
    """Return where the lock of this config is."""
    return config.pidfile or own_path(runtime, identity(config), ".pid")


def socket_path(runtime: Path, config: Config) -> str:
    """Return where the control socket of this config is."""
    return config.socket or own_path(runtime, identity(config), ".sock")


def owner(file: str) -> int:
    """Return the user to whom a config file belongs; ourselves when there is none."""
    try:
        return os.stat(file).st_uid if file else os.getuid()
    except OSError:
        return os.getuid()


# ---- what killed processes have left --------------------------------------------------------


def stale(directory: Path, pattern: str, fresh: Path) -> Iterator[Path]:
    """Yield what is called like `pattern` in a directory and has been left by a killed process.

    Its holder has a flock(2) on it as long as it lives. Held by us while the caller removes it.
    What is hardly older than `fresh`, which was made just now, may be about to be locked.
    """
    with contextlib.suppress(OSError):
        limit = fresh.stat().st_mtime - _STALE
        shared = directory.stat().st_mode & stat.S_ISVTX
        for path in directory.glob(pattern):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    status = os.fstat(descriptor)
                    ours = not shared or status.st_uid == os.getuid()
                    if ours and status.st_mtime < limit:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        yield path
                finally:
                    os.close(descriptor)


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def private_folder(
    directory: Path, prefix: str, remove: Callable[[Path], object] = _remove
) -> Iterator[Path]:
    """Provide a private folder that is called like `prefix`; `remove` it at the end.

    And before, what killed processes have left of that name.
    """
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
    for old in stale(directory, f"{prefix}*", path):
        remove(old)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # it is in use
        yield path
    finally:
        remove(path)
        os.close(descriptor)


def sweep(directory: Path, fresh: Path) -> None:
    """Remove the pid files that nobody holds, and the sockets beside them."""
    for path in stale(directory, "*.pid", fresh):
        path.unlink(missing_ok=True)
        path.with_suffix(".sock").unlink(missing_ok=True)
