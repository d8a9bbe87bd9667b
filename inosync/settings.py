"""The table of settings: what each is called, what it is when not given, and what it accepts.

Knows each setting by itself; what they mean together is not for here. To add a setting, add a row
to ``SETTINGS`` and a field of the same name to ``Config`` (``Node``, if it is one of each node).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from inosync import events
from inosync.errors import ConfigError
from inosync.extra import parse_extra
from inosync.filters import compile_filters
from inosync.values import (
    YEAR,
    Fault,
    Faults,
    arguments,
    did_you_mean,
    each,
    faults_of,
    file_to_replace,
    file_to_write,
    flag,
    group,
    members,
    nearest,
    one_of,
    optional,
    program,
    retry,
    seconds,
    shown,
    speed,
    text,
    umask,
    user,
    whole,
)


@dataclass(frozen=True)
class Setting:
    """One setting. ``default`` is written as a config would write it; None means "not set".

    ``parse`` turns a config's value into what the program uses, or raises ValueError with what is
    wrong and what is accepted. ``aliases`` are other names of the same setting. A ``per_node``
    setting may also stand in a node's dict. ``family`` names the setting that this one is another
    form of (``wpaths`` of ``wpath``).
    """

    name: str
    default: object
    parse: Callable[[Any], Any]
    aliases: tuple[str, ...] = ()
    per_node: bool = False
    family: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the proper one first."""
        return (self.name, *self.aliases)


_READING = ("IN_ACCESS", "IN_OPEN", "IN_CLOSE_NOWRITE")


def _event(value: object) -> int:
    name = text(value)
    if name in _READING:
        raise ValueError(
            "tells of reading only, and rsync's own reading of the source would start the next "
            "run, for ever; remove it"
        )
    if name not in events.MASK_BITS:
        raise ValueError(f"is no event to wait for; {did_you_mean(name, events.MASK_BITS)}")
    return events.MASK_BITS[name]


def _emask(value: object) -> int:
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
    return value


def _excludes(value: object) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    """A list for all sources, or a dict with a list for each."""
    example = '["/localhost", "*.bak"]'
    if not isinstance(value, dict):
        return each(value, _pattern, example)
    result: dict[str, tuple[str, ...]] = {}
    faults: list[Fault] = []
    for source, patterns in value.items():
        where = f"[{shown(source)}]"
        try:
            result[text(source)] = each(patterns, _pattern, example)
        except ValueError as error:
            found = faults_of(patterns, error)
            faults += [(where + inner, part, what) for inner, part, what in found]
    if faults:
        raise Faults(faults)
    return result


def _settle(value: object) -> tuple[tuple[str, float], ...]:
    """How long which files have to rest, in the order in which they are written."""
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
    if len(filters.rules) != 1 or filters.rules[0].include:
        raise ValueError("is for a rule, not a pattern of file names; write one such as *.iso")
    if filters.rules[0].file_expression is None:
        raise ValueError(
            "is for a pattern that no file matches; for all in a directory, write dir/**"
        )
    return pattern


def _rpaths(value: object) -> tuple[str, ...]:
    return each(value, text, '["/var/www/"]')


def node(value: object) -> tuple[str, dict[str, Any], list[Fault]]:
    """Return the destination of an entry of ``rnodes``, its own settings, and what is wrong there.

    Raise ValueError if there is no destination in it.
    """
    if not isinstance(value, dict):
        return optional(text)(value), {}, []
    if value.get("node") is None:
        raise ValueError('has no "node"; write {"node": "host:/path", ...}')
    destination = optional(text)(value["node"])
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


def _some(example: str) -> Callable[[object], tuple[Any, ...]]:
    """A list that is not empty. Its items are read one by one, so that none hides another."""

    def parse(value: object) -> tuple[Any, ...]:
        items = members(value, example)
        if not items:
            raise ValueError(f"is empty; write {example}")
        return items

    return parse


def _inside(value: object) -> str:
    """A path below a source."""
    path = text(value)
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError('must be a path inside the source, such as ".mounted"')
    return path


SETTINGS = (
    Setting("wpath", None, text),
    Setting("wpaths", None, _some('["/var/www/"]'), family="wpath"),
    # rpath is often a helper of the script, so only a node that needs it looks at it.
    Setting("rpath", None, lambda value: value),
    Setting("rpaths", None, _rpaths, family="rpath"),
    Setting("rnodes", None, _some('["host:/path"]')),
    Setting("rexcludes", [], _excludes, aliases=("excludes", "inotify_excludes")),
    Setting("rspeed", 0, speed, per_node=True),
    Setting(
        "emask",
        [
            "IN_CLOSE_WRITE",
            "IN_CREATE",
            "IN_DELETE",
            "IN_MOVED_FROM",
            "IN_MOVED_TO",
            "IN_ATTRIB",
        ],
        _emask,
    ),
    Setting("edelay", 10, seconds),
    Setting("emaxdelay", None, seconds),  # the same as edelay
    Setting("eopen", 60, seconds),
    Setting("init", True, flag),
    Setting("rfull", 86400, seconds),
    Setting("rverify", 0, seconds),
    Setting("rmaxdelete", 0, whole(0, 2**31 - 1, " of files (0: any)", 1000)),
    Setting("wmarker", "", optional(_inside)),
    Setting("allow_empty", False, flag),
    Setting("rsync", "/usr/bin/rsync", program),
    Setting("extra", "", parse_extra, per_node=True),
    Setting("logfile", "", optional(file_to_write)),
    Setting("rtimeout", 300, whole(0, YEAR, " of seconds", 300), per_node=True),
    Setting("rretry", (1, 300), retry, per_node=True),
    Setting("rscope", "tree", one_of("tree", "changes"), per_node=True),
    Setting("rbigsize", 0, whole(0, 2**62, " of bytes (0: no lane for big files)", 2**27)),
    Setting("rbigdelay", 60, seconds),
    Setting("rsettle", {}, _settle),
    Setting("rparallel", 8, whole(1, 10_000, "", 8)),
    Setting("user", "", optional(user)),
    Setting("group", "", optional(group)),
    Setting("umask", 0o022, umask),
    Setting("pidfile", "", optional(file_to_write)),
    Setting("socket", "", optional(file_to_write)),
    Setting("on_change", [], arguments),
    Setting("on_success", [], arguments),
    Setting("on_failure", [], arguments),
    Setting("on_recover", [], arguments),
    Setting("hooktimeout", 60, whole(1, YEAR, " of seconds", 60)),
    Setting("metricsfile", "", optional(file_to_replace)),
    Setting("htmlfile", "", optional(file_to_replace)),
)


def is_given(value: object) -> bool:
    """Return whether a script's variable can be meant as a setting.

    None says "not set", and a module or a class was imported: ``import socket``.
    """
    return value is not None and not isinstance(value, types.ModuleType | type)


def unknown_names(names: Mapping[str, object], settled: Collection[str]) -> list[tuple[str, str]]:
    """Return the names that look like a setting but are none, each with what is wrong.

    A script may have variables of its own. One is suspicious when it is like a setting (``rnode``,
    ``exclude``) that the script does not give: then it is probably that setting, misspelt. Beside
    the setting itself (``for rnode in hosts: rnodes.append(rnode + rpath)``; ``path`` beside
    ``wpath``) it is a helper. `settled` holds the families of the settings that are given or that
    this config has no use for.
    """
    family = {
        name: setting.family or setting.name for setting in SETTINGS for name in setting.names
    }
    result: list[tuple[str, str]] = []
    for name, value in names.items():
        if name in family or name.startswith("_") or not is_given(value):
            continue
        if not callable(value):
            near = nearest(name, family)
            if near and not any(family.get(other) in settled for other in near):
                hint = f"unknown setting, did you mean {' or '.join(near)}?"
                result.append((name, f"{hint} (a variable of your own may be called _{name})"))
    return result
