"""The nodes of a config, and where each source goes on each of them.

Owns what ``rnodes``, ``rpath`` and ``rpaths`` mean together.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inosync.config.by_source import Share
from inosync.config.faults import Fault, Faults, did_you_mean, faults_of, shown
from inosync.config.model import Node, Pair, Source
from inosync.config.overlaps import mirror_overlaps
from inosync.config.reader import BySource, Reading, part_of
from inosync.config.settings import SETTINGS
from inosync.config.sources import absolute
from inosync.config.values import optional
from inosync.config.values import text as parse_text
from inosync.errors import ConfigError
from inosync.rsync.deletions import deleting, untold
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


def read_pairs(
    reading: Reading, entries: Sequence[Sequence[Entry]], sources: Sequence[Source | None]
) -> list[Pair]:
    """Return every source (None: one that was refused) on each of its nodes, with its destination.

    A node is completed by ``rpath`` (the same for all sources) or ``rpaths`` (one for each source)
    when it is only a beginning: ``""``, ``host:``, ``host::``, ``ssh://host``, ``rsync://host/``.
    A complete node is left as it is beside ``rpath``, which is a helper of the script then. Beside
    ``rpaths`` it is refused, except for a bare module (``host::mod``, ``rsync://host/mod``): 0.2.3
    would have appended, and where a mirror lands must not be guessed. For the same reason a bare
    module beside ``rpath`` must say with a slash at its end that it is complete.
    """
    found: list[tuple[Entry, Pair]] = []
    every = [entry for own in entries for entry in own]
    rpaths = _rpaths(reading, every, len(sources))
    for source, rpath, own in zip(sources, rpaths, entries, strict=False):
        for entry in own:
            try:
                destination = _destination(reading, entry.text, rpath)
            except ValueError as error:
                reading.refuse(entry.setting, entry.text, error)
                continue
            if source is not None:
                found.append((entry, Pair(source, entry.node, destination)))
    order = {setting: at for at, setting in enumerate(dict.fromkeys(e.setting for e in every))}
    found.sort(key=lambda each: order[each[0].setting])
    pairs = [pair for _, pair in found]
    for entry, pair in found:
        _check_ssh(reading, entry, pair)
        _check_rules(reading, entry, pair)
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


def _check_rules(reading: Reading, entry: Entry, pair: Pair) -> None:
    left = pair.source.filters.left_to_rsync
    if pair.node.rdelete == "seen" and left:
        what = 'cannot tell what others have put there (rdelete = "seen"): only rsync reads what '
        what += f"{left[0]!r} hides; write these patterns as rexcludes"
        reading.refuse(entry.setting, entry.text, what)


def _check_ssh(reading: Reading, entry: Entry, pair: Pair) -> None:
    destination = pair.destination
    if destination.transport is not Transport.SSH:
        if isinstance(pair.node.rrelay, str) and pair.node.rrelay:
            what = "is a relay that is not reached over ssh; write the command that asks it as a "
            what += 'list, such as rrelay = ["ssh", "host", "inosync"]'
            reading.refuse(entry.setting, entry.text, what)
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
