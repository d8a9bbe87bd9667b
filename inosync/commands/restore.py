"""``--restore PATH``: brings back what a node keeps of a path, as it was at some time (``rkeep``).

Needs no daemon. A daemon that runs mirrors what was brought back like any other change.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from inosync.changes.changes import with_parents
from inosync.commands.kept import Asking, asking, gather, in_transfer, keeping, local, place
from inosync.commands.side_by_side import Job, together
from inosync.config.model import Config, Pair, Source
from inosync.errors import ConfigError, Exit, InosyncError
from inosync.planning.keeping import Bringing, restoring
from inosync.rsync.exits import PARTIAL, judge
from inosync.rsync.kept import KEPT, folder
from inosync.rsync.output import evidence
from inosync.rsync.versions import Version, chosen
from inosync.text import printable

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}
_AGO = re.compile(rf"(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})s?(?:\s+ago)?")
#: As many paths are named that would be brought back.
_SHOWN = 20


@dataclass(frozen=True)
class Request:
    """What is to be brought back: ``at`` a time as a person writes it, ``to`` a directory.

    ``at`` may be ``""``: what was deleted last; and ``to``: the source itself. With ``pretend`` it
    is only shown. ``agree`` is asked before something is overwritten.
    """

    path: str
    at: str
    node: str
    to: str
    pretend: bool
    agree: Callable[[str], bool]


def restore(config: Config, request: Request, say: Callable[[str], None]) -> int:
    """Bring back what was asked for, and say what; return FAILED when there is nothing of it.

    Raise ConfigError when no node keeps it, InosyncError when none can be read.
    """
    when = moment_of(request.at, time.time()) if request.at else None
    source, relative = place(config, request.path, "--restore", request.node)
    with asking(config) as how:
        pair, found = _first(how, keeping(config, source, request.node), relative)
        # Where names of the transfer begin that are below the directory to restore into.
        start = in_transfer(pair, relative.rpartition(b"/")[0] if request.to else b"")
        to = os.path.abspath(request.to) if request.to else source.path

        def there(version: Version) -> bool:
            return os.path.lexists(os.path.join(os.fsencode(to), version.below(start)))

        top = in_transfer(pair, relative)
        picked, later = chosen(found, when, lambda each: each.path == top or not there(each))
        shown = printable(os.path.join(source.path, os.fsdecode(relative)).rstrip("/"))
        if later:
            say(f"{len(later)} that came only after that time are left out")
        if not picked:
            say(f"{shown}: nothing to bring back is kept by {pair.destination.shown}; see --kept")
            return Exit.FAILED
        replaced = len({_in_the_way(to, version.below(start)) for version in picked} - {b""})
        _tell(pair, source, picked, say)
        text = f"{len(picked)} to bring back from {pair.destination.shown} into {printable(to)}"
        say(text + (f", {replaced} in the place of what is there" if replaced else ""))
        if request.pretend:
            return Exit.OK
        if replaced and not request.agree(f"{shown}: replace {replaced} that are there?"):
            say("nothing was changed")
            return Exit.FAILED
        keep = folder(time.time())
        known = (pair, how.config, how.program, picked)
        run = restoring(*known, below=start, to=to, keep=keep)
        try:
            with room(to, keep) if replaced else contextlib.nullcontext():
                _carry(how, run, pair, to)
            say(f"{shown}: brought back")
        finally:
            _tell_kept(to, keep, say)
    if not request.to and exceeds(config, source, replaced):
        say(f"{replaced} are overwritten: rmaxchange holds mirrors, until inosync --sync")
    return Exit.OK


def exceeds(config: Config, source: Source, replaced: int) -> bool:
    """Return whether a mirror of `source` is held before so many files are overwritten."""
    nodes = (pair.node for pair in config.pairs if pair.source == source)
    return any(0 < node.rmaxchange < replaced for node in nodes)


def moment_of(text: str, now: float) -> float:
    """Return the Unix time that a person means. Raise ConfigError if it cannot be read."""
    wanted = text.strip().lower()
    if wanted == "yesterday":
        return now - 86_400
    if found := _AGO.fullmatch(wanted):
        return now - float(found[1]) * _UNITS[found[2]]
    if re.fullmatch(r"\d\d:\d\d(:\d\d)?", wanted):
        wanted = f"{datetime.fromtimestamp(now, UTC).astimezone():%Y-%m-%d} {wanted}"
    try:
        return datetime.fromisoformat(wanted.upper()).timestamp()
    except ValueError:
        cure = "write it as 2026-11-27 14:03, 14:03, yesterday or 2 hours ago"
        raise ConfigError([f"--at {printable(text)}: is no time; {cure}"]) from None


@contextlib.contextmanager
def room(to: str, keep: str) -> Iterator[None]:
    """Make the way to the folder for what gives way, and remove it if nothing did.

    Two processes of rsync (3.5.0) put things aside, and both make that folder. Where one makes a
    part of the way between two looks of the other, that ends without a word, and the run with it.
    """
    top = os.path.join(to, KEPT)
    ways = [top, os.path.join(top, os.path.dirname(keep))]
    if os.path.islink(top):  # rsync refuses to follow it, and says so
        ways = []
    for way in ways:
        with contextlib.suppress(OSError):
            os.mkdir(way)
    try:
        yield
    finally:
        for way in reversed(ways):
            with contextlib.suppress(OSError):
                os.rmdir(way)
        with contextlib.suppress(OSError):
            os.utime(to)  # no event tells of a directory that is hidden, and it has changed this


def _first(how: Asking, pairs: list[Pair], relative: bytes) -> tuple[Pair, list[Version]]:
    """Return the first mirror that can be read, and the versions that it keeps."""
    problems = []
    for pair in pairs:
        try:
            return pair, gather(how, pair, relative)
        except InosyncError as error:
            problems.append(f"{pair.destination.shown}: {error}")
    raise InosyncError("; ".join(problems))


def _tell(pair: Pair, source: Source, picked: list[Version], say: Callable[[str], None]) -> None:
    """Say what would be brought back."""
    top = in_transfer(pair, b"")
    for version in picked[:_SHOWN]:
        path = os.path.join(os.fsencode(source.path), version.below(top))
        say(f"  {printable(path)}  (was there until {local(version.at)}, {version.size} bytes)")
    if len(picked) > _SHOWN:
        say(f"  and {len(picked) - _SHOWN} more")


def _tell_kept(to: str, keep: str, say: Callable[[str], None]) -> None:
    """Say where that is which gave way, however the run ended."""
    before = os.path.join(to, KEPT, keep)
    if os.path.isdir(before):
        say(f"what was there is in {printable(before)} now; remove it when it has no use")


def _in_the_way(to: str, path: bytes) -> bytes:
    """Return what gives way to a path below `to`: what is there, or is no directory on the way."""
    for way in reversed([*with_parents(path)]):
        try:
            mode = os.lstat(os.path.join(os.fsencode(to), way)).st_mode
        except OSError:
            return b""
        if way == path or not stat.S_ISDIR(mode):
            return way
    return b""


def _carry(how: Asking, run: Bringing, pair: Pair, to: str) -> None:
    """Run rsync. Raise InosyncError when it fails."""
    os.makedirs(to, exist_ok=True)
    job = Job("", run.argv, run.names)
    for ended in together([job], parallel=1, environment=how.environment):
        if ended.status == 0:
            return
        said = evidence(ended.errors)
        judgement = judge(ended.status or 0, pair.destination, said)
        # What a mirror sends again, this does not.
        cure = "see the lines below" if ended.status == PARTIAL else judgement.cure
        text = f"not all could be brought back: {judgement.meaning}; {cure}"
        more = (f"  command: {shlex.join(run.argv)}", *(f"  {line}" for line in said))
        raise InosyncError("\n".join((text, *more)))
