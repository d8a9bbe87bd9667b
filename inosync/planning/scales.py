"""How much there is below a directory of a source, as a pass has to carry it.

Pure: sees the source through the View that it is handed, at the moment it is called.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from inosync.planning.slices import Amount
from inosync.planning.view import View
from inosync.rsync.filters import Filters

#: So many bytes of a file that is to be sent count as much as one more entry.
GRAIN = 16384


class Scales:
    """Weighs what the rules admit. With `sizes`, what is in the files counts as well.

    What was weighed in vain, for being too much together, is kept in `known`.
    """

    def __init__(
        self, view: View, filters: Filters, *, sizes: bool, known: dict[bytes, Amount]
    ) -> None:
        self._view = view
        self._filters = filters
        self._sizes = sizes
        self._known = known

    def forget(self, path: bytes) -> None:
        """Keep no longer what a directory weighs: it is carried."""
        self._known.pop(path, None)

    def weight(self, path: bytes) -> int:
        """Return what a file weighs."""
        status = self._view.look(path) if self._sizes else None
        return 1 if status is None else 1 + status.st_size // GRAIN

    def weigh(self, path: bytes, most: int) -> Amount | None:
        """Return how much there is in a directory; None: it weighs more than `most`.

        What has been weighed completely when that turns out is remembered: it is asked for next.
        """
        if path not in self._known:
            open_ = [self._level(path, most)]
            spent = open_[0].amount.weight
            while open_ and spent <= most:
                top = open_[-1]
                if top.left:
                    child = top.left.pop()
                    if child in self._known:
                        spent += self._known[child].weight
                        top.take(child, self._known[child])
                    else:
                        open_.append(self._level(child, most - spent))
                        spent += open_[-1].amount.weight
                    continue
                self._known[top.path] = top.amount
                for child in top.weighed:
                    del self._known[child]
                open_.pop()
                if open_:
                    open_[-1].take(top.path, top.amount)
            if open_:
                return None
        amount = self._known[path]
        return amount if amount.weight <= most else None

    def _level(self, path: bytes, most: int) -> _Weighed:
        """Return what is directly in a directory; nothing more is looked at above `most`."""
        lead = path + b"/" if path else b""
        weight, files, left = 1, 0, list[bytes]()
        for name, is_directory in self._view.listing(path):
            if not is_directory:
                weight += self.weight(lead + name)
                files += 1
            elif self._filters.admits(lead + name, directory=True):
                left.append(lead + name)
            if weight > most:
                break
        return _Weighed(path, Amount(weight, 1, files), left)


@dataclass
class _Weighed:
    """A directory on the scales: what is ``left`` in it, and what has been ``weighed``."""

    path: bytes
    amount: Amount
    left: list[bytes]
    weighed: list[bytes] = field(default_factory=list)

    def take(self, child: bytes, amount: Amount) -> None:
        """Add what a directory in it weighs."""
        self.weighed.append(child)
        self.amount = self.amount.plus(amount)
