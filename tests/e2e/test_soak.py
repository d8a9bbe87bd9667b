"""A short soak (benchmarks/soak): everything changes and everything breaks, and nothing is lost.

Another plan: INOSYNC_SOAK_SEED=N. A failure prints the command that follows the same plan again.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from pathlib import Path

import pytest
from support.daemon import PROJECT
from support.profile import DEEP
from support.trees import compare

from inosync.config.settings import SETTINGS

sys.path.insert(0, str(PROJECT / "benchmarks"))

import soaking
from soak_configs import DRAWN, PLACES, trials
from soak_faults import FAULTS, RESTARTS
from soak_source import KEEP, MOST_ENTRIES, OPERATIONS, RestlessSource

SEED = int(os.environ.get("INOSYNC_SOAK_SEED", "9"))
SECONDS = 600 if DEEP else 45  # half a minute more until all is compared


@pytest.mark.timeout(SECONDS + 200)  # what has to become equal has a deadline of its own
def test_soak(tmp_path: Path) -> None:
    assert soaking.run(tmp_path, seed=SEED, seconds=SECONDS), "see what it printed"


@pytest.mark.timeout(SECONDS + 300)
def test_random_configs(tmp_path: Path) -> None:
    problems = trials(tmp_path, seed=SEED, seconds=SECONDS, most=None if DEEP else 1, steps=20)
    assert not problems, "\n".join(problems)


def test_every_setting_is_drawn() -> None:
    assert DRAWN.keys() | PLACES == {setting.name for setting in SETTINGS}
    assert DRAWN.keys().isdisjoint(PLACES)


def test_the_plan_is_the_same_for_the_same_seed() -> None:
    steps = list(itertools.islice(soaking.plan(3), 500))
    assert steps == list(itertools.islice(soaking.plan(3), 500))
    assert steps != list(itertools.islice(soaking.plan(4), 500))


def test_the_plan_has_everything() -> None:
    steps = list(itertools.islice(soaking.plan(5), 1000))
    assert {step.operation for step in steps} == OPERATIONS.keys()
    faults = [step.fault for step in steps if step.fault]
    assert set(faults[: len(FAULTS)]) == FAULTS.keys()
    # There are stretches in which the daemon is left alive.
    assert RESTARTS.isdisjoint(faults[len(FAULTS) : 2 * len(FAULTS)])


def test_a_restless_source_does_the_same_for_the_same_dice(tmp_path: Path) -> None:
    roots = []
    for folder in ("one", "two"):
        source = RestlessSource(tmp_path / folder / "source", tmp_path / folder / "beside", 1)
        dice = random.Random(2)
        for _ in range(200):
            source.do(dice.choice(list(OPERATIONS)), random.Random(dice.randrange(2**32)))
        source.close()
        roots.append(source.root)
    assert compare(*roots, ignore_times=True) == []
    assert (roots[0] / KEEP).exists()
    assert sum(1 for _ in (roots[0] / "tree").rglob("*")) <= MOST_ENTRIES
