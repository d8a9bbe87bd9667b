"""How much the tests try: the quick profile is for each change, the deep one for each issue."""

from __future__ import annotations

import os

#: Whether ``./tests/run --deep`` is at work.
DEEP = os.environ.get("INOSYNC_PROFILE") == "deep"
