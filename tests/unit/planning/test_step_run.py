"""From an order to argv, with numbers: the steps before a run."""

from __future__ import annotations

import dataclasses
import stat

import pytest
from support.orders import IN_DOUBT, LEVEL, TOLD, TREE, Status, ask, batch, sight

from inosync.changes.changes import Change, Kind, Move
from inosync.planning.order import RunKind
from inosync.planning.steps import Clear, Relink, Renew
from inosync.rsync.filters import compile_filters
from inosync.rsync.program import Program

MOVED = batch(Change(b"b/new", Kind.TREE), moves=(Move(b"a/old", b"b/new"),))


@pytest.mark.parametrize(
    "more",
    [
        {"alone": False},
        {"owed": None},
        {"extra": ("-aH",)},
        {"program": Program((3, 1, 2))},
        {"seen": sight(sees_all=False)},
        {"seen": sight(spare=frozenset([b"disk"]))},
    ],
)
def test_what_speaks_against_steps(more: dict[str, object]) -> None:
    assert ask(MOVED, steps=None, **more).steps == ()  # type: ignore[arg-type]


def test_what_could_not_be_deleted_is_renewed_after_a_failure() -> None:
    stale = frozenset([b"a/f", b"b", b"gone"])
    what = ask(batch(LEVEL), steps=None, stale=stale, retried=True)
    assert what.steps == (Renew(frozenset([b"a/f", b"b"]), (b"./a/f", b"./b/", b"./b/new/")),)
    assert "--ignore-times" in what.argv
    assert ask(batch(LEVEL), steps=None, stale=stale).steps == ()
    excluded = sight(filters=compile_filters(("a", "b")))
    gone = ask(batch(LEVEL), steps=None, stale=frozenset([b"lost"]), retried=True, seen=excluded)
    assert gone.steps == ()


def test_what_old_versions_bar_makes_way_for_itself_first() -> None:
    more = {"steps": None, "barred": frozenset([b"a/f", b"b", b"gone"])}
    what = ask(batch(Change(b"a/f", Kind.ENTRY)), extra=("-b",), **more)  # type: ignore[arg-type]
    assert what.kind is RunKind.STEP
    assert what.steps == (Clear(b"a/f", (b"./a/f",)),)
    assert "--backup-dir=a/f~" in what.argv
    for extra in ((), ("-b", "--backup-dir=/old"), ("-b", "-L")):
        what = ask(batch(LEVEL), extra=extra, **more)  # type: ignore[arg-type]
        assert what.steps == (), extra


def test_steps_say_what_they_link_and_there_are_none_in_doubt() -> None:
    moved = batch(Change(b"b", Kind.TREE), moves=(Move(b"was", b"b"),))
    step = ask(moved, steps=(Relink(b"was", b"b", (), (), frozenset({b"was"})),))
    assert step.tells
    assert step.argv[-6:-3] == ("-ii", *TOLD)
    assert ask(moved, steps=None).steps
    assert ask(dataclasses.replace(moved, doubts=IN_DOUBT), steps=None).steps == ()


@pytest.mark.parametrize("rdelete", ["seen", "start", "never"])
def test_no_step_is_made_where_the_old_place_may_stay(rdelete: str) -> None:
    tree = TREE | {b"moved": Status(stat.S_IFDIR), b"moved/f": Status(stat.S_IFREG, 1 << 30)}
    moved = batch(Change(b"moved", Kind.TREE), moves=(Move(b"was", b"moved"),))
    assert ask(moved, seen=sight(tree), steps=None).kind is RunKind.STEP
    assert ask(moved, seen=sight(tree), steps=None, rdelete=rdelete).kind is RunKind.LISTED
    barred = {"extra": ("-b",), "barred": frozenset({b"a/f"}), "steps": None}
    entry = batch(Change(b"a/f", Kind.ENTRY))
    assert ask(entry, **barred).kind is RunKind.STEP
    assert ask(entry, **barred, rdelete=rdelete).kind is RunKind.LISTED
