"""What of a list of nodes that was asked for again counts."""

from __future__ import annotations

import dataclasses

import pytest
from support.configs import make_config, make_pair

from inosync.config.model import Config
from inosync.config.refreshed import refreshed


def on(*names: str) -> Config:
    return make_config([make_pair(destination=f"{name}:/srv") for name in names], rrefresh=60.0)


def names(config: Config) -> list[str]:
    return [node.name for node in config.nodes]


def test_a_new_node_counts_at_once_and_one_that_is_gone_after_two_equal_answers() -> None:
    current = on("a", "b")
    after = refreshed(current, on("c", "a"), ())
    assert names(after) == ["c:/srv", "a:/srv", "b:/srv"]
    assert names(refreshed(after, on("a", "d"), on("c", "a").pairs)) == [
        "a:/srv",
        "d:/srv",
        "c:/srv",
        "b:/srv",
    ]
    assert names(refreshed(after, on("a", "c"), on("c", "a").pairs)) == ["a:/srv", "c:/srv"]


def test_another_order_is_nothing_new() -> None:
    current = on("a", "b")
    assert refreshed(current, on("b", "a"), current.pairs) is current


def test_a_node_with_other_settings_takes_the_place_of_the_old_one() -> None:
    current = make_config([make_pair(destination="a:/srv")])
    answer = make_config([make_pair(destination="a:/srv", rspeed=5)])
    assert refreshed(current, answer, ()) == dataclasses.replace(current, pairs=answer.pairs)


def test_more_than_nodes_is_for_a_reload() -> None:
    with pytest.raises(ValueError, match="more that is new than rnodes: inosync --reload"):
        refreshed(on("a"), make_config([make_pair(destination="b:/srv")], edelay=1.0), ())
