"""How changes become the list that a run names."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from support.configs import make_source
from support.trees import HOSTILE_NAMES
from support.views import Seen

from inosync.changes.changes import Change, Kind
from inosync.planning.file_list import (
    CROWD,
    CROWDED,
    Plan,
    homes,
    list_options,
    longest_list,
    plan,
    top,
)
from inosync.rsync.filters import Filters, compile_filters

ENTRY, LEVEL, TREE, WRITTEN = Kind.ENTRY, Kind.LEVEL, Kind.TREE, Kind.WRITTEN


class Status(NamedTuple):
    st_mode: int
    st_nlink: int = 1
    st_dev: int = 1
    st_ino: int = 7


FILE = Status(stat.S_IFREG | 0o644)
LINKED = Status(stat.S_IFREG | 0o644, 2)
FOLDER = Status(stat.S_IFDIR | 0o755, 3)
SYMLINK = Status(stat.S_IFLNK | 0o777)
FIFO = Status(stat.S_IFIFO | 0o600, 2)

ENDINGS = {"/": FOLDER, "@": SYMLINK, "=": LINKED, "|": FIFO}


@dataclass(frozen=True)
class Tree:
    """What is there: paths, and what lstat(2) says of each."""

    statuses: dict[bytes, Status]

    def look(self, path: bytes) -> Status | None:
        assert path, "the source itself may be a link"
        assert not path.endswith(b"/")
        return self.statuses.get(path)

    def listing(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        for other, status in self.statuses.items():
            parent, _, name = other.rpartition(b"/")
            if parent == path:
                yield name, stat.S_ISDIR(status.st_mode)


def tree(*paths: str | bytes) -> Tree:
    """Return a tree of paths; an ending tells those that are no ordinary files, as ``ls -F``."""
    statuses = {}
    for path in paths:
        name = path.encode() if isinstance(path, str) else path
        ending = name[-1:].decode("latin-1")
        status = ENDINGS.get(ending, FILE)
        statuses[name if status is FILE else name[:-1]] = status
    return Tree(statuses)


def planned(
    there: Tree, *changes: tuple[str | bytes, Kind], filters: Filters | None = None, **more: object
) -> Plan:
    return plan(
        [Change(p.encode() if isinstance(p, str) else p, kind) for p, kind in changes],
        filters=filters or compile_filters([]),
        view=there,
        **more,
    )


def entries(there: Tree, *changes: tuple[str | bytes, Kind], **more: object) -> list[str]:
    made = planned(there, *changes, **more)
    assert made.full == ""
    return [entry.decode() for entry in made.entries]


SMALL = tree("f", "a/", "a/g", "a/b/", "a/b/h", "a/b/c/", "a/b/c/i", "l@", "e/")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], []),
        # A file, a link or a directory itself: its name.
        ([("f", ENTRY)], ["./f"]),
        ([("a/b/h", ENTRY)], ["./a/b/h"]),
        ([("a/b/h", WRITTEN)], ["./a/b/h"]),
        ([("a/b", ENTRY)], ["./a/b"]),
        ([("l", ENTRY)], ["./l"]),
        # The source itself has no name without its content.
        ([("", ENTRY)], ["./"]),
        # Something vanished from it: one level.
        ([("", LEVEL)], ["./"]),
        ([("a/b", LEVEL)], ["./a/b/"]),
        # A tree: each directory in it.
        ([("a", TREE)], ["./a/", "./a/b/", "./a/b/c/"]),
        ([("e", TREE)], ["./e/"]),
        ([("", TREE)], ["./", "./a/", "./a/b/", "./a/b/c/", "./e/"]),
        ([("a", TREE), ("a/b", TREE), ("a/b/c", LEVEL)], ["./a/", "./a/b/", "./a/b/c/"]),
        # What a level or a tree holds is not named again.
        ([("a/g", ENTRY), ("a/b", ENTRY), ("a", LEVEL), ("a", ENTRY)], ["./a/"]),
        ([("a/b", ENTRY), ("a/b", LEVEL)], ["./a/b/"]),
        ([("a/b/h", ENTRY), ("a", LEVEL)], ["./a/", "./a/b/h"]),
        ([("a/b/c/i", ENTRY), ("a", TREE)], ["./a/", "./a/b/", "./a/b/c/"]),
        # Twice is once, and the order is that of the names.
        ([("f", ENTRY), ("a/g", ENTRY), ("f", ENTRY)], ["./a/g", "./f"]),
    ],
)
def test_what_is_named(changes: list[tuple[str, Kind]], expected: list[str]) -> None:
    assert entries(SMALL, *changes) == expected


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("gone", ENTRY, "./"),
        ("a/gone", ENTRY, "./a/"),
        ("a/gone", LEVEL, "./a/"),
        ("a/gone", TREE, "./a/"),
        ("a/gone/x/y", ENTRY, "./a/"),
        ("a/gone/x/y", TREE, "./a/"),
        ("gone/x", LEVEL, "./"),
        # Files and links in the place of directories; a link is never followed.
        ("a/f", LEVEL, "./a/"),
        ("a/f/x", ENTRY, "./a/"),
        ("a/l", TREE, "./a/"),
        ("a/l", LEVEL, "./a/"),
        ("a/l/x", ENTRY, "./a/"),
        ("a/l/x/y/z", TREE, "./a/"),
        ("l/x", ENTRY, "./"),
    ],
)
def test_what_is_not_there_is_left_to_its_deepest_real_directory(
    path: str, kind: Kind, expected: str
) -> None:
    # What the links lead to may well be there.
    there = tree("a/", "a/f", "a/l@", "l@", "d/", "a/l/x", "a/l/x/y", "a/l/x/y/z/", "l/x")
    assert entries(there, (path, kind)) == [expected]


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("a/skip", ENTRY, ["./a/"]),
        ("a/skip/x", ENTRY, ["./a/"]),
        ("a/skip", LEVEL, ["./a/"]),
        ("a", TREE, ["./a/", "./a/b/"]),
        # Only directories of this name are excluded, only files of that.
        ("a/only", ENTRY, ["./a/only"]),
        ("a/b/only", ENTRY, ["./a/b/"]),
        ("anchored", ENTRY, ["./"]),
        ("a/anchored", ENTRY, ["./a/anchored"]),
    ],
)
def test_what_is_excluded_by_now_is_never_named(path: str, kind: Kind, expected: list[str]) -> None:
    there = tree("a/", "a/b/", "a/skip/", "a/skip/x", "a/only", "a/b/only/", "a/b/only/f")
    there.statuses.update(tree("anchored", "a/anchored").statuses)
    filters = compile_filters(["skip", "only/", "/anchored"])
    assert entries(there, (path, kind), filters=filters) == expected


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("a/mnt", LEVEL, ["./a/"]),
        ("a/mnt/x", ENTRY, ["./a/"]),
        ("a/mnt", ENTRY, ["./a/"]),
        ("a", TREE, ["./a/"]),
    ],
)
def test_what_is_to_be_left_alone_is_never_named(
    path: str, kind: Kind, expected: list[str]
) -> None:
    there = tree("a/", "a/mnt/", "a/mnt/x")
    assert entries(there, (path, kind), spare={b"a/mnt"}) == expected
    assert entries(there, (path, kind), hide={b"a/mnt"}) == expected


def test_a_file_that_is_to_be_deleted_or_left_alone_is_never_named() -> None:
    there = tree("a/", "a/f", "a/g")
    assert entries(there, ("a/f", ENTRY), ("a/g", ENTRY), hide={b"a/f"}) == ["./a/"]
    assert entries(there, ("a/f", ENTRY), ("a/g", ENTRY), spare={b"a/f"}) == ["./a/"]


def test_names_begin_with_the_prefix() -> None:
    filters = compile_filters(["/bar/baz/no"], prefix=b"bar/baz")
    there = tree("a/", "a/f", "no")
    assert entries(there, ("", LEVEL), filters=filters) == ["bar/baz/"]
    assert entries(there, ("a/f", ENTRY), filters=filters) == ["bar/baz/a/f"]
    assert entries(there, ("a", TREE), filters=filters) == ["bar/baz/a/"]
    assert entries(there, ("no", ENTRY), filters=filters) == ["bar/baz/"]


@pytest.mark.parametrize("prefix", [b"", b"www", b"#a/b"])
def test_where_a_list_writes(prefix: bytes) -> None:
    there = tree("a/", "a/f", "a/l/", "a/l/g", "e")
    changes = (("a/f", ENTRY), ("a/l", LEVEL), ("e", ENTRY))
    names = planned(there, *changes, filters=compile_filters((), prefix=prefix)).entries
    assert homes(names, prefix) == {b"a", b"a/l", b""}
    names = planned(there, ("", LEVEL), filters=compile_filters((), prefix=prefix)).entries
    assert homes(names, prefix) == {b""}


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, b"#", b"; x", b"-", b"-- ", b".x"])
def test_hostile_names_stay_as_they_are(name: bytes) -> None:
    there = Tree({name: FOLDER, name + b"/" + name: FILE})
    assert planned(there, (name + b"/" + name, ENTRY)).entries == (b"./" + name + b"/" + name,)
    assert planned(there, (name, TREE)).entries == (b"./" + name + b"/",)


@pytest.mark.parametrize(
    ("path", "kind", "linked"),
    [
        ("one", ENTRY, False),
        ("two", ENTRY, True),
        ("two", WRITTEN, True),
        ("d", ENTRY, False),  # a directory has a name for each of those in it
        ("p", ENTRY, False),  # is never sent
        ("no", ENTRY, False),  # excluded
        ("", LEVEL, False),  # names changed, not contents
        ("t", TREE, True),
        ("t/u", TREE, True),
        ("v", TREE, False),
    ],
)
def test_a_file_with_more_names_is_reported(path: str, kind: Kind, linked: bool) -> None:
    there = tree("one", "two=", "d/", "p|", "no=", "t/", "t/u/", "t/u/one", "t/u/two=")
    there.statuses.update(tree("v/", "v/one", "v/no=", "v/d/").statuses)
    assert bool(planned(there, (path, kind), filters=compile_filters(["no"])).linked) == linked


def test_a_file_with_more_names_is_reported_when_its_directory_is_named() -> None:
    there = tree("d/", "d/two=")
    both = planned(there, ("d/two", ENTRY), ("d", LEVEL))
    assert both == Plan((b"./d/",), linked={(1, 7): frozenset([b"d/two"])})


def test_names_that_a_list_has_all_are_not_reported() -> None:
    there = tree("d/", "d/two=", "e/", "e/two=")
    assert planned(there, ("d/two", ENTRY), ("e", TREE)).linked == {}
    assert planned(there, ("d/two", ENTRY), ("d", TREE)).linked
    assert planned(there, ("d/two", ENTRY), named=[(1, 7)]).linked == {}
    assert planned(there, ("d/two", ENTRY), named=[(2, 7)]).linked


def crowd(count: int, changed: int) -> tuple[Tree, list[tuple[str, Kind]]]:
    names = [f"d/{number:04}" for number in range(count)]
    return tree("d/", *names), [(name, ENTRY) for name in names[:changed]]


@pytest.mark.parametrize(
    ("count", "changed", "folded"),
    [
        (CROWD - 1, CROWD - 1, False),
        (CROWD, CROWD, True),
        (CROWD * CROWDED, CROWD, True),
        (CROWD * CROWDED + 1, CROWD, False),
        (CROWD * CROWDED + 2, CROWD + 1, True),
    ],
)
def test_many_files_are_folded_into_their_directory(count: int, changed: int, folded: bool) -> None:
    there, changes = crowd(count, changed)
    named = entries(there, *changes)
    assert named == ["./d/"] if folded else len(named) == changed


def test_a_crowded_directory_is_not_read_to_its_end() -> None:
    there, changes = crowd(CROWD * 20, CROWD)
    seen = 0

    def listing(path: bytes) -> Iterator[tuple[bytes, bool]]:
        nonlocal seen
        for name in there.listing(path):
            seen += 1
            yield name

    plan(
        [Change(path.encode(), kind) for path, kind in changes],
        filters=compile_filters([]),
        view=Seen(there.look, listing),
    )
    assert seen == CROWD * CROWDED + 1


def test_each_directory_on_the_way_is_looked_at_once() -> None:
    looked: list[bytes] = []
    there = tree("a/", "a/b/", "a/b/c", "a/b/d", "a/gone/x")

    def look(path: bytes) -> Status | None:
        looked.append(path)
        return there.look(path)

    changes = [Change(path, ENTRY) for path in (b"a/b/c", b"a/b/d", b"a/gone/x", b"a/gone/y")]
    plan(changes, filters=compile_filters([]), view=Seen(look, there.listing))
    assert sorted(looked) == [b"a", b"a/b", b"a/b/c", b"a/b/d", b"a/gone"]


WIDE = tree("d/", *(f"d/{number}/" for number in range(5)), *(f"f{number}" for number in range(5)))


@pytest.mark.parametrize(
    ("changes", "longest", "full"),
    [
        ([("d", TREE)], 6, ""),
        ([("d", TREE)], 5, "there is too much in new directories"),
        ([(f"f{number}", ENTRY) for number in range(5)], 5, ""),
        ([(f"f{number}", ENTRY) for number in range(5)], 4, "more than 4 paths have changed"),
        ([(f"d/{number}", LEVEL) for number in range(5)], 4, "more than 4 paths have changed"),
        ([("f1", ENTRY), ("f2", ENTRY), ("d/1", LEVEL)], 2, "more than 2 paths have changed"),
    ],
)
def test_a_list_that_would_be_too_long_is_a_full_pass(
    changes: list[tuple[str, Kind]], longest: int, full: str
) -> None:
    made = planned(WIDE, *changes, longest=longest)
    assert made.full == full
    assert bool(made.entries) == (not full)


def test_a_tree_with_too_many_files_is_not_read_to_its_end() -> None:
    seen = 0

    def listing(path: bytes) -> Iterator[tuple[bytes, bool]]:
        nonlocal seen
        while path == b"d":
            seen += 1
            yield b"%d" % seen, False

    def made(longest: int) -> Plan:
        return plan(
            [Change(b"d", TREE)],
            filters=compile_filters([]),
            view=Seen(lambda path: FOLDER if path == b"d" else FILE, listing),
            longest=longest,
        )

    assert made(100).full == "there is too much in new directories"
    assert seen <= 600


def test_a_tree_that_is_too_deep_is_not_read_to_its_end() -> None:

    def listing(path: bytes) -> Iterator[tuple[bytes, bool]]:
        yield b"x", True

    made = plan(
        [Change(b"d", TREE)], filters=compile_filters([]), view=Seen(lambda _: FOLDER, listing)
    )
    assert made.full


@pytest.mark.parametrize(("length", "full"), [(4093, ""), (4094, "a path is too long to be named")])
def test_a_path_that_rsync_would_cut_off_is_a_full_pass(length: int, full: str) -> None:
    name = b"n" * length
    assert planned(Tree({name: FILE}), (name, ENTRY)).full == full


@pytest.mark.parametrize(
    ("filters", "full"),
    [
        (compile_filters(["*.bak", ": .rules"]), "the exclude rules name merge files, which only"),
        (compile_filters(["www/"], prefix=b"www"), "the exclude rules hide the source itself"),
        (compile_filters([".*"]), ""),
    ],
)
def test_rules_that_a_list_cannot_be_made_for(filters: Filters, full: str) -> None:
    made = planned(SMALL, ("f", ENTRY), filters=filters)
    assert made.full.startswith(full)
    assert bool(made.entries) == (not full)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (make_source("/var/www"), "/var/www/"),
        (make_source("/var/www", argument="/var/www", prefix="www"), "/var/"),
        (make_source("/www", argument="/www", prefix="www"), "/"),
        (
            make_source("/a/b/c", argument="/a/./b/c", prefix="b/c", relative=True),
            "/a/",
        ),
        (make_source("/b/c", argument="/./b/c", prefix="b/c", relative=True), "/"),
    ],
)
def test_what_the_names_are_relative_to(source: object, expected: str) -> None:
    assert top(source) == expected


def test_the_options_of_a_list_run() -> None:
    words = list_options()
    assert words[-2:] == ["--from0", "--files-from=-"]
    assert list_options("/tmp/list")[-1] == "--files-from=/tmp/list"
    assert "-r" not in words
    assert "--delete-missing-args" not in words


@pytest.mark.parametrize(
    ("directories", "entries"),
    [(0, 10_000), (10_001, 10_001), (10**6, 100_000), (None, 100_000)],
)
def test_a_list_may_be_longer_in_a_bigger_tree(directories: int | None, entries: int) -> None:
    assert longest_list(directories) == entries


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("", b"./f"), ("www", b"www/f"), ("#w", b"././#w/f"), (";w", b"././;w/f"), ("w/#", b"w/#/f")],
)
def test_no_entry_is_a_comment(prefix: str, name: bytes) -> None:
    filters = compile_filters((), prefix=prefix.encode())
    changes = [Change(b"f", ENTRY)], [Change(b"", LEVEL)]
    found = [plan(each, filters=filters, view=tree("f")).entries for each in changes]
    assert found == [(name,), (name[:-1],)]
