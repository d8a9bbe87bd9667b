"""What the log says of a run that has ended."""

from __future__ import annotations

import pytest
from support.configs import make_pair

from inosync.changes.batch import Batch
from inosync.engine.actions import DEBUG, ERROR, INFO, WARNING, Event, Outcome, Say
from inosync.engine.backoff import Backoff
from inosync.engine.messages import drift, failure, hung, success
from inosync.engine.mirror import Mirror
from inosync.engine.records import Comparison, Late
from inosync.rsync.differences import EQUAL, Difference, Drift
from inosync.rsync.output import Transferred


def mirror(failures: int = 0) -> Mirror:
    backoff = Backoff(1.0, 300.0, random=lambda: 0.0)
    for _ in range(failures):
        backoff.failed()
    return Mirror(make_pair(None, "n:/m"), backoff)


def ailing(reason: str) -> Mirror:
    it = mirror(1)
    it.reason = reason
    return it


def test_a_run_that_ended_well() -> None:
    it = mirror()
    it.moved(Transferred(2, 300, 1))
    numbers = Say(DEBUG, "/srv/www -> n:/m: 2 files, 300 bytes, 1 deleted, 1.50 s")
    assert success(it, 1.5, again=False, first=False) == [numbers]
    first = Say(INFO, "/srv/www -> n:/m: in sync (first pass, 1.5 s)")
    assert success(it, 1.5, again=False, first=True) == [first, numbers]
    again = Say(INFO, "/srv/www -> n:/m: well again")
    assert success(it, 1.5, again=True, first=True) == [again, numbers]
    it.late = Late(Batch(0.0, 0), 9.0, 0.0, 0)
    yet = "what was on its way when a run was cut short may arrive yet: it is carried once more"
    assert success(it, 1.5, again=True, first=True)[0].text == f"{again.text}; {yet}"
    sent = f"/srv/www -> n:/m: all is sent (first pass, 1.5 s); {yet}"
    assert success(it, 1.5, again=False, first=True)[0].text == sent
    it.late = None
    (whole,) = success(it, 1.5, again=False, first=False, full="daily")
    done = "full pass done (daily): 2 files, 300 bytes, 1 deleted, 1.50 s"
    assert whole == Say(INFO, f"/srv/www -> n:/m: {done}")
    passed = success(it, 1.5, again=False, first=True, full="start")
    assert passed == [first, numbers]
    assert [line.about and line.about.event for line in passed] == [Event.PASSED, None]
    assert whole.about is not None
    assert whole.about.fields() == {
        "source": "/srv/www",
        "node": it.pair.node.name,
        "state": "idle",
        "event": "pass",
    }
    (recovery, _) = success(it, 1.5, again=True, first=False)
    assert recovery.about is not None
    assert recovery.about.event is Event.RECOVERY


def test_a_failure_that_is_new_is_told_whole() -> None:
    outcome = Outcome(255, evidence=("no route",), command="rsync x")
    said = failure(ailing("ssh failed"), outcome, again="", wait=2.0)
    assert [line.level for line in said] == [WARNING] * 3
    assert said[0].text.startswith("/srv/www -> n:/m: exit 255: ssh failed; try 'ssh n true'")
    assert said[0].text.endswith("next try in 2.0 s")
    assert [line.text for line in said[1:]] == ["  command: rsync x", "  no route"]
    assert said[0].about is not None
    assert (said[0].about.event, said[0].about.exit) == (Event.FAILURE, 255)
    assert said[1].about is not None
    assert said[1].about.event is None


def test_what_a_person_has_to_mend_is_an_error() -> None:
    (first, *_) = failure(ailing("limit"), Outcome(25), again="", wait=0.0)
    assert first.level == ERROR
    assert first.text.endswith("held: inosync --sync goes on")
    assert first.about is not None
    assert first.about.event is Event.HOLD
    (killed, *_) = failure(ailing("killed"), Outcome(-9), again="", wait=1.0)
    assert killed.text.startswith("/srv/www -> n:/m: killed by signal 9")


def test_a_run_that_hangs_is_told_with_what_it_had_said() -> None:
    (silent,) = hung(mirror(), "did nothing", ())
    assert silent == Say(WARNING, "/srv/www -> n:/m: did nothing: ended, to be tried again")
    again = hung(ailing("did nothing"), "did nothing", ("one", "two"))
    assert [line.level for line in again] == [DEBUG, DEBUG]
    assert again[0].text.endswith("again; its last words were: two")
    assert again[1].text == "  one"


@pytest.mark.parametrize(("tries", "level"), [(2, DEBUG), (8, WARNING), (9, DEBUG), (16, WARNING)])
def test_the_same_again_is_told_ever_more_rarely(tries: int, level: int) -> None:
    it = mirror(tries)
    it.reason = "ssh failed"
    (said,) = failure(it, Outcome(255), again="ssh failed", wait=3.0)
    expected = f"/srv/www -> n:/m: still ssh failed after {tries} tries; next try in 3.0 s"
    assert said == Say(level, expected)


def test_drift() -> None:
    it = mirror()
    found = Drift(1, (Difference(b"a", "times"),))
    it.comparison = Comparison(drift=found)
    (said,) = drift(it, EQUAL)
    assert said.level == WARNING
    assert "1 path differs from the source: a: times" in said.text
    assert drift(it, found) == []
    it.comparison = Comparison()
    assert len(drift(it, found)) == 1
    assert drift(it, EQUAL) == []
