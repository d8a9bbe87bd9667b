"""How a node is asked whether it would do, without leaving a trace, and what its answers mean.

Decides only: returns a command line, reads what came of it. Where the remote shell is ours to use a
small script asks: may the user write there? whose machine is it? its clock? What dry runs ask is
told in rehearsals.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inosync.config.model import Pair, Source
from inosync.rsync.destination import Destination, Transport
from inosync.rsync.options import options
from inosync.rsync.output import evidence
from inosync.rsync.owners import asking_for_owners
from inosync.rsync.program import EXACT, OLDEST, chooses_shell, parse_version, ssh_command
from inosync.rsync.refusals import only_rsync
from inosync.text import many, printable

#: Seconds by which clocks may differ; the question itself takes some time.
CLOCK = 5

#: What a person should do, or know. A problem keeps a mirror from working.
PROBLEM, WARNING, OK = "problem", "warning", "ok"


@dataclass(frozen=True)
class Finding:
    """One line of the report, with its cure where it needs one."""

    level: str
    text: str


_MARK = "inosync:"  # what a login shell prints of its own does not begin so

# Only reads. "place" is the directory that is there or, when that is to be made, its parent.
_SCRIPT = r"""
d=@PATH@
p=$d
[ -d "$p" ] || p=$(dirname -- "$p")
w=no; [ -d "$p" ] && [ -w "$p" ] && [ -x "$p" ] && w=yes
t=no; [ -e "$d" ] && t=file; [ -d "$d" ] && t=yes; [ -d "$p" ] || t=lost
echo inosync:there $t
echo inosync:writable $w
echo inosync:user "$(id -u) $(id -un 2>/dev/null)"
echo inosync:place "$(cd -P -- "$p" 2>/dev/null && pwd -P)"
echo inosync:room "$(df -Pk -- "$p" 2>/dev/null | tail -n 1 | awk '{print $4}')"
echo inosync:boot "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
echo inosync:source "$(stat -c %d:%i -- @SOURCE@ 2>/dev/null)"
echo inosync:version "$(rsync --version 2>/dev/null | head -n 1)"
echo inosync:time "$(date +%s)"
"""


def script(pair: Pair, control: str, *, environment_shell: bool) -> list[str]:
    """Return the argv that asks an ssh node; empty when the remote shell is not ours to use."""
    destination = pair.destination
    if destination.transport is not Transport.SSH:
        return []
    if environment_shell or chooses_shell(pair.node.extra):
        return []
    text = _SCRIPT.replace("@PATH@", shlex.quote(destination.path or "."))
    text = text.replace("@SOURCE@", shlex.quote(pair.source.path))
    return [
        *shlex.split(ssh_command(destination, control)),
        "--",
        destination.login,
        f"sh -c {shlex.quote(text)}",
    ]


def answers(lines: Iterable[bytes]) -> dict[str, str]:
    """Return what the script has said, by its words; empty when it could not run."""
    found = {}
    for line in lines:
        word, _, value = line.decode("utf-8", "surrogateescape").rstrip("\r\n").partition(" ")
        if word.startswith(_MARK):
            found[word[len(_MARK) :]] = value
    return found


def directory(pair: Pair, told: Mapping[str, str]) -> list[Finding]:
    """Return what the script's answers say about the directory of the mirror."""
    where = pair.destination.shown
    there, writable = told.get("there"), told.get("writable") == "yes"
    mkpath = "--mkpath" in options(pair.node.extra)
    found = []
    if there == "file":
        found.append(Finding(PROBLEM, f"{where} is no directory there; move the file away"))
    elif there == "lost" and not mkpath:
        text = "the parent directory does not exist there; create it (rsync makes one level only)"
        found.append(Finding(PROBLEM, text))
    elif not writable and not mkpath:
        user = pair.destination.user or "the user"
        what = "the directory" if there == "yes" else "the parent directory"
        text = f"{what} cannot be written to by {user} there; change its owner or mode"
        found.append(Finding(PROBLEM, text))
    if told.get("room") == "0":
        found.append(Finding(PROBLEM, "no room is left on its file system there; make some"))
    return found


def owners(pair: Pair, told: Mapping[str, str]) -> list[Finding]:
    """Return whether owners are asked for that the user there, named by the answers, cannot give.

    rsync says nothing of that.
    """
    number, _, name = told.get("user", "").partition(" ")
    option = asking_for_owners(pair.node.extra)
    if not option or number in ("", "0"):
        return []
    text = f"{option} asks for owners, which only root gives: all belongs to {name or number}"
    cure = "there; let root write there, or add --no-owner (docs/ownership.rst)"
    return [Finding(WARNING, f"{printable(text)} {cure}")]


def key(pair: Pair, told: Mapping[str, str], errors: bytes) -> list[Finding]:
    """Return whether an ssh node's key is restricted otherwise than the config says.

    What the script has `told` proves that it is not; `errors`, that it is.
    """
    said = pair.node.restricted
    if said and told:
        text = "restricted is said of it, and the key may run anything: paths would count from the "
        text += "root directory there; remove restricted, or restrict the key (docs/rrsync.rst)"
        return [Finding(PROBLEM, text)]
    if not said and only_rsync(evidence(errors)) and not pair.destination.path.startswith("/"):
        text = "the key is restricted by rrsync, so that what is renamed is sent again; "
        return [Finding(WARNING, text + 'give this node "restricted": True (docs/rrsync.rst)')]
    return []


def rsync_and_clock(
    pair: Pair, told: Mapping[str, str], now: float, *, exact: bool
) -> list[Finding]:
    """Return what the script's answers say about rsync and the clock there.

    It must understand the quick check of a run, which is `exact` if fractions of seconds count.
    """
    found, oldest = [], EXACT if exact else OLDEST
    version = parse_version(told.get("version", ""))
    if "--rsync-path" not in options(pair.node.extra):
        if version is None:
            found.append(Finding(PROBLEM, "rsync is not installed there; install it"))
        elif version < oldest:
            text = f"its rsync is {_dotted(version)}; install {_dotted(oldest)} or later there"
            found.append(Finding(PROBLEM, text))
    if re.fullmatch(r"\d+", told.get("time", "")):
        ahead = int(told["time"]) - now
        if abs(ahead) > CLOCK:
            how = "ahead of" if ahead > 0 else "behind"
            text = f"its clock is {abs(ahead):.0f} s {how} ours; let NTP set both"
            found.append(Finding(WARNING, text))
    return found


def local_mirror(
    pair: Pair, told: Mapping[str, str], *, boot: str, source: str
) -> Destination | None:
    """Return where on this machine an ssh mirror lies; None when it is on another.

    It is this machine when the kernel has started as often (``boot``: its boot_id) and the source's
    path leads to the same directory (``source``: device and inode); a container has other ones.
    """
    if not told.get("place") or told.get("boot") != boot or told.get("source") != source:
        return None
    path = told["place"]
    if told.get("there") != "yes":
        path = f"{path.rstrip('/')}/{pair.destination.path.rstrip('/').rpartition('/')[2]}"
    return Destination(path, Transport.LOCAL, "", "", 0, path)


def names_us(host: str, own: str) -> bool:
    """Return whether a host name means this machine, called `own`, as far as a name tells."""
    host = host.lower()
    mine = {"localhost", "::1", own.lower(), own.lower().partition(".")[0]}
    return host in mine or host.startswith("127.")


def limits(directories: int, sources: Sequence[Source], values: Mapping[str, int]) -> list[Finding]:
    """Return which of inotify's limits are too low for so many directories and sources.

    `values` are the limits by their names in proc(5).
    """
    found = []
    watches = values.get("max_user_watches")
    wanted = max(2 * directories, 65536)
    cure = f"sysctl fs.inotify.max_user_watches={wanted}, and put it into /etc/sysctl.d/"
    if watches is not None and directories > watches:
        text = f"{many(directories, 'directory')} need a watch each, "
        text += f"and max_user_watches is {watches}; "
        found.append(Finding(PROBLEM, text + cure))
    elif watches is not None and directories > 0.8 * watches:
        text = f"{many(directories, 'directory')} take most of the {watches} watches "
        text += "that a user has; "
        found.append(Finding(WARNING, text + cure))
    instances = values.get("max_user_instances")
    if instances is not None and len(sources) > instances:
        text = f"{many(len(sources), 'source')} need an inotify instance each, "
        text += f"and a user has {instances}; sysctl fs.inotify.max_user_instances=1024"
        found.append(Finding(PROBLEM, text))
    queue = values.get("max_queued_events")
    if queue is not None and queue < min(16384, 2 * directories):
        text = f"the kernel's queue holds {many(queue, 'event')}, fewer than one change of the "
        text += "whole tree makes, and each overflow costs a full pass; "
        found.append(Finding(WARNING, f"{text}sysctl fs.inotify.max_queued_events=16384"))
    return found


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
