"""The way to a path: every name that is looked up for it, and the links on it (path_resolution(7)).

Knows how a path is followed, and who may change where it leads. Watches nothing.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from inosync.text import printable

#: So many links on one way are too many for the kernel, too (path_resolution(7)).
_MOST_LINKS = 40


class Step(NamedTuple):
    """A name that was looked up: ``place`` is the true path of its directory, and the name.

    ``part`` is up to which part of the path that was asked for it led. ``inode`` is 0 where there
    is nothing, ``target`` is b"" where there is no link; ``owner`` is whose it is.
    """

    place: bytes
    part: str
    inode: int = 0
    target: bytes = b""
    owner: int = 0
    directory: bool = False


def way(path: str) -> tuple[Step, ...]:
    """Return the steps to `path`, an absolute one: to its end, or to the first that is not there.

    A place that is met twice comes twice.
    """
    names: deque[tuple[bytes, str]] = deque()
    part = ""
    for name in path.split("/"):
        if name:
            part += f"/{name}"
            names.append((os.fsencode(name), part))
    return tuple(_steps(names))


def _steps(names: deque[tuple[bytes, str]]) -> Iterator[Step]:
    here, links = b"/", 0
    while names:
        name, part = names.popleft()
        if name in (b"", b"."):
            continue
        if name == b"..":
            here = os.path.dirname(here)
            continue
        place = b"%b/%b" % (here.rstrip(b"/"), name)
        try:
            status = os.lstat(place)
            target = os.readlink(place) if stat.S_ISLNK(status.st_mode) else b""
        except OSError:
            yield Step(place, part)
            return
        directory = stat.S_ISDIR(status.st_mode)
        yield Step(place, part, status.st_ino, target, status.st_uid, directory)
        if not target:
            here = place
            continue
        links += 1
        if links > _MOST_LINKS:
            return
        if target.startswith(b"/"):
            here = b"/"
        names.extendleft((each, part) for each in reversed(target.split(b"/")))


def trusted() -> frozenset[int]:
    """Return the users whose word counts: root, and whom this process is."""
    return frozenset((0, os.geteuid()))


def name_of(user: int) -> str:
    """Return what people call a user."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def exposed(path: str) -> dict[str, str]:
    """Return the directories on the way to `path` in which others may replace what leads there.

    By directory: who may, in words. What access control lists grant beyond a group counts as that.
    """
    found = {}
    for step in way(path):
        directory = os.path.dirname(step.place)
        try:
            status = os.stat(directory)
        except OSError:
            continue
        if who := writers(status):
            # With the sticky bit only the owner of an entry, or of the directory, may replace it.
            guarded = status.st_mode & stat.S_ISVTX and step.inode
            if guarded and {step.owner, status.st_uid} <= trusted():
                continue
            found[printable(directory)] = who
    return found


def writers(status: os.stat_result) -> str:
    """Return who may write to a directory but root and this user; "" for nobody."""
    if status.st_mode & stat.S_IWOTH:
        return "everybody"
    if status.st_uid not in trusted():
        return name_of(status.st_uid)
    if status.st_mode & stat.S_IWGRP and status.st_gid and not _own_group(status.st_gid):
        try:
            return f"the group {grp.getgrgid(status.st_gid).gr_name}"
        except KeyError:
            return f"the group {status.st_gid}"
    return ""


def _own_group(number: int) -> bool:
    """Return whether nobody is in a group but root and this user."""
    try:
        members = {pwd.getpwnam(name).pw_uid for name in grp.getgrgid(number).gr_mem}
    except KeyError:
        return False
    members |= {each.pw_uid for each in pwd.getpwall() if each.pw_gid == number}
    return members <= trusted()
