"""What a run says that it could not carry, as values. Pure.

What rsync says of it is read in sentences.py; accounts.py makes the account of a run.
"""

from __future__ import annotations

from dataclasses import dataclass

from inosync.rsync.causes import Cause


@dataclass(frozen=True)
class Complaint:
    """One path that was not carried; ``text`` is what rsync said.

    ``whole``: all below it was not, either. ``blind``: for want of it nothing was deleted, and a
    run that leaves it out deletes again. ``final``: the run ended at it, and one that leaves it out
    goes on. Where rsync's name for it may be that of an ``other`` path, both are meant.
    """

    path: bytes
    cause: Cause
    text: str
    whole: bool = False
    blind: bool = False
    final: bool = False
    other: bytes = b""


@dataclass(frozen=True)
class Account:
    """All that a run complained of.

    ``understood``: every complaint was tied to a path. ``undeleted``: it left out all deletions.
    ``raced``: something vanished, or became something else, while it was read. ``kept`` are
    directories that stay on the mirror for what is excluded in them, and ``odd`` what is no file,
    directory or link and was not sent. ``ended``: it ended before it had come to everything. Paths
    are relative to the source.
    """

    complaints: tuple[Complaint, ...] = ()
    understood: bool = True
    undeleted: bool = False
    raced: bool = False
    kept: tuple[bytes, ...] = ()
    odd: tuple[bytes, ...] = ()
    ended: bool = False

    @property
    def room(self) -> bool:
        """Whether anything failed for lack of room."""
        return any(complaint.cause is Cause.ROOM for complaint in self.complaints)


SILENT = Account()
