"""How much the next slice of a pass is to carry: numbers in, numbers out."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from inosync.engine.passes import FIRST
from inosync.engine.stride import LEAST, LENGTH, MOST, Stride


@pytest.mark.parametrize(
    ("weight", "seconds", "budget"),
    [
        (200, 1.0, 100),  # as much again would tell nothing
        (200, 0.9, 100),
        (200, 1.9, 100),
        (200, 0.5, 400),
        (200, 0.01, 800),  # no more than four times as much
        (200, 2.0, 100),
        (200, 60.0, 50),
        (1, 0.02, 200),  # its run was over at once, whatever it weighs
        (500, 0.0, 800),
    ],
)
def test_a_slice_is_to_take_a_second(weight: int, seconds: float, budget: int) -> None:
    assert Stride().after(weight, seconds).budget(200, weight, seconds) == budget


def test_nothing_is_known_before_the_first_slice() -> None:
    assert Stride().costs == (0.0, 0.0)


def test_two_slices_tell_what_one_takes_whatever_it_weighs() -> None:
    idle, entry = Stride().after(100, 0.5).after(300, 0.9).costs
    assert (round(idle, 6), round(entry, 6)) == (0.3, 0.002)
    # More for less is chance: a line through them would fall.
    assert Stride().after(100, 0.9).after(300, 0.5).costs[1] == 0
    # Of one weight: all may be the entries.
    assert Stride().after(100, 1.0).after(101, 3.0).costs[0] == pytest.approx(0)


@pytest.mark.parametrize(
    ("before", "seconds", "then"),
    [
        (MOST, 0.1, MOST),
        (12, 9.0, LEAST),
        (LEAST, 9.0, 2 * LEAST),
        (LEAST, 1.0, 2 * LEAST),  # of these there would be no end
        (2 * LEAST, 1.0, LEAST),
    ],
)
def test_slices_have_bounds(before: int, seconds: float, then: int) -> None:
    assert Stride().after(before, seconds).budget(before, before, seconds) == then


def exact(budget: int, _: random.Random) -> int:
    """Files can be cut anywhere."""
    return budget


def about(budget: int, picked: random.Random) -> int:
    """Directories of all sizes."""
    return int(budget * picked.uniform(0.5, 1.5))


def whole(budget: int, _: random.Random) -> int:
    """Directories of 500 entries, which are carried whole: see planning/cutting.py."""
    weight = 500
    while weight < budget and max(budget - weight, budget // 2) >= 500:
        weight += 500
    return weight


@pytest.mark.parametrize("cut", [exact, about, whole])
@pytest.mark.parametrize(
    "chance", [0.0, 0.3, 2.0], ids=["a steady node", "a quiet node", "a busy node"]
)
@pytest.mark.parametrize("entry", [5e-5, 1e-3, 1e-2])
@pytest.mark.parametrize("idle", [0.02, 0.3, 0.6, 1.0, 2.0, 5.0])
def test_a_pass_takes_no_more_than_a_few_times_one_run(
    idle: float, entry: float, chance: float, cut: Callable[[int, random.Random], int]
) -> None:
    """Where starting alone takes a second and more, slices of a hundred names would never end."""
    total = int(min(1_000_000, 2_000 / entry))
    one = (idle + entry * total) * (1 + chance / 2)
    for seed in range(5):
        picked = random.Random(seed)
        stride, budget, left, lengths = Stride(), FIRST, total, list[float]()
        while left > 0:
            assert len(lengths) < 20_000, "it does not end"
            weight = min(left, max(1, cut(budget, picked)))
            left -= weight
            lengths.append((idle + entry * weight) * picked.uniform(1, 1 + chance))
            stride = stride.after(weight, lengths[-1])
            budget = stride.budget(budget, weight, lengths[-1])
        growing = 20 * idle * (1 + chance / 2)  # slices until one is large enough
        assert sum(lengths) < 3 * one + growing
        lengths.sort()
        usual = lengths[int(0.95 * len(lengths))]
        least = (1 + chance) * entry * 2 * 500 if cut is whole else 0.0
        assert usual < 1.5 * max(2 * LENGTH, (1 + chance) * 2 * idle + LENGTH) + least
