"""The directories that should be watched and are not, and why.

Owns that list and its words. Does not know the tree: a directory is the watch descriptor (wd) of
its parent and a name, or ``b""`` for all that is in the parent.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, KeysView

from inosync.text import printable

#: Not an errno: the file system that was mounted here is gone.
UNMOUNTED = 0
#: The name leads nowhere, or to something that is no directory, or (ours) to another directory.
ELSEWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})

_REASONS = {
    errno.EACCES: "permission denied: let the daemon's user read and enter it, or exclude it",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n, or LimitNOFILE= of the unit)",
    errno.ENAMETOOLONG: "its path is longer than the 4096 bytes that programs can name",
    UNMOUNTED: "the file system that was mounted there was unmounted",
}


class Unwatched:
    """What cannot be watched, by parent and name, with an errno for each."""

    def __init__(self) -> None:
        self._codes: dict[int, dict[bytes, int]] = {}
        self._problems: list[str] = []
        self._limit_told = False  # once, not for each directory beyond it

    def __bool__(self) -> bool:
        return bool(self._codes)

    def __iter__(self) -> Iterator[tuple[int, dict[bytes, int]]]:
        """Yield each parent, and its names with an errno for each."""
        yield from self._codes.items()

    def names(self, parent: int) -> KeysView[bytes]:
        """Return what cannot be watched in one directory."""
        return self._codes.get(parent, {}).keys()

    def failed(self, parent: int, name: bytes, code: int, path: bytes) -> None:
        """Take note that `name`, whose full path is `path`, cannot be watched.

        None of that when `code` says that there is no directory by that name.
        """
        if code in ELSEWHERE:
            self.watchable(parent, name)
            return
        names = self._codes.setdefault(parent, {})
        if names.get(name) != code and not (code == errno.ENOSPC and self._limit_told):
            self._problems.append(f"cannot watch {printable(path)}: {reason(code)}")
        self._limit_told |= code == errno.ENOSPC
        names[name] = code

    def watchable(self, parent: int, name: bytes) -> None:
        """Take note that `name` is watched, or gone."""
        names = self._codes.get(parent)
        if names is not None and names.pop(name, None) is not None and not names:
            del self._codes[parent]

    def forget(self, parent: int) -> None:
        """Forget all that is in a directory which is gone."""
        self._codes.pop(parent, None)

    def try_again(self) -> None:
        """Take note that all are about to be tried again: the limit may be told once more."""
        self._limit_told = False

    @property
    def untold(self) -> bool:
        """Whether there are problems to be taken."""
        return bool(self._problems)

    def take_problems(self) -> list[str]:
        """Return, once, a line for each directory that turned out not to be watchable."""
        problems, self._problems = self._problems, []
        return problems


def reason(code: int) -> str:
    """Return in words why a directory cannot be watched, and what to do, for an errno."""
    if code == errno.ENOSPC:
        limits = sysctl("fs.inotify.max_user_watches", "user.max_inotify_watches")
        return f"no inotify watch is left: raise {limits}"
    return _REASONS.get(code) or os.strerror(code)


def sysctl(*names: str) -> str:
    """Return names and values of sysctls, for a message."""
    told = []
    for name in names:
        with (
            contextlib.suppress(OSError),
            open(f"/proc/sys/{name.replace('.', '/')}", encoding="ascii") as file,
        ):
            told.append(f"{name} (now {file.read().strip()})")
    return " and ".join(told or names)
