"""Text for people, safe to show: names and program output hold whatever their makers liked."""

from __future__ import annotations

import os


def many(count: int, noun: str, spec: str = "d") -> str:
    """Return so many of what the noun, a singular, names: "1 source", "2 directories"."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{count:{spec}} {noun[:-1]}ies"
    return f"{count:{spec}} {noun}{'es' if noun.endswith('s') else 's'}"


def printable(text: str | bytes) -> str:
    """Return `text` on one line, with control characters and undecodable bytes as escapes."""
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if text.isprintable():  # nearly always, and a page shows many
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
