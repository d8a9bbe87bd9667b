"""Lua's values, as Python has them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from inosync.lsyncd.values import lua, number, table, words


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (5, 5),
        (5.0, 5),
        (0.5, 0.5),
        ("5", 5),
        (" 5 ", 5),
        (-1, None),
        (11, None),
        ("x", None),
        (True, None),
        (None, None),
        ({}, None),
        (math.inf, None),
        (math.nan, None),
    ],
)
def test_numbers(value: Any, found: float | None) -> None:
    assert number(value, 0, 10) == found
    assert isinstance(number(5.0, 0, 10), int)


def test_words_and_tables() -> None:
    assert words({2: "b", 1: "a", "x": "c"}) == ["a", "b"]
    assert (words("a"), words(5), words(None), words(True)) == (["a"], ["5"], [], [])
    assert (table({1: 2}), table("x")) == ({1: 2}, {})
    assert (lua({1: 2}), lua("x"), lua(None)) == ("{...}", '"x"', "...")
