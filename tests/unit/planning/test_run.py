"""What an order says of each of its runs."""

from __future__ import annotations

from support.commands import KEPT
from support.configs import make_pair
from support.orders import NOW, ask, batch, sight

from inosync.changes.batch import full_pass
from inosync.changes.changes import Change, Kind
from inosync.planning.order import Moment, RunKind
from inosync.planning.run import patient


def test_each_run_of_a_node_that_keeps_has_a_folder_of_its_own() -> None:
    seen = sight(now=Moment(86_400.25, 5.0))
    what = ask(batch(Change(b"a/f", Kind.ENTRY)), rkeep=2.0, seen=seen)
    assert "--backup-dir=.inosync-kept/1970-01-02/000000.250000Z" in what.argv
    assert "--backup" not in ask(batch(Change(b"a/f", Kind.ENTRY)), seen=seen).argv


def test_what_waits_and_what_is_gone_is_spared() -> None:
    what = ask(
        full_pass("x", NOW),
        seen=sight(spare=frozenset([b"disk"])),
        left_out=frozenset([b"a/f", b"a", b"lost"]),
    )
    rules = [word for word in what.argv if word.startswith("--filter")]
    assert rules == [KEPT, "--filter=-sr /a/f", "--filter=-sr /disk"]


def test_what_cannot_be_read_is_left_alone_as_long_as_it_is_there() -> None:
    what = ask(full_pass("x", NOW), blind=frozenset([b"b", b"gone"]), left_out=frozenset([b"a/f"]))
    rules = [word for word in what.argv if word.startswith("--filter")]
    assert rules == [KEPT, "--filter=-sr /a/f", "--filter=-sr /b"]
    assert what.left == {b"a/f", b"b"}
    compared = ask(full_pass("rverify", NOW), RunKind.COMPARISON, blind=frozenset([b"b"]))
    assert "--filter=-sr /b" in compared.argv


def test_a_pass_that_compares_contents_has_more_time() -> None:
    what = ask(full_pass("repair", NOW, contents=True), rtimeout=30)
    assert what.kind is RunKind.PASS
    assert {"--checksum", "--timeout=300"} <= set(what.argv)
    assert "--dry-run" not in what.argv


def test_a_comparison_may_be_silent_for_longer() -> None:
    assert patient(make_pair(rtimeout=300)).node.rtimeout == 3000
    assert patient(make_pair(rtimeout=0)).node.rtimeout == 0
