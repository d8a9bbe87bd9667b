"""A source that is watched by its file systems: mirrors beside it, and what people are told."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from support import namespaces
from support.daemon import Daemon, inosync_command, inosync_environment, run_inosync, settings
from support.places import Place, wait_equal
from support.trees import churn, grow, write
from support.watching import refused

from inosync.commands.client import ask
from inosync.watch.throttle import FREE, LOT


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
        for seed, how in enumerate(("inotify", "fanotify"), 5):
            daemon.configure(settings(source, *nodes, watch=how))
            daemon.hup()
            churn(source, seed, steps=40)
            for mirror in mirrors:
                wait_equal(source, mirror)
            status = run_inosync("-c", daemon.config_file, "--status", cwd=tmp_path)
            (line,) = (line for line in status.stdout.splitlines() if line.startswith("source "))
            assert ("director" in line) == (how == "inotify")


def test_what_the_kernel_has_queued_is_not_in_sync(tmp_path: Path) -> None:
    """A status that is asked for at once has heard of the change before it."""
    source, mirror = tmp_path / "source", tmp_path / "mirror"
    source.mkdir()
    mirror.mkdir()
    if reason := refused("fanotify", source):
        pytest.skip(reason)
    node = {"node": f"{mirror}/", "rscope": "changes"}
    own = {"socket": str(tmp_path / "socket"), "pidfile": str(tmp_path / "pid"), "edelay": 0}
    daemon = Daemon(tmp_path, settings(source, node, watch="fanotify", **own))
    with daemon:
        daemon.start()
        for number in range(12):
            for _ in range(2 * FREE):  # of events in a row those that follow are read in lots
                write(tmp_path, "beside")
                time.sleep(LOT / 2)
            name = write(source, f"f{number % 3}", f"{number:04}").name
            status = ask([(own["socket"], None)], "status")["status"]
            if status["synced"]:
                assert (mirror / name).read_text() == f"{number:04}", number
            if number % 3 == 2:
                ask([(own["socket"], None)], "wait", timeout=20, seconds=20, node="")


def test_where_it_is_not_permitted_the_log_and_the_check_say_so_and_inotify_watches(
    tmp_path: Path, local: Place
) -> None:
    apart = ("unshare", "-Ur")
    namespaces.need(*apart)
    source = tmp_path / "source"
    write(source, "file", "x")
    daemon = Daemon(tmp_path, settings(source, local.node, watch="fanotify"), prefix=apart)
    told = f"{source}: inotify watches it, since fanotify cannot: "
    with daemon:
        daemon.start()
        wait_equal(source, local.root)
        write(source, "new", "x")
        wait_equal(source, local.root)
    checked = subprocess.run(
        [*apart, *inosync_command("-c", daemon.config_file, "--check")],
        check=False, capture_output=True, text=True, env=inosync_environment(), timeout=60,
    )  # fmt: skip
    for text in (daemon.log(), checked.stdout):
        (line,) = (line for line in text.splitlines() if told in line)
        assert line.endswith("CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH are needed")
