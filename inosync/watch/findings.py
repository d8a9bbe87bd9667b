"""What a walk over a tree of watches has found and somebody is to be told, in its order.

Pure notes, by watch descriptor (wd).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from inosync.changes.changes import Move


@dataclass(slots=True)
class Findings:
    """``reports``: directories below which anything may have changed. ``moves``: what has another
    path now.
    """

    reports: list[int] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    # To be reported when all below is watched. With the new that is when no more tasks are left
    # than there were before, since the newest are done first.
    _new: list[tuple[int, int]] = field(default_factory=list)  # so many tasks, and a wd
    _replaced: list[int] = field(default_factory=list)  # known ones in a new place

    def met(self, wd: int, tasks: int) -> None:
        """A directory is new; so many tasks there were then."""
        self._new.append((tasks, wd))

    def replaced(self, wd: int, before: bytes | None, after: bytes | None) -> None:
        """A known directory is in another place."""
        if before and after and before != after:
            self.moves.append(Move(before, after))
        self._replaced.append(wd)

    def looked_up(self, tasks: int) -> None:
        """So many tasks are left: report the new ones below which nothing is."""
        while self._new and self._new[-1][0] >= tasks:
            self.reports.append(self._new.pop()[1])

    def settled(self) -> None:
        """No task is left."""
        self.reports += self._replaced
        self._replaced.clear()

    def take_reports(self) -> list[int]:
        """Return, once, the directories below which anything may have changed."""
        reports, self.reports = self.reports, []
        return reports

    def take_moves(self) -> list[Move]:
        """Return, once, the directories that were found under another path than they had.

        Both paths as they were known then. An event pairs the two by a cookie (inotify(7)), but of
        a directory that is moved into one without a watch yet only the first half is reported.
        """
        moves, self.moves = self.moves, []
        return moves
