"""What is noted of the mirrors, and the file that it outlasts the daemon in.

Between the mirrors and the state file: when something is noted is up to keeper.py, what of it is
believed at the next start to recollection.py.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from inosync.config.model import Config
from inosync.engine.engine import Engine
from inosync.engine.memory import Known, Place, decode, encode
from inosync.engine.mirror import Mirror
from inosync.service.loop import Loop
from inosync.service.targets import Targets
from inosync.system.state import StateFile, boot, sum_of
from inosync.text import printable

log = logging.getLogger("inosync")

#: So many mirrors are remembered that are not in the config any more: they may come back.
MOST_OTHERS = 100


@dataclass
class Notes:
    """What is known of each mirror, by its name; where its source lies, by the path of that.

    ``urgent``: something is to be written before much of it can be on a node. Where it is
    ``doubtful``, another host may have written to the mirrors meanwhile.
    """

    engine: Engine
    file: StateFile
    targets: Targets
    loop: Loop
    doubtful: bool = False
    known: dict[str, Known] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    urgent: bool = False
    boot: str = ""
    _here: set[str] = field(default_factory=set)  # configured now, or were under this daemon
    _failing: str = ""

    def __post_init__(self) -> None:
        self._here |= self._names()

    def open(self) -> None:
        """Read what was noted before; from now on, to be killed is not to have ended."""
        self.boot = boot()
        content, problem = self.file.read()
        if content and not problem:
            self.known, problem = decode(content)
        if problem:
            log.warning("%s: %s: full pass", printable(self.file.path), problem)
        self.part(all_=self.doubtful)
        if self.known:
            self.write()

    def close(self) -> None:
        """Write for the last time: nothing happens any more."""
        if self.known:
            self.known = self._as_of({m.name for m in self.engine.mirrors if not m.late})
            self._write(self.known)

    def part(self, *, all_: bool = False) -> None:
        """Nobody knows what becomes of mirrors that are not configured, or of `all_`.

        Only since when what they have is in doubt counts when they are back.
        """
        names = self._names()
        self._here |= names
        for name, known in self.known.items():
            if all_ or name not in names:
                self.known[name] = replace(known, begun=True, rest=None)

    def _names(self) -> set[str]:
        return {mirror.name for mirror in self.engine.mirrors}

    def place(self, mirror: Mirror) -> Place | None:
        """Return where the source of a mirror lies, if that is known by now."""
        return self.places.get(mirror.pair.source.path)

    def record(self, mirror: Mirror, place: Place, moment: int, made_by: str) -> Known:
        """Return what is known of a mirror up to a moment, of a source at this place."""
        hidden = mirror.hidden_at
        return Known(
            moment=moment,
            inode=place.inode,
            home=place.home,
            highest=0,
            made_by=made_by,
            boot=self.boot,
            ahead=self.loop.ahead(),
            hidden=int(hidden.read(self.loop.moment()) * 1e9) if hidden is not None else None,
        )

    def begin(self, mirror: Mirror, place: Place, moment: int) -> None:
        """Note that runs are about to carry what there is, of which nothing is known to arrive.

        If they are cut short, what has changed since may have gone there as it was before.
        """
        known = self.record(mirror, place, moment, self.made_now(mirror))
        self.known[mirror.name] = replace(known, begun=True)
        self.urgent = True

    def made_now(self, mirror: Mirror) -> str:
        """Return a sum of what makes a mirror like it is now, and of where it lies."""
        return made_by(mirror, self.engine.config) + self.lying(mirror)

    def lying(self, mirror: Mirror) -> str:
        """Return what tells the directory of a mirror on this machine from others; "" elsewhere."""
        path = mirror.pair.here
        if not path:
            return ""
        found = self.targets.lying(path)
        return f" {sum_of(repr((found.place, found.inode, found.home)))}"

    def write(self) -> None:
        """Write what is known of the mirrors, to be read where this daemon does not end well.

        That counts for those of which nothing new is known, too. Say so when that fails.
        """
        self._write(self._as_of(()))

    def _as_of(self, ended: Collection[str]) -> dict[str, Known]:
        """Return what is known; of the mirrors that are or were here, these have `ended`."""
        return {
            name: replace(each, ended=name in ended) if name in self._here else each
            for name, each in self.known.items()
        }

    def _write(self, all_known: Mapping[str, Known]) -> None:
        if self.doubtful or self.engine.config.wactive:
            # Who reads it may not know that another host has written there since.
            all_known = {
                name: replace(each, begun=True, rest=None) for name, each in all_known.items()
            }
        names = self._names()
        names.update([name for name in all_known if name not in names][-MOST_OTHERS:])
        known = {name: each for name, each in all_known.items() if name in names}
        problem = self.file.write(encode(known))
        if problem and problem != self._failing:
            log.warning(
                "%s: cannot be written: %s; let the user that inosync runs as write there, or name "
                "another directory in STATE_DIRECTORY: until then each start is a full pass",
                printable(self.file.path),
                problem,
            )
        self._failing = problem


def by_number(mirror: Mirror, config: Config) -> bool:
    """Return whether what its node does not have is known by number, whatever waits."""
    own = config.of(mirror.pair.source)
    return not (own.rbigsize or own.rsettle)


def made_by(mirror: Mirror, config: Config) -> str:
    """Return a sum of all that says what is on a node, but the files themselves."""
    pair = mirror.pair
    said = (pair.source.argument, pair.source.excludes, pair.destination.text, pair.node.extra)
    # What was left there by one is not by another.
    kept = (pair.node.rdelete,) if pair.node.rdelete != "all" else ()
    return sum_of(repr((said, config.emask, *kept)))
