"""Imports go down only, and each outside thing has one door."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "inosync"

#: Folders, and the modules beside them: each imports from rows above it here, none from its own.
ROWS = (
    {"errors", "text"},
    {"changes"},
    {"rsync"},
    {"config", "lsyncd"},
    {"planning", "watch", "system"},
    {"engine"},
    {"status"},
    {"service"},
    {"commands"},
    {"cli"},
    {"__main__"},
)

#: What a module that only decides may take from the standard library, and from `os`.
LIBRARY = {
    "__future__",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "ipaddress",
    "itertools",
}
LIBRARY |= {"json", "math", "os", "re", "shlex", "stat", "string", "struct", "typing"}
LIBRARY |= {"unicodedata"}
PURE = {"errors", "text", "changes", "rsync", "planning", "engine", "status"}
PURE_OS = {"fsdecode", "fsencode"}
#: Those that read the config may also ask about paths, users and groups.
READERS_LIBRARY = LIBRARY | {"difflib", "grp", "pathlib", "posixpath", "pwd", "reprlib"}
READERS_LIBRARY |= {"ast", "traceback", "types"}

#: Commands that wait, or say how old something is.
TIMED = (
    "ask",
    "client",
    "interview",
    "relays",
    "restore",
    "side_by_side",
    "survey",
    "top",
    "verify",
)

#: The only modules that may import these; nobody may import what has no module.
DOORS = {
    "pyinotify": {"watch.inotify"},
    "subprocess": {"system.process"},
    "daemon": {"service.service"},
    "lupa": {"lsyncd.lua"},
    "selectors": {"service.loop"},
    "time": {"service.loop", *(f"commands.{name}" for name in TIMED)},
    "rich": {"commands.ask"},
    "socket": {
        "commands.client",
        "system.addresses",
        "system.beacon",
        "system.control",
        "system.signals",
        "system.systemd",
        "system.journal",
    },
    "threading": set(),
    "asyncio": set(),
    "multiprocessing": set(),
    "concurrent": set(),
}

#: Modules of these folders have a test file each, in the folder of the same name.
TESTED = {"changes", "rsync", "config", "planning", "engine", "status"}
#: Calls that start a shell or another program behind the door's back.
FORBIDDEN_OS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp"}

#: What an idle daemon has no use for, beside the folders of other errands.
NOT_RUNNING = {"_hashlib", "_ssl", "asyncio", "email", "hashlib", "html", "http", "lupa", "rich"}
NOT_RUNNING |= {"unittest"}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): ast.parse(path.read_text())
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}


def imported(tree: ast.Module) -> set[str]:
    """Return the dotted names of what a module imports, also inside of functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms(tree: ast.Module) -> set[str]:
    """Return the modules of the package that a module imports; the version is anybody's."""
    ours = {name.removeprefix("inosync.") for name in imported(tree) if name.startswith("inosync.")}
    ours.discard("__version__")
    return {name if name in MODULES else name.rpartition(".")[0] for name in ours}


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


def folder(module: str) -> str:
    return module.partition(".")[0]


def row(module: str) -> int:
    """Return the number of a module's row."""
    return next(number for number, names in enumerate(ROWS) if folder(module) in names)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    others = {room for room in rooms(MODULES[module]) if folder(room) != folder(module)}
    assert not {room for room in others if row(room) >= row(module)}


def test_there_is_no_circle() -> None:
    graph = {module: rooms(tree) for module, tree in MODULES.items()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(MODULES)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda p: p.parent.name)
def test_a_folder_says_what_it_owns_and_imports_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize("module", [name for name in MODULES if folder(name) in PURE])
def test_deciding_modules_are_pure(module: str) -> None:
    assert outside(MODULES[module]) <= LIBRARY
    assert {name for name, _ in os_attributes(MODULES[module])} <= PURE_OS


@pytest.mark.parametrize("module", [name for name in MODULES if folder(name) == "config"])
def test_the_config_is_read_with_few_means(module: str) -> None:
    assert outside(MODULES[module]) <= READERS_LIBRARY


def test_each_module_that_decides_has_its_test_file() -> None:
    files = {module: module.replace(".", "/test_") + ".py" for module in MODULES}
    missing = {
        module
        for module, file in files.items()
        if folder(module) in TESTED and not (Path(__file__).parent / file).exists()
    }
    assert not missing


@pytest.mark.parametrize("module", MODULES)
def test_each_outside_thing_has_one_door(module: str) -> None:
    names = outside(MODULES[module])
    assert not {name for name in names if module not in DOORS.get(name, {module})}
    assert names - set(DOORS) <= sys.stdlib_module_names


def test_an_idle_daemon_has_not_loaded_what_it_does_not_need() -> None:
    script = "import sys, inosync.cli, inosync.service.service; print(*sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", script]
    # What measures the coverage is not ours.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    environment = ours | {"PYTHONPATH": str(PACKAGE.parent)}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    loaded = set(run.stdout.split())
    assert {"inosync.service.loop", "pyinotify"} <= loaded
    assert not loaded & NOT_RUNNING
    errands = {name for name in loaded if name.startswith(("inosync.commands.", "inosync.lsyncd"))}
    assert errands == {f"inosync.commands.{name}" for name in ("arguments", "verbs")}


@pytest.mark.parametrize("module", MODULES)
def test_nobody_starts_a_shell(module: str) -> None:
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.keyword):
            assert node.arg != "shell", f"line {node.value.lineno}"
    for name, line in os_attributes(MODULES[module]):
        allowed = name not in FORBIDDEN_OS and not name.startswith(("exec", "spawn"))
        assert allowed, f"line {line}: os.{name}"
