"""What the pages for developers, and the docstrings, say of the rooms is true of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "inosync"
PAGES = sorted([*ROOT.glob("*.rst"), *ROOT.glob("docs/*.rst")])
#: A file of Python as pages name it, and what is said to be in it.
NAMED = re.compile(r"``([a-z_]+/[a-z_/]+\.py)``(?:,\s+``([A-Za-z_.]+)``)?")
#: And as docstrings do: that of a room beside the one that says so has no folder.
SAID = re.compile(r"(?<![\w/.])(?:[a-z_]+/)*[a-z_]+\.py\b")
#: Configs of a user, which docstrings name as well.
CONFIGS = re.compile(r"(etc|config)/\w+\.py")

MODULES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def found(name: str) -> Path | None:
    """Return the file of a name: of the package, or from the top of the project."""
    paths = [path for path in (PACKAGE / name, ROOT / name) if path.exists()]
    return paths[0] if paths else None


def has(tree: ast.AST, name: str) -> bool:
    """Return whether there is such a class, function, method or value."""
    first, _, rest = name.partition(".")
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == first:
            return not rest or has(node, rest)
        targets = [node.target] if isinstance(node, ast.AnnAssign) else []
        targets += node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == first for target in targets):
            return not rest
    return False


def docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_name_rooms_that_are_there(page: Path) -> None:
    for name, thing in NAMED.findall(page.read_text()):
        path = found(name)
        assert path is not None, name
        assert not thing or has(ast.parse(path.read_text()), thing), f"{name} has no {thing}"


def test_docstrings_name_rooms_that_are_there() -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in MODULES.items()
        for text in docstrings(tree)
        for name in SAID.findall(text)
        if not (CONFIGS.fullmatch(name) or found(name) or (path.parent / name).exists())
    }
    assert not missing
