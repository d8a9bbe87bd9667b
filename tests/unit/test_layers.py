"""Imports go down only, and each outside thing has one door."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "inosync"

LAYERS = (
    {"errors", "text"},
    {"filters", "destination", "extra", "events", "changes", "debounce", "backoff", "drift"}
    | {"watchtable", "pace"},
    {"values", "value_lists", "script", "places", "settings", "reading", "nodes", "config"}
    | {"rsync", "plan"}
    | {"big", "settle", "moves", "movedfiles", "steps"},
    {"mirror", "reports", "actions", "sources", "lanes", "telling", "comparing", "engine"}
    | {"status", "table", "probe", "history", "metrics", "page"},
    {
        "watcher",
        "watchtree",
        "unwatched",
        "mounts",
        "guard",
        "process",
        "signals",
        "log",
        "lock",
        "control",
    }
    | {"systemd"},
    {"runs", "hooks", "requests", "publish", "loop", "once", "service", "client", "lsyncd"}
    | {"together", "translation", "configtext"},
    {"check", "explain", "verify"},
    {"cli", "__main__", "__init__"},
)
#: Together these read the config, and may ask about paths, users and groups; each may know those
#: before it. All else below the adapters is pure.
READERS = ("values", "value_lists", "script", "places", "settings", "reading", "nodes", "config")
PURE = set().union(*LAYERS[:4]) - set(READERS)

#: Neighbours of one layer that may know each other: (who, whom).
NEIGHBOURS = {
    ("events", "filters"),
    ("changes", "events"),
    *combinations(reversed(READERS), 2),
    ("rsync", "config"),
    ("plan", "places"),
    ("nodes", "plan"),
    ("rsync", "plan"),
    ("reports", "mirror"),
    ("settle", "big"),
    ("rsync", "steps"),
    ("moves", "plan"),
    ("moves", "movedfiles"),
    ("moves", "steps"),
    ("movedfiles", "steps"),
    ("actions", "mirror"),
    ("actions", "reports"),
    ("lanes", "mirror"),
    ("telling", "actions"),
    ("telling", "mirror"),
    ("comparing", "actions"),
    ("comparing", "mirror"),
    ("comparing", "telling"),
    ("engine", "comparing"),
    ("engine", "lanes"),
    ("engine", "sources"),
    ("engine", "telling"),
    ("engine", "reports"),
    ("engine", "actions"),
    ("engine", "mirror"),
    ("status", "engine"),
    ("status", "sources"),
    ("status", "mirror"),
    ("table", "status"),
    ("metrics", "mirror"),
    ("metrics", "status"),
    ("page", "history"),
    ("page", "status"),
    ("page", "table"),
    ("watcher", "watchtree"),
    ("watcher", "unwatched"),
    ("watchtree", "unwatched"),
    ("guard", "watcher"),
    ("guard", "mounts"),
    ("loop", "publish"),
    ("loop", "requests"),
    ("loop", "runs"),
    ("loop", "hooks"),
    ("service", "hooks"),
    ("once", "runs"),
    ("service", "once"),
    ("service", "loop"),
    ("service", "runs"),
    ("lsyncd", "configtext"),
    ("lsyncd", "translation"),
    ("configtext", "translation"),
    ("__main__", "cli"),
}

#: What a module that only decides may take from the standard library, and from `os`.
PURE_LIBRARY = {"__future__", "collections", "dataclasses", "enum", "functools"}
PURE_LIBRARY |= {"ipaddress", "itertools", "json", "math", "os", "re", "shlex", "stat", "string"}
PURE_LIBRARY |= {"struct", "typing"}
PURE_OS = {"fsdecode", "fsencode"}
READERS_LIBRARY = PURE_LIBRARY | {"difflib", "grp", "pathlib", "pwd", "reprlib"}
READERS_LIBRARY |= {"posixpath", "traceback", "types"}

#: The only modules that may import these; nobody may import what has no module.
DOORS = {
    "pyinotify": {"watcher", "watchtree"},
    "subprocess": {"process"},
    "daemon": {"service"},
    "lupa": {"lsyncd"},
    "selectors": {"loop"},
    "time": {"loop", "client", "together", "check", "verify"},
    "rich": {"client"},
    "socket": {"control", "signals", "systemd", "log"},
    "threading": set(),
    "asyncio": set(),
    "multiprocessing": set(),
    "concurrent": set(),
}

#: Calls that start a shell or another program behind the door's back.
FORBIDDEN_OS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp"}

#: What a running daemon has no use for: the rooms of other commands, and what takes much memory.
NOT_RUNNING = {f"inosync.{room}" for room in ("check", "client", "explain", "lsyncd", "probe")}
NOT_RUNNING |= {"inosync.together", "inosync.verify", "lupa", "rich"}
NOT_RUNNING |= {"_hashlib", "_ssl", "asyncio", "email", "hashlib", "html", "http", "unittest"}

MODULES = {path.stem: ast.parse(path.read_text()) for path in sorted(PACKAGE.glob("*.py"))}


def imported(tree: ast.Module) -> set[str]:
    """Return the dotted names of what a module imports, also inside of functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            prefix = str(node.module)
            names |= {f"{prefix}.{alias.name}" for alias in node.names}
    return names


def rooms(tree: ast.Module) -> set[str]:
    """Return the modules of the package that a module imports; the version is anybody's."""
    parts = [name.split(".") for name in imported(tree)]
    return {part[1] for part in parts if part[0] == "inosync" and part[1:] != ["__version__"]}


def outside(tree: ast.Module) -> set[str]:
    """Return the top-level names that a module imports from elsewhere."""
    return {name.partition(".")[0] for name in imported(tree)} - {"inosync"}


def os_attributes(tree: ast.Module) -> list[tuple[str, int]]:
    """Return what a module uses of `os`, and in which line."""
    return [
        (node.attr, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]


def layer(module: str) -> int:
    """Return the number of a module's layer."""
    return next(number for number, names in enumerate(LAYERS) if module in names)


def test_every_module_has_a_layer() -> None:
    assert set(MODULES) <= set().union(*LAYERS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    upward = {
        room
        for room in rooms(MODULES[module])
        if layer(room) >= layer(module) and (module, room) not in NEIGHBOURS
    }
    assert not upward


def test_a_running_daemon_has_not_loaded_what_it_does_not_need() -> None:
    script = "import sys, inosync.cli, inosync.service; print(*sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", script]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    loaded = set(run.stdout.split())
    assert {"inosync.loop", "pyinotify"} <= loaded
    assert not loaded & NOT_RUNNING


def test_neighbours_do_not_go_in_circles() -> None:
    graph = {module: rooms(tree) for module, tree in MODULES.items()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(MODULES)


@pytest.mark.parametrize("module", sorted(PURE & set(MODULES)))
def test_deciding_modules_are_pure(module: str) -> None:
    assert outside(MODULES[module]) <= PURE_LIBRARY
    assert {name for name, _ in os_attributes(MODULES[module])} <= PURE_OS


@pytest.mark.parametrize("module", sorted(set(READERS) & set(MODULES)))
def test_the_config_is_read_with_few_means(module: str) -> None:
    assert outside(MODULES[module]) <= READERS_LIBRARY


@pytest.mark.parametrize("module", MODULES)
def test_each_outside_thing_has_one_door(module: str) -> None:
    names = outside(MODULES[module])
    assert not {name for name in names if module not in DOORS.get(name, {module})}
    assert names - set(DOORS) <= sys.stdlib_module_names


@pytest.mark.parametrize("module", MODULES)
def test_nobody_starts_a_shell(module: str) -> None:
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.keyword):
            assert node.arg != "shell", f"line {node.value.lineno}"
    for name, line in os_attributes(MODULES[module]):
        allowed = name not in FORBIDDEN_OS and not name.startswith(("exec", "spawn"))
        assert allowed, f"line {line}: os.{name}"
