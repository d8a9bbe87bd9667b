"""Which renames are worth steps of their own, and what these leave out."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from inosync.changes.batch import MOST_MOVES, Batch, chained
from inosync.changes.changes import Change, Changes, Kind, Move
from inosync.planning.renames import holds, steps
from inosync.planning.steps import Pave, Relink, Step
from inosync.rsync.filters import compile_filters

NOW = 10_000.0
MOVE = Move(b"a/old", b"b/new")
TOLD = {Change(b"a", Kind.LEVEL), Change(b"b/new", Kind.TREE)}


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int
    st_size: int = 0


class Tree:
    """A source: paths, those of directories with a slash at their end, and sizes of files."""

    def __init__(self, *paths: str, size: int = 500) -> None:
        self.found = {
            path.rstrip("/").encode(): Status(
                stat.S_IFDIR if path.endswith("/") else stat.S_IFREG, size
            )
            for path in paths
        }
        self.gone: set[bytes] = set()  # but listed

    def look(self, path: bytes) -> Status | None:
        return None if path in self.gone else self.found.get(path)

    def listing(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        for found, status in self.found.items():
            parent, _, name = found.rpartition(b"/")
            if parent == path:
                yield name, stat.S_ISDIR(status.st_mode)


TREE = ("a/", "b/", "b/new/", "b/new/f", "b/new/sub/", "b/new/sub/g", "b/new/sub/h")


def ask(
    *moves: Move,
    changes: set[Change] = TOLD,
    tree: Tree | None = None,
    rules: tuple[str, ...] = (),
    prefix: bytes = b"",
    least: int = 1000,
    reason: str = "",
) -> tuple[Step, ...]:
    tree = tree or Tree(*TREE)
    batch = Batch(NOW, len(changes), (), reason, Changes.of(changes), moves=moves or (MOVE,))
    return steps(
        batch,
        filters=compile_filters(rules, prefix=prefix),
        view=tree,
        least=least,
    )


def relinks(found: tuple[Step, ...]) -> list[Relink]:
    return [step for step in found if isinstance(step, Relink)]


def test_a_renamed_directory_is_linked_after_the_way_is_made() -> None:
    assert ask() == (
        Pave((b"./b/new",)),
        Relink(b"a/old", b"b/new", (), (), frozenset({b"a/old"})),
    )
    assert ask(prefix=b"www")[0] == Pave((b"www/b/new",))


def test_what_is_not_known_speaks_against_it() -> None:
    assert ask(reason="overflow") == ()
    for rule in (": .rules", "P own", "H *.o", "-p cache/", "-! x"):
        assert ask(rules=(rule,)) == ()
    tree = Tree(*TREE)
    batch = Batch(NOW, 1, moves=(MOVE,))
    assert batch.changes is None
    known = {"filters": compile_filters(()), "view": tree}
    assert steps(batch, **known) == ()  # type: ignore[arg-type]
    assert steps(Batch(NOW, 1, changes=Changes.of(TOLD)), **known) == ()  # type: ignore[arg-type]


def test_small_directories_are_sent() -> None:
    assert ask(least=1500)
    assert not ask(least=1501)
    assert not ask(tree=Tree(*TREE, size=0), least=601)
    assert ask(tree=Tree(*TREE, size=0), least=600)
    vanished = Tree(*TREE)
    vanished.gone = {b"b/new/f", b"b/new/sub/g", b"b/new/sub/h"}
    assert ask(tree=vanished, least=600)
    assert not ask(tree=vanished, least=601)
    many = Tree("b/", "b/new/", *(f"b/new/{number}" for number in range(2_000)), size=0)
    assert ask(tree=many, least=10**9)
    assert ask(least=0)


@pytest.mark.parametrize(
    "change",
    [
        Change(b"a/old", Kind.TREE),
        Change(b"a", Kind.TREE),
        Change(b"", Kind.TREE),
    ],
)
def test_what_was_not_there_before_is_no_basis(change: Change) -> None:
    assert not ask(changes=TOLD | {change})


def test_a_new_directory_above_the_new_place_does_no_harm() -> None:
    assert ask(changes=TOLD | {Change(b"b", Kind.TREE)})


@pytest.mark.parametrize(
    "paths",
    [
        ("a/", "a/old/", *TREE),  # made anew
        ("a/", "b/"),  # gone again
        ("a/", "b", "b/new/", "b/new/f"),  # below what is no directory
        ("a/", "b/", "b/new"),
    ],
)
def test_the_source_has_to_be_as_told(paths: tuple[str, ...]) -> None:
    assert not ask(tree=Tree(*paths), least=0)
    tree = Tree(*paths)
    relink = Relink(b"a/old", b"b/new", (), (), frozenset({b"a/old"}))
    assert not holds(relink, view=tree)
    assert holds(relink, view=Tree(*TREE))


def test_neither_end_may_be_excluded() -> None:
    assert not ask(rules=("new",))
    assert not ask(rules=("old",))
    assert ask(rules=("other",))


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (("*.tmp", "+ keep", "skip/"), ("*.tmp", "+ keep", "skip/")),
        (("/localhost", "*.tmp"), ("*.tmp",)),
        (("/x/y/z", "- /b/other/f", "+ /c/x*/f"), ()),
        (("/?/*/f",), None),
        (("/b/new/sub/g",), None),
        (("/a/old/cache",), None),  # what is in there would be linked, and stay
        (("sub/g",), None),
        (("/b/**/g",), None),
    ],
)
def test_rules_that_mean_something_else_below(
    rules: tuple[str, ...], kept: tuple[str, ...] | None
) -> None:
    found = relinks(ask(rules=rules))
    assert [relink.rules for relink in found] == ([] if kept is None else [kept])


def test_rules_count_from_the_top_of_the_transfer() -> None:
    assert not ask(rules=("/www/b/new/f",), prefix=b"www")
    assert ask(rules=("/b/new/f",), prefix=b"www")


def test_what_changed_inside_is_left_out() -> None:
    changes = TOLD | {
        Change(b"a/old/early", Kind.ENTRY),
        Change(b"b/new/late", Kind.WRITTEN),
        Change(b"b/new/more/made", Kind.TREE),
        Change(b"b/new/sub", Kind.LEVEL),
        Change(b"b/new", Kind.ENTRY),
        Change(b"c/else", Kind.ENTRY),
    }
    (relink,) = relinks(ask(changes=changes))
    assert relink.doubts == (b"early", b"late", b"more/made")


def test_too_much_in_doubt() -> None:
    many = {Change(b"b/new/%d" % number, Kind.ENTRY) for number in range(501)}
    assert not ask(changes=TOLD | many)
    assert not ask(changes=TOLD | {Change(b"b/new/" + b"n" * 1001, Kind.ENTRY)})


def test_renames_that_touch_each_other_are_left_alone() -> None:
    tree = Tree(*TREE, "c/", "c/f", "d/", "d/e/", "d/e/f")
    apart = Move(b"x", b"d/e")
    found = relinks(ask(MOVE, apart, tree=tree, least=200))
    assert [relink.new for relink in found] == [b"b/new", b"d/e"]
    swapped = (Move(b"a/old", b"b/new"), Move(b"b/new", b"a/old"))
    assert not ask(*swapped)
    above = Move(b"z", b"b")
    assert [relink.new for relink in relinks(ask(MOVE, above))] == [b"b"]
    assert not ask(MOVE, Move(b"a", b"z"))  # above the old place
    inner = Move(b"b/new/x", b"b/new/sub")
    assert [relink.new for relink in relinks(ask(MOVE, inner))] == [b"b/new"]
    deep = Move(b"b/new/deep", b"b/new")
    assert not ask(deep, changes={Change(b"b", Kind.LEVEL)})  # one inside of the other


def test_renames_of_renames_are_one() -> None:
    assert chained([Move(b"a", b"b"), Move(b"b", b"c")]) == (Move(b"a", b"c", (b"b",)),)
    assert chained([Move(b"a", b"b"), Move(b"b", b"a")]) == ()
    assert chained([Move(b"a", b"b"), Move(b"c", b"d")]) == (Move(b"a", b"b"), Move(b"c", b"d"))
    # The latest that came there goes on.
    found = chained([Move(b"a", b"b"), Move(b"c", b"b"), Move(b"b", b"d")])
    assert found == (Move(b"a", b"b"), Move(b"c", b"d", (b"b",)))
    (relink,) = relinks(ask(Move(b"x", b"b/new", (b"y",))))
    assert relink.gone == {b"x", b"y"}


def test_only_so_many_renames_are_remembered() -> None:
    assert len(chained(Move(b"a%d" % n, b"b%d" % n) for n in range(100))) == MOST_MOVES
    assert chained(Move(b"%d" % n, b"%d" % (n + 1)) for n in range(MOST_MOVES + 1)) == ()


@pytest.mark.parametrize("name", [b"[br]", b"b*", b"b?", b"\\[b"])
def test_no_path_goes_to_the_other_end_that_it_may_expand(name: bytes) -> None:
    tree = Tree(f"{name.decode()}/", f"{name.decode()}/f", size=5000)
    changes = {Change(name, Kind.TREE)}
    assert ask(Move(b"old", name), changes=changes, tree=tree) == ()


def test_nor_does_one_below_such_a_prefix() -> None:
    tree = Tree("new/", "new/f", size=5000)
    changes = {Change(b"new", Kind.TREE)}
    assert ask(Move(b"old", b"new"), changes=changes, tree=tree) != ()
    assert ask(Move(b"old", b"new"), changes=changes, tree=tree, prefix=b"w[1]") == ()
