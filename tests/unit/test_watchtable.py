"""Which watched directory lies in which: the table against a dictionary of pairs."""

from __future__ import annotations

import random

from inosync.watchtable import WatchTable


def tree() -> WatchTable:
    """The root 1, holding "a" (2), which holds "b" (3); all far apart."""
    table = WatchTable(1)
    table.put(200, 1, b"a")
    table.put(100_000, 200, b"b")
    return table


def test_a_path_leads_from_the_root() -> None:
    table = tree()
    assert [table.path(wd) for wd in (1, 200, 100_000)] == [b"", b"a", b"a/b"]
    assert (table.parent(100_000), table.name(100_000)) == (200, b"b")
    assert table.parent(1) == 0


def test_a_rename_moves_what_lies_below() -> None:
    table = tree()
    table.put(200, 1, b"z")
    assert table.path(100_000) == b"z/b"
    assert len(table) == 3


def test_what_is_unknown_has_no_path() -> None:
    table = tree()
    assert [table.path(wd) for wd in (0, 2, 201, 5000)] == [None] * 4
    assert [table.parent(wd) for wd in (0, 2, 201, 5000)] == [0] * 4
    assert not any(wd in table for wd in (0, 2, 201, 5000))


def test_what_was_cut_off_has_no_path_nor_what_lies_in_it() -> None:
    table = tree()
    table.cut_off(200)
    assert 200 in table
    assert (table.name(200), table.parent(200)) == (b"a", 0)
    assert table.path(200) is table.path(100_000) is None


def test_what_lies_in_a_directory_that_is_gone_has_no_path() -> None:
    table = tree()
    table.drop(200)
    assert table.path(100_000) is None
    assert not table.within(100_000, 1)
    assert list(table) == [1, 100_000]


def test_within() -> None:
    table = tree()
    assert table.within(100_000, 1)
    assert table.within(100_000, 100_000)
    assert not table.within(1, 100_000)
    assert not table.within(200, 7)


def test_any_sequence_is_kept_as_a_dictionary_would() -> None:
    dice = random.Random(20261121)
    table, known = WatchTable(1), {1: (0, b"")}
    for step in range(5000):
        wd = dice.randrange(2, 400)
        if dice.random() < 0.5:
            table.drop(wd)
            known.pop(wd, None)
        else:
            table.put(wd, dice.choice(sorted(known)), b"%d" % step)
            known[wd] = (table.parent(wd), b"%d" % step)
        assert (wd in table) == (wd in known)
        assert len(table) == len(known)
    assert {wd: (table.parent(wd), table.name(wd)) for wd in table} == known
