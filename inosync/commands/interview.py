"""All nodes of a config asked side by side, for ``--check``.

The questions, and what the answers mean, are told in probe.py and rehearsals.py.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from inosync.commands import probe, rehearsals
from inosync.commands.probe import OK, PROBLEM, WARNING, Finding
from inosync.commands.side_by_side import Ended, Job, together
from inosync.commands.survey import Survey
from inosync.config.model import Config, Pair, Source
from inosync.config.overlaps import mirror_overlaps
from inosync.planning.command import WINDOW, command, modify_window
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.rsync.destination import Destination, Transport
from inosync.rsync.links import findings, in_transfer, listing
from inosync.rsync.options import options
from inosync.rsync.program import EXACT, Program
from inosync.rsync.tls import tls_words
from inosync.service.privileges import run_environment
from inosync.text import printable

#: Seconds that a node has for each question; fewer if its ``rtimeout`` is.
_LIMIT = 20.0

#: Questions asked at once.
_PARALLEL = 16


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
        self._pairs = config.pairs
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
        self._dead: set[tuple[str, str, int] | None] = set()  # hosts that ssh does not reach
        self._alone: list[int] = []  # mirrors to be asked once more, one by one
        self._sure: set[int] = set()  # mirrors of which it is known that they can be written to

    def ask(self) -> Iterator[Finding]:
        """Ask, and return all findings in the order of the config."""
        for jobs in self._rounds():
            for ended in self._together(jobs):
                self._answered(ended)
        for index in self._alone:  # what another run had kept out
            for ended in self._together([self._rehearsal(index)]):
                self._rehearsed(index, ended)
        second = [job for index in self._lines for job in self._follow_ups(index)]
        for ended in self._together(second):
            self._followed_up(ended)
        self._overlaps()
        for index, pair in enumerate(self._pairs):
            name = f"{printable(pair.source.path)} -> {pair.destination.shown}"
            found = self._found[index]
            if index in self._refused and all(finding.level != PROBLEM for finding in found):
                found.append(self._refused[index])  # else its cause is told already
            for finding in found:
                yield Finding(finding.level, f"{name}: {finding.text}")
            if all(finding.level != PROBLEM for finding in found):
                unsure = "" if index in self._sure else "; permissions show only when it is written"
                yield Finding(OK, f"{name}: reachable{unsure}")

    def _rounds(self) -> Iterator[list[Job[tuple[str, int]]]]:
        """Give the first questions: one to each host that ssh leads to, then all others.

        The others find its connection open, and need not race for one, or for what sshd lets in.
        """
        first = [job for index in self._found for job in self._questions(index)]
        openers: dict[tuple[str, str, int], Job[tuple[str, int]]] = {}
        for job in first:
            if (host := self._host(job)) and job.key[0] == "rehearsal":
                openers.setdefault(host, job)
        yield list(openers.values())
        for job in openers.values():
            first.remove(job)
        yield [job for job in first if job.key[0] != "script" or self._host(job) not in self._dead]

    def _host(self, job: Job[tuple[str, int]]) -> tuple[str, str, int] | None:
        to = self._pairs[job.key[1]].destination
        return (to.user, to.host, to.port) if to.transport is Transport.SSH else None

    def _together(self, jobs: list[Job[tuple[str, int]]]) -> Iterator[Ended[tuple[str, int]]]:
        return together(
            jobs, parallel=_PARALLEL, environment=self._environment, seconds=self._seconds
        )

    def _add(self, index: int, finding: Finding) -> None:
        self._found[index].append(finding)

    def _questions(self, index: int) -> Iterator[Job[tuple[str, int]]]:
        pair = self._pairs[index]
        if pair.destination.transport is Transport.LOCAL:
            told = _local(pair)
            self._found[index] += probe.directory(pair, told) + probe.owners(pair, told)
            self._sure.add(index)
        yield self._rehearsal(index)
        if rules := rehearsals.rules(pair, self._config.rsync):
            yield Job(("rules", index), rules)
        script = probe.script(pair, self._control, environment_shell=self._own_shell)
        if script:
            yield Job(("script", index), script)

    def _rehearsal(self, index: int) -> Job[tuple[str, int]]:
        pair = self._pairs[index]
        return Job(("rehearsal", index), rehearsals.rehearsal(self._argv(pair)), self._names(pair))

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

    def _answered(self, ended: Ended[tuple[str, int]]) -> None:
        """Take the answer to one of the first questions."""
        kind, index = ended.key
        pair = self._pairs[index]
        if kind == "rules":
            said = ended.errors.decode("utf-8", "replace")
            if wrong := rehearsals.wrong_rule(pair, ended.status or 0, said):
                self._add(index, Finding(PROBLEM, f"exit {ended.status}: {wrong}"))
        elif kind == "script":
            self._told(index, probe.answers(ended.lines), ended.errors)
        elif taken := rehearsals.taken(pair, ended.errors):
            self._add(index, taken)
            self._alone.append(index)
        else:
            self._rehearsed(index, ended)

    def _told(self, index: int, told: dict[str, str], errors: bytes) -> None:
        pair = self._pairs[index]
        self._found[index] += probe.key(pair, told, errors)
        if "there" not in told:
            return  # rsync's own failure says why, or the shell is restricted to rsync
        self._sure.add(index)
        self._found[index] += probe.directory(pair, told) + probe.owners(pair, told)
        self._found[index] += probe.rsync_and_clock(
            pair, told, time.time(), exact=self._exact(pair)
        )
        status = os.stat(pair.source.path)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        source = f"{status.st_dev}:{status.st_ino}"
        found = probe.local_mirror(pair, told, boot=boot, source=source)
        if found is not None:
            self._here[index] = found

    def _rehearsed(self, index: int, ended: Ended[tuple[str, int]]) -> None:
        pair = self._pairs[index]
        refused = rehearsals.refused(pair, ended.status, ended.errors, self._seconds)
        if refused is None:
            self._lines[index] = list(ended.lines)
        else:
            self._refused[index] = refused
            to = pair.destination
            if ended.status in (None, 255):
                self._dead.add((to.user, to.host, to.port))
        host = pair.destination.host
        if pair.destination.transport is Transport.DAEMON and probe.names_us(
            host, os.uname().nodename
        ):
            text = "is this machine: make sure that the module does not lie in a source"
            self._add(index, Finding(WARNING, text))

    def _follow_ups(self, index: int) -> Iterator[Job[tuple[str, int]]]:
        pair = self._pairs[index]
        above = rehearsals.parent(pair)
        if above is not None and rehearsals.missing(self._lines[index]):
            yield Job(("parent", index), self._listing(pair, above))
        if self._exact(pair):
            argv = rehearsals.rehearsal(self._argv(pair), modify_window(pair, 0))
            yield Job(("seconds", index), argv, self._names(pair))
        asked = listing(
            self._config.rsync,
            pair.destination,
            pair.node.extra,
            self._links(pair),
            reach=_reach(pair),
        )
        if asked is not None:
            yield Job(("links", index), asked.argv, asked.names)

    def _links(self, pair: Pair) -> dict[bytes, bytes]:
        return in_transfer(pair.source.prefix, self._seen[pair.source].links)

    def _exact(self, pair: Pair) -> bool:
        """Return whether runs compare fractions of seconds."""
        return self._version >= EXACT and options(pair.node.extra).isdisjoint(WINDOW)

    def _listing(self, pair: Pair, above: Destination) -> list[str]:
        argv = [self._config.rsync, "--list-only", "--dirs", "--no-motd"]
        return [*argv, *_reach(pair), *pair.node.extra, "--", above.text]

    def _followed_up(self, ended: Ended[tuple[str, int]]) -> None:
        kind, index = ended.key
        if kind == "parent":
            if ended.status == 23:
                text = "the parent directory does not exist there; create it"
                self._add(index, Finding(PROBLEM, f"{text} (rsync makes one level only)"))
            return
        if kind == "links":
            pair = self._pairs[index]
            for text in findings(ended.lines, self._links(pair), pair.destination):
                self._add(index, Finding(WARNING, text))
            return
        names = len(self._seen[self._pairs[index].source].sample)
        if ended.status == 0 and rehearsals.imprecise(self._lines[index], ended.lines, names):
            text = "keeps no fractions of seconds, so that each pass would send everything again; "
            text += 'give this node extra = "--modify-window=0"'
            self._add(index, Finding(PROBLEM, text))

    def _overlaps(self) -> None:
        """Find mirrors on this machine, reached by ssh, that lie in a source or hold one."""
        pairs = [
            dataclasses.replace(pair, destination=self._here.get(index, pair.destination))
            for index, pair in enumerate(self._pairs)
        ]
        for index, what in mirror_overlaps(pairs):
            if index in self._here:
                self._add(index, Finding(PROBLEM, f"is this machine, and {what}"))


def _reach(pair: Pair) -> list[str]:
    """Return the words by which a question gets to an rsync daemon."""
    if pair.destination.tls:
        return tls_words(pair.destination, pair.node.rtls)
    return ["--contimeout=10"]


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
        "user": str(os.geteuid()),
        # Some file systems do not count what they have.
        "room": "0" if space.f_blocks and not space.f_bavail else "",
    }
