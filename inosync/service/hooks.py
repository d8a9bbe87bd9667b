"""The hooks at work: programs that a config wants told of what happens, one at a time for each.

Between the engine, which reports, and processes. A hook never delays a mirror and never changes
what one does: it is started, left alone, and ended when it overruns ``hooktimeout``. For each
mirror, and for each source, one runs at a time; reports that come meanwhile wait, merged to one for
each event, so that neither memory nor processes grow. Reads no clock: time is an argument.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from inosync.config.model import Config
from inosync.engine.reports import Report, encode
from inosync.engine.roster import GRACE
from inosync.rsync.output import evidence
from inosync.system.process import Child
from inosync.text import many, printable

log = logging.getLogger("inosync")

#: How many hooks run at once, over all sources and mirrors.
MOST = 8

#: A source or a mirror: of these only one hook runs at a time.
_Place = tuple[str, str | None]


@dataclass
class _Hook:
    """A hook at work. Times are monotonic seconds."""

    child: Child
    report: Report
    began: float
    limit: float  # how long it may take, as it was when it began
    end_at: float | None  # when it has to end
    kill_at: float | None = None  # when it is killed, having been told to end
    overran: bool = False


@dataclass
class Hooks:
    """All hooks of the daemon.

    ``environment`` is theirs: without the mark by which the next daemon ends what an earlier one
    left behind, since what a hook starts (a service, say) is not ours to end. With ``pretend`` they
    are logged and nothing runs.
    """

    config: Config
    environment: Mapping[str, str]
    pretend: bool = False
    _running: dict[int, _Hook] = field(default_factory=dict)  # by process id
    _waiting: dict[tuple[str, _Place], tuple[Report, float]] = field(default_factory=dict)
    _faults: dict[tuple[str, _Place], str] = field(default_factory=dict)  # how each failed last
    _stopping: bool = False

    def add(self, report: Report, at: float) -> None:
        """Take a report of what happened `at` that Unix time; its program runs when it can."""
        if self._stopping:
            return
        key = (report.event, _place(report))
        older, _ = self._waiting.pop(key, (None, 0.0))
        # At the end of the queue again: the last that a program hears of a mirror is how it is now.
        self._waiting[key] = (report.after(older) if older is not None else report, at)

    def due(self, now: float) -> None:
        """Start what may run at `now`, and end what has taken too long."""
        for hook in self._running.values():
            if hook.kill_at is not None and now >= hook.kill_at:
                hook.kill_at = None
                log.warning("%s did not end when told to: killed", _name(hook.report))
                hook.child.kill()
            elif hook.end_at is not None and now >= hook.end_at:
                hook.overran = True
                self._end(hook, now)
        busy = {_place(hook.report) for hook in self._running.values()}
        for key, (report, at) in list(self._waiting.items()):
            if len(self._running) >= MOST:
                break
            if key[1] not in busy:
                del self._waiting[key]
                if self._start(report, at, now):
                    busy.add(key[1])

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do next, or None when only events can tell."""
        waits = [time for hook in self._running.values() for time in (hook.end_at, hook.kill_at)]
        return min((wait for wait in waits if wait is not None), default=None)

    def reap(self, now: float) -> None:
        """Take note of the hooks that have ended."""
        for pid, hook in list(self._running.items()):
            status = hook.child.poll()
            if status is None:
                continue
            del self._running[pid]
            fault = "" if status == 0 else f"exit {status}"
            if status < 0:
                fault = f"killed by signal {-status}"
            if hook.overran:
                fault = f"took longer than {hook.limit:g} s (hooktimeout): ended"
            output = evidence(hook.child.output()) + evidence(hook.child.errors())
            hook.child.close()
            log.debug("%s: %.2f s", _name(hook.report), now - hook.began)
            if not self._stopping:
                self._judge(hook.report, fault, output)

    def stop(self, now: float) -> None:
        """Start no more and end what runs. A second call kills it."""
        if self._waiting:
            log.info("not run, since they waited for others: %s", many(len(self._waiting), "hook"))
            self._waiting.clear()
        for hook in self._running.values():
            if self._stopping:
                hook.child.kill()
            elif hook.kill_at is None:
                self._end(hook, now)
        self._stopping = True

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called and no hook is left."""
        return self._stopping and not self._running

    def kill(self) -> None:
        """End all for certain: the daemon itself ends."""
        for hook in self._running.values():
            hook.child.kill()

    def _end(self, hook: _Hook, now: float) -> None:
        hook.end_at, hook.kill_at = None, now + GRACE
        hook.child.terminate()

    def _start(self, report: Report, at: float, now: float) -> bool:
        """Run the program for a report; return whether it runs."""
        argv = getattr(self.config, report.event)
        if not argv:  # no longer configured
            return False
        data = encode(report, at)
        if self.pretend:
            given = shlex.quote(data.decode().rstrip())
            log.info("would execute: printf '%%s\\n' %s | %s", given, shlex.join(argv))
            return False
        log.debug("executing: %s # %s", shlex.join(argv), _name(report))
        try:
            child = Child(argv, environment=self.environment, data=data)
        except OSError as error:
            self._judge(report, f"{argv[0]} cannot be run: {error.strerror}", ())
            return False
        limit = float(self.config.hooktimeout)
        self._running[child.pid] = _Hook(child, report, now, limit, now + limit)
        return True

    def _judge(self, report: Report, fault: str, output: tuple[str, ...]) -> None:
        """Log how a hook ended: a failure once, when it begins or changes, and when it is over."""
        key = (report.event, _place(report))
        before = self._faults.pop(key, "")
        if fault:
            self._faults[key] = fault
            level = logging.DEBUG if fault == before else logging.WARNING
            log.log(level, "%s: %s; no mirror is affected", _name(report), fault)
        else:
            level = logging.INFO
            if before:
                log.info("%s: well again", _name(report))
            elif output:
                log.info("%s says:", _name(report))
        for line in output:
            log.log(level, "  %s", line)


def _place(report: Report) -> _Place:
    return report.source, report.destination


def _name(report: Report) -> str:
    """How messages call a hook."""
    if not report.source:
        return f"{report.event} hook"
    where = printable(report.source)
    if report.destination is not None:
        where += f" -> {report.destination}"
    return f"{report.event} hook of {where}"
