"""From an order to argv, with numbers: a pass, a list, and what rehearses or compares them."""

from __future__ import annotations

import dataclasses
import stat

import pytest
from support.commands import KEPT
from support.configs import make_config, make_pair, make_source
from support.orders import (
    BASE,
    ENDS,
    ENTRY,
    IN_DOUBT,
    ITEMIZED,
    LEVEL,
    LIST,
    NOW,
    PROGRAM,
    TOLD,
    TREE,
    Status,
    ask,
    batch,
    sight,
)

from inosync.changes.batch import Batch, full_pass
from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import LOST, Doubts
from inosync.planning.order import Order, RunKind
from inosync.planning.prepare import prepare
from inosync.rsync.filters import compile_filters

PASS, LISTED = full_pass("rfull", NOW), batch(LEVEL)
GONE = dataclasses.replace(LISTED, gone=frozenset({b"a/x", b"a/f", b"b/old/", b"b/old/[y]"}))
RULES = ("--filter=R /a/x", "--filter=R /b/old/", r"--filter=R /b/old/\[y]", "--filter=P *")


def test_a_whole_pass() -> None:
    what = ask(full_pass("start-up", NOW))
    assert what.kind is RunKind.PASS
    assert what.names is None
    assert not what.listed
    assert what.argv == ("/usr/bin/rsync", "-ltrp", "--delete", *BASE, "--timeout=300", KEPT, *ENDS)


def test_a_list() -> None:
    what = ask(batch(Change(b"a/f", Kind.ENTRY)))
    assert (what.kind, what.names, what.listed) == (RunKind.LISTED, (b"./a/f",), True)
    assert what.argv == ("/usr/bin/rsync", *LIST, *BASE, KEPT, *TOLD, *ENDS)
    assert (what.steps, what.hid, what.linked, what.widened) == ((), False, {}, "")


def test_in_scope_tree_it_is_a_pass() -> None:
    assert ask(batch(LEVEL), rscope="tree").kind is RunKind.PASS


def test_what_no_list_can_name_is_a_pass_and_says_why() -> None:
    hidden = sight(filters=compile_filters((": .rules",)))
    what = ask(batch(LEVEL), seen=hidden)
    assert (what.kind, what.names) == (RunKind.PASS, None)
    assert "merge files" in what.widened


def test_nothing_is_left_to_carry() -> None:
    what = ask(batch(Change(b"a/f", Kind.ENTRY)), big=True, rbigsize=1000)
    assert what.names == ()
    assert what.listed


def test_a_file_with_several_names_is_told() -> None:
    two = batch(Change(b"a/two", Kind.ENTRY))
    assert ask(two).linked == {(1, 7): frozenset([b"a/two"])}
    assert ask(two, RunKind.REHEARSAL).linked == {}  # the run that follows tells it
    assert ask(dataclasses.replace(two, whole=frozenset([(1, 7)]))).linked == {}


def test_a_pass_may_take_the_other_names_of_a_file_for_equal() -> None:
    two = batch(Change(b"a/two", Kind.ENTRY))
    what = ask(two, rscope="tree")
    assert (what.kind, what.linked) == (RunKind.PASS, {(1, 7): frozenset([b"a/two"])})
    assert ask(two, RunKind.REHEARSAL, rscope="tree").linked == {}
    assert ask(dataclasses.replace(two, whole=frozenset([(1, 7)])), rscope="tree").linked == {}
    assert ask(two, rscope="tree", extra=("-c",)).linked == {}


def test_a_rehearsal_names_the_same_and_keeps_nothing_back() -> None:
    what = ask(batch(LEVEL), RunKind.REHEARSAL, steps=None, stale=frozenset([b"a"]))
    assert (what.kind, what.names, what.steps, what.hid) == (
        RunKind.REHEARSAL,
        (b"./a/",),
        None,
        False,
    )
    assert "--dry-run" in what.argv
    assert not any(word.startswith("--filter=H") for word in what.argv)


def test_a_comparison() -> None:
    what = ask(full_pass("rverify", NOW), RunKind.COMPARISON, rtimeout=30)
    assert what.kind is RunKind.COMPARISON
    assert {"--checksum", "--dry-run", "--timeout=300"} <= set(what.argv)


def test_the_lane_for_big_files() -> None:
    changes = batch(Change(b"big", Kind.ENTRY), Change(b"a/f", Kind.ENTRY))
    what = ask(changes, big=True, rbigsize=1000)
    assert what.names == (b"./big",)
    assert {"--min-size=1001", "--force"} <= set(what.argv)
    assert "--delete" not in what.argv
    beside = ask(changes, lenient=True, rbigsize=1000)
    assert beside.names == (b"./a/f", b"./big")
    assert "--max-size=1000" in beside.argv


def test_what_must_go_is_hidden_and_its_level_named() -> None:
    what = ask(batch(), stale=frozenset([b"a/f"]))
    assert what.hid
    assert what.names == (b"./a/",)
    assert "--filter=H /a/f" in what.argv
    assert not ask(batch(LEVEL), stale=frozenset([b"a/gone"])).hid


def test_a_pipe_is_hidden_so_that_the_file_before_it_goes() -> None:
    tree = {**TREE, b"a/pipe": Status(stat.S_IFIFO)}
    odd = frozenset([b"a/pipe", b"a/f", b"gone"])
    what = ask(batch(LEVEL), seen=sight(tree), odd=odd)
    assert "--filter=H /a/pipe" in what.argv
    assert "--filter=H /a/f" not in what.argv
    assert (what.names, what.hid) == ((b"./a/",), False)
    rehearsal = ask(batch(LEVEL), RunKind.REHEARSAL, seen=sight(tree), odd=odd)
    assert "--filter=H /a/pipe" not in rehearsal.argv


def test_a_run_is_asked_what_it_sends_where_content_may_be_another() -> None:
    new = Change(b"b/new", Kind.TREE)
    for scope in ("changes", "tree"):
        what = ask(batch(ENTRY, new, Change(b"big", Kind.ATTRIBUTES)), rscope=scope)
        assert what.candidates == {b"a/f", b"b/new/g"}
        assert what.tells
        assert what.argv[-5:-3] == TOLD
        quiet = ask(batch(LEVEL, Change(b"big", Kind.ATTRIBUTES)), rscope=scope)
        assert (quiet.candidates, quiet.tells, "--out-format=%i %n" in quiet.argv) == (
            set(),
            False,
            False,
        )
    # What is in doubt from before goes when it is sent.
    before = dataclasses.replace(batch(ENTRY), doubts=IN_DOUBT | LOST)
    what = ask(before)
    assert (what.candidates, what.doubts) == (IN_DOUBT.files, LOST)


def test_who_compares_contents_anyway_is_not_asked() -> None:
    thorough = full_pass("repair", NOW, contents=True, lost=True)
    assert (ask(thorough).tells, ask(thorough).doubts) == (False, Doubts())
    what = ask(dataclasses.replace(batch(ENTRY), doubts=LOST), extra=("-c",))
    assert (what.tells, what.candidates, what.doubts) == (False, set(), LOST)


def test_what_comes_whole_is_rehearsed() -> None:
    for carries in (batch(Change(b"b", Kind.TREE)), full_pass("start-up", NOW)):
        what = ask(carries, RunKind.REHEARSAL, most=99)
        assert what.kind is RunKind.REHEARSAL
        assert what.argv[-8:-3] == ITEMIZED


@pytest.mark.parametrize(
    ("rdelete", "what", "scope", "deletes"),
    [
        ("all", PASS, "changes", True),
        ("all", LISTED, "changes", True),
        ("all", GONE, "changes", True),
        ("start", PASS, "changes", True),
        ("start", PASS, "tree", True),
        ("start", LISTED, "changes", False),
        ("start", LISTED, "tree", False),
        ("start", LISTED.nameless(), "changes", False),  # too much to be named is no pass
        ("seen", PASS, "changes", False),
        ("seen", LISTED, "changes", False),
        ("seen", LISTED, "tree", False),
        ("never", PASS, "changes", False),
        ("never", GONE, "changes", False),
        ("never", GONE, "tree", False),
    ],
)
def test_what_deletes(rdelete: str, what: Batch, scope: str, deletes: bool) -> None:
    argv = ask(what, rdelete=rdelete, rscope=scope).argv
    assert ("--delete" in argv) is deletes
    rehearsal = ask(what, RunKind.REHEARSAL, rdelete=rdelete, rscope=scope, limit=5).argv
    assert ("--delete" in rehearsal) is deletes
    assert not set(RULES) & {*argv, *rehearsal}
    extra = ("--delete-after", "-z")
    argv = ask(what, rdelete=rdelete, rscope=scope, extra=extra, limit=5).argv
    assert ("--delete-after" in argv, "--max-delete=5" in argv) == (deletes, deletes)
    assert "-z" in argv


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_what_has_vanished_is_deleted_and_nothing_else(scope: str) -> None:
    what = ask(GONE, rdelete="seen", rscope=scope)
    head = LIST if scope == "changes" else ("-ltrp", "--delete")
    assert what.argv[1 : len(head) + 1] == head
    at = what.argv.index(KEPT)
    assert what.argv[at + 1 : at + 1 + len(RULES)] == RULES
    assert what.names == ((b"./a/", b"./b/") if scope == "changes" else None)
    assert what.remaining == frozenset()
    assert RULES[0] in ask(GONE, RunKind.REHEARSAL, rdelete="seen", rscope=scope).argv
    # What differs is found out by deleting all, which is not done.
    whole = ask(GONE, RunKind.COMPARISON, rdelete="seen", rscope=scope).argv
    assert "--delete" in whole
    assert not set(RULES) & set(whole)


def test_only_one_that_has_vanished_makes_a_run() -> None:
    gone = Batch(NOW, 0, changes=Changes(), gone=frozenset({b"b/x"}))
    assert ask(gone, rdelete="seen").names == (b"./b/",)
    assert ask(dataclasses.replace(gone, gone=frozenset())).names == ()


def test_rules_come_before_those_that_would_let_others_files_go() -> None:
    source = make_source(prefix="www", argument="/srv/www", excludes=("+ *.html", "*"))
    pair = make_pair(source, "/mirror", rscope="changes", rdelete="seen")
    order = Order(pair, RunKind.PASS, dataclasses.replace(LISTED, gone=frozenset({b"x.html"})))
    seen = sight(filters=source.filters)
    argv = prepare(order, seen, make_config([pair]), PROGRAM).argv
    rules = [word for word in argv if word.startswith(("--filter", "--include", "--exclude"))]
    assert rules[1:] == [
        "--filter=R /www/x.html", "--filter=P *", "--exclude=+ *.html", "--exclude=*"
    ]  # fmt: skip


def test_a_pipe_in_the_place_of_what_has_vanished_is_not_seen() -> None:
    tree = TREE | {b"a/x": Status(stat.S_IFIFO)}
    what = ask(GONE, rdelete="seen", seen=sight(tree), odd=frozenset({b"a/x"}))
    assert what.argv.index("--filter=H /a/x") < what.argv.index("--filter=R /a/x")
    odd = batch(Change(b"a/x", Kind.ENTRY))
    assert "--filter=H /a/x" in ask(odd, seen=sight(tree), odd=frozenset({b"a/x"})).argv
    argv = ask(odd, rdelete="never", seen=sight(tree), odd=frozenset({b"a/x"})).argv
    assert "--filter=H /a/x" not in argv


def test_what_is_too_much_for_one_run_is_for_the_next() -> None:
    many = Batch(NOW, 0, changes=Changes(), gone=frozenset(b"a/%05d" % n for n in range(5_000)))
    first = ask(many, rdelete="seen")
    assert sum(word.startswith("--filter=R ") for word in first.argv) == 2_000
    assert len(first.remaining) == 3_000
    second = ask(dataclasses.replace(many, gone=first.remaining), rdelete="seen")
    assert "--filter=R /a/02000" in second.argv
    # A rehearsal has to come to what is too much.
    rehearsal = ask(many, RunKind.REHEARSAL, rdelete="seen", rmaxdelete=4_000)
    assert len(rehearsal.remaining) == 5_000 - 4_001


def test_the_lane_for_big_files_deletes_nothing() -> None:
    entry = dataclasses.replace(batch(Change(b"big", Kind.ENTRY)), gone=frozenset({b"x"}))
    argv = ask(entry, rdelete="seen", big=True, rbigsize=1000).argv
    assert "--delete" not in argv
    assert not [word for word in argv if word.startswith("--filter=R")]
