"""Slices cut off a pass, with numbers."""

from __future__ import annotations

import random
import stat
from typing import NamedTuple

import pytest
from support.views import Seen

from inosync.planning.cutting import MOST_AT_ONCE, cut, cut_beside, small
from inosync.planning.file_list import LONGEST_LIST
from inosync.planning.scales import GRAIN
from inosync.planning.slices import Course, Part, Reach, Slice, Todo, course_of
from inosync.rsync.filters import compile_filters

ALL = compile_filters(())


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int = stat.S_IFREG
    st_size: int = 0
    st_nlink: int = 1
    st_ctime: float = 0.0


def directory(ctime: float = 0.0) -> Status:
    return Status(stat.S_IFDIR, st_ctime=ctime)


class Tree:
    """A source by its paths; counts what is read."""

    def __init__(self, paths: dict[bytes, Status]) -> None:
        self.paths = paths
        self.read = 0
        self._inside: dict[bytes, list[tuple[bytes, bool]]] = {}
        for path, status in paths.items():
            parent, _, name = path.rpartition(b"/")
            self._inside.setdefault(parent, []).append((name, stat.S_ISDIR(status.st_mode)))

    def listing(self, path: bytes):
        for entry in self._inside.get(path, ()):
            self.read += 1
            yield entry

    @property
    def view(self) -> Seen:
        return Seen(self.paths.get, self.listing)

    @property
    def directories(self) -> set[bytes]:
        return {b"", *(path for path, s in self.paths.items() if stat.S_ISDIR(s.st_mode))}

    def below(self, path: bytes) -> set[bytes]:
        return {d for d in self.directories if d == path or d.startswith(path + b"/")}


def flat(directories: int, files: int) -> Tree:
    paths = {}
    for number in range(directories):
        paths[b"d%d" % number] = directory()
        for other in range(files):
            paths[b"d%d/f%d" % (number, other)] = Status()
    return Tree(paths)


def all_slices(tree: Tree, budget: int, course: Course | None = None, filters=ALL) -> list[Slice]:
    course, found = course or Course(), []
    while not course.over:
        piece, course = cut(course, budget, view=tree.view, filters=filters)
        found.append(piece)
        assert len(found) < 10_000
    return found


def test_the_levels_above_come_first_and_then_whole_subtrees():
    first, *others = all_slices(flat(10, 9), 30)
    assert (list(first.changes.levels), first.trees) == ([b""], ())
    assert {tree for piece in others for tree in piece.trees} == {b"d%d" % n for n in range(10)}
    assert [len(piece.trees) for piece in others] == [3, 3, 3, 1]


def test_what_changed_last_comes_first():
    tree = Tree({b"old": directory(1), b"new": directory(3), b"mid": directory(2)})
    trees = [tree for piece in all_slices(tree, 1) for tree in piece.trees]
    assert trees == [b"new", b"mid", b"old"]


def test_what_is_gone_when_it_is_asked_for_is_the_oldest():
    tree = Tree({b"here": directory(1), b"gone": directory(2)})
    view = Seen(lambda path: None if path == b"gone" else tree.paths[path], tree.listing)
    _, course = cut(Course(), 1, view=view, filters=ALL)
    piece, _ = cut(course, 9, view=view, filters=ALL)
    assert piece.trees == (b"here", b"gone")


def test_a_directory_that_is_too_much_is_split():
    tree = flat(1, 0)
    tree = Tree({**tree.paths, **{b"d0/s%d" % n: directory() for n in range(20)}})
    first, *others = all_slices(tree, 10)
    assert list(first.changes.levels) == [b"", b"d0"]
    assert all(len(piece.trees) in (10, 0) for piece in others)


def test_what_the_rules_exclude_is_never_named():
    tree = Tree({**flat(3, 2).paths, b"d0/no": directory(), b"d0/no/f": Status()})
    filters = compile_filters(("/d1", "no"))
    found = all_slices(tree, 4, filters=filters)
    assert {t for piece in found for t in piece.trees} == {b"d0", b"d2"}
    assert sum(piece.amount.directories for piece in found) == 3


def test_an_empty_source_is_one_slice():
    (piece,) = all_slices(Tree({}), 100)
    assert (list(piece.changes.levels), piece.trees) == ([b""], ())


def test_many_trees_are_more_than_one_command_line():
    assert {len(p.trees) for p in all_slices(flat(1100, 0), 100_000)} == {0, 500, 100}


def test_long_names_are_more_than_one_command_line():
    tree = Tree({b"%0200d" % n: directory() for n in range(501)})
    assert sorted(len(p.trees) for p in all_slices(tree, 1000)) == [0, 1, 500]
    tree = Tree({b"%0240d" % n: directory() for n in range(501)})
    assert sorted(len(p.trees) for p in all_slices(tree, 1000)) == [0, 84, 417]


def test_sizes_count_when_most_is_to_be_sent():
    paths = {b"a": directory(), b"b": directory()}
    paths |= {b"%s/f%d" % (top, n): Status(st_size=GRAIN * 9) for top in paths for n in range(4)}
    tree = Tree(paths)
    assert [p.trees for p in all_slices(tree, 50, Course(sizes=True)) if p.trees] == [
        (b"b",),
        (b"a",),
    ]
    assert [p.trees for p in all_slices(tree, 50) if p.trees] == [(b"b", b"a")]


def test_the_big_files_of_one_directory_travel_in_parts_and_then_its_level():
    tree = Tree({b"f%d" % n: Status(st_size=GRAIN * 4) for n in range(7)})
    found = all_slices(tree, 10, Course(sizes=True))
    assert [sorted(piece.changes.entries) for piece in found] == [
        [b"f0", b"f1"],
        [b"f2", b"f3"],
        [b"f4", b"f5"],
        [b"f6"],
    ]
    assert [list(piece.changes.levels) for piece in found] == [[], [], [], [b""]]


def test_few_files_travel_with_their_level():
    (piece,) = all_slices(Tree({b"f": Status(st_size=5)}), 10, Course(sizes=True))
    assert (list(piece.changes.entries), list(piece.changes.levels)) == ([], [b""])


def test_files_wait_for_the_trees_before_them():
    course = Course(
        todo=Todo(
            Part(Reach.TREE, b"d0"),
            Todo(Part(Reach.LEVEL, b""), None),
        )
    )
    first, second = all_slices(flat(1, 1), 100, course)
    assert (first.trees, list(second.changes.levels)) == ((b"d0",), [b""])


@pytest.mark.parametrize("seed", range(60))
def test_all_together_name_each_directory_once(seed):
    chance = random.Random(seed)
    paths: dict[bytes, Status] = {}
    homes = [b""]
    for number in range(chance.randrange(1, 400)):
        home = chance.choice(homes)
        path = (home + b"/" if home else b"") + b"%d" % number
        if chance.random() < 0.3:
            homes.append(path)
            paths[path] = directory(chance.random())
        else:
            paths[path] = Status(st_size=chance.choice([0, GRAIN, GRAIN * 30]))
    tree, budget = Tree(paths), chance.randrange(1, 60)
    course = Course(sizes=chance.random() < 0.5)
    named: list[bytes] = []
    sent: list[bytes] = []
    while not course.over:
        most = chance.randrange(1, 5)
        pieces, course = cut_beside(course, budget, most, view=tree.view, filters=ALL)
        assert 1 <= len(pieces) <= most
        for piece in pieces:
            assert not (piece.trees and piece.changes)
            assert piece.trees or piece.changes
            assert len(pieces) == 1 or not piece.changes.levels
            for top in piece.trees:
                named += tree.below(top)
            named += piece.changes.levels
            sent += piece.changes.entries
    assert sorted(named) == sorted(tree.directories)
    assert len(sent) == len(set(sent))
    assert course.done.directories == len(tree.directories)
    assert not course.known


def test_slices_that_are_made_at_once():
    tree = flat(8, 3)
    first, course = cut_beside(Course(), 8, 4, view=tree.view, filters=ALL)
    assert [list(piece.changes.levels) for piece in first] == [[b""]]  # what is below comes after
    then, course = cut_beside(course, 8, 3, view=tree.view, filters=ALL)
    assert [len(piece.trees) for piece in then] == [2, 2, 2]
    rest, course = cut_beside(course, 8, 3, view=tree.view, filters=ALL)
    assert [len(piece.trees) for piece in rest] == [2]
    assert course.over
    # To cut them all takes no longer than to cut one.
    (one, other), _ = cut_beside(
        course_of(
            [("tree", b"d0"), ("tree", b"d1")], sizes=False, weight=1, directories=1, files=0
        ),
        MOST_AT_ONCE,
        2,
        view=flat(2, MOST_AT_ONCE // 2 - 1).view,
        filters=ALL,
    )
    assert (one.trees, other.trees) == ((b"d0",), (b"d1",))


def test_little_is_read_twice():
    tree = flat(100, 100)
    all_slices(tree, 1000)
    assert tree.read < 2.6 * len(tree.paths)


def test_what_one_slice_would_carry_needs_none():
    tree = flat(2, 3)
    assert small(Course(), 9, view=tree.view, filters=ALL)
    assert not small(Course(), 8, view=tree.view, filters=ALL)
    _, begun = cut(Course(), 1, view=tree.view, filters=ALL)
    assert not small(begun, 9, view=tree.view, filters=ALL)


def test_pieces_that_were_not_made_are_left():
    course = Course()
    pieces = []
    tree = Tree({b"f%d" % n: Status(st_size=GRAIN * 4) for n in range(7)} | flat(3, 2).paths)
    course = Course(sizes=True)
    while not course.over:
        piece, course = cut(course, 10, view=tree.view, filters=ALL)
        pieces.append(piece)
    left = course.with_pieces(pieces)
    assert left.done == (0, 0, 0)
    assert set(left.parts(99)) == {
        ("files", b""),
        ("level", b""),
        ("tree", b"d0"),
        ("tree", b"d1"),
        ("tree", b"d2"),
    }
    assert left.parts(3) is None
    again = course_of(left.parts(99), sizes=True, weight=0, directories=0, files=0)
    assert again == left
    assert {t for p in all_slices(tree, 10, again) for t in p.trees} == {b"d0", b"d1", b"d2"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("count", [1_999, 2_000, 2_001, 4_000, 12_000])
@pytest.mark.parametrize("budget", [100, 3_000, 50_000])
def test_a_crowded_directory_is_made_with_few_names_at_once(count: int, budget: int) -> None:
    """Each slice ends, each file has its turn, and the level comes last."""
    tree = Tree({b"d": directory()} | {b"f%d" % number: Status() for number in range(count)})
    course, entries, levels = Course(sizes=True), list[bytes](), list[bytes]()
    while not course.over:
        piece, course = cut(course, budget, view=tree.view, filters=ALL)
        assert len(piece.changes) <= LONGEST_LIST
        assert len(course.files) <= 2_000
        assert not (levels and piece.changes.entries)
        entries += piece.changes.entries
        levels += piece.changes.levels
    assert levels.count(b"") == 1
    if entries:  # else the level carried them all
        assert sorted(entries) == sorted(path for path in tree.paths if path != b"d")
    assert (course.done.files, bool(course.listed)) == (count, False)
