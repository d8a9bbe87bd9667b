"""All nodes of a config asked side by side, for ``--check``; the questions are probe's."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from inosync.commands import probe
from inosync.commands.probe import OK, PROBLEM, WARNING, Finding
from inosync.commands.side_by_side import Ended, Job, together
from inosync.commands.survey import Survey
from inosync.config.model import Config, Pair, Source
from inosync.config.overlaps import mirror_overlaps
from inosync.planning.command import Run, command
from inosync.planning.order import RunKind
from inosync.rsync.destination import Destination, Transport
from inosync.rsync.options import options
from inosync.rsync.program import Program
from inosync.service.service import run_environment
from inosync.text import printable

#: Seconds that a node has for each question; fewer if its ``rtimeout`` is.
_LIMIT = 20.0

#: Questions asked at once.
_PARALLEL = 16

#: Since then rsync can compare fractions of seconds.
_FRACTIONS = (3, 1, 3)


class Interview:
    """Asks all nodes, and collects by mirror what their answers say."""

    def __init__(
        self,
        config: Config,
        version: tuple[int, int, int],
        control: str,
        seen: Mapping[Source, Survey],
    ) -> None:
        self._config = config
        self._version = version
        self._control = control
        self._seen = seen
        self._environment = run_environment()
        limits = [pair.node.rtimeout for pair in config.pairs if pair.node.rtimeout]
        self._seconds = min([_LIMIT, *limits])
        self._found: dict[int, list[Finding]] = {i: [] for i in range(len(config.pairs))}
        self._lines: dict[int, list[bytes]] = {}
        self._refused: dict[int, Finding] = {}
        self._here: dict[int, Destination] = {}
        self._sure: set[int] = set()  # mirrors of which it is known that they can be written to

    def ask(self) -> Iterator[Finding]:
        """Ask, and return all findings in the order of the config."""
        first = [job for index in self._found for job in self._questions(index)]
        for ended in self._together(first):
            kind, index = ended.key
            if kind == "rules":
                pair, said = self._config.pairs[index], ended.errors.decode("utf-8", "replace")
                if wrong := probe.wrong_rule(pair, ended.status or 0, said):
                    self._add(index, Finding(PROBLEM, f"exit {ended.status}: {wrong}"))
            elif kind == "script":
                self._answered(index, probe.answers(ended.lines))
            else:
                self._rehearsed(index, ended)
        second = [job for index in self._lines for job in self._follow_ups(index)]
        for ended in self._together(second):
            self._followed_up(ended)
        self._overlaps()
        for index, pair in enumerate(self._config.pairs):
            name = f"{printable(pair.source.path)} -> {pair.destination.shown}"
            found = self._found[index]
            if index in self._refused and all(finding.level != PROBLEM for finding in found):
                found.append(self._refused[index])  # else its cause is told already
            for finding in found:
                yield Finding(finding.level, f"{name}: {finding.text}")
            if all(finding.level != PROBLEM for finding in found):
                unsure = "" if index in self._sure else "; permissions show only when it is written"
                yield Finding(OK, f"{name}: reachable{unsure}")

    def _together(self, jobs: list[Job[tuple[str, int]]]) -> Iterator[Ended[tuple[str, int]]]:
        return together(
            jobs, parallel=_PARALLEL, environment=self._environment, seconds=self._seconds
        )

    def _add(self, index: int, finding: Finding) -> None:
        self._found[index].append(finding)

    def _questions(self, index: int) -> Iterator[Job[tuple[str, int]]]:
        pair = self._config.pairs[index]
        if pair.destination.transport is Transport.LOCAL:
            told = _local(pair)
            self._found[index] += probe.directory(pair, told)
            self._sure.add(index)
        yield Job(("rehearsal", index), probe.rehearsal(self._argv(pair)), self._names(pair))
        if rules := probe.rules(pair, self._config.rsync):
            yield Job(("rules", index), rules)
        script = probe.script(pair, self._control, environment_shell=self._own_shell)
        if script:
            yield Job(("script", index), script)

    @property
    def _own_shell(self) -> bool:
        return "RSYNC_RSH" in self._environment

    def _argv(self, pair: Pair) -> list[str]:
        program = Program(self._version, control=self._control, environment_shell=self._own_shell)
        return command(Run(pair, RunKind.REHEARSAL, listed=True), self._config, program)

    def _names(self, pair: Pair) -> bytes:
        """Return the sample as rsync reads names: from the top of the transfer."""
        prefix = os.fsencode(pair.source.prefix)
        sample = self._seen[pair.source].sample
        return b"".join(os.path.join(prefix, path) + b"\0" for path in sample)

    def _answered(self, index: int, told: dict[str, str]) -> None:
        pair = self._config.pairs[index]
        if "there" not in told:
            return  # rsync's own failure says why, or the shell is restricted to rsync
        self._sure.add(index)
        self._found[index] += probe.directory(pair, told)
        self._found[index] += probe.rsync_and_clock(pair, told, time.time())
        status = os.stat(pair.source.path)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        source = f"{status.st_dev}:{status.st_ino}"
        found = probe.local_mirror(pair, told, boot=boot, source=source)
        if found is not None:
            self._here[index] = found

    def _rehearsed(self, index: int, ended: Ended[tuple[str, int]]) -> None:
        pair = self._config.pairs[index]
        refused = probe.refusal(pair, ended.status, ended.errors, self._seconds)
        if refused is None:
            self._lines[index] = list(ended.lines)
        else:
            self._refused[index] = refused
        host = pair.destination.host
        if pair.destination.transport is Transport.DAEMON and probe.names_us(
            host, os.uname().nodename
        ):
            text = "is this machine: make sure that the module does not lie in a source"
            self._add(index, Finding(WARNING, text))

    def _follow_ups(self, index: int) -> Iterator[Job[tuple[str, int]]]:
        pair = self._config.pairs[index]
        above = probe.parent(pair)
        if above is not None and probe.missing(self._lines[index]):
            yield Job(("parent", index), self._listing(pair, above))
        fractions = self._version >= _FRACTIONS
        if fractions and not options(pair.node.extra) & {"--modify-window", "-@"}:
            argv = probe.rehearsal(self._argv(pair), "--modify-window=0")
            yield Job(("seconds", index), argv, self._names(pair))

    def _listing(self, pair: Pair, above: Destination) -> list[str]:
        argv = [self._config.rsync, "--list-only", "--dirs", "--no-motd", "--contimeout=10"]
        return [*argv, *pair.node.extra, "--", above.text]

    def _followed_up(self, ended: Ended[tuple[str, int]]) -> None:
        kind, index = ended.key
        if kind == "parent":
            if ended.status == 23:
                text = "the parent directory does not exist there; create it"
                self._add(index, Finding(PROBLEM, f"{text} (rsync makes one level only)"))
            return
        names = len(self._seen[self._config.pairs[index].source].sample)
        if ended.status == 0 and probe.imprecise(self._lines[index], ended.lines, names):
            text = "keeps no fractions of seconds, so that each pass would send everything again; "
            text += 'give this node extra = "--modify-window=0"'
            self._add(index, Finding(PROBLEM, text))

    def _overlaps(self) -> None:
        """Find mirrors on this machine, reached by ssh, that lie in a source or hold one."""
        pairs = [
            dataclasses.replace(pair, destination=self._here.get(index, pair.destination))
            for index, pair in enumerate(self._config.pairs)
        ]
        for index, what in mirror_overlaps(pairs):
            if index in self._here:
                self._add(index, Finding(PROBLEM, f"is this machine, and {what}"))


def _local(pair: Pair) -> dict[str, str]:
    """Return for a local mirror what the script answers for others."""
    path = pair.destination.path.rstrip("/")
    there = "yes" if os.path.isdir(path) else "file" if os.path.exists(path) else "no"
    near = path if there == "yes" else os.path.dirname(path) or "/"
    if not os.path.isdir(near):
        return {"there": "lost", "writable": "no"}
    space = os.statvfs(near)
    return {
        "there": there,
        "writable": "yes" if os.access(near, os.W_OK | os.X_OK) else "no",
        # Some file systems do not count what they have.
        "room": "0" if space.f_blocks and not space.f_bavail else "",
    }
