"""The last hour of a mirror, by the minute."""

from __future__ import annotations

from inosync.status.history import MINUTES, History, Track, together

AT = 1_700_000_040.0  # the beginning of a minute


def test_nothing_told_is_an_hour_of_nothing() -> None:
    hour = Track().hour(AT)
    assert len(hour) == MINUTES
    assert {(sample.lag, sample.sent) for sample in hour} == {(0.0, 0)}


def test_a_minute_keeps_its_longest_lag_and_all_that_was_sent() -> None:
    track = Track()
    track.note(AT, lag=3.0, total=100)
    track.note(AT + 59, lag=2.0, total=150)
    track.note(AT + 60, lag=1.0, total=151)
    before, last = track.hour(AT + 119)[-2:]
    assert (before.lag, before.sent) == (3.0, 150)
    assert (last.lag, last.sent) == (1.0, 1)


def test_quiet_minutes_are_empty() -> None:
    track = Track()
    track.note(AT, lag=3.0, total=100)
    track.note(AT + 300, lag=0.0, total=100)
    assert [sample.lag for sample in track.hour(AT + 300)[-6:]] == [3.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_an_hour_is_kept_and_no_more() -> None:
    track = Track()
    for second in range(0, 3 * 3600, 10):
        track.note(AT + second, lag=second, total=0)
    assert len(track.samples) == MINUTES
    hour = track.hour(AT + 3 * 3600 - 10)
    assert [sample.lag for sample in hour] == [7250.0 + 60 * minute for minute in range(MINUTES)]


def test_a_clock_that_is_set_back_or_forth() -> None:
    track = Track()
    track.note(AT, lag=1.0, total=0)
    track.note(AT - 7200, lag=2.0, total=5)
    assert [(sample.lag, sample.sent) for sample in track.samples] == [(2.0, 5)]
    track.note(AT + 10**6, lag=3.0, total=5)
    assert [sample.lag for sample in track.samples] == [3.0]


def test_a_counter_that_begins_again() -> None:
    track = Track()
    track.note(AT, lag=0.0, total=100)
    track.note(AT, lag=0.0, total=7)
    assert track.samples[-1].sent == 107


def test_mirrors_that_are_gone_are_forgotten() -> None:
    history = History()
    track = history.track("/srv", "a:/", "")
    history.track("/srv", "b:/", "")
    history.keep({("/srv", "a:/", "")})
    assert history.tracks == {("/srv", "a:/", ""): track}


def test_several_mirrors_together_have_the_worst_lag_and_all_bytes() -> None:
    one, other = Track(), Track()
    one.note(AT, lag=3.0, total=100)
    other.note(AT, lag=2.0, total=20)
    other.note(AT + 60, lag=5.0, total=27)
    hour = together([one.hour(AT + 60), other.hour(AT + 60)])
    assert len(hour) == MINUTES
    assert [(sample.lag, sample.sent) for sample in hour[-3:]] == [(0.0, 0), (3.0, 120), (5.0, 7)]
