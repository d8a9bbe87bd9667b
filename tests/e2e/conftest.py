"""What the end-to-end tests share: a source, and a mirror on each transport."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.places import Place, place_on


@pytest.fixture(params=["local", "daemon", "ssh"])
def place(request: pytest.FixtureRequest) -> Place:
    """A place for a mirror, on each transport in turn."""
    return place_on(request, request.param)


@pytest.fixture
def local(request: pytest.FixtureRequest) -> Place:
    """A place for a local mirror."""
    return place_on(request, "local")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source with a file in it."""
    root = tmp_path / "source"
    root.mkdir()
    (root / "first").write_text("first\n")
    return root


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own they may not."""
    with tempfile.TemporaryDirectory(prefix="inosync-test-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
