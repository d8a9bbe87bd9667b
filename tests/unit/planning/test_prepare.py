"""From an order to the run that is due first."""

from __future__ import annotations

import dataclasses
import stat

import pytest
from support.configs import make_config, make_pair, make_source
from support.orders import (
    IN_DOUBT,
    NOW,
    PROGRAM,
    TREE,
    Status,
    ask,
    batch,
    cut_off,
    doubtful,
    sight,
)
from support.views import Seen

from inosync.changes.batch import full_pass
from inosync.changes.changes import Change, Kind, Move
from inosync.planning.order import Order, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.planning.slices import Course
from inosync.planning.steps import Pave, Relink
from inosync.rsync.filters import compile_filters

MOVED = batch(Change(b"b/new", Kind.TREE), moves=(Move(b"a/old", b"b/new"),))


def test_nothing_depends_on_what_was_prepared_before() -> None:
    order = Order(make_pair(make_source(), "/mirror"), RunKind.PASS, full_pass("x", NOW))
    again = [prepare(order, sight(), make_config(), PROGRAM) for _ in range(2)]
    assert again[0] == again[1]
    assert dataclasses.replace(order, limit=5) != order


def test_what_cannot_be_sliced_is_a_pass() -> None:
    for rules in ((": .rules",), ("/*", ".*", "/srv")):
        hidden = sight(filters=compile_filters(rules, prefix=b"srv"))
        assert cut_off(Course(), seen=hidden).kind is RunKind.PASS


def test_a_step_that_does_not_hold_any_more_ends_them_all() -> None:
    relink = Relink(b"a/f", b"b/new", (), (), frozenset([b"a/f"]))
    what = ask(MOVED, steps=(relink, Pave((b"./b",))))
    assert (what.kind, what.steps, what.gone) == (RunKind.LISTED, (), frozenset())


@pytest.mark.parametrize(
    ("changes", "most", "settings", "kind"),
    [
        ([b"a/f"], 1, {}, RunKind.LISTED),
        ([b"a/f", b"big"], 1, {}, RunKind.REHEARSAL),
        ([b"a/f", b"big"], 0, {}, RunKind.REHEARSAL),
        ([b"a/f", b"big"], 2, {}, RunKind.LISTED),
        ([b"a/f"], None, {"limit": 3}, RunKind.REHEARSAL),
        ([b"a/f"], 9, {"limit": 3}, RunKind.REHEARSAL),
        ([b"a/f"], 9, {"rscope": "tree"}, RunKind.REHEARSAL),
        # What vanished is a level of its directory, and all that is in that is looked at.
        ([b"a/gone"], 2, {}, RunKind.REHEARSAL),
        ([b"a/gone"], 3, {}, RunKind.LISTED),
        ([], 9, {"stale": frozenset({b"a/f"})}, RunKind.LISTED),
        ([], 1, {"stale": frozenset({b"a/f"})}, RunKind.REHEARSAL),
        ([b"/".join([b"d" * 200] * 21)], 9, {}, RunKind.REHEARSAL),
    ],
)
def test_a_run_that_is_at_few_files_is_not_rehearsed(
    changes: list[bytes], most: int | None, settings: dict, kind: RunKind
) -> None:
    long = b"/".join([b"d" * 200] * 21)
    tree = TREE | {long: Status(stat.S_IFREG)}
    while long := long.rpartition(b"/")[0]:
        tree[long] = Status(stat.S_IFDIR)
    named = batch(*(Change(path, Kind.ENTRY) for path in changes))
    what = ask(named, RunKind.REHEARSAL, most=most, seen=sight(tree), **settings)
    assert what.kind is kind
    assert ("--dry-run" in what.argv) is (kind is RunKind.REHEARSAL)


def test_what_need_not_be_rehearsed_is_looked_at_no_more_than_once() -> None:
    looked: list[bytes] = []

    def look(path: bytes) -> Status | None:
        looked.append(path)
        return TREE.get(path)

    counted: list[int] = []
    named = batch(*(Change(path, Kind.ENTRY) for path in (b"a/f", b"b/new/g", b"big")))
    for kind in (RunKind.PASS, RunKind.REHEARSAL):
        looked.clear()
        assert ask(named, kind, most=9, seen=Sight(Seen(look), compile_filters(()))).names
        counted.append(len(looked))
    assert counted[0] == counted[1] > 0


def test_only_contents_in_doubt_are_nothing_to_carry() -> None:
    for scope in ("tree", "changes"):
        what = ask(doubtful(), rscope=scope)
        assert (what.kind, what.names) == (RunKind.LISTED, ())
        assert what.candidates == IN_DOUBT.files


def test_the_steps_of_a_rename_come_one_after_the_other() -> None:
    first = ask(MOVED, steps=None)
    assert first.kind is RunKind.STEP
    assert first.names == (b"./b/new",)
    assert not first.listed
    assert isinstance(first.steps[0], Pave)  # type: ignore[index]
    relink = first.steps[1]  # type: ignore[index]
    assert relink == Relink(b"a/old", b"b/new", (), (), frozenset([b"a/old"]))
    second = ask(MOVED, steps=(relink,))
    assert (second.kind, second.names, second.gone) == (RunKind.STEP, None, {b"a/old"})
    assert second.argv[:3] == ("/usr/bin/rsync", "-ltrp", "--link-dest=../../a/old")
    assert second.argv[-2:] == ("/srv/www/b/new/", "/mirror/b/new/")
    last = ask(MOVED, steps=(), stale=second.gone)
    assert (last.kind, last.names) == (RunKind.LISTED, (b"./a/", b"./b/new/"))
