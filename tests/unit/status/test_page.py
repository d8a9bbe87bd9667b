"""The page: well-formed, whatever names hold, and true."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from support.scene import (
    AT,
    DEAD,
    NODES,
    PASS,
    crowd_snapshot,
    scene_history,
    scene_snapshot,
)

from inosync.status.history import MINUTES, History
from inosync.status.model import Snapshot
from inosync.status.page import page

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "]]><!-- &amp; &lt;",
    "two\nlines\x00\x1b[31m\udcff\u202egnirts",
]


def local(at: float) -> str:
    """The time of day, in March."""
    days, seconds = divmod(int(at - AT) + 54_566, 86400)
    return (
        f"2026-03-{14 + days:02} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} UTC"
    )


def render(now: Snapshot, history: History | None = None, **more: Any) -> str:
    return page(now, history or History(), host="www.example.org", local=local, **more)


def parse(text: str) -> ElementTree.Element:
    """Return the page; the parser refuses whatever is not closed or not escaped."""
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def words(text: str) -> str:
    """Return what a person reads."""
    body = parse(text).find("body")
    assert body is not None
    return re.sub(r"\s+", " ", " ".join(body.itertext()))


def test_what_is_said() -> None:
    shown = words(render(scene_snapshot(), scene_history(scene_snapshot())))
    for part in (
        "5 of 8 mirrors in sync, the longest behind for 4 h",
        "www.example.org, 2026-03-14 15:09:26 UTC",
        "/srv /www 3 of 4 mirrors in sync; watched, 18,442 directories, 912,004 events",
        "node lag, 1 h success sent web1 lag in the last hour: at most",
        " last success 15:09:03 sent 7.0 GiB web2",
        "backoff tokyo.example.org: /srv / (both sources) cannot reach the node, or ssh",
        "4 h behind , 1,581 changes waiting, last success 11:08:55 , next try 15:12:34",
        "exit 255, what rsync of tokyo said ssh: connect to host tokyo.example.org port 22: No",
        "running 14 s behind, 3 changes waiting, run for 4.2 s, 62 %, 48.0 MiB, 3.0 s left",
        "inosync 1.0.0, pid 4711, since",
        "config /etc/inosync.py, loaded",
    ):
        assert part in shown, part
    assert "Stopped" not in shown
    assert "Paused" not in shown


def test_what_is_said_rarely() -> None:
    now = scene_snapshot()
    now["paused"] = True
    now["daemon"]["config"] = ""
    source = now["sources"][0]
    source |= {"state": "held", "reason": "is gone", "unwatched": 1, "overflows": 2}
    source["unwatched_examples"] = {"deep": "no inotify watch is left"}
    mirror = now["mirrors"][0]
    mirror |= {"full": "start-up", "last_success_at": None, "reason": "would delete 7 files"}
    now["mirrors"][5] |= {"reason": "would delete 9 files"}
    now["mirrors"][1] |= {"full": "rfull", "last_success_at": AT - 86400 * 3}
    now["mirrors"][2]["last_success_at"] = None
    now["mirrors"][3]["last_success_at"] = now["mirrors"][7]["last_success_at"] = AT - 86400 * 3
    drift = now["mirrors"][4]["drift"]
    assert drift is not None
    drift |= {"paths": 1, "examples": {"f": "content"}}
    run = now["mirrors"][6]["run"]
    assert run is not None
    run["percent"] = None
    shown = words(render(now, running=False))
    for part in (
        "Stopped: this is how things were at the end.",
        "Paused: nothing is started until inosync --resume.",
        "Held: it is gone",
        "912,004 events, 2 overflows of the kernel's queue",
        "unwatched source /srv /www 1 directory cannot be watched deep: no inotify watch is left",
        "idle web1.example.org: /srv / (/srv /www) would delete 7 files (failures: 0)",
        "a full pass waiting, last success never",
        "would delete 9 files (failures: 0) last success 15:08:51",
        "last success never sent",
        "2026-03-11 sent 7.0 GiB idle full pass (rfull) waiting",
        "drift web1.example.org: /srv / (/srv /mail) 1 path f: content found 14:09:26",
        "last success 2026-03-11 15:09:26",
        "sent 23.0 GiB idle drift inosync",
        "3 changes waiting, run for 4.2 s web1",
    ):
        assert part in shown, part
    assert "config" not in shown


def test_how_far_a_pass_is() -> None:
    now = scene_snapshot()
    now["mirrors"][0] |= {"full": "rfull", "full_pass": PASS}
    shown = words(render(now))
    assert "full pass rfull: 40 %, 90 s left, done of it: 400 directories, 5,000 files" in shown


def test_well_is_told_from_unwell() -> None:
    now = scene_snapshot()
    assert '<header class="bad">' in render(now)
    now["synced"] = True
    assert '<header class="good">' in render(now)
    assert '<header class="bad">' in render(now, running=False)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_name_is_only_text(text: str) -> None:
    now = scene_snapshot()
    expected = [element.tag for element in parse(render(now)).iter()]
    for source in now["sources"]:
        source["path"] += text
        source["reason"] = text
        source["unwatched_examples"] = {text: text}
    for mirror in now["mirrors"]:
        mirror["source"] += text
        mirror["node"] = mirror["reason"] = mirror["full"] = text
        if mirror["last_failure"]:
            mirror["last_failure"]["lines"] = [text]
    now["daemon"]["config"] = now["daemon"]["version"] = text
    shown = page(now, History(), host=text, local=local)
    tags = [element.tag for element in parse(shown).iter()]
    assert set(tags) <= set(expected)
    assert not re.search(r"<[^>]*\son\w+=", shown)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    shown.encode()


def test_nothing_is_loaded_and_nothing_runs() -> None:
    text = render(scene_snapshot())
    assert "<script" not in text
    assert not re.search(r'(src|href)="(?!data:,")', text)
    assert "url(" not in text
    assert "default-src 'none'" in text


def bars(text: str, source: int, name: str) -> list[tuple[int, float]]:
    """Return the minute and height of each bar of a source's plot."""
    paths = re.findall(rf'<figure>.*\n.*<path class="{name}" d="([^"]*)"', text)
    return [
        (int(at), float(high)) for at, high in re.findall(r"M(\d+) 30v-([\d.]+)", paths[source])
    ]


def small(text: str) -> list[str]:
    """Return the small plots, one for each mirror that does not fail."""
    return re.findall(r'at most [^<]*</title><path class="lag" d="([^"]*)"', text)


def test_the_last_hour_of_a_source_is_the_worst_of_its_mirrors_and_all_bytes() -> None:
    now, history = scene_snapshot(), History()
    track = history.track("/srv/www", DEAD, "")
    track.note(AT - 59 * 60, lag=15.0, total=500)
    track.note(AT - 60, lag=120.0, total=2000)
    track.note(AT, lag=60.0, total=2000)
    other = history.track("/srv/www", NODES[0], "")
    other.note(AT - 60, lag=3.0, total=500)
    text = render(now, history)
    assert bars(text, 0, "lag") == [(0, 3.8), (MINUTES - 2, 30.0), (MINUTES - 1, 15.0)]
    assert bars(text, 0, "sent") == [(0, 7.5), (MINUTES - 2, 30.0)]
    assert bars(text, 1, "lag") == bars(text, 1, "sent") == []
    shown = words(text)
    assert "last hour: worst lag 2 min" in shown
    assert "2.4 KiB sent" in shown
    # What fails is above the plots; the others are to the scale of the worst of them.
    assert small(text) == ["M0 12H58V10H59V12H60V12z", "", "", "", "", ""]


def test_a_short_lag_looks_short() -> None:
    now, history = scene_snapshot(), History()
    history.track("/srv/www", NODES[0], "").note(AT, lag=3.0, total=1)
    text = render(now, history)
    assert bars(text, 0, "lag") == [(MINUTES - 1, 3.0)]
    assert bars(text, 0, "sent") == [(MINUTES - 1, 30.0)]


def test_what_ails_comes_before_all_that_is_well_and_once() -> None:
    now = crowd_snapshot()
    shown = words(render(now, scene_history(now)))
    places = [shown.index(part) for part in ("mod4, mod11 (all 3 sources)", "films/intro.mov")]
    assert places == sorted(places)
    assert places[-1] < shown.index("17 of 20 mirrors in sync")
    assert shown.count("cannot reach the node") == shown.count("films/intro.mov") == 1
    assert shown.count("last success") == 1 + 54
    assert shown.index("node lag, 1 h success sent mod9") > 0  # the one that is behind


def test_what_rsync_said_is_open_unless_it_is_long() -> None:
    now = scene_snapshot()
    assert '<details open="open">' in render(now)
    for failing in (now["mirrors"][3], now["mirrors"][7]):
        assert failing["last_failure"]
        failing["last_failure"]["lines"] = ["line"] * 7
    assert "<details><summary>exit 255, what rsync of tokyo said" in render(now)
    for failing in (now["mirrors"][3], now["mirrors"][7]):
        assert failing["last_failure"]
        failing["last_failure"]["lines"] = []
    assert "<details" not in render(now)


@pytest.mark.parametrize(("sources", "nodes", "most"), [(1, 1, 7), (1, 5, 10), (3, 100, 160)])
def test_it_is_small(sources: int, nodes: int, most: int) -> None:
    now = crowd_snapshot(sources, nodes)
    assert len(render(now, scene_history(now))) < most * 1000


def test_a_source_without_mirrors_and_one_of_which_all_fail() -> None:
    now = scene_snapshot()
    now["mirrors"] = [mirror for mirror in now["mirrors"][:4] if mirror["reason"]]
    text = render(now)
    assert "<ul" not in text
    assert words(text).count("0 of 0 mirrors in sync") == 1
    now["mirrors"] = []
    assert "troubles" not in render(now).split("<main>")[1]
