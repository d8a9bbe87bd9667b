"""``--verify``: what differs between the sources and their mirrors, contents included.

Runs rsync without writing anything (``--dry-run --checksum``); needs no daemon and minds none. What
differs is compared once more before it is said: a daemon may have been about to carry it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from inosync.commands.looking import Compared, Looking, both
from inosync.commands.side_by_side import Job, together
from inosync.commands.survey import look_through
from inosync.commands.told import Told, ask, settled
from inosync.config.model import Config, Pair, pairs_on
from inosync.errors import Exit
from inosync.rsync import links
from inosync.rsync.destination import Transport
from inosync.service.connections import control_directory
from inosync.service.preflight import preflight
from inosync.service.privileges import become, run_environment
from inosync.system.lock import addresses, runs
from inosync.text import printable
from inosync.watch.guard import Guard

#: Seconds that a running daemon is given to carry a change, after ``edelay``.
_CARRY = 2.0


def verify(config: Config, *, node: str, say: Callable[[str], None]) -> int:
    """Compare as ``compare`` does; return the worst of what it returns."""
    return worst(compare(config, node=node, say=say))


def worst(ends: Iterable[Exit]) -> int:
    """Return the exit status that stands for several mirrors."""
    return max(ends, key=(Exit.OK, Exit.NOT_IN_SYNC, Exit.FAILED).index)


def compare(config: Config, *, node: str, say: Callable[[str], None]) -> set[Exit]:
    """Compare all mirrors, or those on `node`, and `say` what differs; change nothing.

    Return, beside OK, FAILED when one could not be compared, NOT_IN_SYNC when any differs, or has
    paths that were not compared. Raise ConfigError, also for a node that does not exist.
    """
    pairs = pairs_on(config.pairs, node)
    program = preflight(config)
    with contextlib.ExitStack() as stack:
        shared = stack.enter_context(control_directory(config))
        running, where = runs(config), addresses(config.file, config)
        told = ask(where, pairs, running=running)
        become(config)
        environment = run_environment()
        shell = "RSYNC_RSH" in environment
        program = dataclasses.replace(program, checksum="", control=shared, environment_shell=shell)
        looking = Looking(config, program, environment, say)
        reasons = {pair: told[pair].held or _refused(pair, config) for pair in pairs}
        open_pairs = [pair for pair, reason in reasons.items() if not reason]
        ends = {Exit.OK}
        for pair, reason in reasons.items():
            if reason:
                name = f"{printable(pair.source.path)} -> {pair.destination.shown}"
                say(f"{name}: NOT COMPARED: {reason}")
                ends.add(Exit.FAILED)
        # What a daemon has still to send is no drift.
        longest = max(config.of(pair.source).emaxdelay for pair in pairs)
        delay = longest + _CARRY if running else 0.0
        since = time.time() - delay
        doubtful, ended = _look(looking, open_pairs, told, since, running=running)
        if doubtful and running:
            since = time.time() - (0.0 if settled(where, node, delay) else delay)
            told = ask(where, pairs, running=running)
        ends |= ended | _look_again(looking, doubtful, told, since)
        _note_links(looking, open_pairs)
    return ends


def _look(
    looking: Looking,
    pairs: Sequence[Pair],
    told: Mapping[Pair, Told],
    since: float,
    *,
    running: bool,
) -> tuple[dict[Pair, Compared], set[Exit]]:
    """Compare these mirrors; return which are to be compared again, and the ends of the others."""
    doubtful: dict[Pair, Compared] = {}
    ends = set()
    jobs = [looking.first(pair, told[pair]) for pair in pairs]
    for ended in looking.run(jobs):
        seen = looking.look(ended, since, told[ended.key])
        again = seen.found or (running and seen.moving)
        if again and not seen.why and not seen.count:
            if running:
                seen.found, seen.moving = seen.found | seen.moving, {}
            doubtful[ended.key] = seen
        else:
            ends.add(looking.report(seen))
    return doubtful, ends


def _look_again(
    looking: Looking,
    doubtful: Mapping[Pair, Compared],
    told: Mapping[Pair, Told],
    since: float,
) -> set[Exit]:
    """Compare once more what was seen to differ."""
    ends = set()
    jobs = []
    for pair, seen in doubtful.items():
        job = looking.second(seen, told[pair])
        if job is None:
            ends.add(looking.report(dataclasses.replace(seen, found={})))
        else:
            jobs.append(job)
    for ended in looking.run(jobs):
        before, seen = doubtful[ended.key], looking.look(ended, since, told[ended.key])
        ends.add(looking.report(both(before, seen)))
    return ends


def _refused(pair: Pair, config: Config) -> str:
    """Return why a mirror may not follow its source as it is, in words, or ""."""
    guard = Guard(pair.source, config)
    reason = guard.refusals().get(pair.node.name) or guard.incomplete()
    return f"the source {reason}" if reason else ""


def _note_links(looking: Looking, pairs: Iterable[Pair]) -> None:
    """Say which links of the sources an rsync daemon has altered."""
    questions = list(_about_links(pairs, looking.config.rsync))
    parallel, environment = looking.config.long_runs, looking.environment
    for told in together(questions, parallel=parallel, environment=environment, nice=True):
        pair, found = told.key
        for text in links.findings(told.lines, found, pair.destination):
            looking.say(f"{printable(pair.source.path)} -> {pair.destination.shown}: note: {text}")


def _about_links(
    pairs: Iterable[Pair], rsync: str
) -> Iterator[Job[tuple[Pair, dict[bytes, bytes]]]]:
    """Give the questions to rsync daemons about the links of the sources."""
    for pair in pairs:
        if pair.destination.transport is not Transport.DAEMON:
            continue
        every = look_through(pair.source, links=sys.maxsize).links
        found = links.in_transfer(pair.source.prefix, every)
        asked = links.listing(rsync, pair.destination, pair.node.extra, found)
        if asked is not None:
            yield Job((pair, found), asked.argv, asked.names)
