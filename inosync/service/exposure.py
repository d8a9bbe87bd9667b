"""Who beside root may write where root's rsync is at work.

An rsync before ``FIRM`` loses races: who swaps a directory for a link at the right moment has it
read or write somewhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from inosync.config.model import Config
from inosync.rsync.destination import Transport
from inosync.rsync.program import FIRM
from inosync.text import printable


def exposed(config: Config, version: tuple[int, int, int]) -> Iterator[str]:
    """Yield a warning for each source and mirror on this machine where others may do that to us.

    Only to root it can be done: anybody else may read and write no more than what is his.
    """
    if os.geteuid() != 0 or version >= FIRM:
        return
    local = [pair for pair in config.pairs if pair.destination.transport is Transport.LOCAL]
    paths = [source.path for source in config.sources]
    paths += [os.path.normpath(pair.destination.path) for pair in local]
    for path in dict.fromkeys(paths):
        if place := _open_to_others(path):
            yield warning(place, version)


def warning(place: str, version: tuple[int, int, int]) -> str:
    """Return what is wrong where others than root may write to a directory, and the cure."""
    dotted, firm = (".".join(map(str, each)) for each in (version, FIRM))
    return (
        f"{printable(place)}: others than root may write there, and rsync {dotted}, which runs as "
        "root, can be led out of it while it works; "
        f"install rsync {firm} or later, or set user"
    )


def others_may_write(owner: int, group: int, mode: int) -> bool:
    """Return whether others than root may put something into a directory of this kind.

    Its owner may, whatever the mode is: it is his to change. An ACL shows in the group's bits.
    """
    return owner != 0 or bool(mode & 0o002) or (bool(mode & 0o020) and group != 0)


def _open_to_others(path: str) -> str:
    """Return the directory, or one right in it, into which others may write; "" if there is none.

    That is how homes and web roots are laid out. What is deeper is not looked for.
    """
    try:
        if _may(os.stat(path)):
            return path
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and _may(entry.stat(follow_symlinks=False)):
                    return entry.path
    except OSError:
        pass  # it is not there yet, or goes while we look
    return ""


def _may(status: os.stat_result) -> bool:
    return others_may_write(status.st_uid, status.st_gid, status.st_mode)
