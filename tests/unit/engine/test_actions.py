"""Actions and outcomes are plain values."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from inosync.engine import actions
from inosync.engine.actions import Outcome, Say


def test_levels_are_those_of_logging() -> None:
    for name in ("DEBUG", "INFO", "WARNING", "ERROR"):
        assert getattr(actions, name) == getattr(logging, name)


def test_nobody_changes_what_was_said() -> None:
    said = Say(actions.INFO, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        said.text = "y"  # type: ignore[misc]


def test_of_a_run_nothing_is_claimed_that_was_not_told() -> None:
    outcome = Outcome(12)
    assert (outcome.pretended, outcome.listed, outcome.evidence) == (False, False, ())
    assert outcome.transferred == outcome.transferred + outcome.transferred
