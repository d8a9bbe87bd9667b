"""Which of a node's options do not go with what is to be deleted there (``rdelete``).

Pure. What ``rdelete`` means is said in config/settings.py, and what runs make of it in
planning/command.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from inosync.rsync.options import hindrance, options

#: Options that delete what the source never had, or make way through it.
DELETING = frozenset({"--delete-excluded", "--force"})
#: By which the names and rules of both ends need not be the same.
_RENAMING = "--iconv"


def deleting(words: Sequence[str]) -> str:
    """Return the option that deletes more than `rdelete` may say, ``""`` when none does."""
    return min(options(words) & DELETING, default="")


def untold(words: Sequence[str]) -> str:
    """Return why what has vanished cannot be told from what others have put there: an option.

    ``""`` when it can be.
    """
    if _RENAMING in options(words):
        return f"{_RENAMING}: names are others there"
    return hindrance(words)
