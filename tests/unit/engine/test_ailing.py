"""Ailing paths: kept apart, tried again, well again."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from support.configs import make_config, make_pair
from support.engines import NOW, changing, make_engine, said, started, starts, steady

from inosync.changes.batch import Batch, collect, full_pass
from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import Doubts
from inosync.engine import ailing
from inosync.engine.actions import WARNING, Hook, Outcome, Start
from inosync.engine.ailing import Ailing, Coverage, after, excuses, names, odd_after
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Prepared, RunKind
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint


def unreadable(path: bytes, *, whole: bool = False) -> Complaint:
    return Complaint(path, Cause.UNREADABLE, f"opendir {path!r}", whole=whole, blind=whole)


FILE = Outcome(23, account=Account((unreadable(b"bad"),)), command="rsync x")
BLIND = Outcome(23, account=Account((unreadable(b"dir", whole=True),), undeleted=True))
TORN = Outcome(23, account=Account(understood=False))


def batch(*changes: Change) -> Batch:
    found = collect(Changes.of(changes), NOW)
    assert found is not None
    return found


def entry(path: bytes) -> Batch:
    return batch(Change(path, Kind.ENTRY))


PASS = Coverage(full_pass("start-up", NOW), listed=False)


def wait(tries: int) -> float:
    return 2.0**tries


# ---- the table ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path", "whole", "named"),
    [
        (Change(b"a/f", Kind.ENTRY), b"a/f", False, True),
        (Change(b"a/f", Kind.WRITTEN), b"a/f", False, True),
        (Change(b"a/f", Kind.ENTRY), b"a/f", True, False),
        (Change(b"a", Kind.LEVEL), b"a/f", False, True),
        (Change(b"", Kind.LEVEL), b"f", False, True),
        (Change(b"", Kind.LEVEL), b"", False, False),
        (Change(b"", Kind.LEVEL), b"a/f", False, False),
        (Change(b"a", Kind.LEVEL), b"a/f", True, False),
        (Change(b"a", Kind.TREE), b"a/b/f", True, True),
        (Change(b"", Kind.TREE), b"a/b/f", True, True),
        (Change(b"a/f/g", Kind.ENTRY), b"a/f", False, False),
    ],
)
def test_what_a_batch_names(change: Change, path: bytes, whole: bool, named: bool) -> None:
    assert names(Changes.of([change]), path, whole=whole) is named


def test_nothing_is_named_by_a_batch_that_forgot() -> None:
    assert not names(None, b"f")
    assert not Coverage(Batch(NOW, 3), listed=True).moved(b"f")


def test_a_pass_finds_well_what_it_does_not_name_and_has_not_left_out() -> None:
    table = after({}, Account((unreadable(b"a"), unreadable(b"d/x"))), PASS, NOW, wait)
    assert list(table) == [b"a", b"d/x"]
    assert ailing.next_at(table) == NOW + 2
    again = after(table, Account((unreadable(b"a"),)), PASS, NOW + 2, wait)
    assert again[b"a"] == Ailing(unreadable(b"a"), NOW, 2, NOW + 6)
    assert list(again) == [b"a"]
    left = Coverage(PASS.flight, listed=False, left=frozenset({b"d"}))
    assert list(after(table, Account(), left, NOW, wait)) == [b"d/x"]


def test_another_run_that_meets_it_counts_no_try() -> None:
    table = after({}, Account((unreadable(b"a"),)), PASS, NOW, wait)
    assert after(table, Account((unreadable(b"a"),)), PASS, NOW + 1, wait) == table


def test_a_path_whose_directory_may_be_gone_is_tried_at_once() -> None:
    table = after({}, Account((unreadable(b"d/e/x"), unreadable(b"y"))), PASS, NOW, wait)
    run = Coverage(batch(Change(b"d", Kind.LEVEL)), listed=True)
    table = after(table, Account(), run, NOW + 1, wait)
    assert table[b"d/e/x"].retry_at == NOW + 1
    trial = ailing.due(table, NOW + 1)
    assert trial is not None
    assert list(trial.changes or ()) == [Change(b"d/e/x", Kind.ENTRY)]
    assert (trial.since, trial.named) == (math.inf, True)
    assert ailing.due(table, NOW) is None


def test_what_is_left_out_of_a_run() -> None:
    table = after({}, Account((unreadable(b"d", whole=True), unreadable(b"f"))), PASS, NOW, wait)
    assert ailing.blind(table, entry(b"other"), NOW) == {b"d"}
    assert ailing.blind(table, entry(b"d"), NOW) == set()
    assert ailing.blind(table, entry(b"d").again(), NOW) == {b"d"}
    assert ailing.blind(table, full_pass("rfull", NOW), NOW + 1) == {b"d"}
    assert ailing.blind(table, full_pass("rfull", NOW), NOW + 2) == set()


def test_what_is_excused() -> None:
    some = Account((unreadable(b"a"),))
    assert excuses(23, some, PASS, {})
    assert not excuses(12, some, PASS, {})
    assert not excuses(23, Account(), PASS, {})
    assert not excuses(23, TORN.account, PASS, {})
    assert excuses(23, Account(raced=True), PASS, {})
    assert not excuses(23, Account(raced=True), Coverage(full_pass("x", NOW).again(), False), {})


def test_not_more_than_so_many() -> None:
    many = [unreadable(b"%d" % number) for number in range(ailing.MOST + 1)]
    assert excuses(23, Account(tuple(many[1:])), PASS, {})
    assert not excuses(23, Account(tuple(many)), PASS, {})
    table = after({}, Account(tuple(many[1:])), PASS, NOW, wait)
    assert not excuses(23, Account((many[0],)), PASS, table)


def test_deletions_that_no_run_can_make_are_not_excused() -> None:
    assert excuses(23, BLIND.account, PASS, {})
    assert not excuses(23, BLIND.account, Coverage(PASS.flight, False, frozenset({b"dir"})), {})
    assert not excuses(23, Account((unreadable(b"f"),), undeleted=True), PASS, {})


def test_pipes_are_hidden_once_and_again_when_named() -> None:
    said_, none = Account(odd=(b"p",)), frozenset[bytes]()
    assert odd_after(none, none, said_, PASS) == ({b"p"}, {b"p"})
    assert odd_after(frozenset({b"p"}), none, said_, PASS) == ({b"p"}, none)
    named = Coverage(entry(b"p"), listed=True)
    assert odd_after(frozenset({b"p"}), none, said_, named) == ({b"p"}, {b"p"})
    # The run that hides it does not speak of it; one that sends a file there does not either.
    assert odd_after(frozenset({b"p"}), frozenset({b"p"}), Account(), named) == ({b"p"}, none)
    assert odd_after(frozenset({b"p"}), none, Account(), named) == (none, none)
    many = Account(odd=tuple(b"%d" % number for number in range(ailing.MOST_ODD + 1)))
    assert odd_after(none, none, many, PASS) == (none, none)


# ---- a mirror ----------------------------------------------------------------------------------


def order(engine: Engine, now: float) -> Start:
    (start,) = [action for action in engine.due(now) if isinstance(action, Start)]
    return start


def failed(outcome: Outcome = FILE) -> tuple[Engine, Mirror]:
    """Return an engine whose first run has just ended so."""
    engine = changing(rfull=0.0, on_failure=("/bin/x",), on_recover=("/bin/x",), edelay=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, outcome, NOW)
    return engine, mirror


def change(engine: Engine, path: bytes, now: float) -> None:
    engine.changed(engine.config.sources[0], Changes.of([Change(path, Kind.ENTRY)]), now)


def test_all_else_counts_as_sent_and_it_is_said_once() -> None:
    engine, mirror = failed()
    assert (mirror.state, mirror.since, mirror.done) == (State.IDLE, None, mirror.offered)
    actions = engine.due(NOW)
    assert said(actions, WARNING) == [
        "/srv/www -> n0:/m: all is sent but 1 path; all else goes on",
        "  bad cannot be read; let the user of inosync read it (chmod, setfacl), or exclude it",
        "    opendir b'bad'",
    ]
    (hook,) = [action.report for action in actions if isinstance(action, Hook)]
    assert (hook.state, hook.meaning) == ("ailing", "in sync but for 1 path")  # type: ignore[union-attr]
    change(engine, b"f", NOW)
    assert starts(engine.due(NOW)) == [mirror]
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert not [action for action in engine.due(NOW) if isinstance(action, Hook)]


def test_it_is_tried_again_by_a_run_of_its_own_and_is_well() -> None:
    engine, mirror = failed()
    engine.due(NOW)
    assert engine.deadline() == NOW + 1
    start = order(engine, NOW + 1)
    assert list(start.order.batch.changes or ()) == [Change(b"bad", Kind.ENTRY)]
    assert start.order.by_name
    assert mirror.since is None
    engine.exited(mirror, FILE, NOW + 1)
    assert said(engine.due(NOW + 1)) == []
    assert engine.deadline() == NOW + 3
    order(engine, NOW + 3)
    engine.exited(mirror, Outcome(0, listed=True), NOW + 3)
    actions = engine.due(NOW + 3)
    assert said(actions) == ["/srv/www -> n0:/m: well again: bad"]
    assert [a.report.event for a in actions if isinstance(a, Hook)] == ["on_recover"]
    assert (mirror.ailing, engine.deadline()) == ({}, None)


@pytest.mark.parametrize(
    ("outcome", "doubts"),
    [
        (FILE, Doubts(files=frozenset({b"bad"}))),
        (BLIND, Doubts(trees=frozenset({b"dir"}))),
    ],
)
@pytest.mark.parametrize("contents", [False, True])
def test_a_pass_that_meets_it_may_have_taken_it_for_equal(
    outcome: Outcome, doubts: Doubts, contents: bool
) -> None:
    engine, mirror = failed(outcome)
    mirror.pending = None  # what was left out of the first one
    if contents:
        engine.repair(NOW)
    else:
        engine.release("asked for", NOW)
    order(engine, NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert mirror.ailing == {}
    if contents:
        assert mirror.state is State.IDLE
        return
    start = order(engine, NOW).order
    assert (start.idle, start.batch.doubts) == (True, doubts)
    engine.exited(mirror, outcome, NOW)
    assert mirror.ailing


def test_so_may_a_run_that_names_what_it_lies_in() -> None:
    engine, mirror = failed()
    engine.changed(engine.config.sources[0], Changes.of([Change(b"", Kind.LEVEL)]), NOW)
    order(engine, NOW)
    owed = mirror.offered  # up to here somebody waits
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert mirror.ailing == {}
    assert mirror.done < owed
    assert order(engine, NOW).order.batch.doubts.files == {b"bad"}


def test_a_tree_is_not_passed_over_for_it() -> None:
    pair = make_pair(None, "n:/m", rscope="tree")
    engine = Engine(make_config([pair], rfull=0.0, edelay=0.0), steady)
    engine.watched(engine.config.sources[0], NOW, reason="start-up")
    (mirror,) = starts(engine.due(NOW))
    engine.exited(mirror, FILE, NOW)
    assert order(engine, NOW + 1).order.by_name
    engine.exited(mirror, Outcome(0, listed=True), NOW + 1)
    engine.release("asked for", NOW + 2)
    assert not order(engine, NOW + 2).order.by_name


def test_deletions_that_were_left_out_are_made_by_another_run() -> None:
    engine, mirror = failed(BLIND)
    start = order(engine, NOW)
    assert start.order.blind == {b"dir"}
    assert mirror.done < mirror.offered
    what = Prepared(RunKind.LISTED, ("rsync",), (b"./f",), left=start.order.blind)
    engine.prepared(mirror, what, NOW)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)
    assert list(mirror.ailing) == [b"dir"]


def test_a_lost_race_is_run_again_and_not_told() -> None:
    engine, mirror = failed(Outcome(23, account=Account(raced=True)))
    assert said(engine.due(NOW), WARNING) == []
    assert mirror.state is State.RUNNING
    engine.exited(mirror, Outcome(23, account=Account(raced=True)), NOW)
    assert mirror.state is State.BACKOFF


def test_what_a_rename_hides_is_not_excused() -> None:
    engine = changing(rfull=0.0)
    (mirror,) = started(engine)
    what = Prepared(RunKind.LISTED, ("rsync",), (b"./f",), gone=frozenset({b"old"}), hid=True)
    engine.prepared(mirror, what, NOW)
    engine.exited(mirror, FILE, NOW)
    assert mirror.state is State.BACKOFF


def test_a_person_who_wants_a_pass_has_them_tried() -> None:
    engine, mirror = failed(BLIND)
    order(engine, NOW)
    engine.release("asked for", NOW)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert order(engine, NOW).order.blind == set()
    assert mirror.ailing[b"dir"].retry_at == 0.0


# ---- where nobody named a path -----------------------------------------------------------------


def test_a_new_change_goes_alone_before_what_failed() -> None:
    engine, mirror = failed(TORN)
    assert (mirror.state, mirror.retry_at) == (State.BACKOFF, NOW + 1)
    change(engine, b"new", NOW)
    start = order(engine, NOW)
    assert list(start.order.batch.changes or ()) == [Change(b"new", Kind.ENTRY)]
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert (mirror.state, mirror.retry_at) == (State.BACKOFF, NOW + 1)
    assert mirror.done < mirror.offered
    change(engine, b"more", NOW + 0.5)
    order(engine, NOW + 0.5)
    change(engine, b"most", NOW + 0.5)
    engine.exited(mirror, TORN, NOW + 0.5)
    order(engine, NOW + 0.5)
    engine.exited(mirror, Outcome(0, listed=True), NOW + 0.6)
    assert mirror.retry_at == NOW + 1
    last = order(engine, NOW + 1)
    assert {change.path for change in last.order.batch.changes or ()} == {b"f", b"more"}
    assert mirror.since == NOW
    engine.exited(mirror, Outcome(0, listed=True), NOW + 1)
    assert (mirror.state, mirror.done, mirror.since) == (State.IDLE, mirror.offered, None)


def test_a_pass_that_goes_well_carries_what_failed() -> None:
    engine = make_engine(rfull=0.0, edelay=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, TORN, NOW)
    change(engine, b"new", NOW)
    order(engine, NOW)
    engine.exited(mirror, Outcome(0), NOW)
    # It may have passed over content that kept size and date: that is compared.
    assert (mirror.state, mirror.aside, mirror.failing) == (State.PENDING, None, None)
    again = order(engine, NOW).order
    assert (again.idle, again.batch.doubts.files) == (True, {b"f"})
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)


def test_a_dead_node_gets_no_run_for_each_change() -> None:
    engine, mirror = failed(TORN)
    change(engine, b"new", NOW)
    order(engine, NOW)
    engine.exited(mirror, Outcome(12), NOW)
    change(engine, b"more", NOW)
    assert starts(engine.due(NOW)) == []
    assert (mirror.state, mirror.aside) == (State.BACKOFF, None)
    assert {c.path for c in order(engine, NOW + 2).order.batch.changes or ()} == {
        b"f",
        b"new",
        b"more",
    }


def test_room_is_waited_for() -> None:
    full = Complaint(b"big", Cause.ROOM, "write failed")
    engine, mirror = failed(Outcome(11, account=Account((full,), understood=True)))
    assert mirror.short_of_room
    assert mirror.failing is not None
    change(engine, b"small", NOW)
    order(engine, NOW)
    engine.exited(mirror, Outcome(23, account=Account((full,))), NOW)
    mirror.hurry()
    assert mirror.aside is None
    assert mirror.short_of_room
    assert mirror.failing is None
    engine.exited(*starts(engine.due(NOW)), Outcome(0, listed=True), NOW)
    assert mirror.short_of_room  # the run before the trial: it has not named it
    order(engine, NOW + 1)
    engine.exited(mirror, Outcome(0, listed=True), NOW + 1)
    assert not mirror.short_of_room


@pytest.mark.parametrize("how", ["nothing", "reload", "sync"])
def test_what_was_put_aside_does_not_count_when_another_run_ends_well(how: str) -> None:
    engine, mirror = failed(Outcome(23, listed=True, account=Account(understood=False)))
    change(engine, b"b", NOW)
    order(engine, NOW)
    if how == "reload":
        engine.configure(engine.config, NOW)
    elif how == "sync":
        engine.release("asked for", NOW)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert (mirror.done, mirror.equal_at) == (0, None)
    # It does not wait for its time any more.
    at = NOW if how != "nothing" else mirror.retry_at or math.inf
    assert at < NOW + 10
    began = starts(engine.due(at))
    assert began == [mirror]
    while began:
        engine.exited(*began, Outcome(0), at)
        began = starts(engine.due(at))
    assert (mirror.done, mirror.aside) == (mirror.offered, None)


def test_what_is_to_be_tried_at_once_and_fails_again_waits() -> None:
    engine, mirror = failed(Outcome(23, listed=True, account=Account(understood=False)))
    change(engine, b"b", NOW)
    order(engine, NOW)
    engine.configure(engine.config, NOW)
    engine.exited(mirror, Outcome(23, listed=True, account=Account(understood=False)), NOW + 1)
    assert mirror.retry_at is not None
    assert mirror.retry_at > NOW + 1
    assert not starts(engine.due(NOW + 1))


def test_what_was_put_aside_has_its_turn_where_something_always_waits() -> None:
    engine, mirror = failed(Outcome(23, listed=True, account=Account(understood=False)))
    at = mirror.retry_at
    assert at is not None
    change(engine, b"b", NOW)
    order(engine, NOW)
    change(engine, b"c", at)
    engine.exited(mirror, Outcome(0, listed=True), at)
    start = order(engine, at)
    assert {change.path for change in start.order.batch.changes or ()} == {b"f", b"c"}


# ---- pipes, and directories that stay ----------------------------------------------------------


def test_the_file_that_a_pipe_has_replaced_is_deleted_by_a_small_run() -> None:
    engine, mirror = failed(Outcome(0, account=Account(odd=(b"d/p",))))
    assert mirror.done < mirror.offered
    start = order(engine, NOW)
    assert start.order.odd == {b"d/p"}
    assert list(start.order.batch.changes or ()) == [Change(b"d", Kind.LEVEL)]
    assert start.order.by_name
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert (mirror.state, mirror.done, mirror.ousted) == (State.IDLE, mirror.offered, set())
    change(engine, b"f", NOW)
    order(engine, NOW)
    engine.exited(mirror, Outcome(0, account=Account(odd=(b"d/p",))), NOW)
    assert mirror.state is State.IDLE


def test_a_directory_that_stays_in_two_runs_is_a_note() -> None:
    stays = Outcome(0, kept=((b"d", b"d/x"), (b"e", b"")), listed=True)
    engine, mirror = failed(stays)
    assert (mirror.kept, mirror.done < mirror.offered) == ({}, True)
    start = order(engine, NOW)
    entries = [Change(b"d", Kind.ENTRY), Change(b"e", Kind.ENTRY)]
    assert (list(start.order.batch.changes or ()), start.order.by_name) == (entries, True)
    engine.exited(mirror, stays, NOW)
    told = said(engine.due(NOW))
    assert told[0].startswith("/srv/www -> n0:/m: d stays on the node")
    assert (mirror.state, mirror.done, mirror.stayed) == (State.IDLE, mirror.offered, set())
    change(engine, b"d", NOW)
    order(engine, NOW)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert (list(mirror.kept), mirror.state) == ([b"e"], State.IDLE)


def test_a_directory_that_something_came_into_while_it_was_emptied_does_not_stay() -> None:
    engine, mirror = failed(Outcome(0, kept=((b"d", b""),)))
    order(engine, NOW)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert not any("stays" in text for text in said(engine.due(NOW)))
    assert (mirror.state, mirror.done, mirror.stayed) == (State.IDLE, mirror.offered, set())
    # Once more, and nothing is believed for what had been.
    change(engine, b"e", NOW)
    order(engine, NOW)
    engine.exited(mirror, Outcome(0, listed=True, kept=((b"d", b""),)), NOW)
    assert (mirror.kept, mirror.stayed, mirror.state) == ({}, {b"d"}, State.PENDING)


def test_a_run_for_something_else_does_not_tell_whether_it_stays() -> None:
    engine, mirror = failed(Outcome(0))
    mirror.stayed = frozenset({b"d/e"})
    for path, waits in ((b"f", {b"d/e"}), (b"d/e", set())):
        change(engine, path, NOW)
        order(engine, NOW)
        engine.exited(mirror, Outcome(0, listed=True), NOW)
        assert mirror.stayed == waits


def test_many_that_are_well_again_are_one_line() -> None:
    many = Account(tuple(unreadable(b"%d" % number) for number in range(5)))
    engine, mirror = failed(Outcome(23, account=many))
    engine.due(NOW + 0.5)
    engine.release("x", NOW + 1)
    order(engine, NOW + 1)
    engine.exited(mirror, Outcome(23, account=Account((unreadable(b"4"),))), NOW + 1)
    assert said(engine.due(NOW + 1))[0] == (
        "/srv/www -> n0:/m: well again: 0, 1, 2, …, 1 path left"
    )


def test_of_old_versions_it_is_said_where_they_go() -> None:
    known = Ailing(Complaint(b"a/A", Cause.IN_THE_WAY, "no way"), NOW, 1, NOW)
    pair = make_pair(None, "h:/m", extra=("-b", "--suffix=.1"))
    name, what, todo = ailing.described(known, pair, {b"a/A": b"a/A/f.1"}, user="u")
    assert (name, what) == ("a/A", "is a directory on the node that keeps old versions: a/A/f.1")
    assert todo == "the next run moves them to a/A.1; if that fails, move a/A.1 away on h"


def test_the_run_that_names_it_again_is_told_of_what_is_in_the_way() -> None:
    way = Account((Complaint(b"A", Cause.IN_THE_WAY, "no way"), unreadable(b"B")))
    engine, _ = failed(Outcome(23, account=way))
    assert order(engine, NOW + 1).order.barred == {b"A"}
    engine, mirror = failed(Outcome(23, account=way))
    engine.changed(mirror.pair.source, Changes.of([Change(b"C", Kind.ENTRY)]), NOW)
    assert order(engine, NOW + 0.1).order.barred == frozenset()


def test_what_is_in_the_way_is_named_with_what_keeps_it() -> None:
    way = Account((Complaint(b"A", Cause.IN_THE_WAY, "could not make way"),))
    engine, _ = failed(Outcome(23, account=way, kept=((b"A", b"A/x.tmp"),)))
    told = said(engine.due(NOW))
    assert any("keeps something excluded: A/x.tmp; delete it on n0 by hand" in t for t in told)
    assert not any("stays on the node" in t for t in told)


# ---- what ends a run ---------------------------------------------------------------------------

STOPPER = Complaint(b"c", Cause.OLD_IN_THE_WAY, "could not make way for backup", final=True)
STOPPED = Outcome(11, account=Account((STOPPER,), ended=True), cut=True)


def test_a_run_that_ended_at_a_path_goes_on_without_it() -> None:
    engine, mirror = failed(STOPPED)
    assert (mirror.state, mirror.done < mirror.offered) == (State.PENDING, True)
    start = order(engine, NOW)
    assert start.order.blind == {b"c"}
    left = Prepared(RunKind.PASS, ("rsync",), (), left=frozenset({b"c"}))
    engine.prepared(mirror, left, NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert (mirror.state, mirror.done, list(mirror.ailing)) == (State.IDLE, mirror.offered, [b"c"])
    # One that names it ends there, and goes on without it, too.
    change(engine, b"c", NOW)
    assert order(engine, NOW).order.blind == set()
    engine.exited(mirror, replace(STOPPED, listed=True), NOW)
    assert order(engine, NOW).order.blind == {b"c"}
    # What it was told to leave out cannot have ended it.
    engine.prepared(mirror, left, NOW)
    engine.exited(mirror, replace(STOPPED, listed=True), NOW)
    assert mirror.state is State.BACKOFF
    change(engine, b"other", NOW)
    assert order(engine, NOW).order.by_name


def test_a_path_that_cannot_be_left_out_ends_runs_only_so_often() -> None:
    engine, mirror = failed(STOPPED)
    assert order(engine, NOW).order.blind == {b"c"}
    engine.exited(mirror, STOPPED, NOW)  # it is not in the source: no rule leaves it out
    assert mirror.state is State.BACKOFF


def test_a_run_that_ended_has_found_nothing_well() -> None:
    table = after({}, Account((unreadable(b"a"),)), PASS, NOW, wait)
    run = replace(PASS, ended=True)
    assert list(after(table, STOPPED.account, run, NOW, wait)) == [b"a", b"c"]


def test_where_the_old_version_would_go_is_said() -> None:
    for extra, where in (("-b",), "c~"), (("-b", "--backup-dir=/old"), "/old/c"):
        pair = make_pair(None, "h:/m", extra=extra)
        told = ailing.described(Ailing(STOPPER, NOW, 1, NOW), pair, {}, user="u")
        assert told[2] == f"move {where} away on h"
