"""Variables that a script sets and nothing reads."""

from __future__ import annotations

import ast

import pytest

from inosync.config.unread import unread


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 1", {"a"}),
        ("a = b = 1", {"a", "b"}),
        ("a: int = 1\na += 2", {"a"}),
        ("if True:\n    a = 1\nelse:\n    b = 1", {"a", "b"}),
        ("try:\n    a = 1\nfinally:\n    with open('x') as f: b = 1", {"a", "b"}),
        ("for x in 'ab':\n    a = 1", {"a"}),
        ("match 1:\n    case 1: a = 1", {"a"}),
        ("a = 1\nb = a", {"b"}),
        ("a = []\na.append(1)", set()),
        ("a = 1\ndef f(): return a", set()),
        ("a = 1\nb = [a for x in 'x']\nc = f'{b}'", {"c"}),
        # for their place only
        ("a, b = 1, 2", set()),
        ("[a, *b] = 1, 2", set()),
        ("(x := 1)", set()),
        ("import os\nfrom os import path as p", set()),
        ("def f():\n    a = 1\nclass C:\n    b = 1", set()),
        ("f.a = 1\nf['x'] = 2", set()),
        # whoever does this may read anything
        ("a = 1\nb = '{a}'.format(**globals())", set()),
        ("a = 1\nexec('b = a')", set()),
    ],
)
def test_what_is_set_by_itself_and_never_read(text: str, found: set[str]) -> None:
    assert unread(ast.parse(text)) == found
