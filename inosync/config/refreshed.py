"""A config whose list of nodes was asked for again: what of the new list counts, and when."""

from __future__ import annotations

import dataclasses

from inosync.config.model import Config, Node


def refreshed(current: Config, answer: Config, last: tuple[Node, ...]) -> Config:
    """Return the config with the nodes of an `answer`.

    Nodes that are gone stay until two answers, this and the `last` one, have the same nodes. The
    order of nodes means nothing. Raise ValueError if more than the nodes differ.
    """
    if _but_for_nodes(answer) != _but_for_nodes(current):
        raise ValueError(
            "the config says more that is new than rnodes: inosync --reload takes that"
        )
    twice = set(last) == set(answer.nodes)
    named = {node.name for node in answer.nodes}
    kept = {n for n in current.nodes if n.name not in named and not twice}
    if {*answer.nodes, *kept} == set(current.nodes):
        return current
    return dataclasses.replace(
        current,
        nodes=(*answer.nodes, *(node for node in current.nodes if node in kept)),
        pairs=(*answer.pairs, *(pair for pair in current.pairs if pair.node in kept)),
    )


def _but_for_nodes(config: Config) -> Config:
    return dataclasses.replace(config, nodes=(), pairs=(), warnings=())
