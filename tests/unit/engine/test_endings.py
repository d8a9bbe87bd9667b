"""What follows from the end of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.configs import make_config
from support.engines import (
    NOW,
    PAVE,
    RELINK,
    changing,
    events,
    make_engine,
    rehearsed,
    said,
    started,
    starts,
    step,
    stepping,
)

from inosync.engine.actions import (
    DEBUG,
    ERROR,
    WARNING,
    Hook,
    Outcome,
    Start,
    Terminate,
)
from inosync.engine.mirror import State
from inosync.engine.records import Activity
from inosync.planning.order import RunKind
from inosync.planning.steps import Clear, Renew, Step
from inosync.rsync.differences import Difference, Drift, summary
from inosync.rsync.output import Transferred


def test_after_success_nothing_is_left_to_do() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0, Transferred(3, 4000, 1)), NOW + 2)
    actions = engine.due(NOW + 2)
    assert said(actions) == ["/srv/www -> n0:/m: in sync (first pass, 2.0 s)"]
    assert said(actions, DEBUG)[-1] == "/srv/www -> n0:/m: 3 files, 4000 bytes, 1 deleted, 2.00 s"
    assert engine.deadline() is None


def test_a_pretended_run_claims_nothing() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0, pretended=True), NOW)
    assert said(engine.due(NOW), DEBUG) == []


def test_a_failed_batch_is_carried_again_after_the_wait() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(12, evidence=("oops",), command="rsync x"), NOW)
    assert said(engine.due(NOW)) == [
        "/srv/www -> n0:/m: exit 12: error in the rsync protocol stream; "
        "try 'ssh n0 rsync --version' as the user that runs inosync; next try in 1.0 s",
        "  command: rsync x",
        "  oops",
    ]
    assert engine.deadline() == NOW + 1
    assert starts(engine.due(NOW + 1)) == [mirror]


KEPT_OUT = Outcome(5, crowded=True, command="rsync")


def test_a_run_that_was_kept_out_is_made_again_a_moment_later_without_a_word() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, KEPT_OUT, NOW)
    assert said(engine.due(NOW), DEBUG) == []
    assert (mirror.state, mirror.reason, mirror.health.failure) == (State.PENDING, "", None)
    assert (mirror.totals.runs, mirror.totals.failures) == (0, 0)
    assert engine.deadline() == NOW + 0.5
    assert starts(engine.due(NOW + 0.5)) == [mirror]
    engine.exited(mirror, Outcome(0), NOW + 1)
    assert (mirror.state, mirror.totals.runs, mirror.crowded) == (State.IDLE, 1, False)


def test_one_that_was_told_to_end_meanwhile_has_ended() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.interrupt(engine.config.sources[0], "is another", NOW)
    engine.exited(mirror, KEPT_OUT, NOW)
    assert mirror.state is State.BACKOFF


def test_what_one_that_was_kept_out_may_have_begun_is_brought_in_order() -> None:
    engine = changing()
    (mirror,) = started(engine)
    engine.exited(mirror, replace(KEPT_OUT, cut=True, homes=frozenset((b".",))), NOW)
    (start,) = (a for a in engine.due(NOW + 1) if isinstance(a, Start))
    changes = start.order.batch.changes
    assert changes is not None
    assert set(changes.levels) == {b"."}
    # Of the steps for a rename some may have been made.
    engine, mirror = stepping()
    engine.exited(mirror, KEPT_OUT, NOW)
    (start,) = (a for a in engine.due(NOW + 1) if isinstance(a, Start))
    assert start.order.batch.moves
    assert start.order.steps == ()


def test_the_same_failure_is_told_once_and_then_at_growing_distances() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    told = []
    now = NOW
    for count in range(1, 40):
        engine.exited(mirror, Outcome(12), now)
        told += [count for _ in said(engine.due(now), WARNING)][:1]
        now += 400
        assert starts(engine.due(now)) == [mirror]
    assert told == [1, 8, 16, 32]


def test_another_kind_of_failure_is_told_again_and_so_is_recovery() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(12), NOW)
    engine.due(NOW + 1)
    engine.exited(mirror, Outcome(5), NOW + 1)
    assert "exit 5" in said(engine.due(NOW + 3), WARNING)[0]
    engine.exited(mirror, Outcome(0), NOW + 4)
    assert said(engine.due(NOW + 4)) == ["/srv/www -> n0:/m: well again"]


def test_what_only_a_person_mends_is_an_error_and_tried_rarely() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(127), NOW)
    (line, *_) = said(engine.due(NOW), ERROR)
    assert "install rsync on n0; next try in 300.0 s" in line


def test_a_held_mirror_waits_for_a_person() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(25), NOW)
    assert "held: inosync --sync goes on" in said(engine.due(NOW), ERROR)[0]
    assert engine.deadline() is None
    assert started(engine, NOW + 100) == []
    engine.release("asked for", NOW + 200)
    assert starts(engine.due(NOW + 200)) == [mirror]


def test_the_last_failure_is_remembered_with_its_last_lines() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(255, evidence=tuple("abcdefg")), NOW + 1)
    assert mirror.health.failure is not None
    assert (mirror.health.failure.at, mirror.health.failure.returncode) == (NOW + 1, 255)
    assert mirror.health.failure.evidence == tuple("cdefg")


def test_a_run_that_we_have_ended_is_no_failure_of_the_node() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.hold(engine.config.sources[0], "is gone", NOW)
    engine.exited(mirror, Outcome(20), NOW + 1)
    assert mirror.health.failure is None


def test_while_stopping_a_failure_is_not_told() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine._roster.stopping = True  # but its run ended by itself, before it was told to
    engine.exited(mirror, Outcome(255), NOW + 1)
    assert mirror.health.failure is not None
    assert said(engine.due(NOW + 1)) == []


def test_steps_for_renames_go_before_the_run() -> None:
    engine, mirror = stepping()
    for left in ((RELINK,), ()):
        engine.exited(mirror, Outcome(0, transferred=Transferred(files=1)), NOW + 1)
        (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start)]
        assert (action.mirror, action.order.batch.count, action.order.limit) == (mirror, 1, 0)
        assert mirror.work.steps == left
        assert mirror.state is State.RUNNING
    assert mirror.stale == {b"old"}
    engine.exited(mirror, Outcome(0), NOW + 2)
    assert mirror.state is State.IDLE
    assert mirror.stale == frozenset()
    assert (mirror.totals.runs, mirror.totals.moved.files) == (1, 2)


def test_a_step_that_fails_leaves_it_to_the_run() -> None:
    engine, mirror = stepping()
    engine.exited(mirror, Outcome(12), NOW + 1)
    assert starts(engine.due(NOW + 1)) == [mirror]
    assert mirror.work.steps == ()
    assert mirror.totals.failures == 0
    engine.exited(mirror, Outcome(24), NOW + 2)  # what was to be deleted may still be there
    assert mirror.stale == {b"old"}


def test_a_step_that_hangs_is_not_tried_again_until_all_is_well() -> None:
    engine, mirror = stepping()
    for second in (75, 150, 225, 300):
        engine.due(NOW + second)
        engine.activity(mirror, Activity(1, 1), NOW + second)
    assert mirror.state is State.RUNNING
    engine.activity(mirror, Activity(1, 1), NOW + 375)
    engine.exited(mirror, Outcome(-15), NOW + 376)
    (action,) = [a for a in engine.due(NOW + 700) if isinstance(a, Start)]
    assert action.order.steps == ()
    engine.exited(mirror, Outcome(0), NOW + 701)
    engine.resync(mirror.pair.source, "again", NOW + 702)
    (action,) = [a for a in engine.due(NOW + 702) if isinstance(a, Start)]
    assert action.order.steps is None


@pytest.mark.parametrize(("code", "left"), [(0, set()), (23, set()), (12, {b"old"})])
def test_what_was_renewed_need_not_be_deleted(code: int, left: set[bytes]) -> None:
    """Also when a part of it cannot be sent: nothing ever could."""
    engine, mirror = stepping()
    step(engine, mirror, Renew(frozenset({b"old"}), (b"./old",)), PAVE)
    engine.exited(mirror, Outcome(code), NOW + 1)
    assert mirror.stale == left
    assert mirror.work.steps == (() if left else (PAVE,))


@pytest.mark.parametrize(
    ("first", "text"),
    [(Clear(b"t", (b"./t",)), "old versions are in the way"), (PAVE, "renamed, to be sent again")],
)
def test_a_step_that_fails_says_what_for_it_was(first: Step, text: str) -> None:
    engine, mirror = stepping()
    step(engine, mirror, first, PAVE)
    engine.exited(mirror, Outcome(12), NOW + 1)
    assert mirror.work.steps == ()
    assert any(text in told for told in said(engine.due(NOW + 1), DEBUG))


def test_the_first_run_of_a_day_that_puts_files_away_is_made_once_more() -> None:
    """It may have left links as they are: see rsync/exits.py."""
    engine = make_engine()
    for day, again in (("", 0), ("2026-11-28", 1), ("2026-11-28", 0), ("", 0), ("2026-11-29", 1)):
        (mirror,) = started(engine)
        engine.exited(mirror, Outcome(0, put_away=day), NOW)
        runs = starts(engine.due(NOW))
        assert len(runs) == again
        for mirror in runs:
            assert engine.behind_since(mirror) is not None
            engine.exited(mirror, Outcome(0), NOW)
        assert engine.behind_since(mirror) is None
    # What is at its target now may have no such folder.
    for fills in (False, True):
        (mirror,) = started(engine)
        if fills:
            mirror.withdraw()
            engine.fill(mirror, NOW)
            assert starts(engine.due(NOW)) == [mirror]
        else:
            engine.exited(mirror, Outcome(0), NOW)
            engine.renew(mirror, "another directory", NOW, contents=False, release=False)
            assert starts(engine.due(NOW)) == [mirror]
        engine.exited(mirror, Outcome(0, put_away="2026-11-29"), NOW)
        assert starts(engine.due(NOW)) == [mirror]
        engine.exited(mirror, Outcome(0), NOW)
        assert starts(engine.due(NOW)) == []


def test_the_lane_for_big_files_has_no_links_that_it_could_leave() -> None:
    engine = make_engine(rbigsize=1_000_000)
    for mirror in started(engine):
        engine.exited(mirror, Outcome(0), NOW)
    _, lane = engine.mirrors
    engine.resync(engine.config.sources[0], "a test", NOW)
    assert lane in starts(engine.due(NOW))
    engine.exited(lane, Outcome(0, put_away="2026-11-28"), NOW)
    assert lane.state is State.IDLE


def test_what_was_kept_back_for_a_deletion_is_carried_once_more() -> None:
    engine, mirror = stepping()
    mirror.stepped(well=False)
    mirror.work = replace(mirror.work, hid=True)
    engine.exited(mirror, Outcome(0), NOW + 1)
    (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start)]
    assert action.order.batch.repeated
    engine.exited(mirror, Outcome(0), NOW + 2)
    assert mirror.state is State.IDLE


def test_what_vanished_on_the_way_is_carried_once_more_and_only_once() -> None:
    engine = changing()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    assert starts(engine.due(NOW)) == [mirror]
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    assert starts(engine.due(NOW)) == []
    assert mirror.state is State.IDLE


def test_a_run_that_deletes_no_more_than_it_may_follows_its_rehearsal() -> None:
    engine = make_engine(rmaxdelete=5)
    engine.resync(engine.config.sources[0], "x", NOW)
    (action,) = rehearsed(engine, 5)
    assert isinstance(action, Start)
    assert ((action.order.kind is RunKind.REHEARSAL), action.order.limit) == (False, 5)
    engine.exited(action.mirror, Outcome(0), NOW)
    assert action.mirror.state is State.IDLE


def test_one_that_would_delete_more_is_held_until_a_person_approves() -> None:
    engine = make_engine(rmaxdelete=5)
    engine.resync(engine.config.sources[0], "x", NOW)
    actions = rehearsed(engine, 6)
    assert starts(actions) == []
    assert said(actions, ERROR) == [
        "/srv/www -> n0:/m: would delete 6 files (rmaxdelete is 5), such as a, b: held, "
        "nothing was deleted; inosync --sync goes on"
    ]
    assert events(actions) == [("hold", "n0:/m", "held")]
    assert engine.mirrors[0].state is State.HELD
    assert engine.release("asked for", NOW, node="other") == []
    assert engine.release("asked for", NOW, node="n0:/m") == engine.mirrors
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert ((action.order.kind is RunKind.REHEARSAL), action.order.limit) == (False, 0)
    engine.exited(action.mirror, Outcome(0), NOW)
    assert events(engine.due(NOW)) == [("recovery", "n0:/m", "idle"), ("pass", "n0:/m", "idle")]
    engine.resync(engine.config.sources[0], "x", NOW)
    assert rehearsed(engine, 0) != []


def files(count: int) -> Drift:
    return summary(Difference(b"f%d" % number, "content") for number in range(count))


def test_one_that_would_overwrite_too_much_is_held_in_the_same_way() -> None:
    engine = make_engine(rmaxchange=5, on_failure=("x",))
    (source,) = engine.config.sources
    engine.resync(source, "x", NOW)
    (action,) = rehearsed(engine, 999, overwrites=files(5))
    assert isinstance(action, Start)
    assert (action.order.kind, action.order.limit, action.order.most) == (RunKind.PASS, 0, None)
    engine.exited(action.mirror, Outcome(0), NOW)
    engine.resync(source, "x", NOW)
    actions = rehearsed(engine, 0, overwrites=files(6))
    assert starts(actions) == []
    assert said(actions, ERROR) == [
        "/srv/www -> n0:/m: would overwrite 6 files (rmaxchange is 5), such as f0, f1, f2: held, "
        "nothing was overwritten; inosync --sync goes on"
    ]
    assert events(actions) == [("hold", "n0:/m", "held")]
    assert [a.report.meaning for a in actions if isinstance(a, Hook)] == [
        "would overwrite 6 files (rmaxchange is 5)"
    ]
    engine.release("asked for", NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert (action.order.kind, action.order.most) == (RunKind.PASS, None)
    engine.exited(action.mirror, Outcome(0), NOW)
    engine.due(NOW)
    engine.resync(source, "x", NOW)
    assert rehearsed(engine, 0) != []  # once


def test_a_run_may_break_both_limits() -> None:
    engine = make_engine(rmaxchange=5, rmaxdelete=3)
    engine.resync(engine.config.sources[0], "x", NOW)
    (line,) = said(rehearsed(engine, 4, overwrites=files(6)), ERROR)
    assert line.partition(": ")[2] == (
        "would delete 4 files (rmaxdelete is 3) and would overwrite 6 files (rmaxchange is 5), "
        "such as a, b, f0, f1, f2: held, nothing was deleted or overwritten; "
        "inosync --sync goes on"
    )


def test_a_mirror_whose_target_is_away_is_held_and_is_not_in_sync() -> None:
    engine = make_engine(on_failure=("x",))
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0), NOW)
    engine.due(NOW)
    assert engine.bar(mirror, "its target is away", NOW)
    actions = engine.due(NOW)
    assert (mirror.state, mirror.reason, mirror.since) == (State.HELD, "its target is away", NOW)
    assert said(actions, ERROR) == ["/srv/www -> n0:/m: its target is away: held"]
    assert events(actions) == [("hold", "n0:/m", "held")]
    assert [a.report.state for a in actions if isinstance(a, Hook)] == ["held"]
    assert not engine.bar(mirror, "its target is away", NOW + 1)
    assert engine.due(NOW + 1) == []
    engine.renew(mirror, "its target is back", NOW + 2, contents=False, release=True)
    assert starts(engine.due(NOW + 2)) == [mirror]
    assert mirror.flight is not None
    assert mirror.flight.reason == "its target is away"
    assert not mirror.flight.contents


def test_a_run_to_a_target_that_is_away_is_ended_before_it_is_held() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    assert not engine.bar(mirror, "its target is away", NOW)
    assert engine.due(NOW) == [Terminate(mirror)]
    engine.exited(mirror, Outcome(20), NOW + 1)
    assert engine.bar(mirror, "its target is away", NOW + 1)
    assert mirror.state is State.HELD


def test_what_is_new_at_a_target_is_compared_by_contents_at_once() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(12), NOW)
    assert mirror.state is State.BACKOFF
    engine.renew(mirror, "another directory", NOW, contents=True, release=False)
    assert starts(engine.due(NOW)) == [mirror]
    assert mirror.flight is not None
    assert mirror.flight.contents
    engine.exited(mirror, Outcome(25), NOW)
    engine.renew(mirror, "another directory", NOW, contents=True, release=False)
    assert mirror.state is State.HELD  # for another reason, which a person has to see


def test_a_source_that_is_watched_anew_ends_its_runs_and_is_compared_by_contents() -> None:
    engine = make_engine()
    (mirror,) = started(engine)
    source = mirror.pair.source
    engine.unwatched(source, "leads elsewhere", NOW)
    assert engine.due(NOW) == [Terminate(mirror)]
    engine.exited(mirror, Outcome(20), NOW + 1)
    assert starts(engine.due(NOW + 1000)) == []
    engine.watched(source, NOW + 1000, reason="its path leads elsewhere", contents=True)
    assert starts(engine.due(NOW + 1000)) == [mirror]
    assert mirror.flight is not None
    assert mirror.flight.contents


def test_a_limit_that_a_reload_took_away_holds_no_rehearsed_run() -> None:
    engine = make_engine(rmaxdelete=5)
    started(engine)
    mirror = engine.mirrors[0]
    engine.configure(make_config(engine.config.pairs), NOW)
    engine.exited(mirror, Outcome(0, Transferred(deleted=6)), NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.kind is not RunKind.REHEARSAL
    assert mirror.state is State.RUNNING
