"""A source that is watched by its file systems: mirrors beside it, and what people are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.places import wait_equal
from support.trees import churn, grow, write
from support.watching import refused


def test_a_source_that_is_watched_by_its_file_systems_is_mirrored(tmp_path: Path) -> None:
    """The mirrors are on the same file system: what happens there is told, and is nobody's."""
    source, mirrors = tmp_path / "source", [tmp_path / "tree", tmp_path / "changes"]
    source.mkdir()
    if reason := refused("fanotify", source):
        pytest.skip(reason)
    grow(source, 1)
    nodes = [f"{mirrors[0]}/", {"node": f"{mirrors[1]}/", "rscope": "changes"}]
    daemon = Daemon(tmp_path, settings(source, *nodes, watch={f"{source}": "fanotify"}))
    with daemon:
        daemon.start()
        for seed in range(5):
            churn(source, seed, steps=40)
            write(source, "deep/er/file", str(seed))
            for mirror in mirrors:
                wait_equal(source, mirror)
        checked = run_inosync("-c", daemon.config_file, "--check", cwd=tmp_path)
        assert "watched by its file systems (fanotify)" in checked.stdout
        assert "inotify: 0 directories to watch" in checked.stdout
        assert "inotify" not in daemon.log()
