"""Which variables a config script sets that nothing in it reads.

Knows no setting: whoever does may tell what is left for misspelt ones.
"""

from __future__ import annotations

import ast

#: Who calls one of these may read any variable.
_ANY = frozenset(("globals", "locals", "vars", "eval", "exec"))


def unread(tree: ast.Module) -> frozenset[str]:
    """Return the names that statements of the script itself set, each by itself, and none reads.

    A loop's variable and what is unpacked may well be there for nothing but its place.
    """
    read = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return frozenset() if read & _ANY else frozenset(_assigned(tree)) - read


def _assigned(tree: ast.Module) -> set[str]:
    """Return the names that are set outside of functions and classes."""
    found: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            continue
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
        todo += ast.iter_child_nodes(node)
    return found
