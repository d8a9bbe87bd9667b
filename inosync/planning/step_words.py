"""The words of a step's command line that no other run has.

Pure. What each step is: steps.py.
"""

from __future__ import annotations

import os

from inosync.config.model import Pair
from inosync.planning.connection import over_ssh
from inosync.planning.run_rules import anchored
from inosync.planning.steps import Clear, Fuzzy, Relink, Renew
from inosync.rsync import differences
from inosync.rsync.filters import rsync_options
from inosync.rsync.kept import RULE
from inosync.rsync.options import one_by_one, spoken, suffix

#: Of a list: a name that has vanished is no error, and ends in NUL. Like file_list.list_options.
_NAMED = ("--ignore-missing-args", "--from0", "--files-from=-")

#: What steps do beside what a list does. --fuzzy takes a file with the same size and time, or with
#: a similar name, for the content of the one beside it that the node lacks. It needs rsync's
#: delta-transfer algorithm, which is off by default to a local path (rsync(1), --whole-file).
STEP_OPTIONS: dict[type, tuple[str, ...]] = {
    Fuzzy: ("--ignore-existing", "--fuzzy", "--no-whole-file"),
    Renew: ("--ignore-times",),
    Clear: ("--force",),
}


def link_options(pair: Pair, relink: Relink) -> list[str]:
    """Return the words of a step that take the place of ``-ltrp --delete``."""
    link = f"--link-dest={_old_place(pair, relink)}"
    if not relink.names:
        return ["-ltrp", link]
    return ["-ltp", *_NAMED, "--ignore-existing", link]


def relinking(pair: Pair, relink: Relink, *, tells: bool) -> list[str]:
    """Return the last words of the step that fills a directory from what the node has."""
    first = [RULE, *(f"--exclude={anchored('', path)}" for path in relink.doubts)]
    words = [*rsync_options(relink.rules, first=first), *one_by_one(spoken(pair.node.extra))]
    words += ("-ii", *differences.TOLD) if tells else ()  # once more "i": what is linked, too
    return [*words, "--", *_ends(pair, os.fsdecode(relink.new))]


def clearing(pair: Pair, clear: Clear) -> list[str]:
    """Return the options by which old versions go to a directory beside the one they were in.

    The directory has the suffix of old versions, so that rsync protects it in every other run.
    """
    beside = clear.path + os.fsencode(suffix(pair.node.extra))
    place = _from_its_root(pair, beside) or "/".join(
        filter(None, (pair.source.prefix, os.fsdecode(beside)))
    )
    return [f"--backup-dir={place}", "--suffix="]


def _ends(pair: Pair, path: str) -> list[str]:
    """Return where the content of a directory of the source is, and where it goes."""
    here, there = pair.source.path, pair.landing(path)
    if there != pair.destination:
        return [f"{here}/{path}/" if path else f"{here}/", f"{there.text}/"]
    return [f"{here}/", there.text]


def _old_place(pair: Pair, relink: Relink) -> str:
    """Return how a node is told where it has the content of a directory."""
    if there := _from_its_root(pair, relink.old):
        return there
    up = "../" * (relink.new.count(b"/") + 1) if relink.new else ""
    return f"{up}{os.fsdecode(relink.old)}"


def _from_its_root(pair: Pair, path: bytes) -> str:
    """Return a path of the source as an absolute one on an ssh node, ``""`` if it is not known.

    rrsync takes a path for one from the top of its directory, and none with "..".
    """
    there = pair.landing(os.fsdecode(path)).path
    if not over_ssh(pair) or not (pair.node.restricted or there.startswith("/")):
        return ""
    return there if there.startswith("/") else f"/{there}"
