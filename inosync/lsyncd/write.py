"""Configs of ours, written out: what ``inosync --from-lsyncd`` prints.

Owns how much one config can say, and its spelling. Pure: does not know where the settings are from.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from inosync.lsyncd.translate import Sync
from inosync.text import printable


def grouped(syncs: list[Sync]) -> list[list[Sync]]:
    """Return which syncs one config can say: every source of it goes to every node of it."""
    by_source: dict[str, list[Sync]] = {}
    for one in syncs:
        files = [one.exclude_files, one.filter_files]
        same = [one.source, one.settings, one.excludes, *files]
        by_source.setdefault(json.dumps(same), []).append(one)
    groups: dict[str, list[Sync]] = {}
    for key, alike in by_source.items():
        first = alike[0]
        several_paths = len({one.path for one in alike}) > 1
        nodes = json.dumps([[[one.node, one.own] for one in alike], first.settings])
        share = key if several_paths or first.exclude_files or first.filter_files else nodes
        inner = any(_nested(one.source, first.source) for one in groups.get(share, []))
        groups.setdefault(key if inner else share, []).extend(alike)
    return list(groups.values())


def _nested(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def write(groups: list[list[Sync]], name: str, notes: list[str]) -> str:
    """Return the configs for these groups, one after the other, and notes above them.

    `name` is the file that it all comes from.
    """
    lines = [f"# from lsyncd's {printable(name)}", *(f"# {printable(note)}" for note in notes)]
    for number, (file, group) in enumerate(zip(_names(groups), groups, strict=True)):
        if len(groups) > 1:
            lines += [""] * bool(number) + [f"# ---- file: {file}.py"]
        lines += _config(group)
    return "\n".join(lines) + "\n"


def _names(groups: list[list[Sync]]) -> Iterator[str]:
    """Give each config a name of its own, after its first source."""
    taken: set[str] = set()
    for group in groups:
        base = posixpath.basename(group[0].source.rstrip("/")) or "root"
        base = "".join(letter if letter.isalnum() else "-" for letter in base)
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        yield name


def _config(group: list[Sync]) -> list[str]:
    """Return the lines of one config."""
    sources = list(dict.fromkeys(sync.source for sync in group))
    notes = dict.fromkeys(printable(note) for sync in group for note in sync.notes)
    lines = [f"# {note}" for note in notes]
    unique = {(sync.source, sync.node, sync.path): sync for sync in reversed(group)}
    first = [sync for sync in reversed(unique.values()) if sync.source == sources[0]]
    if len(sources) == 1:
        nodes = [(sync.node + sync.path, sync.own) for sync in first]
        lines.append(f"wpath = {_python(sources[0])}")
    else:
        nodes = [(sync.node, sync.own) for sync in first]
        paths = {sync.source: sync.path for sync in group}
        lines += [_list("wpaths", sources, _python), _list("rpaths", [*paths.values()], _python)]
    shared = nodes[0][1] if all(own == nodes[0][1] for _, own in nodes) else {}
    lines.append(_list("rnodes", [_node(text, own, shared) for text, own in nodes], str))
    excludes = {sync.source: sync.excludes for sync in group}
    if len({tuple(patterns) for patterns in excludes.values()}) == 1:
        if first[0].excludes or first[0].exclude_files or first[0].filter_files:
            lines.append(_list("rexcludes", first[0].excludes, _python))
    else:
        lines += ["rexcludes = {"]
        lines += [f"    {_python(key)}: {_python(value)}," for key, value in excludes.items()]
        lines += ["}"]
    for file in first[0].filter_files:
        lines += [
            *_reading(file),
            f"rexcludes += [_line[0] + ' ' + _line[1:].lstrip() {_NO_COMMENT}]",
        ]
    for file in first[0].exclude_files:
        # lsyncd takes no includes from these, and a "-" before each pattern if there is one.
        lines += [
            *_reading(file),
            f"_lines = [_line {_NO_COMMENT} and _line[0] != '+']",
            "rexcludes += ['- ' + _line.removeprefix('-').lstrip() for _line in _lines]",
        ]
    settings = {**first[0].settings, **shared}
    return lines + [f"{key} = {_python(value)}" for key, value in settings.items()]


#: The end of a comprehension over the lines of a file, without blank ones and comments.
_NO_COMMENT = "for _line in _lines if _line and _line[0] not in '#;'"


def _reading(file: str) -> list[str]:
    """Return the lines that read a file of rules, as bytes are, without blanks before each."""
    return [
        f'with open({_python(file)}, encoding="utf-8-sig", errors="surrogateescape") as _file:',
        '    _lines = [_line.rstrip("\\n").lstrip() for _line in _file]',
    ]


def _node(text: str, own: Mapping[str, Any], shared: Mapping[str, Any]) -> str:
    if not own or own == shared:
        return _python(text)
    return _python({"node": text, **own})


def _list(name: str, values: list[Any], write: Callable[[Any], str]) -> str:
    if len(values) < 2:
        return f"{name} = [{''.join(write(value) for value in values)}]"
    return "\n".join([f"{name} = [", *(f"    {write(value)}," for value in values), "]"])


def _python(value: Any) -> str:
    """Return a value as Python writes it, with double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(key)}: {_python(v)}" for key, v in value.items()) + "}"
    return repr(value)
