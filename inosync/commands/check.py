"""``--check``: would this config work, here and on every node? Leaves no trace anywhere.

Looks at the sources, starts the questions to the nodes side by side, and reports line by line.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from inosync.commands import probe, unit
from inosync.commands.interview import Interview
from inosync.commands.probe import OK, PROBLEM, WARNING, Finding
from inosync.commands.survey import Survey, look_through
from inosync.config.model import Config, Source
from inosync.errors import ConfigError, Exit
from inosync.rsync.program import EXACT
from inosync.service.connections import control_directory
from inosync.service.exposure import losing_races
from inosync.service.mandate import missing
from inosync.service.preflight import preflight
from inosync.service.privileges import become
from inosync.system.process import capture
from inosync.system.runtime import user_name
from inosync.text import many, printable
from inosync.watch.blind import heard, unheard, without_marks
from inosync.watch.lookout import Lookout
from inosync.watch.way import exposed


def check(load: Callable[[], Config], *, say: Callable[[str], None]) -> int:
    """Test the config and every node, and `say` what is found.

    Return OK, or USAGE when there is a problem.
    """
    levels = []

    def report(finding: Finding) -> None:
        levels.append(finding.level)
        say(f"{finding.level:<9}{finding.text}")

    try:
        for finding in _findings(load()):
            report(finding)
    except ConfigError as error:
        for problem in error.problems:
            report(Finding(PROBLEM, problem))
    problems, warnings = levels.count(PROBLEM), levels.count(WARNING)
    say(f"{many(problems, 'problem')}, {many(warnings, 'warning')}")
    return Exit.USAGE if problems else Exit.OK


def _findings(config: Config) -> Iterator[Finding]:
    counts = (
        f"{many(len(config.sources), 'source')}, {many(len(config.nodes), 'node')}, "
        f"{many(len(config.pairs), 'mirror')}"
    )
    yield Finding(OK, f"{config.file or 'the command line'}: {counts}")
    for warning in config.warnings:
        yield Finding(WARNING, warning)
    version = preflight(config).version
    dotted = ".".join(map(str, version))
    if version < EXACT:
        text = f"rsync {dotted} compares whole seconds, so that a file may stay stale; "
        yield Finding(WARNING, text + "install 3.1.3 or later")
    else:
        yield Finding(OK, f"rsync {dotted} ({config.rsync})")
    if config.wactive:
        yield from _mandate(config.wactive)
    told = _ask_systemd(config)
    yield from unit.findings(unit.name(config.file), told, config)
    with contextlib.ExitStack() as stack:
        control = stack.enter_context(control_directory(config))
        become(config)
        if unit.user(told, config) in ("", "root"):
            for warning in losing_races(config, version):
                yield Finding(WARNING, warning)
        seen: dict[Source, Survey] = {}
        for source in config.sources:
            seen[source] = look_through(source)
            yield from _source(source, config, seen[source])
        by_watches = [source for source in config.sources if not seen[source].marked]
        count = sum(seen[source].directories for source in by_watches)
        values = _limits()
        short = probe.limits(count, by_watches, values)
        allowed = values.get("max_user_watches", "?")
        text = f"inotify: {many(count, 'directory')} to watch of {allowed} that a user may"
        yield from short or [Finding(OK, text)]
        yield from Interview(config, version, control, seen).ask()


def _mandate(wactive: str) -> Iterator[Finding]:
    """Tell whether this host is the active one, and who may say so."""
    lacking = missing(wactive)
    state = f"on standby: {lacking}" if lacking else "active"
    yield Finding(OK, f"wactive = {printable(repr(wactive))}: this host is {state}")
    for directory, who in exposed(wactive).items() if wactive.startswith("/") else ():
        yield Finding(
            WARNING,
            f"wactive: {who} may write to {directory} and make this host the active one; "
            "choose a directory that is root's",
        )


def _ask_systemd(config: Config) -> str:
    """Return what systemd says of the unit that runs this config; "" where it is not at work."""
    if (name := unit.name(config.file)) and os.path.isdir("/run/systemd/system"):
        with contextlib.suppress(OSError):
            return capture(unit.question(name), timeout=10)
    return ""


# ---- the sources ----------------------------------------------------------------------------


def _source(source: Source, config: Config, seen: Survey) -> Iterator[Finding]:
    name = printable(source.path)
    lookout = Lookout(source, config, root_only=True)
    fault = lookout.open()
    if not fault and lookout.guard.empty():
        fault = "is empty: it would be held; fill it, or set allow_empty = True"
    seen.marked = lookout.marked
    lookout.close()
    if seen.marked:
        yield Finding(OK, f"{name}: watched by its file systems (fanotify)")
    elif lookout.fallback:
        yield Finding(WARNING, f"{name}: {without_marks(lookout.fallback)}")
    if fault:
        yield Finding(PROBLEM, f"{name}: {fault}")
    if kinds := lookout.blind:
        told = heard(config.rpoll, kinds) if config.rpoll else unheard(kinds)
        yield Finding(OK if config.rpoll else WARNING, f"{name}: {told}")
    for directory, who in exposed(source.path).items():
        yield Finding(
            WARNING,
            f"{name}: {who} may write to {directory} and put something else in its place; "
            "chown it to root, or chmod it",
        )
    if seen.closed:
        examples = ", ".join(printable(path) or "." for path in seen.unreadable)
        who = user_name(os.geteuid())
        yield Finding(
            PROBLEM,
            f"{name}: {many(seen.closed, 'path')} cannot be read by {who}, such as {examples}; "
            "give read permission, or exclude them",
        )
    if seen.future:
        examples = ", ".join(map(printable, seen.future))
        yield Finding(
            WARNING, f"{name}: times in the future: {examples}; set the clock, and touch the files"
        )
    yield Finding(
        OK,
        f"{name}: {many(seen.directories, 'directory')} to watch, "
        f"{many(seen.hidden, 'path')} excluded",
    )


def _limits() -> dict[str, int]:
    """Return inotify's limits, inotify(7)."""
    found = {}
    for name in ("max_user_watches", "max_user_instances", "max_queued_events"):
        with contextlib.suppress(OSError, ValueError):
            found[name] = int(Path("/proc/sys/fs/inotify", name).read_text())
    return found


# ---- the nodes ------------------------------------------------------------------------------
