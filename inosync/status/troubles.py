"""What ails, across all sources: each trouble told once, with whom it befalls, the worst first.

Pure: turns a snapshot into values for the table and the page. A mirror that fails is told of here
alone; one that has all but some paths also has its place among the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from inosync.status.lines import path_lines
from inosync.status.model import FailureStatus, MirrorStatus, Snapshot, SourceStatus
from inosync.text import many, printable

_Key = TypeVar("_Key", bound=Hashable)

#: States in which a mirror goes on by itself only later, or not at all; the worst first.
_STUCK = ("held", "backoff", "stopping")

#: How many nodes are named before the others are only counted.
_NAMES = 60

#: The host of a node: "user@HOST:/path", "HOST::module" or "rsync://user@HOST:873/module".
_HOST = re.compile(r"(?:\w+://)?(?:[^@/:]*@)?(\[[^\]]*\]|[^/:]+)[:/]")

#: What differs between two nodes that say the same: names in quotes, addresses and numbers.
_OWN = re.compile(r'"[^"]*"|[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,}[\d.]*|\d+')


@dataclass(frozen=True)
class Trouble:
    """One trouble, and all `mirrors` that have it; none, where it is a whole source's.

    ``state`` is a word for it; ``lines`` say what is wrong and what to do. ``failing``: nothing
    travels; ``failure`` is how the last run of the first mirror ended.
    """

    state: str
    who: str
    mirrors: tuple[MirrorStatus, ...]
    lines: tuple[str, ...]
    failing: bool = False
    failure: FailureStatus | None = None

    @property
    def lag(self) -> float | None:
        """How far the worst of the mirrors is behind."""
        return max((m["lag"] for m in self.mirrors if m["lag"] is not None), default=None)

    @property
    def next_try_at(self) -> float | None:
        """When the first of the mirrors is tried again."""
        times = (m["next_try_at"] for m in self.mirrors if m["next_try_at"] is not None)
        return min(times, default=None)

    @property
    def last_success_at(self) -> float | None:
        """When a run of any of the mirrors ended well last."""
        times = (m["last_success_at"] for m in self.mirrors if m["last_success_at"] is not None)
        return max(times, default=None)

    @property
    def found_at(self) -> float | None:
        """When the drift was found, if it is that."""
        times = (m["drift"]["at"] for m in self.mirrors if m["drift"] and self.state == "drift")
        return max(times, default=None)

    @property
    def waiting(self) -> str:
        """What waits to be sent."""
        if any(mirror["full"] for mirror in self.mirrors):
            return "a full pass"
        pending = sum(mirror["pending"] for mirror in self.mirrors)
        return many(pending, "change", ",") if pending else ""


def fails(mirror: MirrorStatus) -> bool:
    """Return whether the last run failed, or a person has to act."""
    return bool(mirror["reason"]) or mirror["state"] in _STUCK


def troubles(status: Snapshot) -> list[Trouble]:
    """Return what ails: held sources, mirrors that fail, paths, watches, drift, notes."""
    found = list(_held(status))
    found += sorted(_failing(status), key=lambda each: -(each.lag or 0.0))
    found += _alike(status, "ailing", path_lines)
    found += _unwatched(status)
    found += _alike(status, "drift", _drift)
    found += _alike(status, "note", lambda mirror: mirror["notes"])
    return found


def listed(status: Snapshot, source: SourceStatus) -> list[MirrorStatus]:
    """Return the mirrors of a source that do not fail, the longest behind first."""
    mirrors = [m for m in status["mirrors"] if m["source"] == source["path"] and not fails(m)]
    return sorted(mirrors, key=lambda mirror: -(mirror["lag"] or 0.0))


def short_names(status: Snapshot) -> dict[str, str]:
    """Return for each node the shortest of these that says which it is: "web1", its host, its name.

    Where nodes differ by source, those of one host are called alike, each of another source.
    """
    pairs = dict.fromkeys((mirror["source"], mirror["node"]) for mirror in status["mirrors"])
    known = {name: (_label(_host(name)), _host(name), name) for _, name in pairs}
    beside = Counter((source, each) for source, name in pairs for each in {*known[name]})
    unclear = {each for (_, each), count in beside.items() if count > 1} | {""}
    hosts = Counter(_label(host) for host in {host for _, host, _ in known.values()})
    unclear |= {label for label, count in hosts.items() if count > 1}
    return {
        name: next((each for each in of_node if each not in unclear), name)
        for name, of_node in known.items()
    }


def title(mirror: MirrorStatus, names: dict[str, str] | None = None) -> str:
    """Return how a mirror is called among those of its source."""
    name = mirror["node"] or mirror["destination"]
    shown = printable(names.get(name, name) if names else name)
    return f"{shown} (big files)" if mirror["lane"] == "big" else shown


def _held(status: Snapshot) -> Iterator[Trouble]:
    for source in status["sources"]:
        if source["state"] == "held":
            yield Trouble("held", f"source {printable(source['path'])}", (), (source["reason"],))


def _unwatched(status: Snapshot) -> Iterator[Trouble]:
    for source in status["sources"]:
        if source["unwatched"]:
            lines = [f"{many(source['unwatched'], 'directory', ',')} cannot be watched"]
            lines += [f"{path}: {why}" for path, why in source["unwatched_examples"].items()]
            yield Trouble("unwatched", f"source {printable(source['path'])}", (), tuple(lines))


def _failing(status: Snapshot) -> Iterator[Trouble]:
    failing = [mirror for mirror in status["mirrors"] if fails(mirror)]
    for _, alike in _grouped((mirror, _cause(mirror)) for mirror in failing):
        reason, failure = alike[0]["reason"], alike[0]["last_failure"]
        failures = sum(mirror["failures"] for mirror in alike)
        yield Trouble(
            state=min((mirror["state"] for mirror in alike), key=_order),
            who=_who(alike, status),
            mirrors=alike,
            lines=(f"{reason} (failures: {failures})",) if reason else (),
            failing=True,
            failure=failure if reason else None,
        )


def _alike(
    status: Snapshot, state: str, told: Callable[[MirrorStatus], Iterable[str]]
) -> Iterator[Trouble]:
    """Yield a trouble for each set of mirrors of which the same is `told`."""
    known = ((mirror, tuple(told(mirror))) for mirror in status["mirrors"])
    groups = _grouped((mirror, lines) for mirror, lines in known if lines)
    for lines, alike in groups:
        yield Trouble(state, _who(alike, status), alike, lines)


def _drift(mirror: MirrorStatus) -> Iterator[str]:
    if (drift := mirror["drift"]) and drift["paths"]:
        yield many(drift["paths"], "path")
        yield from (f"{path}: {what}" for path, what in drift["examples"].items())


def _grouped(
    keyed: Iterable[tuple[MirrorStatus, _Key]],
) -> Iterator[tuple[_Key, tuple[MirrorStatus, ...]]]:
    """Give each key with all that have it, in the order in which the first ones come."""
    groups: dict[_Key, list[MirrorStatus]] = {}
    for mirror, key in keyed:
        groups.setdefault(key, []).append(mirror)
    return ((key, tuple(mirrors)) for key, mirrors in groups.items())


def _cause(mirror: MirrorStatus) -> Hashable:
    """Return what two mirrors with the same trouble have in common."""
    failure = mirror["last_failure"]
    if not mirror["reason"] or failure is None:
        return mirror["reason"] or mirror["state"]
    own = {_host(mirror["node"]), _host(mirror["destination"]), mirror["source"]} - {""}
    said = frozenset(_gist(line, own) for line in failure["lines"])
    return mirror["reason"], failure["exit"], said


def _gist(line: str, own: Iterable[str]) -> str:
    """Return a line without what is a mirror's `own` in it."""
    for name in sorted(own, key=len, reverse=True):
        line = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", "*", line)
    return _OWN.sub("*", line)


def _host(node: str) -> str:
    found = _HOST.match(node)
    return found[1] if found else ""


def _label(host: str) -> str:
    """Return the first part of a host's name; of an address there is none."""
    label = host.split(".", maxsplit=1)[0]
    return "" if label.isdecimal() or host.startswith("[") else label


def _order(state: str) -> int:
    return _STUCK.index(state) if state in _STUCK else len(_STUCK)


def _who(mirrors: Sequence[MirrorStatus], status: Snapshot) -> str:
    """Return which mirrors these are: nodes, and where there are several, sources."""
    names = short_names(status) if len({mirror["node"] for mirror in mirrors}) > 1 else {}
    nodes: dict[str, list[MirrorStatus]] = {}
    for mirror in mirrors:
        nodes.setdefault(names.get(mirror["node"], mirror["node"]), []).append(mirror)
    at: dict[tuple[str, ...], list[str]] = {}
    for of_node in nodes.values():
        sources = tuple(dict.fromkeys(mirror["source"] for mirror in of_node))
        lanes = {mirror["lane"]: title(mirror, names) for mirror in of_node}
        at.setdefault(sources, []).extend(lanes.values())
    return "; ".join(f"{_named(found)}{_where(where, status)}" for where, found in at.items())


def _named(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _where(sources: Sequence[str], status: Snapshot) -> str:
    count = len(status["sources"])
    if count == 1:
        return ""
    if len(sources) == count:
        return f" (all {many(count, 'source')})" if count > 2 else " (both sources)"
    return f" ({', '.join(map(printable, sources))})"
