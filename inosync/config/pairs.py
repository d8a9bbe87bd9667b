"""Where each source of a config goes on each of its nodes.

Owns what ``rnodes``, ``rpath`` and ``rpaths`` mean together.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from inosync.config.faults import shown
from inosync.config.model import Pair, Source
from inosync.config.nodes import Entry
from inosync.config.overlaps import mirror_overlaps
from inosync.config.reader import Reading
from inosync.config.sources import absolute
from inosync.config.values import text as parse_text
from inosync.rsync.destination import (
    Destination,
    Transport,
    is_bare_module,
    is_prefix,
    join,
    parse_destination,
)
from inosync.rsync.options import options
from inosync.rsync.program import chooses_shell
from inosync.text import many


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
