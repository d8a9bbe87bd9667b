"""Looks at mirrors beside their sources, and what is said of each.

For ``--verify``. Starts rsync, which writes nothing; when to look, and twice, is decided there.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Changes, Kind
from inosync.commands.side_by_side import Ended, Job, together
from inosync.commands.told import Told
from inosync.config.model import Config, Pair
from inosync.engine.apart import OPEN, Apart, Left, Meaning, meaning
from inosync.errors import Exit
from inosync.planning.command import command
from inosync.planning.order import Order, RunKind, Sight
from inosync.planning.prepare import prepare
from inosync.planning.run import Run, patient
from inosync.rsync.accounts import UNDELETED, account
from inosync.rsync.causes import staying as stays_for
from inosync.rsync.complaints import SILENT, Account
from inosync.rsync.differences import (
    KEPT,
    Difference,
    below,
    counted,
    differences,
    line,
    shown,
)
from inosync.rsync.exits import PARTIAL, VANISHED, judge
from inosync.rsync.output import evidence
from inosync.rsync.program import Program
from inosync.service.drift import MOST_DRIFT, unclosed
from inosync.service.outcomes import ends_of, staying
from inosync.text import many, printable
from inosync.watch.files import Files, changed

#: How many of the paths that were not compared are named.
_NAMED = 100
#: And of those that only the mirror has.
_SOME = 3


@dataclass
class Compared:
    """What one comparison has found of a mirror. ``why`` it came to no end, or ""."""

    pair: Pair
    apart: Apart
    found: dict[bytes, Difference] = field(default_factory=dict)
    moving: dict[bytes, Difference] = field(default_factory=dict)
    count: int = 0  # of those that were said already
    unowed: list[bytes] = field(default_factory=list)
    extra: list[bytes] = field(default_factory=list)  # some of what the mirror may keep (rdelete)
    extras: int = 0  # how much that is
    notes: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How the mirror is called."""
        return f"{printable(self.pair.source.path)} -> {self.pair.destination.shown}"


@dataclass(frozen=True)
class Looking:
    """Looks at the mirrors of `config`, and says what is seen."""

    config: Config
    program: Program
    environment: Mapping[str, str]
    say: Callable[[str], None]

    def first(self, pair: Pair, told: Told) -> Job[Pair]:
        """Return the comparison of all."""
        run = Run(patient(pair), RunKind.COMPARISON, lenient=told.lenient)
        return Job(pair, command(run, self.config, self.program))

    def second(self, seen: Compared, told: Told) -> Job[Pair] | None:
        """Return the comparison of what differs alone, where it can be named; None: of nothing."""
        pair, prefix = seen.pair, os.fsencode(seen.pair.source.prefix)
        paths = [below(prefix, path) for path in seen.found]
        named = Changes.of(Change(path, Kind.ENTRY) for path in paths if path is not None)
        order = Order(
            pair,
            RunKind.COMPARISON,
            Batch(0.0, len(named), changes=named if None not in paths else None, named=True),
            lenient=told.lenient,
        )
        sight = Sight(Files(pair.source), pair.source.filters)
        what = prepare(order, sight, self.config, self.program)
        if what.names == ():
            return None
        return Job(pair, what.argv, b"".join(name + b"\0" for name in what.names or ()))

    def run(self, jobs: Sequence[Job[Pair]]) -> Iterator[Ended[Pair]]:
        """Run them side by side."""
        parallel = self.config.long_runs
        return together(jobs, parallel=parallel, environment=self.environment, nice=True)

    def look(self, ended: Ended[Pair], since: float, told: Told) -> Compared:
        """Return what a comparison has found but for what is not at rest `since` (Unix time).

        What is too much to be compared again is said at once.
        """
        pair, stays = ended.key, list[bytes]()
        seen = Compared(pair, told.apart)
        said = account((), ended.errors, ends_of(pair)) if ended.status == PARTIAL else SILENT
        unseen = {each.path: Left(each.cause.value, each.whole) for each in said.complaints}
        seen.apart |= Apart(unseen)
        for difference in differences(_heard(ended.lines, stays)):
            if not self._counts(seen, difference, since):
                continue
            if seen.count or len(seen.found) >= MOST_DRIFT:
                self.tell(seen)
                self._line(seen, difference)
            else:
                seen.found[difference.path] = difference
        for path, inner in staying(pair, account(stays, b"", ends_of(pair)).kept):
            seen.notes.append(stays_for(path, inner, pair.source.filters))
        if ended.status not in (0, VANISHED) and not _saw_the_rest(ended, said, stays):
            judgement = judge(ended.status or 0, pair.destination, evidence(ended.errors))
            seen.why = [
                f"exit {ended.status}: {judgement.meaning}; {judgement.cure}",
                f"command: {shlex.join(ended.argv)}",
                *evidence(ended.errors),
            ]
        return seen

    def _counts(self, seen: Compared, difference: Difference, since: float) -> bool:
        """Return whether a difference is drift; take note of what it is when it is not."""
        source = seen.pair.source
        path = below(os.fsencode(source.prefix), difference.path)
        status = Files(source).look(path) if seen.apart.giants and path is not None else None
        size = status.st_size if status is not None else 0
        what = meaning(difference, seen.pair, seen.apart, size=size)
        if what is Meaning.UNOWED:
            seen.unowed += [path] if path is not None else []
        elif what is Meaning.EXTRA:
            seen.extras += 1
            seen.extra += [difference.path] if seen.extras <= _SOME else []
        elif (
            what is Meaning.DRIFT
            and not self.config.of(source).eopen
            and unclosed(source, difference)
        ):
            seen.notes.append(f"{printable(path or b'')} {OPEN}: not counted")
        elif what is Meaning.DRIFT and changed(source, path, since):
            if len(seen.moving) < MOST_DRIFT:  # more need not be counted
                seen.moving[difference.path] = difference
        else:
            return what is Meaning.DRIFT
        return False

    # ---- what is said ---------------------------------------------------------------------

    def tell(self, seen: Compared) -> None:
        """Say what differs, and forget it."""
        for difference in seen.found.values():
            self._line(seen, difference)
        seen.found = {}

    def _line(self, seen: Compared, difference: Difference) -> None:
        seen.count += 1
        prefix = os.fsencode(seen.pair.source.prefix)
        self.say(f"{seen.name}: {line(prefix, difference)}")

    def report(self, seen: Compared) -> Exit:
        """Say all that there is to say of a mirror; return what it comes to."""
        self.tell(seen)
        for note in seen.notes:
            self.say(f"{seen.name}: note: {note}")
        if seen.unowed:
            paths = ", ".join(printable(path) or "." for path in seen.unowed[:3])
            more = ", …" if len(seen.unowed) > 3 else ""
            self.say(f"{seen.name}: note: other times, by what is not sent: {paths}{more}")
        if seen.extra:
            prefix = os.fsencode(seen.pair.source.prefix)
            paths = ", ".join(shown(prefix, path) for path in seen.extra)
            more = ", …" if seen.extras > _SOME else ""
            why = f'may stay (rdelete is "{seen.pair.node.rdelete}")'
            text = f"{many(seen.extras, 'path')} on the mirror alone: {paths}{more}; {why}"
            self.say(f"{seen.name}: note: {text}")
        for number, text in enumerate(seen.apart.lines()):
            if number == _NAMED:
                self.say(f"{seen.name}: not compared: {seen.apart.count - _NAMED} more")
                break
            self.say(f"{seen.name}: not compared: {text}")
        total = _total(seen)
        if not seen.why:
            self.say(f"{seen.name}: {total}")
            return Exit.NOT_IN_SYNC if seen.count or seen.apart else Exit.OK
        far = f" ({total} as far as it came)" if seen.count else ""
        self.say(f"{seen.name}: COULD NOT BE COMPARED: {seen.why[0]}{far}")
        for text in seen.why[1:]:
            self.say(f"  {text}")
        return Exit.FAILED


def both(first: Compared, second: Compared) -> Compared:
    """Return what counts after two looks at a mirror: what both have found."""
    found = {path: each for path, each in second.found.items() if path in first.found}
    return dataclasses.replace(
        first,
        apart=first.apart | second.apart,
        found=found,
        moving=first.moving | second.moving,
        why=second.why,
    )


def _total(seen: Compared) -> str:
    """Return how a mirror compares to its source, for people."""
    count = seen.apart.count
    paths = many(count, "path")
    total = counted(seen.count) if seen.count else "equal"
    if count:
        total += f"{',' if seen.count else ' but for'} {paths} not compared"
    if seen.moving:
        total += f"; changed just now and not counted: {len(seen.moving)}"
    return total


def _saw_the_rest(ended: Ended[Pair], said: Account, stays: Iterable[bytes]) -> bool:
    """Return whether all that a comparison could not see is known by name."""
    undeleted = account(stays, b"", ends_of(ended.key)).undeleted
    named = said.understood and bool(said.complaints) and not undeleted
    return ended.status == PARTIAL and named


def _heard(lines: Iterable[bytes], stays: list[bytes]) -> Iterator[bytes]:
    """Give the lines; add to `stays` those that tell of what could not be deleted."""
    for text in lines:
        if text.startswith((KEPT, UNDELETED)):
            stays.append(text)
        yield text
