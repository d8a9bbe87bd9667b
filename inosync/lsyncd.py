"""lsyncd's config, said in ours: what ``inosync --from-lsyncd FILE`` prints.

Owns the meaning of lsyncd's settings (its manual, "Layer 4", and default-rsync.lua). Its config is
a program in Lua, so it is run, by ``lupa``, which nothing else of the package may know. It runs in
a sandbox: no files, no programs, bounded memory and steps.
"""

from __future__ import annotations

import json
import os
import posixpath
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inosync.errors import ConfigError
from inosync.extra import parse_extra
from inosync.plan import hindrance
from inosync.text import printable

#: More than any config needs; what goes on longer goes on for ever.
_STEPS = 20_000_000
_MEMORY = 64 << 20

#: What a config finds. What lsyncd's functions would do later is of no interest here.
_SANDBOX = """
local text, name, steps = ...
local syncs, settings = {}, {}
local function nothing() end
local function default(kind)
    local mt = {__index = function() return nothing end}
    return setmetatable({[0] = kind, checkgauge = {}}, mt)
end
local function refuse(library)
    local cure = " is not available here; write its result into a copy of the file"
    return setmetatable({}, {
        __index = function(_, key) error(library .. "." .. tostring(key) .. cure, 2) end,
        __call = function() error(library .. cure, 2) end,
    })
end
local function set(_, given)
    for key, value in pairs(given) do settings[key] = value end
end
local inlet = setmetatable({}, {__index = function() return nothing end})
local env = {
    settings = setmetatable({}, {
        __call = set,
        __index = function(_, key) return settings[key] end,
        __newindex = function(_, key, value) settings[key] = value end,
    }),
    sync = function(given) syncs[#syncs + 1] = given return inlet end,
    default = {
        rsync = default("rsync"), rsyncssh = default("rsyncssh"), direct = default("direct"),
    },
    tunnel = function(given) return given end,
    now = function() return 0 end,
    log = nothing, print = nothing, alarm = nothing, spawn = nothing, spawnShell = nothing,
    readdir = function() return {} end,
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
    rawequal = rawequal, rawget = rawget, rawlen = rawlen, rawset = rawset, select = select,
    getmetatable = getmetatable, setmetatable = setmetatable, tonumber = tonumber,
    tostring = tostring, type = type, xpcall = xpcall, unpack = table.unpack,
    math = math, string = string, table = table, utf8 = utf8, _VERSION = _VERSION,
}
env._G = env
for _, library in ipairs({"os", "io", "debug", "package"}) do env[library] = refuse(library) end
for _, library in ipairs({"require", "dofile", "loadfile", "load"}) do
    env[library] = refuse(library)
end
local run, wrong = load(text, "@" .. name, "t", env)
if not run then error(wrong, 0) end
local sethook = debug.sethook
sethook(function() error("does not come to an end", 0) end, "", steps)
run()
sethook()
local replaced = rawget(env, "settings")
if getmetatable(replaced) == nil or getmetatable(replaced).__call ~= set then
    set(nil, replaced)  -- "settings = {...}", as lsyncd 2.0 wanted it
end
return settings, syncs
"""


@dataclass
class _Sync:
    """One ``sync{}`` in our words: what one config can only say once, and what differs."""

    source: str
    node: str  # what stands before the path: "", "host:", "rsync://host/"
    path: str
    settings: dict[str, Any] = field(default_factory=dict)  # of the whole config
    own: dict[str, Any] = field(default_factory=dict)  # of the node
    excludes: list[str] = field(default_factory=list)
    exclude_files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def convert(text: str, name: str, cwd: str) -> str:
    """Return inosync configs for the lsyncd config `text`, as they are to be printed.

    `name` is its file, for messages; relative paths are below `cwd`. There are several configs,
    with a line ``# ---- file: NAME.py`` before each, when one cannot say it all: nodes, delays or
    excludes differ between sources. What has no equivalent is in comments.

    Raise ConfigError if lupa is missing, the text is no Lua or holds no sync that can be converted.
    """
    settings, syncs = record(text, name)
    general, notes = _general(settings)
    converted: list[_Sync] = []
    for number, given in enumerate(syncs, 1):
        kind, values = _inherit(given)
        try:
            converted.append(_sync(kind, values, general, cwd))
        except ValueError as error:
            notes.append(f"sync number {number} is left out: it {error}")
    if not converted:
        why = "".join(f"; {note}" for note in notes if note.startswith("sync number"))
        wanted = "default.rsync, default.rsyncssh or default.direct"
        raise ConfigError([f"{printable(name)}: holds no sync{{}} with {wanted}{why}"])
    return _print(_grouped(converted), name, notes)


def record(text: str, name: str) -> tuple[dict[Any, Any], list[dict[Any, Any]]]:
    """Run the config `text`; return its settings, and what each ``sync{}`` was given.

    Tables become dicts, functions True. Raise ConfigError, with file and line, if it does not run.
    """
    try:
        import lupa  # noqa: PLC0415 - an optional dependency
    except ImportError:
        cure = "install it beside inosync (pip install lupa)"
        raise ConfigError([f"--from-lsyncd needs the Python package lupa; {cure}"]) from None
    lua = lupa.LuaRuntime(
        register_eval=False,
        register_builtins=False,
        max_memory=_MEMORY,
        unpack_returned_tuples=True,
    )
    try:
        load = lua.eval("function(code, ...) return load(code)(...) end")
        settings, syncs = load(_SANDBOX, text, printable(name), _STEPS)
        return _plain(lupa, settings), list(_plain(lupa, syncs).values())
    except (lupa.LuaError, UnicodeError, MemoryError, RecursionError) as error:
        message = (str(error) or "needs too much memory").splitlines()[0]
        shown = message if message.startswith(name) else f"{name}: {message}"
        raise ConfigError([printable(shown)]) from None


def _plain(lupa: Any, value: Any, depth: int = 0) -> Any:
    if depth > 20:
        raise RecursionError("holds tables in tables without end")
    kind = lupa.lua_type(value)
    if kind == "table":
        pairs = value.items()
        plain = {key: _plain(lupa, inner, depth + 1) for key, inner in pairs}
        return {key: inner for key, inner in plain.items() if isinstance(key, str | int | float)}
    return True if kind is not None else value


def _inherit(given: Mapping[Any, Any]) -> tuple[str, dict[str, Any]]:
    """Return which default a sync builds upon (``""``: none) and its settings.

    lsyncd merges the tables without a name first; the named values win, and nested tables merge.
    """
    kind = str(given.get(0, ""))
    values: dict[str, Any] = {}
    for key in sorted(key for key in given if isinstance(key, int) and key > 0):
        if isinstance(given[key], dict):
            found, inner = _inherit(given[key])
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
    "xargs": "a renamed directory is linked on the node, a renamed file is sent again",
}
_OLD = ("rsyncOps", "rsyncOpts")
#: What a sync{} may do itself, beside everything that begins with "on".
_ACTIONS = {"action", "collect", "prepare"}
#: Settings of a sync{} that say something to lsyncd alone.
_INTERNAL = {"checkgauge", "exitcodes", "name", "source", "target", "host", "targetdir"}
_INTERNAL |= {"exclude", "excludeFrom", "filter", "filterFrom", "delete", "delay", "init"}
_INTERNAL |= {"rsync", "ssh", "subdirs", *_OLD}


def _general(settings: Mapping[Any, Any]) -> tuple[dict[str, Any], list[str]]:
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


def _sync(kind: str, values: dict[str, Any], general: Mapping[str, Any], cwd: str) -> _Sync:
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
    result = _Sync(watched.rstrip("/") + "/", node, path)
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
    result.excludes = _words(values.get("filter")) + _words(values.get("exclude"))
    if values.get("subdirs") is False:
        result.excludes.append("*/")
    files = _words(values.get("filterFrom")) + _words(values.get("excludeFrom"))
    result.exclude_files = [posixpath.join(cwd, file) for file in files]
    _options(result, values)
    return result


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


def _options(result: _Sync, values: Mapping[str, Any]) -> None:
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


def _grouped(syncs: list[_Sync]) -> list[list[_Sync]]:
    """Return which syncs one config can say: every source of it goes to every node of it."""
    by_source: dict[str, list[_Sync]] = {}
    for one in syncs:
        same = [one.source, one.settings, one.excludes, one.exclude_files]
        by_source.setdefault(json.dumps(same), []).append(one)
    groups: dict[str, list[_Sync]] = {}
    for key, alike in by_source.items():
        first = alike[0]
        several_paths = len({one.path for one in alike}) > 1
        nodes = json.dumps([[[one.node, one.own] for one in alike], first.settings])
        share = key if several_paths or first.exclude_files else nodes
        inner = any(_nested(one.source, first.source) for one in groups.get(share, []))
        groups.setdefault(key if inner else share, []).extend(alike)
    return list(groups.values())


def _nested(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _print(groups: list[list[_Sync]], name: str, notes: list[str]) -> str:
    lines = [f"# from lsyncd's {printable(name)}", *(f"# {printable(note)}" for note in notes)]
    for number, (file, group) in enumerate(zip(_names(groups), groups, strict=True)):
        if len(groups) > 1:
            lines += [""] * bool(number) + [f"# ---- file: {file}.py"]
        lines += _config(group)
    return "\n".join(lines) + "\n"


def _names(groups: list[list[_Sync]]) -> Iterator[str]:
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


def _config(group: list[_Sync]) -> list[str]:
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
        if first[0].excludes or first[0].exclude_files:
            lines.append(_list("rexcludes", first[0].excludes, _python))
    else:
        lines += ["rexcludes = {"]
        lines += [f"    {_python(key)}: {_python(value)}," for key, value in excludes.items()]
        lines += ["}"]
    for file in first[0].exclude_files:
        lines += [
            f"with open({_python(file)}) as _file:",
            "    _lines = [_line.strip() for _line in _file]",
            'rexcludes += [_line for _line in _lines if _line and _line[0] not in "#;"]',
        ]
    settings = {**first[0].settings, **shared}
    return lines + [f"{key} = {_python(value)}" for key, value in settings.items()]


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


def read(path: str) -> str:
    """Return the text of an lsyncd config. Raise ConfigError if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, ValueError) as error:
        what = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise ConfigError([f"{printable(path)}: cannot be read: {what}"]) from None
