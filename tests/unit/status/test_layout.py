"""The table on a terminal: no line is longer than there is room, and nothing that ails is lost."""

from __future__ import annotations

import pytest
from support.scene import PASS, crowd_snapshot, scene_snapshot
from support.snapshots import plain, texts

from inosync.status.layout import body, cut, cut_within, fitted, fold, head, picture, width


def test_what_ails_comes_first() -> None:
    now = crowd_snapshot()
    shown = texts(now, 80)
    assert shown[:8] == [
        "51 of 60 mirrors in sync but for 1 path, the longest behind for 4 h",
        "inosync 1.0.0, pid 4711, up 5 d, 31 MiB, /etc/inosync.py loaded 2 d ago",
        "",
        "backoff  mod4, mod11 (all 3 sources), 4 h behind, 4,743 changes waiting, last",
        "    success 4 h ago, next try in 3 min",
        "    cannot reach the node, or ssh refused (failures: 312)",
        "    | ssh: connect to host mod4.example.org port 22: Connection refused",
        "",
    ]
    assert [line.split()[:3] for line in shown if line.startswith("    mod")][::18] == [
        ["mod9", "running", "6.0"],
    ] * 3
    assert len(shown) == 74


@pytest.mark.parametrize("columns", [20, 37, 60, 80, 118, 200])
@pytest.mark.parametrize(("sources", "nodes"), [(1, 1), (1, 5), (3, 20), (3, 100)])
def test_no_line_is_longer_than_there_is_room(sources: int, nodes: int, columns: int) -> None:
    now = crowd_snapshot(sources, nodes)
    now["paused"] = True
    now["mirrors"][0] |= {"node": "\u6f22" * 90, "full": "rfull", "full_pass": PASS}
    now["mirrors"][-1] |= {"state": "held", "reason": "x" * 300}
    shown = texts(now, columns)
    assert max(map(width, shown)) <= columns
    words = "".join(shown).replace(" ", "")
    assert "intheinthe" not in words
    assert "x" * 100 in words.replace("x\n", "x")
    assert sum(line.startswith("    ") for line in shown) >= sources * nodes


def test_without_a_limit_each_is_one_line() -> None:
    now = scene_snapshot()
    assert texts(now)[3].endswith("changes waiting, last success 4 h ago, next try in 3 min")
    assert any("rsync://backup.example.org/srv/  running" in line for line in texts(now))


def test_a_source_of_which_all_fail_has_no_table() -> None:
    now = scene_snapshot()
    now["mirrors"] = [mirror for mirror in now["mirrors"] if mirror["reason"]]
    assert [line for line in texts(now) if line.startswith("    node")] == []


def test_what_a_part_is_to_the_eye() -> None:
    now = scene_snapshot()
    now["sources"][0] |= {"state": "held", "reason": "is gone"}
    looks = {part.strip()[:30]: look for line in picture(now, 80) for part, look in line}
    assert looks["idle"] == "good"
    assert looks["running"] == "busy"
    assert looks["backoff"] == "bad"
    assert looks["source /srv/www: held: is gone"] == "bad"
    assert looks["source /srv/mail: watched, 221"] == "title"
    assert head(now)[0][0][1] == "bad"
    now["synced"] = True
    assert head(now)[0][0][1] == "good"
    assert plain(body(now))[0] == ""


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (None, [30, 7, 7, 25, 36, 12, 9]),
        (150, [30, 7, 7, 25, 36, 12, 9]),
        (130, [30, 7, 7, 25, 24, 12, 9]),  # 4 and 6 x 2 lie beside them
        (100, [28, 7, 7, 9, 12, 12, 9]),
        (80, [19, 7, 7, 9, 12, 12, 0]),
        (70, [23, 7, 7, 9, 0, 12, 0]),
        (60, [24, 7, 7, 0, 0, 12, 0]),
        (40, [16, 7, 7, 0, 0, 12, 0]),  # the line is cut
    ],
)
def test_columns_get_narrower_and_go(columns: int | None, expected: list[int]) -> None:
    assert fitted([30, 7, 7, 25, 36, 12, 9], columns) == expected


@pytest.mark.parametrize(
    ("text", "indent", "lines"),
    [
        ("short", "    ", ["short"]),
        ("a line that is longer than twenty", "  ", ["a line that is", "  longer than twenty"]),
        ("so " + "x" * 25, "", ["so " + "x" * 17, "x" * 8]),  # as good as any other place
        ("x" * 45, "", ["x" * 20, "x" * 20, "x" * 5]),
        ("    " + "x" * 30, "    ", ["    " + "x" * 16, "    " + "x" * 14]),
        ("exactly twenty chars and", "", ["exactly twenty chars", "and"]),
        ("\x1b" * 6, "", [r"\x1b\x1b\x1b\x1b\x1b", r"\x1b"]),
    ],
)
def test_folding(text: str, indent: str, lines: list[str]) -> None:
    assert fold(text, 20, indent) == lines
    assert fold(text, 3, indent) == lines  # nothing is folded to less


def test_names_that_begin_alike_stay_apart() -> None:
    names = [f"/srv/mirrors/of-the-house/web{number}/" for number in range(10, 30)]
    assert cut_within(names[0], 16) == "/srv/mi../web10/"
    assert cut_within("short", 16) == "short"
    assert cut_within("\u6f22" * 20, 11) == "\u6f22\u6f22..\u6f22\u6f22"
    now = crowd_snapshot(1, 20)
    for each, name in zip(now["mirrors"], names, strict=True):
        each |= {"node": name, "reason": "", "state": "idle"}
    shown = [line.split()[0] for line in texts(now, 60) if line.startswith("    /srv")]
    assert len(set(shown)) == 20


def test_cutting_knows_what_takes_two_columns() -> None:
    assert cut("\u6f22\u5b57\u6f22", 5) == "\u6f22.."
    assert cut("e\u0301" * 3, 3) == "e\u0301" * 3
    assert cut("abcdef", 5) == "abc.."
    assert cut("abcdef", None) == "abcdef"
