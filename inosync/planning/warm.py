"""The run that stands ready for a mirror: how it is started, and which runs it can be.

Pure. An rsync with ``--files-from=-`` starts, connects and agrees on a protocol, and then waits for
its list. So the next run of a mirror can be started before there is one. It is a run over a list in
all but two things. It says which files it sends, wanted or not. And it starts from ``/``, with the
whole path in each name: a waiting rsync stands in the directory that its names count from, and what
is mounted there could not be unmounted meanwhile, nor would it see that another directory has come
to the path. What is before ``/./`` in a name is looked for when it is read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from inosync.config.model import Config, Pair
from inosync.planning.command import command
from inosync.planning.file_list import LONGEST_ENTRY, lead, top
from inosync.planning.order import Prepared, RunKind
from inosync.planning.run import Run
from inosync.rsync.destination import Transport
from inosync.rsync.options import compares_contents, timed
from inosync.rsync.program import Program

#: How many seconds a mirror is kept warm where its node does not say.
USUAL = 300.0


@dataclass(frozen=True)
class Reserve:
    """A run that waits for its list: what starts it, and which command lines it stands for.

    The names that runs with these are told begin with ``here``, those that it is told, ``there``.
    """

    argv: tuple[str, ...]
    stands_for: frozenset[tuple[str, ...]]
    here: bytes
    there: bytes

    def told(self, what: Prepared) -> bytes:
        """Return what makes it the run that was prepared; nothing if it cannot be that."""
        if what.kind is not RunKind.LISTED or not what.names or what.argv not in self.stands_for:
            return b""
        skip = len(self.here)
        paths = [name[skip:] for name in what.names if name.startswith(self.here)]
        # With anything else in front, "/" itself would be what is mirrored.
        assert len(paths) == len(what.names)
        if len(self.there) + max(map(len, paths)) > LONGEST_ENTRY:
            return b""
        return self.there + (b"\0" + self.there).join(paths) + b"\0"


def reserve(pair: Pair, config: Config, program: Program) -> Reserve | None:
    """Return the run that may stand ready for a mirror; None where none is of use or would do."""
    source, extra = pair.source, pair.node.extra
    listed = pair.node.rscope == "changes" and not source.filters.left_to_rsync
    # What rmaxdelete lets happen is decided by another run before it.
    if not listed or not seconds(pair) or config.of(source).rmaxdelete:
        return None
    if not program.compares_exactly or timed(extra):
        return None
    run = Run(pair, RunKind.LISTED, listed=True, tells=not compares_contents(extra))
    argv = tuple(command(run, config, program))
    silent = tuple(command(Run(pair, RunKind.LISTED, listed=True), config, program))
    prefix, start = os.fsencode(source.prefix), os.fsencode(top(source))
    here = lead(prefix)
    # The first "/./" counts; nothing behind it begins a line, so nothing there is a comment.
    there = start + b"./" + (prefix + b"/" if prefix else b"./") if start != b"/" else here
    return Reserve((*argv[:-2], "/", argv[-1]), frozenset((argv, silent)), here, there)


def seconds(pair: Pair) -> float:
    """Return how long after its last run a mirror is kept warm; 0: never.

    A module of an rsync daemon may admit few at once, and nobody here can see how many: only its
    owner can say that one of ours may wait there.
    """
    node, remote = pair.node, pair.destination.transport is not Transport.LOCAL
    if node.rkeep:
        return 0.0  # each run has a folder of its own, called after the time at which it begins
    usual = 0.0 if pair.destination.transport is Transport.DAEMON else USUAL
    wanted = usual if node.rwarm is None else node.rwarm
    # The other end gives up waiting, too.
    return min(wanted, 0.9 * node.rtimeout) if remote and node.rtimeout else wanted
