"""A run at work: the process, for which mirror it is, what was prepared for it, how it is shown."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from inosync.changes.batch import Batch
from inosync.engine.actions import Outcome
from inosync.engine.apart import NOTHING, Apart
from inosync.engine.mirror import Mirror
from inosync.planning.order import Prepared
from inosync.system.process import Child
from inosync.text import many, printable


@dataclass(frozen=True)
class AtWork:
    """A child at work for a mirror since ``began``, or ``wall``; ``what`` was prepared for it.

    One that was ``warm`` was started before. It may be the ``number``-th of a ``group`` of slices
    that are made at once, and are one run to the engine. A comparison leaves out what was ``apart``
    when it began, and what was mounted and is ``lost``.
    """

    child: Child
    mirror: Mirror
    shown: str
    what: Prepared
    began: float
    wall: float
    warm: bool
    lost: frozenset[bytes] = frozenset()
    apart: Apart = NOTHING
    group: Group | None = None
    number: int = 0


def unheard(first: int, read: int, seconds: float, rtimeout: float) -> bool:
    """Return whether a run that stood ready is given up since nothing is heard from its node.

    It had read `first` bytes when that was looked at for the first time, and has `read` so many now
    (0: that is not known), so many `seconds` after it was told what to carry. Its connection may
    have been forgotten on the way while it waited; another run makes one in less than ``rtimeout``.
    """
    return 0 < first == read and seconds >= rtimeout / 2


@dataclass
class Group:
    """Slices that are made at once: so many, and how those ended that have."""

    size: int
    ended: dict[int, Outcome] = field(default_factory=dict)


#: Of a run nearly all words are those of the run before.
_quoted = lru_cache(maxsize=1024)(shlex.quote)


def shown_command(argv: Sequence[str], names: Sequence[bytes] | None) -> str:
    """Return the command line as people read it."""
    told = f" # {many(len(names), 'name')} on standard input" if names else ""
    return " ".join(map(_quoted, argv)) + told


def printf(names: Sequence[bytes]) -> str:
    """Return the front of a shell's command line that writes `names` to the next one's input."""
    if not names:
        return ""
    return f"printf '%s\\0' {shlex.join(os.fsdecode(name) for name in names)} | "


def describe(batch: Batch) -> str:
    """Return what a run is made for, in words."""
    if batch.reason:
        return f"a full pass ({batch.reason})"
    if not batch.count:
        return "what is carried or looked at once more"
    names = ", ".join(printable(path) or "." for path in batch.sample)
    return (
        f"{many(batch.count, 'change')} ({names}{', …' if batch.count > len(batch.sample) else ''})"
    )
