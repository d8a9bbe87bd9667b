"""Where messages go: syslog when daemonised, standard error otherwise; there also to the journal.

Owns the handlers of the root logger. Knows nothing of what is said: a record may have ``fields``,
which say to programs what it is about.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import syslog
from collections.abc import Mapping
from datetime import UTC, datetime

from inosync.system import journal

_PRIORITIES = {
    logging.DEBUG: syslog.LOG_DEBUG,
    logging.INFO: syslog.LOG_INFO,
    logging.WARNING: syslog.LOG_WARNING,
    logging.ERROR: syslog.LOG_ERR,
    logging.CRITICAL: syslog.LOG_CRIT,
}


def ident(file: str) -> str:
    """Return what the daemon of the config `file` is called in logs, which tells several apart.

    /etc/inosync.py and a config from the command line are ``inosync``, /etc/inosync/web.py is
    ``inosync-web``.
    """
    name = os.path.splitext(os.path.basename(file))[0]
    if name in ("", "default"):
        return "inosync"
    return name if name.startswith("inosync") else f"inosync-{name}"


def to_stderr(name: str, *, verbose: bool, as_json: bool = False) -> None:
    """Log to standard error, or, when that is the journal, to it under this name.

    With `as_json` each message is a line of JSON, which has the name.
    """
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if as_json:
        handler.setFormatter(_JsonFormatter(name))
    elif journal.is_stream(sys.stderr.fileno()):
        handler = _JournalHandler(name)
    else:
        handler.setFormatter(
            _StampedFormatter("%(asctime)s inosync: %(message)s", "%Y-%m-%d %H:%M:%S")
        )
    _install(handler, verbose=verbose)


def to_syslog(name: str, *, verbose: bool) -> None:
    """Log to syslog, facility daemon, as ``NAME[PID]``. Call it after the last fork."""
    # syslog(3) finds its way back when the system's logger is restarted.
    syslog.openlog(name, syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_DAEMON)
    handler = _SyslogHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    _install(handler, verbose=verbose)


def _install(handler: logging.Handler, *, verbose: bool) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    # Nobody reads which line of which file said it, in which thread: a third of what it costs to
    # say something (the "Optimization" page of logging), and -v says three lines for each run.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _priority(record: logging.LogRecord) -> int:
    return _PRIORITIES.get(record.levelno, syslog.LOG_INFO)


def _fields(record: logging.LogRecord) -> Mapping[str, str | int]:
    fields: Mapping[str, str | int] = getattr(record, "fields", {})
    return fields


class _StampedFormatter(logging.Formatter):
    """Puts the time in front, by the second: worked out once for all that is said in one."""

    _second: int | None = None
    _text = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._text = super().formatTime(record, datefmt)
        return self._text


class _JsonFormatter(logging.Formatter):
    """Makes a line of JSON of each record; its names are those of docs/logging.rst."""

    def __init__(self, name: str) -> None:
        super().__init__("%(message)s")
        self._name = name

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": at,
            "level": record.levelname.lower(),
            "daemon": self._name,
            "message": super().format(record),
        }
        return json.dumps(line | dict(_fields(record)))


class _JournalHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Sends records to the journal with their fields.

    What it does not take goes to standard error, which it reads as well, with ``<N>`` before each
    line, sd-daemon(3).
    """

    def __init__(self, name: str) -> None:
        super().__init__(sys.stderr)
        self._name = name

    def emit(self, record: logging.LogRecord) -> None:
        known = dict(_fields(record))
        sent: dict[str, str | int] = {
            "MESSAGE": super().format(record),
            "PRIORITY": _priority(record),
            "SYSLOG_IDENTIFIER": self._name,
            "SYSLOG_FACILITY": syslog.LOG_DAEMON >> 3,
            "SYSLOG_PID": os.getpid(),
        }
        if event := known.pop("event", ""):
            sent["MESSAGE_ID"] = journal.IDS[str(event)]
        sent |= {f"INOSYNC_{name.upper()}": value for name, value in known.items()}
        if not journal.send(sent):
            super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_priority(record)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _SyslogHandler(logging.Handler):
    """Hands records to syslog(3), a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            syslog.syslog(_priority(record), line)
