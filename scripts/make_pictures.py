"""Draw docs/status.svg, docs/top-*.svg and docs/page-*.png.

    python scripts/make_pictures.py

Needs rich (``pip install -e .[test]``) and Chromium. What is shown are a daemon with two sources
and four nodes, one of them dead, and one with many mirrors: tests/support/scene.py.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ |= {"FORCE_COLOR": "1", "COLUMNS": "118", "TERM": "xterm-256color"}

from rich.console import Console  # noqa: E402
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME  # noqa: E402
from rich.text import Text  # noqa: E402
from support.chromium import Chromium  # noqa: E402
from support.scene import crowd_snapshot, scene_history, scene_snapshot  # noqa: E402

from inosync.commands.ask import painted  # noqa: E402
from inosync.status.layout import Line, picture  # noqa: E402
from inosync.status.page import page  # noqa: E402
from inosync.status.screen import screen  # noqa: E402

#: The terminals that --top is drawn on: columns and lines.
TERMINALS = ((80, 24), (200, 50))

#: The screens that the page is drawn on: name, width and height.
SCREENS = (("", 1240, 1090), ("phone-", 390, 844))


def local(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def draw(name: str, command: str, lines: Sequence[Line], columns: int, *, dark: bool) -> None:
    """Draw a terminal with what it shows of these lines."""
    shown = "\n".join(painted(lines, colours=True))
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=columns, file=nowhere)
        console.print(Text.from_ansi(shown))
    theme = SVG_EXPORT_THEME if dark else DEFAULT_TERMINAL_THEME
    drawn = console.export_svg(title=command, unique_id=name, theme=theme)
    # Without the fonts that it would load from elsewhere.
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    text = "\n".join(map(str.rstrip, drawn.splitlines())) + "\n"
    (ROOT / f"docs/{name}.svg").write_text(text)


def main() -> None:
    few, crowd = scene_snapshot(), crowd_snapshot()
    prompt: Line = (("$ inosync --status", ""),)
    draw("status", "inosync --status", [prompt, *picture(few, 118)], 118, dark=True)
    for columns, lines in TERMINALS:
        shown = screen(crowd, columns, lines - 1).lines
        for dark in (False, True):
            name = f"top-{columns}x{lines}-{'dark' if dark else 'light'}"
            draw(name, "inosync --top", shown, columns, dark=dark)
    chromium = Chromium.find()
    if chromium is None:
        sys.exit("there is no Chromium: no page was drawn")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page(crowd, scene_history(crowd), host="www.example.org", local=local))
        for name, width, height in SCREENS:
            for dark in (False, True):
                target = ROOT / f"docs/page-{name}{'dark' if dark else 'light'}.png"
                chromium.screenshot(file, target, width=width, height=height, dark=dark)


main()
