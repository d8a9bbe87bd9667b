"""What a config says, as frozen values.

Knows neither how a config is written nor how it is read or checked.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from inosync.errors import ConfigError
from inosync.rsync.destination import Destination, Transport
from inosync.rsync.filters import Filters, compile_filters
from inosync.rsync.kept import KEPT
from inosync.rsync.tls import Tls
from inosync.text import printable


@dataclass(frozen=True)
class Source:
    """One watched directory.

    ``path`` is what is watched: absolute and normalised. ``argument`` is what rsync is given:
    ``/var/www/`` when the contents are meant, ``/var/www`` when the directory itself is,
    ``/tmp/foo/./bar/baz`` with a virtual root. ``prefix`` is where the names of this source begin
    inside the transfer, which is what anchored excludes count from and where it lands on a node:
    ``""``, ``"www"``, ``"bar/baz"``. ``relative`` says that rsync needs ``-R``. ``excludes`` are
    rsync patterns in order, ``excludes_from`` the setting that has them.
    """

    path: str
    argument: str
    prefix: str
    relative: bool
    excludes: tuple[str, ...] = ()
    excludes_from: str = field(default="rexcludes", compare=False)

    @cached_property
    def filters(self) -> Filters:
        """The excludes, compiled when they are first asked for, and what a mirror keeps."""
        prefix = os.fsencode(self.prefix)
        return compile_filters(self.excludes, prefix=prefix, hidden=(f"{KEPT}/",))


@dataclass(frozen=True)
class Node:
    """One entry of ``rnodes``: its name for people, and how to send to it.

    ``rspeed`` is in KB/s, 0 unlimited; ``rtimeout`` in seconds, 0 never; ``rretry`` is the first
    and the longest wait before a failed run is tried again, in seconds. ``rscope`` is ``"tree"`` or
    ``"changes"``: whether a run passes over the whole source or names what has changed.
    ``restricted`` says that the key gets no further than into one directory (rrsync), from whose
    top all paths count. ``rwarm`` is how long after a run the next one stands ready, in seconds, 0
    never; None: the usual time. ``rlate`` is for how many seconds what a run had on its way when it
    was cut short may still arrive, 0 not at all. ``rmaxchange`` is how many files a run may
    overwrite, 0 any number. ``rkeep`` is for how many days the node keeps what runs overwrite and
    delete, 0 not at all, and ``rkeepmax`` how many megabytes at the most, 0 any number. ``rdelete``
    is what is deleted there because the source does not have it: ``"all"``, ``"seen"`` to vanish,
    all at the ``"start"`` of a pass alone, or ``"never"`` anything. ``rrelay`` is the command that
    asks the daemon there, which feeds others, or as a tuple one that is run here; ``""``: it is no
    relay. ``rstreams`` is how many slices of a pass may be made at once. ``rtls`` is what a
    connection to an rsync daemon behind TLS has to prove.
    """

    name: str
    rspeed: int
    extra: tuple[str, ...]
    rtimeout: int
    rretry: tuple[float, float]
    rscope: str
    restricted: bool
    rwarm: float | None
    rlate: float
    rmaxchange: int
    rkeep: float
    rkeepmax: int
    rdelete: str
    rrelay: str | tuple[str, ...] = field(compare=False)  # nothing that is sent depends on it
    rstreams: int
    rtls: Tls


@dataclass(frozen=True)
class SourceSettings:
    """What a config says of one source alone, beside its paths, excludes and nodes.

    Times are in seconds. What is not set is ``""``. ``edelay`` may be ``"auto"``: each run of a
    mirror waits for as long as the one before has taken.
    """

    watch: str
    edelay: float | str
    emaxdelay: float
    eopen: float
    init: bool | str
    rmaxdelete: int
    wmarker: str
    rbigsize: int
    rsettle: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Pair:
    """One mirror to be: a source on a node."""

    source: Source
    node: Node
    destination: Destination

    @cached_property
    def here(self) -> str:
        """Where the mirror lies on this machine; "" for one that does not."""
        landing = self.landing()
        return os.path.abspath(landing.path) if landing.transport is Transport.LOCAL else ""

    def landing(self, path: str = "") -> Destination:
        """Return where the `path` of the source, by default all of it, lands on the node."""
        parts = [part for part in (self.source.prefix, path) if part]
        return self.destination.below("/".join(parts))


#: How many runs are at work at once with ``rparallel = "auto"``: of those that may take long, and
#: with those that name few changes. Most of the time of a short run is spent waiting, also of one
#: to a local node, whose rsync sleeps 20 ms at a time.
LONG_RUNS, ALL_RUNS = 8, 32


@dataclass(frozen=True)
class Config:
    """Everything that a config says. Times are in seconds.

    ``settings`` are those of each of ``sources``, in the same order: ask :meth:`of` for them.
    ``file`` is an absolute path, or ``""`` for a config from the command line. ``emask`` holds bits
    of inotify(7). What is not set is ``""`` where it is a name or a path.
    ``warnings`` are lines to say once at the start.
    """

    file: str
    sources: tuple[Source, ...]
    settings: tuple[SourceSettings, ...]
    pairs: tuple[Pair, ...]
    emask: int
    rfull: float
    rverify: float
    rpoll: float | str
    wactive: str
    rrefresh: float
    allow_empty: bool
    rbigdelay: float
    rparallel: int | str
    rsync: str
    logfile: str
    user: str
    group: str
    umask: int
    pidfile: str
    socket: str
    on_change: tuple[str, ...]
    on_success: tuple[str, ...]
    on_failure: tuple[str, ...]
    on_recover: tuple[str, ...]
    on_beat: tuple[str, ...]
    beat: int
    hooktimeout: int
    metricsfile: str
    htmlfile: str
    warnings: tuple[str, ...]

    def of(self, source: Source) -> SourceSettings:
        """Return the settings of a source, which may be one of an older config at the same path."""
        return self._by_path[source.path]

    def for_all(self, **values: Any) -> Config:
        """Return this config with other settings of all its sources."""
        return replace(self, settings=tuple(replace(own, **values) for own in self.settings))

    @property
    def long_runs(self) -> int:
        """How many runs that may take long are at work at once."""
        return LONG_RUNS if isinstance(self.rparallel, str) else self.rparallel

    @property
    def all_runs(self) -> int:
        """How many runs are at work at once, with those that name few changes."""
        return ALL_RUNS if isinstance(self.rparallel, str) else self.rparallel

    @cached_property
    def _by_path(self) -> dict[str, SourceSettings]:
        paths = (source.path for source in self.sources)
        return dict(zip(paths, self.settings, strict=True))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """One node of each name. Two sources may have one of the same name that differ."""
        found: dict[str, Node] = {}
        for pair in self.pairs:
            found.setdefault(pair.node.name, pair.node)
        return tuple(found.values())


def pairs_on(pairs: Sequence[Pair], name: str) -> list[Pair]:
    """Return those of `pairs` that are on the node called `name`, all for ``""``.

    Raise ConfigError when there are none.
    """
    found = [pair for pair in pairs if name in ("", pair.node.name)]
    if not found:
        known = ", ".join(sorted({pair.node.name for pair in pairs}))
        raise ConfigError([f"there is no node {printable(name)}; known are {known}"])
    return found
