"""The directory of a mirror on this machine: what lies there, and whether it is what it was.

A mirror that was removed, replaced or unmounted looks to a run that names changed paths like one
that has all the rest. Knows neither mirrors nor rsync.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass, replace

from inosync.text import printable
from inosync.watch.mounts import file_system, identity
from inosync.watch.way import Step, name_of, trusted, way


@dataclass(frozen=True)
class Target:
    """What lies at a path: ``place`` is where that leads, ``inode`` is 0 where there is nothing.

    ``home`` tells its file system from others, or that of what there is above it; () where nobody
    had to ask. ``links`` are on the way to it. ``identity`` is what its file system calls itself.
    """

    place: bytes
    device: int
    inode: int
    home: tuple[bytes, ...] = ()
    links: tuple[Step, ...] = ()
    identity: int = 0


class News(enum.Enum):
    """What has become of a target to which runs may go."""

    SAME = "same"
    GONE = "gone"
    ANOTHER = "another"


def target(path: str) -> Target:
    """Return what lies at `path`, an absolute one, without a look at its file system."""
    steps = way(path)
    last = steps[-1] if steps else Step(b"/", "")
    links = tuple(step for step in steps if step.target)
    try:
        status = os.stat(path)
    except OSError:
        return Target(last.place, 0, 0, (), links)
    # Where another file system is mounted, it may get the same number, and the directory, too.
    return Target(last.place, status.st_dev, status.st_ino, (), links, identity(path))


def at_home(path: str, found: Target) -> Target:
    """Return a target with the file system that it is on."""
    return replace(found, home=file_system(path))


def same(known: Target, now: Target) -> bool:
    """Return whether a target is what it was; then nobody needs to ask for its file system."""
    before = (known.place, known.device, known.inode, known.identity)
    return bool(now.inode) and before == (now.place, now.device, now.inode, now.identity)


def fault(known: Target, now: Target) -> str:
    """Return "" if a run may go to a target as it is now, else why not, in words.

    `known` is what lay there when it was last there.
    """
    if now.inode and now.place != known.place:
        links = {(step.place, step.target) for step in known.links}
        for step in now.links:
            if (step.place, step.target) not in links and step.owner not in trusted():
                return (
                    f"its target would be another directory: {name_of(step.owner)} has switched "
                    f"{printable(step.place)} to {printable(step.target)}"
                    " (inosync --sync follows it)"
                )
        return ""
    if now.home != known.home:
        return (
            "its target is on another file system than before"
            " (mount the old one; inosync --sync takes it as it is)"
        )
    return ""


def news(known: Target, now: Target) -> News:
    """Return what has become of a target to which runs may go."""
    if not now.inode:
        return News.GONE
    before, after = (known.place, known.inode, known.home), (now.place, now.inode, now.home)
    return News.SAME if before == after else News.ANOTHER
