"""The page in a browser: on a phone and on a desk, light and dark."""

from __future__ import annotations

import json
import re
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
from support.chromium import NAMES, Chromium
from support.scene import crowd_snapshot, scene_history, scene_snapshot

from inosync.status.page import page

CHROMIUM = Chromium.find()

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason=f"no Chromium is installed (looked for {', '.join(NAMES)})"
)

#: Shows the page in a frame of a given width, and says what became of it.
_FRAME = """<!DOCTYPE html><meta charset="utf-8"><iframe style="width:{width}px;height:800px"
 srcdoc="{page}"></iframe><pre id="answer"></pre><script>
onload = () => {{
  const frame = document.querySelector("iframe").contentDocument, root = frame.documentElement;
  const seen = (name) => [...frame.querySelectorAll(name)];
  const colour = (name, what) => getComputedStyle(frame.querySelector(name))[what];
  document.querySelector("#answer").textContent = JSON.stringify({{
    wide: root.scrollWidth, mode: frame.compatMode, title: frame.title,
    columns: new Set(seen(".source").map((each) => each.offsetLeft)).size,
    lines: seen("li").length,
    torn: seen("li > span:not(.more)").filter((each) => each.offsetHeight > 30).length,
    first: Math.max(...seen(".trouble").map((each) => each.getBoundingClientRect().bottom)),
    plots: seen("svg").filter((each) => each.getBoundingClientRect().height > 20).length,
    bars: seen("svg path").filter((each) => each.getBBox().height > 0).length,
    narrow: Math.min(...seen("h1, h2, li > span:first-child").map((each) => each.offsetWidth)),
    over: seen("*").filter((each) => each.getBoundingClientRect().right > {width} + 1).length,
    back: colour("body", "backgroundColor"), text: colour("body", "color"),
    bad: colour(".bad .state", "color"),
    card: colour(".source", "backgroundColor"), dim: colour(".dim", "color"),
    busy: colour(".busy .behind", "color"), harm: document.title,
    odd: seen("script, img, [onerror], [onmouseover]").length,
  }});
}};
</script>"""


def look(tmp_path: Path, text: str, *, width: int, dark: bool = False) -> dict[str, Any]:
    assert CHROMIUM is not None
    file = tmp_path / "frame.html"
    file.write_text(_FRAME.format(width=width, page=escape(text)))
    content = CHROMIUM.content(file, dark=dark)
    found = re.search(r'<pre id="answer">(.*?)</pre>', content, re.S)
    assert found, content
    answer: dict[str, Any] = json.loads(unescape(found[1]))
    return answer


def render(*, hostile: str = "") -> str:
    now = scene_snapshot()
    history = scene_history(now)
    if hostile:
        now["mirrors"][0]["node"] = now["mirrors"][3]["reason"] = hostile
        now["daemon"]["config"] = hostile
    return page(now, history, host="www", local=lambda at: "2026-03-14 15:09:26 UTC")


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2 for "rgb(r, g, b)"."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("width", "columns", "dark"), [(360, 1, True), (1240, 2, False)])
def test_it_can_be_read_on_a_phone_and_on_a_desk_at_night_and_by_day(
    tmp_path: Path, width: int, columns: int, dark: bool
) -> None:
    seen = look(tmp_path, render(), width=width, dark=dark)
    assert seen["mode"] == "CSS1Compat"  # it is read as the HTML that it says it is
    assert seen["title"] == "www: 5 of 8 mirrors in sync, the longest behind for 4 h"
    assert seen["wide"] <= width
    assert seen["over"] == 0
    assert seen["columns"] == columns
    assert seen["plots"] == 4
    assert seen["bars"] == 4 + 6  # none of the dead node's own
    assert seen["lines"] == 2 + 6
    assert (luminance(seen["back"]) < luminance(seen["text"])) is dark
    assert contrast(seen["back"], seen["text"]) > 7
    for name in ("bad", "busy", "dim"):
        assert contrast(seen["card"], seen[name]) > 4.5, name
        assert contrast(seen["back"], seen[name]) > 4.5, name


@pytest.mark.parametrize(("width", "columns", "dark"), [(390, 1, False), (1240, 3, True)])
def test_what_ails_of_many_mirrors_is_on_the_first_screen(
    tmp_path: Path, width: int, columns: int, dark: bool
) -> None:
    now = crowd_snapshot()
    text = page(now, scene_history(now), host="www", local=lambda at: "2026-03-14 15:09:26 UTC")
    seen = look(tmp_path, text, width=width, dark=dark)
    assert seen["first"] < 760
    assert (seen["columns"], seen["over"], seen["torn"]) == (columns, 0, 0)
    assert (seen["plots"], seen["lines"]) == (6, 3 + 54)


def test_a_hostile_name_does_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    name = "<img src=x onerror=\"parent.document.title='harm'\"></style></script>" + "x" * 300
    seen = look(tmp_path, render(hostile=name), width=360)
    assert seen["odd"] == 0
    assert seen["harm"] != "harm"
    assert seen["wide"] <= 360
    assert seen["plots"] == 4
