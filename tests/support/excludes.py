"""Asking a single exclude rule about paths."""

from __future__ import annotations

from inosync.rsync.filters import Filters, compile_filters


def hidden(pattern: str, paths: str, *, directory: bool = False, prefix: bytes = b"") -> list[str]:
    """Return which of `paths`, separated by commas, a single exclude rule hides."""
    filters = compile_filters([pattern], prefix=prefix)
    found = [
        path
        for path in paths.split(",")
        if not filters.admits(path.encode("latin-1"), directory=directory)
    ]
    assert found == [path for path in paths.split(",") if is_hidden(filters, path, directory)]
    return found


def is_hidden(filters: Filters, path: str, directory: bool) -> bool:
    """Return whether a path is hidden, asked as for one of many names in its directory."""
    hiding = filters.hiding(directories=directory)
    above, _, name = path.encode("latin-1").rpartition(b"/")
    if not path:
        return not filters.admits(b"", directory=directory)
    return hiding is not None and bool(hiding(above)(name))
