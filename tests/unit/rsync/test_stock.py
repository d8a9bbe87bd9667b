"""How much a node keeps, from what rsync 3.5.0 lists."""

from __future__ import annotations

from inosync.rsync.stock import Day, Stock, Tally

LISTED = b"""\
drwxr-xr-x             60 2026/11/28 13:00:00 .
drwxr-xr-x             60 2026/11/28 13:00:00 2026-11-27
drwxr-xr-x             60 2026/11/28 13:00:00 2026-11-27/235959.000001Z
drwxr-xr-x             60 2026/11/28 13:00:00 2026-11-27/235959.000001Z/dir
-rw-r--r--           1200 2026/11/28 13:00:00 2026-11-27/235959.000001Z/dir/file
-rw-r--r--+            34 2026/11/28 13:00:00 2026-11-27/235959.000001Z/b
lrwxrwxrwx              5 2026/11/28 13:00:00 2026-11-27/235959.000001Z/link -> first
drwxr-xr-x             60 2026/11/28 13:00:00 2026-11-27/100000.000000Z
drwxr-xr-x             60 2026/11/28 13:00:00 2026-11-26
-rw-r--r--              7 2026/11/28 13:00:00 2026-11-26/000000.000000Z/x
-rw-r--r--              8 2026/11/28 13:00:00 2026-11-26/000001.000000Z/x
-rw-r--r--              9 2026/11/28 13:00:00 own/x
""".splitlines(keepends=True)


def counted(*, sized: bool = True) -> Stock:
    tally = Tally()
    for line in LISTED:
        tally.add(line)
    return tally.stock(sized=sized)


def test_days_runs_and_bytes_are_counted_and_a_run_that_kept_nothing_is_not() -> None:
    stock = counted()
    assert stock == Stock((Day("2026-11-26", 2, 15), Day("2026-11-27", 1, 1234)))
    assert (stock.runs, stock.size) == (3, 1249)
    assert not counted(sized=False).sized
    assert stock.without(["2026-11-26", "2000-01-01"]).days == stock.days[1:]


def test_the_oldest_days_are_too_much_and_never_the_one_that_is_not_over() -> None:
    stock = Stock((Day("2026-11-25", 1, 10), Day("2026-11-26", 1, 20), Day("2026-11-27", 1, 30)))
    today = "2026-11-27"
    assert stock.past(today) == ("2026-11-25", "2026-11-26")
    assert stock.too_much(60, today) == ()
    assert stock.too_much(59, today) == ("2026-11-25",)
    assert stock.too_much(50, today) == ("2026-11-25",)
    assert stock.too_much(49, today) == ("2026-11-25", "2026-11-26")
    assert stock.too_much(1, today) == ("2026-11-25", "2026-11-26")
    assert stock.too_much(1, "2026-11-29") == ("2026-11-25", "2026-11-26", "2026-11-27")
