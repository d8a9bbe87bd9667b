"""Sources that change without a word: inotify hears what is done on this machine alone.

What others do on a server, or behind a FUSE file system, raises no event here. Such file systems
are told by their types, as the table of mounts has them. Of what is mounted at two places of a
source, or a file by itself, inotify tells what is done by one path.
"""

from __future__ import annotations

from inosync.watch.mounts import doubled, file_systems, shared

#: How a part of a source is called that is changed by another path as well (``mount --bind``).
TWICE = "bind mounts"

#: Seconds between two looks where ``rpoll`` is "auto".
AUTO = 60.0


def blind(path: str) -> tuple[str, ...]:
    """Return the types of the file systems at and below `path` that may change without an event.

    What has two paths there counts as one.
    """
    _, kinds = file_systems(path)
    found = sorted(filter(shared, kinds))
    return (*found, TWICE) if doubled(path) else tuple(found)


def without_marks(reason: str) -> str:
    """Return what to know of a source that should be watched by fanotify and is not."""
    return f"inotify watches it, since fanotify cannot: {reason}"


def interval(rpoll: float | str, kinds: tuple[str, ...]) -> float:
    """Return the seconds between two looks through a source of these `kinds`; 0: none is made."""
    if rpoll == "auto":
        return AUTO if kinds else 0.0
    return float(rpoll)


def heard(rpoll: float | str, kinds: tuple[str, ...]) -> str:
    """Return what is done about a source of these `kinds` that is polled, in words."""
    where = f"on {', '.join(kinds)}: " if kinds else ""
    return f"{where}looked through every {interval(rpoll, kinds):g} s (rpoll)"


def unheard(kinds: tuple[str, ...]) -> str:
    """Return what to know of a source of these `kinds` that is not polled."""
    return (
        f"on {', '.join(kinds)}, where no event tells what is changed by others: only full passes "
        'mirror that; rpoll = "auto" looks for it'
    )
