"""Renamed files: which of them get steps of their own."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from support.views import Seen

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Kind, Move
from inosync.planning.renamed_files import MOST_LINKED, MOST_PAIRS, Renamed, file_steps
from inosync.planning.renames import steps
from inosync.planning.steps import Fuzzy, Pave, Relink, Step
from inosync.rsync.filters import compile_filters

NOW = 10_000.0
#: A directory each with a file, and some that are gone.
THERE = ("a/", "b/", "c/", "b/f", "a/g")
MOVED = Move(b"a/f", b"b/f", file=True)
NAMED = Move(b"a/old", b"a/g", file=True)
LINKED = Relink(b"a", b"b", (), (), frozenset({b"a/f"}), (b"./f",))


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int
    st_size: int = 0


def ask(
    *moves: Move,
    there: Iterable[str] = THERE,
    changes: Iterable[Change] = (),
    rules: tuple[str, ...] = (),
    prefix: bytes = b"",
    size: int = 1000,
    **more: object,
) -> tuple[Step, ...]:
    """Return the steps for these renames, and `changes` besides those that they are themselves."""
    found = {
        path.rstrip("/").encode(): Status(
            stat.S_IFDIR if path.endswith("/") else stat.S_IFREG, size
        )
        for path in there
    }
    told = {Change(move.old.rpartition(b"/")[0], Kind.LEVEL) for move in moves}
    told |= {Change(move.new, Kind.ENTRY) for move in moves}
    return steps(
        Batch(NOW, len(moves), changes=frozenset({*told, *changes}), moves=moves),
        filters=compile_filters(rules, prefix=prefix),
        view=Seen(found.get),
        **{"per_run": 500, **more},  # type: ignore[arg-type]
    )


def test_a_file_in_another_directory_is_linked() -> None:
    assert ask(MOVED) == (Pave((b"./b",)), LINKED)
    assert ask(MOVED, prefix=b"www") == (Pave((b"www/b",)), LINKED)


def test_to_the_top_there_is_no_way_to_make() -> None:
    up = Move(b"a/f", b"f", file=True)
    assert ask(up, there=("a/", "f")) == (
        Relink(b"a", b"", (), (), frozenset({b"a/f"}), (b"./f",)),
    )
    assert ask(Move(b"f", b"a/f", file=True), there=("a/", "a/f")) == (
        Pave((b"./a",)),
        Relink(b"", b"a", (), (), frozenset({b"f"}), (b"./f",)),
    )


def test_a_file_with_another_name_is_made_of_what_is_beside_it() -> None:
    assert ask(NAMED) == (Fuzzy((b"./a/g",)),)
    assert ask(NAMED, prefix=b"www") == (Fuzzy((b"www/a/g",)),)
    assert ask(NAMED, delta=False) == ()


def test_with_both_it_is_sent() -> None:
    assert ask(Move(b"a/x", b"b/f", file=True)) == ()


def test_directories_go_first() -> None:
    there = (*THERE, "c/new/", "c/new/big")
    found = ask(MOVED, NAMED, Move(b"c/old", b"c/new"), there=there, least=0)
    assert [type(step) for step in found] == [Pave, Relink, Relink, Fuzzy]
    assert found[0] == Pave((b"./b", b"./c/new"))
    assert found[2] == LINKED


def test_small_files_are_sent() -> None:
    for move, enough in ((MOVED, 1000), (NAMED, 500)):
        assert ask(move, size=enough - 1) == ()
        assert ask(move, size=enough) != ()
    # Together they may be worth it.
    other = Move(b"a/h", b"b/h", file=True)
    (_, relink) = ask(MOVED, other, there=(*THERE, "b/h"), size=500)
    assert isinstance(relink, Relink)
    assert relink.names == (b"./f", b"./h")
    assert relink.gone == {b"a/f", b"a/h"}


def test_giants_are_linked_but_not_made_of_others() -> None:
    assert ask(MOVED, big=999) == ask(MOVED)
    assert ask(NAMED, big=999) == ()
    assert ask(NAMED, big=1000) != ()


@pytest.mark.parametrize("path", [b"a/f", b"a/f/x"])
def test_what_a_lane_still_owes_is_no_basis(path: bytes) -> None:
    assert ask(MOVED, owed=[path]) == ()
    assert ask(MOVED, owed=[b"b/f", b"c/x"]) == ask(MOVED)
    owed = (b"c/old/x", b"c/new/y")
    found = ask(Move(b"c/old", b"c/new"), there=(*THERE, "c/new/"), least=0, owed=owed)
    (relink,) = (step for step in found if isinstance(step, Relink))
    assert relink.doubts == (b"x",)


@pytest.mark.parametrize(
    "change",
    [
        Change(b"a/f", Kind.ENTRY),  # written before, or made anew
        Change(b"a/f", Kind.WRITTEN),
        Change(b"a/f", Kind.TREE),
        Change(b"a", Kind.TREE),
        Change(b"", Kind.TREE),
        Change(b"b/f/x", Kind.ENTRY),
    ],
)
def test_what_else_has_happened_speaks_against_a_link(change: Change) -> None:
    assert ask(MOVED, changes=[change]) == ()
    assert ask(MOVED, changes=[Change(b"b", Kind.TREE), Change(b"a/x", Kind.ENTRY)]) != ()


def test_one_that_is_not_sure_is_not_linked() -> None:
    assert ask(MOVED._replace(sure=False)) == ()
    assert ask(NAMED._replace(sure=False)) == ask(NAMED)


def test_what_was_made_under_the_old_name_was_in_the_making() -> None:
    changes = [Change(b"a/old", Kind.ENTRY)]
    assert ask(NAMED, changes=changes) == ()
    # It is there again: so it is the new one.
    assert ask(NAMED, changes=changes, there=(*THERE, "a/old")) == ask(NAMED)
    assert ask(NAMED, changes=[Change(b"a", Kind.TREE)]) == ()


@pytest.mark.parametrize("way", [Change(b"a/mid", Kind.ENTRY), Change(b"b", Kind.LEVEL)])
def test_on_its_way_it_may_have_had_other_names(way: Change) -> None:
    move = Move(b"a/f", b"b/f", (b"a/mid",), file=True)
    (_, relink) = ask(move, changes=[way])
    assert isinstance(relink, Relink)
    assert relink.gone == {b"a/f", b"a/mid"}
    assert ask(move, changes=[way], there=(*THERE, "a/mid")) == ()


@pytest.mark.parametrize(
    "there",
    [
        (*THERE, "a/f"),  # made anew
        ("a/", "b/"),
        ("a/", "b/", "b/f/"),
        ("a/", "b", "b/f"),
    ],
)
def test_the_source_has_to_be_as_told(there: tuple[str, ...]) -> None:
    assert ask(MOVED, there=there) == ()


def test_a_swap_is_sent() -> None:
    there = ("a/", "b/", "a/f", "b/f")
    assert ask(MOVED, Move(b"b/f", b"a/f", file=True), there=there) == ()


def test_two_that_came_to_one_path_are_sent() -> None:
    assert ask(MOVED, Move(b"c/f", b"b/f", file=True)) == ()


def test_logs_that_are_rotated() -> None:
    """Only the last one has a name that is free on the node; rsync finds that out."""
    moves = [Move(b"a/l.%d" % n, b"a/l.%d" % (n + 1), file=True) for n in (2, 1)]
    there = ("a/", "a/l.2", "a/l.3")
    assert ask(*moves, there=there) == (Fuzzy((b"./a/l.2", b"./a/l.3")),)


def test_inside_of_a_renamed_directory_it_is_sent() -> None:
    moves = (MOVED, Move(b"x", b"a"))
    assert not any(isinstance(step, Relink) and step.names for step in ask(*moves, least=0))
    assert ask(NAMED, Move(b"x", b"a"), least=0)[1:] == (
        Relink(b"x", b"a", (b"g",), (), frozenset({b"x"})),
    )


def test_excluded_it_is_sent() -> None:
    assert ask(MOVED, rules=("/a/f",)) == ()
    assert ask(MOVED, rules=("/b/f",)) == ()
    assert ask(MOVED, rules=("/b/",)) == ()
    assert ask(MOVED, rules=("other",)) != ()


def test_a_path_that_is_too_long() -> None:
    assert ask(Move(b"a/" + b"n" * 1000, b"a/g", file=True)) == ()


def renamed(count: int, *, pairs: int = 1) -> list[Renamed]:
    return [
        Renamed(Move(b"a%d/%d" % (n % pairs, n), b"b/%d" % n, file=True), size=count - n)
        for n in range(count)
    ]


def test_of_many_files_the_biggest_are_linked() -> None:
    ((relink,), names) = file_steps(renamed(MOST_LINKED + 5), per_run=1, big=0, delta=True)
    assert names == []
    assert len(relink.names) == MOST_LINKED
    assert b"./%d" % MOST_LINKED not in relink.names


def test_there_are_only_so_many_runs() -> None:
    (relinks, _) = file_steps(renamed(MOST_PAIRS + 1, pairs=20), per_run=1, big=0, delta=True)
    assert [relink.old for relink in relinks] == [b"a%d" % number for number in range(MOST_PAIRS)]
