"""The trees that daemons watch, and the files of the big archive."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

#: Files in each directory.
CROWD = 20


def files(root: Path, count: int) -> list[str]:
    """Make a tree of so many small files, two levels deep; return their names below `root`."""
    names = []
    for number in range(count):
        directory, file = divmod(number, CROWD)
        upper, lower = divmod(directory, 100)
        if file == 0:
            os.makedirs(root / f"{upper:03}/{lower:02}", exist_ok=True)
        name = f"{upper:03}/{lower:02}/file{file:02}"
        (root / name).write_bytes(b"%d\n" % number)
        names.append(name)
    return names


def directories(root: Path, count: int) -> None:
    """Make a tree of exactly so many directories, `root` not counted: 100 in each upper one."""
    made = 0
    upper = 0
    while made < count:
        os.makedirs(root / f"{upper:04}")
        made += 1
        for lower in range(min(100, count - made)):
            os.mkdir(root / f"{upper:04}/{lower:02}")
            made += 1
        upper += 1


def archive(file: Path, folder: Path, count: int, size: int) -> list[str]:
    """Make a tar of so many files, `size` bytes in all, below "new/"; return their names."""
    dice = random.Random(1)
    each = size // count
    names = []
    for number in range(count):
        name = f"new/{number // 100:03}/{number % 100:02}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(each))
        names.append(name)
    subprocess.run(["tar", "-C", str(folder), "-cf", str(file), "new"], check=True)
    subprocess.run(["rm", "-rf", str(folder / "new")], check=True)
    return names


def equalise(source: Path, mirror: Path) -> None:
    """Make the mirror equal, whatever the daemon before has left of it."""
    mirror.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["rsync", "-aH", "--delete", "--modify-window=-1", f"{source}/", f"{mirror}/"], check=True
    )
