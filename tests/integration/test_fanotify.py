"""A source that is watched by its file systems: mounts, odd places, and when inotify has to do."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import namespaces
from support.configs import make_config, make_pair, make_source
from support.waiting import until
from support.watching import Observed, refused

from inosync.changes.changes import Change, Kind
from inosync.rsync.filters import compile_filters
from inosync.watch.fanotify import NOT_PERMITTED
from inosync.watch.lookout import Lookout
from inosync.watch.places import Places

NOBODY = 65534


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty source, where it can be watched so."""
    path = tmp_path / "source"
    path.mkdir()
    if reason := refused("fanotify", path):
        pytest.skip(reason)
    return path


@pytest.fixture
def observed(source: Path) -> Iterator[Observed]:
    """The source, watched while it is empty."""
    observed = Observed(source, how="fanotify")
    yield observed
    observed.close()


def told(observed: Observed) -> set[Change]:
    """Read all there is, see that the mirror is right, and return the changes."""
    changes = observed.changes(observed.settle())
    assert observed.wrong() == []
    return changes


# ---- odd places ---------------------------------------------------------------------------------


def test_a_directory_may_have_the_name_that_the_kernel_gives_what_is_gone(
    source: Path, observed: Observed
) -> None:
    (source / "a (deleted)").mkdir()
    told(observed)
    (source / "a (deleted)/file").write_text("x")
    assert told(observed) == {Change(b"a (deleted)/file", Kind.ENTRY)}


def test_what_is_removed_while_it_is_open_is_nowhere(source: Path, observed: Observed) -> None:
    (source / "a").mkdir()
    descriptor = os.open(source / "a", os.O_RDONLY)
    (source / "a/file").write_text("x")
    (source / "a/file").unlink()
    (source / "a").rmdir()
    assert {change.path for change in told(observed)} <= {b"", b"a"}
    os.close(descriptor)


def test_what_has_a_path_too_long_to_be_told_is_told_by_what_is_above_it(
    source: Path, observed: Observed
) -> None:
    name = "n" * 250
    descriptor = os.open(source, os.O_RDONLY)
    for _ in range(18):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    observed.settle()
    os.mknod("file", dir_fd=descriptor)
    os.close(descriptor)
    # The mirror cannot have it; and others on the file system are heard before it.
    (change,) = until(
        lambda: observed.changes([observed.watcher.read()]), what="the change to be heard"
    )
    assert 10 < change.path.count(b"/") < 17
    assert set(change.path.split(b"/")) == {name.encode(), b"file"}


def test_without_descriptors_all_must_be_compared(source: Path, observed: Observed) -> None:
    (source / "a").mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/", os.O_RDONLY)
    os.close(lowest)
    for spare in (0, 1):  # for the root; for a mark in it, and for a directory
        (source / "a" / f"file{spare}").write_text("x")
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + spare, hard))
        try:
            seen = observed.watcher.read()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "too many open files" in seen.resync.lower()
        assert not seen.root_lost
    assert not observed.watcher.unread
    (source / "a/file").write_text("x")
    until(
        lambda: Change(b"a/file", Kind.ENTRY) in observed.changes([observed.watcher.read()]),
        what="the change to be heard",
    )


def test_few_places_are_remembered(source: Path) -> None:
    for number in range(10):
        (source / str(number)).mkdir()
    observed = Observed(source, how="fanotify", most_known=3)
    for number in range(10):
        (source / str(number) / "file").write_text("x")
    assert len(told(observed)) == 10
    observed.close()


# ---- what is mounted in it ----------------------------------------------------------------------

IN_NAMESPACE = """
    import os, subprocess, sys
    from pathlib import Path
    from support.watching import Observed

    source = Path(sys.argv[1])

    def mount(*arguments):
        subprocess.run(["mount", *arguments], check=True)

    def told(observed):
        return {change.path for change in observed.changes(observed.settle())}
"""


def with_mounts(source: Path, script: str, *says: str) -> None:
    """Run a script in a mount namespace, and see what it says."""
    mounts = ("unshare", "-m")
    namespaces.need(*mounts)
    code = textwrap.dedent(IN_NAMESPACE) + textwrap.dedent(script)
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [*mounts, sys.executable, "-c", code, str(source)],
        check=False, capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == list(says)


def test_what_is_mounted_in_it_is_watched_wherever_it_is(source: Path) -> None:
    with_mounts(
        source,
        """
        disk = source / "a/disk"
        disk.mkdir(parents=True)
        observed = Observed(source, how="fanotify")
        assert not observed.watcher.mounts_changed()
        for content in ("one", "other"):
            mount("-t", "tmpfs", "none", str(disk))
            assert observed.watcher.mounts_changed()
            observed.watcher.reconcile()
            assert not observed.watcher.mounts_changed()
            (disk / "in").mkdir()
            (disk / "in/file").write_text(content)
            assert told(observed) == {b"a/disk/in", b"a/disk/in/file"}
            # Where it is when the directory that it is mounted in was renamed.
            (source / "a").rename(source / "b")
            (source / "b/disk/in/file").write_text("again")
            assert b"b/disk/in/file" in told(observed)
            assert not observed.watcher.mounts_changed()
            (source / "b").rename(source / "a")
            told(observed)
            subprocess.run(["umount", str(disk)], check=True)  # it is not in use
            assert not observed.watcher.mounts_changed()  # nothing else is there
        observed.watcher.reconcile()
        # The same directory in two places.
        (source / "c").mkdir()
        mount("--bind", str(source / "c"), str(disk))
        observed.watcher.reconcile()
        told(observed)
        (source / "c/file").write_text("x")
        assert told(observed) == {b"c/file", b"a/disk/file"}
        observed.close()
        """,
    )


def test_a_source_that_is_a_mount_is_not_kept_busy(source: Path) -> None:
    with_mounts(
        source,
        """
        mount("-t", "tmpfs", "none", str(source))
        (source / "a").mkdir()
        observed = Observed(source, how="fanotify")
        (source / "a/file").write_text("x")
        assert told(observed) == {b"a/file"}
        (source / "a/file").write_text("again")
        subprocess.run(["umount", str(source)], check=True)
        assert "on another file system now" in observed.watcher.root_state()
        assert observed.watcher.read().root_lost
        mount("-t", "tmpfs", "none", str(source))
        assert observed.watcher.root_state()
        observed.close()
        """,
    )


def test_in_a_chroot_it_takes_proc_and_a_mount_for_its_root(source: Path) -> None:
    with_mounts(
        source,
        """
        from inosync.errors import WatchError

        def tried(jail):
            os.chroot(jail)
            os.chdir("/")
            try:
                observed = Observed(Path("/source"), how="fanotify")
            except WatchError as error:
                return str(error)
            (Path("/source") / "file").write_text(jail.name)
            changes = told(observed)
            observed.close()
            return changes

        def apart(jail):
            child = os.fork()
            if not child:
                print(tried(jail), flush=True)
                os._exit(0)
            os.waitpid(child, 0)

        jail = source / "jail"
        (jail / "source").mkdir(parents=True)
        (jail / "proc").mkdir()
        apart(jail)
        mount("-t", "proc", "none", str(jail / "proc"))
        apart(jail)
        mount("--bind", str(jail), str(jail))
        mount("-t", "proc", "none", str(jail / "proc"))
        apart(jail)
        """,
        "/proc is not mounted",
        "/source/ is on an unknown file system",
        "{b'file'}",
    )


def test_a_renamed_directory_may_have_a_mount_in_it(source: Path) -> None:
    """No sign comes from the table of mounts then; nor has anybody counted on that mount."""
    with_mounts(
        source,
        """
        for folder in (source.parent / "outside", source / "skip"):
            (folder / "disk").mkdir(parents=True)
            mount("-t", "tmpfs", "none", str(folder / "disk"))
        observed = Observed(source, how="fanotify", excludes=("/skip",))
        (source / "skip/disk/file").write_text("x")
        (source.parent / "outside/disk/file").write_text("x")
        assert told(observed) == set()
        (source / "skip").rename(source / "a")
        (source.parent / "outside").rename(source / "b")
        assert told(observed) == {b"a", b"b"}
        for name in "ab":
            (source / name / "disk/file").write_text("again")
        assert told(observed) == {b"a/disk/file", b"b/disk/file"}
        (source / "b").rename(source / "skip")
        told(observed)
        (source / "skip/disk/file").write_text("x")
        assert told(observed) == set()
        assert not observed.watcher.mounts_changed()
        observed.close()
        """,
    )


def test_what_it_cannot_mark_is_told_with_the_reason(source: Path) -> None:
    with_mounts(
        source,
        """
        from inosync.errors import WatchError

        (source / "part").mkdir()
        observed = Observed(source, how="fanotify")
        for name in ("lower", "upper", "over"):
            (source / name).mkdir()
        mount("-t", "tmpfs", "none", str(source / "over"))
        for name in ("upper", "inner"):
            (source / "over" / name).mkdir()
        options = f"lowerdir={source}/lower,upperdir={source}/over/upper"
        options += f",workdir={source}/over/inner"
        mount("-t", "overlay", "-o", options, "none", str(source / "part"))
        assert observed.watcher.mounts_changed()
        observed.watcher.reconcile()
        assert observed.watcher.unread
        assert observed.watcher.read().root_lost
        assert "part is on overlay" in observed.watcher.root_state()
        observed.close()
        try:
            Observed(source, how="fanotify")
        except WatchError as error:
            assert str(error).endswith("part is on overlay"), error
        else:
            sys.exit("no error")
        # What is excluded may be on anything.
        Observed(source, how="fanotify", excludes=("/part",)).close()
        """,
    )


# ---- instead of it ------------------------------------------------------------------------------


def test_inotify_watches_where_it_is_not_permitted(source: Path) -> None:
    for folder in (source, *source.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    made = make_source(str(source))
    config = make_config([make_pair(made)], watch="fanotify")
    lookout = Lookout(made, config)
    assert lookout.open() == ""
    assert lookout.marked
    assert lookout.fallback == ""
    assert not lookout.walk()
    (source / "file").touch()
    assert lookout.read()[0] == {Change(b"file", Kind.ENTRY)}
    lookout.close()
    os.seteuid(NOBODY)
    try:
        assert lookout.open() == ""
    finally:
        os.seteuid(0)
    assert not lookout.marked
    assert lookout.fallback.endswith(NOT_PERMITTED)
    assert not lookout.walk()
    (source / "file").unlink()
    assert lookout.read()[0] == {Change(b"", Kind.LEVEL)}
    lookout.close()


def test_the_root_is_known_by_its_handle(source: Path) -> None:
    found = Places(bytes(source), compile_filters(()))
    assert found.root_error() == 0
    source.rmdir()
    source.mkdir()  # perhaps with the same inode number
    assert found.root_error() != 0
