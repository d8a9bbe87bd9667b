"""The command line: arguments in, exit status out.

Heavier rooms are imported when they are needed, so that ``--version`` and ``--help`` answer at
once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from inosync import __version__, verbs
from inosync.errors import AlreadyRunningError, ConfigError, Exit, InosyncError, NotRunningError
from inosync.system import streams
from inosync.text import printable

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this room
if TYPE_CHECKING:
    from inosync.config.model import Config


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="inosync",
        description="Mirrors directories within seconds: inotify tells, rsync carries.",
        usage="inosync [-c FILE] [-d] [-p] [-v]\n       inosync [-p] [-v] SRC DEST [DEST ...]\n"
        "       inosync [-c FILE] COMMAND [--node NODE]",
        epilog="COMMAND: any of these two groups, with or without dashes. "
        "TERM and INT stop it, HUP is --reload, USR2 --sync, USR1 logs the status. "
        "Exit: 0 ok, 1 failed, 2 usage or config, 3 running, 4 not running, 5 behind.",
    )
    result.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        dest="file",
        help="config (else $INOSYNC_CONFIG, or /etc/inosync.py)",
    )
    result.add_argument(
        "-d", "--daemon", dest="detach", action="store_true", help="daemonize, log to syslog"
    )
    result.add_argument(
        "-p",
        "--dry-run",
        dest="pretend",
        action="store_true",
        help="run neither rsync nor hooks, log them",
    )
    result.add_argument(
        "-v",
        "--verbose",
        dest="verbose",
        action="store_true",
        help="log every run and other details",
    )
    result.add_argument(
        "--log",
        metavar="FORMAT",
        choices=("text", "json"),
        default="text",
        help="how to log to standard error: text or json",
    )
    result.add_argument(
        "--insecure-config",
        action="store_true",
        help="accept a config file that others may write to",
    )
    asking = result.add_argument_group("asking the daemon of this config that is running")
    asking.add_argument(
        "--status", action="store_true", help="show the state of every source and mirror"
    )
    asking.add_argument("--json", action="store_true", help="with --status, --kept: as JSON")
    asking.add_argument("--top", action="store_true", help="the same, live, until q is pressed")
    asking.add_argument(
        "--wait",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=60.0,
        help="end when all changes until now are there (or 60 s)",
    )
    asking.add_argument("--sync", action="store_true", help="full pass now; frees what is held")
    asking.add_argument(
        "--pause", action="store_true", help="collect changes, but start nothing until --resume"
    )
    asking.add_argument("--resume", action="store_true", help="end a pause")
    asking.add_argument("--reload", action="store_true", help="have the config read again")
    alone = result.add_argument_group("without a daemon")
    alone.add_argument(
        "--check", action="store_true", help="test the config and every node; change nothing"
    )
    alone.add_argument(
        "--explain", metavar="PATH", help="which rule hides PATH, and where it lands on each node"
    )
    alone.add_argument("--once", action="store_true", help="one full pass to every node, then end")
    alone.add_argument(
        "--verify",
        action="store_true",
        help="compare contents with all mirrors, tell what differs",
    )
    alone.add_argument("--repair", action="store_true", help="with --verify: mend what differs")
    alone.add_argument(
        "--kept",
        metavar="PATH",
        nargs="?",
        const="",
        help="what nodes keep (rkeep) of PATH or of everything: when, what happened, size",
    )
    alone.add_argument("--restore", metavar="PATH", help="bring back what a node keeps of PATH")
    alone.add_argument(
        "--at", metavar="WHEN", default="", help="with --restore: as it was then (2 hours ago)"
    )
    alone.add_argument(
        "--to", metavar="DIR", default="", help="with --restore: put it there, not into the source"
    )
    alone.add_argument(
        "--yes", action="store_true", help="with --restore: ask nothing before overwriting"
    )
    alone.add_argument(
        "--new",
        action="store_true",
        help="(init) write a config for SRC DEST, and check it",
    )
    alone.add_argument("--from-lsyncd", metavar="FILE", help="print lsyncd's config as ours")
    result.add_argument(
        "--node",
        metavar="NODE",
        default="",
        help="of --wait, --sync, --once, --verify, --kept, --restore: this node alone",
    )
    result.add_argument("-V", "--version", action="version", version=f"inosync {__version__}")
    result.add_argument(
        "paths",
        metavar="SRC DEST",
        nargs="*",
        help=argparse.SUPPRESS,  # the usage has it
    )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the program's own); return the exit status."""
    streams.stand_in()
    try:
        with streams.flushed():
            return _main(arguments)
    except BrokenPipeError:
        return streams.end_by_pipe()
    except OSError as error:
        if error.errno not in streams.FULL:
            raise
        streams.mute()
        print(f"inosync: what it says cannot be written: {error.strerror}", file=sys.stderr)
        return Exit.FAILED


def _main(arguments: Sequence[str] | None) -> int:
    known = parser()
    options = verbs.read(sys.argv[1:] if arguments is None else arguments, known, MODES)
    _check(options, known)
    try:
        return _run(options)
    except ConfigError as error:
        for problem in error.problems:
            _complain(problem)
        return error.exit_status
    except InosyncError as error:
        more = _instead(options) if isinstance(error, AlreadyRunningError) else ""
        _complain(f"{error}{more}")
        return error.exit_status


def _complain(text: str) -> None:
    print(f"inosync: {printable(text)}", file=sys.stderr)


def _seconds(text: str) -> float:
    """Return the argument of --wait."""
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError
    return seconds


#: The options that ask for something else than a daemon: of the one that runs, and of nobody.
_ASKING = ("status", "top", "wait", "sync", "pause", "resume", "reload")
_UNDOING = ("kept", "restore")
_ALONE = ("check", "explain", "once", "verify", *_UNDOING, "new", "from_lsyncd")
MODES = _ASKING + _ALONE

#: Options that go with others only.
_COMPANIONS = {
    "node": ("sync", "wait", "once", "verify", "kept", "restore"),
    "json": ("status", "kept"),
    "repair": ("verify",),
    "at": ("restore",),
    "to": ("restore",),
    "yes": ("restore",),
}


def _modes(options: argparse.Namespace) -> list[str]:
    return [name for name in MODES if getattr(options, name) not in (None, False)]


def _check(options: argparse.Namespace, known: argparse.ArgumentParser) -> None:
    """End with a usage error when options do not go together."""
    modes = _modes(options)
    if len(modes) > 1:
        one, other = (mode.replace("_", "-") for mode in modes[:2])
        known.error(f"--{one} and --{other} do not go together")
    if modes and options.detach:
        known.error(f"--{modes[0].replace('_', '-')} and -d do not go together")
    if options.log == "json" and options.detach:
        known.error("--log and -d do not go together: a daemon that detaches logs to syslog")
    for name, others in _COMPANIONS.items():
        if getattr(options, name) and not any(mode in others for mode in modes):
            known.error(f"--{name} goes with --{' or --'.join(others)}")


def _run(options: argparse.Namespace) -> int:
    modes = _modes(options)
    if modes and modes[0] in _UNDOING:
        return _undo(options)
    if modes:
        return _ask(options) if modes[0] in _ASKING else _alone(options)
    from inosync.service import service

    return service.run(
        lambda: _load(options),
        detach=options.detach,
        pretend=options.pretend,
        verbose=options.verbose,
        as_json=options.log == "json",
    )


def _alone(options: argparse.Namespace) -> int:
    """Do what needs no daemon."""
    if options.from_lsyncd is not None:
        return _from_lsyncd(options)
    if options.new:
        from inosync.commands.init import run

        return run(options.paths, options.file)
    if options.check:
        from inosync.commands.check import check

        return check(lambda: _load(options), say=streams.say)
    if options.explain is not None:
        from inosync.commands.explain import explain

        print(*explain(_load(options), options.explain), sep="\n")
        return Exit.OK
    if options.verify and not options.repair:
        from inosync.commands.verify import verify

        return verify(_load(options), node=options.node, say=streams.say)
    return _once(options)


def _once(options: argparse.Namespace) -> int:
    """Make one pass, or, with --repair, one that compares contents."""
    from inosync.commands import once
    from inosync.service import service

    show = _show if sys.stderr.isatty() else None
    try:
        return service.run(
            lambda: once.once(_load(options), node=options.node),
            detach=False,
            pretend=options.pretend,
            verbose=options.verbose,
            as_json=options.log == "json",
            once=once.Once(streams.mention, show, mend=options.verify),
        )
    except AlreadyRunningError:
        if not options.repair:
            raise
    return _repair(options)


def _undo(options: argparse.Namespace) -> int:
    """Say what nodes keep, or bring it back."""
    from inosync.commands.kept import kept
    from inosync.commands.restore import Request, restore

    if options.kept is not None:
        node, as_json = options.node, options.json
        return kept(_load(options), options.kept, node=node, as_json=as_json, say=streams.say)

    def agree(question: str) -> bool:
        if options.yes:
            return True
        if not sys.stdin.isatty():
            _complain(f"{question} Say so with --yes")
            return False
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    request = Request(options.restore, options.at, options.node, options.to, options.pretend, agree)
    return restore(_load(options), request, streams.say)


def _repair(options: argparse.Namespace) -> int:
    """Say what differs, and have the daemon that runs mend it."""
    from inosync.commands import ask as client
    from inosync.commands.verify import compare, worst
    from inosync.system import lock

    config = _load(options)
    ends = compare(config, node=options.node, say=streams.mention)
    if Exit.NOT_IN_SYNC not in ends:
        return worst(ends)
    where = lock.addresses(config.file, config)
    with client.understood(where):
        mended = client.repair(where, config, node=options.node)
    return Exit.FAILED if Exit.FAILED in ends else mended


def _instead(options: argparse.Namespace) -> str:
    """Return what to do when a daemon is in the way."""
    if options.once:
        return "; ask it for a full pass with --sync"
    return ""


def _show(line: str) -> None:
    """Put a line on the terminal that the next one overwrites."""
    import shutil

    line = line[: shutil.get_terminal_size().columns - 1]
    print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)


def _ask(options: argparse.Namespace) -> int:
    """Put a question to the running daemon and print its answer."""
    from inosync.commands import ask as client
    from inosync.config.load import found
    from inosync.system import lock

    problems = None
    try:
        config = _load(options)
        where = lock.addresses(config.file, config)
    except ConfigError as error:
        if options.paths:
            raise
        # The daemon may run all the same, with what the config said before.
        problems, where = error, lock.addresses(found(options.file), None)
    commands = {
        "status": lambda: client.status(where, as_json=options.json),
        "top": lambda: client.top(where),
        "wait": lambda: client.wait(where, seconds=options.wait, node=options.node),
        "sync": lambda: client.sync(where, node=options.node),
        "pause": lambda: client.pause(where),
        "resume": lambda: client.resume(where),
        "reload": lambda: client.reload(where),
    }
    try:
        with client.understood(where):
            return commands[_modes(options)[0]]()
    except NotRunningError:
        if problems is not None:
            raise problems from None
        raise
    except KeyboardInterrupt:
        return Exit.FAILED


def _from_lsyncd(options: argparse.Namespace) -> int:
    from inosync.lsyncd import lua as lsyncd

    text = lsyncd.read(options.from_lsyncd)
    print(lsyncd.convert(text, options.from_lsyncd, os.getcwd()), end="")
    return Exit.OK


def _load(options: argparse.Namespace) -> Config:
    from inosync.config import load as config

    if options.paths:
        return config.from_arguments(options.paths[0], options.paths[1:])
    return config.load(config.found(options.file), insecure=options.insecure_config)
