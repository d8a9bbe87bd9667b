"""What is said of the versions that a node keeps (``rkeep``). Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inosync.config.model import Node
from inosync.rsync.stock import MEGABYTE, Stock
from inosync.status.model import KeptStatus, MirrorStatus
from inosync.text import many


@dataclass(frozen=True)
class Keeping:
    """What was counted of a node at a moment (monotonic seconds), and what is to be ``said``.

    Without a ``stock`` it could not be counted.
    """

    at: float
    stock: Stock | None = None
    said: str = ""

    def saying(self, said: str) -> Keeping:
        """Return the same, with other words."""
        return replace(self, said=said)


def kept_status(node: Node, keeping: Keeping | None, wall: float) -> KeptStatus | None:
    """Return what is told of a mirror; `wall` is what makes monotonic time Unix time."""
    if not node.rkeep or keeping is None:
        return None
    stock = keeping.stock
    return KeptStatus(
        at=round(wall + keeping.at, 3),
        days=len(stock.days) if stock is not None else None,
        oldest=stock.days[0].name if stock is not None and stock.days else "",
        runs=stock.runs if stock is not None else None,
        bytes=stock.size if stock is not None and stock.sized else None,
        most_bytes=node.rkeepmax * MEGABYTE,
        said=keeping.said,
    )


def kept_line(mirror: MirrorStatus) -> str:
    """Return the same as one short line for people; "" when there is nothing to say."""
    kept = mirror["kept"]
    if kept is None:
        return ""
    text = ""
    if kept["days"] and kept["runs"]:
        text = f"keeps {many(kept['days'], 'day')} since {kept['oldest']}"
        text += f", {many(kept['runs'], 'run')}"
        text += f", {kept['bytes'] / MEGABYTE:.1f} MB" if kept["bytes"] is not None else ""
    return "; ".join(part for part in (text, kept["said"]) if part)
