"""What a walk over a tree of watches has found, and when it is told."""

from __future__ import annotations

from inosync.changes.changes import Move
from inosync.watch.findings import Findings


def test_a_new_directory_is_reported_when_nothing_below_it_is_left() -> None:
    findings = Findings()
    findings.met(1, 2)
    findings.met(2, 3)
    findings.looked_up(4)
    assert findings.take_reports() == []
    findings.looked_up(3)
    assert findings.take_reports() == [2]
    findings.looked_up(1)
    assert findings.take_reports() == [1]
    assert findings.take_reports() == []


def test_one_in_another_place_is_reported_when_all_is_looked_up() -> None:
    findings = Findings()
    findings.replaced(1, b"a", b"b")
    findings.looked_up(0)
    assert findings.take_reports() == []
    findings.settled()
    assert findings.take_reports() == [1]
    assert findings.take_moves() == [Move(b"a", b"b")]
    assert findings.take_moves() == []


def test_what_had_no_path_has_not_moved() -> None:
    findings = Findings()
    findings.replaced(1, None, b"b")
    findings.replaced(1, b"b", b"b")
    assert findings.take_moves() == []
