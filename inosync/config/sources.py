"""Sources, nodes and where mirrors land: what a path means to rsync, and what must not overlap.

Owns the ``Source``, ``Node`` and ``Pair`` of a config and the rules that keep one mirror's
``--delete`` away from sources and from other mirrors. Looks at the file system only to resolve
paths; must not know how a config is written.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from inosync.rsync.destination import Destination, Transport
from inosync.rsync.filters import Filters, compile_filters
from inosync.rsync.options import deletes_excluded
from inosync.text import printable

_Place = TypeVar("_Place")


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


@dataclass(frozen=True)
class Node:
    """One entry of ``rnodes``: its name for people, and how to send to it.

    ``rspeed`` is in KB/s, 0 unlimited; ``rtimeout`` in seconds, 0 never; ``rretry`` is the first
    and the longest wait before a failed run is tried again, in seconds. ``rscope`` is ``"tree"`` or
    ``"changes"``: whether a run passes over the whole source or names what has changed.
    """

    name: str
    rspeed: int
    extra: tuple[str, ...]
    rtimeout: int
    rretry: tuple[float, float]
    rscope: str


@dataclass(frozen=True)
class Pair:
    """One mirror to be: a source on a node."""

    source: Source
    node: Node
    destination: Destination


def absolute(text: str, cwd: str) -> str:
    """Return `text` as a path below `cwd`. Raise ValueError if it needs one and `cwd` is ``""``."""
    if not text.startswith("/") and not cwd:
        raise ValueError("is relative, and there is no current directory; write the absolute path")
    return posixpath.join(cwd, text)


def read_source(text: str, cwd: str) -> Source:
    """Return the source that a ``wpath`` names; a relative one is below `cwd`.

    As in rsync, a trailing slash (``/var/www/``, also ``.``, ``/var/www/.`` and ``..``) means the
    contents and no slash the directory itself. The first ``/./`` marks a virtual root: the part
    behind it is kept on the node.

    Raise ValueError if that is no directory that can be mirrored.
    """
    if text.startswith("~"):
        raise ValueError('starts with "~", which is not expanded; write the absolute path')
    head, marker, tail = text.partition("/./")
    if marker:
        return _below_virtual_root(_resolve(head or "/", cwd), tail)
    path = _resolve(text, cwd)
    _check_directory(path, text)
    if text.endswith("/") or text.rpartition("/")[2] in (".", ".."):
        return Source(path, f"{path}/", "", relative=False)
    if os.path.islink(path):
        raise ValueError(
            "is a symbolic link, and without a slash at its end rsync would copy the link itself; "
            f"write {text + '/'!r} for the contents, or the path that it points to"
        )
    return Source(path, path, posixpath.basename(path), relative=False)


def read_argument(text: str, cwd: str) -> Source:
    """Return the source that SRC names where there is no config; a relative one is below `cwd`.

    Such a command line is pylsyncd's, and so is the rule: ``.`` and a path with ``/./`` in it are
    virtual roots, as for :func:`read_source`. Any other path is kept whole on the node, whether a
    slash ends it or not: ``/var/www`` goes to ``DEST/var/www``. Its ``prefix`` tells.

    Raise ValueError if that is no directory that can be mirrored.
    """
    if text and posixpath.normpath(text) == ".":
        return read_source(".", cwd)
    if text.startswith("~") or "/./" in text:
        return read_source(text, cwd)
    path = _resolve(text, cwd)
    _check_directory(path, text)
    return _below_virtual_root("/", path[1:], "on its way")


def _below_virtual_root(root: str, tail: str, where: str = 'behind the "/./"') -> Source:
    parts = [part for part in tail.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError('has ".." behind the "/./"; write the path without it')
    path = root
    for part in parts:
        path = posixpath.join(path, part)
        if os.path.islink(path):
            raise ValueError(
                f"has a symbolic link {where} ({printable(path)}), which rsync would not "
                "follow; write the path that it points to"
            )
    _check_directory(path, path)
    prefix = "/".join(parts)
    return Source(path, f"{root.rstrip('/')}/./{prefix}", prefix, relative=True)


def _resolve(text: str, cwd: str) -> str:
    """Return `text` as an absolute path without ``.``, ``..`` and double slashes."""
    joined = absolute(text, cwd)
    normal = re.sub(r"^//+", "/", posixpath.normpath(joined))
    if ".." in joined.split("/"):
        # "link/.." is the parent of what the link points to, which normpath does not know.
        physical = os.path.realpath(joined)
        if physical != os.path.realpath(normal):
            return physical
    return normal


def _check_directory(path: str, text: str) -> None:
    if not os.path.exists(path) and ":" in text.partition("/")[0]:
        raise ValueError("is not on this machine; write the path of a directory here")
    if not os.path.isdir(path):
        also = "" if text.rstrip("/") == path else f" (that is {printable(path)})"
        what = "is no directory" if os.path.exists(path) else "does not exist"
        raise ValueError(f"{what}{also}; create it, or write the path of a directory")
    if os.path.realpath(path) == "/":
        raise ValueError(
            "is the root directory, which holds /proc, /sys and whatever is mounted; "
            "write the directories that are to be mirrored"
        )


@dataclass(frozen=True)
class _Watched:
    """A source as the overlap rules see it."""

    source: Source

    @cached_property
    def real(self) -> str:
        return os.path.realpath(self.source.path)

    @cached_property
    def filters(self) -> Filters:
        return compile_filters(self.source.excludes, prefix=os.fsencode(self.source.prefix))

    def hides(self, relative: str) -> bool:
        """Return whether the excludes hide the directory `relative` below the source."""
        return not self.filters.admits_path(os.fsencode(relative), directory=True)


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
    """Return which of `sources` are, or lie in, another one, each with what is wrong."""
    found: list[tuple[int, str]] = []
    by_real: dict[str, list[int]] = {}
    for index, source in enumerate(sources):
        by_real.setdefault(os.path.realpath(source.path), []).append(index)
    for real, same in by_real.items():
        found += [(index, "is watched already; list it once") for index in same[1:]]
        for outer, relative in _around(by_real, real):
            if relative:
                what = f"lies in {printable(sources[outer[0]].path)}, which is watched; remove one"
                found += [(index, what) for index in same]
    return found


def source_holding(sources: Sequence[Source], file: str) -> Source | None:
    """Return the source that `file` lies in, unless its excludes hide the file."""
    by_real = {watched.real: watched for watched in map(_Watched, sources)}
    directory, name = posixpath.split(file)
    path = posixpath.join(os.path.realpath(directory), name)
    for watched, relative in _around(by_real, path):
        if watched.filters.admits_path(os.fsencode(relative), directory=False):
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
            admits = found.watched.filters.admits_path(os.fsencode(relative), directory=False)
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
    found = [(landing.index, _ROOT) for landing in landings if landing.path == "/"]
    found += _feeding(landings, watched.values())
    found += _swallowed(by_place.get(_LOCAL, {}), watched.values())
    for places in by_place.values():
        found += _collisions(places)
    return found


_ROOT = (
    "would make the root directory there a mirror and delete everything else in it; "
    "write the directory that is to be the mirror"
)
_LOCAL = (Transport.LOCAL.value,)
_PORTS = {Transport.SSH: 22, Transport.DAEMON: 873}


def _landing(index: int, pair: Pair, watched: _Watched) -> _Landing:
    destination, prefix = pair.destination, pair.source.prefix
    if destination.transport is Transport.LOCAL:
        # Not realpath of the whole: rsync replaces a link that stands where the prefix begins.
        path = posixpath.join(os.path.realpath(destination.path), prefix)
        return _Landing(index, pair, watched, _LOCAL, path.rstrip("/") or "/")
    port = destination.port or _PORTS[destination.transport]
    space = [destination.transport.value, destination.host.lower(), str(port)]
    path = destination.path
    if destination.transport is Transport.SSH and not path.startswith("/"):
        space += ["home of", destination.user]
    path = posixpath.normpath(posixpath.join(path, prefix))
    return _Landing(index, pair, watched, tuple(space), re.sub(r"^//+", "/", path))


def _feeding(
    landings: Iterable[_Landing], watched: Iterable[_Watched]
) -> Iterator[tuple[int, str]]:
    """Mirrors in sources."""
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
    """Sources in mirrors."""
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
    """Mirrors at, or in, the place of another mirror."""
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
