"""The runs that look after what nodes keep (``rkeep``): remove what is over, list, bring back.

Pure. None of them is a run of the mirror: they touch nothing but the folder in it, or only read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from inosync.config.model import Config, Pair
from inosync.planning.connection import reach
from inosync.rsync.destination import Transport
from inosync.rsync.kept import KEPT, patterns
from inosync.rsync.program import Program
from inosync.rsync.versions import Version


def pruning(
    pair: Pair, config: Config, program: Program, *, days: Iterable[str], empty: str
) -> list[str]:
    """Return the argv that removes what a node has kept of these days.

    Nothing but rsync is needed on the node: an empty directory is sent, `empty` being the one above
    it, and only these days may be deleted for it. A node that keeps nothing gets no
    folder for that.
    """
    gone = [f"--include=/{KEPT}/{pattern}/***" for pattern in patterns(days)]
    rules = [f"--include=/{KEPT}/", *gone, "--exclude=*"]
    argv = [config.rsync, "-rR", "--existing", "--delete", *reach(pair, program), *rules]
    return [*argv, "--", f"{empty}/./{KEPT}/", pair.destination.text]


def listing(
    pair: Pair, config: Config, program: Program, *, day: str = "", path: bytes = b""
) -> list[str]:
    """Return the argv that lists the days of which a node keeps something, or what it keeps of one.

    Of a day only what is kept of `path` in the transfer, or below it, unless that is ``b""``.
    """
    words = ["--list-only", "--no-human-readable", "--8-bit-output", *reach(pair, program)]
    if day:
        words += ["-r", *_only(path)]
    there = pair.destination.below(f"{KEPT}/{day}/" if day else f"{KEPT}/")
    return [config.rsync, *words, "--", there.text]


def counting(pair: Pair, config: Config, program: Program, *, sized: bool) -> list[str]:
    """Return the argv that lists what a node keeps, to be counted.

    All of it, if it is to be `sized`: else no more than what tells which runs kept something.
    """
    words = ["-r", "--list-only", "--no-human-readable", *reach(pair, program)]
    if not sized:
        words += ["--include=/*/", "--include=/*/*/", "--include=/*/*/*", "--exclude=*"]
    return [config.rsync, *words, "--", pair.destination.below(f"{KEPT}/").text]


def _only(path: bytes) -> list[str]:
    """Return the rules that leave nothing of a day but `path` and what is below it, of each run."""
    if not path:
        return []
    # In a pattern with wildcards, which this is, a backslash is more than itself.
    parts = re.sub(r"([*?\[\\])", r"\\\1", os.fsdecode(path)).split("/")
    ways = [f"--include=/*/{'/'.join(parts[:count])}/" for count in range(1, len(parts))]
    whole = "/".join(parts)
    return [
        "--include=/*/",
        *ways,
        f"--include=/*/{whole}",
        f"--include=/*/{whole}/**",
        "--exclude=*",
    ]


@dataclass(frozen=True)
class Bringing:
    """A run that brings versions back: its argv, and the names for its standard input."""

    argv: tuple[str, ...]
    names: bytes


def restoring(
    pair: Pair,
    config: Config,
    program: Program,
    found: Iterable[Version],
    *,
    below: bytes,
    to: str,
    keep: str,
) -> Bringing:
    """Return the run that brings versions, whose paths are `below` one, back into directory `to`.

    The run puts what it overwrites into the folder `keep` there, as on a node.
    """
    start, there = list[str](), pair.destination.below(f"{KEPT}/").text
    if pair.destination.transport is Transport.DAEMON:
        # From below the top of its module one without chroot (3.5.0) sends nothing that is listed.
        inner = pair.destination.path.partition("/")[2]
        there = pair.destination.text.removesuffix(inner).rstrip("/") + "/"
        start = [part for part in (inner.strip("/"), KEPT) if part]
    # What is meant is known: no size and date make what is there the same.
    argv = [config.rsync, "-ltp", "--ignore-times", "--omit-dir-times", "--force"]
    argv += ["--from0", "--files-from=-"]
    argv += ["--backup", f"--backup-dir={KEPT}/{keep}", *reach(pair, program, attributes=True)]
    names = []
    for version in found:
        top = os.fsencode("/".join((*start, version.folder)))
        way = [top, *([below] if below else []), b".", version.below(below)]
        names.append(b"/".join(way) + b"\0")
    argv += ["--", there, to.rstrip("/") + "/"]
    return Bringing(tuple(argv), b"".join(names))
