"""``--kept [PATH]``: what the nodes keep of what runs have overwritten and deleted (``rkeep``).

Lists it with rsync, day by day; needs no daemon.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from inosync.commands.places import find
from inosync.commands.side_by_side import Ended, Job, together
from inosync.config.model import Config, Pair, Source, pairs_on
from inosync.errors import ConfigError, Exit, InosyncError
from inosync.planning.keeping import listing
from inosync.rsync.differences import below
from inosync.rsync.exits import judge
from inosync.rsync.kept import KEPT, nothing_yet, write_only
from inosync.rsync.output import evidence
from inosync.rsync.program import Program
from inosync.rsync.versions import Version, days, versions
from inosync.service.connections import control_directory
from inosync.service.preflight import preflight
from inosync.service.privileges import become, run_environment
from inosync.text import printable


@dataclass(frozen=True)
class Asking:
    """How nodes are asked: the local rsync, and what it finds in its environment."""

    config: Config
    program: Program
    environment: Mapping[str, str]


@contextlib.contextmanager
def asking(config: Config) -> Iterator[Asking]:
    """Be ready to ask nodes, as the user that the daemon runs as."""
    program = preflight(config)
    with control_directory(config) as shared:
        become(config)
        environment = run_environment()
        shell = "RSYNC_RSH" in environment
        program = dataclasses.replace(program, checksum="", control=shared, environment_shell=shell)
        # What rsync lists are times by our clock on the wall; UTC has no hour twice.
        yield Asking(config, program, {**environment, "TZ": "UTC"})


def keeping(config: Config, source: Source | None, node: str) -> list[Pair]:
    """Return the mirrors of `source`, or of all, that keep something.

    Raise ConfigError when there are none.
    """
    found = [
        pair
        for pair in pairs_on(config.pairs, node)
        if pair.node.rkeep and (source is None or pair.source == source)
    ]
    if not found:
        where = f"node {printable(node)} keeps" if node else "no node keeps"
        nothing = "nothing" if node else "anything"
        raise ConfigError([f"{where} {nothing}; set rkeep, and see docs/undo.rst"])
    return found


def place(config: Config, path: str, asked: str, node: str) -> tuple[Source, bytes]:
    """Return the innermost source with `path` of which something is kept, and where in it.

    If nothing is kept of any, the innermost. Raise ConfigError if `path` lies in none.
    """
    found = find(config, path, asked)
    keep = {pair.source.path for pair in pairs_on(config.pairs, node) if pair.node.rkeep}
    return next((each for each in found if each[0].path in keep), found[0])


def kept(config: Config, path: str, *, node: str, as_json: bool, say: Callable[[str], None]) -> int:
    """Say what is kept of `path`, or of everything for ``""``, the newest first."""
    source, relative = place(config, path, "--kept", node) if path else (None, b"")
    told: list[dict[str, object]] = []
    failed = False
    with asking(config) as how:
        for pair in keeping(config, source, node):
            name = f"{printable(pair.source.path)} -> {pair.destination.shown}"
            try:
                found = gather(how, pair, relative)
            except InosyncError as error:
                failed = True
                say(f"{name}: {error}") if not as_json else None
                told.append(
                    {"source": pair.source.path, "node": pair.node.name, "error": str(error)}
                )
                continue
            judged = list(fates(pair, found))
            rows = [_row(pair, version, what) for version, what in judged]
            told += rows
            if not as_json:
                say(f"{name}: {len(rows)} kept" + (":" if rows else ""))
                for (version, what), row in zip(judged, rows, strict=True):
                    shown = printable(str(row["path"]))
                    say(f"  {local(version.at)}  {what:<11} {version.size:>12}  {shown}")
    if as_json:
        say(json.dumps(told, indent=2))
    return Exit.FAILED if failed else Exit.OK


def gather(how: Asking, pair: Pair, relative: bytes) -> list[Version]:
    """Return what a node keeps of a path of the source, or below it, the newest first.

    Raise InosyncError when it cannot be read, with what to do.
    """
    top = in_transfer(pair, relative)
    found: list[Version] = []
    wanted: list[str] = []
    first = [Job("", listing(pair, how.config, how.program))]
    for ended in together(first, parallel=1, environment=how.environment):
        wanted = days(_read(pair, ended))
    jobs = [Job(day, listing(pair, how.config, how.program, day=day, path=top)) for day in wanted]
    most = min(4, how.config.long_runs)
    for ended in together(jobs, parallel=most, environment=how.environment):
        found += versions(ended.key, _read(pair, ended))
    inside = [version for version in found if below(_prefix(pair), version.path) is not None]
    return sorted(inside, key=lambda each: (-each.at, each.path))


def in_transfer(pair: Pair, relative: bytes) -> bytes:
    """Return how a path of the source is called in the transfer, and so where it is kept."""
    return b"/".join(part for part in (_prefix(pair), relative) if part)


def fates(pair: Pair, found: Iterable[Version]) -> Iterator[tuple[Version, str]]:
    """Give versions, the newest first as they come, each with what happened to it.

    What is nowhere any more was deleted, and all that something came after was overwritten.
    """
    followed: set[bytes] = set()
    for version in found:
        here = os.path.join(
            os.fsencode(pair.source.path), below(_prefix(pair), version.path) or b""
        )
        gone = version.path not in followed and not os.path.lexists(here)
        followed.add(version.path)
        yield version, "deleted" if gone else "overwritten"


def local(at: float) -> str:
    """Return a time as people here write it, and --at takes it."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _prefix(pair: Pair) -> bytes:
    return os.fsencode(pair.source.prefix)


def _row(pair: Pair, version: Version, what: str) -> dict[str, object]:
    path = os.path.join(pair.source.path, os.fsdecode(below(_prefix(pair), version.path) or b""))
    return {
        "source": pair.source.path,
        "node": pair.node.name,
        "path": path,
        "at": version.at,
        "what": what,
        "size": version.size,
        "folder": f"{KEPT}/{version.folder}",
    }


def _read(pair: Pair, ended: Ended[str]) -> Iterable[bytes]:
    """Return the lines of a list. Raise InosyncError when there is none."""
    said = ended.errors.decode("utf-8", "replace").splitlines()
    if ended.status == 0 or nothing_yet(said):
        return list(ended.lines)
    there = pair.destination.below(KEPT)
    if write_only(said):
        inside = there.path if there.path.startswith("/") else f"./{there.path}"
        raise InosyncError(
            f"can only be written to from here; on {pair.destination.host or 'the node'}, run: "
            f"find {printable(inside)} -type f  (as seen from where its key or module begins)"
        )
    lines = evidence(ended.errors)
    judgement = judge(ended.status or 0, pair.destination, lines)
    more = f" ({lines[0].strip()})" if lines else ""
    raise InosyncError(f"COULD NOT BE READ: {judgement.meaning}{more}; {judgement.cure}")
