"""Mounting below a test's own folder, so that nothing stays mounted whatever happens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from inosync.watch.mounts import mounted_below
from support.waiting import until

needs_mounts = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")


def mount(*arguments: str | Path) -> None:
    """Run mount with these arguments."""
    subprocess.run(["mount", *arguments], check=True)


def disk(folder: Path) -> Path:
    """Make a directory with a new file system on it, and return it.

    As long as that stays mounted, ``show`` and ``hide`` bring the same file system to other places
    and take it away from them.
    """
    folder.mkdir(parents=True)
    mount("-t", "tmpfs", "inosync-test", folder)
    mount("--make-private", folder)
    return folder


def show(folder: Path, place: Path) -> None:
    """Mount the file system of `folder` at `place`, too."""
    mount("--bind", folder, place)
    mount("--make-private", place)


def hide(place: Path, *, lazy: bool = False) -> None:
    """Unmount what is at `place` and below it: all at once when `lazy`, else the innermost first.

    A run that is in there is waited for, unless `lazy`; the daemon itself never is.
    """
    if lazy:
        subprocess.run(["umount", "-l", place], check=True)
        return
    command: list[str | Path] = ["umount", "-R", place]
    until(
        lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0,
        what=f"{place} to be free",
    )


def stir(folder: Path) -> None:
    """Change the table of mounts: a daemon looks at once at the sources that it holds."""
    folder.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "inosync-test", folder)
    hide(folder)


@contextmanager
def mounts_below(folder: Path) -> Iterator[Path]:
    """Provide `folder`; whatever is mounted below it at the end is unmounted."""
    try:
        yield folder
    finally:
        while points := mounted_below(str(folder)):
            for point in sorted(points, key=len, reverse=True):
                with suppress(subprocess.CalledProcessError):  # went with another one
                    hide(Path(folder, os.fsdecode(point)), lazy=True)
