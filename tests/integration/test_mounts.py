"""The table of mounts, against the real kernel in a mount namespace of its own."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from inosync.watch.mounts import Mounts, file_system, mounted_below

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    """A directory with a tmpfs on it; its name has what the table escapes."""
    path = tmp_path / "a b\tc\\d"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "first", path], check=True)
    yield path
    while mounted_below(str(tmp_path)):  # os.path.ismount does not see bind mounts
        subprocess.run(["umount", path], check=True)


def test_what_is_mounted_below(point: Path) -> None:
    assert mounted_below(str(point.parent)) == {os.fsencode(point.name)}
    assert mounted_below(str(point)) == frozenset()


def test_a_change_of_the_table_is_announced_once(point: Path) -> None:
    mounts = Mounts()
    waiting = select.epoll()
    waiting.register(mounts.fileno(), select.EPOLLIN)
    assert waiting.poll(0) == []
    subprocess.run(["mount", "-t", "tmpfs", "second", point], check=True)
    assert len(waiting.poll(5)) == 1
    assert waiting.poll(0.1) == []
    subprocess.run(["umount", point], check=True)
    assert len(waiting.poll(5)) == 1
    assert waiting.poll(0.1) == []
    waiting.close()
    mounts.close()


def test_another_file_system_at_the_same_place_is_told_apart(point: Path) -> None:
    first = file_system(str(point))
    assert first == file_system(str(point))
    subprocess.run(["mount", "-t", "tmpfs", "second", point], check=True)
    assert file_system(str(point)) != first
    subprocess.run(["umount", point], check=True)
    assert file_system(str(point)) == first
    subprocess.run(["umount", point], check=True)
    assert file_system(str(point)) != first


def test_a_bind_mount_is_known_again(point: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    subprocess.run(["mount", "--bind", real, point], check=True)
    first = file_system(str(point))
    subprocess.run(["umount", point], check=True)
    subprocess.run(["mount", "--bind", real, point], check=True)
    assert file_system(str(point)) == first
