"""The service manager, if there is one: sd_notify(3) and its watchdog.

Knows how to tell, not what.
"""

from __future__ import annotations

import contextlib
import os
import socket


class Systemd:
    """Whoever started the daemon and wants to hear of it; nobody, when NOTIFY_SOCKET is not set."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        interval = os.environ.get("WATCHDOG_USEC", "")
        meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        #: Seconds between signs of life: half of what the manager allows.
        self.watchdog = int(interval) / 2e6 if interval.isdigit() and meant else 0.0

    def tell(self, **states: str) -> None:
        """Send states such as READY="1"; a manager that does not listen is no fault of ours."""
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in states.items())
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.setblocking(False)
            channel.sendto(message.encode(), self._address)
