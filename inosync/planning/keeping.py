"""The runs that look after what nodes keep (``rkeep``): remove what is over, list, bring back.

Pure. None of them is a run of the mirror: they touch nothing but the folder in it, or only read.
"""

from __future__ import annotations

from inosync.config.model import Config, Pair
from inosync.planning.command import reach
from inosync.rsync.kept import KEPT, days_over
from inosync.rsync.program import Program


def pruning(pair: Pair, config: Config, program: Program, *, wall: float, empty: str) -> list[str]:
    """Return the argv that removes what a node has kept for long enough.

    Nothing but rsync is needed on the node: an empty directory is sent, `empty` being the one above
    it, and only the days that are over may be deleted for it. A node that keeps nothing gets no
    folder for that.
    """
    days = [f"--include=/{KEPT}/{day}/***" for day in days_over(wall, pair.node.rkeep)]
    rules = [f"--include=/{KEPT}/", *days, "--exclude=*"]
    argv = [config.rsync, "-rR", "--existing", "--delete", *reach(pair, program), *rules]
    return [*argv, "--", f"{empty}/./{KEPT}/", pair.destination.text]
