"""The nodes of a config, and where each source goes on each of them.

Owns what ``rnodes``, ``rpath`` and ``rpaths`` mean together.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inosync.config.model import Node, Pair, Source
from inosync.config.overlaps import mirror_overlaps
from inosync.config.reader import Reading
from inosync.config.settings import SETTINGS, Setting
from inosync.config.sources import absolute
from inosync.config.values import Fault, Faults, did_you_mean, faults_of, optional, shown
from inosync.config.values import text as parse_text
from inosync.errors import ConfigError
from inosync.rsync.destination import (
    Destination,
    Transport,
    is_bare_module,
    is_prefix,
    join,
    mask,
    parse_destination,
)
from inosync.rsync.options import backs_up, half_written, hindrance, leads_out, options
from inosync.rsync.program import chooses_shell
from inosync.text import many, printable


@dataclass(frozen=True)
class Entry:
    """An entry of ``rnodes``: the setting that holds it, its destination as written, its node."""

    setting: str
    text: str
    node: Node


def read_nodes(reading: Reading) -> list[Entry]:
    """Return the entries of ``rnodes``; refuse what is listed twice."""
    entries: list[Entry] = []
    for index, value in enumerate(reading.values.get("rnodes", ())):
        setting = f"rnodes[{index}]"
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
        # A setting that was refused has no value: its default is good enough to go on with.
        values = {
            row.name: own.get(row.name, reading.values.get(row.name, _default(row)))
            for row in SETTINGS
            if row.per_node
        }
        node = Node(name=printable(mask(text)) or "(local)", **values)
        entries.append(Entry(setting, text, node))
        if reading.values.get("rbigsize") and (
            sizes := options(node.extra) & {"--max-size", "--min-size"}
        ):
            what = (
                f"has {min(sizes)} in extra, and rbigsize decides about sizes; remove one of them"
            )
            reading.refuse(setting, text, what)
        if node.rkeep and (option := backs_up(node.extra)):
            what = (
                f"has {option} in extra, and rkeep decides about old versions; remove one of them"
            )
            reading.refuse(setting, text, what)
        if option := half_written(node.extra):
            reading.warn(
                setting,
                text,
                f"extra has {option}, so readers of the mirror can see half-written files",
            )
        if option := leads_out(node.extra):
            what = (
                f"extra has {option}: where the mirror has a link to a directory in the place of "
            )
            what += "one, what it leads to is written to and emptied, outside of the mirror even"
            reading.warn(setting, text, what)
    return entries


def _default(row: Setting) -> object:
    return row.default if row.default is None else row.parse(row.default)


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
    known = {setting.name: setting for setting in SETTINGS if setting.per_node}
    if not isinstance(key, str):
        raise ValueError(f"is no setting of a node; known are {', '.join(known)}")
    if key not in known:
        raise ValueError(f"is no setting of a node; {did_you_mean(key, known)}")
    return known[key].parse(value)


def read_pairs(
    reading: Reading, entries: Sequence[Entry], sources: Sequence[Source | None]
) -> list[Pair]:
    """Return every source (None: one that was refused) on every node, with its destination.

    A node is completed by ``rpath`` (the same for all sources) or ``rpaths`` (one for each source)
    when it is only a beginning: ``""``, ``host:``, ``host::``, ``ssh://host``, ``rsync://host/``.
    A complete node is left as it is beside ``rpath``, which is a helper of the script then. Beside
    ``rpaths`` it is refused, except for a bare module (``host::mod``, ``rsync://host/mod``): 0.2.3
    would have appended, and where a mirror lands must not be guessed. For the same reason a bare
    module beside ``rpath`` must say with a slash at its end that it is complete.
    """
    found: list[tuple[Entry, Pair]] = []
    rpaths = _rpaths(reading, entries, len(sources))
    for entry in entries:
        for source, rpath in zip(sources, rpaths, strict=False):
            try:
                destination = _destination(reading, entry.text, rpath)
            except ValueError as error:
                reading.refuse(entry.setting, entry.text, error)
                continue
            if source is not None:
                found.append((entry, Pair(source, _node(reading, entry, source), destination)))
    pairs = [pair for _, pair in found]
    for entry, pair in found:
        _check_ssh(reading, entry, pair)
        _check_tls(reading, entry, pair)
    for index, what in mirror_overlaps(pairs):
        entry = found[index][0]
        reading.refuse(entry.setting, entry.text, what)
    return pairs


def _rpaths(reading: Reading, entries: Sequence[Entry], count: int) -> Sequence[str | None]:
    """Return what completes a node, for each of `count` sources; nothing when that is wrong."""
    if "rpaths" in reading.given:
        rpaths: tuple[str, ...] | None = reading.values.get("rpaths")
        if rpaths is not None and len(rpaths) != count:
            what = (
                f"has {many(len(rpaths), 'path')} for {count} watched; write one for each, in order"
            )
            reading.refuse("rpaths", list(rpaths), what)
            return ()
        return rpaths or ()
    rpath = reading.values.get("rpath")
    if rpath is not None and any(is_prefix(entry.text) for entry in entries):
        try:
            parse_text(rpath)
        except ValueError as error:
            reading.refuse("rpath", rpath, error)
            return ()
    elif isinstance(rpath, str) and not any(rpath in entry.text for entry in entries):
        reading.warn("rpath", rpath, "is not used: every node names its own path")
    return [rpath] * count


def _destination(reading: Reading, node: str, rpath: str | None) -> Destination:
    """Return where `node` mirrors a source whose remote path is `rpath`."""
    unfinished, module = is_prefix(node), is_bare_module(node)
    several = "rpaths" in reading.given
    if several and not unfinished and not module:
        raise ValueError(
            "names a path, and so does rpaths; write only what stands before the path, such as "
            '"host:", or whole destinations and no rpaths'
        )
    if module and not several and isinstance(rpath, str):
        raise ValueError(
            "is a module, and it is not clear whether rpath belongs behind it; "
            f"write {shown(join(node, rpath))} or {shown(node + '/')}"
        )
    text = join(node, rpath) if rpath is not None and (unfinished or module) else node
    if not text and reading.file:
        raise ValueError("means a local path, and there is no rpath; write one, or the path")
    try:
        destination = parse_destination(text)
    except ValueError as error:
        if text == node:
            raise
        raise ValueError(f"is with the remote path {shown(text)}, which {error}") from None
    if destination.transport is Transport.LOCAL:
        path = absolute(re.sub(r"^(\./+)+", "", text), reading.cwd)
        destination = dataclasses.replace(destination, text=path, path=path)
    return destination


def _node(reading: Reading, entry: Entry, source: Source) -> Node:
    """Return the node as it is for this source: some rules only work in passes over the tree."""
    node = entry.node
    if node.rscope == "changes" and (why := hindrance(node.extra)):
        reading.warn("rscope", node.rscope, f'is "tree" for {node.name}, because of {why}')
        return dataclasses.replace(node, rscope="tree")
    return node


def _check_ssh(reading: Reading, entry: Entry, pair: Pair) -> None:
    destination = pair.destination
    if destination.transport is not Transport.SSH:
        return
    if destination.port and chooses_shell(pair.node.extra):
        reading.refuse(
            entry.setting,
            entry.text,
            'has a port, but extra names the remote shell itself; put "-p PORT" there',
        )
    if not destination.path and not pair.source.prefix:
        reading.warn(
            entry.setting,
            entry.text,
            "makes the whole home directory there a mirror and deletes everything else in it; "
            f"if that is meant, write {destination.text + './'!r}",
        )


def _check_tls(reading: Reading, entry: Entry, pair: Pair) -> None:
    if not pair.destination.tls:
        return
    if found := options(pair.node.extra) & {"-e", "--rsh", "--contimeout"}:
        what = f"goes through openssl, and extra has {min(found)}, which rsync cannot have then; "
        reading.refuse(entry.setting, entry.text, f"{what}remove it")
    if not pair.node.rtls.verify:
        what = "is not verified, so that whoever is on the way may take its place; "
        reading.warn(entry.setting, entry.text, what + 'give it "rtls": {"ca": "/path"}')


def pairs_on(pairs: Sequence[Pair], name: str) -> list[Pair]:
    """Return those of `pairs` that are on the node called `name`, all for ``""``.

    Raise ConfigError when there are none.
    """
    found = [pair for pair in pairs if name in ("", pair.node.name)]
    if not found:
        known = ", ".join(sorted({pair.node.name for pair in pairs}))
        raise ConfigError([f"there is no node {printable(name)}; known are {known}"])
    return found
