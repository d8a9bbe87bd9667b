"""The errors that reach a person, and the exit statuses of the program.

    InosyncError
     ├── ConfigError           the config or the command line is wrong
     ├── AlreadyRunningError   another daemon holds the lock
     ├── NotRunningError       no daemon answers
     ├── StandbyError          another host is the active one
     └── WatchError            a source cannot be watched at all

``str(error)`` is the whole message: what failed, where, and what to do. Nothing here knows how a
message is shown.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence


class Exit(enum.IntEnum):
    """How the program ends: what a shell sees of it. docs/commands.rst says the same."""

    OK = 0
    FAILED = 1  # a bug, or not all that was asked for could be done
    USAGE = 2  # the command line or the config is wrong
    ALREADY_RUNNING = 3
    NOT_RUNNING = 4
    NOT_IN_SYNC = 5
    UNANSWERED = 6  # a relay does not answer


class InosyncError(Exception):
    """Base of every error that is told to a person and not shown as a traceback."""

    exit_status = Exit.FAILED


class ConfigError(InosyncError):
    """One or more problems with a config file or command line, all of them at once.

    ``problems`` holds one complete line each; ``str()`` joins them with newlines.
    """

    exit_status = Exit.USAGE

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class AlreadyRunningError(InosyncError):
    """Another process holds the daemon's lock."""

    exit_status = Exit.ALREADY_RUNNING


class NotRunningError(InosyncError):
    """There is no daemon to ask."""

    exit_status = Exit.NOT_RUNNING


class StandbyError(InosyncError):
    """This host is not the active one: nothing may be sent."""

    exit_status = Exit.NOT_IN_SYNC


class WatchError(InosyncError):
    """The root directory of a source cannot be watched."""
