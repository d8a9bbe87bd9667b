"""How things stand: what the engine answers, and changes nothing.

Pure. Who only has to know how things are asks a ``Standing``; the engine is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inosync.config.model import Config
from inosync.engine import comparison
from inosync.engine.apart import Apart, gathered
from inosync.engine.mirror import Mirror
from inosync.engine.roster import Roster
from inosync.engine.source import SourceState
from inosync.rsync.differences import Difference
from inosync.text import printable


class Standing:
    """Sources and their mirrors: who there is, what they owe, and what keeps them from it."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    @property
    def config(self) -> Config:
        """The config in force."""
        return self._roster.config

    @property
    def sources(self) -> dict[str, SourceState]:
        """The sources by path."""
        return self._roster.sources

    @property
    def mirrors(self) -> list[Mirror]:
        """The mirrors that are configured."""
        return self._roster.mirrors

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._roster.stopping

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called and no run is left."""
        return self.stopping and not self._roster.busy()

    @property
    def paused(self) -> bool:
        """Whether a person wants nothing to start: changes are collected."""
        return self._roster.paused

    def settling(self, before: float) -> dict[str, int]:
        """Return how many files of which sources, changed `before` that, are not at rest yet."""
        found = {path: state.settling.count(before) for path, state in self.sources.items()}
        return {path: count for path, count in found.items() if count}

    def owed(self, node: str = "") -> list[tuple[Mirror, int]]:
        """Return the mirrors (on `node`, or on all) and up to what they have been offered by now.

        All of it is on the node of a mirror as soon as its ``done`` is not less.
        """
        return [(mirror, mirror.offered) for mirror in self._roster.on(node)]

    def behind_since(self, mirror: Mirror) -> float | None:
        """Return when the oldest change was seen that is not on the node; None: in sync.

        Also of those that the mirror has not been offered, because they wait for others or to rest.
        One whose source is held for it, and not for others, does not follow that: it is behind.
        """
        state = self._roster.source_of(mirror)
        apart = state.held_since if state.free and self.held_for(mirror) else None
        waits = (mirror.since, state.since(big=mirror.big), apart)
        return min((since for since in waits if since is not None), default=None)

    def source_held(self, mirror: Mirror) -> str:
        """Return why the source of `mirror` is held for it, in words; "" when it is not."""
        held = self.held_for(mirror)
        return f"{printable(mirror.pair.source.path)} {held}" if held else ""

    def held_for(self, mirror: Mirror) -> str:
        """Return why its source is held for `mirror`: words of which the source is the subject."""
        state = self._roster.source_of(mirror)
        return "" if mirror.pair.node.name in state.free else state.held

    def beside_giants(self, mirror: Mirror) -> bool:
        """Return whether the lane for big files of a mirror is at work on the node, or may be."""
        lane = self._roster.lanes.partner(mirror)
        return lane is not None and (lane.busy or lane.since is not None)

    def apart(self, mirror: Mirror, *, lost: frozenset[bytes] = frozenset()) -> Apart:
        """Return what is left as it is on a mirror; what was mounted on `lost` is gone."""
        lane, lanes = self._roster.lanes.partner(mirror), self._roster.lanes
        giants = lanes.owes(mirror) if lane is None or lane.sought is None else None
        return gathered(
            settling=self._roster.source_of(mirror).settling.paths,
            ailing=[each.ailing for each in (mirror, lane) if each is not None],
            lost=lost,
            giants=giants,
            size=self.config.of(mirror.pair.source).rbigsize,
        )

    def drifted(
        self, mirror: Mirror, found: Iterable[Difference], apart: Apart
    ) -> Iterator[Difference]:
        """Give those of the differences that count: see ``comparison.drifted``."""
        return comparison.drifted(mirror, self._roster.source_of(mirror), found, apart)
