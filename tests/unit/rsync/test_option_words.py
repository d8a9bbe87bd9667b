"""How rsync's option parser reads an argv."""

from __future__ import annotations

import pytest

from inosync.rsync.option_words import Group, groups


@pytest.mark.parametrize(
    ("words", "group"),
    [
        (["--rsh=ssh -n"], Group(("--rsh=ssh -n",), frozenset({"--rsh"}), "ssh -n")),
        (["--rsh", "-n"], Group(("--rsh", "-n"), frozenset({"--rsh"}), "-n")),
        (["-aH"], Group(("-aH",), frozenset({"-a", "-H"}), short=True, letters="aH")),
        (["-aessh"], Group(("-aessh",), frozenset({"-a", "-e"}), "ssh", short=True, letters="ae")),
        (["-ae", "ssh"], Group(("-ae", "ssh"), frozenset({"-a", "-e"}), "ssh", True, "ae")),
        (["word"], Group(("word",), frozenset())),
        (["-"], Group(("-",), frozenset())),
        (["--"], Group(("--",), frozenset())),
    ],
)
def test_a_word_and_its_value(words: list[str], group: Group) -> None:
    assert list(groups([*words, "--stats"])) == [group, Group(("--stats",), frozenset({"--stats"}))]


@pytest.mark.parametrize("last", ["--rsh", "-ae"])
def test_the_last_option_lacks_its_value(last: str) -> None:
    with pytest.raises(ValueError, match=f"ends in '{last}', which needs a value"):
        list(groups(["-a", last]))
