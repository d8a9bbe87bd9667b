"""What stands ready for a mirror, and which runs it can be."""

from __future__ import annotations

import stat
from typing import NamedTuple

import pytest
from support.configs import make_config, make_pair, make_source
from support.views import Seen

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Changes, Kind
from inosync.config.model import Pair, Source
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.planning.warm import Reserve, reserve, seconds
from inosync.rsync.filters import compile_filters
from inosync.rsync.program import Program

PROGRAM = Program((3, 2, 7), checksum="xxh128", control="/run/x")
FILE = Change(b"a/f", Kind.ENTRY)
GONE = Change(b"a/gone", Kind.ENTRY)

WHOLE = make_source(path="/srv/www", argument="/srv/www/", prefix="")
ITSELF = make_source(path="/srv/www", argument="/srv/www", prefix="www")
BELOW = make_source(path="/srv/www/b", argument="/srv/./www/b", prefix="www/b", relative=True)
ROOT = make_source(path="/www/b", argument="/./www/b", prefix="www/b", relative=True)
ODD = make_source(path="/srv/#www", argument="/srv/#www", prefix="#www")


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int
    st_size: int = 500
    st_nlink: int = 1


TREE = {b"a": Status(stat.S_IFDIR), b"a/f": Status(stat.S_IFREG)}


def pair_of(source: Source = WHOLE, destination: str = "/mirror", **node: object) -> Pair:
    return make_pair(source, destination, **({"rscope": "changes"} | node))


def asked(pair: Pair, *changes: Change, settings: dict[str, object] | None = None, **more: object):
    """Return what would run now for these changes."""
    batch = Batch(10_000.0, 1, changes=Changes.of(changes or (FILE,)))
    order = Order(pair, RunKind.PASS, batch, **more)
    filters = compile_filters((), prefix=pair.source.prefix.encode())
    sight = Sight(Seen(TREE.get), filters)
    return prepare(order, sight, make_config([pair], **settings or {}), PROGRAM)


def ready(pair: Pair, program: Program = PROGRAM, **settings: object) -> Reserve | None:
    return reserve(pair, make_config([pair], **settings), program)


def told(pair: Pair, what: Prepared, **settings: object) -> bytes:
    found = ready(pair, **settings)
    assert found is not None
    return found.told(what)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (WHOLE, b"/srv/www/././a/f"),
        (ITSELF, b"/srv/./www/a/f"),
        (BELOW, b"/srv/./www/b/a/f"),
        (ROOT, b"www/b/a/f"),
        (ODD, b"/srv/./#www/a/f"),
    ],
)
def test_it_is_a_list_that_counts_from_the_root(source: Source, name: bytes) -> None:
    pair = pair_of(source)
    what = asked(pair)
    found = ready(pair)
    assert found is not None
    assert found.argv == (*what.argv[:-2], "/", what.argv[-1])
    assert found.told(what) == name + b"\0"


@pytest.mark.parametrize("destination", ["/mirror", "a:/m", "ssh://a:2/m", "a::module/m"])
def test_it_is_any_plain_run_over_a_list(destination: str) -> None:
    pair = pair_of(destination=destination, rwarm=9.0, extra=("-aH", "-e", "mine"))
    assert told(pair, asked(pair)) == b"/srv/www/././a/f\0"
    deleting = asked(pair, GONE)
    assert "--out-format=%i %n" in deleting.argv
    assert told(pair, deleting) == b"/srv/www/././a/\0"
    level = asked(pair, Change(b"a", Kind.LEVEL))  # nobody asks what it sends
    assert "--out-format=%i %n" not in level.argv
    assert told(pair, level) == b"/srv/www/././a/\0"
    small = {"rbigsize": 5}
    assert told(pair, asked(pair, settings=small), **small) != b""


def test_with_checksums_no_run_says_what_it_sends() -> None:
    pair = pair_of(extra=("-c",))
    assert told(pair, asked(pair)) != b""


def test_what_is_another_run_it_is_not() -> None:
    pair = pair_of()
    others = (
        asked(pair, stale=frozenset((b"a/f",))),
        asked(pair, left_out=frozenset((b"a/f",))),
        asked(pair, lenient=True),
        asked(pair, limit=5),
        asked(pair, settings={"logfile": "/log"}),
        asked(pair, settings={"rsync": "/opt/rsync"}),
        asked(pair_of(rspeed=5)),
        asked(pair_of(rscope="tree")),
    )
    assert [told(pair, what) for what in others] == [b""] * len(others)


def test_a_name_that_gets_too_long_is_not_told() -> None:
    pair = pair_of()
    what = asked(pair)
    long = what.__class__(what.kind, what.argv, (b"./" + b"x" * 4085,))
    assert told(pair, long) == b""


@pytest.mark.parametrize(
    "node",
    [
        {"rkeep": 1.0},
        {"rscope": "tree"},
        {"rwarm": 0.0},
        {"extra": ("--stop-after=5",)},
        {"extra": ("--write-batch=/b",)},
        {"source": make_source(excludes=(": .rules",))},
        {"destination": "a::module"},
    ],
)
def test_where_it_is_of_no_use_none_stands_ready(node: dict[str, object]) -> None:
    assert ready(pair_of()) is not None
    assert ready(pair_of(**node)) is None


def test_none_stands_ready_where_another_run_goes_first_or_rsync_is_old() -> None:
    assert ready(pair_of(), rmaxdelete=5) is None
    assert ready(pair_of(rmaxchange=5)) is not None  # for what is at fewer files
    assert ready(pair_of(), program=Program((3, 1, 2))) is None


@pytest.mark.parametrize(
    ("destination", "node", "length"),
    [
        ("/m", {}, 300.0),
        ("/m", {"rtimeout": 10}, 300.0),
        ("/m", {"rwarm": 5.0}, 5.0),
        ("a:/m", {}, 270.0),
        ("a:/m", {"rtimeout": 0}, 300.0),
        ("a:/m", {"rwarm": 20.0, "rtimeout": 100}, 20.0),
        ("a::m", {}, 0.0),
        ("a::m", {"rwarm": 20.0}, 20.0),
    ],
)
def test_how_long_a_mirror_is_kept_warm(
    destination: str, node: dict[str, object], length: float
) -> None:
    assert seconds(pair_of(destination=destination, **node)) == length
