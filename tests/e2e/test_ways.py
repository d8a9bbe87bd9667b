"""A path that leads elsewhere: links that are switched, parents that are made anew.

What is there instead has other content of the same size and date, so that no time tells.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import Daemon, config_text, run_inosync, settings
from support.trees import compare, snapshot, write

HELD = "held, its mirrors are left as they are"


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """A folder with three releases, the same in size and date."""
    for number in (1, 2, 3):
        write(tmp_path / f"releases/{number}", "app/same", f"release {number}\n")
        write(tmp_path / f"releases/{number}", f"only{number}", "x")
        for path in (tmp_path / f"releases/{number}").rglob("*"):
            os.utime(path, (1_000_000_000, 1_000_000_000))
        os.utime(tmp_path / f"releases/{number}", (1_000_000_000, 1_000_000_000))
    return tmp_path / "releases"


def switch(link: Path, target: Path | str, owner: int = -1) -> None:
    """Let a link lead elsewhere at once."""
    new = link.with_name("new")
    new.symlink_to(target)
    if owner >= 0:
        os.chown(new, owner, owner, follow_symlinks=False)
    new.rename(link)


def wait(daemon: Daemon, status: int = 0) -> str:
    """Have the daemon say whether all is in sync."""
    asked = run_inosync("-c", daemon.config_file, "--wait", "20" if not status else "1", cwd="/")
    assert asked.returncode == status, asked.stdout + asked.stderr + daemon.log()
    return asked.stdout + asked.stderr


def differs(source: Path, mirror: Path) -> list[str]:
    """Return what differs, by content."""
    return compare(source.resolve(), mirror)


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_deployment_switches_a_link(
    inosync: Callable, tmp_path: Path, releases: Path, scope: str
) -> None:
    """Each way to switch it is followed at once: who waits may purge a cache then."""
    mirror, current = tmp_path / "mirror", tmp_path / "current"
    current.symlink_to("releases/1")
    daemon = inosync(settings(current, f"{mirror}/", rscope=scope))
    wait(daemon)
    assert differs(releases / "1", mirror) == []
    for number, target in ((2, "releases/2"), (3, releases / "3"), (1, "releases/1")):
        switch(current, target)
        wait(daemon)
        assert differs(releases / f"{number}", mirror) == []
        write(releases / f"{number}", "app/later", f"{number}\n")
        wait(daemon)
        assert differs(releases / f"{number}", mirror) == []
    assert f"{current} leads to {releases}/2 now, not to {releases}/1" in daemon.log()
    # In the place of the link comes a directory.
    current.unlink()
    (releases / "2").rename(current)
    wait(daemon)
    assert differs(current, mirror) == []
    # And of a directory a link, which was none before: by whomever, a person has to say so.
    before = snapshot(mirror)
    current.rename(releases / "2")
    current.symlink_to("releases/3")
    assert "symbolic link now" in wait(daemon, status=5)
    assert snapshot(mirror) == before
    assert HELD in daemon.log()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give links away")
def test_a_link_that_somebody_else_switches_is_not_followed(
    inosync: Callable, tmp_path: Path, releases: Path
) -> None:
    mirror, current = tmp_path / "mirror", tmp_path / "current"
    current.symlink_to("stable")
    (tmp_path / "stable").symlink_to("releases/1")
    daemon = inosync(settings(current, f"{mirror}/"))
    wait(daemon)
    before = snapshot(mirror)
    for link in (tmp_path / "stable", current):  # the link itself, and one that it leads through
        switch(link, "releases/2", owner=54321)
        assert f"user 54321 has switched {link} to releases/2" in wait(daemon, status=5)
        assert snapshot(mirror) == before
        switch(link, "releases/1")
        wait(daemon)
        assert differs(releases / "1", mirror) == []
    switch(current, "releases/2", owner=54321)
    wait(daemon, status=5)
    asked = run_inosync("-c", daemon.config_file, "--sync", cwd="/")
    assert asked.returncode == 0
    wait(daemon)
    assert differs(releases / "2", mirror) == []


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_parent_is_made_anew(
    inosync: Callable, tmp_path: Path, releases: Path, scope: str
) -> None:
    above, mirror = tmp_path / "above", tmp_path / "mirror"
    shutil.copytree(releases / "1", above / "source")
    daemon = inosync(settings(above / "source", f"{mirror}/", rscope=scope))
    wait(daemon)
    before = snapshot(mirror)
    above.rename(tmp_path / "moved")  # nothing changes in the source itself
    daemon.wait_for_log(f"{above / 'source'} is gone: {HELD}")
    assert snapshot(mirror) == before
    above.mkdir()
    (releases / "2").rename(above / "source")
    wait(daemon)
    assert differs(above / "source", mirror) == []
    # At once, so that nobody can have seen that it was gone.
    (above / "source").rename(tmp_path / "away")
    (releases / "3").rename(above / "source")
    wait(daemon)
    assert differs(above / "source", mirror) == []
    assert "is another directory now: all that differs is sent" in daemon.log()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give directories away")
def test_check_warns_of_who_may_replace_a_source(tmp_path: Path) -> None:
    source = write(tmp_path, "above/source/file", "x").parent
    text = config_text(settings(source, f"{tmp_path}/mirror/"))
    config = write(tmp_path, "inosync.conf", text)
    config.chmod(0o644)
    asked = run_inosync("-c", config, "--check", cwd=tmp_path)
    assert "put something else" not in asked.stdout
    os.chown(source.parent, 54321, 54321)
    asked = run_inosync("-c", config, "--check", cwd=tmp_path)
    assert f"user 54321 may write to {source.parent} and put something else" in asked.stdout
