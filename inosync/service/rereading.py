"""A config that is read again while the daemon runs: what people and the supervisor hear of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from inosync.config.model import Config
from inosync.errors import ConfigError
from inosync.rsync.program import Program
from inosync.service.announcer import Supervisor

log = logging.getLogger("inosync")


def reread(
    load: Callable[[], tuple[Config, Program]],
    take: Callable[[Config, Program], None],
    supervisor: Supervisor,
    now: float,
) -> tuple[str, ...]:
    """Load the config anew, and have it taken unless it is wrong; return what is wrong with it.

    It is `now` by the monotonic clock.
    """
    supervisor.tell(RELOADING="1", MONOTONIC_USEC=str(int(now * 1e6)))
    problems: tuple[str, ...] = ()
    try:
        config, program = load()
    except ConfigError as error:
        problems = error.problems
        for problem in problems:
            log.error("%s", problem)
        log.error("reload: the config is wrong, the old one stays in force")
    else:
        take(config, program)
        log.info("reload: config loaded again")
    supervisor.tell(READY="1")
    return problems
