"""What the path of a source means to rsync.

Looks at the file system only to resolve paths; must not know how a config is written.
"""

from __future__ import annotations

import os
import posixpath
import re

from inosync.config.model import Source
from inosync.text import printable


def absolute(text: str, cwd: str) -> str:
    """Return `text` as a path below `cwd`. Raise ValueError if it needs one and `cwd` is ``""``."""
    if not text.startswith("/") and not cwd:
        raise ValueError("is relative, and there is no current directory; write the absolute path")
    return posixpath.join(cwd, text)


def read_source(text: str, cwd: str) -> Source:
    """Return the source that a ``wpath`` names; a relative one is below `cwd`.

    As in rsync, a trailing slash (``/var/www/``, also ``.``, ``/var/www/.`` and ``..``) means the
    contents and no slash the directory itself. The first ``/./`` marks a virtual root: the part
    behind it is kept on the node.

    Raise ValueError if that is no directory that can be mirrored.
    """
    if text.startswith("~"):
        raise ValueError('starts with "~", which is not expanded; write the absolute path')
    head, marker, tail = text.partition("/./")
    if marker:
        return _below_virtual_root(_resolve(head or "/", cwd), tail)
    path = _resolve(text, cwd)
    _check_directory(path, text)
    if text.endswith("/") or text.rpartition("/")[2] in (".", ".."):
        return Source(path, f"{path}/", "", relative=False)
    if os.path.islink(path):
        raise ValueError(
            "is a symbolic link, and without a slash at its end rsync would copy the link itself; "
            f"write {text + '/'!r} for the contents, or the path that it points to"
        )
    return Source(path, path, posixpath.basename(path), relative=False)


def read_argument(text: str, cwd: str) -> Source:
    """Return the source that SRC names where there is no config; a relative one is below `cwd`.

    Such a command line is pylsyncd's, and so is the rule: ``.`` and a path with ``/./`` in it are
    virtual roots, as for :func:`read_source`. Any other path is kept whole on the node, whether a
    slash ends it or not: ``/var/www`` goes to ``DEST/var/www``. The ``prefix`` is what is kept.

    Raise ValueError if that is no directory that can be mirrored.
    """
    if text and posixpath.normpath(text) == ".":
        return read_source(".", cwd)
    if text.startswith("~") or "/./" in text:
        return read_source(text, cwd)
    path = _resolve(text, cwd)
    _check_directory(path, text)
    return _below_virtual_root("/", path[1:], "on its way")


def _below_virtual_root(root: str, tail: str, where: str = 'behind the "/./"') -> Source:
    parts = [part for part in tail.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError('has ".." behind the "/./"; write the path without it')
    path = root
    for part in parts:
        path = posixpath.join(path, part)
        if os.path.islink(path):
            raise ValueError(
                f"has a symbolic link {where} ({printable(path)}), which rsync would not "
                "follow; write the path that it points to"
            )
    _check_directory(path, path)
    prefix = "/".join(parts)
    return Source(path, f"{root.rstrip('/')}/./{prefix}", prefix, relative=True)


def _resolve(text: str, cwd: str) -> str:
    """Return `text` as an absolute path without ``.``, ``..`` and double slashes."""
    joined = absolute(text, cwd)
    normal = re.sub(r"^//+", "/", posixpath.normpath(joined))
    if ".." in joined.split("/"):
        # "link/.." is the parent of what the link points to, which normpath does not know.
        physical = os.path.realpath(joined)
        if physical != os.path.realpath(normal):
            return physical
    return normal


def _hint(path: str) -> str:
    """Return what else may be the matter with a path that is not there."""
    temporary = path.startswith(("/tmp/", "/var/tmp/"))  # noqa: S108 - is looked at
    if temporary and "INVOCATION_ID" in os.environ:  # systemd.exec(5)
        return " (the unit has a /tmp of its own unless it says PrivateTmp=no: systemctl edit)"
    return ""


def _check_directory(path: str, text: str) -> None:
    if not os.path.exists(path) and ":" in text.partition("/")[0]:
        raise ValueError("is not on this machine; write the path of a directory here")
    if not os.path.isdir(path):
        also = "" if text.rstrip("/") == path else f" (that is {printable(path)})"
        what = "is no directory" if os.path.exists(path) else "does not exist"
        raise ValueError(f"{what}{also}; create it, or write the path of a directory{_hint(path)}")
    if os.path.realpath(path) == "/":
        raise ValueError(
            "is the root directory, which holds /proc, /sys and whatever is mounted; "
            "write the directories that are to be mirrored"
        )
