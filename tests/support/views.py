"""A source to be looked at, out of two functions: see inosync/planning/view.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


def _nothing(_path: bytes) -> Iterable[tuple[bytes, bool]]:
    return ()


@dataclass
class Seen:
    """What a view is, with the answers of `look` and `listing`."""

    look: Callable[[bytes], Any]
    listing: Callable[[bytes], Iterable[tuple[bytes, bool]]] = _nothing
