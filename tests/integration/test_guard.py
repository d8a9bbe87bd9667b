"""A source's guard, with the real kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.watch.guard import Guard


@pytest.mark.parametrize("root_only", [False, True])
def test_it_says_whether_directories_are_still_to_be_watched(
    tmp_path: Path, *, root_only: bool
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    source = make_source(str(tmp_path))
    guard = Guard(source, make_config([make_pair(source)]), root_only=root_only)
    assert not guard.walking
    assert guard.open() == ""
    assert guard.walking  # before anything has happened
    while guard.walk():
        assert guard.walking
    assert not guard.walking
    guard.close()
