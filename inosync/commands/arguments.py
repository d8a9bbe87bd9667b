"""What may be asked for on the command line: the options, and which go together.

Loads nothing that a start would pay for.
"""

from __future__ import annotations

import argparse

from inosync import __version__

#: The options that ask for something else than a daemon: of the one that runs, and of nobody.
ASKING = ("status", "top", "wait", "sync", "pause", "resume", "reload")
UNDOING = ("kept", "restore")
ALONE = ("check", "explain", "once", "verify", *UNDOING, "new", "from_lsyncd")
MODES = ASKING + ALONE

#: Options that go with others only.
_COMPANIONS = {
    "node": ("sync", "wait", "once", "verify", "kept", "restore"),
    "json": ("status", "kept"),
    "all": ("status", "wait"),
    "repair": ("verify",),
    "at": ("restore",),
    "to": ("restore",),
    "yes": ("restore",),
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="inosync",
        description="Mirrors directories within seconds: inotify tells, rsync carries.",
        usage="inosync [-c FILE] [-d] [-p] [-v]\n       inosync [-p] [-v] SRC DEST [DEST ...]\n"
        "       inosync [-c FILE] COMMAND [--node NODE]",
        epilog="COMMAND: any of these two groups, with or without dashes. "
        "TERM and INT stop it, HUP is --reload, USR2 --sync, USR1 logs the status. "
        "Exit: 0 ok, 1 failed, 2 usage or config, 3 running, 4 not running, 5 behind, "
        "6 a relay does not answer.",
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
    _asking(result.add_argument_group("asking the daemon of this config that is running"))
    _alone(result.add_argument_group("without a daemon"))
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


def _asking(asking: argparse._ArgumentGroup) -> None:
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
    asking.add_argument(
        "--all",
        metavar="LEVELS",
        nargs="?",
        type=_levels,
        const=8,
        default=0,
        help="with --status, --wait: ask relays (rrelay) as well, and theirs",
    )
    asking.add_argument("--sync", action="store_true", help="full pass now; frees what is held")
    asking.add_argument(
        "--pause", action="store_true", help="collect changes, but start nothing until --resume"
    )
    asking.add_argument("--resume", action="store_true", help="end a pause")
    asking.add_argument("--reload", action="store_true", help="have the config read again")


def _alone(alone: argparse._ArgumentGroup) -> None:
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


def modes(options: argparse.Namespace) -> list[str]:
    """Return which of MODES were asked for."""
    return [name for name in MODES if getattr(options, name) not in (None, False)]


def check(options: argparse.Namespace, known: argparse.ArgumentParser) -> None:
    """End with a usage error when options do not go together."""
    asked = modes(options)
    if len(asked) > 1:
        one, other = (mode.replace("_", "-") for mode in asked[:2])
        known.error(f"--{one} and --{other} do not go together")
    if asked and options.detach:
        known.error(f"--{asked[0].replace('_', '-')} and -d do not go together")
    if options.log == "json" and options.detach:
        known.error("--log and -d do not go together: a daemon that detaches logs to syslog")
    for name, others in _COMPANIONS.items():
        if getattr(options, name) and not any(mode in others for mode in asked):
            known.error(f"--{name} goes with --{' or --'.join(others)}")


def _levels(text: str) -> int:
    """Return the argument of --all; 8 levels are more than any chain has, and a ring has no end."""
    if text not in map(str, range(1, 9)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of levels from 1 to 8")
    return int(text)


def _seconds(text: str) -> float:
    """Return the argument of --wait."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds
