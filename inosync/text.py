"""Text that is safe to show: file names and program output hold whatever their makers liked."""

from __future__ import annotations

import os


def printable(text: str | bytes) -> str:
    """Return `text` on one line, with control characters and undecodable bytes as escapes."""
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if text.isprintable():  # nearly always, and a page shows many
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
