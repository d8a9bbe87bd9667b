"""What makes this host the active one of several (``wactive``), and word of its coming and going.

A file, or an address. Who makes the file, or gives the address, decides; nothing is elected here.
"""

from __future__ import annotations

import os

from inosync.service.loop import Selecting
from inosync.system.addresses import AddressNews, holds
from inosync.text import printable
from inosync.watch.ways import Ways

#: Seconds between two looks for a file whose coming the kernel cannot tell: no inotify is left.
_BLIND = 1.0


def missing(wactive: str) -> str:
    """Return what this host lacks to be the active one, in words; "" when it is."""
    if not wactive:
        return ""
    if wactive.startswith("/"):
        return "" if os.path.exists(wactive) else f"there is no {printable(wactive)}"
    return "" if holds(wactive) else f"this host does not hold {wactive}"


class Mandate:
    """Whether this host is the active one by ``wactive``; "" means that it always is.

    ``missing`` says what it lacks for that, as was seen last.
    """

    def __init__(self, wactive: str) -> None:
        self.wactive = wactive
        self.missing = ""
        self._selecting: Selecting | None = None
        self._ways: Ways | None = None
        self._news: AddressNews | None = None
        self._look_at: float | None = None
        self._open()

    def _open(self) -> None:
        if self.wactive.startswith("/"):
            self._ways = Ways()
            self._ways.open()
            self._ways.watch(self.wactive)
        elif self.wactive:
            self._news = AddressNews()
        self.missing = missing(self.wactive)

    def close(self) -> None:
        """Hear of it no more."""
        descriptor = self._descriptor()
        if descriptor is not None and self._selecting is not None:
            self._selecting.ignore(descriptor)
        for each in (self._ways, self._news):
            if each is not None:
                each.close()
        self._ways = self._news = None

    def configure(self, wactive: str) -> None:
        """Go by another ``wactive`` from now on."""
        if wactive == self.wactive:
            return
        self.close()
        self.wactive = wactive
        self._open()
        if self._selecting is not None:
            self.listen(self._selecting)

    def listen(self, selecting: Selecting) -> None:
        """Have the loop call us when what ``wactive`` names may have changed."""
        self._selecting = selecting
        descriptor = self._descriptor()
        if descriptor is not None:
            selecting.listen(descriptor, self._look)

    def due(self, now: float) -> None:
        """Look for what is not told of."""
        if self._ways is not None and self._ways.blind(self.wactive):
            self._look()
            self._look_at = now + _BLIND
        else:
            self._look_at = None

    def deadline(self) -> float | None:
        """Return when ``due`` has something to do; None: the kernel tells."""
        return self._look_at

    def _descriptor(self) -> int | None:
        if self._news is not None:
            return self._news.fileno()
        return self._ways.descriptor if self._ways is not None else None

    def _look(self) -> None:
        """See how it is now; what changes from here on is told."""
        if self._ways is not None and (self._ways.read() or self._ways.blind(self.wactive)):
            self._ways.watch(self.wactive)
        if self._news is not None:
            self._news.read()
        self.missing = missing(self.wactive)
