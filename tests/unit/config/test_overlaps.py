"""Which sources and mirrors must not be: what lies in what."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from support.configs import make_node, make_pair

from inosync.config.model import Pair, Source
from inosync.config.overlaps import mirror_holding, mirror_overlaps, source_holding, source_overlaps
from inosync.config.sources import read_source
from inosync.rsync.destination import Transport, parse_destination


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with foo/bar/baz and some links in it; it is no link itself."""
    root = Path(os.path.realpath(tmp_path))
    (root / "foo" / "bar" / "baz").mkdir(parents=True)
    (root / "foo" / "file").touch()
    (root / "link").symlink_to("foo/bar")
    return root


def directories(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)


def sources(root: Path, *paths: str, **excludes: tuple[str, ...]) -> list[Source]:
    directories(root, *paths)
    return [
        dataclasses.replace(
            read_source(f"{root}/{path}", ""), excludes=excludes.get(path.strip("/"), ())
        )
        for path in paths
    ]


def overlaps(found: list[tuple[int, str]], *expected: tuple[int, str]) -> None:
    """Compare indexes and the beginnings of the messages."""
    assert [index for index, _ in found] == [index for index, _ in expected]
    for (_, message), (_, part) in zip(found, expected, strict=True):
        assert part in message


def test_sources_that_overlap(tree: Path) -> None:
    overlaps(source_overlaps(sources(tree, "a/", "b/")))
    overlaps(source_overlaps(sources(tree, "a/", "ab/", "a b/")))
    overlaps(source_overlaps(sources(tree, "a/", "a")), (1, "is watched already"))
    overlaps(source_overlaps(sources(tree, "a/", "a/b/")))
    # Also when a link hides it.
    overlaps(source_overlaps(sources(tree, "foo/bar/", "link/")), (1, "is watched already"))


def test_the_source_that_holds_a_file(tree: Path) -> None:
    found = sources(tree, "foo/", "b", foo=("*.log", "/hidden"))
    assert source_holding(found, f"{tree}/rsync.txt") is None
    assert source_holding(found, f"{tree}/foo/rsync.log") is None
    assert source_holding(found, f"{tree}/foo/hidden/x") is None
    assert source_holding(found, f"{tree}/foo/rsync.txt") == found[0]
    assert source_holding(found, f"{tree}/link/rsync.txt") == found[0]
    assert source_holding(found, f"{tree}/b/rsync.log") == found[1]


def test_the_mirror_that_holds_a_file(tree: Path) -> None:
    found = sources(tree, "foo/", foo=("/hidden", "*.log"))
    directories(tree, "m")
    for destination in (f"{tree}/m/", f"{tree}/m"):
        (pair,) = pairs(found, destination)
        assert mirror_holding([pair], f"{tree}/m/state") == pair
        assert mirror_holding([pair], f"{tree}/m/deep/state") == pair
        assert mirror_holding([pair], f"{tree}/m/state.log") is None
        assert mirror_holding([pair], f"{tree}/m/hidden/state") is None
        assert mirror_holding([pair], f"{tree}/state") is None
    (pair,) = pairs(found, f"{tree}/m/", extra=("--delete-excluded",))
    assert mirror_holding([pair], f"{tree}/m/state.log") == pair
    assert mirror_holding(pairs(found, f"a:{tree}/m/"), f"{tree}/m/state") is None


def pairs(sources: list[Source], *destinations: str, extra: tuple[str, ...] = ()) -> list[Pair]:
    """Return the first source on the first destination and so on; one may stand for all."""
    if len(destinations) == 1:
        destinations *= len(sources)
    if len(sources) == 1:
        sources = sources * len(destinations)
    return [
        Pair(source, make_node(destination, extra=extra), parse_destination(destination))
        for source, destination in zip(sources, destinations, strict=True)
    ]


def test_a_mirror_in_its_own_source(tree: Path) -> None:
    loop = "so that each run would start the next"
    (www,) = sources(tree, "www/")
    overlaps(mirror_overlaps(pairs([www], f"{tree}/www/")), (0, loop))
    overlaps(mirror_overlaps(pairs([www], f"{tree}/www/backup")), (0, loop))
    overlaps(mirror_overlaps(pairs([www], f"{tree}/wwwbackup")))
    overlaps(mirror_overlaps(pairs([www], "host:" + www.path)))
    hidden = dataclasses.replace(www, excludes=("/backup",))
    overlaps(mirror_overlaps(pairs([hidden], f"{tree}/www/backup/x")))
    overlaps(mirror_overlaps(pairs([hidden], f"{tree}/www/backup2")), (0, loop))
    # What is included again is not hidden.
    included = dataclasses.replace(www, excludes=("+ /backup", "*"))
    overlaps(mirror_overlaps(pairs([included], f"{tree}/www/backup")), (0, loop))


def test_a_mirror_in_its_own_source_through_a_link(tree: Path) -> None:
    (foo,) = sources(tree, "foo/")
    overlaps(mirror_overlaps(pairs([foo], f"{tree}/link/x")), (0, "inside the source"))
    overlaps(mirror_overlaps(pairs([foo], f"{tree}/foo/../foo/x")), (0, "inside the source"))


def test_a_mirror_of_the_directory_itself(tree: Path) -> None:
    (www,) = sources(tree, "www")
    # lands at tree/www, which is the source
    overlaps(mirror_overlaps(pairs([www], f"{tree}/")), (0, "inside the source"))
    (virtual,) = [read_source(f"{tree}/./www", "")]
    overlaps(mirror_overlaps(pairs([virtual], f"{tree}/")), (0, "inside the source"))
    # The excludes of such a source begin with its name.
    hidden = dataclasses.replace(www, excludes=("/www/backup",))
    overlaps(mirror_overlaps(pairs([hidden], f"{tree}/www/backup")))


def test_a_mirror_in_another_source(tree: Path) -> None:
    a, b = sources(tree, "a/", "b/", b=("/mirror",))
    never = (0, "a source is never written to")
    overlaps(mirror_overlaps(pairs([a, b], f"{tree}/b/x", "host:/b")), never)
    overlaps(mirror_overlaps(pairs([a, b], f"{tree}/b/mirror", "host:/b")))


def test_a_source_in_a_mirror(tree: Path) -> None:
    eaten = "lies in there, rsync would delete it"
    (a,) = sources(tree, "x/a/")
    overlaps(mirror_overlaps(pairs([a], f"{tree}/x/")), (0, eaten))
    overlaps(mirror_overlaps(pairs([a], f"{tree}/")), (0, eaten))
    kept = dataclasses.replace(a, excludes=("/a",))
    overlaps(mirror_overlaps(pairs([kept], f"{tree}/x/")))
    overlaps(mirror_overlaps(pairs([kept], f"{tree}/x/", extra=("--delete-excluded",))), (0, eaten))
    # Another mirror's source is no safer.
    a, b = sources(tree, "x/a/", "b/")
    overlaps(mirror_overlaps(pairs([a, b], "host:/x", f"{tree}/x")), (1, eaten))


def test_mirrors_at_the_same_place(tree: Path) -> None:
    a, b = sources(tree, "a/", "b/")
    taken = (1, f"puts {tree}/b where {tree}/a goes already (/x), so that each would delete")
    overlaps(mirror_overlaps(pairs([a, b], "host:/x")), taken)
    overlaps(mirror_overlaps(pairs([a, b], "host:/x/", "u@HOST://x/.")), taken)
    overlaps(mirror_overlaps(pairs([a, b], "host:/x", "other:/x")))
    overlaps(mirror_overlaps(pairs([a, b], "ssh://host:22/x", "ssh://host:23/x")))
    overlaps(mirror_overlaps(pairs([a, b], "host:/x", "ssh://host:22/x")), taken)
    overlaps(mirror_overlaps(pairs([a, b], "host::x", "rsync://host:873/x")), (1, "goes already"))
    overlaps(mirror_overlaps(pairs([a, b], "host:/x", "host::x")))
    overlaps(
        mirror_overlaps(pairs([a, b], "host::x", "rsync://u@host/x/")), (1, "goes already (x)")
    )
    overlaps(mirror_overlaps(pairs([a, b], f"{tree}/m")), (1, "goes already"))
    # Each user has a home of its own.
    overlaps(mirror_overlaps(pairs([a, b], "u@host:x", "v@host:x")))
    overlaps(mirror_overlaps(pairs([a, b], "u@host:x", "u@host:./x")), (1, "goes already (x)"))
    # Directories themselves stand beside each other.
    overlaps(mirror_overlaps(pairs(sources(tree, "a", "b"), "host:/x")))


def test_a_mirror_in_a_mirror(tree: Path) -> None:
    a, b = sources(tree, "a/", "b/")
    inside = (1, f"puts {tree}/b at /x/b, inside the mirror of {tree}/a (/x)")
    overlaps(mirror_overlaps(pairs([a, b], "host:/x", "host:/x/b")), inside)
    overlaps(mirror_overlaps(pairs([b, a], "host:/x/b", "host:/x"))[:1], (0, inside[1]))
    kept = dataclasses.replace(a, excludes=("/b",))
    overlaps(mirror_overlaps(pairs([kept, b], "host:/x", "host:/x/b")))
    overlaps(
        mirror_overlaps(pairs([kept, b], "host:/x", "host:/x/b", extra=("--delete-excluded",))),
        inside,
    )
    a, b = sources(tree, "a/", "b")
    overlaps(mirror_overlaps(pairs([a, b], "host:")), (1, "inside the mirror of"))
    overlaps(mirror_overlaps(pairs([a, b], "host:", "host:../x")))
    overlaps(mirror_overlaps(pairs([a, b], "host::m", "host::m/sub")), (1, "inside the mirror of"))


def test_the_root_directory_as_a_mirror(tree: Path) -> None:
    contents, itself = sources(tree, "a/", "b")
    root = "would make the root directory there a mirror"
    overlaps(mirror_overlaps(pairs([contents], "host:/")), (0, root))
    overlaps(mirror_overlaps(pairs([contents], "host:/x/..")), (0, root))
    overlaps(mirror_overlaps(pairs([itself], "host:/")))
    local = mirror_overlaps(pairs([contents], "/"))
    assert root in local[0][1]
    assert parse_destination("/").transport is Transport.LOCAL


def test_the_root_of_a_restricted_key_is_a_directory_like_others(tree: Path) -> None:
    (contents,) = sources(tree, "a/")
    for node, wrong in (("host:/", False), ("/", True), ("host::m", False)):
        pair = make_pair(contents, node, restricted=True)
        found = [what for _, what in mirror_overlaps([pair]) if "root directory there" in what]
        assert bool(found) is wrong
