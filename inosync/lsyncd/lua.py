"""lsyncd's config, translated into ours: what ``inosync --from-lsyncd FILE`` prints.

Its config is a program in Lua, so it is run, by ``lupa``, which nothing else of the package may
know. It runs in a sandbox: no files, no programs, bounded memory and steps. What its settings mean
is said in translate.py.
"""

from __future__ import annotations

import os
from typing import Any

from inosync.errors import ConfigError
from inosync.lsyncd.jobs import jobs, of_all
from inosync.lsyncd.translate import Sync, general_settings, inherit, translated
from inosync.lsyncd.write import write
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


def convert(text: str, name: str, cwd: str) -> str:
    """Return the inosync config for the lsyncd config `text`, as it is to be printed.

    `name` is its file, for messages; relative paths are below `cwd`. What has no equivalent is in
    comments.

    Raise ConfigError if lupa is missing, the text is no Lua or holds no sync that can be converted.
    """
    settings, syncs = record(text, name)
    general, notes = general_settings(settings)
    converted: list[Sync] = []
    for number, given in enumerate(syncs, 1):
        kind, values = inherit(given)
        try:
            converted.append(translated(kind, values, general, cwd))
        except ValueError as error:
            notes.append(f"sync number {number} is left out: it {error}")
    if not converted:
        why = "".join(f"; {note}" for note in notes if note.startswith("sync number"))
        wanted = "default.rsync, default.rsyncssh or default.direct"
        raise ConfigError([f"{printable(name)}: holds no sync{{}} with {wanted}{why}"])
    settings, more = of_all(converted)
    return write(jobs(converted), settings, name, notes + more)


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


def read(path: str) -> str:
    """Return the text of an lsyncd config. Raise ConfigError if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, ValueError) as error:
        what = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise ConfigError([f"{printable(path)}: cannot be read: {what}"]) from None
