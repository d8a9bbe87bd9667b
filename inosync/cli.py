"""The command line: arguments in, exit status out.

0 ok, 1 failed, 2 usage or config, 3 already running, 4 not running, 5 not in sync. Heavier rooms
are imported when they are needed, so that ``--version`` and ``--help`` answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inosync import __version__
from inosync.errors import AlreadyRunningError, ConfigError, InosyncError, NotRunningError

if TYPE_CHECKING:
    from inosync.config import Config

OK, FAILED, USAGE, RUNNING, NOT_RUNNING, NOT_IN_SYNC = 0, 1, 2, 3, 4, 5


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="inosync",
        description="Keep directories mirrored on other machines within seconds: "
        "inotify says what changed, rsync carries it.",
        usage="inosync [-c FILE] [-d] [-p] [-v]\n       inosync [-p] [-v] SRC DEST [DEST ...]\n"
        "       inosync [-c FILE] {--status | --sync [--node NODE]}",
        epilog="Signals: TERM, INT stop; HUP reads the config again; USR1 logs the status; USR2 is "
        "--sync. Exit status: 0 ok, 1 failed, 2 usage or config, 3 already running, 4 not running, "
        "5 not in sync.",
    )
    result.add_argument(
        "-c",
        metavar="FILE",
        dest="file",
        help="load configuration from FILE "
        "(default: /etc/inosync.py, else /etc/inosync/default.py)",
    )
    result.add_argument("-d", dest="detach", action="store_true", help="daemonize")
    result.add_argument(
        "-p", dest="pretend", action="store_true", help="do not call rsync, log its commands"
    )
    result.add_argument(
        "-v", dest="verbose", action="store_true", help="log every run and other details"
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
    asking.add_argument("--sync", action="store_true", help="full pass now; frees what is held")
    asking.add_argument("--node", metavar="NODE", default="", help="only this entry of rnodes")
    result.add_argument("--version", action="version", version=f"inosync {__version__}")
    result.add_argument(
        "paths",
        metavar="SRC DEST",
        nargs="*",
        help="without a config file: a directory, and where rsync shall mirror it",
    )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the program's own); return the exit status."""
    options = parser().parse_args(arguments)
    if len(options.paths) == 1 or (options.paths and options.file):
        parser().error(
            "give either -c FILE, or SRC and at least one DEST"
            f" (there is {'-c and ' if options.file else 'only '}{' '.join(options.paths)})"
        )
    if options.node and not options.sync:
        parser().error("--node goes with --sync")
    try:
        if options.status or options.sync:
            return _ask(options)
        from inosync import service

        return service.run(
            lambda: _load(options),
            detach=options.detach,
            pretend=options.pretend,
            verbose=options.verbose,
        )
    except ConfigError as error:
        for problem in error.problems:
            print(f"inosync: {problem}", file=sys.stderr)
        return USAGE
    except AlreadyRunningError as error:
        print(f"inosync: {error}", file=sys.stderr)
        return RUNNING
    except NotRunningError as error:
        print(f"inosync: {error}", file=sys.stderr)
        return NOT_RUNNING
    except InosyncError as error:
        print(f"inosync: {error}", file=sys.stderr)
        return FAILED


def _ask(options: argparse.Namespace) -> int:
    """Put a question to the running daemon and print its answer."""
    from inosync import control, lock

    runtime = lock.runtime_directory()
    try:
        path = lock.socket_path(runtime, _load(options))
    except ConfigError:
        # The daemon may run all the same, with what the config said before.
        path = lock.own_path(runtime, os.path.realpath(_file(options)), ".sock")
        if options.paths or not Path(path).exists():
            raise
    if options.status:
        answer = control.ask(path, "status")
        print(*answer["lines"], sep="\n")
        return OK if answer["synced"] else NOT_IN_SYNC
    answer = control.ask(path, "sync", node=options.node)
    if not answer["ok"]:
        print(f"inosync: {answer['error']}", file=sys.stderr)
        return USAGE
    print(f"full pass of {answer['mirrors']} mirrors begins")
    return OK


def _load(options: argparse.Namespace) -> Config:
    from inosync import config

    if options.paths:
        return config.from_arguments(options.paths[0], options.paths[1:])
    return config.load(_file(options), insecure=options.insecure_config)


def _file(options: argparse.Namespace) -> str:
    """Return the config file that is meant. Raise ConfigError when there is none."""
    from inosync import config

    found = options.file or next((name for name in config.DEFAULT_FILES if Path(name).exists()), "")
    if not found:
        wanted = " or ".join(config.DEFAULT_FILES)
        raise ConfigError([f"no config: write {wanted}, or give -c FILE, or SRC and DEST"])
    return str(found)
