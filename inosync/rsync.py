"""rsync, as far as it can be known without running it: its command line and its exit status.

Pure. Builds argv lists (never a shell command) and judges how a run ended. Does not know mirrors,
processes or the clock.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inosync import drift
from inosync.config import Config, Pair
from inosync.destination import Destination, Transport
from inosync.errors import ConfigError
from inosync.extra import most_deletions, options, spoken, with_rules
from inosync.filters import rsync_options
from inosync.plan import list_options, top
from inosync.steps import Fuzzy, Relink, Renew, Step
from inosync.text import printable

#: Older ones lack options that every run needs (--protect-args with --info style statistics).
OLDEST = (3, 1, 0)

#: Seconds to wait for a node to accept a connection: ssh's ConnectTimeout, rsync's --contimeout.
CONNECT_TIMEOUT = 30

#: How many times ``rtimeout`` a run that compares contents may be silent: it is while either end
#: reads a large file.
SILENCE = 10
#: Where the lane for big files keeps what was interrupted, in each directory of a mirror.
PARTIAL_DIRECTORY = ".inosync-partial"

#: While that lane has work, others spare its temporary files (.NAME.XXXXXX) and what it keeps. The
#: latter is "perishable": it goes with its directory. rsync(1), --partial-dir.
_LENIENT = (f"--filter=P .*.{'[0-9A-Za-z]' * 6}", f"--filter=-srp {PARTIAL_DIRECTORY}/")

#: What makes a run of that lane carry regular files and the directories on their way, and nothing
#: else: links and devices may be newer on the mirror than in its list. --force lets a file replace
#: a directory, which --delete would do by itself.
_ONLY_FILES = ("--no-links", "--no-devices", "--no-specials", "--info=nonreg0", "--force")

#: Options after which the lane must not be told to keep what was interrupted: rsync refuses both.
_KEEPS_ITSELF = frozenset(("--inplace", "--append", "--append-verify", "--write-devices"))

#: Of a list: a name that has vanished is no error, and ends in NUL. Like plan.list_options.
_NAMED = ("--ignore-missing-args", "--from0", "--files-from=-")
#: What steps do beside what a list does. --fuzzy takes a file with the same size and time, or with
#: a similar name, for the content of the one beside it that the node lacks. It needs rsync's
#: delta-transfer algorithm, which is off by default to a local path (rsync(1), --whole-file).
_STEP_OPTIONS: dict[type, tuple[str, ...]] = {
    Fuzzy: ("--ignore-existing", "--fuzzy", "--no-whole-file"),
    Renew: ("--ignore-times",),
}

#: The largest number that --max-delete takes (an int in options.c).
_ANY_NUMBER = 2**31 - 1

_SHARED_SSH = (
    "ssh -o BatchMode=yes -o ConnectTimeout={timeout} -o ServerAliveInterval=15 "
    "-o ServerAliveCountMax=3"
)


def parse_version(output: str) -> tuple[int, int, int] | None:
    """Return (3, 2, 7) from the output of ``rsync --version``, or None when that is not rsync's."""
    found = re.match(r"rsync\s+version\s+v?(\d+)\.(\d+)\.(\d+)", output)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def parse_checksum(output: str) -> str:
    """Return which checksum two of this rsync agree on, from the output of ``rsync --version``.

    That is the first that it lists; ``""`` when it lists none, as those before 3.2.0.
    """
    found = re.search(r"^Checksum list:\n +(\w+)", output, re.MULTILINE)
    return found[1] if found else ""


def chooses_shell(extra: Sequence[str]) -> bool:
    """Return whether the user's options name a remote shell."""
    return not options(extra).isdisjoint(("-e", "--rsh"))


def command(
    pair: Pair,
    config: Config,
    *,
    version: tuple[int, int, int],
    checksum: str = "",
    control: str = "",
    environment_shell: bool = False,
    rehearse: bool = False,
    limit: int = 0,
    spare: Iterable[bytes] = (),
    leave: Iterable[bytes] = (),
    listed: bool = False,
    compare: bool = False,
    big: bool = False,
    lenient: bool = False,
    hide: Iterable[bytes] = (),
    step: Step | None = None,
) -> list[str]:
    """Return the argv of a pass over the whole source of `pair` to its node.

    When `listed`, it is that of a run that carries what standard input names (see plan.py).

    ``version`` is the local rsync's, and ``checksum`` what two of it agree on. ``control`` is a
    private directory for ssh's control sockets; without one, connections are not shared.
    ``environment_shell`` says that RSYNC_RSH chooses the remote shell, so that no ``-e`` may
    override it. To `rehearse` is to change nothing and tell what would be deleted; see
    ``deletions``. ``limit`` is how many files may be deleted; 0: any.
    ``spare`` are paths of the source that are to be left alone on the node, ``leave`` files, and
    ``hide`` paths that are to be deleted there even if the source has them. To `compare` is to
    look at contents, too, and to tell what differs (see drift.py). With a ``step``, it is the
    command of that (see steps.py); for a Relink none of these counts.

    With ``config.rbigsize`` the run of the lane for `big` files carries what is larger, and any
    other what is not; one that is `lenient` spares the temporary files of that lane on the node.
    """
    node, destination = pair.node, pair.destination
    relink = step if isinstance(step, Relink) else None
    argv = [config.rsync, *_mode(step, listed=listed, big=big)]
    argv += ["--protect-args", "--stats", "--no-human-readable"]
    if version >= (3, 1, 3):
        # The quick check compares whole seconds unless told otherwise: a file rewritten with the
        # same size within one second would stay stale for ever. rsync(1), --modify-window.
        argv.append("--modify-window=-1")
    short = listed and not big
    # Both ends of a local run wait for one that has ended already, in steps of 20 ms
    # (wait_process_with_flush() in main.c); with a timeout the one in front mostly comes too late
    # for the other's and takes two. The daemon sees for itself whether it does nothing.
    if node.rtimeout and not (destination.transport is Transport.LOCAL and short):
        argv.append(f"--timeout={node.rtimeout}")
    if node.rspeed:
        argv.append(f"--bwlimit={node.rspeed}")
    if config.logfile and not rehearse:
        argv.append(f"--log-file={config.logfile}")
    if pair.source.relative and not listed and relink is None:
        argv.append("--relative")
    chosen = environment_shell or chooses_shell(node.extra)
    argv += _transport(destination, control, chosen=chosen, checksum=checksum)
    if destination.transport is Transport.DAEMON and short and node.rtimeout:
        # A daemon that is told of a timeout answers so with a small packet of its own, and what it
        # says next waits 40 ms for our acknowledgement: longer than the rest of a short run takes.
        # Its own configuration and keepalive end what is left there of a connection that broke.
        argv.append("--remote-option=--timeout=0")
    if relink is not None:
        first = [f"--exclude={_anchored('', path)}" for path in relink.doubts]
        argv += [*rsync_options(relink.rules, first=first), *spoken(node.extra)]
        return [*argv, "--", *_ends(pair, os.fsdecode(relink.new))]
    prefix = pair.source.prefix
    first = [*(_LENIENT if lenient else ())]
    first += [f"--filter=H {_anchored(prefix, path)}" for path in sorted(hide)]
    # Of both sides explicitly: --delete-excluded makes a plain exclude one of the sender alone.
    first += [f"--filter=-sr {_anchored(prefix, path)}" for path in sorted({*spare, *leave})]
    argv += rsync_options(pair.source.excludes, first=first)
    all_sizes = (compare and rehearse) or isinstance(step, Renew)
    extra = with_rules(spoken(node.extra), first)
    argv += _lane_options(extra, 0 if all_sizes else config.rbigsize, big=big)
    argv += drift.OPTIONS if compare else ()
    if rehearse:
        # Everything is counted, whatever limit the user has set to what is done.
        argv += ["--dry-run", "--info=del", f"--max-delete={_ANY_NUMBER}"]
    elif limit and limit < most_deletions(node.extra):
        argv.append(f"--max-delete={limit}")
    source = top(pair.source) if listed else pair.source.argument
    return [*argv, "--", source, destination.text]


def patient(pair: Pair) -> Pair:
    """Return `pair` for a run that compares contents: ``rtimeout`` is longer."""
    node = dataclasses.replace(pair.node, rtimeout=pair.node.rtimeout * SILENCE)
    return dataclasses.replace(pair, node=node)


def pairs_on(pairs: Sequence[Pair], name: str) -> list[Pair]:
    """Return those of `pairs` that are on the node called `name`, all for ``""``.

    Raise ConfigError when there are none.
    """
    found = [pair for pair in pairs if name in ("", pair.node.name)]
    if not found:
        known = ", ".join(sorted({pair.node.name for pair in pairs}))
        raise ConfigError([f"there is no node {printable(name)}; known are {known}"])
    return found


def _ends(pair: Pair, path: str) -> list[str]:
    """Return where the content of a directory of the source is, and where it goes."""
    source, text = pair.source, pair.destination.text
    landing = "/".join(part for part in (source.prefix, path) if part)
    between = "" if text.endswith(("/", ":")) else "/"
    there = f"{text}{between}{landing}/" if landing else text
    return [f"{source.path}/{path}/" if path else f"{source.path}/", there]


def _link_options(relink: Relink) -> list[str]:
    """Return the words of a step that take the place of ``-ltrp --delete``."""
    up = "../" * (relink.new.count(b"/") + 1) if relink.new else ""
    link = f"--link-dest={up}{os.fsdecode(relink.old)}"
    if not relink.names:
        return ["-ltrp", link]
    return ["-ltp", *_NAMED, "--ignore-existing", link]


def _transport(destination: Destination, control: str, *, chosen: bool, checksum: str) -> list[str]:
    """Return the options for a transport; `chosen`: the remote shell is named already."""
    if destination.transport is Transport.LOCAL and checksum:
        # Both ends are the local rsync. To find out what it agrees on with itself, each end tries
        # all that it has and sets up OpenSSL for that: a tenth of the CPU time of a short run.
        return [f"--checksum-choice={checksum}"]
    if destination.transport is Transport.DAEMON:
        # Without TCP_NODELAY the last small packet of a short run waits for an acknowledgement.
        return ["--sockopts=TCP_NODELAY", f"--contimeout={CONNECT_TIMEOUT}", "--no-motd"]
    if destination.transport is Transport.SSH and not chosen:
        return ["-e", ssh_command(destination, control)]
    return []


def _anchored(prefix: str, path: bytes) -> str:
    """Return the pattern that matches just `path`, below `prefix` in the transfer."""
    whole = "/".join(part for part in (prefix, os.fsdecode(path)) if part)
    if re.search(r"[*?[]", whole):
        # Only in a pattern with wildcards is a backslash more than itself.
        whole = re.sub(r"([*?\[\\])", r"\\\1", whole)
    return f"/{whole}"


def _mode(step: Step | None, *, listed: bool, big: bool) -> list[str]:
    """Return the first words: how far a run reaches. Only the ordinary ones delete."""
    if isinstance(step, Relink):
        return _link_options(step)
    more = _STEP_OPTIONS.get(type(step), ())
    words = list_options() if listed else ["-ltrp", "--delete"]
    return [*(word for word in words if not ((big or more) and word == "--delete")), *more]


def _lane_options(extra: Sequence[str], size: int, *, big: bool) -> list[str]:
    """Return the user's options, and those that limit a run to its side of `size` bytes.

    Deletions are none of the business of the run for `big` files.
    """
    if not big:
        return [*extra, *([f"--max-size={size}"] if size else [])]
    words = [word for word in extra if not word.startswith("--del")]
    words += [f"--min-size={size + 1}", *_ONLY_FILES]
    given = options(words)
    if given.isdisjoint(_KEEPS_ITSELF) and "--partial-dir" not in given:
        words.append(f"--partial-dir={PARTIAL_DIRECTORY}")
    return words


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

#: Some files could not be transferred; all else was.
PARTIAL = 23
#: Files vanished before they were sent.
VANISHED = 24
#: ``--max-delete`` has stopped the deletions.
LIMITED = 25

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
    255: (_RETRY, "ssh failed", "try 'ssh {host} true' as the user that runs inosync"),
}

#: Other cures where ssh carries it: when that fails, rsync may be the first to notice.
_OVER_SSH = {12: "try 'ssh {host} rsync --version' as the user that runs inosync"}


def judge(returncode: int, destination: Destination) -> Judgement:
    """Return the judgement on a run that ended with `returncode` (negative: by a signal)."""
    if returncode < 0:
        return Judgement(
            Verdict.RETRY, f"killed by signal {-returncode}", "nothing, unless it repeats"
        )
    verdict, meaning, cure = _EXITS.get(
        returncode, (Verdict.SLOW, "unknown exit status", "see the lines below")
    )
    if destination.transport is Transport.SSH:
        cure = _OVER_SSH.get(returncode, cure)
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

    def __add__(self, other: Transferred) -> Transferred:
        """Return what two runs moved together."""
        return Transferred(
            self.files + other.files, self.size + other.size, self.deleted + other.deleted
        )


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


def rehearsed(output: bytes) -> Transferred:
    """Return what a rehearsal would have moved.

    Where a node speaks a protocol before 31 (rsync 3.0), nothing is said of how many files would be
    deleted (``output_summary`` in main.c): then they are counted one by one.
    """
    told = transferred(output)
    if _STATISTICS["deleted"].search(output):
        return told
    return dataclasses.replace(told, deleted=sum(1 for _ in _DELETING.finditer(output)))


def exit_status(returncode: int, errors: bytes) -> int:
    """Return the exit status that a run should have had, by what it wrote to standard error.

    Where ``--max-delete`` kept a directory from giving way to a file, rsync (3.5.0) ends with 23,
    as if the next try could go on with the next so many files.
    """
    return LIMITED if returncode == PARTIAL and _STOPPED.search(errors) else returncode


@dataclass(frozen=True)
class Progress:
    """How far a run was when it last told: files and bytes sent, percent, seconds left.

    ``percent`` and ``eta`` are of what rsync has found so far (rsync(1), --info=progress2).
    """

    files: int
    size: int
    percent: int
    eta: int


_PROGRESS = re.compile(
    rb"^ *(\d+) +(\d+)% +\S+ +(\d+):(\d\d):(\d\d)(?: \(xfr#(\d+),[^)\n]*\))? *$", re.MULTILINE
)


def progress(output: bytes) -> Progress | None:
    """Return what a run has told last of its progress in its standard output; None: nothing."""
    told = _PROGRESS.findall(output.replace(b"\r", b"\n"))
    if not told:
        return None
    size, percent, hours, minutes, seconds, files = (int(group or 0) for group in told[-1])
    return Progress(files, size, percent, hours * 3600 + minutes * 60 + seconds)


_STOPPED = re.compile(rb"^Deletions stopped due to --max-delete limit", re.MULTILINE)
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
