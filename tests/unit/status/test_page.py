"""The page: well-formed, whatever names hold, and true."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from support.scene import AT, DEAD, PASS, scene_history, scene_snapshot

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
    """The time of day, on one day."""
    seconds = int(at - AT) + 54_566
    return f"2026-03-14 {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02} UTC"


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
        "/srv/www watched, 18,442 directories, 912,004 events",
        "web1.example.org:/ srv/ idle in sync last success 2026-03-14 15:09:03",
        "backoff 4 h behind cannot reach the node, or ssh refused",
        "exit 255, what rsync said ssh: connect to host tokyo.example.org port 22: No route",
        "waiting 1,204 changes",
        "next try 2026-03-14 15:12:34",
        "running 14 s behind waiting 3 changes run for 4.2 s, 62 %, 48.0 MiB, 3.0 s left",
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
    run = now["mirrors"][6]["run"]
    assert run is not None
    run["percent"] = None
    shown = words(render(now, running=False))
    for part in (
        "Stopped: this is how things were at the end.",
        "Paused: nothing is started until inosync --resume.",
        "Held: it is gone",
        "1 directory cannot be watched, 2 overflows",
        "deep: no inotify watch is left",
        "waiting full pass (start-up)",
        "last success never",
        "would delete 7 files",
        "run for 4.2 s last success",
    ):
        assert part in shown, part
    assert "config" not in shown


def test_how_far_a_pass_is() -> None:
    now = scene_snapshot()
    now["mirrors"][0] |= {"full": "rfull", "full_pass": PASS}
    shown = words(render(now))
    assert "full pass rfull: 40 %, 90 s left" in shown
    assert "done of it 400 directories, 5,000 files" in shown


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


def bars(text: str, mirror: int, name: str) -> list[tuple[int, float]]:
    """Return the minute and height of each bar."""
    paths = re.findall(rf'<path class="{name}" d="([^"]*)"', text)
    return [
        (int(at), float(high)) for at, high in re.findall(r"M(\d+) 30v-([\d.]+)", paths[mirror])
    ]


def test_the_last_hour_is_drawn() -> None:
    now, history = scene_snapshot(), History()
    track = history.track("/srv/www", DEAD, "")
    track.note(AT - 59 * 60, lag=15.0, total=500)
    track.note(AT - 60, lag=120.0, total=2500)
    track.note(AT, lag=60.0, total=2500)
    text = render(now, history)
    assert bars(text, 3, "lag") == [(0, 3.8), (MINUTES - 2, 30.0), (MINUTES - 1, 15.0)]
    assert bars(text, 3, "sent") == [(0, 7.5), (MINUTES - 2, 30.0)]
    assert bars(text, 0, "lag") == bars(text, 0, "sent") == []
    shown = words(text)
    assert "lag, at most 2 min" in shown
    assert "14:09 2.4 KiB sent 15:09" in shown


def test_a_short_lag_looks_short() -> None:
    now, history = scene_snapshot(), History()
    history.track("/srv/www", DEAD, "").note(AT, lag=3.0, total=1)
    text = render(now, history)
    assert bars(text, 3, "lag") == [(MINUTES - 1, 3.0)]
    assert bars(text, 3, "sent") == [(MINUTES - 1, 30.0)]
