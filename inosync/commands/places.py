"""Which sources a path lies in that a person has named."""

from __future__ import annotations

import os

from inosync.config.model import Config, Source
from inosync.errors import ConfigError
from inosync.text import printable


def find(config: Config, path: str, asked: str) -> list[tuple[Source, bytes]]:
    """Return the sources that `path` lies in, and where in each; nothing needs to be there.

    When sources lie in one another, the innermost is the first.
    Raise ConfigError if it lies in none, as an answer to the option that has `asked`.
    """
    whole = os.path.abspath(path)
    # The same place by another way: the parents may be reached through symbolic links.
    real = os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole))
    for candidate, resolved in ((whole, False), (real, True)):
        found: list[tuple[Source, bytes]] = []
        for source in config.sources:
            top = os.path.realpath(source.path) if resolved else source.path
            if candidate == top or candidate.startswith(top + "/"):
                found.append((source, os.fsencode(candidate[len(top) + 1 :])))
        if found:
            return sorted(found, key=lambda each: len(each[1]))
    watched = ", ".join(printable(source.path) for source in config.sources)
    raise ConfigError(
        [f"{asked} {printable(path)}: lies in no source; give a path below {watched}"]
    )
