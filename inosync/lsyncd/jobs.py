"""All syncs of an lsyncd config, put together: what one config of ours says of each source.

Owns what becomes of syncs that share a source, which has its rules and its waits once here. Pure:
knows neither Lua nor how a config is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inosync.lsyncd.options import undeleted
from inosync.lsyncd.translate import Sync
from inosync.lsyncd.values import lua
from inosync.rsync.filters import rsync_options

#: Settings of the daemon: one for all sources.
_OF_ALL = ("rparallel", "rsync")
#: Settings of a source that a node may have for itself.
_OF_NODES = ("rscope",)


@dataclass(frozen=True)
class Rules:
    """Patterns, and files of filter rules and of excludes that come behind them."""

    patterns: tuple[str, ...] = ()
    filter_files: tuple[str, ...] = ()
    exclude_files: tuple[str, ...] = ()


@dataclass
class Target:
    """Where a source goes: a node, the settings of its own, and files of rules of its own."""

    node: str
    path: str
    own: dict[str, Any]
    files: Rules = field(default_factory=Rules)


@dataclass
class Job:
    """What is said of one source."""

    source: str
    rules: Rules
    settings: dict[str, Any]
    targets: list[Target]
    notes: list[str]


def jobs(syncs: Sequence[Sync]) -> list[Job]:
    """Return the jobs that the syncs are, one for each source."""
    by_source: dict[str, list[Sync]] = {}
    for sync in syncs:
        by_source.setdefault(sync.source, []).append(sync)
    return [_job(source, alike) for source, alike in by_source.items()]


def of_all(syncs: Sequence[Sync]) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of the daemon, and notes about those of which only one can hold."""
    values: dict[str, Any] = {}
    notes = []
    for sync in syncs:
        for key in [each for each in _OF_ALL if each in sync.settings]:
            value, known = sync.settings[key], values.setdefault(key, sync.settings[key])
            if key == "rparallel":
                values[key] = max(value, known)
            elif value != known:
                notes.append(f"{key} = {lua(value)}: one for all, the first")
    return values, notes


def _job(source: str, syncs: Sequence[Sync]) -> Job:
    notes = [note for sync in syncs for note in sync.notes]
    first: dict[tuple[str, str], Sync] = {}
    for sync in syncs:
        known = first.setdefault((sync.node, sync.path), sync)
        if known is not sync and _said(known) != _said(sync):
            notes.append(f"a second sync to {sync.node}{sync.path}, which differs, is left out")
    chosen = list(first.values())
    settings, apart = _settings(chosen, notes)
    targets = [Target(s.node, s.path, s.own | own) for s, own in zip(chosen, apart, strict=True)]
    rules = [_rules(sync) for sync in chosen]
    alike = all(each == rules[0] for each in rules)
    shared = rules[0] if alike else _divide(rules, targets, settings, notes)
    return Job(source, shared, settings, targets, notes)


def _said(sync: Sync) -> tuple[object, ...]:
    return sync.settings, sync.own, _rules(sync)


def _rules(sync: Sync) -> Rules:
    return Rules(tuple(sync.excludes), tuple(sync.filter_files), tuple(sync.exclude_files))


def _settings(
    syncs: Sequence[Sync], notes: list[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the settings of a source, and what each of its syncs has for itself."""
    settings: dict[str, Any] = {}
    apart: list[dict[str, Any]] = [{} for _ in syncs]
    for key in dict.fromkeys(key for sync in syncs for key in sync.settings):
        values = [sync.settings.get(key) for sync in syncs]
        if key in _OF_ALL:
            continue
        if all(value == values[0] for value in values):
            settings[key] = values[0]
        elif key in _OF_NODES:
            for own, value in zip(apart, values, strict=True):
                own.update({} if value is None else {key: value})
        elif (value := _one_of(key, values)) is not None:
            settings[key] = value
            notes.append(f"{key} = {value}: the syncs of this source differ, and it has one here")
        else:
            notes.append(f"{key}: the syncs of this source differ; left out")
    return settings, apart


def _one_of(key: str, values: Sequence[Any]) -> Any:
    """Return the value for a source whose syncs differ: what makes none of them wait longer."""
    known = [value for value in values if value is not None]
    return None if key == "init" else min(known)


def _divide(
    rules: Sequence[Rules],
    targets: Sequence[Target],
    settings: Mapping[str, Any],
    notes: list[str],
) -> Rules:
    """Return the rules with which all begin; have those behind them among the targets' options.

    The first rule that matches decides, so that it makes no difference where they stand.
    """
    count = 0
    heads = zip(*(each.patterns for each in rules), strict=False)
    for head in heads:
        if len(set(head)) > 1:
            break
        count += 1
    for each, target in zip(rules, targets, strict=True):
        words = rsync_options(each.patterns[count:])
        target.files = Rules((), each.filter_files, each.exclude_files)
        if words:
            target.own["extra"] = [*target.own.get("extra", ()), *words]
        if words or target.files != Rules():
            place = f"{target.node}{target.path}"
            own = "its own excludes are among its options; with these each run passes over the tree"
            notes.append(f"{place}: {own}")
            if settings.get("rscope") == "changes":
                target.own["rscope"] = "tree"
            if target.own.get("rdelete") == "seen":
                target.own["rdelete"] = "never"
                notes.append(f"{place}: {undeleted('these')}")
    return Rules(rules[0].patterns[:count])
