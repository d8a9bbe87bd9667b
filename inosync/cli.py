"""The command line: arguments in, exit status out.

Heavier rooms are imported when they are needed, so that ``--version`` and ``--help`` answer at
once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from inosync.commands import verbs
from inosync.commands.arguments import ASKING, MODES, UNDOING, check, modes, parser
from inosync.errors import AlreadyRunningError, ConfigError, Exit, InosyncError, NotRunningError
from inosync.system import streams
from inosync.text import printable

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this room
if TYPE_CHECKING:
    from inosync.commands import ask
    from inosync.config.model import Config


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
    check(options, known)
    try:
        return _run(options)
    except ConfigError as error:
        for problem in error.problems:
            _complain(problem)
        return error.exit_status
    except InosyncError as error:
        more = _instead(options) if isinstance(error, AlreadyRunningError) else ""
        first, *lines = f"{error}{more}".split("\n")
        _complain(first)
        for line in lines:
            print(printable(line), file=sys.stderr)
        return error.exit_status


def _complain(text: str) -> None:
    print(f"inosync: {printable(text)}", file=sys.stderr)


def _run(options: argparse.Namespace) -> int:
    (mode,) = modes(options) or ("",)
    if mode in UNDOING:
        return _undo(options)
    if mode:
        return _ask(options) if mode in ASKING else _alone(options)
    from inosync.service import service

    return service.run(
        lambda: _load(options),
        detach=options.detach,
        pretend=options.pretend,
        verbose=options.verbose,
        as_json=options.log == "json",
        insecure=options.insecure_config,
    )


def _alone(options: argparse.Namespace) -> int:
    """Do what needs no daemon."""
    if options.from_lsyncd is not None:
        return _from_lsyncd(options)
    if options.new:
        from inosync.commands.init import run

        return run(options.paths, options.file)
    if options.check:
        from inosync.commands import check as checking

        return checking.check(lambda: _load(options), say=streams.say)
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
    from inosync.commands import ask
    from inosync.commands.verify import compare, worst
    from inosync.system import lock

    config = _load(options)
    ends = compare(config, node=options.node, say=streams.mention)
    if Exit.NOT_IN_SYNC not in ends:
        return worst(ends)
    where = lock.addresses(config.file, config)
    with ask.understood(where):
        mended = ask.repair(where, config, node=options.node)
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
    from inosync.commands import ask
    from inosync.config.load import found
    from inosync.system import lock

    problems = None
    try:
        config = _load(options)
        where = lock.addresses(config.file, config)
    except ConfigError as error:
        if options.paths or options.all:
            raise
        # The daemon may run all the same, with what the config said before.
        problems, where = error, lock.addresses(found(options.file), None)
    if options.all:
        return _ask_all(options, config, where)
    commands = {
        "status": lambda: ask.status(where, as_json=options.json),
        "top": lambda: _top(where),
        "wait": lambda: ask.wait(where, seconds=options.wait, node=options.node),
        "sync": lambda: ask.sync(where, node=options.node),
        "pause": lambda: ask.pause(where),
        "resume": lambda: ask.resume(where),
        "reload": lambda: ask.reload(where),
    }
    try:
        with ask.understood(where):
            return commands[modes(options)[0]]()
    except NotRunningError:
        if problems is not None:
            raise problems from None
        raise
    except KeyboardInterrupt:
        return Exit.FAILED


def _ask_all(options: argparse.Namespace, config: Config, where: ask.Where) -> int:
    """Put a question to the running daemon and to those on the relays."""
    from inosync.commands import ask, relays

    try:
        with ask.understood(where):
            if options.status:
                return relays.status(
                    where, config, levels=options.all, as_json=options.json, say=streams.say
                )
            more = {"seconds": options.wait, "node": options.node}
            return relays.wait(where, config, levels=options.all, **more)
    except KeyboardInterrupt:
        return Exit.FAILED


def _top(where: ask.Where) -> int:
    from inosync.commands import top

    return top.top(where)


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
