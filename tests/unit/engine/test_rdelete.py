"""What has vanished, where nothing else may be deleted: who is told, and that none is lost."""

from __future__ import annotations

from support.configs import make_config, make_pair
from support.engines import NOW, ONE, said, starts, steady

from inosync.changes.batch import MOST_GONE, full_pass
from inosync.changes.changes import Change, Changes, Kind
from inosync.changes.doubts import MOST
from inosync.engine.actions import ERROR, WARNING, Outcome, Start
from inosync.engine.ailing import described, due
from inosync.engine.engine import Engine
from inosync.engine.ledger import MOST_BESIDE
from inosync.engine.mirror import Mirror, State
from inosync.planning.order import Order, Prepared, RunKind
from inosync.planning.scan import Question
from inosync.planning.slices import Course
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.exits import PARTIAL
from inosync.rsync.output import Transferred

GONE = frozenset({b"d/", b"d/x"})
LEVEL = Changes(levels={b"": None})
WELL = Outcome(0, listed=True)


def keeping(*rdeletes: str, **settings: object) -> Engine:
    """Return an engine with a node for each of these."""
    pairs = [
        make_pair(None, f"n{number}:/m", rscope="changes", rdelete=rdelete)
        for number, rdelete in enumerate(rdeletes)
    ]
    engine = Engine(make_config(pairs, **({"edelay": 0.0} | settings)), steady)
    engine.watched(engine.config.sources[0], NOW, reason="")
    return engine


def vanish(engine: Engine, changes: Changes = LEVEL, gone: frozenset[bytes] = GONE) -> None:
    engine.changed(engine.config.sources[0], changes, NOW, gone=gone)


def ordered(engine: Engine, now: float = NOW) -> list[Order]:
    return [action.order for action in engine.due(now) if isinstance(action, Start)]


def prepared(
    engine: Engine,
    mirror: Mirror,
    remaining: frozenset[bytes],
    kind: RunKind = RunKind.LISTED,
) -> None:
    what = Prepared(kind, ("rsync",), names=(b"./",), remaining=remaining)
    engine.prepared(mirror, what, NOW)


def test_only_who_asks_is_told_what_has_vanished() -> None:
    engine = keeping("all", "seen", "start", "never")
    vanish(engine)
    assert [order.batch.gone for order in ordered(engine)] == [set(), GONE, set(), set()]
    assert all(order.batch.changes == LEVEL for order in ordered(engine))


def test_what_is_found_missing_without_a_change_concerns_no_other() -> None:
    engine = keeping("all", "seen", rfull=0.0)
    vanish(engine, Changes())
    (order,) = ordered(engine)
    assert (order.pair.node.rdelete, order.batch.gone, order.idle) == ("seen", GONE, False)
    assert order.by_name
    assert [mirror.since for mirror in engine.mirrors] == [None, NOW]


def test_what_was_too_much_for_one_run_follows() -> None:
    engine = keeping("seen", rfull=0.0)
    (mirror,) = engine.mirrors
    vanish(engine)
    assert len(ordered(engine)) == 1
    prepared(engine, mirror, frozenset({b"d/"}))
    engine.exited(mirror, WELL, NOW + 1)
    assert (mirror.since, mirror.done) == (NOW, 0)
    (order,) = ordered(engine, NOW + 1)
    assert (order.batch.gone, order.batch.changes) == ({b"d/"}, set())
    assert order.by_name
    prepared(engine, mirror, frozenset())
    engine.exited(mirror, WELL, NOW + 2)
    assert (mirror.state, mirror.since) == (State.IDLE, None)
    assert mirror.done == mirror.offered


def test_what_a_failed_run_was_to_delete_is_deleted_by_the_next() -> None:
    engine = keeping("seen", rfull=0.0)
    (mirror,) = engine.mirrors
    vanish(engine)
    ordered(engine)
    prepared(engine, mirror, frozenset({b"d/"}))
    engine.exited(mirror, Outcome(12, listed=True), NOW + 1)
    vanish(engine, ONE, frozenset({b"y"}))
    (order,) = ordered(engine, NOW + 9)
    assert order.batch.gone == GONE | {b"y"}
    # Also when something vanished on the way, and all is carried once more.
    prepared(engine, mirror, frozenset())
    engine.exited(mirror, Outcome(24, listed=True), NOW + 9)
    (order,) = ordered(engine, NOW + 9)
    assert order.batch.gone == GONE | {b"y"}


def test_slices_leave_it_to_a_run_of_its_own() -> None:
    engine = keeping("seen", rfull=0.0)
    (mirror,) = engine.mirrors
    engine.resync(engine.config.sources[0], "start-up", NOW)
    many = Changes(entries={b"%d" % number: None for number in range(MOST_BESIDE + 1)})
    vanish(engine, many)
    (order,) = ordered(engine)  # what is too much beside a pass is left to it, but for this
    assert (order.kind, order.batch.gone) == (RunKind.PASS, GONE)
    assert not order.batch.changes
    assert mirror.passing is not None
    assert not mirror.passing.batch.gone
    # One that demands a pass and brings some of it along.
    mirror.offer(full_pass("x", NOW).merge(order.batch))
    assert mirror.pending is not None
    assert (mirror.pending.gone, mirror.pending.reason) == (GONE, "")


def test_what_is_looked_for_by_time_is_not_that() -> None:
    engine = keeping("seen", rfull=0.0)
    (mirror,) = engine.mirrors
    vanish(engine, Changes(entries={b"%d" % number: None for number in range(MOST + 1)}))
    (order,) = ordered(engine)
    assert order.forgotten
    assert order.batch.gone == GONE
    engine.narrow(mirror, Question(5, reached=7), NOW + 1)
    (order,) = ordered(engine, NOW + 1)
    assert (order.batch.gone, order.batch.changes) == (GONE, set())


def test_a_limit_counts_what_is_for_the_next_run_as_well() -> None:
    engine = keeping("seen", rfull=0.0, rmaxdelete=5)
    (mirror,) = engine.mirrors
    vanish(engine)
    (order,) = ordered(engine)
    assert order.kind is RunKind.REHEARSAL
    prepared(engine, mirror, frozenset({b"d/", b"d/x"}), RunKind.REHEARSAL)
    outcome = Outcome(0, transferred=Transferred(deleted=4), deletions=("d/y",))
    engine.exited(mirror, outcome, NOW)
    (text,) = said(engine.due(NOW), ERROR)
    assert "would delete 6 files (rmaxdelete is 5), such as d/y: held" in text
    # What a person lets happen once are all of its runs.
    engine.release("asked for", NOW)
    (order,) = ordered(engine)
    assert (order.kind, order.batch.gone) == (RunKind.PASS, GONE)
    prepared(engine, mirror, frozenset({b"d/"}))
    engine.exited(mirror, WELL, NOW)
    (order,) = ordered(engine)
    assert (order.kind, order.batch.gone) == (RunKind.PASS, {b"d/"})
    prepared(engine, mirror, frozenset())
    engine.exited(mirror, WELL, NOW)
    vanish(engine)
    (order,) = ordered(engine)
    assert order.kind is RunKind.REHEARSAL


def ailing(engine: Engine, complaint: Complaint) -> Mirror:
    """Return a mirror whose run has complained so."""
    (mirror,) = engine.mirrors
    vanish(engine)
    ordered(engine)
    prepared(engine, mirror, frozenset())
    account = Account((complaint,), understood=True)
    kept = ((b"k", b"k/theirs"), (b"d", b"d/theirs"))
    engine.exited(mirror, Outcome(PARTIAL, listed=True, account=account, kept=kept), NOW)
    engine.due(NOW)
    return mirror


def test_what_could_not_be_deleted_is_tried_again() -> None:
    engine = keeping("seen", rfull=0.0)
    mirror = ailing(engine, Complaint(b"d/x", Cause.FORBIDDEN, ""))
    (order,) = ordered(engine, NOW + 1)
    assert order.batch.gone == {b"d/x", b"d/"}
    trial = due(mirror.ailing, NOW + 1)
    assert trial is not None
    assert not trial.gone


def test_what_may_stay_is_no_note_unless_it_is_in_the_way() -> None:
    engine = keeping("seen", rfull=0.0)
    mirror = ailing(engine, Complaint(b"k", Cause.IN_THE_WAY, ""))
    assert mirror.kept == {b"k": b"k/theirs"}
    (known,) = mirror.ailing.values()
    told = described(known, mirror.pair, mirror.kept, user="")
    assert told == (
        "k",
        "is a directory on the node with something in it that may stay (rdelete): k/theirs",
        "delete it on n0 by hand",
    )


def test_a_pass_that_is_one_run_takes_all_along() -> None:
    pair = make_pair(None, "n:/m", rdelete="seen", extra=("-H",), rscope="changes")
    engine = Engine(make_config([pair], edelay=0.0, rfull=0.0), steady)
    engine.watched(engine.config.sources[0], NOW, reason="")
    engine.resync(engine.config.sources[0], "x", NOW)
    vanish(engine)
    (order,) = ordered(engine)
    assert (order.kind, order.batch.reason, order.batch.gone) == (RunKind.PASS, "x", GONE)
    assert starts(engine.due(NOW)) == []
    assert order.course is None or order.course == Course()
    assert Change(b"", Kind.LEVEL) not in (order.batch.changes or ())


def test_more_than_is_remembered_is_said_once() -> None:
    engine = keeping("seen", edelay=0.0, rfull=0.0)
    (mirror,) = engine.mirrors
    engine.unwatched(engine.config.sources[0], "is away", NOW)  # so that nothing runs
    many = frozenset(b"%d" % number for number in range(MOST_GONE))
    for gone in (many, frozenset({b"x"})):
        vanish(engine, gone=gone)
        told = said(engine.due(NOW), WARNING)
        assert [mirror.name in text for text in told] == [True] * (gone is many)
    assert mirror.pending is not None
    assert len(mirror.pending.gone) == MOST_GONE
