"""Which sources change without an event, and how they are looked after."""

from __future__ import annotations

from pathlib import Path

import pytest

from inosync.watch import blind
from inosync.watch.mounts import shared


def test_a_disk_tells_all(tmp_path: Path) -> None:
    assert blind.blind(str(tmp_path)) == ()


@pytest.mark.parametrize(
    ("rpoll", "kinds", "seconds"),
    [
        ("auto", (), 0.0),
        ("auto", ("nfs4",), blind.AUTO),
        (0.0, ("nfs4",), 0.0),
        (5.0, ("nfs4",), 5.0),
        (5.0, (), 5.0),
    ],
)
def test_how_often_they_are_looked_through(
    rpoll: float | str, kinds: tuple[str, ...], seconds: float
) -> None:
    assert blind.interval(rpoll, kinds) == seconds


def test_in_words() -> None:
    said = blind.without_marks("it lacks CAP_SYS_ADMIN")
    assert said == "inotify watches it, since fanotify cannot: it lacks CAP_SYS_ADMIN"
    assert blind.heard(0.5, ()) == "looked through every 0.5 s (rpoll)"
    assert blind.heard("auto", ("nfs4",)) == "on nfs4: looked through every 60 s (rpoll)"
    assert blind.unheard(("cifs", "nfs4")).startswith("on cifs, nfs4, where no event tells ")


@pytest.mark.parametrize(
    ("kind", "changed_by_others"),
    [
        *[(kind, True) for kind in ("nfs", "nfs4", "fuse.sshfs", "fuse", "cifs", "9p")],
        *[(kind, False) for kind in ("fuseblk", "ext4", "overlay", "fusectl", "")],
    ],
)
def test_kinds(kind: str, changed_by_others: bool) -> None:
    assert shared(kind) is changed_by_others
