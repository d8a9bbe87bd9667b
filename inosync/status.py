"""The snapshot of what goes on, for people.

Pure: reads the engine and what it is given; changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from inosync.engine import Engine, SourceState
from inosync.mirror import Mirror
from inosync.text import printable


class Watching(Protocol):
    """What is to be known of a source's watches."""

    @property
    def watched(self) -> int:
        """How many directories are watched."""

    @property
    def unwatched(self) -> Mapping[bytes, str]:
        """Directories without a watch, and why."""

    @property
    def events(self) -> int:
        """Events read so far."""

    @property
    def overflows(self) -> int:
        """How often the kernel's queue ran over."""


def lines(engine: Engine, watching: Mapping[str, Watching | None], now: float) -> list[str]:
    """Return the state of every source and mirror at `now` (monotonic seconds), a line each."""
    result = []
    for path, state in engine.sources.items():
        result.append(_source(state, watching.get(path)))
        result += [
            _mirror(mirror, now) for mirror in engine.mirrors if mirror.pair.source.path == path
        ]
    return result


def _source(state: SourceState, watcher: Watching | None) -> str:
    condition = "watched" if state.watched else "setting up"
    if state.held:
        condition = f"held: {state.held}"
    text = f"source {printable(state.source.path)}: {condition}"
    if watcher is not None:
        text += f", {watcher.watched} directories, {watcher.events} events"
        text += f", {watcher.overflows} overflows"
        if watcher.unwatched:
            text += f", {len(watcher.unwatched)} directories unwatched"
    return text


def _mirror(mirror: Mirror, now: float) -> str:
    text = f"mirror {mirror.name}: {mirror.state.value}"
    if mirror.reason:
        text += f" ({mirror.reason})"
    since = mirror.since
    text += f", {now - since:.1f} s behind" if since is not None else ", in sync"
    if mirror.retry_at is not None:
        text += f", next try in {max(0.0, mirror.retry_at - now):.0f} s"
    return text + f", {mirror.runs} runs, {mirror.failures} failed"
