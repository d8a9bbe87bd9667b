"""What can be told of the files of a source, on a real file system."""

from __future__ import annotations

import mmap
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.configs import make_source

from inosync.watch.files import LOT, Files, changed

OLD = 1_600_000_000


def test_who_writes_a_file_is_seen(tmp_path: Path) -> None:
    source, file = make_source(str(tmp_path)), tmp_path / "file"
    file.write_text("x")
    assert not Files(source).being_written(b"file")
    with open(file):
        assert not Files(source).being_written(b"file")
    for mode in ("a", "r+"):
        with open(file, mode):
            assert Files(source).being_written(b"file")
    with open(file, "r+b") as writer:
        mapped = mmap.mmap(writer.fileno(), 1)
    assert Files(source).being_written(b"file"), "it is mapped, though it is closed"
    mapped.close()
    with open(file, "w"):
        pass  # nobody is kept from it by having looked
    assert not Files(source).being_written(b"gone")
    assert not Files(source).being_written(b"file/below")
    os.symlink("file", tmp_path / "link")
    assert not Files(source).being_written(b"link")
    os.mkfifo(tmp_path / "pipe")
    assert not Files(source).being_written(b"pipe"), "it is no file"


def test_what_has_changed_and_what_lies_in_what_was_renamed(tmp_path: Path) -> None:
    source = make_source(str(tmp_path))
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    for path in (tmp_path / "a/b/file", tmp_path / "c/file"):
        path.write_text("x")
        os.utime(path, (OLD, OLD))
    for path in (tmp_path / "a/b", tmp_path / "a"):
        os.utime(path, (OLD, OLD))
    time.sleep(0.2)
    since = time.time()
    assert not any(changed(source, path, since) for path in (b"a/b/file", b"a", b"c/file", b""))
    (tmp_path / "a").rename(tmp_path / "n")
    (tmp_path / "c/new").touch()
    assert changed(source, b"n/b/file", since)
    assert changed(source, b"a/b/file", since), "it was deleted just now"
    assert not changed(source, b"c/file", since), "another name in its directory tells nothing"
    assert changed(source, None, since)
    assert not changed(make_source(str(tmp_path / "gone")), b"x", since)


@pytest.mark.skipif(os.getuid() == 0, reason="root may ask of any file")
def test_of_what_cannot_be_opened_it_cannot_be_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0)
    assert Files(make_source(str(tmp_path))).being_written(b"file")


def test_a_walk_is_given_all_names_a_few_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "real/d").mkdir(parents=True)
    (tmp_path / "source").symlink_to("real")
    for number in range(2 * LOT):
        (tmp_path / f"real/d/{number}").touch()
    (tmp_path / "real/d/link").symlink_to("nowhere")
    files = Files(make_source(str(tmp_path / "source")))
    before = os.listdir("/proc/self/fd")
    for walk in (files.entries, files.statuses):
        lots = list(walk(b"d"))
        assert [len(lot) for lot in lots] == [LOT, LOT, 1]
        found = {name: status for lot in lots for name, status in lot}
        assert found == {
            os.fsencode(each.name): each.lstat() for each in (tmp_path / "real/d").iterdir()
        }
        assert [name for lot in walk(b"") for name, _ in lot] == [b"d"]
        next(walk(b"d"))  # and it goes no further
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("walk", [Files.entries, Files.statuses])
def test_a_walk_passes_over_what_has_gone(tmp_path: Path, walk: Callable[..., Iterator]) -> None:
    for number in range(4 * LOT):
        (tmp_path / f"{number}").touch()
    lots = walk(Files(make_source(str(tmp_path))), b"")
    assert len(next(lots)) == LOT
    shutil.rmtree(tmp_path)
    # The kernel gives many names at once, and some of these are there no more.
    assert [name for lot in lots for name, _ in lot] == []


def test_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    files = Files(make_source(str(tmp_path)))
    assert list(files.entries(b"gone")) == []
    with pytest.raises(FileNotFoundError):
        next(files.statuses(b"gone"))
