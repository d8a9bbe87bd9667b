"""A config whose list of nodes was asked for again: what of the new list counts, and when."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from inosync.config.model import Config, Pair


def refreshed(current: Config, answer: Config, last: Collection[Pair]) -> Config:
    """Return the config with the mirrors of an `answer`.

    Those that are gone stay until two answers, this and the `last` one, have the same. The order
    of nodes means nothing. Raise ValueError if more than the nodes differ.
    """
    if _but_for_nodes(answer) != _but_for_nodes(current):
        raise ValueError(
            "the config says more that is new than rnodes: inosync --reload takes that"
        )
    twice = set(last) == set(answer.pairs)
    named = {_name(pair) for pair in answer.pairs}
    kept = [pair for pair in current.pairs if _name(pair) not in named and not twice]
    if {*answer.pairs, *kept} == set(current.pairs):
        return current
    return dataclasses.replace(current, pairs=(*answer.pairs, *kept))


def _name(pair: Pair) -> tuple[str, str]:
    return pair.source.path, pair.node.name


def _but_for_nodes(config: Config) -> Config:
    return dataclasses.replace(config, pairs=(), warnings=())
