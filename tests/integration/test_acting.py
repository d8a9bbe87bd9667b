"""What a run is told that begins just after something has changed, with the real kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.engine.engine import Engine
from inosync.engine.mirror import State
from inosync.rsync.program import Program
from inosync.service.acting import Acting
from inosync.service.hooks import Hooks
from inosync.service.loop import Loop
from inosync.service.runs import Runs
from inosync.service.scans import Scans
from inosync.service.sources import Sources


@pytest.fixture
def acting(tmp_path: Path) -> Iterator[Callable[..., Acting]]:
    """Make what acts for a source that is watched, and owes all of it to a mirror."""
    made: list[Acting] = []

    def make(**settings: object) -> Acting:
        source = make_source(f"{tmp_path}/source")
        Path(source.path).mkdir()
        Path(source.path, "file").touch()
        pair = make_pair(source, f"{tmp_path}/mirror", rscope="changes")
        config = make_config([pair], edelay=0.0, emaxdelay=0.0, **settings)
        engine, loop = Engine(config, lambda: 0.0), Loop()
        sources = Sources(engine, config, loop)
        runs = Runs(engine, config, Program((3, 2, 7)), {}, pretend=True)
        hooks = Hooks(config, {}, pretend=True)
        scans = Scans(engine, sources, loop)
        it = Acting(engine, sources, None, scans, runs, hooks, loop, lambda _: None)
        sources.open()
        while sources.deadline() == 0.0:
            sources.due(loop.clock())
        made.append(it)
        return it

    yield make
    for it in made:
        it.sources.close()
        it.loop.close()


def test_a_file_that_has_changed_just_now_does_not_travel_before_it_rests(
    acting: Callable[..., Acting], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    it = acting(rsettle=(("*.iso", 60.0),))
    # Nobody has heard of it yet when the run is ordered.
    (tmp_path / "source/young.iso").touch()
    with caplog.at_level(logging.INFO, "inosync"):
        it.due(it.loop.clock())
    assert "would execute" in caplog.text
    assert "'--filter=-sr /young.iso'" in caplog.text


def test_a_source_that_is_lost_in_that_moment_is_held(
    acting: Callable[..., Acting], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    it = acting(rsettle=(("*.iso", 60.0),))
    (tmp_path / "source").rename(tmp_path / "elsewhere")
    with caplog.at_level(logging.INFO, "inosync"):
        it.due(it.loop.clock())
    assert "would execute" not in caplog.text
    (mirror,) = it.engine.mirrors
    assert (mirror.state, mirror.totals.runs) == (State.PENDING, 0)
    assert it.engine.source_held(mirror).endswith("is gone")
