"""The errors that reach a person.

    InosyncError
     ├── ConfigError           the config or the command line is wrong          (exit 2)
     ├── AlreadyRunningError   another daemon holds the lock                    (exit 3)
     ├── NotRunningError       no daemon answers                                (exit 4)
     └── WatchError            a source cannot be watched at all

``str(error)`` is the whole message: what failed, where, and what to do. Nothing here knows how a
message is shown.
"""

from __future__ import annotations

from collections.abc import Sequence


class InosyncError(Exception):
    """Base of every error that is told to a person and not shown as a traceback."""


class ConfigError(InosyncError):
    """One or more problems with a config file or command line, all of them at once.

    ``problems`` holds one complete line each; ``str()`` joins them with newlines.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class AlreadyRunningError(InosyncError):
    """Another process holds the daemon's lock."""


class NotRunningError(InosyncError):
    """There is no daemon to ask."""


class WatchError(InosyncError):
    """The root directory of a source cannot be watched."""
