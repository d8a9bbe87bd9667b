"""Who there is: the sources and mirrors of a config, and what all of the engine knows of them.

Pure. The parts of the engine share one roster and one outbox: what is to be said and done until the
loop asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inosync.changes.batch import Batch, full_pass
from inosync.config.model import Config, Pair, Source
from inosync.engine.actions import About, Action, Hook, Say, Terminate
from inosync.engine.backoff import Backoff
from inosync.engine.debounce import Debounce
from inosync.engine.lanes import Lanes, share
from inosync.engine.late import in_place
from inosync.engine.mirror import BUSY, Mirror, State
from inosync.engine.passes import uncut
from inosync.engine.records import Late
from inosync.engine.reports import Failed, Report
from inosync.engine.source import SourceState
from inosync.planning.resting_files import compile_rules

#: Seconds between asking a run to end and killing it.
GRACE = 5.0

#: A run is looked at this many times within its ``rtimeout``: a hung one is found soon after.
LOOKS = 4

#: To so many mirrors that are no longer configured something may come late.
_MOST_PARTED = 100


@dataclass
class Roster:
    """Sources, their mirrors, and the actions that wait for the loop.

    ``leaving`` are mirrors that are no longer configured and still run. ``contents``: full passes
    compare what is in the files, too. ``alone``: nobody tells what changes, so a pass is one run.
    ``paused``: a person wants nothing to start. ``parted`` is what may come late to mirrors that
    are no longer configured, and may be again.
    """

    config: Config
    random: Callable[[], float]
    contents: bool = False
    alone: bool = False
    stopping: bool = False
    paused: bool = False
    sources: dict[str, SourceState] = field(default_factory=dict)  # by path
    mirrors: list[Mirror] = field(default_factory=list)
    by_source: dict[str, list[Mirror]] = field(default_factory=dict)  # the same, by path
    leaving: list[Mirror] = field(default_factory=list)
    lanes: Lanes = field(default_factory=lambda: Lanes(()))
    parted: dict[tuple[object, ...], Late] = field(default_factory=dict)  # by where they lie
    actions: list[Action] = field(default_factory=list)

    def configure(self, config: Config) -> None:
        """Take the sources and mirrors of `config`; those that stay keep what they know and owe."""
        before, sizes = self.sources, _sizes(self.config)
        self.config = config
        self.sources = {source.path: _state(source, config) for source in config.sources}
        for path, state in self.sources.items():
            if path in before:
                state.inherit(before[path])
            rules = compile_rules(config.of(state.source).rsettle, prefix=state.source.prefix)
            state.settling = state.settling.under(rules)
        # One that was to leave and is wanted again goes on: its run may not have ended yet.
        known = {(_place(m.pair), m.big): m for m in [*self.leaving, *self.mirrors]}
        self.mirrors = []
        pairs = []
        for pair in config.pairs:
            lanes: list[Mirror] = []
            size = config.of(pair.source).rbigsize
            old = [known[key] for big in (False, True) if (key := (_place(pair), big)) in known]
            for big in (False, True) if size else (False,):
                mirror = known.pop((_place(pair), big), None) or self._fresh(pair, big=big)
                altered = mirror.pair != pair
                if altered:
                    mirror.pair = pair
                    # What is left out no more may have changed since then, and nobody has looked.
                    mirror.hidden_at = mirror.hidden_at or mirror.equal_at
                    mirror.equal_at = mirror.hidden_at
                    mirror.backoff = self._backoff(pair)
                why = "nothing is watched" if self.alone else uncut(pair, config)
                mirror.divide(why, anew=altered)
                lanes.append(mirror)
            if old and (len(lanes) != len(old) or size != sizes.get(pair.source.path, size)):
                share(old, lanes)
            self.mirrors += lanes
            pairs.append(tuple(lanes))
        self.by_source = {path: [] for path in self.sources}
        for mirror in self.mirrors:
            self.by_source[mirror.pair.source.path].append(mirror)
            self.parted.pop(_lies(mirror.pair), None)
        self.lanes = Lanes(pairs)
        self.leaving = [mirror for mirror in known.values() if mirror.busy]
        for mirror in known.values():
            self.part(mirror)

    def _fresh(self, pair: Pair, *, big: bool) -> Mirror:
        mirror = Mirror(pair, self._backoff(pair), big)
        mirror.late = self.parted.get(_lies(pair))
        return mirror

    def part(self, mirror: Mirror) -> None:
        """Remember what may come late to a mirror that leaves: it may be configured again."""
        if mirror.late is None:
            return
        late, heirs = in_place(mirror.late), self.heirs(mirror)
        for heir in heirs:
            heir.late = heir.late or late
        if not heirs:
            self.parted[_lies(mirror.pair)] = late
            for place in list(self.parted)[:-_MOST_PARTED]:
                del self.parted[place]

    def _backoff(self, pair: Pair) -> Backoff:
        first, ceiling = pair.node.rretry
        return Backoff(first, ceiling, random=self.random)

    # ---- who ------------------------------------------------------------------------------

    def everybody(self) -> list[Mirror]:
        """Return all mirrors, also those that leave."""
        return [*self.mirrors, *self.leaving]

    def busy(self) -> list[Mirror]:
        """Return the mirrors that have a run."""
        return [mirror for mirror in self.everybody() if mirror.state in BUSY]

    def of(self, source: Source) -> list[Mirror]:
        """Return the mirrors of a source."""
        return self.by_source.get(source.path, [])

    def on(self, node: str) -> list[Mirror]:
        """Return the mirrors on the node of this name; on all for ``""``."""
        return [mirror for mirror in self.mirrors if node in ("", mirror.pair.node.name)]

    def source_of(self, mirror: Mirror) -> SourceState:
        """Return what is known of a mirror's source."""
        return self.sources[mirror.pair.source.path]

    def full(self, reason: str, now: float, *, lost: bool = False, contents: bool = False) -> Batch:
        """Return what a full pass carries; `lost`: what has changed is not known by name.

        With `contents` it compares what is in the files, too.
        """
        return full_pass(reason, now, contents=contents or self.contents, lost=lost)

    # ---- what is to be done ---------------------------------------------------------------

    def say(self, level: int, text: str, about: About | None = None) -> None:
        """Log this line, which is ``about`` that."""
        self.actions.append(Say(level, text, about))

    def hook(self, report: Report) -> None:
        """Let the program have the report that the config names for its event, if it names one."""
        if getattr(self.config, report.event):
            self.actions.append(Hook(report))

    def ails(self, mirror: Mirror, report: Failed, now: float) -> None:
        """Tell the hook when a mirror is not well any more, and when something else is wrong."""
        health = mirror.health
        if health.ailing != report.meaning:
            since = health.since if health.ailing else now
            mirror.health = replace(health, ailing=report.meaning, since=since)
            self.hook(report)

    def heirs(self, mirror: Mirror) -> list[Mirror]:
        """Return the mirrors that are configured and lie where one does that leaves."""
        return [each for each in self.mirrors if _lies(each.pair) == _lies(mirror.pair)]

    def end(self, mirror: Mirror, reason: str, now: float) -> None:
        """Tell a mirror's run to end, unless there is none or it was told already."""
        if mirror.state is State.RUNNING:
            mirror.end(reason, now, grace=GRACE)
            self.actions.append(Terminate(mirror))

    def take(self) -> list[Action]:
        """Return what is to be done, in order, and forget it."""
        taken, self.actions = self.actions, []
        return taken


def _state(source: Source, config: Config) -> SourceState:
    own = config.of(source)
    unclosed = Debounce(own.eopen, own.eopen)
    if isinstance(own.edelay, str):  # "auto": a batch waits for its mirrors, and not for a time
        return SourceState(source, Debounce(0.0, 0.0), unclosed, paced=True)
    return SourceState(source, Debounce(own.edelay, own.emaxdelay), unclosed)


def _sizes(config: Config) -> dict[str, int]:
    """Return from which size on files are big, by the paths of sources."""
    return {source.path: config.of(source).rbigsize for source in config.sources}


def _lies(pair: Pair) -> tuple[object, ...]:
    """Return what two pairs have in common whose mirrors are one, however that is written."""
    to = pair.destination
    return pair.source.path, to.transport, to.host, to.port, to.path.rstrip("/")


def _place(pair: Pair) -> tuple[str, str]:
    """What makes two pairs of an old and a new config the same mirror."""
    return pair.source.argument, pair.destination.text
