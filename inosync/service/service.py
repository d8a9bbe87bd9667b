"""From a config to a running daemon: preflight, lock, detaching, privileges, systemd.

Everything that can be wrong is found before the process detaches, so that it is told on the
terminal and in the exit status. Knows nothing of changes and runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import grp
import logging
import os
import pwd
import random
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import daemon

from inosync import __version__
from inosync.config.model import Config
from inosync.engine.engine import Engine
from inosync.engine.roster import GRACE
from inosync.errors import ConfigError, StandbyError
from inosync.rsync.destination import Transport
from inosync.rsync.program import Program
from inosync.service.daemon import Daemon
from inosync.service.exposure import losing_races
from inosync.service.hooks import Hooks
from inosync.service.mandate import Mandate, missing
from inosync.service.onlooker import Onlooker
from inosync.service.preflight import preflight, read_only
from inosync.service.refresh import Script
from inosync.service.runs import Runs
from inosync.service.standby import Standby
from inosync.system import log
from inosync.system.control import Server
from inosync.system.lock import Lock, refuse_a_second
from inosync.system.process import capture, end_leftovers
from inosync.system.runtime import (
    identity,
    lock_path,
    own_name,
    runtime_directory,
    socket_path,
    stale,
    sweep,
    user_name,
)
from inosync.system.signals import Signals
from inosync.system.state import state_file
from inosync.system.systemd import Systemd
from inosync.text import printable

logger = logging.getLogger("inosync")

#: A Unix socket's path holds 107 bytes; ssh appends 40 for the connection and 17 while it binds.
_LONGEST_CONTROL = 48

#: What systemd hands to the daemon and rsync has no business with.
_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "LISTEN_FDS")


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
        lock = None
        mark = ""
        if not pretend:
            refuse_a_second(config)
            runtime = runtime_directory()
            own = own_name(identity(config))
            mark = f"INOSYNC_LOCK={os.getuid()}/{own}"
            lock = stack.enter_context(Lock(lock_path(runtime, config), own))
            # Runs that outlived a daemon that was killed know less than ours and would undo them.
            end_leftovers(mark, grace=GRACE)
        if detach:
            preserved = lock.preserved if lock else []
            stack.enter_context(
                daemon.DaemonContext(
                    detach_process=True,
                    umask=config.umask,
                    signal_map={},
                    files_preserve=preserved,
                )
            )
            log.to_syslog(name, verbose=verbose)
        else:
            os.umask(config.umask)
            log.to_stderr(name, verbose=verbose, as_json=as_json)
            if once and not verbose and not pretend:
                logger.setLevel(logging.CRITICAL)
        control = ""
        server = None
        if lock:
            lock.write()
            sweep(runtime, lock.path)
            control = stack.enter_context(control_directory(config, runtime))
            path, group = socket_path(runtime, config), asking_group(config.file)
            listening = Server(path, lock=lock, group=group)
            server = stack.enter_context(contextlib.closing(listening))
            if group is not None and listening.shut_out and not once:
                logger.warning("%s", _shut_out(config.file, group))
            if config.user:
                listening.give(user=pwd.getpwnam(config.user).pw_uid)
        become(config)
        warnings = [*config.warnings, *_filter_warnings(config), *read_only(config)]
        for warning in (*warnings, *losing_races(config, program.version)):
            logger.warning("%s", warning)
        try:
            return _serve(
                load,
                config,
                directory=directory,
                program=program,
                mark=mark,
                control=control,
                server=server,
                pretend=pretend,
                insecure=insecure,
                once=once,
            )
        except Exception:
            text = "inosync %s: this is a bug, the daemon ends"
            logger.critical(text, __version__, exc_info=True)
            return 1


def _serve(
    load: Callable[[], Config],
    config: Config,
    *,
    directory: Path,
    program: Program,
    mark: str,
    control: str,
    server: Server | None,
    pretend: bool,
    insecure: bool,
    once: Onlooker | None,
) -> int:
    if once:
        # Everything goes in the one run, and at once; and who asked for it sees how it ends.
        config = dataclasses.replace(
            config.for_all(rbigsize=0, rsettle=()),
            on_change=(),
            on_success=(),
            on_failure=(),
            on_recover=(),
            on_beat=(),
            beat=0,
        )
    environment = run_environment()
    hooks = Hooks(config, dict(environment), pretend)
    if mark:
        name, _, lock = mark.partition("=")
        environment[name] = lock
    program = dataclasses.replace(
        program,
        checksum="" if "RSYNC_CHECKSUM_LIST" in environment else program.checksum,
        control=control,
        environment_shell="RSYNC_RSH" in environment,
    )

    def reload() -> tuple[Config, Program]:
        with contextlib.chdir(directory):
            fresh = load()
        refuse_moves(config, fresh)
        found = preflight(fresh, writes=not pretend)
        checksum = found.checksum if program.checksum else ""
        os.umask(fresh.umask)
        return fresh, dataclasses.replace(program, version=found.version, checksum=checksum)

    signals, supervisor, mandate = Signals(), Systemd(), Mandate(config.wactive)
    state = state_file(identity(config))
    began: float | None = None
    contents = once is not None and once.compare
    alone = once is not None or pretend
    ended = False
    try:
        while not ended:
            engine = Engine(config, random.random, contents=contents, alone=alone)
            if mandate.missing and not once:
                standby = Standby(
                    config=config,
                    program=program,
                    engine=engine,
                    mandate=mandate,
                    signals=signals,
                    supervisor=supervisor,
                    hooks=hooks,
                    load=reload,
                    began=began,
                    control=server,
                    pretend=pretend,
                )
                ended, began = standby.run(), standby.began
                config, program = standby.config, standby.program
                continue
            if config.wactive and not alone:
                state.forget()  # another host may have written to the mirrors meanwhile
            runs = Runs(engine, config, program, environment, pretend)
            if once:
                runs.ended = once.ended
            active = Daemon(
                config=config,
                engine=engine,
                signals=signals,
                supervisor=supervisor,
                runs=runs,
                hooks=hooks,
                load=reload,
                mandate=mandate,
                script=Script(str(directory), environment, insecure) if config.file else None,
                began=began,
                control=server,
                onlooker=once,
                state=state,
            )
            ended, began = active.run(), active.began
            config, program = runs.config, runs.program
            if once:
                return once.conclude(engine)
    finally:
        mandate.close()
        signals.close()
    logger.info("stopped")
    return 0


def refuse_moves(old: Config, new: Config) -> None:
    """Raise ConfigError when `new` says otherwise what a process cannot change while it runs.

    The lock keeps a second daemon away, and root's privileges are gone.
    """
    fixed = ("pidfile", "socket", "user", "group")
    problems = [
        f"{name} was {getattr(old, name)!r} when the daemon started and is {getattr(new, name)!r} "
        "now: restart the daemon, a reload cannot change it"
        for name in fixed
        if getattr(old, name) != getattr(new, name)
    ]
    if problems:
        raise ConfigError(problems)


def run_environment() -> dict[str, str]:
    """Return the environment of a run."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


def _filter_warnings(config: Config) -> Iterator[str]:
    for source in config.sources:
        for rule in source.filters.left_to_rsync:
            yield (
                f"{printable(source.path)}: the rule {rule!r} is applied by rsync alone: "
                "changes that it hides still start a run"
            )


@contextlib.contextmanager
def control_directory(config: Config, runtime: Path | None = None) -> Iterator[str]:
    """Provide a private directory for ssh's control sockets, or ``""`` when no path is usable.

    It is below `runtime`, else in /tmp; what killed processes have left there is removed. At the
    end the shared connections are closed, so that no ssh outlives us.
    """
    if all(pair.destination.transport is not Transport.SSH for pair in config.pairs):
        yield ""
        return
    short = runtime and len(str(runtime)) < _LONGEST_CONTROL - 13 and " " not in str(runtime)
    where, prefix = (runtime, "ssh-") if runtime and short else (Path("/tmp"), "inosync-ssh-")  # noqa: S108
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
    for old in stale(where, f"{prefix}*", path):
        _end_masters(old)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # it is in use
        if config.user:
            os.chown(path, pwd.getpwnam(config.user).pw_uid, -1)
        yield str(path)
    finally:
        _end_masters(path)
        os.close(descriptor)


def _end_masters(directory: Path) -> None:
    """End the shared connections whose sockets are in this directory, and remove it."""
    ours = directory.stat().st_uid == os.getuid()  # else nobody knows who would answer
    for master in directory.iterdir() if ours else ():
        with contextlib.suppress(OSError):
            capture(["ssh", "-O", "exit", "-o", f"ControlPath={master}", "none"], timeout=3)
    shutil.rmtree(directory, ignore_errors=True)


def asking_group(file: str) -> int | None:
    """Return the group that may ask how things are, None where there is none.

    That is the group that may read the config, when it was given to it: when it is not the one
    that all files of its owner have.
    """
    try:
        status = os.stat(file)
        given = status.st_gid != pwd.getpwuid(status.st_uid).pw_gid
    except (OSError, KeyError):
        return None
    return status.st_gid if given and status.st_mode & stat.S_IRGRP else None


def _shut_out(file: str, group: int) -> str:
    """Return why the group of the config may not ask, and the cure."""
    try:
        name = grp.getgrgid(group).gr_name
    except KeyError:
        name = str(group)
    user = user_name(os.geteuid())
    return (
        f"{printable(file)}: its group {name} may not ask for --status, since {user} is not in it: "
        f"add SupplementaryGroups={name} to the unit, or {user} to the group, and restart"
    )


def become(config: Config) -> None:
    """Drop root's privileges for ``user`` and ``group``, where set."""
    if not config.user and not config.group:
        return
    if config.user:
        account = pwd.getpwnam(config.user)
        group = grp.getgrnam(config.group).gr_gid if config.group else account.pw_gid
        os.initgroups(config.user, group)
        os.setgid(group)
        os.setuid(account.pw_uid)
        # ssh and rsync look there for keys and names.
        os.environ.update(HOME=account.pw_dir, USER=config.user, LOGNAME=config.user)
    else:
        os.setgroups([])
        os.setgid(grp.getgrnam(config.group).gr_gid)
