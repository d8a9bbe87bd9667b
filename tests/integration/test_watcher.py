"""The watcher against the real kernel, one case at a time."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import namespaces
from support.watching import Event, Observed, events, refused

from inosync.changes.changes import Change, Kind, Move
from inosync.changes.inotify_bits import (
    DEFAULT_EMASK,
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_ISDIR,
    IN_MODIFY,
)
from inosync.errors import WatchError
from inosync.rsync.filters import compile_filters
from inosync.watch.watcher import Seen, Watcher

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An empty source; its siblings are outside."""
    path = tmp_path / "source"
    path.mkdir()
    return path


@pytest.fixture(params=["inotify", "fanotify"])
def how(request: pytest.FixtureRequest, source: Path) -> str:
    """What the source is watched with; only what is permitted here."""
    if reason := refused(request.param, source):
        pytest.skip(reason)
    return str(request.param)


#: For what only those have who watch each directory by itself.
by_watches = pytest.mark.parametrize("how", ["inotify"], indirect=True)


@pytest.fixture
def observe(source: Path, how: str) -> Iterator[Callable[..., Observed]]:
    """Start to watch the source."""
    watching = []

    def start(**options: object) -> Observed:
        watching.append(Observed(source, how=how, **options))  # type: ignore[arg-type]
        return watching[-1]

    yield start
    for observed in watching:
        observed.close()


@pytest.fixture
def observed(observe: Callable[..., Observed]) -> Observed:
    """The source, watched while it is empty."""
    return observe()


def sound(observed: Observed) -> set[Change]:
    """Read all there is, see that watches and mirror are right, and return the changes."""
    changes = observed.changes(observed.settle())
    wrong = observed.wrong()
    assert not wrong, "\n".join(wrong)
    return changes


# ---- what is told ----------------------------------------


def build(root: Path) -> None:
    """Two directories, each with a file and a directory with a file."""
    for name in ("a", "b"):
        (root / name / "inner").mkdir(parents=True)
        (root / name / "file").write_text(name)
        (root / name / "inner" / "file").write_text(name)


def exchange(one: Path, other: Path) -> None:
    flag = 2  # RENAME_EXCHANGE
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.renameat2(-100, bytes(one), -100, bytes(other), flag) == 0, ctypes.get_errno()


def swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def chain(path: Path) -> None:
    for name in ("c", "d", "e"):
        path = path.rename(path.with_name(name))
        (path / f"in {name}").write_text(name)


def link_and_write(root: Path) -> None:
    """Write a file through a name that is gone, while another one is there."""
    with open(root / "one name", "wb", buffering=0) as file:
        os.link(root / "one name", root / "other name")
        os.unlink(root / "one name")
        file.write(b"text")


def write_unnamed(root: Path) -> None:
    """Make a file that gets its name before its content."""
    descriptor = os.open(root, os.O_TMPFILE | os.O_RDWR, 0o600)
    libc = ctypes.CDLL(None, use_errno=True)
    old, follow = b"/proc/self/fd/%d" % descriptor, 0x400
    assert libc.linkat(-100, old, -100, bytes(root / "named"), follow) == 0
    os.write(descriptor, b"text")
    os.close(descriptor)


ENTRY, LEVEL, TREE = Kind.ENTRY, Kind.LEVEL, Kind.TREE
ATTRIBUTES = Kind.ATTRIBUTES

CASES: dict[str, tuple[Callable[[Path], object], set[Change]]] = {
    "a file is made": (
        lambda root: (root / "new").write_text("x"), {Change(b"new", ENTRY)}),
    "a file is written": (
        lambda root: (root / "a/file").write_text("other"), {Change(b"a/file", ENTRY)}),
    "a file is deleted": (
        lambda root: (root / "a/file").unlink(), {Change(b"a", LEVEL)}),
    "a file is renamed": (
        lambda root: (root / "a/file").rename(root / "b/other"),
        {Change(b"a", LEVEL), Change(b"b/other", ENTRY)}),
    "a file is replaced": (
        lambda root: (root / "a/file").replace(root / "b/file"),
        {Change(b"a", LEVEL), Change(b"b/file", ENTRY)}),
    "permissions change": (
        lambda root: [(root / name).chmod(0o700) for name in ("a", "a/file")],
        {Change(b"a", ATTRIBUTES), Change(b"a/file", ATTRIBUTES)}),
    "the source's own permissions change": (
        lambda root: root.chmod(0o700), {Change(b"", ATTRIBUTES)}),
    "a symlink to a directory is made": (
        lambda root: (root / "link").symlink_to("a"), {Change(b"link", ENTRY)}),
    "a directory is made": (
        lambda root: (root / "a/new").mkdir(), {Change(b"a/new", TREE)}),
    "a directory is deleted": (
        lambda root: [(root / "a/inner/file").unlink(), (root / "a/inner").rmdir()],
        {Change(b"a", LEVEL)}),
    "a directory is renamed": (
        lambda root: (root / "a").rename(root / "b/c"),
        {Change(b"", LEVEL), Change(b"b/c", TREE)}),
    "a directory is renamed and written to": (
        lambda root: [(root / "a").rename(root / "c"), (root / "c/inner/new").write_text("x")],
        {Change(b"c", TREE), Change(b"c/inner/new", ENTRY)}),
    "a directory is written to and renamed": (
        lambda root: [(root / "a/inner/new").write_text("x"), (root / "a").rename(root / "c")],
        {Change(b"c", TREE), Change(b"c/inner/new", ENTRY)}),
    "a directory is renamed over an empty one": (
        lambda root: [(root / "c").mkdir(), (root / "a").rename(root / "c")],
        {Change(b"", LEVEL), Change(b"c", TREE)}),
    "a directory is renamed again and again": (
        lambda root: chain(root / "a"), {Change(b"", LEVEL), Change(b"e", TREE)}),
    "two directories swap names": (
        lambda root: swap(root / "a", root / "b"),
        {Change(b"", LEVEL), Change(b"a", TREE), Change(b"b", TREE)}),
    "two directories are exchanged": (
        lambda root: exchange(root / "a", root / "b/inner"),
        {Change(b"", LEVEL), Change(b"b", LEVEL), Change(b"a", TREE), Change(b"b/inner", TREE)}),
    "a directory comes to hold what it lay in": (
        lambda root: [
            (root / "a/inner").rename(root / "inner"), (root / "a").rename(root / "inner/a")],
        {Change(b"inner", TREE), Change(b"inner/a", TREE)}),
    "a directory comes to hold what it lay in, and keeps its path": (
        lambda root: [
            (root / "a").rename(root / "c"), (root / "a").mkdir(),
            (root / "c/inner").rename(root / "a/inner"), (root / "c").rename(root / "a/inner/c")],
        {Change(b"a", TREE), Change(b"a/inner/c", TREE)}),
    "a directory becomes a file": (
        lambda root: [(root / "a").rename(root / "b/a"), (root / "a").write_text("x")],
        {Change(b"", LEVEL), Change(b"a", ENTRY), Change(b"b/a", TREE)}),
    "a file becomes a directory": (
        lambda root: [(root / "a/file").unlink(), (root / "a/file").mkdir()],
        {Change(b"a", LEVEL), Change(b"a/file", TREE)}),
    "a directory becomes a symlink to where it is": (
        lambda root: [(root / "a").rename(root.parent / "a"), (root / "a").symlink_to("../a")],
        {Change(b"", LEVEL), Change(b"a", ENTRY)}),
    "directories are made 26 levels deep": (
        lambda root: (root / "/".join("abcdefghijklmnopqrstuvwxyz")).mkdir(parents=True),
        {Change(b"a/b", TREE)}),
    "a file is linked, and written by the name that was removed": (
        link_and_write, {Change(b"", LEVEL), Change(b"other name", ENTRY)}),
    "a file is written that had no name": (
        write_unnamed, {Change(b"named", ENTRY)}),
    "names are hostile": (
        lambda root: [
            os.mkdir(os.path.join(bytes(root), name))
            for name in (b"\xff\xfe", b"new\nline", b"n" * 255, b" ", b"*")],
        {Change(b"\xff\xfe", TREE), Change(b"new\nline", TREE), Change(b"n" * 255, TREE)}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("read_limit", [1 << 20, 0])
def test_a_change_is_told(
    source: Path, observe: Callable[..., Observed], case: str, read_limit: int
) -> None:
    act, expected = CASES[case]
    build(source)
    observed = observe(read_limit=read_limit)
    act(source)
    assert expected <= sound(observed)


def test_nothing_is_told_when_nothing_happens(source: Path, observed: Observed, how: str) -> None:
    (source / "dir").mkdir()
    sound(observed)
    assert how == "fanotify" or not observed.queued()  # there, others may do something
    assert observed.watcher.read() == Seen()
    assert not observed.watcher.unfinished
    assert not observed.watcher.unread


def test_what_is_queued_can_be_taken_to_its_end(
    source: Path, observe: Callable[..., Observed]
) -> None:
    observed = observe(read_limit=0)
    for number in range(100):
        os.mknod(source / f"a name that takes more than the event itself {number}")
    watcher = observed.watcher
    begin, queued = watcher.taken, watcher.queued()
    while watcher.taken - begin < queued:
        observed.read()
    assert observed.wrong() == []


def test_events_about_one_name_are_one(source: Path, observed: Observed, how: str) -> None:
    for _ in range(50):
        (source / "file").write_text("x")
        (source / "other").write_text("x")
    (source / "dir").mkdir()
    (source / "dir").rmdir()
    assert sorted(observed.drain()) == [
        Event(b"", b"dir", IN_CREATE | IN_DELETE | IN_ISDIR),
        Event(b"", b"file", IN_CREATE | IN_CLOSE_WRITE),
        Event(b"", b"other", IN_CREATE | IN_CLOSE_WRITE),
    ]
    # What vanished and what appeared reach differently far, so these two stay apart.
    told = observed.changes(observed.seen)
    assert told >= {Change(b"", LEVEL), Change(b"dir", TREE), Change(b"file", ENTRY)}
    assert how == "fanotify" or observed.watcher.events > 50  # there, the kernel makes them one


def test_only_what_emask_names_is_told(source: Path, observe: Callable[..., Observed]) -> None:
    observed = observe(emask=IN_CLOSE_WRITE)
    (source / "dir").mkdir()
    (source / "file").write_text("x")
    (source / "file").chmod(0o600)
    (source / "file").rename(source / "other")
    (source / "dir").rename(source / "there")
    # By now it is called otherwise, and there is nothing by the old name.
    assert observed.drain() == [Event(b"", b"file", IN_CLOSE_WRITE)]
    (source / "there" / "file").write_text("x")
    assert observed.drain() == [Event(b"there", b"file", IN_CLOSE_WRITE)]


def test_what_happens_to_a_directory_is_told_by_its_parent(
    source: Path, observed: Observed
) -> None:
    (source / "dir").mkdir()
    sound(observed)
    (source / "dir").chmod(0o700)
    assert observed.drain() == [Event(b"", b"dir", IN_ATTRIB | IN_ISDIR)]
    source.chmod(0o700)
    assert observed.drain() == [Event(b"", b"", IN_ATTRIB | IN_ISDIR)]


def test_writing_without_closing_is_told_when_asked_for(
    source: Path, observe: Callable[..., Observed]
) -> None:
    observed = observe(emask=DEFAULT_EMASK | IN_MODIFY)
    with open(source / "log", "w", encoding="ascii") as file:
        sound(observed)
        file.write("line")
        file.flush()
        assert observed.drain() == [Event(b"", b"log", IN_MODIFY)]


# ---- whole trees ----------------------------------------


def test_a_tree_that_moves_in_is_watched(tmp_path: Path, source: Path, observed: Observed) -> None:
    for number in range(200):
        (tmp_path / f"made/elsewhere/{number % 10}/{number}").mkdir(parents=True)
    (tmp_path / "made").rename(source / "made")
    assert Change(b"made", TREE) in sound(observed)
    (source / "made/elsewhere/7/17/new").write_text("x")
    assert sound(observed) == {Change(b"made/elsewhere/7/17/new", ENTRY)}


def test_an_unpacked_tree_is_watched(source: Path, observed: Observed) -> None:
    """Each directory is made under another name, filled, and renamed into place."""
    for number in range(1200):
        temporary = source / f"d{number % 30}" / ".tmp"
        temporary.mkdir(parents=True)
        (temporary / "file").write_text(str(number))
        temporary.rename(temporary.with_name(f"{number}"))
        if number % 100 == 0:
            observed.read()
    sound(observed)
    assert observed.has_watches(1 + 30 + 1200)


def test_what_moves_out_is_not_watched(tmp_path: Path, source: Path, observed: Observed) -> None:
    build(source)
    sound(observed)
    (source / "a").rename(tmp_path / "a")
    assert sound(observed) == {Change(b"", LEVEL)}
    assert observed.has_watches(3)
    (tmp_path / "a/inner/new").write_text("x")
    (tmp_path / "a/dir").mkdir()
    assert observed.drain() == []


def test_what_moved_out_may_come_back_changed(
    tmp_path: Path, source: Path, observed: Observed
) -> None:
    build(source)
    sound(observed)
    (source / "a").rename(tmp_path / "a")
    (tmp_path / "a/dir").mkdir()
    (tmp_path / "a/inner/file").write_text("changed outside")
    (tmp_path / "a").rename(source / "b/a")
    assert Change(b"b/a", TREE) in sound(observed)


def test_what_arrives_and_leaves_at_once_leaves_no_watch(
    tmp_path: Path, source: Path, observed: Observed
) -> None:
    """A directory may leave while it is given its watch, without any event of its own."""
    outside = bytes(tmp_path) + b"/out"
    child = os.fork()
    if child == 0:
        for number in range(3000):
            os.mkdir(bytes(source) + b"/dir")
            os.rename(bytes(source) + b"/dir", outside + b"%d" % number)
        os._exit(0)
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        observed.watcher.read()
    sound(observed)
    assert observed.has_watches(1)


@by_watches
def test_a_renamed_tree_keeps_its_watches(source: Path, observed: Observed) -> None:
    for number in range(100):
        (source / f"a/{number % 10}/{number}").mkdir(parents=True)
    sound(observed)
    before = dict(observed.watcher.paths())
    (source / "a").rename(source / "b")
    sound(observed)
    after = dict(observed.watcher.paths())
    assert after == {wd: b"b" + path[1:] if path else b"" for wd, path in before.items()}


def test_a_path_that_led_astray_is_tried_again(
    source: Path, observe: Callable[..., Observed]
) -> None:
    """The directory is away when its event is read, and back in its place before the next one."""
    (source / "a/b").mkdir(parents=True)
    observed = observe(read_limit=0)  # one event with a long name
    (source / "a/b" / ("n" * 255)).mkdir()
    (source / "a").rename(source / "away")
    observed.read()
    (source / "away").rename(source / "a")
    sound(observed)


@by_watches
def test_a_big_tree_is_walked_in_slices_and_told_again(
    tmp_path: Path, source: Path, observe: Callable[..., Observed]
) -> None:
    """What happened below before its directory was watched is covered by a second report."""
    observed = observe(walk_limit=10)
    for number in range(100):
        (tmp_path / f"made/{number}").mkdir(parents=True)
    (tmp_path / "made").rename(source / "made")
    assert [event.path for event in events(observed.read())] == [b"made"]
    assert observed.watcher.unfinished
    for number in range(100):
        (source / f"made/{number}/file").write_text("x")
    while not observed.walk(10):
        assert observed.watcher.watched < 102
    assert observed.watcher.unread
    assert Change(b"made", TREE) in sound(observed)


@by_watches
def test_walking_is_done_in_slices(source: Path, observe: Callable[..., Observed]) -> None:
    for number in range(50):
        (source / str(number)).mkdir()
    progress: list[int] = []
    watcher = Watcher(
        str(source), filters=compile_filters(()), emask=DEFAULT_EMASK, on_progress=progress.append
    )
    assert watcher.watched == 1
    while not watcher.walk(20):
        pass
    assert progress[0] < 25
    assert 2 <= len(progress) <= 4
    assert progress[-1] == watcher.watched == 51
    told = len(progress)
    assert watcher.walk(20)
    assert len(progress) == told
    watcher.close()


# ---- rules ----------------------------------------


def test_what_is_excluded_is_not_watched(source: Path, observe: Callable[..., Observed]) -> None:
    (source / "cache/deep").mkdir(parents=True)
    (source / "a/b/cache/deep").mkdir(parents=True)
    observed = observe(excludes=("cache",))
    (source / "cache/deep/file").write_text("x")
    (source / "a/cache").mkdir()
    (source / "a/cache/file").write_text("x")
    assert sound(observed) == set()
    assert observed.has_watches(3)


@pytest.mark.parametrize("rule", ["/a/inner", "a/inner", "inner", "/a"])
def test_a_rename_may_include_and_exclude(
    source: Path, observe: Callable[..., Observed], rule: str
) -> None:
    build(source)
    observed = observe(excludes=(rule,))
    (source / "a").rename(source / "c")
    sound(observed)
    (source / "b").rename(source / "a")
    sound(observed)
    (source / "c/inner").rename(source / "outer")
    sound(observed)


@by_watches
def test_a_renamed_tree_is_judged_anew_to_its_bottom(
    source: Path, observe: Callable[..., Observed]
) -> None:
    (source / "a/inner/left/out").mkdir(parents=True)
    observed = observe(excludes=("/b/inner/left", "/a/inner/new"))
    assert observed.watcher.watched == 5
    (source / "a/inner/new/here").mkdir(parents=True)
    (source / "a/other").mkdir()
    (source / "a").rename(source / "b")
    sound(observed)
    paths = {path for _, path in observed.watcher.paths()}
    assert paths == {b"", b"b", b"b/inner", b"b/other", b"b/inner/new", b"b/inner/new/here"}


# ---- what cannot be watched ----------------------------------------


def let_others_in(path: Path) -> None:
    """Let other users come to `path`: pytest's folders are for their owner alone."""
    for folder in (path, *path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)


@by_watches
@as_root
def test_an_unreadable_directory_is_told_once_and_tried_when_it_opens(
    source: Path, observe: Callable[..., Observed]
) -> None:
    let_others_in(source)
    (source / "open/closed/inner").mkdir(parents=True)
    (source / "open/closed").chmod(0o700)
    observed = observe(user=NOBODY)
    problems = [*observed.read().problems, *observed.read().problems]
    assert len(problems) == 1
    assert problems[0].startswith(f"cannot watch {source}/open/closed: permission denied")
    assert list(observed.watcher.unwatched) == [b"open/closed"]
    assert observed.watcher.watched == 2
    (source / "open/closed").rename(source / "open/shut")
    observed.drain()
    assert list(observed.watcher.unwatched) == [b"open/shut"]
    (source / "open/shut").chmod(0o755)
    assert Change(b"open/shut", TREE) in sound(observed)
    assert observed.watcher.unwatched == {}


@by_watches
@as_root
def test_a_closed_parent_is_told_and_tried_when_it_opens(
    source: Path, observe: Callable[..., Observed]
) -> None:
    """It is watched, but what appears in it cannot be reached."""
    let_others_in(source)
    (source / "a/b").mkdir(parents=True)
    observed = observe(user=NOBODY)
    (source / "a").chmod(0o744)
    (source / "a/b/new").mkdir()
    observed.drain()
    assert list(observed.watcher.unwatched) == [b"a/b"]
    (source / "a").chmod(0o755)
    sound(observed)
    assert observed.watcher.unwatched == {}


@by_watches
def test_what_no_program_can_name_is_told(source: Path, observe: Callable[..., Observed]) -> None:
    name = "n" * 250
    descriptor = os.open(source, os.O_RDONLY)
    for _ in range(18):
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    observed = observe(walk=False)
    observed.drain()
    ((path, why),) = observed.watcher.unwatched.items()
    # How many names fit depends on the path of the source, which is not part of these.
    assert set(path.split(b"/")) == {name.encode()}
    assert 10 < path.count(b"/") < 17
    assert "4096 bytes" in why
    (source / name).rename(source / "short")
    (source / "short" / name).rename(source / "short/s")
    observed.drain()
    assert observed.watcher.unwatched == {}
    assert observed.watcher.watched == 19


@by_watches
def test_to_ask_for_a_watch_loses_no_event(source: Path, observed: Observed) -> None:
    """A watch that is asked for again, while things happen, goes on to report all of them.

    So few that the queue holds them all, in case that nobody reads for a while.
    """
    script = "import os, sys\nfor n in range(15_000): os.mknod(f'{sys.argv[1]}/{n}')"
    seen: set[bytes] = set()
    with subprocess.Popen([sys.executable, "-c", script, source]) as maker:
        while maker.poll() is None:
            for _ in range(20):
                assert observed.watcher.root_state() == ""
            seen |= {event.name for event in events(observed.watcher.read())}
    seen |= {event.name for event in events(observed.watcher.read())}
    assert observed.watcher.overflows == 0
    assert len(seen) == 15_000


@by_watches
@as_root
def test_many_problems_are_summed_up(source: Path, observe: Callable[..., Observed]) -> None:
    let_others_in(source)
    for number in range(60):
        (source / str(number)).mkdir(mode=0o700)
    observed = observe(user=NOBODY)
    problems = observed.read().problems
    assert len(problems) == 21
    assert problems[-1] == f"... and 40 more directories below {source} cannot be watched"
    assert len(observed.watcher.unwatched) == 60


def test_without_descriptors_the_rest_waits_for_another_try(source: Path) -> None:
    build(source)
    watcher = Watcher(str(source), filters=compile_filters(()), emask=DEFAULT_EMASK)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/", os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        assert watcher.walk(100)
        assert watcher.root_state() == ""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "too many open files" in watcher.unwatched[b""]
    assert watcher.unread
    assert len(watcher.read().problems) == 1
    watcher.retry_unwatched()
    assert watcher.unfinished
    assert watcher.walk(100)
    assert watcher.unwatched == {}
    assert {event.path for event in events(watcher.read())} == {b"a", b"b"}
    watcher.close()


def test_the_working_directory_is_given_back(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(source)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    watcher = Watcher(str(source), filters=compile_filters(()), emask=DEFAULT_EMASK)
    assert watcher.walk(100)
    assert watcher.root_state() == ""
    assert Path.cwd() == home
    home.rmdir()
    (source / "new").mkdir()
    watcher.read()
    assert watcher.watched == len(list(source.glob("**/")))
    assert os.readlink("/proc/self/cwd") == f"{home} (deleted)"
    watcher.close()


# ---- the kernel's limits ----------------------------------------


def overflow(source: Path, how: str) -> None:
    """Let more happen than the kernel keeps, in which no event is like one that waits."""
    queue = Path(f"/proc/sys/fs/{how}/max_queued_events").read_text(encoding="ascii")
    for number in range(int(queue) + 1):
        os.mknod(source / f"{number}")
        os.unlink(source / f"{number}")


def resync(observed: Observed) -> str:
    """Read until all must be compared, and return why."""
    while not (why := observed.read().resync):
        pass
    return why


def test_an_overflow_is_told_and_everything_is_compared(
    tmp_path: Path, source: Path, observed: Observed, how: str
) -> None:
    build(source)
    sound(observed)
    file = source / "b/file"
    overflow(source, how)
    (source / "a").rename(tmp_path / "a")
    (source / "new/tree").mkdir(parents=True)
    (source / "b/inner").rename(source / "b/renamed")
    file.write_text("changed while nobody listened")
    assert f"queue overflowed: raise fs.{how}.max_queued_events (now" in resync(observed)
    sound(observed)
    assert observed.watcher.overflows >= 1
    (source / "new/tree/file").write_text("x")
    assert sound(observed) == {Change(b"new/tree/file", ENTRY)}


def test_an_overflow_may_hide_that_the_root_is_gone(
    tmp_path: Path, source: Path, observed: Observed, how: str
) -> None:
    overflow(source, how)
    source.rename(tmp_path / "elsewhere")
    lost = False
    while not (seen := observed.watcher.read()).resync:
        lost |= seen.root_lost
    assert not lost or how == "fanotify"  # which looks where the root is
    assert lost or seen.root_lost


IN_NAMESPACE = """
    import errno, os, subprocess, sys
    from pathlib import Path
    from inosync.errors import WatchError
    from inosync.changes.inotify_bits import DEFAULT_EMASK
    from inosync.rsync.filters import compile_filters
    from inosync.watch.watcher import Watcher
    from support.watching import events

    source = Path(sys.argv[1])

    def limit(name, value):
        Path("/proc/sys/user/max_inotify_" + name).write_text(str(value))

    def start():
        watcher = Watcher(str(source), filters=compile_filters(()), emask=DEFAULT_EMASK)
        settle(watcher)
        return watcher

    def settle(watcher):
        while not watcher.walk(100):
            pass
"""


def with_limits(source: Path, script: str) -> None:
    """Run a script in a user namespace, where it can set limits that nobody else feels."""
    namespaces.need_limits()
    run_in(namespaces.USER, source, script)


def with_mounts(source: Path, script: str) -> None:
    """Run a script in a mount namespace."""
    mounts = ("unshare", "-m")
    namespaces.need(*mounts)
    run_in(mounts, source, script)


def run_in(namespace: tuple[str, ...], source: Path, script: str) -> None:
    """Run a script with what IN_NAMESPACE gives it."""
    code = textwrap.dedent(IN_NAMESPACE) + textwrap.dedent(script)
    argv = [*namespace, sys.executable, "-c", code, str(source)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": f"{root}:{root / 'tests'}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_limit_of_watches_is_told_once_with_its_cure(source: Path) -> None:
    with_limits(
        source,
        """
        for number in range(20):
            (source / str(number) / "inner").mkdir(parents=True)
        limit("watches", 10)
        watcher = start()
        assert watcher.watched == 10
        (problem,) = watcher.read().problems
        assert "no inotify watch is left: raise fs.inotify.max_user_watches" in problem
        assert "user.max_inotify_watches (now 10)" in problem
        assert len(watcher.unwatched) >= 11
        watcher.retry_unwatched()
        settle(watcher)
        assert watcher.read().problems == ()
        limit("watches", 100)
        watcher.retry_unwatched()
        settle(watcher)
        assert watcher.watched == 41
        assert watcher.unwatched == {}
        found = {event.path for event in events(watcher.read())}
        assert len(found) >= 11, found
        """,
    )


def test_no_instance_left_is_an_error_with_its_cure(source: Path) -> None:
    with_limits(
        source,
        """
        limit("instances", 0)
        try:
            start()
        except WatchError as error:
            assert "raise fs.inotify.max_user_instances (now " in str(error), error
        else:
            sys.exit("no error")
        """,
    )


def test_nor_can_the_root_be_watched_without_watches(source: Path) -> None:
    with_limits(
        source,
        """
        limit("watches", 0)
        try:
            start()
        except WatchError as error:
            assert "max_user_watches" in str(error), error
        else:
            sys.exit("no error")
        """,
    )


@as_root
def test_mounts_below_the_source(source: Path) -> None:
    """What is unmounted loses its watches; what was below the mount is watched when it is tried."""
    with_mounts(
        source,
        """
        def mount(*arguments):
            subprocess.run(["mount", *arguments], check=True)

        (source / "disk").mkdir()
        mount("-t", "tmpfs", "none", str(source / "disk"))
        (source / "disk/a/b").mkdir(parents=True)
        watcher = start()
        assert watcher.watched == 4
        subprocess.run(["umount", str(source / "disk")], check=True)
        seen = watcher.read()
        assert watcher.watched == 1
        assert not seen.root_lost
        assert [problem for problem in seen.problems if "was unmounted" in problem] == list(
            seen.problems
        )
        assert list(watcher.unwatched) == [b"disk"]
        watcher.retry_unwatched()
        settle(watcher)
        assert [event.path for event in events(watcher.read())] == [b"disk"]
        assert watcher.watched == 2
        # The source in itself: no circles, no end.
        mount("--bind", str(source), str(source / "disk"))
        (source / "other").mkdir()
        watcher.reconcile()
        settle(watcher)
        assert {path for _, path in watcher.paths()} >= {b"", b"other"}
        """,
    )


@as_root
def test_the_root_is_unmounted(source: Path) -> None:
    with_mounts(
        source,
        """
        subprocess.run(["mount", "-t", "tmpfs", "none", str(source)], check=True)
        watcher = start()
        assert watcher.root_state() == ""
        subprocess.run(["umount", str(source)], check=True)
        assert "file system" in watcher.root_state()
        assert watcher.read().root_lost
        """,
    )


@as_root
def test_without_proc_there_is_an_error(source: Path) -> None:
    with_mounts(
        source,
        """
        subprocess.run(["umount", "-l", "/proc"], check=True)
        try:
            start()
        except WatchError as error:
            assert "/proc is not mounted" in str(error), error
        else:
            sys.exit("no error")
        """,
    )


# ---- the root ----------------------------------------


def test_a_root_that_is_not_there_or_no_directory(source: Path) -> None:
    (source / "file").touch()
    for name, reason in (("none", "no such directory"), ("file", "not a directory")):
        with pytest.raises(WatchError, match=reason) as caught:
            Watcher(str(source / name), filters=compile_filters(()), emask=DEFAULT_EMASK)
        assert str(caught.value).startswith(f"cannot watch {source}/{name}: ")


@as_root
def test_a_root_that_may_not_be_read(source: Path) -> None:
    source.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(WatchError, match="permission denied"):
            Watcher(str(source), filters=compile_filters(()), emask=DEFAULT_EMASK)
    finally:
        os.seteuid(0)


def test_a_root_may_be_a_symlink(tmp_path: Path, source: Path) -> None:
    (source / "dir").mkdir()
    (tmp_path / "link").symlink_to(source)
    observed = Observed(tmp_path / "link")
    (source / "dir/file").touch()
    assert sound(observed) == {Change(b"dir/file", ENTRY)}
    assert observed.watcher.root_state() == ""
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path)
    assert observed.watcher.root_state() == "is another directory now"
    observed.close()


@pytest.mark.parametrize(
    ("lose", "state"),
    [
        (lambda source: source.rmdir(), "is gone"),
        (lambda source: source.rename(source.with_name("moved")), "is gone"),
        (lambda source: [source.rmdir(), source.touch()], "is not a directory any more"),
        (lambda source: [source.rmdir(), source.mkdir()], "is another directory now"),
        (
            lambda source: [source.rename(source.with_name("moved")), source.mkdir()],
            "is another directory now",
        ),
    ],
)
def test_the_root_is_lost(
    source: Path, observed: Observed, lose: Callable[[Path], object], state: str
) -> None:
    assert observed.watcher.root_state() == ""
    lose(source)
    assert observed.watcher.root_state() == state
    assert observed.watcher.read().root_lost
    assert observed.watcher.root_state() == state
    assert not observed.watcher.read().root_lost
    assert len(observed.watches()) == observed.watcher.watched  # none was made by asking


def test_what_is_above_the_root_is_renamed(tmp_path: Path) -> None:
    (tmp_path / "above/source").mkdir(parents=True)
    observed = Observed(tmp_path / "above/source")
    (tmp_path / "above").rename(tmp_path / "moved")
    assert observed.watcher.root_state() == "is gone"
    (tmp_path / "moved/source/dir").mkdir()
    observed.drain()
    (tmp_path / "moved").rename(tmp_path / "above")
    (tmp_path / "above/source/other").mkdir()
    assert observed.watcher.root_state() == ""
    sound(observed)
    observed.close()


# ---- the process ----------------------------------------


def test_the_descriptor_is_ours_alone(source: Path, observed: Observed) -> None:
    descriptor = observed.watcher.fileno()
    assert not os.get_inheritable(descriptor)
    assert not os.get_blocking(descriptor)
    before = os.listdir("/proc/self/fd")
    for number in range(20):
        (source / f"{number}/inner").mkdir(parents=True)
        (source / str(number)).rename(source / f"moved{number}")
        observed.drain()
    assert os.listdir("/proc/self/fd") == before
    observed.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(descriptor)


def test_pyinotify_does_not_write_to_standard_error() -> None:
    assert logging.getLogger("pyinotify").handlers == []


# ---- renames ------------------------------------------------------------------------------------


def moves(observed: Observed) -> list[Move]:
    """Return what was renamed since it was asked last."""
    begin = len(observed.seen)
    observed.drain()
    return [move for seen in observed.seen[begin:] for move in seen.moves]


@by_watches
def test_renames_are_told_with_both_paths(source: Path, observe: Callable[..., Observed]) -> None:
    (source / "a" / "old" / "deep").mkdir(parents=True)
    (source / "b").mkdir()
    observed = observe()
    (source / "a" / "old").rename(source / "b" / "new")
    assert moves(observed) == [Move(b"a/old", b"b/new")]
    # Into a directory that has no watch yet: only one half of it is reported.
    (source / "c" / "d").mkdir(parents=True)
    (source / "b" / "new").rename(source / "c" / "d" / "newer")
    assert moves(observed) == [Move(b"b/new", b"c/d/newer")]
    (source / "c").rename(source / "e")
    assert moves(observed) == [Move(b"c", b"e")]


@by_watches
def test_what_leaves_or_comes_from_outside_is_no_rename(
    source: Path, tmp_path: Path, observe: Callable[..., Observed]
) -> None:
    (source / "a").mkdir()
    observed = observe(excludes=("skip",))
    (source / "a").rename(tmp_path / "outside")
    assert moves(observed) == []
    (tmp_path / "outside").rename(source / "b")
    assert moves(observed) == []
    (source / "b").rename(source / "skip")
    (source / "skip").rename(source / "c")
    assert moves(observed) in ([], [Move(b"b", b"c")])


@by_watches
def test_renames_of_files_are_told_when_both_halves_are(
    source: Path, tmp_path: Path, observe: Callable[..., Observed]
) -> None:
    (source / "a").mkdir()
    (source / "b").mkdir()
    for name in ("a/x", "a/y", "z"):
        (source / name).touch()
    observed = observe()
    (source / "a/x").rename(source / "b/x")
    assert moves(observed) == [Move(b"a/x", b"b/x", file=True)]
    (source / "b/x").rename(source / "w")
    (source / "w").rename(source / "a/w")
    between = [Move(b"b/x", b"w", file=True), Move(b"w", b"a/w", file=True)]
    assert moves(observed) == between
    (source / "a/y").rename(tmp_path / "outside")
    assert moves(observed) == []
    (tmp_path / "outside").rename(source / "b/y")
    assert moves(observed) == []
    # With the path that its directory has now, behind that.
    (source / "z").rename(source / "a" / "z")
    (source / "a").rename(source / "c")
    assert moves(observed) == [Move(b"a", b"c"), Move(b"z", b"c/z", file=True)]


@by_watches
def test_a_renamed_file_to_which_more_happened_is_not_sure(
    source: Path, observe: Callable[..., Observed]
) -> None:
    (source / "x").touch()
    observed = observe()
    (source / "new").touch()
    (source / "new").rename(source / "made")
    assert moves(observed) == []
    (source / "x").rename(source / "y")
    (source / "y").chmod(0o600)
    assert moves(observed) == [Move(b"x", b"y", file=True, sure=False)]
    (source / "y").rename(source / "x")
    (source / "y").touch()
    assert moves(observed) == [Move(b"y", b"x", file=True, sure=False)]
    (source / "d").mkdir()
    assert moves(observed) == []
    (source / "x").rename(source / "d" / "x")
    (source / "d" / "x").chmod(0o644)
    assert moves(observed) == []


@by_watches
def test_a_rename_of_a_file_may_take_two_reads(
    source: Path, observe: Callable[..., Observed]
) -> None:
    name = "n" * 240  # so that a read takes one event only
    (source / "a").mkdir()
    (source / name).touch()
    observed = observe(read_limit=0)
    (source / name).rename(source / "a" / name)
    assert moves(observed) == [Move(name.encode(), b"a/" + name.encode(), file=True)]
    assert len([seen for seen in observed.seen if events(seen)]) == 2


def test_a_name_that_vanished_and_appeared_says_both(
    source: Path, observe: Callable[..., Observed]
) -> None:
    """What is there now may be another file of the same size and time."""
    (source / "f").write_text("one")
    (source / "g").write_text("two")
    observed = observe()
    (source / "f").rename(source / "t")
    (source / "g").rename(source / "f")
    (source / "t").rename(source / "g")
    changes = observed.changes(observed.settle())
    assert {Change(b"", Kind.LEVEL), Change(b"f", Kind.ENTRY), Change(b"g", Kind.ENTRY)} <= changes
