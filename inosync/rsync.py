"""rsync, as far as it can be known without running it: its command line and its exit status.

Pure. Builds argv lists (never a shell command) and judges how a run ended. Does not know mirrors,
processes or the clock.
"""

from __future__ import annotations

import enum
import itertools
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inosync.config import Config, Pair, Source
from inosync.destination import Destination, Transport
from inosync.extra import options
from inosync.filters import rsync_options
from inosync.plan import list_options, top
from inosync.text import printable

#: Older ones lack options that every run needs (--protect-args with --info style statistics).
OLDEST = (3, 1, 0)

#: Seconds to wait for a node to accept a connection: ssh's ConnectTimeout, rsync's --contimeout.
CONNECT_TIMEOUT = 30

_SHARED_SSH = (
    "ssh -o BatchMode=yes -o ConnectTimeout={timeout} -o ServerAliveInterval=15 "
    "-o ServerAliveCountMax=3"
)


def parse_version(output: str) -> tuple[int, int, int] | None:
    """Return (3, 2, 7) from the output of ``rsync --version``, or None when that is not rsync's."""
    found = re.match(r"rsync\s+version\s+v?(\d+)\.(\d+)\.(\d+)", output)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def chooses_shell(extra: Sequence[str]) -> bool:
    """Return whether the user's options name a remote shell."""
    return not options(extra).isdisjoint(("-e", "--rsh"))


def command(
    pair: Pair,
    config: Config,
    *,
    version: tuple[int, int, int],
    control: str = "",
    environment_shell: bool = False,
    rehearse: bool = False,
    limit: int = 0,
    spare: Iterable[bytes] = (),
    listed: bool = False,
) -> list[str]:
    """Return the argv of a pass over the whole source of `pair` to its node.

    When `listed`, it is that of a run that carries what standard input names (see plan.py).

    ``version`` is the local rsync's. ``control`` is a private directory for ssh's control sockets;
    without one, connections are not shared. ``environment_shell`` says that RSYNC_RSH chooses the
    remote shell, so that no ``-e`` may override it. To `rehearse` is to change nothing and tell
    what would be deleted; see ``deletions``. ``limit`` is how many files may be deleted; 0: any.
    ``spare`` are directories of the source that are to be left alone on the node.
    """
    node, destination = pair.node, pair.destination
    argv = [config.rsync, *(list_options() if listed else ["-ltrp", "--delete"])]
    argv += ["--protect-args", "--stats", "--no-human-readable"]
    if version >= (3, 1, 3):
        # The quick check compares whole seconds unless told otherwise: a file rewritten with the
        # same size within one second would stay stale for ever. rsync(1), --modify-window.
        argv.append("--modify-window=-1")
    if node.rtimeout:
        argv.append(f"--timeout={node.rtimeout}")
    if node.rspeed:
        argv.append(f"--bwlimit={node.rspeed}")
    if config.logfile and not rehearse:
        argv.append(f"--log-file={config.logfile}")
    if pair.source.relative and not listed:
        argv.append("--relative")
    if destination.transport is Transport.DAEMON:
        # Without TCP_NODELAY the last small packet of a short run waits for an acknowledgement.
        argv += ["--sockopts=TCP_NODELAY", f"--contimeout={CONNECT_TIMEOUT}", "--no-motd"]
    if destination.transport is Transport.SSH and not (
        environment_shell or chooses_shell(node.extra)
    ):
        argv += ["-e", ssh_command(destination, control)]
    argv += [f"--exclude={_anchored(pair.source, path)}" for path in sorted(spare)]
    argv += rsync_options(pair.source.excludes)
    argv += node.extra
    if rehearse:
        argv += ["--dry-run", "--info=del"]
    elif limit:
        argv.append(f"--max-delete={limit}")
    source = top(pair.source) if listed else pair.source.argument
    return [*argv, "--", source, destination.text]


def _anchored(source: Source, path: bytes) -> str:
    """Return the exclude pattern that hides just the directory `path` of `source`."""
    whole = "/".join(part for part in (source.prefix, os.fsdecode(path)) if part)
    if re.search(r"[*?[]", whole):
        # Only in a pattern with wildcards is a backslash more than itself.
        whole = re.sub(r"([*?\[\\])", r"\\\1", whole)
    return f"/{whole}/"


def ssh_command(destination: Destination, control: str) -> str:
    """Return the remote shell for rsync's ``-e``: never asks questions, notices a dead peer.

    Connections are shared through sockets in the directory `control`, unless that is ``""``.
    rsync splits this at blanks, so `control` must hold none; ssh expands ``%``.
    """
    words = _SHARED_SSH.format(timeout=CONNECT_TIMEOUT)
    if control:
        socket = control.replace("%", "%%") + "/%C"
        words += f" -o ControlMaster=auto -o ControlPersist=60 -o ControlPath={socket}"
    if destination.port:
        words += f" -p {destination.port}"
    return words


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

#: Files vanished before they were sent.
VANISHED = 24

#: rsync(1), EXIT VALUES; 126, 127 and 255 are the (remote) shell's. In the cures, {host} is the
#: node's host and {where} the whole destination.
_EXITS: dict[int, tuple[Verdict, str, str]] = {
    0: (_OK, "success", ""),
    1: (_SLOW, "syntax or usage error", "check extra, and that the module is not read only"),
    # Also how rsync ends when a directory becomes something else while it is sent ("ABORTING due to
    # invalid path from sender"): a race, over when it is tried again.
    2: (_RETRY, "protocol incompatibility", "use an rsync of a similar age on both ends"),
    3: (_SLOW, "errors selecting files or directories", "create the parent directory of {where}"),
    4: (_SLOW, "requested action not supported", "check extra against the node's rsync"),
    5: (
        _RETRY,
        "the rsync daemon refused to start the transfer",
        "check the module's name, 'hosts allow' and 'auth users' in rsyncd.conf on {host}",
    ),
    6: (_SLOW, "rsync cannot append to its log file", "check logfile"),
    10: (_RETRY, "error in socket I/O", "check that {host} is up and its rsync daemon listens"),
    11: (
        _RETRY,
        "error in file I/O",
        "check that {where} can be written to, has room, and that its parent directory exists",
    ),
    12: (_RETRY, "error in the rsync protocol stream", "check that rsync is installed on {host}"),
    13: (_SLOW, "errors with program diagnostics", "see the lines below"),
    14: (_RETRY, "error in inter-process communication", "check memory and process limits"),
    20: (_RETRY, "rsync was told to stop", "nothing, unless it repeats"),
    21: (_RETRY, "waiting for a child process failed", "nothing, unless it repeats"),
    22: (_RETRY, "rsync could not allocate memory", "check the memory on both ends"),
    23: (_RETRY, "some files could not be transferred", "see the lines below; all is sent again"),
    # The paths that vanished raise events of their own.
    VANISHED: (_OK, "some files vanished before they could be transferred", ""),
    25: (Verdict.HOLD, "the --max-delete limit stopped deletions", "check the source"),
    30: (_RETRY, "timeout in data send or receive", "check the network to {host}, and rtimeout"),
    35: (_RETRY, "timeout waiting for the rsync daemon", "check that {host} is up"),
    126: (_SLOW, "rsync cannot be executed", "check its permissions on {host}"),
    127: (_SLOW, "rsync was not found", "install rsync on {host}"),
    255: (_RETRY, "ssh failed", "try 'ssh {host} true' as the user that runs inosync"),
}


def judge(returncode: int, destination: Destination) -> Judgement:
    """Return the judgement on a run that ended with `returncode` (negative: by a signal)."""
    if returncode < 0:
        return Judgement(
            Verdict.RETRY, f"killed by signal {-returncode}", "nothing, unless it repeats"
        )
    verdict, meaning, cure = _EXITS.get(
        returncode, (Verdict.SLOW, "unknown exit status", "see the lines below")
    )
    return Judgement(
        verdict,
        meaning,
        cure.format(host=destination.host or "this host", where=destination.shown),
    )


@dataclass(frozen=True)
class Transferred:
    """What a run moved: regular files, bytes of file data, deletions."""

    files: int = 0
    size: int = 0
    deleted: int = 0


NOTHING = Transferred()

_STATISTICS = {
    "files": re.compile(rb"^Number of (?:regular )?files transferred: (\d+)", re.MULTILINE),
    "size": re.compile(rb"^Total transferred file size: (\d+)", re.MULTILINE),
    "deleted": re.compile(rb"^Number of deleted files: (\d+)", re.MULTILINE),
}


def transferred(output: bytes) -> Transferred:
    """Return what ``--stats`` says in the standard output of a run; zeros where it says nothing."""
    found = {name: pattern.search(output) for name, pattern in _STATISTICS.items()}
    return Transferred(**{name: int(match[1]) for name, match in found.items() if match})


_DELETING = re.compile(rb"^deleting (.*)$", re.MULTILINE)


def deletions(output: bytes, *, most: int = 3) -> tuple[str, ...]:
    """Return a few of the paths that a rehearsal would have deleted, safe to log."""
    found = itertools.islice(_DELETING.finditer(output), most)
    return tuple(printable(match[1]) for match in found)


def evidence(errors: bytes, *, lines: int = 25) -> tuple[str, ...]:
    """Return the last ``lines`` lines that rsync wrote to its standard error, safe to log.

    Control characters become visible escapes; undecodable bytes too.
    """
    kept = [line.rstrip() for line in errors.splitlines() if line.strip()]
    return tuple(printable(line) for line in kept[-lines:])
