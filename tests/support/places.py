"""Where mirrors are put, and when they are equal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from support.trees import compare
from support.waiting import PATIENCE, until_empty


class Place(NamedTuple):
    """Where a mirror is: what a config says, the directory behind it, and what ssh needs."""

    node: str
    root: Path
    environment: Mapping[str, str]


def place_on(request: pytest.FixtureRequest, transport: str) -> Place:
    """Return an empty place for a mirror, its server running."""
    if transport == "local":
        root = request.getfixturevalue("tmp_path") / "mirror"
        root.mkdir()
        return Place(f"{root}/", root, {})
    if transport == "daemon":
        server = request.getfixturevalue("rsync_daemon")
        root = server.root / "mirror"
        root.mkdir()
        return Place(server.url("mirror/"), root, {})
    server = request.getfixturevalue("ssh_server")
    root = request.getfixturevalue("tmp_path") / "remote mirror"  # a space: nothing splits it
    root.mkdir()
    return Place(server.url(root) + "/", root, server.environment())


def wait_equal(source: Path, mirror: Path, *, seconds: float = PATIENCE) -> None:
    """Wait until the mirror is equal in type, content, size, mode, times and link targets."""
    until_empty(lambda: compare(source, mirror), seconds=seconds, what="an equal mirror")
