"""The nodes of a config, each as it is for each source: its own dict goes before all else.

Where a source goes on each of them is told by pairs.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inosync.config.by_source import Share
from inosync.config.faults import Fault, Faults, did_you_mean, faults_of, shown
from inosync.config.model import Node
from inosync.config.reader import BySource, Reading, part_of
from inosync.config.settings import SETTINGS
from inosync.config.values import optional
from inosync.config.values import text as parse_text
from inosync.rsync.deletions import deleting, untold
from inosync.rsync.destination import mask
from inosync.rsync.options import (
    backs_up,
    half_written,
    hindrance,
    leads_out,
    options,
    writes_through,
)
from inosync.text import printable

_OF_NODES = [row for row in SETTINGS if row.per_node]


@dataclass(frozen=True)
class _Written:
    """An entry of ``rnodes`` as written: the setting that holds it, its destination, its dict."""

    setting: str
    text: str
    own: Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """The same for a source: with the node as it is for this source."""

    setting: str
    text: str
    node: Node


def read_nodes(
    reading: Reading, by_source: Sequence[Share], wpaths: Mapping[str, Any]
) -> list[list[Entry]]:
    """Return the entries of ``rnodes`` for each source; refuse what is listed twice for one."""
    value = reading.values.get("rnodes", ())
    label = reading.given.get("rnodes", "rnodes")
    lists = {label: value}
    if isinstance(value, BySource):
        lists = {part_of(label, key): items for key, items in value.items()}
    written = {place: _read_list(reading, place, items) for place, items in lists.items()}
    if isinstance(value, BySource):
        for share, wpath in zip(by_source, wpaths.values(), strict=False):
            if share.places["rnodes"] not in written:
                what = f"has none for {shown(wpath)}; write some, or some for all others: "
                reading.complain(label, f'{what}"*": [...]')
    known: dict[tuple[object, ...], Entry] = {}
    return [
        [_entry(reading, each, share, known) for each in written.get(share.places["rnodes"], ())]
        for share in by_source
    ]


def _read_list(reading: Reading, place: str, items: Sequence[object]) -> list[_Written]:
    entries: list[_Written] = []
    for index, value in enumerate(items):
        setting = f"{place}[{index}]"
        try:
            text, own, faults = _read_entry(value)
        except ValueError as error:
            reading.refuse(setting, value, error)
            continue
        if faults:
            reading.refuse(setting, value, Faults(faults))
        if any(entry.text == text for entry in entries):
            reading.refuse(setting, text, "is listed twice; remove one")
            continue
        entries.append(_Written(setting, text, own))
    return entries


def _entry(
    reading: Reading,
    written: _Written,
    share: Share,
    known: dict[tuple[object, ...], Entry],
) -> Entry:
    """Return an entry for the source with this share: what its own dict says goes before that.

    Sources for which it is the same get the same one, out of `known`.
    """
    values = {
        row.name: written.own[row.name] if row.name in written.own else share.value(row)
        for row in _OF_NODES
    }
    by_size = bool(share.values.get("rbigsize"))
    key = written.setting, *values.values(), by_size
    if key not in known:
        node = Node(name=printable(mask(written.text)) or "(local)", **values)
        _check_extra(reading, written, node, by_size=by_size)
        if node.rscope == "changes" and (why := hindrance(node.extra)):
            what = f'is "tree" for {node.name}, because of {why}'
            reading.warn(share.places["rscope"], node.rscope, what)
            node = dataclasses.replace(node, rscope="tree")  # some rules only work in passes
        known[key] = Entry(written.setting, written.text, node)
    return known[key]


def _check_extra(reading: Reading, written: _Written, node: Node, *, by_size: bool) -> None:
    """Check what ``extra`` has against what else decides of the same."""
    setting, text = written.setting, written.text
    if by_size and (sizes := options(node.extra) & {"--max-size", "--min-size"}):
        what = f"has {min(sizes)} in extra, and rbigsize decides about sizes; remove one of them"
        reading.refuse(setting, text, what)
    if node.rkeep and (option := backs_up(node.extra)):
        what = f"has {option} in extra, and rkeep decides about old versions; remove one of them"
        reading.refuse(setting, text, what)
    if what := _undeletable(node):
        reading.refuse(setting, text, what)
    if option := half_written(node.extra):
        what = f"extra has {option}, so readers of the mirror can see half-written files"
        reading.warn(setting, text, what)
    if option := writes_through(node.extra):
        what = f"extra has {option} and -H: when a name is no link to a file any more, rsync still "
        what += "writes through it, and the other names stay wrong; leave one of the two out"
        reading.warn(setting, text, what)
    if option := leads_out(node.extra):
        what = f"extra has {option}: where the mirror has a link to a directory in the place of "
        what += "one, what it leads to is written to and emptied, outside of the mirror even"
        reading.warn(setting, text, what)


def _undeletable(node: Node) -> str:
    """Return why what a node is to keep or lose (``rdelete``) cannot be told, or ""."""
    if node.rdelete != "all" and (option := deleting(node.extra)):
        return f'has {option} in extra, and rdelete is "{node.rdelete}"; remove one of them'
    if node.rdelete == "seen" and (why := untold(node.extra)):
        return f'cannot tell what others have put there (rdelete = "seen"), because of {why}'
    return ""


def _read_entry(value: object) -> tuple[str, dict[str, Any], list[Fault]]:
    """Return the destination of an entry of ``rnodes``, its own settings, and what is wrong there.

    Raise ValueError if there is no destination in it.
    """
    if not isinstance(value, dict):
        return optional(parse_text)(value), {}, []
    if value.get("node") is None:
        raise ValueError('has no "node"; write {"node": "host:/path", ...}')
    destination = optional(parse_text)(value["node"])
    own: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, inner in value.items():
        if key == "node" or inner is None:
            continue
        try:
            own[key] = _of_node(key, inner)
        except ValueError as error:
            faults += [
                (f"[{shown(key)}]{where}", part, what)
                for where, part, what in faults_of(inner, error)
            ]
    return destination, own, faults


def _of_node(key: object, value: object) -> object:
    known = {setting.name: setting for setting in _OF_NODES}
    if isinstance(key, str) and key in known:
        return known[key].parse(value)
    if isinstance(key, str) and all(key not in setting.names for setting in SETTINGS):
        raise ValueError(f"is no setting of a node; {did_you_mean(key, known)}")
    raise ValueError(f"is no setting of a node; known are {', '.join(known)}")
