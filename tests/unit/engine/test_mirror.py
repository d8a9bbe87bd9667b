"""The state machine of a mirror: one test a transition."""

from __future__ import annotations

import pytest
from support.configs import make_pair

from inosync.changes.batch import Batch
from inosync.engine.backoff import Backoff
from inosync.engine.mirror import Mirror, State
from inosync.rsync.exits import Judgement, Verdict

NOW = 10_000.0
WELL = Judgement(Verdict.OK, "success")
PASSING = Judgement(Verdict.RETRY, "connection lost", "look")
LASTING = Judgement(Verdict.SLOW, "no such module", "look")
GRAVE = Judgement(Verdict.HOLD, "too many deletions", "look")


@pytest.fixture
def mirror() -> Mirror:
    return Mirror(make_pair(), Backoff(1, 300, random=lambda: 0.0))


def batch(since: float = NOW, count: int = 1) -> Batch:
    return Batch(since, count, (b"f",))


def running(mirror: Mirror) -> Mirror:
    mirror.offer(batch())
    mirror.start(NOW, check_after=75)
    return mirror


def test_idle_to_pending(mirror: Mirror) -> None:
    assert mirror.state is State.IDLE
    assert mirror.since is None
    mirror.offer(batch())
    assert mirror.state is State.PENDING
    assert mirror.since == NOW


def test_pending_to_running_takes_all_that_is_owed(mirror: Mirror) -> None:
    mirror.offer(batch(NOW, 1))
    mirror.offer(batch(NOW - 5, 2))
    taken = mirror.start(NOW + 1, check_after=75)
    assert (taken.since, taken.count) == (NOW - 5, 3)
    assert mirror.state is State.RUNNING
    assert mirror.busy
    assert mirror.pending is None
    assert mirror.work.check_at == NOW + 76
    assert mirror.since == NOW - 5


def test_only_a_pending_mirror_starts(mirror: Mirror) -> None:
    with pytest.raises(AssertionError, match="start while idle"):
        mirror.start(NOW, check_after=0)


def test_running_to_idle(mirror: Mirror) -> None:
    running(mirror)
    assert mirror.ended(WELL, NOW + 3) == 0
    assert mirror.state is State.IDLE
    assert mirror.health.synced
    assert mirror.since is None


def test_running_to_pending_when_more_came_meanwhile(mirror: Mirror) -> None:
    running(mirror)
    mirror.offer(batch(NOW + 1))
    assert mirror.state is State.RUNNING
    mirror.ended(WELL, NOW + 3)
    assert mirror.state is State.PENDING
    assert mirror.since == NOW + 1


@pytest.mark.parametrize(("judgement", "wait"), [(PASSING, 1), (LASTING, 300)])
def test_running_to_backoff_keeps_the_batch(
    mirror: Mirror, judgement: Judgement, wait: float
) -> None:
    running(mirror)
    mirror.offer(batch(NOW + 1))
    assert mirror.ended(judgement, NOW + 3) == wait
    assert mirror.state is State.BACKOFF
    assert mirror.pending is not None
    assert mirror.pending.count == 2
    assert mirror.since == NOW
    assert mirror.retry_at == NOW + 3 + wait
    assert mirror.reason == judgement.meaning


def test_backoff_to_pending_when_the_wait_is_over(mirror: Mirror) -> None:
    running(mirror).ended(PASSING, NOW)
    mirror.offer(batch())
    mirror.ready(NOW + 0.9)
    assert mirror.state is State.BACKOFF
    mirror.ready(NOW + 1)
    assert mirror.state is State.PENDING
    mirror.start(NOW + 1, check_after=0)
    assert mirror.work.check_at is None
    assert (mirror.totals.runs, mirror.totals.retries, mirror.totals.failures) == (2, 1, 1)


def test_running_to_held(mirror: Mirror) -> None:
    running(mirror).ended(GRAVE, NOW)
    assert mirror.state is State.HELD
    assert mirror.retry_at is None
    assert mirror.pending is not None
    mirror.offer(batch())
    mirror.ready(NOW + 10**6)
    assert mirror.state is State.HELD


@pytest.mark.parametrize("judgement", [PASSING, GRAVE])
def test_held_or_backing_off_to_pending_by_a_person(mirror: Mirror, judgement: Judgement) -> None:
    running(mirror).ended(judgement, NOW)
    mirror.release()
    assert mirror.state is State.PENDING
    assert mirror.reason == ""
    assert mirror.backoff.failures == 0


def test_release_leaves_a_run_alone(mirror: Mirror) -> None:
    running(mirror).release()
    assert mirror.state is State.RUNNING


@pytest.mark.parametrize("judgement", [WELL, PASSING])
def test_stopping_to_backoff_however_it_ends(mirror: Mirror, judgement: Judgement) -> None:
    running(mirror).end("silent", NOW, grace=5)
    assert mirror.state is State.STOPPING
    assert mirror.busy
    assert mirror.work.kill_at == NOW + 5
    mirror.ended(judgement, NOW + 1)
    assert mirror.state is State.BACKOFF
    assert mirror.reason == "silent"
    assert mirror.work.kill_at is None
    assert mirror.pending is not None
    assert not mirror.health.synced


def test_a_withdrawn_start_owes_the_batch_as_before(mirror: Mirror) -> None:
    running(mirror)
    mirror.offer(batch(NOW + 1))
    mirror.withdraw()
    assert mirror.state is State.PENDING
    assert mirror.totals.runs == 0
    assert mirror.pending is not None
    assert mirror.pending.count == 2


def test_a_rehearsal_and_the_run_after_it(mirror: Mirror) -> None:
    mirror.offer(batch())
    mirror.start(NOW, check_after=75, rehearse=True)
    assert mirror.work.rehearsing
    assert mirror.perform(NOW + 10, check_after=75) == batch()
    assert not mirror.work.rehearsing
    assert mirror.state is State.RUNNING
    assert mirror.work.check_at == NOW + 85
    mirror.ended(WELL, NOW + 11)
    assert mirror.totals.runs == 1
    with pytest.raises(AssertionError, match="without a flight"):
        mirror.perform(NOW, check_after=0)


def test_a_rehearsal_that_fails_is_over(mirror: Mirror) -> None:
    mirror.offer(batch())
    mirror.start(NOW, check_after=0, rehearse=True)
    mirror.ended(PASSING, NOW)
    assert not mirror.work.rehearsing


def test_what_is_held_may_be_approved_once(mirror: Mirror) -> None:
    running(mirror).hold("too much")
    assert (mirror.state, mirror.reason) == (State.HELD, "too much")
    assert mirror.pending is not None
    mirror.release(approve=True)
    assert mirror.brake.approved
    mirror.start(NOW, check_after=0)
    mirror.ended(PASSING, NOW)
    assert mirror.brake.approved
    mirror.release()
    mirror.start(NOW, check_after=0)
    mirror.ended(WELL, NOW)
    assert not mirror.brake.approved


def test_nothing_is_approved_that_was_not_held(mirror: Mirror) -> None:
    running(mirror).release(approve=True)
    assert not mirror.brake.approved


def test_success_ends_the_backoff(mirror: Mirror) -> None:
    running(mirror).ended(PASSING, NOW)
    mirror.ready(NOW + 1)
    mirror.start(NOW + 1, check_after=0)
    mirror.ended(WELL, NOW + 2)
    assert mirror.backoff.failures == 0
    assert mirror.reason == ""


def test_its_name_says_from_where_to_where(mirror: Mirror) -> None:
    assert mirror.name == "/srv/www -> a:/srv/www"


def test_batches_are_done_when_a_run_that_carries_them_has_ended_well(mirror: Mirror) -> None:
    running(mirror)
    mirror.offer(batch())
    mirror.ended(PASSING, NOW)
    assert (mirror.offered, mirror.done) == (2, 0)
    mirror.release()
    mirror.start(NOW, check_after=0)
    mirror.offer(batch())
    mirror.ended(WELL, NOW)
    assert (mirror.offered, mirror.done) == (3, 2)
    mirror.start(NOW, check_after=0)
    mirror.ended(WELL, NOW, complete=False)
    assert (mirror.offered, mirror.done) == (3, 2)


def test_idle_to_running_and_back_by_a_comparison(mirror: Mirror) -> None:
    mirror.compare(NOW, check_after=75)
    assert mirror.state is State.RUNNING
    assert mirror.work.check_at == NOW + 75
    mirror.compare_ended()
    assert mirror.state is State.IDLE
    mirror.compare(NOW, check_after=0)
    assert mirror.work.check_at is None
    mirror.offer(batch())
    assert mirror.state is State.RUNNING
    mirror.compare_ended()
    assert mirror.state is State.PENDING
    assert mirror.totals.runs == 0
    with pytest.raises(AssertionError, match="compare while pending"):
        mirror.compare(NOW, check_after=0)


def test_a_comparison_that_was_not_carried_out(mirror: Mirror) -> None:
    mirror.compare(NOW, check_after=75)
    mirror.withdraw()
    assert mirror.state is State.IDLE
    assert (mirror.totals.runs, mirror.work.comparing, mirror.work.check_at) == (0, False, None)
