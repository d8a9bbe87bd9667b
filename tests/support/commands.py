"""Command lines for tests of planning, each of a run that is made up on the spot."""

from __future__ import annotations

from typing import Any

from inosync.config.model import Config, Source
from inosync.planning.command import command
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.rsync.program import Program

from .configs import make_config, make_pair

NEW = (3, 2, 7)
#: The rule that each of them has, so that nothing is done to what is kept.
KEPT = "--filter=-sr .inosync-kept"
_PROGRAM = ("checksum", "control", "environment_shell")
_NODE = ("rspeed", "rtimeout", "extra", "restricted", "rkeep", "rtls")


def argv(
    destination: str = "/mirror",
    *,
    source: Source | None = None,
    config: Config | None = None,
    **options: Any,
) -> list[str]:
    """Return the argv of a run; `options` are of its node, of its program and of itself."""
    node = {key: options.pop(key) for key in _NODE if key in options}
    words = {key: options.pop(key) for key in _PROGRAM if key in options}
    program = Program(options.pop("version", NEW), **words)
    kind = RunKind.REHEARSAL if options.pop("rehearse", False) else RunKind.PASS
    kind = RunKind.COMPARISON if options.pop("compare", False) else kind
    kind = RunKind.STEP if "step" in options else kind
    pair = make_pair(source, destination, **node)
    return command(Run(pair, kind, **options), config or make_config([pair]), program)
