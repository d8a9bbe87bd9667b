"""What a snapshot says, line by line."""

from __future__ import annotations

from support.snapshots import NOW, facts, make_engine, one_well_and_one_failing, take

from inosync.status.lines import lines
from inosync.status.snapshot import snapshot


def test_before_the_watches_stand() -> None:
    engine = make_engine()
    engine.sources["/srv/www"].deafen(NOW - 3.0)
    now = snapshot(engine, {"/srv/www": None}, facts())
    assert lines(now) == [
        "source /srv/www: setting up, 0 directories, 0 events, 0 overflows",
        "mirror /srv/www -> a:/m: idle, 3.0 s behind, 0 runs, 0 failed",
        "mirror /srv/www -> b:/m: idle, 3.0 s behind, 0 runs, 0 failed",
    ]
    assert not now["synced"]


def test_one_well_and_one_failing_line_by_line() -> None:
    now = take(one_well_and_one_failing(), NOW + 2.5)
    assert lines(now) == [
        "source /srv/www: watched, 12 directories, 34 events, 1 overflow",
        "mirror /srv/www -> a:/m: idle, in sync, 1 run, 0 failed",
        "mirror /srv/www -> b:/m: backoff (rsync was not found), 2.5 s behind, "
        "next try in 298 s, 1 run, 1 failed",
    ]
    assert not now["synced"]
