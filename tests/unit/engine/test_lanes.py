"""The engine with a lane for big files, and with files that have to settle: told with numbers."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from support.configs import make_config, make_pair

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Changes, Kind, Move
from inosync.engine.actions import Action, Outcome, Start, Terminate
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.engine.records import Late
from inosync.planning.order import Moment, RunKind
from inosync.planning.resting_files import Fresh
from inosync.rsync.output import Transferred

NOW = 10_000.0
SMALL = Change(b"small", Kind.ENTRY)
BIG = Change(b"giant", Kind.ENTRY)
RAN = Outcome(0, Transferred(1, 5_000_000), command="rsync")


def make_engine(count: int = 1, *, node: dict | None = None, **settings: object) -> Engine:
    pairs = [make_pair(None, f"n{number}:/m", **(node or {})) for number in range(count)]
    values = {"rbigsize": 1_000_000, "rbigdelay": 60.0, "edelay": 0.0, "emaxdelay": 0.0}
    engine = Engine(make_config(pairs, **(values | settings)), lambda: 0.0)
    for source in engine.config.sources:
        engine.watched(source, NOW, reason="")
    return engine


def change(engine: Engine, *changes: Change, now: float = NOW) -> None:
    source = engine.config.sources[0]
    engine.changed(source, Changes.of(changes), now, big=[c for c in changes if c is BIG])


def begun(actions: Iterable[Action]) -> list[Start]:
    return [action for action in actions if isinstance(action, Start)]


def starts(engine: Engine, now: float) -> list[Mirror]:
    return [action.mirror for action in begun(engine.due(now))]


def test_the_lane_is_a_mirror_of_its_own() -> None:
    ordinary, lane = make_engine().mirrors
    assert ordinary.name == "/srv/www -> n0:/m"
    assert lane.name == "/srv/www -> n0:/m (big files)"
    assert not make_engine(rbigsize=0).mirrors[0].big
    assert len(make_engine(rbigsize=0).mirrors) == 1


def test_what_is_not_big_is_none_of_its_business() -> None:
    engine = make_engine()
    change(engine, SMALL)
    assert starts(engine, NOW) == engine.mirrors[:1]


def test_it_carries_the_big_files_beside_a_lenient_run() -> None:
    engine = make_engine()
    change(engine, SMALL, BIG)
    ordinary, lane = begun(engine.due(NOW))
    assert (ordinary.mirror.big, ordinary.order.lenient) == (False, True)
    assert (lane.mirror.big, lane.order.lenient) == (True, False)
    assert lane.order.batch.changes == {BIG}


def test_while_the_lane_has_nothing_to_do_nothing_is_spared() -> None:
    engine = make_engine()
    change(engine, SMALL)
    (action,) = begun(engine.due(NOW))
    assert not action.order.lenient


def test_it_does_not_begin_beside_a_run_that_would_delete_its_files() -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    change(engine, SMALL)
    assert starts(engine, NOW) == [ordinary]
    change(engine, BIG, now=NOW + 1)
    assert starts(engine, NOW + 1) == []
    assert engine.deadline() == ordinary.work.check_at
    engine.exited(ordinary, RAN, NOW + 2)
    assert starts(engine, NOW + 2) == [lane, ordinary]


def test_it_rests_after_each_run() -> None:
    engine = make_engine(node={"rtimeout": 0})
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    assert starts(engine, NOW) == [ordinary, lane]
    engine.exited(ordinary, RAN, NOW + 1)
    engine.exited(lane, RAN, NOW + 100)
    assert starts(engine, NOW + 100) == [ordinary]
    engine.exited(ordinary, RAN, NOW + 101)
    assert engine.deadline() is None  # a rest is nothing to wake up for
    change(engine, BIG, now=NOW + 110)
    assert starts(engine, NOW + 110) == [ordinary]
    assert engine.deadline() == NOW + 160
    assert starts(engine, NOW + 159.9) == []
    assert starts(engine, NOW + 160) == [lane]


def test_a_run_that_was_not_needed_is_no_reason_to_rest() -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    engine.due(NOW)
    engine.exited(lane, Outcome(0), NOW)
    engine.exited(ordinary, RAN, NOW)
    change(engine, BIG, now=NOW + 1)
    assert lane in starts(engine, NOW + 1)


def test_a_person_may_end_its_rest() -> None:
    engine = make_engine()
    _, lane = engine.mirrors
    change(engine, BIG)
    engine.due(NOW)
    engine.exited(lane, RAN, NOW)
    engine.release("asked for", NOW)
    assert lane in starts(engine, NOW + 1)


def test_what_was_carried_beside_it_is_carried_once_more() -> None:
    engine = make_engine(node={"rscope": "changes"})
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    assert starts(engine, NOW) == [ordinary, lane]
    engine.exited(ordinary, RAN, NOW + 1)
    change(engine, SMALL, now=NOW + 2)
    assert starts(engine, NOW + 2) == [ordinary]
    engine.exited(lane, RAN, NOW + 3)
    (_, owed), _ = engine.owed()
    engine.exited(ordinary, RAN, NOW + 4)
    assert ordinary.done < owed
    (action,) = begun(engine.due(NOW + 4))
    assert (action.mirror, action.order.lenient) == (ordinary, False)
    assert action.order.batch.changes == {BIG, SMALL}
    assert action.order.batch.since == NOW + 3
    engine.exited(ordinary, RAN, NOW + 5)
    assert ordinary.done >= owed
    assert starts(engine, NOW + 5) == []


def test_and_so_is_what_was_carried_while_it_failed() -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    engine.due(NOW)
    engine.exited(lane, Outcome(12), NOW + 1)
    engine.exited(ordinary, RAN, NOW + 1)
    assert starts(engine, NOW + 2) == [lane]
    engine.exited(lane, RAN, NOW + 3)
    assert starts(engine, NOW + 3) == [ordinary]


def test_what_it_left_when_it_was_cut_short_is_deleted_when_it_has_no_work() -> None:
    engine = make_engine(node={"rscope": "changes"})
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    engine.due(NOW)
    engine.exited(ordinary, RAN, NOW)
    cut = Outcome(-9, command="rsync", cut=True, homes=frozenset((b"d",)))
    engine.exited(lane, cut, NOW + 1)
    (action,) = begun(engine.due(NOW + 1))
    assert (action.mirror, action.order.lenient) == (ordinary, True)
    _, owed = engine.owed()[0]
    engine.exited(ordinary, RAN, NOW + 1)
    assert ordinary.done < owed
    assert starts(engine, NOW + 9) == [lane]
    engine.exited(lane, RAN, NOW + 10)
    (action,) = begun(engine.due(NOW + 10))
    assert (action.mirror, action.order.lenient) == (ordinary, False)
    assert action.order.batch.changes is not None
    assert Change(b"d", Kind.LEVEL) in action.order.batch.changes
    engine.exited(ordinary, RAN, NOW + 11)
    assert ordinary.done >= owed


def test_a_pass_of_its_own_that_was_cut_short_is_followed_by_one_that_deletes() -> None:
    engine = make_engine(node={"rscope": "changes"})
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    engine.due(NOW)
    engine.exited(ordinary, RAN, NOW)
    engine.exited(lane, Outcome(-9, command="rsync", cut=True), NOW + 1)
    assert starts(engine, NOW + 9) == [lane]
    engine.exited(lane, RAN, NOW + 10)
    (action,) = begun(engine.due(NOW + 10))
    assert (action.mirror, action.order.lenient) == (ordinary, False)
    assert action.order.batch.reason == "a run for big files was cut short"


def test_a_failed_run_beside_it_is_simply_tried_again() -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    engine.due(NOW)
    engine.exited(ordinary, Outcome(12), NOW)
    assert lane.beside is None
    engine.exited(lane, RAN, NOW)
    assert starts(engine, NOW + 1) == [ordinary]


def test_a_lane_that_never_had_work_changes_nothing() -> None:
    engine = make_engine()
    ordinary, _ = engine.mirrors
    change(engine, SMALL)
    engine.due(NOW)
    engine.exited(ordinary, RAN, NOW)
    assert ordinary.done == ordinary.offered == 1


def test_nothing_big_travels_to_a_mirror_that_is_held() -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    change(engine, SMALL)
    engine.due(NOW)
    engine.exited(ordinary, Outcome(25), NOW)
    change(engine, BIG, now=NOW + 1)
    assert starts(engine, NOW + 1) == []
    engine.release("asked for", NOW + 2)
    assert starts(engine, NOW + 2) == [lane, ordinary]


def test_it_is_rehearsed_too_since_a_giant_may_take_the_place_of_a_directory() -> None:
    engine = make_engine(rmaxdelete=5)
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    assert [(action.order.kind is RunKind.REHEARSAL) for action in begun(engine.due(NOW))] == [
        True,
        True,
    ]
    engine.exited(lane, Outcome(0, transferred=Transferred(deleted=6)), NOW + 1)
    assert lane.state is State.HELD
    assert ordinary.state is State.RUNNING


def test_a_rehearsed_run_stays_lenient() -> None:
    engine = make_engine(rmaxdelete=5)
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    engine.due(NOW)
    engine.exited(lane, RAN, NOW)
    engine.exited(ordinary, Outcome(0), NOW)
    actions = [
        (action.mirror, action.order.limit, action.order.lenient)
        for action in begun(engine.due(NOW))
    ]
    assert actions == [(lane, 5, False), (ordinary, 5, True)]


def test_lanes_leave_half_of_the_room_to_the_others() -> None:
    engine = make_engine(3, rparallel=4)
    change(engine, BIG)
    first = starts(engine, NOW)
    assert len(first) == 4
    assert sum(mirror.big for mirror in first) == 2
    small = next(mirror for mirror in first if not mirror.big)
    engine.exited(small, RAN, NOW)
    assert [mirror.big for mirror in starts(engine, NOW)] == [False]


def test_where_files_cannot_be_told_apart_the_lane_looks_at_all() -> None:
    engine = make_engine(node={"extra": ("-L",)})
    ordinary, lane = engine.mirrors
    change(engine, SMALL)
    actions = begun(engine.due(NOW))
    assert [action.mirror for action in actions] == [ordinary, lane]
    assert actions[1].order.batch.changes is None


def test_a_full_pass_is_for_both_lanes() -> None:
    engine = make_engine()
    engine.resync(engine.config.sources[0], "overflow", NOW)
    assert starts(engine, NOW) == engine.mirrors


def test_another_limit_is_a_full_pass_of_all() -> None:
    engine = make_engine()
    pairs = engine.config.pairs
    ordinary, lane = engine.mirrors
    engine.configure(make_config(pairs, rbigsize=1_000_000), NOW)
    assert starts(engine, NOW) == []
    engine.configure(make_config(pairs, rbigsize=2_000_000), NOW)
    assert starts(engine, NOW) == [ordinary, lane]
    engine.configure(make_config(pairs), NOW)
    assert engine.mirrors == [ordinary]
    assert engine._roster.leaving == [lane]
    engine.exited(ordinary, RAN, NOW)
    assert starts(engine, NOW) == [ordinary]


def test_big_changes_that_wait_travel_when_the_config_is_read_again() -> None:
    engine = make_engine(edelay=10.0, emaxdelay=10.0)
    change(engine, BIG)
    engine.configure(engine.config, NOW)
    assert starts(engine, NOW) == engine.mirrors


@pytest.mark.parametrize("seed", range(100))
def test_whatever_happens_the_lanes_keep_apart(seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.randint(2, 5)
    engine = make_engine(
        chance.randint(1, 3),
        rparallel=limit,
        rbigdelay=chance.choice([0.0, 5.0, 60.0]),
        rmaxdelete=chance.choice([0, 5]),
        node={"rscope": chance.choice(["tree", "changes"])},
    )
    source = engine.config.sources[0]
    running: dict[int, Start] = {}
    now = NOW
    for _ in range(300):
        now += chance.choice([0.0, 0.1, 1.0, 30.0])
        what = chance.random()
        if what < 0.4:
            change(engine, chance.choice([SMALL, BIG]), now=now)
        elif what < 0.9 and running:
            start = running.pop(chance.choice(list(running)))
            engine.exited(
                start.mirror, Outcome(chance.choice([0, 0, 0, 12, 24, 25]), command="x"), now
            )
        elif what > 0.98:
            engine.resync(source, "overflow", now)
        elif what > 0.95:
            engine.release("asked for", now)
        for start in begun(engine.due(now)):
            assert id(start.mirror) not in running, "two runs of one mirror"
            running[id(start.mirror)] = start
        for start in running.values():
            other = [
                r for r in running.values() if r.mirror.pair is start.mirror.pair and r is not start
            ]
            assert not (start.mirror.big and other and not other[0].order.lenient)
        assert len(running) <= limit
        deadline = engine.deadline()
        assert deadline is None or deadline >= now
    engine.release("asked for", now)
    for _ in range(50):
        now += 400
        running |= {id(start.mirror): start for start in begun(engine.due(now))}
        for start in running.values():
            engine.exited(start.mirror, Outcome(0, command="x"), now)
        running.clear()
    assert all(mirror.since is None for mirror in engine.mirrors)
    assert all(mirror.done == mirror.offered for mirror in engine.mirrors)
    assert all(mirror.beside is None for mirror in engine.mirrors)
    assert engine.deadline() is None


# Files that have to settle


def settling(**settings: object) -> Engine:
    return make_engine(**({"rbigsize": 0, "rsettle": (("*.iso", 10.0),)} | settings))


ISO = Change(b"d/a.iso", Kind.ENTRY)


def test_a_file_that_matches_waits_until_it_has_rested() -> None:
    engine = settling()
    change(engine, ISO)
    assert starts(engine, NOW) == []
    assert engine.deadline() == NOW + 10
    change(engine, Change(ISO.path, Kind.WRITTEN), SMALL, now=NOW + 6)
    (other,) = begun(engine.due(NOW + 6))
    assert other.order.left_out == {ISO.path}
    assert not other.order.alone
    engine.exited(other.mirror, RAN, NOW + 6)
    assert starts(engine, NOW + 10) == []
    assert engine.deadline() == NOW + 16
    (action,) = begun(engine.due(NOW + 16))
    assert action.order.batch.changes == {ISO}
    assert action.order.batch.since == NOW
    assert action.order.left_out == frozenset()


def test_what_a_run_carries_is_not_left_out_because_it_changes_again() -> None:
    engine = settling()
    change(engine, ISO)
    (action,) = begun(engine.due(NOW + 10))
    change(engine, ISO, now=NOW + 10)
    assert action.order.left_out == frozenset()
    full = action.order.batch.merge(action.order.batch)
    engine.resync(engine.config.sources[0], "overflow", NOW + 11)
    engine.exited(action.mirror, RAN, NOW + 11)
    (again,) = begun(engine.due(NOW + 11))
    assert again.order.left_out == {ISO.path}
    assert full.changes == {ISO}


def test_what_is_heard_before_a_run_begins_is_left_out_as_well() -> None:
    engine = settling()
    change(engine, SMALL)
    (action,) = begun(engine.due(NOW))
    assert engine.updated(action) == action
    change(engine, ISO)
    later = engine.updated(action)
    assert later.order.left_out == {ISO.path}
    assert action.order.alone
    assert not later.order.alone


def test_deletions_and_new_directories_do_not_wait() -> None:
    engine = settling()
    change(engine, Change(b"d", Kind.LEVEL), Change(b"x.iso", Kind.TREE))
    assert starts(engine, NOW) == engine.mirrors


def test_a_directory_with_such_a_name_does_not_wait() -> None:
    engine = settling()
    mode = Change(b"x.iso", Kind.ATTRIBUTES)
    (source,) = engine.config.sources
    engine.changed(source, Changes.of([mode]), NOW, no_files=[mode.path])
    (action,) = begun(engine.due(NOW))
    assert action.order.batch.changes == {mode}
    assert action.order.left_out == frozenset()


def test_files_that_were_found_young_wait_for_the_rest_of_their_time() -> None:
    engine = settling()
    source = engine.config.sources[0]
    engine.unsettled(source, [Fresh(b"a.iso", 4.0, big=False)], NOW)
    engine.resync(source, "start-up", NOW)
    (action,) = begun(engine.due(NOW))
    mirror = action.mirror
    assert action.order.left_out == {b"a.iso"}
    engine.exited(mirror, RAN, NOW)
    assert starts(engine, NOW + 5.9) == []
    assert starts(engine, NOW + 6) == [mirror]


def test_without_eopen_what_is_written_counts_for_these_files_alone() -> None:
    engine = settling(eopen=0.0)
    change(engine, Change(b"log", Kind.WRITTEN), Change(ISO.path, Kind.WRITTEN))
    assert starts(engine, NOW) == []
    assert engine.deadline() == NOW + 10


def test_a_big_file_that_has_settled_travels_in_its_lane() -> None:
    engine = settling(rbigsize=1_000_000)
    _, lane = engine.mirrors
    engine.changed(engine.config.sources[0], Changes.of([ISO]), NOW, big=[ISO])
    assert starts(engine, NOW) == []
    actions = begun(engine.due(NOW + 10))
    assert [action.mirror for action in actions] == engine.mirrors
    assert lane.flight is not None
    assert lane.flight.changes == {ISO}


def test_who_waits_for_all_waits_for_these_too() -> None:
    engine = settling()
    change(engine, ISO)
    assert engine.settling(NOW - 1) == {}
    assert engine.settling(NOW) == {"/srv/www": 1}
    engine.due(NOW + 10)
    assert engine.settling(NOW + 10) == {}


def test_other_rules_free_what_they_are_not_for() -> None:
    engine = settling()
    pairs = engine.config.pairs
    change(engine, ISO, Change(b"b.iso", Kind.ENTRY))
    engine.configure(make_config(pairs, rsettle=(("b.*", 30.0),)), NOW + 1)
    (action,) = begun(engine.due(NOW + 1))
    assert action.order.batch.changes == {ISO}
    assert engine.deadline() == NOW + 30
    assert action.mirror.state is State.RUNNING


def test_a_pair_is_compared_when_both_of_its_lanes_rest() -> None:
    engine = make_engine(rverify=1000.0, rfull=0.0)
    engine.watched(engine.config.sources[0], NOW, reason="")
    ordinary, lane = engine.mirrors
    change(engine, BIG, now=NOW + 999)
    assert starts(engine, NOW + 999) == [ordinary, lane]
    engine.exited(ordinary, Outcome(0), NOW + 1000)
    assert starts(engine, NOW + 1000) == []
    engine.exited(lane, Outcome(0), NOW + 1001)
    engine.exited(*next((mirror, Outcome(0)) for mirror in starts(engine, NOW + 1001)), NOW + 1002)
    (action,) = begun(engine.due(NOW + 1003))
    assert (action.mirror, (action.order.kind is RunKind.COMPARISON)) == (ordinary, True)
    lane.offer(Batch(NOW + 1004, 1, reason="asked for"))
    assert any(isinstance(action, Terminate) for action in engine.due(NOW + 1004))


def test_renamed_giants_are_linked_before_the_lane_sends_them() -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    moves = [Move(b"old", b"new")]
    source = engine.config.sources[0]
    engine.changed(source, Changes.of([SMALL]), NOW, big=[BIG], moves=moves)
    (action,) = begun(engine.due(NOW))
    assert (action.mirror, action.order.alone) == (ordinary, True)
    engine.exited(ordinary, RAN, NOW + 1)
    action = next(a for a in begun(engine.due(NOW + 1)) if a.mirror is lane)
    assert not action.order.alone
    engine.changed(source, Changes.of([SMALL]), NOW + 2, moves=moves)
    engine.exited(ordinary, RAN, NOW + 2)
    (action,) = begun(engine.due(NOW + 2))
    assert (action.mirror, action.order.alone) == (ordinary, False)


def test_what_a_lane_owes_is_known_to_the_other() -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    source = engine.config.sources[0]

    def owed(now: float) -> frozenset[bytes] | None:
        (found,) = [a.order.owed for a in begun(engine.due(now)) if a.mirror is ordinary]
        engine.exited(ordinary, RAN, now)
        return found

    change(engine, SMALL)
    assert owed(NOW) == frozenset()
    change(engine, BIG, now=NOW + 1)
    assert owed(NOW + 1) == {b"giant"}
    other = [Change(b"other", Kind.ENTRY)]
    engine.changed(source, Changes.of([SMALL]), NOW + 2, big=other)
    assert owed(NOW + 2) == {b"giant", b"other"}
    lane.offer(Batch(NOW, 1, reason="x"))
    change(engine, SMALL, now=NOW + 3)
    assert owed(NOW + 3) is None
    alone = make_engine(rbigsize=0)
    change(alone, SMALL)
    assert [a.order.owed for a in begun(alone.due(NOW))] == [frozenset()]


@pytest.mark.parametrize(
    ("to", "restricted", "ended", "tidied"),
    [
        ("n0:/", True, RAN, True),
        ("n0:/", True, Outcome(0), False),
        ("n0:/sub", True, RAN, False),
        ("n0:/", False, RAN, False),
    ],
)
def test_what_rrsync_makes_for_the_lane_is_deleted_when_it_has_run(
    to: str, restricted: bool, ended: Outcome, tidied: bool
) -> None:
    pair = make_pair(None, to, restricted=restricted, rscope="changes")
    engine = Engine(make_config([pair], rbigsize=1_000_000, edelay=0.0), lambda: 0.0)
    engine.watched(pair.source, NOW, reason="")
    ordinary, lane = engine.mirrors
    change(engine, SMALL, BIG)
    assert starts(engine, NOW) == [ordinary, lane]
    engine.exited(ordinary, RAN, NOW)
    engine.exited(lane, ended, NOW + 1)
    assert ordinary.pending is not None
    assert ordinary.pending.changes is not None
    assert (b"" in ordinary.pending.changes.levels) == tidied


THEN = Moment(5_000.0, NOW - 9)


def resized(engine: Engine, size: int, **node: object) -> list[Mirror]:
    """Take a config by which other files are big."""
    pairs = [make_pair(None, "n0:/m", **node)]
    engine.configure(make_config(pairs, rbigsize=size, edelay=0.0, emaxdelay=0.0), NOW)
    return engine.mirrors


def test_a_new_lane_owes_what_the_mirror_did_and_is_as_sure() -> None:
    engine = make_engine(rbigsize=0)
    engine.mirrors[0].equal_at = THEN
    engine.pause(True)
    change(engine, BIG)
    engine.due(NOW)
    _, lane = resized(engine, 1_000)
    assert (lane.equal_at, lane.pending is not None) == (THEN, True)
    assert lane.pending is not None
    assert BIG in doubtful(lane.pending)
    assert lane.pending.doubts.altered


def test_what_was_hidden_is_as_old_for_each_lane_of_a_mirror() -> None:
    engine = make_engine()
    for mirror, moment in zip(engine.mirrors, (Moment(6_000.0, NOW - 1), THEN), strict=True):
        mirror.hidden_at = mirror.equal_at = moment
    (ordinary,) = resized(engine, 0)
    assert (ordinary.hidden_at, ordinary.equal_at) == (THEN, THEN)


@pytest.mark.parametrize("size", [0, 2_000_000])
def test_what_may_be_late_is_so_for_each_lane_of_a_mirror(size: int) -> None:
    engine = make_engine()
    known = [(NOW + 60, NOW - 9, b"a"), (NOW + 90, NOW - 5, b"b")]
    for mirror, (at, since, path) in zip(engine.mirrors, known, strict=True):
        batch = Batch(since, 1, changes=Changes(entries={path: None}))
        mirror.late = Late(batch, at, since, 0, until=7)
    lanes = resized(engine, size)
    assert len(lanes) == (2 if size else 1)
    for mirror in lanes:
        assert mirror.late is not None
        assert (mirror.late.at, mirror.late.since, mirror.late.until) == (NOW + 90, NOW - 9, 0)
        assert mirror.late.batch.changes == Changes(entries={b"a": None, b"b": None})


def doubtful(batch: Batch) -> set[Change]:
    return {Change(path, Kind.ENTRY) for path in batch.doubts.files}


@pytest.mark.parametrize("size", [0, 5_000_000])
def test_what_a_lane_owed_is_not_lost_when_its_files_are_big_no_more(size: int) -> None:
    engine = make_engine()
    ordinary, lane = engine.mirrors
    change(engine, BIG)
    for action in begun(engine.due(NOW)):
        if action.mirror is ordinary:
            engine.exited(ordinary, RAN, NOW)
    ordinary.equal_at, lane.equal_at = Moment(6_000.0, NOW - 1), THEN
    assert resized(engine, size)[0] is ordinary
    assert ordinary.equal_at == THEN
    assert ordinary.pending is not None
    assert doubtful(ordinary.pending) == {BIG}


def test_where_a_lane_can_name_nothing_it_owes_all() -> None:
    engine = make_engine(rbigsize=0, node={"extra": ("--copy-links",)})
    engine.pause(True)
    change(engine, BIG)
    engine.due(NOW)
    _, lane = resized(engine, 1_000, extra=("--copy-links",))
    assert lane.pending is not None
    assert lane.pending.changes is None
