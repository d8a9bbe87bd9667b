"""The steps before a run: what holds for each sort of them."""

from __future__ import annotations

import typing

import pytest
from support.configs import make_config, make_pair

from inosync.planning.command import command
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.planning.steps import Clear, Fuzzy, Pave, Relink, Renew, Step
from inosync.rsync.program import Program

STEPS: list[Step] = [
    Pave((b"./a",)),
    Relink(b"old", b"new", (), (), frozenset({b"old"})),
    Relink(b"old", b"new", (), (), frozenset(), (b"./f",)),
    Fuzzy((b"./a",)),
    Renew(frozenset({b"a"}), (b"./a",)),
    Clear(b"a", (b"./a",)),
]


def test_each_sort_is_here() -> None:
    assert {type(step) for step in STEPS} == set(typing.get_args(Step))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_no_step_deletes_or_pretends(step: Step) -> None:
    pair = make_pair()
    listed = not isinstance(step, Relink)
    run = Run(pair, RunKind.STEP, step=step, listed=listed)
    words = command(run, make_config([pair]), Program((3, 2, 7)))
    if not isinstance(step, Pave):  # names directories without what is in them: nothing is deleted
        assert not [word for word in words if word.startswith("--del")]
    assert "--dry-run" not in words
    assert ("--files-from=-" in words) == bool(getattr(step, "names", ()))
