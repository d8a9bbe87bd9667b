"""metricsfile and htmlfile of a running daemon."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.daemon import QUICK, Daemon
from support.places import Place, wait_equal
from support.servers import free_port
from support.trees import write
from support.waiting import until


def value(file: Path, name: str, node: str) -> float:
    """Return a value of the mirror on `node`."""
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            if sample.name == f"inosync_{name}" and sample.labels.get("node", node) == node:
                return float(sample.value)
    raise AssertionError(f"no {name} of {node}")


def test_a_dead_node_lags_more_and_more_and_the_others_do_not(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    metrics, page = tmp_path / "inosync.prom", tmp_path / "index.html"
    dead = f"rsync://127.0.0.1:{free_port()}/m/"
    nodes = {"wpath": f"{source}/", "rnodes": [local.node, dead]}
    daemon = inosync({**QUICK, **nodes, "metricsfile": str(metrics), "htmlfile": str(page)})
    until(lambda: value(metrics, "mirror_in_sync", local.node) == 1, what="the metrics")
    assert value(metrics, "mirror_sent_files_total", local.node) == 1
    first = value(metrics, "mirror_lag_seconds", dead)
    assert first > 0
    until(lambda: "1 of 2 mirrors in sync" in page.read_text(), what="the page")
    assert daemon.stop() == 0
    assert value(metrics, "running", dead) == 0
    assert value(metrics, "mirror_lag_seconds", dead) > first
    assert "Stopped: " in page.read_text()


def test_pretending_leaves_the_files_of_the_real_daemon_alone(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    metrics = tmp_path / "inosync.prom"
    config = {**QUICK, "wpath": f"{source}/", "rnodes": [local.node], "metricsfile": str(metrics)}
    daemon = inosync(config, arguments=("-p", "-v"))
    daemon.wait_for_log("would execute")
    assert daemon.stop() == 0
    assert not metrics.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_directory_that_the_user_may_not_write_to(inosync: Callable, open_path: Path) -> None:
    source, mirror = open_path / "source", open_path / "mirror"
    source.mkdir()
    write(source, "first", "x")
    mirror.mkdir()
    account = pwd.getpwnam("nobody")
    os.chown(mirror, account.pw_uid, -1)
    daemon = Daemon(
        open_path / "daemon",
        {
            **QUICK,
            "wpath": f"{source}/",
            "rnodes": [f"{mirror}/"],
            "user": "nobody",
            "metricsfile": str(open_path / "inosync.prom"),
        },
    )
    with daemon.start():
        daemon.wait_for_log(
            "inosync.prom: cannot be written: Permission denied; "
            "let the user that inosync runs as write into that directory"
        )
        wait_equal(source, mirror)  # which is what it is for
        os.chown(open_path, account.pw_uid, -1)
        assert daemon.stop() == 0
    assert "inosync.prom: written again" in daemon.log()
