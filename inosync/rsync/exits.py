"""How a run of rsync ended: its exit status, what that means and what follows from it.

Pure. One table, from rsync(1); knows neither mirrors nor processes.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from inosync.rsync.destination import Destination, Transport
from inosync.rsync.refusals import refusal


class Verdict(enum.Enum):
    """What follows from the end of a run."""

    OK = "ok"
    RETRY = "retry"  # passes by itself: try again soon
    SLOW = "retry slowly"  # a person has to mend something: try again rarely
    HOLD = "hold"  # going on could do damage: wait for a person


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason and, for failures, what to look at; both for people."""

    verdict: Verdict
    meaning: str
    cure: str = ""


_OK = Verdict.OK
_RETRY = Verdict.RETRY
_SLOW = Verdict.SLOW

#: A file could not be read, written or put aside.
FILE_IO = 11
#: Some files could not be transferred; all else was.
PARTIAL = 23
#: The two ends do not understand each other.
_PROTOCOL = 2
_STREAM, _SSH = 12, 255
#: Files vanished before they were sent.
VANISHED = 24
#: ``--max-delete`` has stopped the deletions.
LIMITED = 25

#: rsync(1), EXIT VALUES; 126, 127 and 255 are the (remote) shell's. In the cures, {host} is the
#: node's host and {where} the whole destination.
_EXITS: dict[int, tuple[Verdict, str, str]] = {
    0: (_OK, "success", ""),
    1: (_SLOW, "syntax or usage error", "check extra, and that the module is not read only"),
    _PROTOCOL: (_RETRY, "protocol incompatibility", "use an rsync of a similar age on both ends"),
    3: (_SLOW, "errors selecting files or directories", "create the parent directory of {where}"),
    4: (_SLOW, "requested action not supported", "check extra against the node's rsync"),
    5: (
        _RETRY,
        "the rsync daemon refused to start the transfer",
        "check the module's name, 'hosts allow' and 'auth users' in rsyncd.conf on {host}",
    ),
    6: (_SLOW, "rsync cannot append to its log file", "check logfile"),
    10: (_RETRY, "error in socket I/O", "check that {host} is up and its rsync daemon listens"),
    FILE_IO: (
        _RETRY,
        "error in file I/O",
        "check that {where} can be written to, has room, and that its parent directory exists",
    ),
    12: (_RETRY, "error in the rsync protocol stream", "check that rsync is installed on {host}"),
    13: (_SLOW, "errors with program diagnostics", "see the lines below"),
    14: (_RETRY, "error in inter-process communication", "check memory and process limits"),
    19: (_RETRY, "another process of rsync gave up", "nothing, unless it repeats"),
    20: (_RETRY, "rsync was told to stop", "nothing, unless it repeats"),
    21: (_RETRY, "waiting for a child process failed", "nothing, unless it repeats"),
    22: (_RETRY, "rsync could not allocate memory", "check the memory on both ends"),
    PARTIAL: (
        _RETRY,
        "some files could not be transferred",
        "see the lines below; all is sent again",
    ),
    # The paths that vanished raise events of their own.
    VANISHED: (_OK, "some files vanished before they could be transferred", ""),
    LIMITED: (Verdict.HOLD, "the --max-delete limit stopped deletions", "check the source"),
    30: (_RETRY, "timeout in data send or receive", "check the network to {host}, and rtimeout"),
    35: (_RETRY, "timeout waiting for the rsync daemon", "check that {host} is up"),
    126: (_SLOW, "rsync cannot be executed", "check its permissions on {host}"),
    127: (_SLOW, "rsync was not found", "install rsync on {host}"),
    _SSH: (_RETRY, "ssh failed", "try 'ssh {login} true' as the user that runs inosync"),
}

#: With --backup-dir two processes of rsync (3.5.0) make that folder. Where one makes a part of the
#: way between two looks of the other, that ends without a word. The next try finds it made. But
#: where it is the generator that comes too late, which carries links, devices and other names of a
#: file, it leaves one as it is, and the run ends with 0: see _to_repeat in engine/endings.py.
_WORDLESS = ("rsync gave up without a word", "nothing, unless it repeats")

#: It is also how rsync ends when a directory becomes something else while it is sent, with this.
_RACED = "invalid path from sender"
_CHANGED = ("a directory became something else while it was sent", "nothing, unless it repeats")

#: Other cures where ssh carries it: when that fails, rsync may be the first to notice.
_OVER_SSH = {12: "try 'ssh {login} rsync --version' as the user that runs inosync"}


#: How one may end that another run has left no room for on the node: no connection of a module, no
#: session, process or memory.
KEPT_OUT = frozenset((5, 10, 12, 14, 22, 126, 127, 255))

#: Of runs that did not begin, or that have brought in order what they began.
_TIDY = frozenset((0, 1, 3, 4, 5, 6, PARTIAL, VANISHED, LIMITED, 35, 126, 127))


def cut_short(returncode: int) -> bool:
    """Return whether a run that ended so may have left temporary files on the node."""
    return returncode not in _TIDY


#: What ssh and rsync (3.5.0) say when no connection came about.
_NO_WAY = re.compile(
    r"^ssh: (?:connect to host|Could not resolve hostname) |^\S+@\S+: Permission denied \([a-z]|"
    r"^Host key verification failed|^kex_exchange_identification: |during banner exchange|"
    r"^rsync: (?:\[\w+\] )?(?:failed to connect to|getaddrinfo:) "
)


def goes_on(returncode: int, destination: Destination, said: Iterable[str]) -> bool:
    """Return whether a run that was cut short so, and has `said` this, may go on at the other end.

    Not one that never reached it, and not one that has ended there first.
    """
    said = tuple(said)
    reached = refusal(destination, said) is None and not any(map(_NO_WAY.search, said))
    return cut_short(returncode) and returncode != FILE_IO and reached


def judge(returncode: int, destination: Destination, said: Iterable[str] = ()) -> Judgement:
    """Return the judgement on a run that ended with `returncode` (negative: by a signal).

    What it has `said` on standard error tells who has refused it, and why.
    """
    if returncode < 0:
        return Judgement(
            Verdict.RETRY, f"killed by signal {-returncode}", "nothing, unless it repeats"
        )
    said = tuple(said)
    over_ssh = destination.transport is Transport.SSH
    if over_ssh and returncode == _STREAM and any(map(_NO_WAY.search, said)):
        returncode = _SSH  # rsync ends with the one or the other, by chance
    verdict, meaning, cure = _EXITS.get(
        returncode, (Verdict.SLOW, "unknown exit status", "see the lines below")
    )
    if returncode == FILE_IO and not said:
        return Judgement(verdict, *_WORDLESS)
    if returncode == _PROTOCOL and any(_RACED in line for line in said):
        return Judgement(verdict, *_CHANGED)
    if verdict is not _OK and (refused := refusal(destination, said)):
        verdict = _RETRY if refused.passes else _SLOW
        return Judgement(verdict, refused.meaning, refused.cure)
    if over_ssh:
        cure = _OVER_SSH.get(returncode, cure)
    return Judgement(
        verdict,
        meaning,
        cure.format(
            host=destination.host or "this host",
            where=destination.shown,
            login=f"-p {destination.port} {destination.login}"
            if destination.port
            else destination.login,
        ),
    )


_DROPPED = re.compile(rb"^discarding over-long filter", re.MULTILINE)
_STOPPED = re.compile(rb"^Deletions stopped due to --max-delete limit", re.MULTILINE)


def exit_status(returncode: int, errors: bytes) -> int:
    """Return the exit status that a run should have had, by what it wrote to standard error.

    Where ``--max-delete`` kept a directory from giving way to a file, rsync (3.5.0) ends with 23,
    as if the next try could go on with the next so many files. A rule that is too long it drops,
    and ends with 0.
    """
    if returncode in (0, VANISHED) and _DROPPED.search(errors):
        return PARTIAL
    return LIMITED if returncode == PARTIAL and _STOPPED.search(errors) else returncode
