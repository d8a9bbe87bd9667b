"""The queue of hooks, with real programs and told times."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.configs import make_config, make_pair, make_source
from support.waiting import until

from inosync.config.model import Source
from inosync.engine.backoff import Backoff
from inosync.engine.mirror import Mirror
from inosync.engine.reports import failed, held, recovered
from inosync.engine.roster import GRACE
from inosync.service.hooks import MOST, Hooks

NOW = 10_000.0
SOURCE = make_source()
MIRROR = Mirror(make_pair(SOURCE, "a:/m"), Backoff(1, 2, random=lambda: 0.0))

Start = Callable[..., Hooks]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Make hooks that run a shell script for every event, in a folder of the test's."""
    made = []

    def make(script: str, **settings: Any) -> Hooks:
        path = tmp_path / "hook"
        path.write_text(f"#!/bin/sh\ncd '{tmp_path}'\n{script}\n")
        path.chmod(0o755)
        names = ("on_change", "on_success", "on_failure", "on_recover")
        config = make_config(**dict.fromkeys(names, (str(path),)), **settings)
        made.append(Hooks(config, {"PATH": os.environ["PATH"]}))
        return made[-1]

    yield make
    for hooks in made:
        hooks.stop(NOW)
        hooks.kill()
        settle(hooks, NOW)


def settle(hooks: Hooks, now: float) -> None:
    """Wait for the end of all that runs."""

    def ended() -> bool:
        hooks.reap(now)
        return hooks.deadline() is None and not hooks._running

    until(ended, what="the end of the hooks")


def reports(folder: Path) -> list[tuple[str, str, int]]:
    path = folder / "reports"
    lines = path.read_text().splitlines() if path.exists() else []
    told = [json.loads(line) for line in lines]
    return [(report["event"], report["meaning"], report["merged"]) for report in told]


def test_what_waits_is_one_report_an_event_and_the_newest_comes_last(
    start: Start, tmp_path: Path
) -> None:
    hooks = start("cat >>reports")
    hooks.add(failed(MIRROR, "first"), 1.0)
    hooks.due(NOW)
    for number in range(1000):
        hooks.add(failed(MIRROR, f"fault {number}"), 1.0)
        hooks.add(recovered(MIRROR, f"fault {number}", 1.0), 1.0)
    hooks.add(failed(MIRROR, "last"), 1.0)
    for _ in range(3):
        hooks.due(NOW)
        settle(hooks, NOW)
    assert reports(tmp_path) == [
        ("on_failure", "first", 0),
        ("on_recover", "fault 999", 999),
        ("on_failure", "last", 1000),
    ]
    assert hooks.deadline() is None


def test_one_at_a_time_for_each_mirror_and_source_and_few_in_all(
    start: Start, tmp_path: Path
) -> None:
    hooks = start("touch $$.begun; until test -e go; do sleep 0.02; done")
    sources = [Source(f"/s{n}", f"/s{n}/", "", False, ()) for n in range(MOST)]
    hooks.add(failed(MIRROR, "x"), 1.0)
    hooks.add(recovered(MIRROR, "x", 1.0), 1.0)
    for source in sources:
        hooks.add(held(source, "x"), 1.0)
    hooks.due(NOW)
    until(lambda: len(list(tmp_path.glob("*.begun"))) == MOST, what="hooks")
    assert len(hooks._running) == MOST
    assert len(hooks._waiting) == 2
    (tmp_path / "go").touch()
    settle(hooks, NOW)
    hooks.due(NOW)
    assert not hooks._waiting
    settle(hooks, NOW)
    assert len(list(tmp_path.glob("*.begun"))) == MOST + 2


def test_a_hook_has_its_time_and_then_a_grace(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = start("trap '' TERM; echo hello; touch deaf; while :; do sleep 0.02; done")
    hooks.add(held(SOURCE, "is gone"), 1.0)
    hooks.due(NOW)
    until((tmp_path / "deaf").exists, what="the hook")
    assert hooks.deadline() == NOW + 60
    hooks.due(NOW + 59)
    assert hooks.deadline() == NOW + 60
    hooks.due(NOW + 60)
    assert hooks.deadline() == NOW + 60 + GRACE
    hooks.due(NOW + 60 + GRACE - 1)
    hooks.reap(NOW + 60 + GRACE - 1)
    assert len(hooks._running) == 1
    hooks.due(NOW + 60 + GRACE)
    settle(hooks, NOW + 70)
    assert [record.getMessage() for record in caplog.records][-3:] == [
        "on_failure hook of /srv/www did not end when told to: killed",
        "on_failure hook of /srv/www: took longer than 60 s (hooktimeout): ended; "
        "no mirror is affected",
        "  hello",
    ]


def test_how_hooks_end_is_told_when_it_changes(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = start("exit 0")
    caplog.set_level(logging.INFO)
    scripts = ["exit 1", "exit 1", "exit 2", "kill -KILL $$", "printf 'a\\033b\\n'", "echo c >&2"]
    for script in scripts:
        (tmp_path / "hook").write_text(f"#!/bin/sh\n{script}\n")
        hooks.add(failed(MIRROR, "x"), 1.0)
        hooks.due(NOW)
        settle(hooks, NOW)
    name = "on_failure hook of /srv/www -> a:/m"
    assert [record.getMessage() for record in caplog.records] == [
        f"{name}: exit 1; no mirror is affected",
        f"{name}: exit 2; no mirror is affected",
        f"{name}: killed by signal 9; no mirror is affected",
        f"{name}: well again",
        "  a\\x1bb",
        f"{name} says:",
        "  c",
    ]


def test_a_stop_ends_what_runs_and_drops_what_waits(start: Start, tmp_path: Path) -> None:
    hooks = start("touch begun; exec sleep 1000")
    for event in (failed(MIRROR, "x"), recovered(MIRROR, "x", 1.0)):
        hooks.add(event, 1.0)
    hooks.due(NOW)
    assert not hooks.stopped
    hooks.stop(NOW + 1)
    hooks.add(failed(MIRROR, "too late"), 1.0)
    assert not hooks.stopped
    assert hooks.deadline() == NOW + 1 + GRACE
    settle(hooks, NOW + 2)
    hooks.due(NOW + 3)
    assert hooks.stopped
