"""Where others than root may write, and which rsync is led astray there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.service.exposure import exposed, others_may_write, warning

PLAIN = stat.S_IFDIR | 0o755


@pytest.mark.parametrize(
    ("owner", "group", "mode", "expected"),
    [
        (0, 0, PLAIN, False),
        (0, 33, PLAIN, False),
        (0, 0, PLAIN | 0o020, False),
        (0, 33, PLAIN | 0o020, True),
        (0, 0, PLAIN | 0o002, True),
        (0, 0, stat.S_IFDIR | 0o1777, True),
        (33, 0, PLAIN, True),
        (33, 0, stat.S_IFDIR, True),
    ],
)
def test_who_may_put_something_there(owner: int, group: int, mode: int, expected: bool) -> None:
    assert others_may_write(owner, group, mode) is expected


def test_what_is_said() -> None:
    assert warning("/srv/a\n", (3, 2, 7)) == (
        r"/srv/a\n: others than root may write there, and rsync 3.2.7, which runs as root, can be "
        "led out of it while it works; install rsync 3.4.0 or later, or set user"
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
    found = [line.partition(": others ")[0] for line in exposed(config, (3, 3, 99))]
    assert found == [str(home / "alice"), str(open_)]
    assert list(exposed(config, (3, 4, 0))) == []
