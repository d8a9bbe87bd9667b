"""Lists and dicts of a config: of events, of rsync's patterns, of seconds by pattern.

As in values.py, each function reads one sort of value, and returns what the program uses or raises
ValueError with what is wrong and what is accepted. Knows no setting. The only looks at the system
are at files of rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from inosync.changes import inotify_bits
from inosync.config.faults import Fault, Faults, did_you_mean, shown
from inosync.config.rule_files import check_rule_file
from inosync.config.values import absolute_path, each, flag, members, seconds, text
from inosync.errors import ConfigError
from inosync.rsync.extra import parse_extra
from inosync.rsync.filters import compile_filters
from inosync.rsync.options import rule_files
from inosync.rsync.rules import read_entry
from inosync.rsync.tls import Tls

_READING = ("IN_ACCESS", "IN_OPEN", "IN_CLOSE_NOWRITE")


def _event(value: object) -> int:
    name = text(value)
    if name in _READING:
        raise ValueError(
            "tells of reading only, and rsync's own reading of the source would start the next "
            "run, for ever; remove it"
        )
    if name not in inotify_bits.MASK_BITS:
        raise ValueError(f"is no event to wait for; {did_you_mean(name, inotify_bits.MASK_BITS)}")
    return inotify_bits.MASK_BITS[name]


def event_mask(value: object) -> int:
    example = '["IN_CLOSE_WRITE", "IN_CREATE", "IN_DELETE"]'
    if isinstance(value, dict):
        raise ValueError(
            "names a program per event, as inorun did; on_change runs one per batch of events. "
            f"Write a list of events, such as {example}"
        )
    if isinstance(value, int):
        raise ValueError(f"is a number; write the names of the events, such as {example}")
    mask_bits = 0
    for bit in each(value, _event, example, set, frozenset):
        mask_bits |= bit
    if not mask_bits:
        raise ValueError(f"is empty, so nothing would ever be mirrored; write {example}")
    return mask_bits


def _pattern(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    try:
        compile_filters((value,))
    except ConfigError as error:
        raise ValueError(str(error)) from None
    entry = read_entry(value)
    if entry.once:
        try:
            check_rule_file(entry.pattern, value)
        except ValueError as error:
            raise ValueError(
                f"is taken for a rule and {error}; for the name write {'- ' + value!r}"
            ) from None
    return value


def extra(value: object) -> tuple[str, ...]:
    """Return the words of more options for rsync."""
    words = parse_extra(value)
    for path, rule in rule_files(words):
        check_rule_file(path, rule)
    return words


def excludes(value: object) -> tuple[str, ...]:
    return each(value, _pattern, '["/localhost", "*.bak"]')


def seconds_by_pattern(value: object) -> tuple[tuple[str, float], ...]:
    """Return patterns of files and how long these have to rest, in the order of the config."""
    if not isinstance(value, dict):
        raise ValueError('must be a dict of seconds by pattern, such as {"*.iso": 60}')
    result: list[tuple[str, float]] = []
    faults: list[Fault] = []
    for pattern, wait in value.items():
        try:
            result.append((_file_pattern(pattern), seconds(wait)))
        except ValueError as error:
            faults.append((f"[{shown(pattern)}]", wait, str(error)))
    if faults:
        raise Faults(faults)
    return tuple(result)


def _file_pattern(value: object) -> str:
    pattern = _pattern(value)
    filters = compile_filters((pattern,))
    if not filters.plain or len(filters.rules) != 1 or filters.rules[0].include:
        raise ValueError("is for a rule, not a pattern of file names; write one such as *.iso")
    if filters.rules[0].file_expression is None:
        raise ValueError(
            "is for a pattern that no file matches; for all in a directory, write dir/**"
        )
    return pattern


def tls(value: object) -> Tls:
    """Return what a dict says that a connection through TLS has to prove."""
    if not isinstance(value, dict):
        raise ValueError('must be a dict, such as {"ca": "/etc/inosync/ca.pem"}')
    readers = {
        "ca": absolute_path,
        "name": _certified,
        "cert": absolute_path,
        "key": absolute_path,
        "verify": flag,
    }
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, inner in value.items():
        try:
            if key not in readers:
                raise ValueError(f"is not known of TLS; {did_you_mean(str(key), readers)}")
            found[key] = readers[key](inner)
        except ValueError as error:
            faults.append((f"[{shown(key)}]", inner, str(error)))
    if faults:
        raise Faults(faults)
    if "key" in found and "cert" not in found:
        raise ValueError('has a "key" and no "cert"; name the file with the certificate, too')
    if not found.get("verify", True) and found.keys() & {"ca", "name"}:
        raise ValueError(
            'says what is to be proved, and "verify": False that nothing is; remove one of them'
        )
    return Tls(**found)


def _certified(value: object) -> str:
    name = text(value)
    if not re.fullmatch(r"[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9:])?", name):
        raise ValueError("is no name of a host, nor an address")
    return name


def paths(value: object) -> tuple[str, ...]:
    return each(value, text, '["/var/www/"]')


def some(example: str) -> Callable[[object], tuple[Any, ...]]:
    """Return the reader of a list that is not empty, and whose items are read elsewhere.

    So a fault in one item does not hide another.
    """

    def parse(value: object) -> tuple[Any, ...]:
        items = members(value, example)
        if not items:
            raise ValueError(f"is empty; write {example}")
        return items

    return parse
