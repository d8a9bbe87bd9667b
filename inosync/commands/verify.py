"""``--verify``: what differs between the sources and their mirrors, contents included.

Runs rsync without writing anything (``--dry-run --checksum``); needs no daemon and minds none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from inosync.commands.side_by_side import Ended, Job, together
from inosync.commands.survey import look_through
from inosync.config.model import Config, Pair
from inosync.config.nodes import pairs_on
from inosync.errors import Exit, InosyncError
from inosync.planning.command import Run, command, patient
from inosync.planning.order import RunKind
from inosync.rsync import links
from inosync.rsync.causes import staying as stays_for
from inosync.rsync.complaints import KEPT, account
from inosync.rsync.destination import Transport
from inosync.rsync.differences import below, counted, differences, line
from inosync.rsync.exits import VANISHED, judge
from inosync.rsync.output import evidence
from inosync.service.preflight import preflight
from inosync.service.runs import places, staying
from inosync.service.service import become, control_directory, run_environment
from inosync.system import control
from inosync.system.lock import addresses, runs
from inosync.text import printable
from inosync.watch.files import changed

#: Seconds that a running daemon is given to carry a change, after ``edelay``.
_CARRY = 2.0


def verify(config: Config, *, node: str, say: Callable[[str], None]) -> int:
    """Compare all mirrors, or those on `node`, and `say` what differs; change nothing.

    Return OK when all are equal, FAILED when one could not be compared, NOT_IN_SYNC when any
    differs. Raise ConfigError, also for a node that does not exist.
    """
    pairs = pairs_on(config.pairs, node)
    program = preflight(config)
    with contextlib.ExitStack() as stack:
        shared = stack.enter_context(control_directory(config))
        # What a daemon has still to send is no drift.
        running = runs(config)
        held = _held(addresses(config.file, config))
        delay = config.emaxdelay + _CARRY if running else 0.0
        become(config)
        environment = run_environment()
        shell = "RSYNC_RSH" in environment
        program = dataclasses.replace(program, checksum="", control=shared, environment_shell=shell)
        since = time.time() - delay
        jobs = [
            Job(
                pair,
                command(Run(patient(pair), RunKind.COMPARISON), config, program),
            )
            for pair in pairs
            if pair.source.path not in held
        ]
        drifted = failed = False
        for pair in pairs:
            if reason := held.get(pair.source.path):
                name = f"{printable(pair.source.path)} -> {pair.destination.shown}"
                say(f"{name}: NOT COMPARED: the daemon holds the source: it {reason}")
                failed = True
        for ended in together(jobs, parallel=config.rparallel, environment=environment, nice=True):
            count, whole = _report(ended, since, say)
            drifted |= count > 0
            failed |= not whole
        asked = list(_about_links([job.key for job in jobs], config.rsync))
        for told in together(asked, parallel=config.rparallel, environment=environment, nice=True):
            pair, found = told.key
            for text in links.findings(told.lines, found, pair.destination):
                say(f"{printable(pair.source.path)} -> {pair.destination.shown}: note: {text}")
    if failed:
        return Exit.FAILED
    return Exit.NOT_IN_SYNC if drifted else Exit.OK


def _about_links(
    pairs: Iterable[Pair], rsync: str
) -> Iterator[Job[tuple[Pair, dict[bytes, bytes]]]]:
    """Give the questions to rsync daemons about the links of the sources."""
    for pair in pairs:
        if pair.destination.transport is not Transport.DAEMON:
            continue
        every = look_through(pair.source, links=sys.maxsize).links
        found = links.in_transfer(pair.source.prefix, every)
        asked = links.question(rsync, pair.destination, pair.node.extra, found)
        if asked is not None:
            yield Job((pair, found), asked.argv, asked.names)


def _held(where: Sequence[control.Address]) -> dict[str, str]:
    """Return the sources that a running daemon holds, and why: none when no daemon answers.

    A mirror of one that is not what it was is not to be like it.
    """
    try:
        status = control.ask(where, "status", timeout=_CARRY)["status"]
    except (InosyncError, TimeoutError, KeyError):
        return {}
    return {each["path"]: each["reason"] for each in status["sources"] if each["state"] == "held"}


def _report(ended: Ended[Pair], since: float, say: Callable[[str], None]) -> tuple[int, bool]:
    """Say what a comparison found; return how many paths differ, and whether it saw everything."""
    pair, prefix = ended.key, os.fsencode(ended.key.source.prefix)
    name = f"{printable(pair.source.path)} -> {pair.destination.shown}"
    count = moving = 0
    stays: list[bytes] = []
    for difference in differences(_heard(ended.lines, stays)):
        if changed(pair.source, below(prefix, difference.path), since):
            moving += 1
            continue
        count += 1
        say(f"{name}: {line(prefix, difference)}")
    for path, inner in staying(pair, account(stays, b"", places(pair)).kept):
        say(f"{name}: note: {stays_for(path, inner, pair.source.filters)}")
    whole = ended.status in (0, VANISHED)
    total = counted(count) if count else "equal"
    if moving:
        total += f"; changed just now and not counted: {moving}"
    if whole:
        say(f"{name}: {total}")
        return count, True
    judgement = judge(ended.status or 0, pair.destination, evidence(ended.errors))
    say(
        f"{name}: COULD NOT BE COMPARED: exit {ended.status}: {judgement.meaning}; {judgement.cure}"
        + (f" ({total} as far as it came)" if count else "")
    )
    for text in (f"command: {shlex.join(ended.argv)}", *evidence(ended.errors)):
        say(f"  {text}")
    return count, False


def _heard(lines: Iterable[bytes], stays: list[bytes]) -> Iterator[bytes]:
    """Give the lines; add to `stays` those that tell of a directory that cannot be deleted."""
    for text in lines:
        if text.startswith(KEPT):
            stays.append(text)
        yield text
