"""From an order to argv, with numbers: what is compared by content."""

from __future__ import annotations

import dataclasses
import stat

import pytest
from support.commands import KEPT
from support.orders import (
    BASE,
    ENDS,
    IN_DOUBT,
    ITEMIZED,
    LIST,
    TREE,
    Status,
    ask,
    doubtful,
    ordered,
    sight,
)

from inosync.changes.doubts import LOST, Doubts
from inosync.planning.contents_run import prepare_contents
from inosync.planning.order import Moment, RunKind
from inosync.rsync.filters import compile_filters

COMPARE = tuple(word for word in LIST if word != "--delete")


def test_what_is_in_doubt_is_compared_by_content() -> None:
    what = ask(doubtful(), RunKind.CONTENTS, extra=("--delete-after", "-z"))
    assert (what.kind, what.names, what.doubts) == (
        RunKind.CONTENTS,
        (b"./a/f", b"./big"),
        Doubts(),
    )
    assert what.argv == ("/usr/bin/rsync", *COMPARE, *BASE, KEPT, "-z", "--checksum", *ENDS)
    assert ask(doubtful(Doubts()), RunKind.CONTENTS).names == ()


def test_each_lane_compares_its_own_and_nothing_that_must_be_left() -> None:
    def names(**more) -> tuple[bytes, ...] | None:
        return ask(doubtful(), RunKind.CONTENTS, **more).names

    assert names(rbigsize=1000) == (b"./a/f",)
    assert names(rbigsize=1000, big=True) == (b"./big",)
    assert names(stale=frozenset({b"a"})) == names(left_out=frozenset({b"a/f"})) == (b"./big",)
    assert names(seen=sight(spare=frozenset({b"a"}))) == (b"./big",)
    assert names(seen=sight(filters=compile_filters(("big",)))) == (b"./a/f",)


@pytest.mark.parametrize("big", [False, True])
def test_a_link_may_lead_to_what_either_lane_carries(*, big: bool) -> None:
    seen = sight(TREE | {b"link": Status(stat.S_IFLNK)})
    order = doubtful(Doubts(files=frozenset({b"link"})))
    more = {"rbigsize": 1000, "extra": ("-L",), "rscope": "tree", "seen": seen}
    assert "--include=/link/***" in ask(order, RunKind.CONTENTS, big=big, **more).argv


@pytest.mark.parametrize("by", ["rules in files", "options", "a long path"])
def test_what_cannot_be_listed_is_named_by_rules(by: str) -> None:
    doubts, more = IN_DOUBT, {}
    if by == "rules in files":
        more["seen"] = sight(filters=compile_filters((": .rules",)))
    elif by == "options":
        more |= {"extra": ("--exclude=x",), "rscope": "tree"}
    else:
        long = b"/".join([b"d" * 200] * 21)
        tree = TREE | {long: Status(stat.S_IFREG)}
        while long := long.rpartition(b"/")[0]:
            tree[long] = Status(stat.S_IFDIR)
        more["seen"] = sight(tree)
        doubts = Doubts(frozenset({b"a/f", b"big", *tree}))
    what = prepare_contents(*ordered(doubtful(doubts), RunKind.CONTENTS, **more), few=1)
    assert (what.names, what.listed) == (None, False)
    assert what.argv[1] == "-ltrp"
    assert "--delete" not in what.argv
    only = ("--checksum", "--include=/a/", "--include=/a/f", "--exclude=*")
    assert what.argv[-7:-3] == only
    assert b"big" in what.doubts.files


def test_lost_names_are_found_by_what_changed_since() -> None:
    lost = dataclasses.replace(doubtful(), doubts=LOST)
    assert ask(lost, RunKind.CONTENTS).names == ()
    now = Moment(100.0, 1.0)
    seen = dataclasses.replace(sight(TREE | {b"": Status(stat.S_IFDIR)}), now=now)
    since = Moment(50.0, -49.0)
    assert ask(lost, RunKind.CONTENTS, equal_at=since, seen=seen).names == ()
    early = Moment(0.0, -99.0)
    assert ask(lost, RunKind.CONTENTS, equal_at=early, seen=seen).names


def test_a_comparison_that_may_overwrite_too_much_is_rehearsed() -> None:
    assert ask(doubtful(), RunKind.CONTENTS, most=2).kind is RunKind.CONTENTS
    what = ask(doubtful(), RunKind.CONTENTS, most=1)
    assert (what.kind, what.names) == (RunKind.REHEARSAL, (b"./a/f", b"./big"))
    assert what.argv[-9:-3] == ("--checksum", *ITEMIZED)
    assert "--delete" not in what.argv
