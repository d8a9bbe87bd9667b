"""Runs that stand ready, with the real rsync and with numbers for the time."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import processes
from support.configs import make_config, make_pair
from support.trees import write
from support.waiting import until

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Changes, Kind
from inosync.config.model import Config, Pair, Source
from inosync.config.sources import read_source
from inosync.engine.backoff import Backoff
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.rsync.program import Program
from inosync.service.warm import GRACE, MARGIN, MOST, TENURE, Warm
from inosync.service.welcome import MOST_OF_A_HOST, PATIENCE
from inosync.watch.files import Files

NOW = 10_000.0
PROGRAM = Program((3, 2, 7))
ENVIRONMENT = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}


def mirror_of(source: Source, destination: Path | str, **node: object) -> Mirror:
    pair = make_pair(source, str(destination), **{"rscope": "changes"} | node)
    return Mirror(pair, Backoff(1.0, 2.0, random=lambda: 0.0))


def prepared(pair: Pair, config: Config, *changes: Change) -> Prepared:
    batch = Batch(NOW, len(changes), changes=Changes.of(changes))
    sight = Sight(Files(pair.source), pair.source.filters)
    return prepare(Order(pair, RunKind.PASS, batch), sight, config, PROGRAM)


class Bench:
    """Mirrors of one source, and what is kept warm for them, at a time of our own."""

    def __init__(self, folder: Path, *destinations: Path | str, **node: object) -> None:
        folder.mkdir()
        write(folder, "a/1", "x")
        self.source = read_source(f"{folder}/", "/")
        self.mirrors = [mirror_of(self.source, each, **node) for each in destinations]
        self.config = make_config([mirror.pair for mirror in self.mirrors])
        self.warm = Warm(self.config, PROGRAM, ENVIRONMENT)

    def ready(self, mirror: Mirror, now: float = NOW) -> int:
        """Have a run stand ready; return its pid."""
        self.warm.want(mirror, now)
        assert self.warm.deadline() == now
        self.warm.due(now)
        return self.warm._waiting[mirror].child.pid

    def asked(self, mirror: Mirror, *changes: Change) -> Prepared:
        return prepared(mirror.pair, self.config, *changes or (Change(b"a/1", Kind.ENTRY),))

    def gone(self, *pids: int, now: float = NOW) -> None:
        """Wait until these have ended, and are known to have."""
        processes.wait_gone(pids)
        until(lambda: self.warm.reap(now) or not self.warm._leaving, what="their ends to be seen")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    for name in "abc":
        (tmp_path / name).mkdir()
    made = Bench(tmp_path / "s", *(f"{tmp_path}/{name}/" for name in "abc"))
    yield made
    made.warm.stop(NOW)
    made.gone()


def test_what_is_told_is_carried(bench: Bench, tmp_path: Path) -> None:
    first = bench.mirrors[0]
    pid = bench.ready(first)
    assert set(bench.warm.mirrors) == {first}
    child = bench.warm.take(first, bench.asked(first), NOW)
    assert child is not None
    assert child.pid == pid
    assert until(lambda: [child.poll()] if child.poll() is not None else None, what="its end") == [
        0
    ]
    assert (tmp_path / "a/a/1").read_text() == "x"
    assert b">f+++++++++ a/1\n" in list(child.lines())
    child.close()
    assert not bench.warm.mirrors
    assert bench.warm.deadline() == NOW + MARGIN  # that the next one is got ready
    assert bench.warm.take(first, bench.asked(first), NOW) is None


def test_it_waits_on_for_what_fits(bench: Bench) -> None:
    first = bench.mirrors[0]
    pid = bench.ready(first)
    plain = bench.asked(first)
    other = dataclasses.replace(plain, argv=("rsync", *plain.argv[1:]))
    assert bench.warm.take(first, other, NOW) is None
    # What is more than its pipe takes would have us wait.
    long = tuple(b"./a/%0250d" % number for number in range(400))
    assert bench.warm.take(first, dataclasses.replace(plain, names=long), NOW) is None
    bench.gone(pid)


def test_none_outlives_its_time(bench: Bench) -> None:
    first, second, third = bench.mirrors
    pids = [bench.ready(mirror, NOW + number) for number, mirror in enumerate(bench.mirrors)]
    assert bench.warm.deadline() == NOW + 300
    bench.warm.want(first, NOW + 10)  # it has run, and this one was of no use for that
    bench.warm.due(NOW + 10)
    assert bench.warm._waiting[first].child.pid == pids[0]
    second.state = State.HELD
    bench.warm.due(NOW + 10)
    assert set(bench.warm.mirrors) == {first, third}
    bench.gone(pids[1])
    assert bench.warm.deadline() == NOW + 302
    bench.warm.due(NOW + 310)
    bench.gone(*pids)
    assert bench.warm.empty
    assert bench.warm.deadline() is None


def test_a_target_that_is_missing_is_not_made(bench: Bench, tmp_path: Path) -> None:
    """It may be that a disk is not mounted."""
    pids = [bench.ready(mirror) for mirror in bench.mirrors]
    for name in "abc":
        (tmp_path / name).rmdir()
    bench.warm.drop(NOW)
    bench.gone(*pids)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_one_that_does_not_end_is_killed(bench: Bench) -> None:
    first = bench.mirrors[0]
    pid = bench.ready(first)
    os.kill(pid, signal.SIGSTOP)
    bench.warm.drop(NOW)
    assert bench.warm.deadline() == NOW + GRACE
    bench.warm.due(NOW + GRACE)
    bench.gone(pid)


def test_a_node_that_ends_them_is_left_in_peace(bench: Bench) -> None:
    first, at = bench.mirrors[0], NOW
    for wait in (PATIENCE[0], 2 * PATIENCE[0]):
        pid = bench.ready(first, at)
        os.kill(pid, signal.SIGKILL)
        bench.gone(pid, now=at)
        bench.warm.want(first, at + wait - 1)
        assert bench.warm.deadline() is None
        at += wait
    bench.warm.refused(first, at)
    bench.warm.went_well(first)
    bench.ready(first, at + 1)


def test_one_that_has_ended_unseen_is_dropped(bench: Bench) -> None:
    first = bench.mirrors[0]
    pid = bench.ready(first)
    os.kill(pid, signal.SIGKILL)
    processes.wait_gone([pid])
    assert bench.warm.take(first, bench.asked(first), NOW) is None
    assert not bench.warm.mirrors
    bench.gone()


def test_the_next_one_gets_ready_while_a_run_is_at_work(bench: Bench) -> None:
    first = bench.mirrors[0]
    first.state = State.PENDING
    bench.warm.want(first, NOW)
    bench.warm.due(NOW)
    assert bench.warm.empty  # a run comes first
    assert bench.warm.deadline() is None
    first.state = State.RUNNING
    pid = bench.ready(first)
    child = bench.warm.take(first, bench.asked(first), NOW)
    assert child is not None
    bench.warm.due(NOW)
    assert bench.warm.empty  # the one at work has the processors for itself
    assert bench.warm.deadline() == NOW + MARGIN
    bench.warm.due(NOW + MARGIN)
    assert bench.warm._waiting[first].child.pid != pid
    until(lambda: child.poll() == 0, what="its end")
    child.close()


def test_a_new_config_drops_all(bench: Bench) -> None:
    pids = [bench.ready(mirror) for mirror in bench.mirrors]
    bench.warm.configure(bench.config, PROGRAM, NOW)
    assert not bench.warm.mirrors
    bench.gone(*pids)


def test_what_cannot_be_started_is_not_tried_again_soon(bench: Bench) -> None:
    first = bench.mirrors[0]
    bench.warm.config = dataclasses.replace(bench.config, rsync="/no/rsync")
    bench.warm.want(first, NOW)
    bench.warm.due(NOW)
    bench.warm.want(first, NOW + 1)
    assert bench.warm.deadline() is None


def test_the_last_used_stay(tmp_path: Path) -> None:
    """Of a host few; and a failure there ends them, since the next ones are no better off."""
    shell = tmp_path / "shell"
    shell.write_text("#!/bin/sh\nexec sleep 600\n")
    shell.chmod(0o755)
    places = [f"host:/{number}/" for number in range(MOST_OF_A_HOST + 2)]
    places += [str(tmp_path / str(number)) for number in range(MOST)]
    bench = Bench(tmp_path / "s", *places, extra=("-e", str(shell)))
    far, near = bench.mirrors[: MOST_OF_A_HOST + 2], bench.mirrors[MOST_OF_A_HOST + 2 :]

    def ready(*mirrors: Mirror, at: float) -> list[Mirror]:
        for mirror in mirrors:
            bench.warm.want(mirror, at)
            bench.warm.due(at)
        return list(bench.warm.mirrors)

    assert ready(*far, at=NOW) == far[:4]  # where all are in use, none takes another's place
    assert ready(far[0], far[2], at=NOW + TENURE / 2) == [far[1], far[3], far[0], far[2]]
    assert ready(*far[4:], at=NOW + TENURE) == [far[0], far[2], *far[4:]]
    later = NOW + TENURE + 1
    bench.warm.crowded(far[0], later)
    assert ready(far[0], at=later) == [far[2], *far[4:]]
    bench.warm.crowded(far[0], later)
    bench.warm.crowded(far[0], later)
    assert ready(far[0], at=later) == far[5:]
    assert ready(*near, at=later) == [far[5], *near[:-1]]
    assert ready(near[-1], at=later + TENURE) == [*near[:-1], near[-1]]
    bench.warm.failed(near[0], later)
    assert list(bench.warm.mirrors) == near[1:]
    assert ready(far[0], at=later + TENURE) == [*near[1:], far[0]]
    bench.warm.want(far[1], later)
    bench.warm.failed(far[2], later)
    assert list(bench.warm.mirrors) == near[1:]
    assert not bench.warm._wanted
    bench.warm.crowded(near[0], later)
    assert list(bench.warm.mirrors) == near[1:]
    bench.warm.stop(later)
    bench.warm.want(near[0], later)
    bench.warm.due(later)
    bench.gone()
    assert bench.warm.empty
