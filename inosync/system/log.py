"""Where messages go: syslog when daemonised, standard error otherwise.

Owns the handlers of the root logger. Knows nothing of what is said.
"""

from __future__ import annotations

import logging
import os
import sys
import syslog

_PRIORITIES = {
    logging.DEBUG: syslog.LOG_DEBUG,
    logging.INFO: syslog.LOG_INFO,
    logging.WARNING: syslog.LOG_WARNING,
    logging.ERROR: syslog.LOG_ERR,
    logging.CRITICAL: syslog.LOG_CRIT,
}


def to_stderr(*, verbose: bool) -> None:
    """Log to standard error; with journald's priorities when that is the journal."""
    handler = logging.StreamHandler(sys.stderr)
    if _is_journal(sys.stderr.fileno()):
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s inosync: %(message)s", "%Y-%m-%d %H:%M:%S")
        )
    _install(handler, verbose=verbose)


def ident(file: str) -> str:
    """Return what the daemon of the config `file` is called in logs, which tells several apart.

    /etc/inosync.py and a config from the command line are ``inosync``, /etc/inosync/web.py is
    ``inosync-web``.
    """
    name = os.path.splitext(os.path.basename(file))[0]
    if name in ("", "default"):
        return "inosync"
    return name if name.startswith("inosync") else f"inosync-{name}"


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


def _is_journal(descriptor: int) -> bool:
    """Return whether the descriptor is the stream that JOURNAL_STREAM names (systemd.exec(5))."""
    try:
        stat = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _priority(record: logging.LogRecord) -> int:
    return _PRIORITIES.get(record.levelno, syslog.LOG_INFO)


class _JournalFormatter(logging.Formatter):
    """Puts ``<N>`` before each line, sd-daemon(3)."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_priority(record)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _SyslogHandler(logging.Handler):
    """Hands records to syslog(3), a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            syslog.syslog(_priority(record), line)
