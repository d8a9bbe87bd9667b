"""A mirror whose passes go as slices: who goes first, and what counts as done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.configs import make_config, make_pair
from support.engines import NOW, ONE, changing, events, make_engine, said, steady

from inosync.changes.batch import Batch, full_pass
from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import INFO, Hook, Outcome, Start
from inosync.engine.ailing import Ailing
from inosync.engine.engine import Engine
from inosync.engine.ledger import MOST_BESIDE
from inosync.engine.mirror import Mirror, State
from inosync.engine.reports import Succeeded
from inosync.engine.streams import together
from inosync.planning.order import Moment, Order, Prepared, RunKind
from inosync.planning.scan import Question
from inosync.planning.slices import Amount, Course, Slice
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.output import Transferred

WELL = Outcome(0, listed=True)
OVER = Course(todo=None)


def filling(**settings: object) -> tuple[Engine, Mirror]:
    """Return an engine that owes its only mirror everything."""
    engine = changing(**({"edelay": 0.0, "rfull": 0.0} | settings))
    engine.resync(engine.config.sources[0], "start-up", NOW)
    return engine, engine.mirrors[0]


def streaming(count: int, **settings: object) -> tuple[Engine, Mirror]:
    """Return one whose node may be sent so many slices at once."""
    pair = make_pair(None, "n0:/m", rscope="changes", rstreams=count)
    config = make_config([pair], **({"edelay": 0.0, "rfull": 0.0} | settings))
    engine = Engine(config, steady)
    engine.watched(config.sources[0], NOW)
    return engine, engine.mirrors[0]


def ordered(engine: Engine, now: float = NOW) -> Order:
    (order,) = [action.order for action in engine.due(now) if isinstance(action, Start)]
    return order


def slice_of(*trees: bytes) -> Slice:
    return Slice(trees, Changes(), Amount(100, 1))


def cut(engine: Engine, *trees: bytes, last: bool = False, moment: Moment | None = None) -> None:
    """Let the run that was ordered be the slice of these trees."""
    course = OVER if last else Course()
    what = Prepared(RunKind.SLICE, ("rsync",), piece=slice_of(*trees), course=course, moment=moment)
    engine.prepared(engine.mirrors[0], what, NOW)


def change(engine: Engine, *paths: bytes, now: float = NOW) -> None:
    changes = Changes.of(Change(path, Kind.ENTRY) for path in paths)
    engine.changed(engine.config.sources[0], changes, now)


def test_a_pass_is_a_row_of_slices() -> None:
    engine, mirror = filling()
    order = ordered(engine)
    assert (order.kind, order.course, order.batch.reason) == (
        RunKind.SLICE,
        Course(sizes=True),
        "start-up",
    )
    cut(engine, b"a")
    assert mirror.flight is not None
    assert (mirror.flight.reason, list(mirror.flight.changes or ())) == (
        "",
        [Change(b"a", Kind.TREE)],
    )
    engine.exited(mirror, WELL, NOW + 1)
    assert (mirror.state, mirror.done, mirror.since, mirror.health.synced) == (
        State.PENDING,
        0,
        NOW,
        False,
    )
    assert said(engine.due(NOW + 1), INFO) == []
    cut(engine, b"b", last=True)
    engine.exited(mirror, WELL, NOW + 2)
    assert (mirror.state, mirror.done, mirror.since) == (State.IDLE, mirror.offered, None)
    assert (mirror.health.synced, mirror.health.whole, mirror.passing) == (True, True, None)
    assert said(engine.due(NOW + 2), INFO) == ["/srv/www -> n0:/m: in sync (first pass, 2.0 s)"]


def test_a_slice_that_was_cut_short_is_made_again_and_no_pass() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    engine.exited(mirror, Outcome(-9, listed=True, cut=True, homes=frozenset((b"a",))), NOW + 1)
    assert mirror.passing is not None
    assert (mirror.passing.again, mirror.passing.after) == ((slice_of(b"a"),), None)
    assert mirror.pending is None


def test_what_has_changed_goes_first_and_a_slice_between() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    change(engine, b"one")
    engine.due(NOW)
    engine.exited(mirror, WELL, NOW + 1)
    order = ordered(engine, NOW + 1)
    assert (order.kind, order.batch.reason, order.batch.sample) == (RunKind.PASS, "", (b"one",))
    change(engine, b"two", now=NOW + 1)
    engine.due(NOW + 1)
    engine.exited(mirror, WELL, NOW + 1)
    assert (mirror.done, mirror.carried) == (0, 2)
    assert ordered(engine, NOW + 1).kind is RunKind.SLICE
    cut(engine, b"b")
    engine.exited(mirror, WELL, NOW + 2)
    assert ordered(engine, NOW + 2).batch.sample == (b"two",)
    engine.exited(mirror, WELL, NOW + 2)
    assert ordered(engine, NOW + 2).kind is RunKind.SLICE
    cut(engine, b"c", last=True)
    engine.exited(mirror, WELL, NOW + 3)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)


def test_what_waits_behind_the_last_slice_is_not_done() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    change(engine, b"one")
    engine.due(NOW)
    engine.exited(mirror, WELL, NOW + 1)
    assert (mirror.state, mirror.passing, mirror.done) == (State.PENDING, None, 1)
    assert mirror.equal_at is None
    ordered(engine, NOW + 1)
    engine.exited(mirror, WELL, NOW + 1)
    assert mirror.done == mirror.offered


def test_a_moment_at_which_all_is_there_ends_the_pass() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", moment=Moment(1.0, NOW))
    engine.exited(mirror, WELL, NOW)
    assert mirror.equal_at is None
    ordered(engine)
    cut(engine, b"b", last=True, moment=Moment(2.0, NOW))
    engine.exited(mirror, WELL, NOW)
    assert mirror.equal_at == Moment(2.0, NOW)


def test_a_run_for_changes_knows_no_such_moment_during_a_pass() -> None:
    engine, mirror = filling()
    change(engine, b"one")
    ordered(engine)
    what = Prepared(RunKind.LISTED, ("rsync",), (b"./one",), moment=Moment(1.0, NOW))
    engine.prepared(mirror, what, NOW)
    engine.exited(mirror, WELL, NOW)
    assert mirror.equal_at is None


def test_a_rename_is_sent_while_the_node_is_filled() -> None:
    engine, mirror = filling()
    change(engine, b"one")
    assert ordered(engine).owed is None
    engine.exited(mirror, WELL, NOW)
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.exited(mirror, WELL, NOW)
    engine.resync(engine.config.sources[0], "rfull", NOW)
    mirror.passing = replace(mirror.passing, batch=full_pass("rfull", NOW))  # type: ignore[arg-type]
    change(engine, b"two")
    assert ordered(engine).owed == frozenset()


def test_a_slice_that_failed_is_made_again_by_itself() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.exited(mirror, Outcome(12), NOW)
    assert (mirror.state, mirror.pending, mirror.done) == (State.BACKOFF, None, 0)
    assert ordered(engine, NOW + 1).piece == slice_of(b"a")
    cut(engine, b"a", last=True)
    engine.exited(mirror, WELL, NOW + 1)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)


def several(*names: bytes) -> Prepared:
    """Return slices that are made at once, the last ones."""
    one, *beside = (Prepared(RunKind.SLICE, ("rsync",), piece=slice_of(name)) for name in names)
    done = replace(OVER, done=Amount(100 * len(names), len(names)))
    return replace(one, course=done, beside=tuple(beside))


def test_slices_that_are_made_at_once_are_one_run() -> None:
    engine, mirror = streaming(4, rparallel=3)
    assert ordered(engine).streams == 3  # no more than there is room for
    engine.prepared(mirror, several(b"a", b"b", b"c"), NOW)
    change(engine, b"one")
    assert engine.due(NOW) == []  # which goes when all of them have ended
    ended = together({0: WELL, 2: WELL, 1: Outcome(12, listed=True)})
    engine.exited(mirror, ended, NOW)
    assert (mirror.state, mirror.done) == (State.BACKOFF, 0)
    assert mirror.passing is not None
    assert mirror.passing.again == (slice_of(b"b"),)
    assert ordered(engine, NOW + 1).batch.sample == (b"one",)
    engine.exited(mirror, WELL, NOW + 1)
    order = ordered(engine, NOW + 1)
    assert (order.piece, order.streams) == (slice_of(b"b"), 1)
    cut(engine, b"b", last=True)
    engine.exited(mirror, WELL, NOW + 1)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)


def test_of_slices_that_were_told_to_end_none_is_sure() -> None:
    engine, mirror = streaming(2)
    ordered(engine)
    engine.prepared(mirror, several(b"a", b"b"), NOW)
    engine.interrupt(engine.config.sources[0], "is another one", NOW)
    engine.exited(mirror, together({0: WELL, 1: Outcome(20, listed=True)}), NOW)
    assert mirror.passing is not None
    # As if it had never begun.
    assert (mirror.passing.course, mirror.passing.again) == (Course(), ())


def test_what_changes_does_not_wait_for_a_slice_that_failed_in_part() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    engine.exited(mirror, Outcome(23), NOW)
    assert (mirror.state, mirror.waits) == (State.BACKOFF, False)
    engine.resync(engine.config.sources[0], "overflow", NOW)
    assert mirror.state is State.BACKOFF
    change(engine, b"one")
    assert ordered(engine).batch.sample == (b"one",)
    engine.exited(mirror, WELL, NOW)
    assert mirror.state is State.BACKOFF
    assert mirror.done == 0
    order = ordered(engine, NOW + 1)
    assert (order.kind, order.piece) == (RunKind.SLICE, None)
    cut(engine, b"b", last=True)
    engine.exited(mirror, WELL, NOW + 1)
    assert ordered(engine, NOW + 1).piece == slice_of(b"a")


def test_a_change_that_fails_in_part_does_not_hold_up_the_pass() -> None:
    engine, mirror = filling()
    change(engine, b"one")
    ordered(engine)
    engine.exited(mirror, Outcome(23), NOW)
    assert ordered(engine).kind is RunKind.SLICE
    cut(engine, b"a", last=True)
    engine.exited(mirror, WELL, NOW)
    assert (mirror.state, mirror.passing, mirror.done) == (State.BACKOFF, None, 0)
    assert ordered(engine, NOW + 1).batch.sample == (b"one",)
    engine.exited(mirror, WELL, NOW + 1)
    assert mirror.done == mirror.offered


def test_deletions_that_a_slice_left_out_are_made_by_it_again() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.exited(mirror, Outcome(23, account=Account(raced=True), listed=True), NOW)
    order = ordered(engine)
    assert order.piece == replace(slice_of(b"a"), repeated=True)
    assert order.batch.repeated
    cut(engine, b"a", last=True)
    engine.exited(mirror, WELL, NOW)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)


def test_what_vanished_from_a_slice_has_an_event_of_its_own() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)


def test_a_whole_run_leaves_nothing_of_a_pass() -> None:
    engine, mirror = filling()
    change(engine, b"one")
    ordered(engine)
    engine.exited(mirror, Outcome(0), NOW)
    assert (mirror.state, mirror.passing, mirror.done) == (State.IDLE, None, mirror.offered)


def test_but_of_one_that_was_demanded_when_it_had_begun() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.exited(mirror, WELL, NOW)
    change(engine, b"one")
    ordered(engine)
    engine.resync(engine.config.sources[0], "overflow", NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert mirror.passing is not None
    assert mirror.passing.batch.reason == "overflow"
    assert mirror.done < mirror.offered


def test_a_pass_that_comes_to_one_run_is_over_with_it() -> None:
    engine, mirror = filling()
    ordered(engine)
    engine.prepared(mirror, Prepared(RunKind.PASS, ("rsync",), moment=Moment(1.0, NOW)), NOW)
    engine.exited(mirror, Outcome(0), NOW + 1)
    assert (mirror.state, mirror.done, mirror.equal_at) == (
        State.IDLE,
        mirror.offered,
        Moment(1.0, NOW),
    )
    assert mirror.health.whole


def test_a_second_pass_follows_the_first() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.release("asked for", NOW)
    engine.exited(mirror, WELL, NOW)
    assert (mirror.state, mirror.done) == (State.PENDING, 1)
    assert ordered(engine).batch.reason == "asked for"
    cut(engine, b"a", last=True)
    engine.exited(mirror, WELL, NOW)
    assert mirror.done == mirror.offered == 2


def test_what_has_no_names_and_is_not_found_is_a_pass() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = engine.mirrors
    mirror.offer(Batch(NOW, 1, changes=ONE))
    first = mirror.offered
    mirror.offer(Batch(NOW - 1, 70_000))
    assert ordered(engine).forgotten
    engine.widen(mirror)
    assert mirror.passing is not None
    assert (mirror.state, mirror.pending, mirror.passing.since) == (State.PENDING, None, NOW - 1)
    change(engine, b"later")
    assert ordered(engine).batch.sample == (b"later",)
    engine.exited(mirror, WELL, NOW)
    assert mirror.done < first


def test_what_is_too_much_beside_a_pass_is_left_to_it() -> None:
    engine, mirror = filling()
    mirror.offer(Batch(NOW, 1, changes=Changes.of([Change(b"one", Kind.ENTRY)])))
    assert mirror.pending is not None
    mirror.offer(Batch(NOW, MOST_BESIDE, changes=Changes.of([Change(b"two", Kind.ENTRY)])))
    assert mirror.pending is None
    assert mirror.passing is not None
    assert (mirror.passing.batch.count, mirror.passing.number) == (MOST_BESIDE + 1, 1)
    assert ordered(engine).kind is RunKind.SLICE
    cut(engine, last=True)
    engine.exited(mirror, WELL, NOW)
    assert (mirror.done, mirror.since) == (mirror.offered, None)


def test_what_is_looked_for_by_time_does_not_hold_up_a_pass() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    engine.exited(mirror, WELL, NOW)
    mirror.offer(Batch(NOW, 70_000))
    assert ordered(engine).forgotten
    engine.narrow(mirror, Question(5), NOW)
    assert (mirror.state, mirror.pending) == (State.PENDING, None)
    assert ordered(engine).kind is RunKind.SLICE


def test_a_target_in_another_place_has_a_pass_begin_anew() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    engine.exited(mirror, WELL, NOW)
    engine.renew(mirror, "another target", NOW, contents=True, release=False)
    assert mirror.passing is not None
    (batch,) = mirror.passing.batches
    assert (batch.contents, mirror.passing.course.done.weight) == (True, 0)


def test_what_ails_is_left_for_another_daemon() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    assert mirror.rest is not None
    assert mirror.rest.parts(9) == (("tree", b"a"),)
    file, tree = Complaint(b"d/bad", Cause.ROOM, "x"), Complaint(b"e", Cause.ROOM, "x", whole=True)
    mirror.ailing = {each.path: Ailing(each, NOW, 1, NOW) for each in (file, tree)}
    assert set(mirror.rest.parts(9) or ()) == {
        ("tree", b"a"),
        ("tree", b"e"),
        ("level", b"d"),
    }
    mirror.stale = frozenset({b"old"})
    assert mirror.rest is None


def test_what_a_rename_left_on_the_node_goes_before_a_slice() -> None:
    engine, mirror = filling()
    mirror.stale = frozenset({b"old"})
    order = ordered(engine)
    assert (order.kind, order.stale, order.batch.changes) == (
        RunKind.PASS,
        {b"old"},
        Changes(),
    )
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    order = ordered(engine)
    assert (order.kind, order.stale) == (RunKind.SLICE, {b"old"})
    cut(engine, b"a")
    engine.exited(mirror, WELL, NOW)
    assert mirror.stale == {b"old"}
    ordered(engine)
    engine.exited(mirror, WELL, NOW)
    assert mirror.stale == frozenset()


def test_a_start_that_was_not_carried_out_owes_the_same() -> None:
    engine, mirror = filling()
    ordered(engine)
    mirror.withdraw()
    assert (mirror.state, mirror.pending, mirror.totals.runs) == (State.PENDING, None, 0)
    assert ordered(engine).course == Course(sizes=True)


def test_where_there_is_nothing_the_pass_goes_first() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = engine.mirrors
    engine.renew(mirror, "there is nothing", NOW, contents=False, release=False)
    change(engine, b"one")
    assert ordered(engine).batch.sample == (b"one",)
    mirror.withdraw()
    engine.fill(mirror, NOW)
    assert (mirror.state, mirror.pending) == (State.PENDING, None)
    change(engine, b"two")
    assert ordered(engine).kind is RunKind.SLICE
    cut(engine, b"a", last=True)
    engine.exited(mirror, WELL, NOW)
    assert ordered(engine).batch.sample == (b"two",)
    engine.exited(mirror, WELL, NOW)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)


def test_where_there_is_nothing_a_change_does_not_hurry_a_pass_that_rests() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    engine.exited(mirror, Outcome(23), NOW)
    again = mirror.retry_at
    assert again is not None
    change(engine, b"late")
    assert ordered(engine).batch.sample == (b"late",)
    mirror.withdraw()
    engine.fill(mirror, NOW)
    assert (mirror.state, mirror.pending, mirror.retry_at) == (State.BACKOFF, None, again)
    assert ordered(engine, again).kind is RunKind.SLICE


def test_where_there_is_nothing_one_run_carries_all() -> None:
    engine = make_engine(edelay=0.0, rfull=0.0)
    (mirror,) = engine.mirrors
    mirror.offer(Batch(NOW, 1, changes=ONE))
    for _ in range(2):
        ordered(engine)
        mirror.withdraw()
        engine.fill(mirror, NOW)
    assert mirror.pending is not None
    assert (mirror.pending.reason, mirror.offered) == ("there is nothing at its target", 2)


def test_a_slice_that_is_told_to_end_is_owed() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.interrupt(engine.config.sources[0], "another directory", NOW)
    engine.due(NOW)
    engine.exited(mirror, Outcome(20), NOW)
    assert mirror.state is State.BACKOFF
    assert mirror.passing is not None
    assert mirror.passing.next == slice_of(b"a")


def test_a_config_that_wants_one_run_gets_it() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    engine.configure(engine.config.for_all(rmaxdelete=9), NOW)
    assert mirror.pending is not None
    assert (mirror.passing, mirror.pending.reason) == (None, "start-up")
    engine.exited(mirror, WELL, NOW)
    assert mirror.done == 0
    actions = engine.due(NOW)
    assert said(actions) == [
        "/srv/www -> n0:/m: a pass is one run, not slices: "
        "rmaxdelete counts what a whole pass would delete"
    ]
    (start,) = [action for action in actions if isinstance(action, Start)]
    assert start.order.kind is RunKind.REHEARSAL


def test_a_slice_that_fails_when_there_are_none_any_more() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a")
    engine.configure(engine.config.for_all(rmaxdelete=9), NOW)
    engine.exited(mirror, Outcome(12), NOW)
    assert (mirror.state, mirror.done) == (State.BACKOFF, 0)


def test_other_rules_have_a_pass_begin_anew() -> None:
    engine, mirror = filling()
    ordered(engine)
    cut(engine, b"a", last=True)
    engine.exited(mirror, Outcome(12), NOW)
    (pair,) = engine.config.pairs
    pair = replace(pair, node=replace(pair.node, extra=("-z",)))
    engine.configure(replace(engine.config, pairs=(pair,)), NOW)
    assert mirror.passing is not None
    assert (mirror.passing.course, mirror.passing.again) == (Course(sizes=True), ())
    assert len(mirror.passing.batches) == 1


@pytest.mark.parametrize("status", [0, 12])
def test_a_run_by_the_old_rules_does_not_stand_for_a_pass_by_others(status: int) -> None:
    engine, mirror = filling()
    ordered(engine)
    engine.prepared(mirror, Prepared(RunKind.PASS, ("rsync",)), NOW)  # it came to one run
    (pair,) = engine.config.pairs
    pair = replace(pair, node=replace(pair.node, extra=("-z",)))
    engine.configure(replace(engine.config, pairs=(pair,)), NOW)
    engine.resync(pair.source, "the config changed", NOW)
    engine.exited(mirror, Outcome(status), NOW + 1)
    assert mirror.since is not None
    order = ordered(engine, NOW + 60)
    if status:  # nothing is left of that one
        cut(engine, last=True)
        engine.exited(mirror, WELL, NOW + 60)
        order = ordered(engine, NOW + 60)
    assert (order.kind, order.course) == (RunKind.SLICE, Course(sizes=True))
    engine.prepared(mirror, Prepared(RunKind.PASS, ("rsync",)), NOW)
    engine.exited(mirror, Outcome(0), NOW + 61)
    assert (mirror.since, mirror.passing, mirror.done) == (None, None, mirror.offered)


def test_a_pass_that_cannot_be_cut_says_so_once() -> None:
    pair = make_pair(None, "n0:/m", rscope="changes", extra=("-H",))
    engine = Engine(make_config([pair], rfull=0.0), steady)
    engine.watched(engine.config.sources[0], NOW, reason="start-up")
    text = "/srv/www -> n0:/m: a pass is one run, not slices: "
    text += "-H: the names of one file may lie far apart"
    assert said(engine.due(NOW)) == [text]
    engine.exited(engine.mirrors[0], Outcome(0), NOW)
    engine.release("asked for", NOW)
    assert text not in said(engine.due(NOW))


def test_one_that_is_asked_for_by_hand_is_one_run() -> None:
    pair = make_pair(None, "n0:/m", rscope="changes")
    engine = Engine(make_config([pair]), steady, alone=True)
    assert engine.mirrors[0].uncut == "nothing is watched"


def test_the_hook_hears_of_the_pass_and_of_no_slice() -> None:
    engine, mirror = filling(on_success=("/bin/true",))
    reports = []
    for last in (False, True):
        ordered(engine)
        cut(engine, b"a", last=last)
        moved = Transferred(files=2, size=10)
        engine.exited(mirror, replace(WELL, transferred=moved), NOW + 2)
        reports += [a.report for a in engine.due(NOW + 2) if isinstance(a, Hook)]
        mirror.state = State.PENDING if mirror.waits else mirror.state
        if mirror.busy:
            mirror.withdraw()
    (report,) = reports
    assert isinstance(report, Succeeded)
    assert (report.full, report.files, report.bytes, report.seconds) == ("start-up", 4, 20, 2.0)


def test_the_log_has_the_end_of_a_pass_and_of_no_slice() -> None:
    engine, mirror = filling()
    ordered(engine)
    engine.prepared(mirror, Prepared(RunKind.PASS, ("rsync",)), NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert events(engine.due(NOW)) == [("pass", "n0:/m", "idle")]
    engine.resync(engine.config.sources[0], "the node is back", NOW)
    ordered(engine, NOW + 1)
    engine.prepared(mirror, Prepared(RunKind.PASS, ("rsync",)), NOW)
    engine.exited(mirror, Outcome(23, account=Account(raced=True)), NOW + 1)
    assert events(engine.due(NOW + 1)) == []  # it is made again
    told = []
    for last in (False, True):
        cut(engine, b"a", last=last)
        moved = Transferred(files=2, size=10)
        engine.exited(mirror, replace(WELL, transferred=moved), NOW + 2)
        told.append(engine.due(NOW + 2))
    assert [events(actions) for actions in told] == [[], [("pass", "n0:/m", "idle")]]
    done = "full pass done (the node is back): 4 files, 20 bytes, 0 deleted, "
    assert said(told[1])[0].startswith(f"/srv/www -> n0:/m: {done}")


def test_so_are_those_of_a_pass_that_came_to_one_run() -> None:
    engine, mirror = filling()
    ordered(engine)
    engine.prepared(mirror, Prepared(RunKind.PASS, ("rsync",)), NOW)
    engine.exited(mirror, Outcome(23, account=Account(raced=True)), NOW)
    assert mirror.done < mirror.offered
    order = ordered(engine)
    assert (order.kind, order.batch.repeated) == (RunKind.SLICE, True)
    engine.prepared(mirror, Prepared(RunKind.PASS, ("rsync",)), NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)
