"""What is said of the versions that a node keeps."""

from __future__ import annotations

import pytest
from support.configs import make_node
from support.scene import scene_snapshot

from inosync.rsync.stock import Day, Stock
from inosync.status.history import History
from inosync.status.keeping import Keeping, kept_line, kept_status
from inosync.status.layout import picture
from inosync.status.lines import lines
from inosync.status.page import page

STOCK = Stock((Day("2026-11-26", 2, 1_000_000), Day("2026-11-28", 1, 234_567)))


def test_what_was_counted_is_told() -> None:
    node = make_node(rkeep=30.0, rkeepmax=5)
    assert kept_status(make_node(), Keeping(7.0, STOCK), 100.0) is None
    assert kept_status(node, None, 100.0) is None
    assert kept_status(node, Keeping(7.0, STOCK), 100.0) == {
        "at": 107.0,
        "days": 2,
        "oldest": "2026-11-26",
        "runs": 3,
        "bytes": 1_234_567,
        "most_bytes": 5_000_000,
        "said": "",
    }
    told = kept_status(node, Keeping(7.0, Stock(sized=False), "x").saying("y"), 100.0)
    assert told is not None
    assert (told["days"], told["oldest"], told["bytes"], told["said"]) == (0, "", None, "y")
    told = kept_status(node, Keeping(7.0), 100.0)
    assert told is not None
    assert (told["days"], told["oldest"], told["runs"], told["bytes"]) == (None, "", None, None)


@pytest.mark.parametrize(
    ("keeping", "line"),
    [
        (None, ""),
        (Keeping(7.0, Stock()), ""),
        (Keeping(7.0, STOCK), "keeps 2 days since 2026-11-26, 3 runs, 1.2 MB"),
        (
            Keeping(7.0, Stock(STOCK.days, sized=False), "had no room"),
            "keeps 2 days since 2026-11-26, 3 runs; had no room",
        ),
        (Keeping(7.0, None, "can only be written to"), "can only be written to"),
    ],
)
def test_one_short_line_in_the_log_the_table_and_the_page(
    keeping: Keeping | None, line: str
) -> None:
    now = scene_snapshot()
    now["mirrors"][0]["kept"] = kept_status(make_node(rkeep=30.0), keeping, 0.0)
    assert kept_line(now["mirrors"][0]) == line
    shown = page(now, History(), host="h", local=str)
    table = "\n".join("".join(text for text, _ in parts) for parts in picture(now))
    for told in (lines(now)[1], table, shown):
        assert line in told
        assert ("keeps" in told) is line.startswith("keeps")
