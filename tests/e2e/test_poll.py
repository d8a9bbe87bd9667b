"""Sources of which no event tells: what changes behind a FUSE file system arrives all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.mounting import mounts_below
from support.places import wait_equal
from support.trees import compare, write

from inosync.changes.doubts import MOST
from inosync.commands.client import ask

BINDFS = shutil.which("bindfs")


def alike(folder: Path) -> None:
    """Make two files that differ by content alone."""
    for name, content in (("live", "one"), ("next", "two")):
        write(folder, name, content)
        os.utime(folder / name, (1000, 1000))


def swap(folder: Path) -> None:
    """Let each of them have the other's name."""
    (folder / "live").rename(folder / "spare")
    (folder / "next").rename(folder / "live")
    (folder / "spare").rename(folder / "next")


def show(real: Path, place: Path, *options: str) -> None:
    """Let the FUSE file system show one directory in the place of another."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(BINDFS), *options, real, place], check=True)


class Hidden:
    """Two directories, `plain` and `vague`, that a daemon sees through FUSE file systems only.

    What is `vague` has no ctimes of its own: a file with an old date looks as if it was old.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plain, self.vague = folder / "real/plain", folder / "real/vague"
        self.shown = [folder / "shown/plain", folder / "shown/vague"]
        for real, place in zip((self.plain, self.vague), self.shown, strict=True):
            for number in range(20):
                write(real, f"d{number % 4}/deep/{number}", "x")
            alike(real / "d0")
            show(real, place, *(["--ctime-from-mtime"] if real is self.vague else []))

    def settings(self, **more: object) -> dict[str, object]:
        """Return the settings of mirrors of both, with either scope."""
        nodes = [
            f"{self.folder}/tree/",
            {"node": f"{self.folder}/changes/", "rscope": "changes"},
        ]
        paths = [str(path) for path in self.shown]
        return {"wpaths": paths, "rnodes": nodes, "edelay": 0.1, "rexcludes": ["skip"]} | more

    def pairs(self) -> list[tuple[Path, Path]]:
        """Return what is to be equal."""
        roots = (self.plain, self.vague)
        return [(r, self.folder / m / r.name) for r in roots for m in ("tree", "changes")]


@pytest.fixture
def hidden(tmp_path: Path) -> Iterator[Hidden]:
    if not (BINDFS and os.access("/dev/fuse", os.R_OK | os.W_OK)):
        pytest.skip("needs bindfs and /dev/fuse")
    with mounts_below(tmp_path):
        try:
            made = Hidden(tmp_path)
        except subprocess.CalledProcessError:
            pytest.skip("this user cannot mount FUSE file systems")
        yield made


def test_what_changes_behind_a_fuse_file_system_arrives(tmp_path: Path, hidden: Hidden) -> None:
    daemon = Daemon(tmp_path, hidden.settings(rpoll=0.2))

    def equal() -> None:
        for real, mirror in hidden.pairs():
            wait_equal(real, mirror)

    def wait() -> None:
        asked = run_inosync("-c", daemon.config_file, "--wait", "30", cwd=tmp_path)
        assert asked.returncode == 0, asked.stderr

    def runs() -> int:
        return daemon.log().count("executing: ")

    with daemon:
        daemon.start()
        assert "/plain: on fuse: looked through every 0.2 s (rpoll)" in daemon.log()
        equal()

        # A file with an old date, one that is gone, a directory that was renamed.
        for real in (hidden.plain, hidden.vague):
            write(real, "d1/old", "old")
            os.utime(real / "d1/old", (2000, 2000))
            (real / "d2/deep/2").unlink()
            (real / "d3").rename(real / "d0/moved")
        equal()

        # Size and date say nothing; ctime does, where there is one.
        swap(hidden.plain / "d0")
        wait_equal(*hidden.pairs()[1])

        # Nothing changes, or only what is excluded: nothing is run. Whoever waits has it looked at.
        wait()
        before = runs()
        wait()
        write(hidden.plain, "d0/skip", "x")
        wait()
        assert runs() == before

        # Whoever waits need not wait for the next turn.
        daemon.configure(hidden.settings(rpoll=86400))
        daemon.hup()
        daemon.wait_for_log("looked through every 86400 s", times=2)
        wait()
        write(hidden.plain, "d1/asked for", "x")
        write(hidden.vague, "d1/asked for", "x")
        wait()
        for real, mirror in hidden.pairs()[2:]:
            assert not compare(real, mirror)
        assert (tmp_path / "changes/plain/d1/asked for").exists()
        daemon.stop()


def test_a_node_that_was_away_for_long_gets_what_has_changed(tmp_path: Path, source: Path) -> None:
    mirror, socket = tmp_path / "mirror", str(tmp_path / "socket")
    for number in range(30):
        write(source, f"d{number % 3}/{number}", "x")
    alike(source / "d1")
    chosen = settings(source, str(mirror), rscope="changes", socket=socket)
    daemon = Daemon(tmp_path, chosen | {"pidfile": f"{socket}.pid"})

    def told(command: str, **more: object) -> dict[str, Any]:
        return ask([(socket, None)], command, **more)

    def wait() -> None:
        assert told("wait", seconds=30, node="")["synced"], daemon.log()

    def passes() -> int:
        return daemon.log().count(" -ltrp --delete ")

    with daemon:
        daemon.start()
        wait()
        before = passes()
        told("pause")
        # Far more than is remembered by name, and most of it does not last; no more at a time than
        # the kernel's queue takes.
        write(source, "d1/new", "new")
        (source / "d0/0").unlink()
        swap(source / "d1")
        for lot in range(MOST // 6000 + 1):
            for number in range(6000):
                path = source / f"d0/{lot}-{number}"
                path.symlink_to("x")
                path.unlink()
            told("wait", seconds=0, node="")  # all is heard before anybody waits
        told("resume")
        wait()
        assert not compare(source, mirror)
        assert daemon.log().count("more has changed than is remembered: looked for by time") == 1
        assert passes() == before
        daemon.stop()


def test_it_is_said_where_no_event_tells(tmp_path: Path, hidden: Hidden) -> None:
    said = "/plain: on fuse, where no event tells what is changed by others"
    daemon = Daemon(tmp_path, hidden.settings())

    def check() -> str:
        return run_inosync("-c", daemon.config_file, "--check", cwd=tmp_path).stdout

    with daemon:
        daemon.start()
        assert daemon.log().count(said) == 1
        assert said in check()
        daemon.configure(hidden.settings(rpoll="auto"))
        daemon.hup()
        daemon.wait_for_log("/plain: on fuse: looked through every 60 s (rpoll)")
        assert "/plain: on fuse: looked through every 60 s (rpoll)" in check()

        # One that is mounted in a source later.
        source, mirror = tmp_path / "source", tmp_path / "mirror"
        (source / "sub").mkdir(parents=True)
        write(source, "f", "x")
        chosen = settings(source, str(mirror), rpoll="auto", rscope="changes")
        daemon.configure(chosen)
        daemon.hup()
        wait_equal(source, mirror)
        assert "/source: on" not in daemon.log()
        show(hidden.plain, source / "sub")
        daemon.wait_for_log("/source: on fuse: looked through every 60 s (rpoll)")
        wait_equal(source, mirror)
        write(hidden.plain, "d1/later", "x")
        asked = run_inosync("-c", daemon.config_file, "--wait", "30", cwd=tmp_path)
        assert asked.returncode == 0, asked.stderr
        assert (mirror / "sub/d1/later").exists()
        daemon.stop()
