"""What lsyncd's settings are in ours.

Owns their meaning (its manual, "Layer 4", and default-rsync.lua). Pure: knows neither Lua nor how
a config is written.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inosync.lsyncd.options import OLD, options
from inosync.lsyncd.values import lua, number, words
from inosync.rsync.rules import read_entry


@dataclass
class Sync:
    """One ``sync{}`` in our words."""

    source: str
    node: str  # what stands before the path: "", "host:", "rsync://host/"
    path: str
    settings: dict[str, Any] = field(default_factory=dict)  # of the source, or of the daemon
    own: dict[str, Any] = field(default_factory=dict)  # of the node
    excludes: list[str] = field(default_factory=list)
    exclude_files: list[str] = field(default_factory=list)
    filter_files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def inherit(given: Mapping[Any, Any]) -> tuple[str, dict[str, Any]]:
    """Return which default a sync builds upon (``""``: none) and its settings.

    lsyncd merges the tables without a name first; the named values win, and nested tables merge.
    """
    kind = str(given.get(0, ""))
    values: dict[str, Any] = {}
    for key in sorted(key for key in given if isinstance(key, int) and key > 0):
        if isinstance(given[key], dict):
            found, inner = inherit(given[key])
            kind = kind or found
            values = _merge(inner, values)
    named = {key: value for key, value in given.items() if isinstance(key, str)}
    return kind, _merge(values, named)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            result[key] = _merge(under[key], over[key])
    return result


_HOOKS = "hooks run programs of yours (docs/hooks.rst)"
_STATUS = "ask inosync --status instead"
#: What lsyncd's settings{} are here.
_GENERAL = {
    "logfile": "inosync logs to syslog with -d, else to standard error, which systemd keeps",
    "logident": "inosync logs as inosync",
    "logfacility": "inosync logs to the facility daemon",
    "log": "inosync -v logs every run",
    "statusFile": _STATUS,
    "statusInterval": _STATUS,
    "statusIntervall": _STATUS,
    "pidfile": "inosync has a lock of its own; pidfile says where, and must not be lsyncd's",
    "nodaemon": "inosync stays in the foreground unless it is started with -d",
    "insist": "inosync always goes on when a node is down",
    "maxDelays": "a batch is carried after edelay, however many changes it has",
    "onepass": "inosync --once makes one full pass and ends",
}
#: What else a sync{} may say.
_NOT_HERE = {
    "maxDelays": _GENERAL["maxDelays"],
    "maxProcesses": "one run at a time for each source and node; rparallel limits all together",
    "crontab": "rfull is the seconds between full passes; at set times let cron run inosync "
    "--sync, by its whole path",
    "batchSizeLimit": "bigger files have runs of their own, rbigdelay seconds apart",
    "tunnel": "let systemd or autossh keep the tunnel up, or mirror over ssh directly",
    "onepass": _GENERAL["onepass"],
    "xargs": "deletions and renames go through rsync, over the same connection",
    "exitcodes": "what follows each exit status of rsync is in docs/trouble.rst",
}
#: What a sync{} may do itself, beside everything that begins with "on".
_ACTIONS = {"action", "collect", "prepare"}
#: Settings of a sync{} that say something to lsyncd alone.
_INTERNAL = {"checkgauge", "name", "source", "target", "host", "targetdir"}
_INTERNAL |= {"exclude", "excludeFrom", "filter", "filterFrom", "delete", "delay", "init"}
_INTERNAL |= {"rsync", "ssh", "subdirs", *OLD}


def general_settings(settings: Mapping[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what lsyncd's settings{} give all configs, and notes about the others."""
    result: dict[str, Any] = {}
    notes = []
    for key, value in sorted(settings.items()):
        mode = str(value).lower() if key == "inotifyMode" else ""
        if key == "maxProcesses" and isinstance(count := number(value, 1, 10_000), int):
            result["rparallel"] = count
        elif "modify" in mode:
            result["eopen"] = 1
        elif mode != "closewrite":
            notes.append(f"settings.{key} = {lua(value)}: {_GENERAL.get(key, 'is not known')}")
    return result, notes


def translated(kind: str, values: dict[str, Any], general: Mapping[str, Any], cwd: str) -> Sync:
    """Return a sync in our words. Raise ValueError, with what it does, if that cannot be."""
    if kind not in ("rsync", "rsyncssh", "direct"):
        raise ValueError(
            f"builds upon none of lsyncd's defaults but has actions of its own; {_HOOKS}"
        )
    source = words(values.get("source"))
    if len(source) != 1:
        raise ValueError("names no source")
    node, path = _target(kind, values, cwd)
    over_ssh = node.endswith(":") and not node.endswith("::")
    # Not "/./", which would be a virtual root here.
    watched = posixpath.normpath(posixpath.join(cwd, source[0]))
    result = Sync(watched.rstrip("/") + "/", node, path)
    result.settings = {"edelay": 1 if kind == "direct" else 15, **general}
    _times_and_sizes(result, values)
    result.notes += [
        _note(key, value) for key, value in sorted(values.items()) if key not in _INTERNAL
    ]
    result.excludes = _filters(words(values.get("filter")), result.notes)
    # They travel as the lines of a file, in which a blank line and a comment say nothing.
    lines = [line for text in words(values.get("exclude")) for line in text.split("\n")]
    result.excludes += [_as_excluded(line) for line in lines if line and line[0] not in "#;"]
    if values.get("subdirs") is False:
        result.excludes.append("*/")
    for name, files in (("filterFrom", result.filter_files), ("excludeFrom", result.exclude_files)):
        files += [posixpath.join(cwd, file) for file in words(values.get(name))]
    said = options(values, over_ssh=over_ssh)
    result.settings |= said.settings
    result.own = said.own
    result.notes += said.notes
    if said.port:
        result.node = f"ssh://{node.removesuffix(':')}:{said.port}"
        result.path = path if path.startswith("/") else f"/~/{path}"
    return result


def _times_and_sizes(result: Sync, values: Mapping[str, Any]) -> None:
    """Add what a sync says in numbers, and when it begins."""
    if (delay := number(values.get("delay", 0), 0, 366 * 86400)) is None:
        result.notes.append(f"delay = {lua(values['delay'])}: is no number of seconds; left out")
    elif "delay" in values:
        result.settings["edelay"] = delay
    if values.get("init") is False:
        result.settings["init"] = False
    if isinstance(limit := number(values.get("batchSizeLimit"), 1, 2**53), int):
        result.settings["rbigsize"] = limit
        if result.settings.get("rparallel") == 1:
            result.settings["rparallel"] = 2
            result.notes.append("rparallel = 2: one run for big files beside the others")


def _filters(rules: list[str], notes: list[str]) -> list[str]:
    """Return lsyncd's filter rules as rsync spells them: it wants no blank behind the sign."""
    result = []
    for rule in rules:
        if found := re.fullmatch(r"\s*([-+])\s*(.+)", rule, re.DOTALL):
            result.append(f"{found[1]} {found[2]}")
        else:
            notes.append(f"filter {lua(rule)}: neither + nor -, which lsyncd refuses; left out")
    return result


def _as_excluded(text: str) -> str:
    """Return an entry that is to mean what it means in a list for ``rsync --exclude-from``."""
    try:
        literal = read_entry(text).filter
    except ValueError:
        literal = True
    return f"- {text}" if literal else text


def _note(key: str, value: Any) -> str:
    """Return what to say of something in a sync{} that has no equivalent."""
    if key in _NOT_HERE:
        return f"{key} = {lua(value)}: {_NOT_HERE[key]}"
    if key in _ACTIONS or key.startswith("on"):
        return f"{key}: left out; {_HOOKS}"
    return f"{key}: a value of lsyncd's own, left out"


def _target(kind: str, values: Mapping[str, Any], cwd: str) -> tuple[str, str]:
    """Return what stands before the path of a destination, and the path, with a slash at its end.

    Raise ValueError if there is none.
    """
    host, directory = words(values.get("host")), words(values.get("targetdir"))
    target = words(values.get("target"))
    if kind == "rsyncssh" or (host and not target):
        if not host or not directory:
            raise ValueError("names no host and targetdir")
        return f"{host[0]}:", directory[0].rstrip("/") + "/"
    if not target:
        raise ValueError("names no target")
    whole = target[0].rstrip("/") + "/"
    if whole.startswith("rsync://"):
        authority, _, path = whole[len("rsync://") :].partition("/")
        return f"rsync://{authority}/", path
    head, colon, path = whole.partition("::" if "::" in whole.partition("/")[0] else ":")
    if not colon or "/" in head:
        return "", posixpath.normpath(posixpath.join(cwd, whole)).rstrip("/") + "/"
    return head + colon, path
