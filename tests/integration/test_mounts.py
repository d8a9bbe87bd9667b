"""The table of mounts, against the real kernel in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import inosync_environment
from support.namespaces import need

from inosync.watch.blind import TWICE, blind
from inosync.watch.mounts import doubled, file_system, mounted_below
from inosync.watch.target import same, target

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


def test_what_has_two_paths_in_a_source_or_is_a_file_by_itself(point: Path) -> None:
    for name in ("one/deep", "other", "outside"):
        (point / name).mkdir(parents=True)
    (point / "file").touch()

    def seen(what: str, where: str, top: str = "") -> bool:
        subprocess.run(["mount", "--bind", point / what, point / where], check=True)
        try:
            found = doubled(str(point / top))
            assert blind(str(point / top)) == ((TWICE,) if found else ())
            return found
        finally:
            subprocess.run(["umount", point / where], check=True)

    assert not doubled(str(point))
    assert not doubled(str(point.parent))
    assert seen("one", "other")
    assert seen("one", "one/deep", "one")
    assert seen("one/deep", "other")
    assert not seen("outside", "one/deep", "one")  # the other path is not in there
    assert not seen("one", "other", "one")
    (point / "one/file").touch()
    assert seen("file", "one/file", "one")
    assert blind(str(point)) == ()


#: What runs something with a table of mounts of its own.
APART = ("unshare", "--mount", "--propagation", "private")

#: Other tests mount as well, at the same time: this one has a table of its own. What they had
#: mounted is in it, too, and goes when they delete the directory: that is announced beside ours.
ANNOUNCED = """
import select, subprocess, sys
from inosync.watch.mounts import Mounts

mounts, waiting = Mounts(), select.epoll()
waiting.register(mounts.fileno(), select.EPOLLIN)
seen = []
for command in (["mount", "-t", "tmpfs", "second", sys.argv[1]], ["umount", sys.argv[1]]):
    seen += [any(not waiting.poll(0.1) for _ in range(50))]
    subprocess.run(command, check=True)
    seen += [bool(waiting.poll(5))]
print(seen)
"""


def test_a_change_of_the_table_is_announced_once(point: Path) -> None:
    need(*APART)
    done = subprocess.run(
        [*APART, sys.executable, "-W", "ignore", "-c", ANNOUNCED, point],
        env=inosync_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[True, True, True, True]\n"


def test_another_file_system_at_the_same_place_is_told_apart(point: Path) -> None:
    first = file_system(str(point))
    assert first == file_system(str(point))
    subprocess.run(["mount", "-t", "tmpfs", "second", point], check=True)
    assert file_system(str(point)) != first
    subprocess.run(["umount", point], check=True)
    assert file_system(str(point)) == first
    subprocess.run(["umount", point], check=True)
    assert file_system(str(point)) != first


def test_the_next_tmpfs_is_another_one(point: Path) -> None:
    """It has the same number, and its directories may have the same, too."""
    found = []
    for _ in range(2):
        subprocess.run(["mount", "-t", "tmpfs", "same", point], check=True)
        (point / "mirror").mkdir()
        below = str(point / "mirror")
        found.append((file_system(below), target(below)))
        subprocess.run(["umount", point], check=True)
    (home, first), (other, second) = found
    if not first.identity:
        pytest.skip("this kernel's tmpfs has no identity")
    assert home != other
    assert not same(first, second)


def test_a_bind_mount_is_known_again(point: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    subprocess.run(["mount", "--bind", real, point], check=True)
    first = file_system(str(point))
    subprocess.run(["umount", point], check=True)
    subprocess.run(["mount", "--bind", real, point], check=True)
    assert file_system(str(point)) == first


#: A directory that is no mount point as the root: of all mounts the table shows /proc alone. Then
#: there is not even that.
IN_A_CHROOT = """
import os, subprocess, sys
from inosync.system.process import end_leftovers, resident
from inosync.watch.mounts import Mounts, file_system, mounted_below

top = sys.argv[1]
os.makedirs(top + "/proc")
os.makedirs(top + "/source")
subprocess.run(["mount", "-t", "proc", "proc", top + "/proc"], check=True)
outside = os.stat(top + "/source").st_dev
os.chroot(top)
os.chdir("/")
seen = file_system("/source")
Mounts().close()
print(seen[3] == b"%d:%d" % (os.major(outside), os.minor(outside)), file_system("/gone"))
print(file_system("/proc")[0], sorted(mounted_below("/")))
os.mkdir("/empty")
os.chroot("/empty")
Mounts().close()
print(file_system("/")[3] == seen[3], sorted(mounted_below("/")))
print(resident(), end_leftovers("X=1", grace=0))
"""


def test_what_the_table_does_not_show_is_no_fault(tmp_path: Path) -> None:
    need(*APART)
    done = subprocess.run(
        [*APART, sys.executable, "-W", "ignore", "-c", IN_A_CHROOT, tmp_path / "root"],
        env=inosync_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    expected = "True (b'', b'', b'', b'')\nb'proc' [b'proc']\nTrue []\n0 0\n"
    assert (done.stdout, done.stderr) == (expected, "")
