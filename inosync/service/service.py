"""From a config to a running daemon: preflight, lock, detaching, privileges, systemd.

Everything that can be wrong is found before the process detaches, so that it is told on the
terminal and in the exit status. Knows nothing of changes and runs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import daemon

from inosync import __version__
from inosync.config.model import Config
from inosync.engine.roster import GRACE
from inosync.errors import StandbyError
from inosync.service.connections import control_directory
from inosync.service.exposure import losing_races
from inosync.service.mandate import missing
from inosync.service.onlooker import Onlooker
from inosync.service.preflight import preflight, read_only
from inosync.service.privileges import asking_group, become, shut_out
from inosync.service.shifts import Shifts
from inosync.system import log
from inosync.system.control import Server
from inosync.system.lock import Lock, refuse_a_second
from inosync.system.process import end_leftovers
from inosync.system.runtime import (
    identity,
    lock_path,
    own_name,
    runtime_directory,
    socket_path,
    sweep,
)
from inosync.text import printable

logger = logging.getLogger("inosync")


def run(
    load: Callable[[], Config],
    *,
    detach: bool,
    pretend: bool,
    verbose: bool,
    as_json: bool = False,
    insecure: bool = False,
    once: Onlooker | None = None,
) -> int:
    """Run the daemon until it is told to stop; return its exit status.

    ``as_json``: what it logs to standard error is JSON. ``insecure``: others may write the config.
    ``load`` reads the config and is called again on SIGHUP. With ``once`` it ends by itself after
    one pass of each mirror, and is silent but for what that says. Raise ConfigError,
    AlreadyRunningError or StandbyError, with nothing started and nothing detached.
    """
    directory = Path.cwd()  # where relative paths belong, also after detaching and at reload
    config = load()
    program = preflight(config, writes=not pretend)
    if once and (lacking := missing(config.wactive)):
        raise StandbyError(f"on standby, nothing is sent: {lacking} (wactive)")
    name = log.ident(config.file)
    with contextlib.ExitStack() as stack:
        claim = None if pretend else _claim(config, stack)
        if detach:
            _detach(config, claim, stack)
            log.to_syslog(name, verbose=verbose)
        else:
            os.umask(config.umask)
            log.to_stderr(name, verbose=verbose, as_json=as_json)
            if once and not verbose and not pretend:
                logger.setLevel(logging.CRITICAL)
        control, server = _listen(config, claim, stack, once=once is not None)
        become(config)
        for warning in _warnings(config, program.version):
            logger.warning("%s", warning)
        try:
            return Shifts(
                load=load,
                config=config,
                directory=directory,
                program=program,
                mark=claim.mark if claim else "",
                control=control,
                server=server,
                pretend=pretend,
                insecure=insecure,
                once=once,
            ).run()
        except Exception:
            text = "inosync %s: this is a bug, the daemon ends"
            logger.critical(text, __version__, exc_info=True)
            return 1


@dataclass(frozen=True)
class _Claim:
    """What keeps other daemons from the mirrors of a config.

    The ``lock`` lies in the directory ``runtime``; all that is started bears the ``mark``.
    """

    lock: Lock
    runtime: Path
    mark: str


def _claim(config: Config, stack: contextlib.ExitStack) -> _Claim:
    """Take the mirrors for this daemon. Raise AlreadyRunningError when another has them."""
    refuse_a_second(config)
    runtime = runtime_directory()
    own = own_name(identity(config))
    mark = f"INOSYNC_LOCK={os.getuid()}/{own}"
    lock = stack.enter_context(Lock(lock_path(runtime, config), own))
    # Runs that outlived a daemon that was killed know less than ours and would undo them.
    end_leftovers(mark, grace=GRACE)
    return _Claim(lock, runtime, mark)


def _detach(config: Config, claim: _Claim | None, stack: contextlib.ExitStack) -> None:
    """Go on in the background, with what the claim holds open."""
    stack.enter_context(
        daemon.DaemonContext(
            detach_process=True,
            umask=config.umask,
            signal_map={},
            files_preserve=claim.lock.preserved if claim else [],
        )
    )


def _listen(
    config: Config, claim: _Claim | None, stack: contextlib.ExitStack, *, once: bool
) -> tuple[str, Server | None]:
    """Answer from now on; return where runs share connections, and the socket. Not without a claim.

    One that runs `once` says nothing of who may not ask it.
    """
    if claim is None:
        return "", None
    claim.lock.write()
    sweep(claim.runtime, claim.lock.path)
    control = stack.enter_context(control_directory(config, claim.runtime))
    path, group = socket_path(claim.runtime, config), asking_group(config.file)
    server = stack.enter_context(contextlib.closing(Server(path, lock=claim.lock, group=group)))
    if group is not None and server.shut_out and not once:
        logger.warning("%s", shut_out(config.file, group))
    if config.user:
        server.give(user=pwd.getpwnam(config.user).pw_uid)
    return control, server


def _warnings(config: Config, version: tuple[int, int, int]) -> Iterator[str]:
    """Give what is to be said of a config before anything is mirrored."""
    yield from config.warnings
    for source in config.sources:
        for rule in source.filters.left_to_rsync:
            yield (
                f"{printable(source.path)}: the rule {rule!r} is applied by rsync alone: "
                "changes that it hides still start a run"
            )
    yield from read_only(config)
    yield from losing_races(config, version)
