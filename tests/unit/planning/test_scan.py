"""What a walk tells of what has changed, with numbers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import MOST
from inosync.planning.scan import Answer, Question, Scan
from inosync.rsync.filters import compile_filters

OLD, SINCE, NEW = 100, 200, 300


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int
    st_ctime_ns: int = OLD
    st_mtime_ns: int = OLD
    st_ino: int = 1
    st_nlink: int = 1
    st_dev: int = 1
    st_size: int = 0
    st_ctime: float = 0.0


def folder(ctime: int = OLD) -> Status:
    return Status(stat.S_IFDIR, ctime)


def file(ctime: int = OLD, mtime: int | None = None, inode: int = 1, names: int = 1) -> Status:
    return Status(stat.S_IFREG, ctime, ctime if mtime is None else mtime, inode, names)


@dataclass
class Tree:
    """What is there; ``b""`` is the source itself."""

    statuses: dict[bytes, Status]

    def look(self, path: bytes) -> Status | None:
        return self.statuses.get(path)

    def entries(self, path: bytes) -> Iterator[list[tuple[bytes, Status]]]:
        for other, status in self.statuses.items():
            parent, _, name = other.rpartition(b"/")
            if other and parent == path:
                yield [(name, status)]


def scan(tree: dict[bytes, Status], *questions: Question, rules: tuple[str, ...] = ()) -> list:
    made = Scan(questions, filters=compile_filters(rules), view=Tree(tree))
    for _ in made.steps():
        pass
    return made.answers()


def since(tree: dict[bytes, Status], moment: int = SINCE, **more: object) -> Answer:
    (answer,) = scan(tree, Question(moment), **more)
    return answer


TREE = {
    b"": folder(),
    b"f": file(NEW),
    b"same": file(SINCE, OLD),
    b"old": file(),
    b"link": Status(stat.S_IFLNK, NEW, OLD),
    b"a": folder(NEW),
    b"a/came": folder(NEW),
    b"a/came/old": file(),
    b"a/was": folder(),
    b"a/was/deep": folder(NEW),
    b"no": folder(NEW),
    b"no/f": file(NEW),
    b"no.tmp": file(NEW),
}
CHANGED = {
    Change(b"f", Kind.ENTRY),
    Change(b"same", Kind.ENTRY),
    Change(b"link", Kind.ENTRY),
    Change(b"a", Kind.LEVEL),
    Change(b"a/came", Kind.TREE),
    Change(b"a/was/deep", Kind.LEVEL),
}


def test_what_changed_since_then() -> None:
    found = since(TREE, rules=("no", "*.tmp"))
    assert found.changes == CHANGED
    assert found.named == frozenset()


def test_the_source_itself() -> None:
    assert since({b"": folder(NEW)}).changes == {Change(b"", Kind.LEVEL)}
    both = since({b"": folder(NEW), b"d": folder(NEW)}).changes
    assert both == {Change(b"", Kind.LEVEL), Change(b"d", Kind.TREE)}


def test_nothing_has_changed() -> None:
    assert since(TREE, NEW + 1).changes == set()


def test_the_highest_ctime_counts_whatever_was_asked() -> None:
    assert since(TREE, NEW + 1).highest == NEW
    assert since({b"": folder(7), b"a": folder(5), b"f": file(6)}).highest == 7
    assert since({b"": folder(5), b"a": folder(7)}).highest == 7


@pytest.mark.parametrize("tree", [{}, {b"f": file(NEW)}])
def test_a_source_that_is_gone_tells_nothing(tree: dict[bytes, Status]) -> None:
    assert since(tree) == Answer(set(), highest=0)


def test_a_source_that_was_rolled_back_is_known_by_its_highest_ctime() -> None:
    older, same = scan({b"": folder(7)}, Question(SINCE, reached=8), Question(SINCE, reached=7))
    assert older.older
    assert not same.older


def test_each_has_its_own_moment() -> None:
    tree = {b"": folder(), b"one": file(SINCE), b"two": file(NEW)}
    first, second, both = scan(
        tree, Question(SINCE), Question(NEW), Question(NEW, {(1, 9): frozenset()})
    )
    assert [change.path for change in first.changes] == [b"one", b"two"]
    assert [change.path for change in second.changes] == [b"two"]
    assert both.changes == second.changes


def test_all_names_of_a_file() -> None:
    tree = {
        b"": folder(),
        b"x": file(inode=7, names=4),
        b"y": file(inode=7, names=4),
        b"d": folder(),
        b"d/z": file(inode=7, names=4),
        b"d/no": file(inode=7, names=4),
        b"other": file(inode=8, names=2),
        b"single": file(inode=9),
    }
    known = frozenset([b"x"])
    asked = [
        Question(inodes={(1, 7): known}),
        Question(inodes={(2, 7): known, (1, 9): frozenset()}),
        Question(inodes={(1, 7): frozenset([b"x", b"y", b"d/z"])}),
    ]
    found, elsewhere, nothing_new = scan(tree, *asked, rules=("no",))
    assert set(found.changes.entries) == {b"x", b"y", b"d/z"}
    assert found.named == {(1, 7)}
    for answer in (elsewhere, nothing_new):
        assert (answer.changes, answer.named) == (set(), frozenset())


@pytest.mark.parametrize("kind", [file, folder])
def test_too_much_is_everything(kind) -> None:
    tree = Tree({b"": folder()})
    many = [(b"%d" % number, kind(NEW)) for number in range(MOST + 2)]
    made = Scan([Question(SINCE), Question(NEW + 1)], filters=compile_filters(()), view=tree)
    tree.entries = lambda path: [many] if path == b"" else ()
    for _ in made.steps():
        pass
    first, other = made.answers()
    assert first.changes is None
    assert other.changes == set()


def test_what_was_found_so_far_may_be_taken_but_names_of_one_file_go_together() -> None:
    twice = file(NEW, names=2)
    tree = {b"": folder(), b"f": twice, b"g": folder(NEW), b"h": twice, b"i": file(NEW)}
    made = Scan(
        [Question(SINCE), Question(inodes={(1, 7): frozenset()})],
        filters=compile_filters(()),
        view=Tree(tree),
    )
    taken = Changes()
    for _ in made.steps():
        taken.update(made.take(0))
    assert taken == {Change(b"g", Kind.LEVEL), Change(b"i", Kind.ENTRY)}
    first, _ = made.answers()
    assert first.changes == {Change(b"f", Kind.ENTRY), Change(b"h", Kind.ENTRY)}


def test_what_was_taken_counts_for_what_is_too_much() -> None:
    tree = Tree({b"": folder()})
    many = [[(b"%d-%d" % (lot, number), file(NEW)) for number in range(MOST)] for lot in range(2)]
    tree.entries = lambda path: many if path == b"" else ()
    made = Scan([Question(SINCE)], filters=compile_filters(()), view=tree)
    taken = sum(len(made.take(0)) for _ in made.steps())
    assert taken in range(MOST, MOST + 2)
    assert made.answers()[0].changes is None


def test_it_pauses_after_some_names_and_after_each_directory() -> None:
    made = Scan([Question(SINCE)], filters=compile_filters(()), view=Tree(TREE))
    directories = sum(1 for status in TREE.values() if stat.S_ISDIR(status.st_mode))
    assert sum(1 for _ in made.steps()) == len(TREE) - 1 + directories
