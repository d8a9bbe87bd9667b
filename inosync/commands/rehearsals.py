"""Dry runs that ask a node whether it would do, without leaving a trace, and what they mean.

Decides only: returns command lines, reads what came of them. One with a few names (reachable?
allowed? a module that may be written to?), and a second that finds out whether the mirror keeps
fractions of seconds; and one, without a node, that reads the files of rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from inosync.commands.probe import PROBLEM, WARNING, Finding
from inosync.config.model import Pair
from inosync.rsync.destination import Destination, Transport
from inosync.rsync.differences import differences
from inosync.rsync.exits import judge
from inosync.rsync.filters import rsync_options
from inosync.rsync.options import options
from inosync.rsync.output import evidence
from inosync.rsync.refusals import refusal
from inosync.rsync.rules import Sort, read_entry
from inosync.text import printable


def rehearsal(argv: Sequence[str], *more: str) -> list[str]:
    """Return the argv of a dry run, from that of a run, that tells what would be sent."""
    return [*argv[:-3], "--8-bit-output", "--out-format=%i %n", *more, *argv[-3:]]


def refused(pair: Pair, status: int | None, errors: bytes, seconds: float) -> Finding | None:
    """Return what is wrong by the exit `status` of a dry run; None when it went well.

    A `status` of None says that there was no answer within so many `seconds`.
    """
    if status in (0, 24):
        return None
    if status is None:
        return Finding(
            PROBLEM,
            f"no answer within {seconds:.0f} s; check that the node is up, and its firewall",
        )
    text, lines = errors.decode("utf-8", "replace"), evidence(errors)
    if "module is read only" in text:
        return Finding(
            PROBLEM, "the module is read only; set 'read only = no' in rsyncd.conf there"
        )
    judgement = judge(status, pair.destination, lines)
    if rule := wrong_rule(pair, status, text):
        return Finding(PROBLEM, f"exit {status}: {rule}")
    # The first line names the cause; but before ssh gives its own, a host may greet.
    by_ssh = [line for line in lines if not line.startswith("rsync")][-1:] if status == 255 else []
    said = f" ({(by_ssh or lines)[0].strip()})" if lines else ""
    return Finding(PROBLEM, f"exit {status}: {judgement.meaning}{said}; {judgement.cure}")


def taken(pair: Pair, errors: bytes) -> Finding | None:
    """Return what is to be known when another run kept this one out; None when none did."""
    found = refusal(pair.destination, evidence(errors))
    if found is None or not found.busy:
        return None
    return Finding(WARNING, f"{found.meaning}, so that they disturb each other; {found.cure}")


def rules(pair: Pair, rsync: str) -> list[str]:
    """Return the argv that has rsync read the files of rules; empty when the excludes name none.

    It lists the top of the source. A rehearsal would read them otherwise: with ``--from0`` a file
    of rules has no lines.
    """
    if not pair.source.filters.left_to_rsync:
        return []
    words = rsync_options(pair.source.excludes)
    return [rsync, "--list-only", "--dirs", *words, "--", f"{pair.source.path.rstrip('/')}/"]


#: What rsync says of a rule, and of a file of rules that it cannot read (exclude.c). Since 3.5.0 a
#: rule in a file is "<rule from FILE line N>".
_RULE_SAID = re.compile(
    r"^(?:rsync: \[\w+\] )?(?:"
    r"((?:Unknown filter rule|invalid modifier '.' at position \d+ in filter rule"
    r"|unexpected end of filter rule|'!' rule has trailing characters"
    r"|specified-side merge file contains specified-side filter): `?(.*?)'?)"
    r"|(failed to open (?:in|ex)clude file (.*): [^:]*))$",
    re.MULTILINE,
)


def wrong_rule(pair: Pair, status: int, said: str) -> str:
    """Return which entry of the excludes ended rsync with 1 or 11, ``""`` if none did."""
    found = _RULE_SAID.search(said) if status in (1, 11) else None
    if found is None:
        return ""
    line, text = found[1] or found[3], found[2] or found[4]
    source = pair.source
    entries = [(index, read_entry(entry)) for index, entry in enumerate(source.excludes)]
    files = [(index, entry) for index, entry in entries if entry.sort is Sort.FILE]
    named = [index for index, entry in entries if text in (entry.text, entry.pattern)]
    for place in ("from {} line ", "/{} line "):  # of a file by its path, of one in each directory
        named = named or [i for i, entry in files if place.format(entry.pattern) in text]
    if not named and not any(text in word for word in pair.node.extra):
        named = [index for index, _ in files]
    if not named:
        return ""
    where = " or ".join(f"{source.excludes_from}[{i}] = {source.excludes[i]!r}" for i in named)
    return f"{printable(where)}: {printable(line)}; mend the rule, or the file that it reads"


def missing(lines: Iterable[bytes]) -> bool:
    """Return whether a dry run has found that the destination is yet to be made."""
    return any(line.startswith(b"created directory ") for line in lines)


def parent(pair: Pair) -> Destination | None:
    """Return the directory in a module that has to be there already; None for the module itself."""
    destination = pair.destination
    if destination.transport is not Transport.DAEMON or "--mkpath" in options(pair.node.extra):
        return None
    module, _, path = destination.path.strip("/").partition("/")
    if "/" not in path:
        return None
    above = f"{module}/{path.rpartition('/')[0]}"
    text = destination.text.rstrip("/")
    text = text[: text.rindex("/")]
    return replace(destination, text=text, path=above)


def imprecise(before: Iterable[bytes], after: Iterable[bytes], names: int) -> bool:
    """Return whether the mirror keeps no fractions of seconds.

    ``before`` are the lines of a dry run that compares them, ``after`` those of one that does not.
    Files that differ in nothing but their time must have vanished from the list, and no file of the
    mirror may have been equal: a single one that was rewritten lately proves nothing.
    """
    first = {found.path: found.what for found in differences(before)}
    second = {found.path for found in differences(after)}
    times = {path for path, what in first.items() if what == "times" and not path.endswith(b"/")}
    there = names - sum(what == "missing" for what in first.values())
    return bool(times) and len(times) >= there and not times & second
