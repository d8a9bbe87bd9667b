"""How what is wrong in a config is shown to a person."""

from __future__ import annotations

from typing import Any

from inosync.config.faults import did_you_mean, shown


def test_values_are_short_and_safe_to_show() -> None:
    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError

    class Nastier(Nasty):
        def __getattribute__(self, name: str) -> object:
            raise RuntimeError

    class Long:
        def __repr__(self) -> str:
            return "x" * 10_000

    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in (
        "x" * 10_000,
        ["x" * 50] * 50,
        {"key": "x" * 100},
        10**10_000,
        deep,
        Nasty(),
        Nastier(),
        Long(),
        "\n\x1b\udcff",
        b"\0",
    ):
        text = shown(value)
        assert len(text) <= 64
        assert text.isprintable()
    assert shown("/var/www/") == "'/var/www/'"
    assert shown(["a", 1]) == "['a', 1]"


def test_suggestions() -> None:
    names = [f"name{number:02}" for number in range(13)]
    assert did_you_mean("other", names[:12]) == f"known are {', '.join(names[:12])}"
    assert did_you_mean("other", names) == f"known are {', '.join(names[:12])}, ..."
    assert did_you_mean("name", ["names", "\nmaes"]) == "did you mean names?"
    assert did_you_mean("ab", ["abc", "abd", "abe", "abf"]) == "did you mean abc or abd or abe?"
