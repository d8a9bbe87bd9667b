"""How a run gets to its node: the words of its command line for the way there.

Pure. What a destination is: rsync/destination.py.
"""

from __future__ import annotations

import os
import re

from inosync.config.model import Pair
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.planning.steps import Clear, Relink
from inosync.rsync.destination import Transport
from inosync.rsync.options import reaching
from inosync.rsync.program import CONNECT_TIMEOUT, Program, chooses_shell, ssh_command
from inosync.rsync.tls import tls_words

#: White space at which rrsync, or a remote shell, takes a name apart that rsync has escaped.
_TORN = re.compile(r"[^\S \t]")


def reach(pair: Pair, program: Program, *, attributes: bool = False) -> list[str]:
    """Return the words by which a run that is none of the mirror's own gets to its node.

    With the user's `attributes`, where files are to arrive with them.
    """
    run = Run(pair, RunKind.PASS)
    words = [*protection(run, program), *limits(run), *transport(run, program)]
    return [*words, *reaching(pair.node.extra, attributes=attributes)]


def protection(run: Run, program: Program) -> list[str]:
    """Return what keeps the names in the command line whole on their way to the node."""
    if not (over_ssh(run.pair) and program.escapes) or any(map(_TORN.search, _said(run))):
        return ["--protect-args"]
    # Both explicitly: RSYNC_OLD_ARGS and RSYNC_PROTECT_ARGS in the environment mean the opposite.
    return ["--no-old-args", "--no-protect-args"]


def _said(run: Run) -> list[str]:
    """Return the names that the command line of the node's rsync has."""
    step, places = run.step, [run.pair.landing().path]
    if isinstance(step, Relink):
        places += [os.fsdecode(step.old), os.fsdecode(step.new)]
    return [*places, os.fsdecode(step.path)] if isinstance(step, Clear) else places


def over_ssh(pair: Pair) -> bool:
    """Return whether the node is reached through a remote shell."""
    return pair.destination.transport is Transport.SSH


def limits(run: Run) -> list[str]:
    """Return the options for how long the run may be silent, and how fast it may send."""
    node, local = run.pair.node, run.pair.destination.transport is Transport.LOCAL
    words = []
    # Both ends of a local run wait for one that has ended already, in steps of 20 ms
    # (wait_process_with_flush() in main.c); with a timeout the one in front mostly comes too late
    # for the other's and takes two. The daemon sees for itself whether it does nothing.
    if node.rtimeout and not (local and run.short):
        words.append(f"--timeout={node.rtimeout}")
    if node.rspeed:
        words.append(f"--bwlimit={node.rspeed}")
    return words


def transport(run: Run, program: Program) -> list[str]:
    """Return the options for how the node is reached."""
    node, destination = run.pair.node, run.pair.destination
    if destination.transport is Transport.LOCAL:
        # Both ends are the local rsync. To find out what it agrees on with itself, each end tries
        # all that it has and sets up OpenSSL for that: a tenth of the CPU time of a short run.
        return [f"--checksum-choice={program.checksum}"] if program.checksum else []
    if destination.transport is Transport.SSH:
        chosen = program.environment_shell or chooses_shell(node.extra)
        return [] if chosen else ["-e", ssh_command(destination, program.control)]
    if destination.tls:  # the connection is not rsync's own
        words = tls_words(destination, node.rtls)
    else:
        # Without TCP_NODELAY the last small packet of a short run waits for an acknowledgement.
        words = ["--sockopts=TCP_NODELAY", f"--contimeout={CONNECT_TIMEOUT}"]
    words.append("--no-motd")
    if run.short and node.rtimeout:
        # A daemon that is told of a timeout answers so with a small packet of its own, and what it
        # says next waits 40 ms for our acknowledgement: longer than the rest of a short run takes.
        # Its own configuration and keepalive end what is left there of a connection that broke.
        words.append("--remote-option=--timeout=0")
    return words
