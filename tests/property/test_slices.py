"""A pass in slices against one pass: random trees, rules and sizes of slices, the real rsync."""

from __future__ import annotations

import dataclasses
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from property.test_plan import carry, drain
from support.configs import make_config, make_pair
from support.random_work import World, invent
from support.trees import snapshot

from inosync.changes.batch import full_pass
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.planning.slices import Course
from inosync.rsync.program import Program
from inosync.watch.lookout import Lookout

RSYNC = shutil.which("rsync") or ""
pytestmark = pytest.mark.skipif(not RSYNC, reason="rsync is not installed")

#: Each is some ten runs of rsync.
SEEDS = range(20 if settings.default.max_examples <= 100 else settings.default.max_examples)


def here(world: World) -> set[bytes]:
    """Return the regular files that are both in the source and on the mirror, behind no link."""
    found = snapshot(world.mirrors / "mirror")
    return {
        path
        for path, entry in world.visible().items()
        if entry.kind == "file" and path in found and found[path].kind == "file"
    }


def run(world: World, part: Prepared) -> subprocess.CompletedProcess[bytes]:
    names = b"".join(name + b"\0" for name in part.names or ())
    return subprocess.run(
        part.argv, input=names, env=world.environment, capture_output=True, check=False
    )


def make_slice(world: World, course: Course, dice: random.Random) -> Course:
    """Make the next slices, some at once and each of a random size; return what is left."""
    pair = make_pair(world.source, destination=world.place_of("mirror/"))
    budget = dice.choice([1, 3, 10, 30]) if course.done.weight else 1
    demand = full_pass("start-up", 0.0)
    streams = dice.randrange(1, 5)
    order = Order(pair, RunKind.SLICE, demand, course=course, budget=budget, streams=streams)
    what = prepare(order, Sight(world, world.filters), make_config([pair]), Program((3, 2, 7)))
    little = what.kind is RunKind.PASS and not what.widened  # all of it
    assert little or what.kind is RunKind.SLICE, what.widened
    before = here(world)
    parts = [part for part in (what, *what.beside) if part.names != ()]
    with ThreadPoolExecutor(max_workers=4) as pool:
        for part, done in zip(parts, pool.map(lambda part: run(world, part), parts), strict=True):
            print(part.argv, part.names, done)
            # Something excluded in the way of what is to be deleted, or of a file.
            assert done.returncode in (0, 23)
    assert before <= here(world)
    return what.course or Course(todo=None)


@pytest.mark.parametrize("seed", SEEDS)
def test_slices_make_the_mirror_that_one_pass_makes(tmp_path: Path, seed: int) -> None:
    case = invent(seed)
    world, dice = World(tmp_path, dataclasses.replace(case, extra=())), random.Random(seed)
    world.work(case.before)
    world.full_pass("mirror")
    world.plant()
    for batch in case.batches:
        world.work([*batch.work, *batch.late, *batch.race])
    world.full_pass("reference")
    course = Course(sizes=dice.random() < 0.3)
    while not course.over:
        course = make_slice(world, course, dice)
    assert world.unlike() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_so_they_do_with_changes_between_them(tmp_path: Path, seed: int) -> None:
    case = invent(seed)
    world, dice = World(tmp_path, dataclasses.replace(case, extra=())), random.Random(seed)
    world.work(case.before)
    if dice.random() < 0.5:  # else it is the first pass
        world.full_pass("mirror")
        world.plant()
    lookout = Lookout(world.source, make_config([make_pair(world.source)]))
    assert lookout.open() == ""
    try:
        drain(lookout)
        course, batches = Course(sizes=dice.random() < 0.3), list(case.batches)
        while not course.over:
            if batches and dice.random() < 0.5:
                world.work(batches.pop().work)
                world.owed |= drain(lookout)
                if dice.random() < 0.7:
                    carry(world, check=False)
            course = make_slice(world, course, dice)
        for _ in range(2):  # what is left, and what failed because of it
            world.owed |= drain(lookout)
            carry(world, check=False)
    finally:
        lookout.close()
    world.full_pass("reference")
    world.linked = world.unnoticed
    assert world.unlike() == []
