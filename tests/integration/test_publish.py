"""The files for others to read: when they are written, and that nobody reads half of one."""

from __future__ import annotations

import logging
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.configs import make_config, make_pair

from inosync.changes.changes import Change, Changes, Kind
from inosync.config.load import scratch
from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.rsync.output import Transferred
from inosync.service.preflight import unwritable
from inosync.service.publisher import EVERY, RETRY, SETTLE, Publisher
from inosync.status.keeping import Keeping
from inosync.status.model import Snapshot
from inosync.status.snapshot import Facts, snapshot
from inosync.system.replace import replace

NOW = 10_000.0
WALL = 1_700_000_040.0
FILE = Change(b"file", Kind.ENTRY)


@dataclass
class Daemon:
    """An engine without anything around it. Its only source is watched."""

    engine: Engine
    kept: dict[str, Keeping] = field(default_factory=dict)

    def snapshot(self, now: float) -> Snapshot:
        facts = Facts("1.0", 1, 2, began=NOW, loaded=NOW, now=now, wall=WALL + now - NOW)
        return snapshot(self.engine, {}, facts)

    def change(self, now: float) -> None:
        source = self.engine.config.sources[0]
        self.engine.changed(source, Changes.of([FILE]), now)
        self.engine.flush()
        self.engine.due(now)

    def finish(self, now: float, outcome: Outcome) -> None:
        self.engine.exited(self.engine.mirrors[0], outcome, now)
        self.engine.due(now)


@pytest.fixture
def daemon() -> Daemon:
    engine = Engine(make_config([make_pair(None, "a:/m")]), lambda: 0.0)
    engine.watched(engine.config.sources[0], NOW, reason="")
    return Daemon(engine)


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    return tmp_path / "inosync.prom"


@pytest.fixture
def publisher(daemon: Daemon, tmp_path: Path, metrics: Path) -> Publisher:
    config = make_config(metricsfile=str(metrics), htmlfile=str(tmp_path / "index.html"))
    return Publisher(daemon, config)


def value(file: Path, name: str) -> float:
    (line,) = [
        line for line in file.read_text().splitlines() if line.startswith(f"inosync_{name}{{")
    ]
    return float(line.rpartition(" ")[2])


def test_nothing_is_done_where_nothing_is_wanted(daemon: Daemon) -> None:
    publisher = Publisher(daemon, make_config())
    publisher.due(NOW)
    publisher.close(NOW)
    assert publisher.deadline() is None


def test_written_soon_and_then_left_alone(
    publisher: Publisher, daemon: Daemon, metrics: Path
) -> None:
    publisher.due(NOW)
    assert publisher.deadline() == NOW + SETTLE
    assert not metrics.exists()
    publisher.due(NOW + SETTLE)
    assert publisher.deadline() is None
    assert value(metrics, "mirror_in_sync") == 1
    assert metrics.with_name("index.html").read_text().endswith("</html>\n")
    before = metrics.stat().st_ino
    publisher.due(NOW + 5000)
    assert publisher.deadline() is None
    assert metrics.stat().st_ino == before
    assert sorted(os.listdir(metrics.parent)) == ["index.html", "inosync.prom"]
    daemon.kept["n0:/m"] = Keeping(NOW + 6000)  # what a node keeps was counted
    publisher.due(NOW + 6000)
    assert publisher.deadline() == NOW + 6000 + SETTLE


def test_lag_grows_in_the_file_until_all_is_in_sync(
    publisher: Publisher, daemon: Daemon, metrics: Path
) -> None:
    publisher.due(NOW)
    publisher.due(NOW + SETTLE)
    daemon.change(NOW + 100)
    publisher.due(NOW + 100)
    assert publisher.deadline() == NOW + 100 + SETTLE
    for number in range(4):
        now = NOW + 101 + EVERY * number
        publisher.due(now - 0.1)
        publisher.due(now)
        assert value(metrics, "mirror_lag_seconds") == 1 + EVERY * number
        assert publisher.deadline() == now + EVERY
    daemon.finish(NOW + 132, Outcome(0, Transferred(1, 2000, 0)))
    publisher.due(NOW + 132)
    publisher.due(NOW + 141)
    assert value(metrics, "mirror_in_sync") == 1
    assert publisher.deadline() is None
    # The page still knows how far it lagged, to the moment when it no longer did.
    page = metrics.with_name("index.html").read_text()
    assert "last hour: worst lag 32 s" in page
    assert "2.0 KiB sent" in page


def test_what_waits_for_its_batch_is_not_in_sync_in_the_file_either(
    publisher: Publisher, daemon: Daemon, metrics: Path
) -> None:
    publisher.due(NOW)
    publisher.due(NOW + SETTLE)
    engine = daemon.engine
    engine.changed(engine.config.sources[0], Changes(entries={b"new": None}), NOW + 100)
    publisher.due(NOW + 100)
    publisher.due(NOW + 100 + SETTLE)
    assert value(metrics, "mirror_in_sync") == 0


def test_changes_are_written_no_more_often_than_that(
    publisher: Publisher, daemon: Daemon, metrics: Path
) -> None:
    written = set()
    for tenth in range(600):
        now = NOW + tenth / 10
        if tenth % 4 == 0:
            daemon.change(now)
        if tenth % 4 == 2:
            daemon.finish(now, Outcome(0))
        publisher.due(now)
        if metrics.exists():
            written.add(metrics.stat().st_mtime_ns)
    assert 5 <= len(written) <= 7


def test_a_failure_is_told_once_with_its_cure_and_tried_again(
    publisher: Publisher, metrics: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    away = metrics.parent.with_name("away")
    metrics.parent.rename(away)
    publisher.due(NOW)
    for number in range(3):
        publisher.due(NOW + SETTLE + RETRY * number)
        assert publisher.deadline() == NOW + SETTLE + RETRY * (number + 1)
    messages = [record.message for record in caplog.records]
    wrong = "cannot be written: No such file or directory; create the directory"
    assert [wrong in message for message in messages] == [True, True]
    assert messages[0].startswith(f"{metrics}: ")
    away.rename(metrics.parent)
    publisher.due(NOW + SETTLE + RETRY * 3)
    assert publisher.deadline() is None
    assert [record.message for record in caplog.records[2:]] == [
        f"{metrics}: written again",
        f"{metrics.with_name('index.html')}: written again",
    ]


def test_the_last_writing_says_that_it_was_stopped(publisher: Publisher, metrics: Path) -> None:
    publisher.close(NOW)
    assert value(metrics, "running") == 0
    assert "Stopped: " in metrics.with_name("index.html").read_text()


def test_a_new_config_takes_away_what_it_does_not_name(
    publisher: Publisher, metrics: Path, tmp_path: Path
) -> None:
    publisher.due(NOW)
    publisher.due(NOW + SETTLE)
    publisher.configure(make_config(metricsfile=str(tmp_path / "new.prom")), NOW + 2)
    publisher.due(NOW + 2)
    assert os.listdir(tmp_path) == ["new.prom"]
    publisher.configure(make_config(), NOW + 3)
    assert os.listdir(tmp_path) == []
    assert publisher.deadline() is None


# ---- replacing -------------------------------------------------------------------------------


@pytest.fixture
def umask() -> Iterator[Any]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0, 0o644)])
def test_the_mode_is_that_of_any_file(tmp_path: Path, umask: Any, mask: int, mode: int) -> None:
    umask(mask)
    replace(str(tmp_path / "file"), b"x")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_who_reads_the_old_file_reads_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with path.open() as old:
        replace(str(path), b"new")
        assert old.read() == "old"
    assert path.read_text() == "new"


def test_what_a_killed_daemon_left_is_in_nobodys_way(tmp_path: Path) -> None:
    path, victim = tmp_path / "file", tmp_path / "victim"
    victim.write_text("precious")
    Path(scratch(str(path))).symlink_to(victim)
    replace(str(path), b"new")
    assert victim.read_text() == "precious"
    assert not path.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["file", "victim"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        replace(str(path), b"new")
    assert os.listdir(tmp_path) == ["file"]


# ---- before the start --------------------------------------------------------------------------


@pytest.fixture
def ordinary() -> Iterator[str]:
    """Be an ordinary user to access(2), which asks for the real one; the name of that."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.getuid()).pw_name
        return
    os.setreuid(pwd.getpwnam("nobody").pw_uid, -1)
    yield "nobody"
    os.setreuid(0, 0)


def test_a_directory_that_cannot_be_written_to_is_found_at_the_start(
    tmp_path: Path, ordinary: str
) -> None:
    tmp_path.chmod(0o555)
    path = str(tmp_path / "index.html")
    (problem,) = unwritable(make_config(htmlfile=path))
    assert problem.startswith(f"/etc/inosync.py: htmlfile = '{path}': its directory cannot be ")
    assert f"written to by {ordinary}; give it write permission" in problem
    assert unwritable(make_config(htmlfile=path), writes=False) == []
    assert unwritable(make_config()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_will_be_somebody_else_cannot_know_yet(tmp_path: Path, ordinary: str) -> None:
    assert unwritable(make_config(metricsfile=str(tmp_path / "x.prom"), user="nobody")) == []
