"""The mirrors on this machine: sees whether what lies at each is what it was, else holds it.

Between the file system, which is looked at before each run and heard of when something on the way
to a target changes, and the engine, which does the holding.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror, State
from inosync.service.loop import Loop
from inosync.watch.mounts import Mounts, remote
from inosync.watch.target import News, Target, at_home, fault, news, same, target
from inosync.watch.ways import Ways

log = logging.getLogger("inosync")

#: Seconds between looks at a target that is not what it was, where no event tells of its return.
_RETRY = 2.0


@dataclass
class Targets:
    """A part of the loop: the targets of all mirrors on this machine, by their paths.

    What was known of a target when it was last there outlives reloads: only a person, or its
    return, ends a hold. ``_missing`` has the targets that are not there, each with whether a run is
    to fill it.
    """

    engine: Engine
    loop: Loop
    _known: dict[str, Target] = field(default_factory=dict)
    _watched: set[str] = field(default_factory=set)
    _barred: set[Mirror] = field(default_factory=set)
    _busy: set[Mirror] = field(default_factory=set)
    _missing: dict[str, bool] = field(default_factory=dict)
    _ways: Ways = field(default_factory=Ways)
    _mounts: Mounts | None = None
    _look_at: float | None = None
    _mirrors: list[Mirror] = field(default_factory=list)  # of which ``_by_path`` was made
    _by_path: dict[str, list[Mirror]] = field(default_factory=dict)

    def open(self) -> None:
        """Hear of what is mounted, and of what happens on the ways to targets."""
        self._mounts = Mounts()
        self.loop.listen(self._mounts.fileno(), self._look_at_mounts)
        if (descriptor := self._ways.open()) is not None:
            self.loop.listen(descriptor, self._look_at_ways)

    def close(self) -> None:
        """Hear of it no more."""
        if self._mounts is not None:
            self._mounts.close()
        self._ways.close()

    def due(self, now: float) -> None:
        """Look at those that are new, at those whose run has ended, and at those held unheard."""
        local = self._local()
        ended = {mirror.pair.here for mirror in self._busy if not mirror.busy}
        self._busy = {mirror for mirrors in local.values() for mirror in mirrors if mirror.busy}
        self._watch(local.keys())
        if self._look_at is not None and now >= self._look_at:
            self._look_at = None
            ended |= {mirror.pair.here for mirror in self._barred}
        for path in ended & local.keys():
            self._look(path, local[path])

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do."""
        return self._look_at

    def bars(self, mirror: Mirror) -> bool:
        """Return whether a mirror is held for what lies at its target."""
        return mirror in self._barred

    def lying(self, path: str) -> Target:
        """Return what lies at `path`, and on which file system: asked only if that is not known."""
        known, now = self._known.get(path), target(path)
        return known if known is not None and same(known, now) else at_home(path, now)

    def look(self) -> None:
        """Look at all of them."""
        for path, mirrors in self._local().items():
            self._look(path, mirrors)

    def fits(self, mirror: Mirror, *, full: bool) -> bool:
        """Return whether a run that is about to begin may go to the target of its mirror.

        If not, its start is taken back, and the mirror is held, or owes a full pass. A run that is
        not `full` needs what the mirror had before.
        """
        path = mirror.pair.here
        if not path:
            return True
        known, now = self._known.get(path), target(path)
        if now.inode and (known is None or same(known, now)):
            self._learn(path, now)
            return True
        if known is None and full:
            self._missing[path] = True
            return True
        gone = full and not now.inode and path in self._missing
        if gone and known is not None and not fault(known, at_home(path, now)):
            self._make(path)
            return True
        mirror.withdraw()
        if known is None and path not in self._missing:
            self._missing[path] = False
            self._renew([mirror], "there is nothing at its target", contents=False)
        self._look(path, self._local().get(path, [mirror]))
        if not now.inode and mirror.state is State.PENDING:
            self.engine.fill(mirror, self.loop.clock())
        return False

    def _make(self, path: str) -> None:
        """Make a target that was removed: of what we make ourselves we know that it is empty."""
        try:
            os.makedirs(path)
        except FileExistsError:
            return  # it is another's, and will be seen to be
        except OSError:
            self._missing[path] = True  # let rsync try, and say what is wrong
        else:
            self._learn(path, target(path))

    def accept(self, node: str) -> None:
        """A person says that the targets on `node` ("": on all) are right as they are."""
        for path, mirrors in self._local().items():
            if any(node in ("", mirror.pair.node.name) for mirror in mirrors):
                self._known.pop(path, None)
                self._learn(path, target(path))
                barred = [mirror for mirror in mirrors if mirror in self._barred]
                self._renew(barred, "another target is accepted", contents=True)

    # ---- what is where --------------------------------------------------------------------

    def _local(self) -> dict[str, list[Mirror]]:
        if self._mirrors is not self.engine.mirrors:  # a config makes another list
            self._mirrors, self._by_path = self.engine.mirrors, {}
            for mirror in self._mirrors:
                if path := mirror.pair.here:
                    self._by_path.setdefault(path, []).append(mirror)
        return self._by_path

    def _watch(self, paths: AbstractSet[str]) -> None:
        if self._watched == paths:
            return
        for path in self._watched - paths:
            self._ways.forget(path)
        for path in paths - self._watched:
            self._ways.watch(path)
        self._watched = set(paths)

    def _look_at_ways(self) -> None:
        stirred = self._ways.read()
        for path, mirrors in self._local().items():
            if path in stirred:
                self._ways.watch(path)
                self._look(path, mirrors)

    def _look_at_mounts(self) -> None:
        for path in self._watched:
            self._ways.watch(path)
        self.look()

    def _look(self, path: str, mirrors: Collection[Mirror]) -> None:
        """Look at one target, and say what follows for its mirrors."""
        known, now = self._known.get(path), target(path)
        if known is None:
            self._learn(path, now)
            return
        if not same(known, now):
            now = at_home(path, now)
            if wrong := fault(known, now):
                self._bar(path, mirrors, wrong)
                return
            told = news(known, now)
            if told is News.GONE and path not in self._missing:
                self._missing[path] = False
                self._renew(mirrors, "its target was removed", contents=False)
                return
            if told is News.ANOTHER and not self._missing.get(path):
                self._known[path] = now
                self._renew(mirrors, "its target is another directory now", contents=True)
                return
        self._learn(path, now)
        if barred := [mirror for mirror in mirrors if mirror in self._barred]:
            self._renew(barred, "its target is back", contents=False)

    def _learn(self, path: str, now: Target) -> None:
        """Take what is there for the mirror, if there is anything."""
        if now.inode:
            self._missing.pop(path, None)
            known = self._known.get(path)
            if known is None or not same(known, now):
                self._known[path] = at_home(path, now)

    # ---- what follows ---------------------------------------------------------------------

    def _bar(self, path: str, mirrors: Collection[Mirror], reason: str) -> None:
        for mirror in mirrors:
            if self.engine.bar(mirror, reason, self.loop.clock()):
                self._barred.add(mirror)
        if self._ways.blind(path) or remote(path):
            self._look_at = self.loop.clock() + _RETRY

    def _renew(self, mirrors: Collection[Mirror], reason: str, *, contents: bool) -> None:
        for mirror in mirrors:
            log.info("%s: %s: full pass", mirror.name, reason)
            held = mirror in self._barred and mirror.state is State.HELD
            self._barred.discard(mirror)
            self.engine.renew(mirror, reason, self.loop.clock(), contents=contents, release=held)
