"""From sources to mirrors: what waits, is held, is owed on schedule."""

from __future__ import annotations

import dataclasses

import pytest
from support.configs import make_config, make_pair, make_source
from support.engines import (
    DAY,
    LINKED,
    NOW,
    ONE,
    changing,
    events,
    held_source,
    make_engine,
    said,
    started,
    starts,
    steady,
    tell_linked,
    written,
)

from inosync.changes.batch import full_pass
from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import MOST, NO_DOUBTS
from inosync.engine.actions import (
    Outcome,
    Rewatch,
    Seek,
    Start,
    Terminate,
)
from inosync.engine.engine import Engine
from inosync.engine.memory import ROLLED_BACK, Recalled
from inosync.engine.mirror import State
from inosync.planning.order import Moment, RunKind
from inosync.planning.scan import Answer, Question
from inosync.planning.slices import Course, course_of
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import SILENT, Account, Complaint


def test_a_change_waits_for_edelay_and_then_runs_on_every_node() -> None:
    engine = make_engine(3)
    engine.changed(engine.config.sources[0], ONE, NOW)
    assert engine.due(NOW) == []
    assert engine.deadline() == NOW + 10
    assert starts(engine.due(NOW + 10)) == engine.mirrors


def test_no_changes_are_no_run() -> None:
    engine = make_engine()
    engine.changed(engine.config.sources[0], Changes(), NOW)
    assert engine.deadline() is None


def test_start_up_runs_a_full_pass_once_the_watches_stand() -> None:
    engine = make_engine(watched=False)
    engine.changed(engine.config.sources[0], ONE, NOW)
    assert starts(engine.due(NOW + 20)) == []
    engine.watched(engine.config.sources[0], NOW + 20)
    (action,) = [a for a in engine.due(NOW + 20) if isinstance(a, Start)]
    assert action.order.batch.reason == "start-up"


def test_a_held_source_ends_its_runs_and_starts_none_until_it_is_back() -> None:
    sources = [make_source("/a"), make_source("/b")]
    pairs = [make_pair(source, f"n:{source.path}") for source in sources]
    engine = Engine(make_config(pairs), steady)
    for source in sources:
        engine.watched(source, NOW)
    mirrors = starts(engine.due(NOW))
    engine.hold(sources[0], "is gone", NOW)
    engine.hold(sources[0], "is gone", NOW)
    actions = engine.due(NOW)
    assert said(actions) == ["/a is gone: held, its mirrors are left as they are"]
    assert events(actions) == [("hold", "", "held")]
    assert [a for a in actions if isinstance(a, Terminate)] == [Terminate(mirrors[0])]
    engine.exited(mirrors[0], Outcome(20), NOW)
    engine.exited(mirrors[1], Outcome(0), NOW)
    engine.changed(sources[1], ONE, NOW)
    assert starts(engine.due(NOW + 1000)) == [mirrors[1]]
    engine.resume(sources[0], NOW + 1000)
    actions = engine.due(NOW + 1000)
    assert said(actions) == ["/a is back: full pass"]
    assert events(actions) == [("recovery", "", "watched")]
    assert starts(actions) == [mirrors[0]]


def test_what_is_flushed_waits_no_longer() -> None:
    engine = make_engine(2)
    engine.flush()
    assert [number for _, number in engine.owed()] == [0, 0]
    engine.changed(engine.config.sources[0], ONE, NOW)
    engine.changed(engine.config.sources[0], written(b"w"), NOW)
    engine.flush()
    first = engine.mirrors[0]
    assert engine.owed(first.pair.node.name) == [(first, 1)]
    assert starts(engine.due(NOW)) == engine.mirrors
    engine.exited(first, Outcome(0), NOW)
    assert first.done == 1
    assert [mirror.done for mirror in engine.mirrors] == [1, 0]


def test_what_is_written_and_not_closed_goes_at_the_pace_of_eopen() -> None:
    engine = make_engine(eopen=60.0)
    source = engine.config.sources[0]
    for second in range(0, 300, 5):
        engine.changed(source, written(b"log"), NOW + second)
        for mirror in starts(engine.due(NOW + second)):
            engine.exited(mirror, Outcome(0), NOW + second)
    # The first write of each minute's batch opens it; 60 seconds later it goes.
    assert engine.mirrors[0].totals.runs == 4


def test_without_eopen_what_is_not_closed_is_no_change() -> None:
    engine = make_engine(eopen=0.0)
    engine.changed(engine.config.sources[0], written(b"log"), NOW)
    assert engine.deadline() is None
    engine.flush()
    assert starts(engine.due(NOW + 100)) == []


def test_an_ordinary_run_carries_what_is_written_and_not_closed() -> None:
    engine = make_engine(eopen=60.0)
    source = engine.config.sources[0]
    engine.changed(source, written(b"log"), NOW)
    engine.changed(source, ONE, NOW + 1)
    (action,) = [a for a in engine.due(NOW + 11) if isinstance(a, Start)]
    assert action.order.batch.count == 2
    engine.exited(action.mirror, Outcome(0), NOW + 12)
    engine.due(NOW + 12)
    assert engine.deadline() is None


def test_a_repairing_full_pass_comes_after_rfull() -> None:
    engine = make_engine(rfull=1000.0)
    engine.resync(engine.config.sources[0], "start-up", NOW)
    (mirror,) = starts(engine.due(NOW))
    engine.exited(mirror, Outcome(0), NOW)
    engine.due(NOW)
    assert engine.deadline() == NOW + 1000
    (action,) = [a for a in engine.due(NOW + 1000) if isinstance(a, Start)]
    assert action.order.batch.reason == "rfull"
    assert engine.deadline() == NOW + 1000 + 75  # the look at the run
    engine.exited(mirror, Outcome(0), NOW + 1001)
    engine.due(NOW + 1001)
    assert engine.deadline() == NOW + 2000
    engine.hold(engine.config.sources[0], "is gone", NOW + 1002)
    engine.due(NOW + 1002)
    assert engine.deadline() is None


@pytest.mark.parametrize("rfull", [0.0, 86400.0])
def test_passes_stand_in_for_directories_without_a_watch(rfull: float) -> None:
    engine = make_engine(rfull=rfull)
    source = engine.config.sources[0]
    engine.shortage(source, True, NOW)
    engine.shortage(source, True, NOW + 100)
    assert engine.deadline() == NOW + 300
    actions = engine.due(NOW + 300)
    assert actions[0] == Rewatch(source)
    (mirror,) = starts(actions)
    engine.exited(mirror, Outcome(0), NOW + 301)
    engine.due(NOW + 301)
    assert engine.deadline() == NOW + 600
    engine.shortage(source, False, NOW + 400)
    assert engine.deadline() == (NOW + 400 + rfull if rfull else None)


def test_changes_are_remembered_by_name() -> None:
    engine = changing(2)
    engine.changed(engine.config.sources[0], Changes.of([*ONE, *written(b"log")]), NOW)
    actions = [a for a in engine.due(NOW + 10) if isinstance(a, Start)]
    assert [a.order.batch.changes for a in actions] == [{*ONE, *written(b"log")}] * 2


def sought(engine: Engine, now: float = NOW) -> list[Question]:
    return [action.question for action in engine.due(now) if isinstance(action, Seek)]


OTHERS = Answer(Changes(entries={b"f": None, b"g": None}), named=frozenset(LINKED))


def test_a_file_with_several_names_is_owed_until_all_of_them_are_sent() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    assert sought(engine) == [Question(inodes=LINKED)]
    engine.exited(mirror, Outcome(0), NOW + 1)
    assert (mirror.state, mirror.since, mirror.done, mirror.carried) == (State.IDLE, NOW, 0, 1)
    engine.found(mirror, OTHERS, NOW + 2)
    assert mirror.done == 0
    (action,) = [a for a in engine.due(NOW + 2) if isinstance(a, Start)]
    assert action.order.batch.changes == {Change(b"f", Kind.ENTRY), Change(b"g", Kind.ENTRY)}
    assert action.order.batch.whole == frozenset(LINKED)
    engine.exited(mirror, Outcome(0), NOW + 3)
    assert (mirror.state, mirror.since, mirror.done) == (State.IDLE, None, mirror.offered)


def test_what_was_found_while_the_run_goes_on_follows_it() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    engine.found(mirror, OTHERS, NOW)
    engine.exited(mirror, Outcome(0), NOW + 1)
    assert (mirror.state, mirror.done) == (State.PENDING, 0)
    (again,) = starts(engine.due(NOW + 1))
    engine.exited(again, Outcome(12), NOW + 2)
    assert mirror.done == 0
    (again,) = starts(engine.due(NOW + 9))
    engine.exited(again, Outcome(0), NOW + 9)
    assert (mirror.since, mirror.done) == (None, mirror.offered)


@pytest.mark.parametrize("late", [False, True])
def test_when_there_are_no_other_names_nothing_more_is_owed(late: bool) -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    if late:
        engine.exited(mirror, Outcome(0), NOW)
    engine.found(mirror, Answer(Changes()), NOW + 1)
    if not late:
        assert mirror.done == 0
        engine.exited(mirror, Outcome(0), NOW + 1)
    assert (mirror.state, mirror.since, mirror.done) == (State.IDLE, None, mirror.offered)


def test_a_search_that_finds_nothing_claims_nothing_of_what_waits() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    engine.changed(engine.config.sources[0], ONE, NOW)
    engine.due(NOW)
    engine.found(mirror, Answer(Changes()), NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert (mirror.state, mirror.done, mirror.offered) == (State.PENDING, 1, 3)


def test_a_search_that_finds_nothing_claims_nothing_of_what_was_put_aside() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    engine.exited(mirror, Outcome(23), NOW)
    engine.found(mirror, Answer(Changes()), NOW)
    assert (mirror.state, mirror.aside is not None) == (State.BACKOFF, True)
    assert mirror.done == 0 < mirror.offered
    assert mirror.retry_at is not None
    assert starts(engine.due(mirror.retry_at)) == [mirror]
    engine.exited(mirror, Outcome(0), mirror.retry_at or NOW)
    assert (mirror.since, mirror.done) == (None, mirror.offered)


def test_a_search_that_finds_nothing_claims_nothing_of_what_was_carried_beside_the_lane() -> None:
    pair = make_pair(None, "n0:/m", rscope="changes")
    engine = Engine(make_config([pair], rbigsize=1_000, edelay=0.0, rfull=0.0), steady)
    engine.watched(pair.source, NOW, reason="")
    ordinary, lane = engine.mirrors
    big = Changes(entries={b"big": None})
    engine.changed(pair.source, big, NOW, big=big)
    assert starts(engine.due(NOW)) == [ordinary, lane]
    engine.exited(ordinary, Outcome(0, listed=True), NOW)
    (ordinary,) = started(engine, NOW + 1)
    tell_linked(engine, NOW + 1)
    engine.exited(ordinary, Outcome(0, listed=True), NOW + 1)
    engine.found(ordinary, Answer(Changes()), NOW + 1)
    assert ordinary.done < ordinary.offered
    engine.exited(lane, Outcome(0, listed=True, command="rsync"), NOW + 2)
    assert starts(engine.due(NOW + 2)) == [ordinary]
    assert ordinary.done < ordinary.offered
    engine.exited(ordinary, Outcome(0, listed=True), NOW + 2)
    assert (ordinary.since, ordinary.done) == (None, ordinary.offered)


@pytest.mark.parametrize("known", [False, True])
def test_other_names_do_not_wait_for_what_was_not_carried(known: bool) -> None:
    """Nor are they forgotten, whether the run fails as a whole or names the path that ails."""
    complaint = Complaint(b"d", Cause.IN_THE_WAY, "could not make way for new symlink: d")
    outcome = Outcome(23, listed=True, account=Account((complaint,)) if known else SILENT)
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    engine.exited(mirror, outcome, NOW)
    assert (mirror.aside is None, list(mirror.ailing)) == (known, [b"d"] if known else [])
    assert sought(engine) == [Question(inodes=LINKED)]
    engine.found(mirror, OTHERS, NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.changes >= {Change(b"f", Kind.ENTRY), Change(b"g", Kind.ENTRY)}
    assert action.order.batch.whole == frozenset(LINKED)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    again = mirror.retry_at if mirror.aside else mirror.trial_at
    assert again is not None
    assert again > NOW
    assert starts(engine.due(again)) == [mirror]
    engine.exited(mirror, Outcome(0, listed=True), again)
    assert (mirror.since, mirror.done, mirror.ailing) == (None, mirror.offered, {})


def test_what_is_sought_counts_for_those_who_ask_meanwhile() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0), NOW)
    mirror.seek(NOW, full_pass("start-up", NOW))
    ((_, number),) = engine.owed()
    assert mirror.done < number
    mirror.found(None)
    assert (mirror.done, mirror.since) == (number, NOW)
    assert mirror.passing is not None
    assert mirror.passing.batch == full_pass("start-up", NOW)


@pytest.mark.parametrize("found", [True, False])
def test_what_has_no_names_any_more_is_looked_for(found: bool) -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    source = engine.config.sources[0]
    many = Changes(entries={b"%d" % number: None for number in range(MOST + 1)})
    engine.changed(source, many, NOW)
    ((action,), mirror) = engine.due(NOW), engine.mirrors[0]
    assert isinstance(action, Start)
    assert action.order.forgotten
    engine.narrow(mirror, Question(5, reached=7), NOW + 1)
    assert (mirror.state, mirror.pending, mirror.totals.runs) == (State.IDLE, None, 0)
    assert (mirror.since, mirror.done) == (NOW, 0)
    actions = engine.due(NOW + 1)
    assert Seek(mirror, Question(5, reached=7)) in actions
    assert said(actions) == [
        f"{mirror.name}: more has changed than is remembered: looked for by time"
    ]
    engine.found(mirror, Answer(ONE if found else Changes()), NOW + 2)
    (order,) = [a.order for a in engine.due(NOW + 2) if isinstance(a, Start)] or [None]
    if order is not None:
        # Not what else was in doubt: it has changed since, so it is found.
        assert order.batch.doubts == NO_DOUBTS
        assert order.batch.changes == {*ONE, Change(b"", Kind.LEVEL)}
        assert mirror.done == 0
        engine.exited(mirror, Outcome(0), NOW + 3)
    assert (order is not None) is found
    assert (mirror.since, mirror.done) == (None, mirror.offered)


def known(engine: Engine, *numbers: int, rest: Course | None = None) -> dict[str, Recalled]:
    return {engine.mirrors[number].name: Recalled(Question(5), rest) for number in numbers}


@pytest.mark.parametrize("asked", [True, False])
def test_after_a_daemon_that_was_killed_something_may_still_arrive(asked: bool) -> None:
    engine = make_engine(1, watched=False, init="changed", rfull=0.0)
    (mirror,) = engine.mirrors
    recalled = Recalled(Question(5) if asked else None, cut=True)
    engine.watched(engine.config.sources[0], NOW, known={mirror.name: recalled})
    if asked:
        engine.due(NOW)
        engine.found(mirror, Answer(ONE), NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert bool(action.order.batch.reason) is not asked
    engine.exited(mirror, Outcome(0), NOW)
    assert (mirror.since, mirror.done) == (NOW, 0)
    (action,) = [a for a in engine.due(NOW + 120) if isinstance(a, Start)]
    assert bool(action.order.batch.reason) is not asked
    engine.exited(mirror, Outcome(0), NOW + 120)
    assert (mirror.since, mirror.done) == (None, mirror.offered)


def test_where_a_walk_finds_nothing_nothing_may_arrive() -> None:
    engine = make_engine(1, watched=False, init="changed", rfull=0.0)
    (mirror,) = engine.mirrors
    recalled = Recalled(Question(5), cut=True)
    engine.watched(engine.config.sources[0], NOW, known={mirror.name: recalled})
    engine.due(NOW)
    engine.found(mirror, Answer(Changes()), NOW)
    assert (mirror.since, mirror.done) == (None, mirror.offered)


def beginning(init: object) -> Engine:
    """An engine whose first mirror of two is known to have had everything at a moment."""
    engine = make_engine(2, watched=False, init=init, rfull=0.0)
    engine.watched(engine.config.sources[0], NOW, known=known(engine, 0))
    return engine


def test_a_mirror_that_is_known_owes_what_has_changed() -> None:
    engine = beginning("changed")
    one, other = engine.mirrors
    actions = engine.due(NOW)
    assert Seek(one, Question(5)) in actions
    assert starts(actions) == [other]
    assert (one.done, one.offered, one.since, one.health.whole) == (0, 1, NOW, True)
    engine.found(one, Answer(Changes()), NOW)
    assert (one.done, one.since) == (1, None)
    assert starts(engine.due(NOW)) == []


def test_what_changes_while_it_is_looked_for_is_not_all() -> None:
    engine = beginning("changed")
    one, _ = engine.mirrors
    engine.due(NOW)
    engine.changed(engine.config.sources[0], ONE, NOW - 60)
    assert one in starts(engine.due(NOW))
    engine.exited(one, Outcome(0), NOW)
    assert (one.health.synced, one.since) == (False, NOW)
    assert not any("in sync" in line for line in said(engine.due(NOW)))
    engine.found(one, Answer(Changes()), NOW)
    assert (one.health.synced, one.since) == (True, None)


def test_when_all_is_to_be_sure_a_pass_follows() -> None:
    engine = beginning(True)
    one, _ = engine.mirrors
    engine.due(NOW)
    engine.found(one, Answer(ONE), NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert (action.order.batch.reason, action.order.batch.changes) == ("", ONE)
    engine.exited(one, Outcome(0), NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.reason == "start-up"
    engine.exited(one, Outcome(0), NOW)
    assert (one.since, one.done) == (None, one.offered)


def test_what_runs_before_the_start_may_have_left_there_is_deleted() -> None:
    engine = beginning("changed")
    one, _ = engine.mirrors
    engine.due(NOW)
    engine.found(one, Answer(Changes.of([Change(b"d/f", Kind.ENTRY)])), NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.changes == {Change(b"d/f", Kind.ENTRY), Change(b"d", Kind.LEVEL)}
    assert one.late is None
    engine.exited(one, Outcome(0), NOW)
    (source,) = engine.config.sources
    engine.resync(source, "overflow", NOW + 1, known=known(engine, 0))
    engine.found(one, Answer(Changes.of([Change(b"d/f", Kind.ENTRY)])), NOW + 1)
    (action,) = [a for a in engine.due(NOW + 1) if isinstance(a, Start) and a.mirror is one]
    assert action.order.batch.changes == {Change(b"d/f", Kind.ENTRY)}
    # What a run named that was cut short may be too much to be remembered.
    engine.exited(one, Outcome(-9, cut=True, homes=frozenset((b"d",))), NOW + 2)
    engine.resync(source, "overflow", NOW + 2, known=known(engine, 0))
    engine.found(one, Answer(Changes.of([Change(b"e/f", Kind.ENTRY)])), NOW + 2)
    (action,) = [a for a in engine.due(NOW + 900) if isinstance(a, Start) and a.mirror is one]
    assert action.order.batch.changes is not None
    assert set(action.order.batch.changes.levels) == {b"d", b"e"}


def test_an_older_state_of_the_source_is_a_pass() -> None:
    engine = beginning("changed")
    engine.due(NOW)
    engine.found(engine.mirrors[0], Answer(ONE, older=True), NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.reason == ROLLED_BACK
    assert action.order.batch.contents  # in an older state are files of its date


def test_after_an_overflow_and_when_a_source_is_back_it_is_the_same() -> None:
    engine, source = held_source()
    one, other = engine.mirrors
    engine.resume(source, NOW + 2, known=known(engine, 0))
    actions = engine.due(NOW + 2)
    assert f"{source.path} is back: what has changed is looked for" in said(actions)
    assert starts(actions) == [other]
    engine.exited(other, Outcome(0), NOW + 3)
    engine.found(one, Answer(Changes()), NOW + 3)
    engine.due(NOW + 3)
    engine.resync(source, "overflow", NOW + 4, known=known(engine, 0, 1))
    assert starts(engine.due(NOW + 4)) == []
    for mirror in (one, other):
        engine.found(mirror, Answer(Changes()), NOW + 5)
        assert (mirror.since, mirror.done) == (None, mirror.offered)


def test_only_a_pass_makes_a_mirror_whole() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    engine.exited(mirror, Outcome(0), NOW)
    assert not mirror.health.whole
    engine.release("asked for", NOW)
    engine.due(NOW)
    engine.exited(mirror, Outcome(0), NOW)
    assert mirror.health.whole


def test_two_searches_are_both_waited_for() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    engine.exited(mirror, Outcome(0), NOW)
    started(engine, NOW + 1)
    tell_linked(engine, NOW + 1)
    engine.exited(mirror, Outcome(0), NOW + 1)
    engine.found(mirror, Answer(Changes()), NOW + 2)
    assert (mirror.done, mirror.since) == (0, NOW)
    engine.found(mirror, Answer(Changes()), NOW + 2)
    assert (mirror.done, mirror.since) == (mirror.offered, None)
    engine.found(mirror, Answer(Changes()), NOW + 2)  # nobody asked
    assert mirror.since is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "a look through the source was cut short"),
        (Answer(None), "too much has changed"),
    ],
)
def test_a_search_without_a_useful_answer_is_a_full_pass(answer: object, reason: str) -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = started(engine)
    tell_linked(engine, NOW)
    engine.found(mirror, answer, NOW)
    engine.exited(mirror, Outcome(0), NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.reason == reason
    engine.exited(mirror, Outcome(0), NOW)
    assert (mirror.since, mirror.done) == (None, mirror.offered)


def test_a_person_may_accept_a_source_for_one_node() -> None:
    engine, source = held_source()
    one, other = engine.mirrors
    engine.release("asked for", NOW + 2, node=one.pair.node.name)
    assert starts(engine.due(NOW + 2)) == []
    engine.hold(source, "is empty", NOW + 2, free=frozenset([one.pair.node.name]))
    assert starts(engine.due(NOW + 2)) == [one]
    assert engine.source_held(one) == ""
    assert engine.source_held(other) == f"{source.path} is empty"
    engine.exited(one, Outcome(0), NOW + 3)
    engine.changed(source, Changes.of([Change(b"x", Kind.ENTRY)]), NOW + 3)
    assert starts(engine.due(NOW + 99)) == [one]
    engine.hold(source, "is gone", NOW + 100)
    assert one.state is State.STOPPING
    engine.resume(source, NOW + 101)
    assert starts(engine.due(NOW + 101)) == [other]


def test_a_hold_for_some_sends_nothing_to_those_that_go_on() -> None:
    engine, _ = held_source("n0:/m", "n1:/m")
    assert starts(engine.due(NOW + 1)) == []
    assert all(mirror.pending is None for mirror in engine.mirrors)


def test_after_a_source_was_watched_anew_those_that_go_on_owe_a_pass() -> None:
    engine, source = held_source()
    one, other = engine.mirrors
    free = frozenset([one.pair.node.name])
    engine.hold(source, "is elsewhere", NOW + 2, free=free)
    engine.exited(*next((mirror, Outcome(0)) for mirror in starts(engine.due(NOW + 2))), NOW + 3)
    engine.sources[source.path].deafen(NOW + 4)  # as a reload does
    engine.hold(source, "is elsewhere", NOW + 4, free=free)
    assert starts(engine.due(NOW + 4)) == [one]
    assert other.pending is None


def test_another_rfull_counts_from_the_reload_and_the_same_one_goes_on() -> None:
    engine = make_engine(rfull=DAY)
    (source,) = engine.config.sources
    engine.resync(source, "start-up", NOW)
    (mirror,) = starts(engine.due(NOW))
    engine.exited(mirror, Outcome(0), NOW)
    engine.configure(dataclasses.replace(engine.config, umask=0), NOW + 5)
    assert engine.deadline() == NOW + DAY
    engine.configure(dataclasses.replace(engine.config, rfull=60.0), NOW + 10)
    assert engine.deadline() == NOW + 70
    engine.configure(dataclasses.replace(engine.config, rfull=0.0), NOW + 20)
    assert engine.deadline() is None
    engine.shortage(source, True, NOW + 20)
    engine.configure(dataclasses.replace(engine.config, rfull=DAY), NOW + 30)
    assert engine.deadline() == NOW + 330, "what stands in for watches is still owed"


def test_a_pass_goes_on_where_it_was_behind_what_has_changed() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = engine.mirrors
    (source,) = engine.config.sources
    rest = course_of([("tree", b"a")], sizes=True, weight=1, directories=1, files=0)
    engine.resync(source, "start-up", NOW, known=known(engine, 0, rest=rest))
    assert mirror.passing is None
    engine.found(mirror, Answer(ONE), NOW)
    (first,) = [a.order for a in engine.due(NOW) if isinstance(a, Start)]
    assert first.batch.sample == (b"f",)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert not mirror.health.synced  # but for what is left of the pass
    (then,) = [a.order for a in engine.due(NOW) if isinstance(a, Start)]
    assert (then.kind, then.course) == (RunKind.SLICE, rest)
    # What is known of it is no more than what goes on already.
    engine.resync(source, "overflow", NOW, known=known(engine, 0, rest=rest))
    engine.found(mirror, Answer(Changes()), NOW)
    assert mirror.passing is not None
    assert len(mirror.passing.batches) == 1


def test_of_a_source_in_doubt_all_of_the_pass_is_made() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    (mirror,) = engine.mirrors
    rest = course_of([("tree", b"a")], sizes=True, weight=1, directories=1, files=0)
    (source,) = engine.config.sources
    engine.resync(source, "start-up", NOW, known=known(engine, 0, rest=rest))
    engine.found(mirror, None, NOW)
    assert mirror.passing is not None
    assert mirror.passing.course.todo == Course().todo


def test_what_is_left_out_no_more_is_compared_since_it_was_hidden() -> None:
    """Each change of rules or options looks back to the first one: who knows what that hid."""
    engine = make_engine()
    (mirror,) = engine.mirrors
    first, later = Moment(1_000.0, 1.0), Moment(2_000.0, 2.0)

    def configure(*extra: str) -> None:
        engine.configure(make_config([make_pair(None, "n0:/m", extra=extra)]), NOW)

    configure("--exclude=/a")
    assert (mirror.equal_at, mirror.hidden_at) == (None, None)  # nothing is known of it
    mirror.equal_at = first
    configure("--exclude=/b")
    assert (mirror.equal_at, mirror.hidden_at) == (first, first)
    mirror.equal_at = later
    configure("--exclude=/b")
    assert (mirror.equal_at, mirror.hidden_at) == (later, first)
    configure()
    assert (mirror.equal_at, mirror.hidden_at) == (first, first)


@pytest.mark.parametrize("cut", [False, True])
def test_what_a_walk_has_found_so_far_goes_on_its_way(cut: bool) -> None:
    engine = make_engine(1, watched=False, init="changed", rfull=0.0)
    (mirror,) = engine.mirrors
    known = {mirror.name: Recalled(Question(5), cut=cut)}
    engine.watched(engine.config.sources[0], NOW, known=known)
    engine.due(NOW)
    engine.found_so_far(mirror, Changes(), NOW)
    assert (mirror.pending, mirror.late) == (None, None)
    engine.found_so_far(mirror, ONE, NOW)
    (action,) = [a for a in engine.due(NOW) if isinstance(a, Start)]
    assert action.order.batch.changes == {*ONE, Change(b"", Kind.LEVEL)}
    engine.exited(mirror, Outcome(0), NOW)
    assert (mirror.since, mirror.done, mirror.health.synced) == (NOW, 0, False)
    engine.found(mirror, Answer(Changes()), NOW)
    assert (mirror.late is not None, mirror.since) == (cut, NOW if cut else None)
    assert mirror.done == (0 if cut else mirror.offered)
    engine.found_so_far(mirror, ONE, NOW)  # nobody asks any more
    assert mirror.pending is None
