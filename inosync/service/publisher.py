"""The files that tell how things are: when they are written, and how. The only place that does.

Owns ``metricsfile`` and ``htmlfile``, and what must be remembered between two writings. A file is
written when something has changed, again and again while anything lags (its age is news), once
when all is in sync, and at the end. While nothing happens there is no deadline: the files stay.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from inosync.config.model import Config
from inosync.engine.engine import Engine
from inosync.status.history import History
from inosync.status.keeping import Keeping
from inosync.status.metrics import prometheus
from inosync.status.model import Snapshot
from inosync.status.page import page
from inosync.system.replace import replace
from inosync.text import printable

log = logging.getLogger("inosync")

#: Seconds between two writings while something goes on.
EVERY = 10.0

#: Seconds from the first change to the first writing: most are in sync by then.
SETTLE = 1.0

#: Seconds until a writing that failed is tried again while nothing goes on.
RETRY = 60.0

#: What to do about a failure, by its number.
_CURES = {
    errno.EACCES: "let the user that inosync runs as write into that directory",
    errno.EPERM: "let the user that inosync runs as replace that file",
    errno.EROFS: "remount it, or under systemd add it to ReadWritePaths=",
    errno.ENOENT: "create the directory",
    errno.ENOTDIR: "create the directory",
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
}


class Published(Protocol):
    """The loop, as far as it is told of."""

    engine: Engine

    @property
    def kept(self) -> Mapping[str, Keeping]:
        """What nodes keep, by destination."""

    def snapshot(self, now: float) -> Snapshot:
        """Return the state of everything."""


@dataclass
class Publisher:
    """Keeps the files of a config up to date. Times are monotonic seconds."""

    daemon: Published
    config: Config
    _history: History = field(default_factory=History)
    _since: dict[tuple[str, str, str], float] = field(default_factory=dict)  # of what lags
    _peaks: dict[tuple[str, str, str], float] = field(default_factory=dict)  # since then
    _seen: tuple[object, ...] = ()
    _at: float | None = None
    _written_at: float = -math.inf
    _failing: set[str] = field(default_factory=set)

    def configure(self, config: Config, now: float) -> None:
        """Take a new config; remove the files that it no longer names."""
        gone = _files(self.config) - _files(config)
        self.config = config
        for path in gone:
            with contextlib.suppress(OSError):
                os.unlink(path)
        self._failing -= gone
        self._at = now if _files(config) else None

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do, or None while nothing goes on."""
        return self._at

    def due(self, now: float) -> None:
        """Take note of what has changed, and write the files when it is time to."""
        if not _files(self.config):
            return
        seen = tuple(self._look(now))
        if seen != self._seen:
            self._seen = seen
            if self._at is None:
                self._at = max(now + SETTLE, self._written_at + EVERY)
        if self._at is not None and now >= self._at:
            going_on = self._write(now, running=True)
            self._at = now + (EVERY if going_on else RETRY) if going_on or self._failing else None

    def close(self, now: float) -> None:
        """Write the files for the last time."""
        if _files(self.config):
            self._write(now, running=False)

    def _look(self, now: float) -> Iterator[object]:
        """Yield all whose change is worth a writing; on the way, see how far mirrors lagged."""
        engine = self.daemon.engine
        yield engine.paused
        yield from self.daemon.kept.values()
        for state in engine.sources.values():
            yield state.watched, state.held, state.short
        for mirror in engine.mirrors:
            yield (
                mirror.state,
                engine.behind_since(mirror) is None,
                mirror.offered,
                mirror.done,
                mirror.totals.runs,
                mirror.totals.failures,
            )
            key = (mirror.pair.source.path, mirror.pair.node.name, mirror.lane)
            before, since = self._since.get(key), mirror.since
            if before is not None and before != since:
                self._peaks[key] = max(self._peaks.get(key, 0.0), now - before)
            if since is not None:
                self._since[key] = since
            else:
                self._since.pop(key, None)

    def _write(self, now: float, *, running: bool) -> bool:
        """Write the files; return whether what they say changes as time passes."""
        snapshot = self.daemon.snapshot(now)
        self._note(snapshot)
        self._written_at = now
        if path := self.config.metricsfile:
            self._replace(path, prometheus(snapshot, running=running))
        if path := self.config.htmlfile:
            host = os.uname().nodename
            text = page(snapshot, self._history, host=host, local=_local, running=running)
            self._replace(path, text)
        return any(
            mirror["lag"] is not None or mirror["run"] is not None for mirror in snapshot["mirrors"]
        )

    def _note(self, snapshot: Snapshot) -> None:
        mirrors = {(m["source"], m["node"], m["lane"]): m for m in snapshot["mirrors"]}
        self._history.keep(set(mirrors))
        for key, mirror in mirrors.items():
            lag = max(mirror["lag"] or 0.0, self._peaks.get(key, 0.0))
            track = self._history.track(*key)
            track.note(snapshot["at"], lag=lag, total=mirror["bytes_sent"])
        self._peaks.clear()

    def _replace(self, path: str, text: str) -> None:
        """Put a new file in the place of `path`, at once for all who read it."""
        try:
            replace(path, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            if path not in self._failing:
                cure = _CURES.get(error.errno or 0, "look at that directory")
                log.error(
                    "%s: cannot be written: %s; %s (tried again meanwhile)",
                    printable(path),
                    error.strerror,
                    cure,
                )
            self._failing.add(path)
        else:
            if path in self._failing:
                log.info("%s: written again", printable(path))
            self._failing.discard(path)


def _files(config: Config) -> set[str]:
    return {config.metricsfile, config.htmlfile} - {""}


def _local(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
