"""What may be wrong before anything starts: rsync, sources, ssh, directories to write to."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from inosync.config.model import Config
from inosync.errors import ConfigError
from inosync.rsync.destination import Transport
from inosync.rsync.program import OLDEST, Program, chooses_shell, parse_checksum, parse_version
from inosync.service.mandate import missing
from inosync.system.process import capture
from inosync.system.runtime import user_name
from inosync.text import printable


def preflight(config: Config, *, writes: bool = True) -> Program:
    """Return what the local rsync is like; raise ConfigError when something cannot work.

    Who only pretends does not write ``metricsfile`` and ``htmlfile``.
    """
    where = config.file or "inosync"
    problems = []
    version, told = None, ""
    try:
        told = capture([config.rsync, "--version"], timeout=10)
        version = parse_version(told)
    except OSError as error:
        problems.append(f"{where}: rsync = {config.rsync!r}: cannot be run: {error}")
    else:
        if version is None:
            problems.append(
                f"{where}: rsync = {config.rsync!r}: does not answer --version as rsync does; "
                "give the path of rsync itself (to see commands without running them, use -p)"
            )
        elif version < OLDEST:
            problems.append(
                f"{where}: rsync = {config.rsync!r}: is version {'.'.join(map(str, version))}; "
                f"{'.'.join(map(str, OLDEST))} or later is needed"
            )
    for source in config.sources:
        if not os.access(source.path, os.R_OK | os.X_OK):
            problems.append(
                f"{where}: {printable(source.path)}: cannot be read by "
                f"{user_name(os.getuid())}; give it read permission or run as its owner"
            )
    problems += unwritable(config, writes=writes)
    problems += deaf(config)
    problems += _lacking(config, where)
    if version is None or problems:
        raise ConfigError(problems)
    return Program(version, parse_checksum(told))


def _lacking(config: Config, where: str) -> list[str]:
    """Return what keeps other hosts out of reach: what leads to them is not here."""
    problems = []
    if "RSYNC_RSH" in os.environ:
        problems += [
            f"{where}: {pair.destination.shown}: has a port, but RSYNC_RSH in the environment "
            'names the remote shell; put "-p PORT" there'
            for pair in config.pairs
            if pair.destination.transport is Transport.SSH and pair.destination.port
        ]
    elif not shutil.which("ssh"):
        problems += [
            f"{where}: {pair.destination.shown}: needs ssh, which is not installed; "
            "install openssh-client"
            for pair in config.pairs
            if pair.destination.transport is Transport.SSH and not chooses_shell(pair.node.extra)
        ]
    if not shutil.which("openssl"):
        problems += [
            f"{where}: {pair.destination.shown}: needs openssl, which is not installed; install it"
            for pair in config.pairs
            if pair.destination.tls
        ]
    return problems


def unwritable(config: Config, *, writes: bool = True) -> list[str]:
    """Return the problems with the directories of the files that the daemon keeps up to date.

    Before it has given up root's privileges nobody can know: then the first writing tells.
    """
    if not writes or (os.geteuid() == 0 and (config.user or config.group)):
        return []
    named = (("metricsfile", config.metricsfile), ("htmlfile", config.htmlfile))
    return [
        f"{config.file or 'inosync'}: {setting} = {path!r}: its directory cannot be written to by "
        f"{user_name(os.getuid())}; give it write permission, or under systemd add the "
        "directory to ReadWritePaths="
        for setting, path in named
        if path and not os.access(os.path.dirname(path), os.W_OK | os.X_OK)
    ]


def deaf(config: Config) -> list[str]:
    """Return the problem with hearing of the addresses of this host, where one is wanted."""
    try:
        missing(config.wactive)
    except OSError as error:
        return [
            f"{config.file or 'inosync'}: wactive = {config.wactive!r}: this host cannot be asked "
            f"for its addresses: {error.strerror}; under systemd add AF_NETLINK to "
            "RestrictAddressFamilies="
        ]
    return []


def read_only(config: Config) -> list[str]:
    """Return a warning for each mirror on this machine that lies where nobody may write to.

    It may be mounted otherwise later, so this keeps nothing from starting.
    """
    unit = _unit()
    cure = f"systemctl edit {unit}: ReadWritePaths={{}}" if unit else "remount it"
    local = [p for p in config.pairs if p.destination.transport is Transport.LOCAL]
    paths = dict.fromkeys(os.path.normpath(pair.destination.path) for pair in local)
    return [
        f"{printable(path)}: the file system is read-only here; {cure.format(printable(path))}"
        for path in paths
        if _is_read_only(path)
    ]


def _is_read_only(path: str) -> bool:
    """Return whether a path, or the nearest above it that there is, is on such a file system."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _unit() -> str:
    """Return the systemd unit in whose sandbox we are, "" when in none; proc_pid_cgroup(5)."""
    try:
        groups = Path("/proc/self/cgroup").read_text()
    except OSError:
        return ""
    found = re.search(r"/(inosync[^/]*\.service)$", groups, re.MULTILINE)
    return found[1] if found else ""
