"""Where others than root may write, and which rsync is led astray there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.service.exposure import losing_races, warning
from inosync.watch.way import writers

PLAIN = stat.S_IFDIR | 0o755


@pytest.mark.parametrize(
    ("owner", "group", "mode", "expected"),
    [
        (0, 0, PLAIN, ""),
        (0, 54321, PLAIN, ""),
        (0, 0, PLAIN | 0o020, ""),
        (0, 54321, PLAIN | 0o020, "the group 54321"),
        (0, 0, PLAIN | 0o002, "everybody"),
        (0, 0, stat.S_IFDIR | 0o1777, "everybody"),
        (54321, 0, PLAIN, "user 54321"),
        (54321, 0, stat.S_IFDIR, "user 54321"),  # the mode is his to change
    ],
)
def test_who_may_put_something_there(owner: int, group: int, mode: int, expected: str) -> None:
    assert writers(os.stat_result((mode, 2, 1, 1, owner, group, 0, 0, 0, 0))) == expected


def test_what_is_said() -> None:
    assert warning("/srv/a\n", "alice", (3, 2, 7)) == (
        r"/srv/a\n: alice may write there, and rsync 3.2.7 as root can be led out of it while it "
        "works; install rsync 3.4.0 or later, or set user"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is led astray")
def test_where_it_is_said(tmp_path: Path) -> None:
    """Each directory once; not what is elsewhere, is missing, or belongs to root as all in it."""
    ours, home, open_, links = (tmp_path / name for name in ("ours", "home", "open", "links"))
    for path in (ours / "sub", home / "alice", open_, links):
        path.mkdir(parents=True)
    os.chown(home / "alice", 12345, 12345)
    (home / "file").touch()
    os.chown(home / "file", 12345, 12345)
    open_.chmod(0o777)
    (links / "link").symlink_to(open_)
    nodes = {ours: f"{open_}/", home: "host:/m", links: f"{tmp_path}/none/"}
    pairs = [make_pair(make_source(str(path)), node) for path, node in nodes.items()]
    pairs.append(make_pair(make_source(str(links)), f"{open_}/"))
    config = make_config(pairs)
    found = [line.partition(" may ")[0] for line in losing_races(config, (3, 3, 99))]
    assert found == [f"{home}/alice: user 12345", f"{open_}: everybody"]
    assert list(losing_races(config, (3, 4, 0))) == []
