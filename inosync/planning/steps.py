"""The steps that may go before a run: mostly, so that what was renamed is not sent again.

Pure. Owns what each step is. Which steps a batch is worth is decided in renames.py,
renamed_files.py and step_run.py; which options of a node forbid them is said in rsync/options.py;
command.py makes their command lines.
"""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class Clear:
    """Let what came to the place of a directory have it, though old versions are kept in that.

    They go to a directory beside `path`, called as its own old version would be. ``names`` are for
    ``--files-from``.
    """

    path: bytes
    names: tuple[bytes, ...]


Step = Pave | Relink | Fuzzy | Renew | Clear
