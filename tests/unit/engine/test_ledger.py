"""The books of a mirror: what is owed, by number."""

from __future__ import annotations

import math

from inosync.changes.batch import Batch, collect
from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.ledger import Ledger

NOW = 10_000.0


def batch(*paths: bytes, since: float = NOW) -> Batch:
    found = collect(Changes.of(Change(path, Kind.ENTRY) for path in paths), since)
    assert found is not None
    return found


def test_nothing_is_owed_at_first() -> None:
    books = Ledger()
    assert (books.owing, books.since, books.offered, books.done) == ((), None, 0, 0)


def test_what_is_offered_waits_together_and_counts_from_the_oldest() -> None:
    books = Ledger()
    books.offer(batch(b"a"))
    books.offer(batch(b"b", since=NOW - 5))
    assert books.pending is not None
    assert books.pending.count == 2
    assert (books.offered, books.done, books.since) == (2, 0, NOW - 5)


def test_what_is_tried_again_makes_no_mirror_lag() -> None:
    books = Ledger()
    books.offer(batch(b"a", since=math.inf))
    assert books.since is None


def test_what_is_looked_for_is_owed_until_it_was_found() -> None:
    books = Ledger()
    books.seek(NOW)
    books.offer(batch(b"a", since=NOW + 1))
    books.carried = 2
    assert (books.done, books.since) == (0, NOW)
    books.found(batch(b"b", since=NOW))
    assert (books.done, books.offered) == (0, 3)
    books.pending, books.carried = None, 3
    books._end_search()
    assert (books.sought, books.since, books.done) == (None, None, 3)


def test_nothing_waits_and_nothing_is_left_to_a_pass() -> None:
    books = Ledger()
    books.widen()
    assert (books.passing, books.since) == (None, None)
