"""The rules that a run has beside the excludes of its source: what it hides, spares and deletes.

Pure. What such a rule means is said in rsync/rules.py and rsync/patterns.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.rsync.kept import RULE
from inosync.rsync.own_places import own_places

#: Where the lane for big files keeps what was interrupted, in each directory of a mirror.
PARTIAL_DIRECTORY = ".inosync-partial"

#: While that lane has work, others spare its temporary files (.NAME.XXXXXX) and what it keeps. Both
#: are "perishable" (rsync(1), --partial-dir): they go with their directory, and so does a file that
#: only has such a name. It would keep its directory from giving way.
_LENIENT = (f"--filter=-rp .*.{'[0-9A-Za-z]' * 6}", f"--filter=-srp {PARTIAL_DIRECTORY}/")


def first_rules(run: Run) -> list[str]:
    """Return the rules that come before all others."""
    pair, prefix = run.pair, run.pair.source.prefix
    rules = [RULE, *(_LENIENT if run.lenient else ())]
    rules += [f"--filter=H {anchored(prefix, path)}" for path in sorted(run.hide)]
    own = own_places(pair.node.extra, pair.destination, restricted=pair.node.restricted)
    rules += [f"--filter=P {anchored('', os.fsencode(path))}" for path in own]
    # Of both sides explicitly: --delete-excluded makes a plain exclude one of the sender alone.
    left = sorted({*run.spare, *run.leave})
    rules += [f"--filter=-sr {anchored(prefix, path)}" for path in left]
    return [*rules, *_deleting(run)]


def _deleting(run: Run) -> list[str]:
    """Return the rules by which a run deletes what it may, and nothing else."""
    if not (run.gone and run.deletes) or run.kind is RunKind.COMPARISON:
        return []
    prefix = run.pair.source.prefix
    return [*(f"--filter=R {anchored(prefix, path)}" for path in run.gone), "--filter=P *"]


def only_these(files: Iterable[bytes], prefix: str, *, links: bool = False) -> list[str]:
    """Return the rules that come last, and leave nothing but `files` to a run; none for none.

    Some may be `links`, behind which there is a directory on the node.
    """
    ways: dict[str, None] = {}
    for path in sorted(files):
        whole = b"/".join(part for part in (os.fsencode(prefix), path) if part)
        slash = whole.find(b"/")
        while slash != -1:
            ways[f"--include={anchored('', whole[:slash])}/"] = None
            slash = whole.find(b"/", slash + 1)
        ways[f"--include={anchored('', whole)}"] = None
        if links:
            ways[f"--include={anchored('', whole)}/***"] = None
    return [*ways, "--exclude=*"] if ways else []


def anchored(prefix: str, path: bytes) -> str:
    """Return the pattern that matches just `path`, below `prefix` in the transfer."""
    whole = "/".join(part for part in (prefix, os.fsdecode(path)) if part)
    if re.search(r"[*?[]", whole):
        # Only in a pattern with wildcards is a backslash more than itself.
        whole = re.sub(r"([*?\[\\])", r"\\\1", whole)
    return f"/{whole}"
