"""What lsyncd's settings are in ours.

Owns their meaning (its manual, "Layer 4", and default-rsync.lua). Pure: knows neither Lua nor how
a config is written.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inosync.rsync.options import hindrance, parse_extra
from inosync.rsync.rules import read_entry


@dataclass
class Sync:
    """One ``sync{}`` in our words: what one config can only say once, and what differs."""

    source: str
    node: str  # what stands before the path: "", "host:", "rsync://host/"
    path: str
    settings: dict[str, Any] = field(default_factory=dict)  # of the whole config
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
    "crontab": "rfull is the seconds between full passes; at set times let cron run inosync --sync",
    "batchSizeLimit": "bigger files have runs of their own, rbigdelay seconds apart",
    "tunnel": "let systemd or autossh keep the tunnel up, or mirror over ssh directly",
    "onepass": _GENERAL["onepass"],
    "xargs": "what is renamed is not sent again where that is worth it (docs/renames.rst)",
}
_OLD = ("rsyncOps", "rsyncOpts")
#: What a sync{} may do itself, beside everything that begins with "on".
_ACTIONS = {"action", "collect", "prepare"}
#: Settings of a sync{} that say something to lsyncd alone.
_INTERNAL = {"checkgauge", "exitcodes", "name", "source", "target", "host", "targetdir"}
_INTERNAL |= {"exclude", "excludeFrom", "filter", "filterFrom", "delete", "delay", "init"}
_INTERNAL |= {"rsync", "ssh", "subdirs", *_OLD}


def general_settings(settings: Mapping[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what lsyncd's settings{} give all configs, and notes about the others."""
    result: dict[str, Any] = {}
    notes = []
    for key, value in sorted(settings.items()):
        mode = str(value).lower() if key == "inotifyMode" else ""
        if key == "maxProcesses" and isinstance(value, int) and value > 0:
            result["rparallel"] = value
        elif mode:
            if "modify" in mode:
                result["eopen"] = 1
        else:
            notes.append(f"settings.{key} = {_lua(value)}: {_GENERAL.get(key, 'is not known')}")
    return result, notes


def translated(kind: str, values: dict[str, Any], general: Mapping[str, Any], cwd: str) -> Sync:
    """Return a sync in our words. Raise ValueError, with what it does, if that cannot be."""
    if kind not in ("rsync", "rsyncssh", "direct"):
        raise ValueError(
            f"builds upon none of lsyncd's defaults but has actions of its own; {_HOOKS}"
        )
    source = _words(values.get("source"))
    if len(source) != 1:
        raise ValueError("names no source")
    node, path = _target(kind, values, cwd)
    # Not "/./", which would be a virtual root here.
    watched = posixpath.normpath(posixpath.join(cwd, source[0]))
    result = Sync(watched.rstrip("/") + "/", node, path)
    result.settings = {"edelay": 1 if kind == "direct" else 15, **general}
    if isinstance(delay := values.get("delay"), int | float):
        result.settings["edelay"] = delay
    if values.get("init") is False:
        result.settings["init"] = False
    if type(limit := values.get("batchSizeLimit")) is int and limit > 0:
        result.settings["rbigsize"] = limit
    result.notes += [
        _note(key, value) for key, value in sorted(values.items()) if key not in _INTERNAL
    ]
    result.excludes = _filters(_words(values.get("filter")), result.notes)
    result.excludes += map(_as_excluded, _words(values.get("exclude")))
    if values.get("subdirs") is False:
        result.excludes.append("*/")
    for name, files in (("filterFrom", result.filter_files), ("excludeFrom", result.exclude_files)):
        files += [posixpath.join(cwd, file) for file in _words(values.get(name))]
    _options(result, values)
    return result


def _filters(rules: list[str], notes: list[str]) -> list[str]:
    """Return lsyncd's filter rules as rsync spells them: it wants no blank behind the sign."""
    result = []
    for rule in rules:
        if found := re.fullmatch(r"\s*([-+])\s*(.+)", rule, re.DOTALL):
            result.append(f"{found[1]} {found[2]}")
        else:
            notes.append(f"filter {_lua(rule)}: neither + nor -, which lsyncd refuses; left out")
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
        return f"{key} = {_lua(value)}: {_NOT_HERE[key]}"
    if key in _ACTIONS or key.startswith("on"):
        return f"{key}: left out; {_HOOKS}"
    return f"{key}: a value of lsyncd's own, left out"


def _target(kind: str, values: Mapping[str, Any], cwd: str) -> tuple[str, str]:
    """Return what stands before the path of a destination, and the path, with a slash at its end.

    Raise ValueError if there is none.
    """
    host, directory = _words(values.get("host")), _words(values.get("targetdir"))
    target = _words(values.get("target"))
    if kind == "rsyncssh" or (host and not target):
        if not host or not directory:
            raise ValueError("names no host and targetdir")
        port = values["ssh"].get("port") if isinstance(values.get("ssh"), dict) else None
        path = directory[0].rstrip("/") + "/"
        if port in (None, 22, "22"):
            return f"{host[0]}:", path
        return f"ssh://{host[0]}:{port}", path if path.startswith("/") else f"/~/{path}"
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


#: Options of rsync that are settings here.
_OWN = {"bwlimit": "rspeed", "timeout": "rtimeout"}
#: Options of rsync that every run has, and those that would change nothing.
_ALWAYS = {"links", "times", "perms"}
_NO_NEED = {*_ALWAYS, "recursive", "protect_args", "verbose", "quiet"}
#: What archive = true stands for beside these.
_ARCHIVE = {"group", "owner", "devices", "specials"}
_PLAIN_SHELLS = ("ssh", "/usr/bin/ssh")
_SHARED = "with these in ~/.ssh/config instead of extra, runs share one ssh connection"


def _options(result: Sync, values: Mapping[str, Any]) -> None:
    """Add what a sync says of rsync, ssh and deleting."""
    rsync = _rsync(values)
    words = _shell(values, result.notes)
    for key, value in sorted(rsync.items()):
        if key == "binary":
            result.settings |= {"rsync": str(value)} if value != "/usr/bin/rsync" else {}
        elif key in _OWN and isinstance(value, int):
            result.own[_OWN[key]] = value
        elif key == "dry_run":
            result.notes.append("rsync.dry_run: start inosync with -p instead")
        elif not _needless(key, value, archive=rsync.get("archive") is True):
            given = _words(value) if key == "_extra" else _option(str(key), value)
            words += _accepted(given, result.notes)
            result.notes += [_SHARED] if key == "rsh" else []
    if rsync.get("perms") is None and not rsync.get("archive"):
        result.notes.append("permissions are mirrored; extra = '--no-perms' if that is not wanted")
    if values.get("delete", True) is not True:
        # A rule that protects everything on the mirror: rsync(1), FILTER RULES.
        words.append("--filter=P *")
        result.notes.append(f"delete = {_lua(values['delete'])}: nothing is deleted on the mirror")
    if words:
        result.own["extra"] = words
    if not hindrance(words):
        result.settings["rscope"] = "changes"


def _rsync(values: Mapping[str, Any]) -> dict[Any, Any]:
    """Return the rsync table of a sync. lsyncd 2.0 had a list of options instead."""
    table = values["rsync"] if isinstance(values.get("rsync"), dict) else {}
    old = [values[name] for name in _OLD if name in values]
    return {"_extra": old[0], **table} if old else table


def _needless(key: object, value: Any, *, archive: bool) -> bool:
    """Return whether an option says only what is so anyway."""
    if value is False:  # to lsyncd: not given, which says something only of what would be
        return key not in _ALWAYS and not (archive and key in _ARCHIVE)
    return key in _NO_NEED or (key == "rsh" and value in _PLAIN_SHELLS)


def _option(key: str, value: Any) -> list[str]:
    name = key.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{name}"] if value else [f"--no-{name}"]
    return [f"--{name}={word}" for word in _words(value)]


def _shell(values: Mapping[str, Any], notes: list[str]) -> list[str]:
    """Return the remote shell that an ssh table asks for, if it says more than a port."""
    ssh = values["ssh"] if isinstance(values.get("ssh"), dict) else {}
    words = [str(ssh.get("binary", "ssh"))]
    if "identityFile" in ssh:
        words += ["-i", str(ssh["identityFile"])]
    options = ssh.get("options")
    if isinstance(options, dict):
        words += [f"-o{key}={value}" for key, value in sorted(options.items())]
    else:
        words += _words(options)
    words += _words(ssh.get("_extra"))
    if len(words) == 1 and words[0] in _PLAIN_SHELLS:
        return []
    if "port" in ssh:
        words += ["-p", str(ssh["port"])]
    notes.append(_SHARED)
    return [f"--rsh={shlex.join(words)}"]


def _accepted(words: list[str], notes: list[str]) -> list[str]:
    """Return the options among `words` that inosync takes; note the others."""
    accepted: list[str] = []
    while words:
        for count in (1, 2):  # an option's value may be a word of its own
            try:
                parse_extra(words[:count])
            except ValueError as error:
                problem = error
            else:
                accepted += words[:count]
                words = words[count:]
                break
        else:
            notes.append(f"{words[0]}: {problem}")
            words = words[1:]
    return [word for word in accepted if not word.startswith("--info=")]


def _words(value: Any) -> list[str]:
    """Return a value that is one string or a list of them as a list."""
    if isinstance(value, dict):
        return [str(value[key]) for key in sorted(key for key in value if isinstance(key, int))]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def _lua(value: Any) -> str:
    if isinstance(value, dict):
        return "{...}"
    return json.dumps(value) if isinstance(value, str | bool | int | float) else "..."
