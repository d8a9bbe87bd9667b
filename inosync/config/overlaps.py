"""Which sources and mirrors of a config would destroy, or feed on, one another.

Owns the rules that keep one mirror's ``--delete`` away from sources, from other mirrors and from
files of the daemon. Looks at the file system only to resolve paths; must not know how a config is
written.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from inosync.config.model import Pair, Source
from inosync.rsync.destination import Transport
from inosync.rsync.options import deletes_excluded
from inosync.rsync.tls import TLS_PORT
from inosync.text import printable

_Place = TypeVar("_Place")

_ROOT = (
    "would make the root directory there a mirror and delete everything else in it; "
    "write the directory that is to be the mirror"
)
_LOCAL = (Transport.LOCAL.value,)
_PORTS = {Transport.SSH: 22, Transport.DAEMON: 873}


@dataclass(frozen=True)
class _Watched:
    """A source as the overlap rules see it."""

    source: Source

    @cached_property
    def real(self) -> str:
        return os.path.realpath(self.source.path)

    def hides(self, relative: str) -> bool:
        """Return whether the excludes hide the directory `relative` below the source."""
        return not self.source.filters.admits_path(os.fsencode(relative), directory=True)


@dataclass(frozen=True)
class _Landing:
    """Where the pair with this index lands: in which name space, and at which path there."""

    index: int
    pair: Pair
    watched: _Watched
    space: tuple[str, ...]
    path: str

    def spares(self, relative: str) -> bool:
        """Return whether this mirror's ``--delete`` leaves `relative` below its landing alone."""
        return not deletes_excluded(self.pair.node.extra) and self.watched.hides(relative)


def source_overlaps(sources: Sequence[Source]) -> list[tuple[int, str]]:
    """Return which of `sources` are another one, each with what is wrong.

    One may lie in another: each is watched by itself, and where they land is for mirror_overlaps.
    """
    found: list[tuple[int, str]] = []
    known: set[str] = set()
    for index, source in enumerate(sources):
        real = os.path.realpath(source.path)
        if real in known:
            found.append((index, "is watched already; list it once"))
        known.add(real)
    return found


def source_holding(sources: Sequence[Source], file: str) -> Source | None:
    """Return the source that `file` lies in, unless its excludes hide the file."""
    by_real = {watched.real: watched for watched in map(_Watched, sources)}
    directory, name = posixpath.split(file)
    path = posixpath.join(os.path.realpath(directory), name)
    for watched, relative in _around(by_real, path):
        if watched.source.filters.admits_path(os.fsencode(relative), directory=False):
            return watched.source
    return None


def mirror_holding(pairs: Sequence[Pair], file: str) -> Pair | None:
    """Return the pair whose mirror here would delete `file`, unless its excludes spare it."""
    directory, name = posixpath.split(file)
    path = posixpath.join(os.path.realpath(directory), name)
    for index, pair in enumerate(pairs):
        landing = _landing(index, pair, _Watched(pair.source))
        if landing.space != _LOCAL:
            continue
        for found, relative in _around({landing.path: landing}, path):
            admits = found.watched.source.filters.admits_path(
                os.fsencode(relative), directory=False
            )
            if admits or deletes_excluded(pair.node.extra):
                return pair
    return None


def mirror_overlaps(pairs: Sequence[Pair]) -> list[tuple[int, str]]:
    """Return which of `pairs` would destroy or feed on something, each with what is wrong.

    A mirror must not lie in a source, nor a source or another mirror in a mirror, unless excludes
    keep the two apart. Nodes are told apart by how they are written: that two names are one machine
    cannot be known here.
    """
    watched = {pair.source: _Watched(pair.source) for pair in pairs}
    landings = [_landing(index, pair, watched[pair.source]) for index, pair in enumerate(pairs)]
    by_place: dict[tuple[str, ...], dict[str, list[_Landing]]] = {}
    for landing in landings:
        by_place.setdefault(landing.space, {}).setdefault(landing.path, []).append(landing)
    found = [
        (landing.index, _ROOT)
        for landing in landings
        if landing.path == "/" and not _restricted(landing.pair)
    ]
    found += _feeding(landings, watched.values())
    found += _swallowed(by_place.get(_LOCAL, {}), watched.values())
    for places in by_place.values():
        found += _collisions(places)
    return found


def _restricted(pair: Pair) -> bool:
    """Return whether the root directory there is one to which the key is restricted."""
    return pair.node.restricted and pair.destination.transport is Transport.SSH


def _landing(index: int, pair: Pair, watched: _Watched) -> _Landing:
    destination = pair.destination
    if destination.transport is Transport.LOCAL:
        # Not realpath of the whole: rsync replaces a link that stands where the prefix begins.
        real = dataclasses.replace(destination, path=os.path.realpath(destination.path))
        path = dataclasses.replace(pair, destination=real).landing().path
        return _Landing(index, pair, watched, _LOCAL, path.rstrip("/") or "/")
    usual = TLS_PORT if destination.tls else _PORTS[destination.transport]
    port = destination.port or usual
    space = [destination.transport.value, destination.host.lower(), str(port)]
    if destination.transport is Transport.SSH and not destination.path.startswith("/"):
        space += ["home of", destination.user]
    path = posixpath.normpath(pair.landing().path)
    return _Landing(index, pair, watched, tuple(space), re.sub(r"^//+", "/", path))


def _feeding(
    landings: Iterable[_Landing], watched: Iterable[_Watched]
) -> Iterator[tuple[int, str]]:
    """Give the mirrors that lie in a source."""
    by_real = {source.real: source for source in watched}
    for landing in landings:
        if landing.space != _LOCAL:
            continue
        for source, relative in _around(by_real, landing.path):
            if source.hides(relative):
                continue
            why = (
                "so that each run would start the next"
                if source is landing.watched
                else "and a source is never written to"
            )
            yield (
                landing.index,
                f"puts the mirror at {printable(landing.path)}, inside the source "
                f"{printable(source.source.path)}, {why}; write a place outside, or exclude it",
            )


def _swallowed(
    mirrors: Mapping[str, list[_Landing]], watched: Iterable[_Watched]
) -> Iterator[tuple[int, str]]:
    """Give the mirrors that a source lies in."""
    for source in watched:
        for landings, relative in _around(mirrors, source.real):
            for landing in landings:
                if relative and not landing.spares(relative):
                    yield (
                        landing.index,
                        f"puts a mirror at {printable(landing.path)}, and as the source "
                        f"{printable(source.source.path)} lies in there, rsync would delete "
                        "it; write another place, or exclude it",
                    )


def _collisions(places: Mapping[str, list[_Landing]]) -> Iterator[tuple[int, str]]:
    """Give the mirrors that lie in another mirror, or where it is."""
    for path, landings in places.items():
        first = printable(landings[0].pair.source.path)
        for other in landings[1:]:
            yield (
                other.index,
                f"puts {printable(other.pair.source.path)} where {first} goes already "
                f"({printable(path)}), so that each would delete the other's files; "
                "write another place for one",
            )
        for outer, relative in _around(places, path):
            if relative and not outer[0].spares(relative):
                yield (
                    landings[0].index,
                    f"puts {first} at {printable(path)}, inside the mirror of "
                    f"{printable(outer[0].pair.source.path)} ({printable(outer[0].path)}), "
                    "which would delete it; write another place, or exclude it",
                )


def _around(places: Mapping[str, _Place], path: str) -> Iterator[tuple[_Place, str]]:
    """Give what `places` holds for `path` and for each directory above it, with the way down."""
    relative = ""
    while True:
        if path in places:
            yield places[path], relative
        parent, name = posixpath.split(path)
        if path in ("/", ".") or name == "..":
            return
        relative = posixpath.join(name, relative) if relative else name
        path = parent or "."
