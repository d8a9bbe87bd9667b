"""A soak: one daemon, sources that never rest, seven nodes, and everything that can go wrong.

The plan of operations and faults comes from one seed; only the timing differs from run to run.
`benchmarks/soak` starts this as a program; tests/e2e/test_soak.py takes a short one.
"""
# ruff: noqa: S311, T201 - dice are for play, not for secrets; a report is printed

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from soak_configs import trials
from soak_faults import FAULTS, RESTARTS
from soak_source import OPERATIONS, WEIGHTS
from soak_world import KINDS, Figures, Trouble, World

#: At which steps of every so many all is mended and has to become equal: a few faults at a time
#: show what one of them lost before another one makes up for it, many show what they do together.
_ROUND = 60
_CALMS = (8, 16, 24)


class Step(NamedTuple):
    """One operation on a source, perhaps with a fault after it, and a pause in seconds."""

    operation: str
    fault: str
    seed: int
    pause: float
    calm: bool  # afterwards all is mended, and everything has to become equal
    lull: bool  # and then every single operation by itself


def plan(seed: int) -> Iterator[Step]:
    """Yield the steps of a soak, without end; the same ones for the same seed.

    Faults are dealt like cards: each kind once before any comes again. For longer and longer
    stretches of decks the daemon lives on, so that it grows old too.
    """
    dice = random.Random(seed)
    weights = [WEIGHTS.get(name, 1) for name in OPERATIONS]
    deck: list[str] = []
    decks = number = 0
    until_fault = 3
    while True:
        number += 1
        until_fault -= 1
        fault = ""
        if until_fault == 0:
            until_fault = dice.randint(2, 5)
            if not deck:
                decks += 1
                mortal = decks.bit_length() % 2 == 1  # 1, 4 to 7, 16 to 31, ...
                deck = sorted(FAULTS if mortal else FAULTS.keys() - RESTARTS)
                dice.shuffle(deck)
            fault = deck.pop()
        yield Step(
            operation=dice.choices(list(OPERATIONS), weights)[0],
            fault=fault,
            seed=dice.randrange(2**32),
            pause=dice.choice((0.0, 0.0, 0.05, 0.2, 0.5, 1.0)),
            calm=number % _ROUND in (*_CALMS, 0),
            lull=number % _ROUND == 0,
        )


def soak(world: World, *, seed: int, seconds: float, steps: int | None) -> None:
    """Run a soak of so many seconds, or of so many steps; raise Trouble when anything is wrong."""
    figures = world.figures
    world.begin()
    world.converge()
    world.measure()
    end = time.monotonic() + seconds
    for step in plan(seed):
        if figures.steps >= steps if steps is not None else time.monotonic() >= end:
            break
        figures.steps += 1
        _take(world, step)
    world.mend(everything=True)
    figures.calms.append(world.converge())
    _lull(world, random.Random(seed), thorough=True)
    world.end()
    world.check_at_end()


def _take(world: World, step: Step) -> None:
    dice = random.Random(step.seed)
    world.source(dice).do(step.operation, dice)
    world.mend()
    if step.fault and FAULTS[step.fault](world, dice):
        world.figures.faults[step.fault] += 1
    world.check()
    time.sleep(step.pause)
    if step.calm:
        world.mend(everything=True)
        world.figures.calms.append(world.converge())
    if step.lull:
        _lull(world, dice)


def _lull(world: World, dice: random.Random, *, thorough: bool = False) -> None:
    """All is well: every single operation has to arrive by itself.

    In the turmoil some later change or full pass may make up for one that was lost.
    """
    names = dice.sample(sorted(OPERATIONS), len(OPERATIONS) if thorough else 5)
    for name in [*names, *["change one"] * len(names)]:
        world.source(dice).do(name, dice)
        world.converge()
    world.measure()


def table(figures: Figures) -> str:
    """Return what was counted, for people."""
    longest = max(figures.lives, key=lambda life: life.seconds)
    sizes = [size / 1024 for life in figures.lives for size in life.resident] or [0]
    aged = [size / 1024 for size in longest.resident] or [0]
    descriptors = [count for life in figures.lives for count in life.descriptors] or [0]
    calms = figures.calms or [0]
    rows = {
        "steps": f"{figures.steps}",
        "events": f"{figures.counts['events']}, {figures.counts['overflows']} overflows",
        "runs": f"{figures.counts['runs']}, {figures.counts['failures']} failed",
        "faults": f"{figures.faults.total()}",
        **{f"  {name}": f"{figures.faults[name]}" for name in FAULTS},
        "times all was mended": f"{len(calms)}, equal after {max(calms):.1f} s at most",
        "after the last fault": f"equal after {calms[-1]:.1f} s",
        "lives of the daemon": f"{len(figures.lives)}, the longest {longest.seconds:.0f} s",
        "resident memory, MiB": f"{sizes[0]:.1f} at the start, {sizes[-1]:.1f} at the end, "
        f"{max(sizes):.1f} at most; in the longest life {aged[0]:.1f}, then {aged[-1]:.1f}",
        "open descriptors": f"{descriptors[0]} at the start, {descriptors[-1]} at the end, "
        f"{max(descriptors)} at most",
    }
    return "\n".join(f"{name:26}{value}" for name, value in rows.items())


def run(
    folder: Path,
    *,
    seed: int,
    seconds: float,
    steps: int | None = None,
    nodes: int = 7,
    everything: bool = False,
) -> bool:
    """Run a soak in a folder, print what came out; return whether everything held."""
    print(f"seed {seed}, {nodes} nodes, in {folder}", flush=True)
    problem = ""
    world = World(folder, random.Random(seed), nodes, everything=everything)
    try:
        with world:
            soak(world, seed=seed, seconds=seconds, steps=steps)
    except (Trouble, AssertionError, RuntimeError, OSError) as error:
        problem = f"{type(error).__name__}: {error}"
    print(table(world.figures))
    if problem:
        print(f"\n{problem}\n\nlogs and trees are kept in {folder}")
        more = " --everything" if everything else ""
        print(f"again: --seed {seed} --steps {world.figures.steps} --nodes {nodes}{more}")
    return not problem


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (%(default)g)")
    parser.add_argument("--seed", type=int, help="the plan to follow; a new one when not given")
    parser.add_argument("--steps", type=int, help="this many steps, however long they take")
    parser.add_argument("--nodes", type=int, default=7, choices=range(1, len(KINDS) + 1))
    parser.add_argument("--everything", action="store_true", help="turn on all that a config has")
    parser.add_argument("--folder", type=Path, help="work there, and leave it there")
    parser.add_argument("--configs", action="store_true", help="trials of random configs instead")
    given = parser.parse_args()
    # Leave by the way of an exception, so that all that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("soak: told to end by SIGTERM"))
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    folder = given.folder or Path(tempfile.mkdtemp(prefix="inosync-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    if given.configs:
        seconds = given.minutes * 60
        print(f"trials from seed {seed}, in {folder}", flush=True)
        problems = trials(folder.resolve(), seed=seed, seconds=seconds, most=given.steps)
        if not problems and given.folder is None:
            shutil.rmtree(folder)
        return 1 if problems else 0
    well = run(
        folder.resolve(),
        seed=seed,
        seconds=given.minutes * 60,
        steps=given.steps,
        nodes=given.nodes,
        everything=given.everything,
    )
    if well and given.folder is None:
        shutil.rmtree(folder)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
