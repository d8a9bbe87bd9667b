"""The steps that may go before a run, so that what was renamed is not sent again.

Pure. Owns what each step is, and which options of a node forbid them. Which steps a batch is worth
is decided in moves.py; their command lines are the business of rsync.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inosync.extra import options

#: Options with which a hard link is no help, or could do harm, or with which the run would not mean
#: what is meant.
_PREVENTING = """
    --inplace --append --append-verify --write-devices -H --hard-links
    -b --backup --backup-dir --suffix --link-dest --copy-dest --compare-dest
    --size-only -I --ignore-times --modify-window -@ --existing --ignore-non-existing
    -f --filter -F --exclude --exclude-from --include --include-from -C --cvs-exclude
    --delete-excluded -L --copy-links --copy-unsafe-links -k --copy-dirlinks -K --keep-dirlinks
    -x --one-file-system -m --prune-empty-dirs --no-implied-dirs --no-i-d --no-dirs --no-d
    --old-dirs --old-d -d --dirs --iconv -M --remote-option --copy-as --confine-root
    --no-protect-args --no-secluded-args --no-s --old-args
"""


@dataclass(frozen=True)
class Pave:
    """Make the ways to these directories, which are names for ``--files-from``, real."""

    names: tuple[bytes, ...]


@dataclass(frozen=True)
class Relink:
    """Fill directory `new` on the node from what it has at `old`.

    ``doubts`` are paths relative to it that are left to the ordinary run, and ``rules`` what
    excludes hide in it. ``gone`` are the paths that must be deleted on the node afterwards. With
    ``names`` only these files of the directory are meant, and nothing that is there is touched.
    """

    old: bytes
    new: bytes
    doubts: tuple[bytes, ...]
    rules: tuple[str, ...]
    gone: frozenset[bytes]
    names: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Fuzzy:
    """Make files, names for ``--files-from``, of what is in their directories on the node."""

    names: tuple[bytes, ...]


@dataclass(frozen=True)
class Renew:
    """Send the content of what came to the `paths` that a rename had left, whatever is there.

    So each file of it becomes one of its own, also where nothing can be deleted. ``names`` are for
    ``--files-from``.
    """

    paths: frozenset[bytes]
    names: tuple[bytes, ...]


Step = Pave | Relink | Fuzzy | Renew


def prevented(extra: Sequence[str]) -> bool:
    """Return whether a node's options keep renames from being anything but ordinary changes."""
    return not options(extra).isdisjoint(_PREVENTING.split())


def whole_files(extra: Sequence[str]) -> bool:
    """Return whether a node's options have files sent whole, whatever is there already."""
    return not options(extra).isdisjoint(("-W", "--whole-file"))
