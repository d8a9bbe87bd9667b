"""Draw docs/status.svg, docs/page-light.png and docs/page-dark.png.

    python scripts/make_pictures.py

Needs rich (``pip install -e .[test]``) and Chromium. What is shown is a daemon with two sources and
four nodes, one of them dead: tests/support/scene.py.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ |= {"FORCE_COLOR": "1", "COLUMNS": "118", "TERM": "xterm-256color"}

from rich.console import Console  # noqa: E402
from rich.text import Text  # noqa: E402
from support.chromium import Chromium  # noqa: E402
from support.scene import scene_history, scene_snapshot  # noqa: E402

from inosync.client import _picture  # noqa: E402
from inosync.page import page  # noqa: E402


def local(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def main() -> None:
    now = scene_snapshot()
    shown = Text.from_ansi("$ inosync --status\n" + _picture(now, colours=True).rstrip())
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=118, file=nowhere)
        console.print(shown)
    drawn = console.export_svg(title="inosync --status", unique_id="status")
    # Without the fonts that it would load from elsewhere.
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    (ROOT / "docs/status.svg").write_text("\n".join(map(str.rstrip, drawn.splitlines())) + "\n")
    chromium = Chromium.find()
    if chromium is None:
        sys.exit("there is no Chromium: only docs/status.svg was drawn")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page(now, scene_history(now), host="www.example.org", local=local))
        for dark in (False, True):
            target = ROOT / f"docs/page-{'dark' if dark else 'light'}.png"
            chromium.screenshot(file, target, width=1240, height=1190, dark=dark)


main()
