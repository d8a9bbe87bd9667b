"""``--new``: a first config, from a directory and where to mirror it.

Asks for what is missing where somebody can answer. Writes a file that nobody had, or fills in one
that says nothing yet, as packages bring it.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence

from inosync.commands import unit
from inosync.commands.check import check
from inosync.config import load as loading
from inosync.errors import ConfigError, Exit
from inosync.system import streams
from inosync.text import printable

_TEXT = """\
# Configuration of inosync: what is mirrored, and where to. It is a Python script; "inosync check"
# says whether it would work, and "inosync reload" has the daemon read it again. All settings, with
# their defaults: man inosync.conf

# The directory that is watched. A slash at its end means what is in it, no slash the directory
# itself.
wpath = {source}

# Where it goes, as rsync writes it: host:/path, user@host:/path, host::module/path, or a directory
# of this machine. What is there and not in the source is deleted.
rnodes = [
{nodes}]

# A run names what has changed instead of passing over the whole tree.
rscope = "changes"

# What is not mirrored: patterns as rsync has them, the first that matches decides.
#rexcludes = ["*.tmp", "/cache/"]

# Hold a mirror before a run that would delete more files than this, until you have looked.
#rmaxdelete = 1000
"""

#: Where systemd finds units of the machine.
_UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


def run(words: Sequence[str], file: str | None) -> int:
    """Do as ``init``, with whoever is at the terminal."""
    ask = input if sys.stdin.isatty() else None
    try:
        return init(words, file or os.environ.get("INOSYNC_CONFIG"), ask=ask, say=streams.say)
    except (EOFError, KeyboardInterrupt):
        streams.say("")
        return Exit.FAILED


def init(
    words: Sequence[str],
    file: str | None,
    *,
    ask: Callable[[str], str] | None,
    say: Callable[[str], None],
    user: int | None = None,
    machine: tuple[str, ...] = loading.DEFAULT_FILES,
) -> int:
    """Write a config that mirrors the first of the words to the others, check it and say what next.

    It goes to `file`, else to where a config is looked for first: by this `user` (None: who runs
    this), where the `machine` has its own. `ask` puts a question to a person; None: there is
    nobody. Return what ``check`` does. Raise ConfigError, with nothing
    written, when the config would not be read.
    """
    file = os.path.abspath(file or _free_place(os.geteuid() if user is None else user, machine))
    if os.path.lexists(file) and not _blank(file):
        raise ConfigError([f"{printable(file)} exists and is left as it is; -c FILE names another"])
    source, destinations = _complete(words, ask)
    _write(file, text(source, destinations))
    say(f"written: {printable(file)}")
    status = check(lambda: loading.load(file), say=say)
    if status == Exit.OK:
        say(f"start it: {offer(file, user=user)}")
    return status


def text(source: str, destinations: Sequence[str]) -> str:
    """Return the config that mirrors `source`; local paths count from the current directory."""
    nodes = "".join(f"    {_absolute(each)!r},\n" for each in destinations)
    return _TEXT.format(source=repr(_absolute(source)), nodes=nodes)


def offer(file: str, *, top: str = "", user: int | None = None) -> str:
    """Return the command line that has systemd run this config from now on, else inosync itself.

    That is for the machine whose tree begins at `top`, and for this `user`; None: who runs this.
    """
    command, user = f"inosync -c {shlex.quote(file)}", os.geteuid() if user is None else user
    if not os.path.isdir(f"{top}/run/systemd/system"):
        return f"{command} -d"
    if file == os.path.expanduser("~/.config/inosync.py") and user != 0:
        there = os.path.expanduser("~/.config/systemd/user")
        copied = f"install -D -m 644 {_example('inosync-user.service')} {there}/inosync.service"
        return f"{copied} && systemctl --user enable --now inosync && loginctl enable-linger"
    name = unit.name(file)
    if not name:
        return f"{command} -d"
    template = "inosync@.service" if "@" in name else name
    enable = f"systemctl enable --now {name.removesuffix('.service')}"
    if any(os.path.exists(f"{top}{place}/{template}") for place in _UNITS):
        return enable
    return f"cp {_example(template)} {_UNITS[0]}/ && systemctl daemon-reload && {enable}"


def _free_place(user: int, machine: tuple[str, ...]) -> str:
    """Return where a config is looked for first. Raise ConfigError when one is found there."""
    first, *more = loading.default_files(user, machine)
    # The machine's config is none of an ordinary user's, and the second of root's hides the first.
    for place in (first, *more) if user == 0 else (first,):
        if os.path.lexists(place) and not _blank(place):
            what = "is a config already and is left as it is; -c FILE names another"
            raise ConfigError([f"{printable(place)} {what}"])
    return first


def _complete(words: Sequence[str], ask: Callable[[str], str] | None) -> tuple[str, Sequence[str]]:
    source, *destinations = words or [""]
    if ask is None:
        if not destinations:
            raise ConfigError(["give SRC and at least one DEST: inosync init SRC DEST [DEST ...]"])
        return source, destinations
    while not source:
        source = ask("Directory to mirror (a slash at its end: what is in it): ").strip()
    while not destinations:
        places = ask("Where to (host:/path, user@host:/path or a directory; several: spaces): ")
        destinations = shlex.split(places)
    return source, destinations


def _absolute(place: str) -> str:
    """Return a place as a config has it: a path of this machine is absolute."""
    if ":" in place.partition("/")[0]:
        return place
    path = os.path.expanduser(place)
    slash = "/" if path.endswith("/") else ""
    if "/./" in path:  # a virtual root, which abspath would take away
        root, _, kept = path.partition("/./")
        return f"{os.path.abspath(root or '/').rstrip('/')}/./{kept}"
    return os.path.abspath(path).rstrip("/") + slash


def _blank(file: str) -> bool:
    """Return whether a file has no line that is no comment, as the template of a package."""
    try:
        if not os.path.isfile(file):  # a pipe would have us wait
            return False
        with open(file, encoding="utf-8", errors="surrogateescape") as lines:
            return all(line.isspace() or line.startswith("#") for line in lines)
    except OSError:
        return False


def _write(file: str, content: str) -> None:
    """Make the config, so that nobody else may write to it, or add to one that is blank.

    Raise ConfigError, with the file as it was, when it would not be read.
    """
    old = os.path.getsize(file) if os.path.lexists(file) else None
    flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if old is None else os.O_APPEND)
    try:
        os.makedirs(os.path.dirname(file), mode=0o755, exist_ok=True)
        with os.fdopen(os.open(file, flags, 0o644), "w", encoding="utf-8") as written:
            written.write(f"\n{content}" if old else content)
    except OSError as error:
        what = f"cannot be written: {error.strerror}; -c FILE names another place"
        raise ConfigError([f"{printable(file)} {what}"]) from error
    try:
        loading.load(file)
    except ConfigError:
        if old is None:
            os.unlink(file)
        else:
            os.truncate(file, old)
        raise


def _example(name: str) -> str:
    """Return where the package has this file of examples/."""
    beside = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    places = (os.path.join(sys.prefix, "share/inosync/examples"), os.path.join(beside, "examples"))
    found = (f"{place}/{name}" for place in places if os.path.exists(f"{place}/{name}"))
    return shlex.quote(next(found, f"{places[0]}/{name}"))
