"""Which watched directory lies in which: the table against a dictionary of pairs."""

from __future__ import annotations

import random

from inosync.watch.table import WatchTable


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
    assert sorted(table) == [1, 100_000]


def test_within() -> None:
    table = tree()
    assert table.within(100_000, 1)
    assert table.within(100_000, 100_000)
    assert not table.within(1, 100_000)
    assert not table.within(200, 7)


def test_what_was_dropped_takes_no_room() -> None:
    table = tree()
    table.drop(100_000)
    table.put(300, 1, b"c")
    table.drop(300)
    table.put(1, 0, b"")
    assert sorted(table) == [1, 200]
    assert len(table._blocks) == 1


def test_strays_are_cut_off_or_lie_in_what_is() -> None:
    table = tree()
    table.put(300, 1, b"c")
    table.put(301, 300, b"d")
    assert table.strays() == []
    table.cut_off(200)
    assert sorted(table.strays()) == [200, 100_000]
    table.drop(300)
    assert sorted(table.strays()) == [200, 301, 100_000]


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


def test_what_was_noted_by_path() -> None:
    table = tree()
    table.put(300, 1, b"c")
    table.cut_off(300)
    table.put(301, 300, b"d")
    table.put(201, 200, b"b2")
    noted = {wd: {b"%d" % wd: wd} for wd in (1, 100_000, 201, 200, 300, 301, 5000, -1, 0)}
    assert table.by_path(noted) == {
        b"": {b"1": 1},
        b"a": {b"200": 200},
        b"a/b": {b"100000": 100_000},
        b"a/b2": {b"201": 201},
    }


def test_paths_of_many_are_those_of_each() -> None:
    dice = random.Random(20261122)
    table = WatchTable(1)
    for wd in range(2, 500):
        table.put(wd, dice.randrange(1, wd), b"%d" % wd)
    for wd in dice.sample(range(2, 500), 40):
        dice.choice((table.drop, table.cut_off))(wd)
    wds = dice.sample(range(500), 500)
    told = {table.path(wd): {b"": wd} for wd in wds if table.path(wd) is not None}
    assert len(told) > 100
    assert table.by_path({wd: {b"": wd} for wd in wds}) == told


def test_two_directories_that_seem_to_have_one_path_share_what_was_noted() -> None:
    """One has left, and the other has come in its place; which one will be known later."""
    table = tree()
    table.put(201, 1, b"a")
    noted = {200: {b"f": 1, b"g": 1}, 201: {b"g": 2, b"h": 2}}
    assert table.by_path(noted) == {b"a": {b"f": 1, b"g": 3, b"h": 2}}
