"""Values of lsyncd's config as Python has them after the Lua has run.

Pure. Knows no setting.
"""

from __future__ import annotations

import json
import math
from typing import Any


def words(value: Any) -> list[str]:
    """Return a value that is one string or a list of them as a list."""
    if isinstance(value, dict):
        return [str(value[key]) for key in sorted(key for key in value if isinstance(key, int))]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def number(value: Any, least: float, most: float) -> int | float | None:
    """Return a number, which Lua also takes from a string, or None if it is none in this range."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    if not math.isfinite(found) or not least <= found <= most:
        return None
    return int(found) if found == int(found) else found


def table(value: Any) -> dict[Any, Any]:
    """Return a value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def lua(value: Any) -> str:
    """Return a value as a comment shows it."""
    if isinstance(value, dict):
        return "{...}"
    return json.dumps(value) if isinstance(value, str | bool | int | float) else "..."
