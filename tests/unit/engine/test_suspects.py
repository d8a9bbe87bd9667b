"""What a run has passed over is compared before the mirror counts as in sync."""

from __future__ import annotations

from support.engines import NOW, ONE, changing, make_engine, said, starts

from inosync.changes.changes import Changes
from inosync.changes.doubts import LOST, Doubts
from inosync.engine.actions import DEBUG, Outcome, Start
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Moment, Order, Prepared, RunKind
from inosync.planning.steps import Pave
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.differences import Difference, Drift
from inosync.rsync.output import Transferred

SOME = Doubts(frozenset({b"f"}))
THEN = Moment(5_000.0, NOW)


def order(engine: Engine, now: float = NOW) -> Order:
    (action,) = [a for a in engine.due(now) if isinstance(a, Start)]
    return action.order


def prepared(engine: Engine, *names: bytes, doubts: Doubts = Doubts(), **more: object) -> Mirror:  # noqa: B008
    """Let a run begin that may take these for equal."""
    (mirror,) = engine.mirrors
    what = Prepared(
        RunKind.LISTED, ("rsync",), (), candidates=frozenset(names), doubts=doubts, **more
    )
    engine.prepared(mirror, what, NOW)
    return mirror


def flying(*names: bytes, doubts: Doubts = Doubts(), **more: object) -> tuple[Engine, Mirror]:  # noqa: B008
    engine = changing()
    engine.changed(engine.config.sources[0], ONE, NOW - 10)
    assert order(engine).kind is RunKind.PASS
    return engine, prepared(engine, *names, doubts=doubts, **more)


def compared(engine: Engine, mirror: Mirror, left: Doubts = Doubts(), status: int = 0) -> None:  # noqa: B008
    engine.prepared(mirror, Prepared(RunKind.CONTENTS, ("rsync",), (), doubts=left), NOW)
    engine.exited(mirror, Outcome(status, Transferred(1, 7)), NOW)


def test_what_was_sent_is_no_suspect() -> None:
    engine, mirror = flying(b"f")
    engine.exited(mirror, Outcome(0, sent=frozenset({b"f"})), NOW)
    assert (mirror.state, mirror.done) == (State.IDLE, mirror.offered)
    assert starts(engine.due(NOW)) == []


def test_what_was_passed_over_is_compared_before_all_is_well() -> None:
    engine, mirror = flying(b"f", b"g")
    engine.exited(mirror, Outcome(0, Transferred(2, 5, 1), sent=frozenset({b"g"})), NOW)
    assert (mirror.state, mirror.done, mirror.since) == (State.RUNNING, 0, NOW - 10)
    asked = order(engine)
    assert (asked.kind, asked.batch.doubts) == (RunKind.CONTENTS, SOME)
    compared(engine, mirror)
    assert (mirror.state, mirror.done) == (State.IDLE, 1)
    assert mirror.totals.last == mirror.totals.moved == Transferred(3, 12, 1)


def test_a_comparison_that_fails_is_owed_with_all_that_it_carried() -> None:
    engine, mirror = flying(b"f")
    engine.exited(mirror, Outcome(0), NOW)
    engine.due(NOW)
    compared(engine, mirror, status=12)
    assert mirror.state is State.BACKOFF
    again = order(engine, NOW + 1)
    assert (again.kind, again.batch.changes, again.batch.doubts) == (RunKind.PASS, ONE, SOME)


def test_what_is_too_much_at_once_goes_on_behind_what_is_new() -> None:
    engine, mirror = flying(b"f")
    engine.exited(mirror, Outcome(0), NOW)
    engine.due(NOW)
    left = Doubts(trees=frozenset({b"d"}))
    compared(engine, mirror, left)
    assert (mirror.state, mirror.done) == (State.PENDING, 0)
    more = order(engine)
    assert (more.idle, more.batch.doubts, more.batch.since) == (True, left, NOW - 10)
    prepared(engine, doubts=left)
    engine.exited(mirror, Outcome(0), NOW)
    assert order(engine).kind is RunKind.CONTENTS
    compared(engine, mirror)
    assert mirror.done == mirror.offered == 2


def test_a_step_says_what_it_has_sent_when_it_went_well() -> None:
    for status, kind in ((0, None), (12, RunKind.CONTENTS)):
        engine = changing()
        engine.changed(engine.config.sources[0], ONE, NOW - 10)
        engine.due(NOW)
        (mirror,) = engine.mirrors
        step = Prepared(RunKind.STEP, ("rsync",), steps=(Pave(()),))
        engine.prepared(mirror, step, NOW)
        engine.exited(mirror, Outcome(status, sent=frozenset({b"f"})), NOW)
        assert order(engine).kind is RunKind.PASS
        prepared(engine, b"f")
        engine.exited(mirror, Outcome(0), NOW)
        assert [a.order.kind for a in engine.due(NOW) if isinstance(a, Start)] == [kind] * (
            kind is not None
        )


def test_what_vanished_before_the_comparison_is_carried_once_more() -> None:
    engine, mirror = flying(b"f")
    engine.exited(mirror, Outcome(24, listed=True), NOW)
    engine.due(NOW)
    compared(engine, mirror)
    assert mirror.pending is not None
    assert (mirror.pending.repeated, mirror.pending.changes) == (True, ONE)


def test_what_the_run_before_the_comparison_complained_of_counts() -> None:
    complaint = Complaint(b"g", Cause.UNREADABLE, "oops")
    engine, mirror = flying(b"f")
    torn = Outcome(23, listed=True, account=Account((complaint,)), command="rsync x")
    engine.exited(mirror, torn, NOW)
    assert order(engine).kind is RunKind.CONTENTS
    compared(engine, mirror)
    assert (set(mirror.ailing), mirror.state) == ({b"g"}, State.IDLE)
    assert "  command: rsync x" in said(engine.due(NOW), DEBUG)  # there was nothing to compare


def test_what_only_pretends_leaves_nothing_in_doubt() -> None:
    engine, mirror = flying(b"f")
    engine.exited(mirror, Outcome(0, pretended=True), NOW)
    assert starts(engine.due(NOW)) == []


def test_lost_names_count_from_the_moment_when_all_was_well() -> None:
    engine, mirror = flying(doubts=LOST, moment=THEN)
    engine.exited(mirror, Outcome(0), NOW)  # nothing was known of the mirror before
    assert (mirror.state, mirror.equal_at) == (State.IDLE, THEN)
    engine.resync(engine.config.sources[0], "overflow", NOW)
    asked = order(engine)
    assert (asked.batch.doubts, asked.equal_at) == (LOST, THEN)
    prepared(engine, doubts=LOST)
    engine.exited(mirror, Outcome(0), NOW)
    asked = order(engine)
    assert (asked.kind, asked.batch.doubts, asked.equal_at) == (RunKind.CONTENTS, LOST, THEN)


def test_a_moment_at_which_not_all_was_known_does_not_count() -> None:
    engine = changing()
    source = engine.config.sources[0]
    engine.changed(source, ONE, NOW - 10)
    engine.due(NOW)
    engine.changed(source, Changes(entries={b"later": None}), NOW)
    mirror = prepared(engine, moment=THEN)
    engine.exited(mirror, Outcome(0), NOW)
    assert mirror.equal_at is None


def test_a_pass_on_schedule_loses_no_names() -> None:
    engine = make_engine(rfull=100.0)
    engine.resync(engine.config.sources[0], "start-up", NOW)
    (mirror,) = starts(engine.due(NOW))
    engine.exited(mirror, Outcome(0), NOW)
    assert not order(engine, NOW + 100).batch.doubts


def test_a_comparison_that_may_overwrite_too_much_is_rehearsed() -> None:
    engine = make_engine(rmaxchange=1)
    engine.changed(engine.config.sources[0], ONE, NOW - 10)
    assert (order(engine).kind, engine.mirrors[0].work.rehearsing) == (RunKind.REHEARSAL, True)
    mirror = prepared(engine, b"f", b"g")  # planning saw that it names few files
    assert not mirror.work.rehearsing
    engine.exited(mirror, Outcome(0), NOW)
    asked = order(engine)
    assert (asked.kind, asked.most) == (RunKind.CONTENTS, 1)
    engine.prepared(mirror, Prepared(RunKind.REHEARSAL, ("rsync",), (b"f", b"g")), NOW)
    assert mirror.work.rehearsing
    one = Drift(1, (Difference(b"f", "content"),))
    engine.exited(mirror, Outcome(0, overwrites=one), NOW)
    asked = order(engine)
    assert (asked.kind, asked.most) == (RunKind.CONTENTS, None)
    engine.prepared(mirror, Prepared(RunKind.REHEARSAL, ("rsync",), (b"f", b"g")), NOW)
    engine.exited(mirror, Outcome(0, overwrites=Drift(2)), NOW)
    assert (mirror.state, mirror.reason) == (
        State.HELD,
        "would overwrite 2 files (rmaxchange is 1)",
    )
    engine.release("asked for", NOW)
    assert order(engine).kind is RunKind.PASS
    assert mirror.flight is not None
    assert mirror.flight.doubts == Doubts(frozenset({b"f", b"g"}))
    prepared(engine, b"f")
    engine.exited(mirror, Outcome(0), NOW)
    assert order(engine).most is None  # a person said go on


def test_what_a_run_and_the_comparison_behind_it_overwrite_is_counted_together() -> None:
    engine = make_engine(rmaxchange=5)
    engine.changed(engine.config.sources[0], ONE, NOW - 10)
    assert order(engine).most == 5
    (mirror,) = engine.mirrors
    engine.exited(mirror, Outcome(0, overwrites=Drift(4)), NOW)
    assert order(engine).most is None
    prepared(engine, b"f", b"g")
    engine.exited(mirror, Outcome(0, Transferred(files=90)), NOW)  # most of them are new
    assert order(engine).most == 1
    engine.prepared(mirror, Prepared(RunKind.REHEARSAL, ("rsync",), (b"f", b"g")), NOW)
    two = Drift(2, (Difference(b"f", "content"), Difference(b"g", "content")))
    engine.exited(mirror, Outcome(0, overwrites=two), NOW)
    assert said(engine.due(NOW)) == [
        "/srv/www -> n0:/m: would overwrite 6 files (rmaxchange is 5), such as f, g: held, "
        "4 were sent before; inosync --sync goes on"
    ]


def test_what_was_sent_without_a_rehearsal_counts() -> None:
    engine = make_engine(rmaxchange=5)
    engine.changed(engine.config.sources[0], ONE, NOW - 10)
    order(engine)
    mirror = prepared(engine, b"f")
    engine.exited(mirror, Outcome(0, Transferred(files=4)), NOW)
    assert order(engine).most == 1
