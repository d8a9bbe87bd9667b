"""As whom the daemon and its runs act, with which environment, and who may ask how things are."""

from __future__ import annotations

import grp
import os
import pwd
import stat

from inosync.config.model import Config
from inosync.system.runtime import user_name
from inosync.text import printable

#: What systemd hands to the daemon and rsync has no business with.
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "LISTEN_FDS")


def run_environment() -> dict[str, str]:
    """Return the environment of a run."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


def asking_group(file: str) -> int | None:
    """Return the group that may ask how things are, None where there is none.

    That is the group that may read the config, when it was given to it: when it is not the one
    that all files of its owner have.
    """
    try:
        status = os.stat(file)
        given = status.st_gid != pwd.getpwuid(status.st_uid).pw_gid
    except (OSError, KeyError):
        return None
    return status.st_gid if given and status.st_mode & stat.S_IRGRP else None


def shut_out(file: str, group: int) -> str:
    """Return why the group of the config may not ask, and the cure."""
    try:
        name = grp.getgrgid(group).gr_name
    except KeyError:
        name = str(group)
    user = user_name(os.geteuid())
    return (
        f"{printable(file)}: its group {name} may not ask for --status, since {user} is not in it: "
        f"add SupplementaryGroups={name} to the unit, or {user} to the group, and restart"
    )


def become(config: Config) -> None:
    """Drop root's privileges for ``user`` and ``group``, where set."""
    if not config.user and not config.group:
        return
    if config.user:
        account = pwd.getpwnam(config.user)
        group = grp.getgrnam(config.group).gr_gid if config.group else account.pw_gid
        os.initgroups(config.user, group)
        os.setgid(group)
        os.setuid(account.pw_uid)
        # ssh and rsync look there for keys and names.
        os.environ.update(HOME=account.pw_dir, USER=config.user, LOGNAME=config.user)
    else:
        os.setgroups([])
        os.setgid(grp.getgrnam(config.group).gr_gid)
