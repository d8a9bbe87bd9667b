"""Files of rules that a config names: can rsync read them, and do they leave our own rules alone?

A line with ``!`` makes rsync forget all rules before it, with those that keep inosync from deleting
what must stay; an ``+ *`` behind it would win over the same rules told again. So no file may have
one. rsync reads the files when a run starts, and so they are looked at again before each run.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from inosync.rsync.options import rule_files
from inosync.rsync.rules import Entry, Sort, parse_rule, read_entry

_DEEPEST = 20  # files that merge files; one that merges itself has no end


def check_rule_file(path: str, rule: str = "") -> None:
    """Raise ValueError if a file that rsync is to read rules from would not do.

    `rule` is the merge rule that reads it; ``""`` for ``--exclude-from`` and ``--include-from``.
    """
    try:
        if line := _clearing(path, rule):
            raise ValueError(f"reads {line}, {_FORGETS}")
    except OSError as error:
        raise ValueError(
            f"reads the file {error.filename!r}, which cannot be read: {error.strerror}; create "
            "the file, or remove the rule"
        ) from None


def forgetting(excludes: Sequence[str], extra: Sequence[str]) -> str:
    """Return which line of a file makes rsync forget what must not be deleted, ``""`` for none.

    What cannot be read is left for rsync to complain about.
    """
    for path, rule in _files(tuple(excludes), tuple(extra)):
        try:
            line = _clearing(path, rule)
        except (OSError, ValueError):
            continue
        if line:
            return f"a rule reads {line}, {_FORGETS}"
    return ""


_FORGETS = (
    "which forgets all rules before it, and with them what must not be deleted: "
    "take it out of the file"
)


@functools.lru_cache(maxsize=1024)
def _files(excludes: tuple[str, ...], extra: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the files that are read when a run starts, each with its rule."""
    entries = [entry for entry in map(read_entry, excludes) if entry.once]
    return (*((entry.pattern, entry.text) for entry in entries), *rule_files(extra))


def _clearing(path: str, rule: str, depth: int = 0) -> str:
    """Return the line that forgets all rules before it, for people; ``""`` when there is none.

    Raise OSError if a file cannot be read, and ValueError if its path is relative: what it means
    depends on where inosync was started.
    """
    if not path.startswith("/"):
        raise ValueError(f"reads the file {path!r}, whose path must be absolute")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"reads {path!r}, which is no ordinary file")
    data = Path(path).read_bytes()
    reader = parse_rule(rule) if rule else None
    if (reader is not None and not reader.may_clear) or depth > _DEEPEST:
        return ""
    for number, text in _tokens(data, reader):
        if reader is None or _modifiers(reader) & {"C"}:
            clears, entry = text == "!", None
        else:
            entry = _parsed(text)
            clears = entry is not None and entry.sort is Sort.CLEAR
        if clears:
            return f"{path!r}, where line {number} is {text!r}"
        if (
            entry is not None
            and entry.once
            and (inner := _clearing(entry.pattern, text, depth + 1))
        ):
            return inner
    return ""


def _tokens(data: bytes, reader: Entry | None) -> Iterator[tuple[int, str]]:
    """Give what rsync reads as one rule each, with the number of its line."""
    words = reader is not None and not _modifiers(reader).isdisjoint("Cw")
    for number, line in enumerate(re.split(b"\r\n|\n|\r", data), 1):
        if words:
            yield from ((number, os.fsdecode(word)) for word in line.split())
        elif line and line[:1] not in (b"#", b";"):
            yield number, os.fsdecode(line)


def _modifiers(reader: Entry) -> set[str]:
    head = reader.text.partition(" ")[0]
    return set(head.removeprefix("merge").removeprefix("."))


def _parsed(text: str) -> Entry | None:
    try:
        return parse_rule(text)
    except ValueError:
        return None  # rsync will say so
