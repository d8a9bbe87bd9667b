"""Orders for tests of planning: a small source, what is wanted of it, and what is prepared."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from inosync.changes.batch import Batch, full_pass
from inosync.changes.changes import Change, Changes, Kind, Move
from inosync.changes.doubts import Doubts
from inosync.config.model import Config, Source
from inosync.planning.order import Order, Prepared, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.planning.slices import Course
from inosync.planning.step_run import Worth
from inosync.rsync.filters import compile_filters
from inosync.rsync.program import Program

from .configs import make_config, make_pair, make_source
from .views import Seen

NOW = 10_000.0
PROGRAM = Program((3, 2, 7))


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int
    st_size: int = 500
    st_nlink: int = 1
    st_ctime: float = 0.0
    st_dev: int = 1
    st_ino: int = 7


TREE = {
    b"a": Status(stat.S_IFDIR),
    b"a/f": Status(stat.S_IFREG),
    b"a/two": Status(stat.S_IFREG, st_nlink=2),
    b"b": Status(stat.S_IFDIR),
    b"b/new": Status(stat.S_IFDIR),
    b"b/new/g": Status(stat.S_IFREG),
    b"big": Status(stat.S_IFREG, st_size=5000),
}

LEVEL, ENTRY = Change(b"a", Kind.LEVEL), Change(b"a/f", Kind.ENTRY)
IN_DOUBT = Doubts(frozenset({b"a/f", b"big", b"gone"}))

#: What each of its command lines begins and ends with, and what those over a list have in front.
BASE = ("--protect-args", "--stats", "--no-human-readable", "--modify-window=-1")
ENDS = ("--", "/srv/www/", "/mirror")
TOLD = ("--8-bit-output", "--out-format=%i %n")
LIST: tuple[str, ...] = ("-ltp", "--dirs", "--delete", "--ignore-missing-args")
LIST += ("--include=/./", "--from0", "--files-from=-")

#: How a rehearsal itself is told to tell everything, and to do nothing.
ITEMIZED = (*TOLD, "--dry-run", "--info=del", f"--max-delete={2**31 - 1}")

_NODE = ("extra", "rscope", "rtimeout", "rkeep", "rdelete", "rmaxchange")
_CONFIG = ("rbigsize", "logfile", "rmaxdelete")


def sight(tree: Mapping[bytes, Status] = TREE, **more: Any) -> Sight:
    """Return a source that has just these files."""

    def listing(path: bytes) -> Iterable[tuple[bytes, bool]]:
        return [
            (found.rpartition(b"/")[2], stat.S_ISDIR(status.st_mode))
            for found, status in tree.items()
            if found.rpartition(b"/")[0] == path
        ]

    return Sight(Seen(tree.get, listing), more.pop("filters", compile_filters(())), **more)


def batch(*changes: Change, moves: tuple[Move, ...] = ()) -> Batch:
    """Return a batch of these changes."""
    return Batch(NOW, len(changes), changes=Changes.of(changes), moves=moves)


def doubtful(doubts: Doubts = IN_DOUBT) -> Batch:
    """Return a batch without changes, that leaves these files in doubt."""
    return Batch(NOW, 0, changes=Changes(), doubts=doubts)


def ordered(
    what: Batch, kind: RunKind = RunKind.PASS, **more: Any
) -> tuple[Order, Sight, Config, Program]:
    """Return the order for a batch, and what it is prepared from.

    `more` has settings, words of the order, or ``seen`` or ``program`` for the ones that are used.
    """
    node = {key: more.pop(key) for key in _NODE if key in more}
    settings = {key: more.pop(key) for key in _CONFIG if key in more}
    program, seen = more.pop("program", PROGRAM), more.pop("seen", None)
    pair = make_pair(make_source(), "/mirror", **({"rscope": "changes"} | node))
    order = Order(pair, kind, what, **more)
    return order, seen or sight(), make_config([pair], **settings), program


def ask(what: Batch, kind: RunKind = RunKind.PASS, **more: Any) -> Prepared:
    """Return what is prepared for a batch; see `ordered`."""
    return prepare(*ordered(what, kind, **more), Worth(1, 1))


def cut_off(course: Course, source: Source | None = None, **more: Any) -> Prepared:
    """Return the slice that is cut off a course next."""
    pair = make_pair(source, "/mirror", rscope="changes")
    parts = {"course": course, "budget": more.pop("budget", 3), "piece": more.pop("piece", None)}
    order = Order(pair, RunKind.SLICE, full_pass("start-up", NOW, lost=True), **parts)
    return prepare(order, more.pop("seen", sight()), make_config([pair]), PROGRAM)
