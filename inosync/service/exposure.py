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
from inosync.watch.way import writers


def losing_races(config: Config, version: tuple[int, int, int]) -> Iterator[str]:
    """Yield a warning for each source and mirror on this machine where others may do that to us.

    Only root is warned: an rsync of anybody else reads and writes no more than what is his.
    """
    if os.geteuid() != 0 or version >= FIRM:
        return
    local = [pair for pair in config.pairs if pair.destination.transport is Transport.LOCAL]
    paths = [source.path for source in config.sources]
    paths += [os.path.normpath(pair.destination.path) for pair in local]
    for path in dict.fromkeys(paths):
        place, who = _open_to_others(path)
        if who:
            yield warning(place, who, version)


def warning(place: str, who: str, version: tuple[int, int, int]) -> str:
    """Return what is wrong where somebody else than root may write to a directory, and the cure."""
    dotted, firm = (".".join(map(str, each)) for each in (version, FIRM))
    return (
        f"{printable(place)}: {who} may write there, and rsync {dotted} as root can be led out of "
        f"it while it works; install rsync {firm} or later, or set user"
    )


def _open_to_others(path: str) -> tuple[str, str]:
    """Return the directory, or one right in it, into which others may write, and who; "": nobody.

    That is how homes and web roots are laid out. What is deeper is not looked for.
    """
    try:
        if who := writers(os.stat(path)):
            return path, who
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    continue
                if who := writers(entry.stat(follow_symlinks=False)):
                    return entry.path, who
    except OSError:
        pass  # it is not there yet, or goes while we look
    return path, ""
