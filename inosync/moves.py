"""Renamed directories: how a mirror gets them under their new path without a transfer.

Owns which renames of a batch are worth it, and the steps that then go before the ordinary run. That
run comes in any case, sends what differs and deletes the old place. So this is never needed, and in
doubt a rename is left to it. Pure: sees the source through two functions that it is handed. Knows
neither mirrors nor processes; command lines are the business of rsync.py.

What rsync (3.5.0) does, to a local path, over ssh and to a daemon alike:

- ``--link-dest=../../a/old SRC/b/new/ DEST/b/new/``: the path counts from the destination, the
  names from the source argument. So one run serves a whole directory, however deep, whatever its
  name. Files whose size and time are the same become hard links to those in the old place; literal
  data is 0. Where only mode or owner differ, the node makes a copy, and literal data is 0 as well.
- ``--copy-dest`` costs as little on the wire, but the node reads and writes everything, and needs
  the room for it until the old place is deleted.
- A file that gets another name in its directory is found by ``--fuzzy``, as long as it is there
  (``--delete-after``): then the node reads and writes it, and to a local path, where whole files
  are sent (``-W``), it is of no use. In another directory it is not found. So files are sent.
- The destination's parent must exist, or the run ends with 11. And what is a symbolic link there
  is followed, out of the mirror even. So a run over a list that names the new directories goes
  before: it makes the way real (``--mkpath`` would only make what is missing).
- With rules that are anchored or have a path, the run would have to see the source from its top;
  it does not. Rules by name mean the same anywhere.
- As long as a file has both names on the node, whatever changes its mode or times in place changes
  both, also when an ordinary run does it: where the old place is made anew meanwhile, with the same
  sizes and times but other modes, no number of full passes makes that mirror right. Contents are
  safe, since rsync replaces files, unless told ``--inplace`` or ``--append``: then what is written
  under one name is in the other, and so these prevent it. ``-H`` gets the same from what is linked
  in the source; but it keeps a link to the old place for one of the source's.
  So the old place must be deleted on the node, whatever has come in its place: a rule ``H /a/old/``
  hides it from the ordinary run, first of all rules, until one has succeeded. It does not hide what
  a list names. What excludes keep there survives, as ever.
- A symbolic link on the way to the old place would be followed, too; links to what is not deleted
  would stay. So a directory serves only when nothing took its place, or that of a directory above
  it, since the mirror was last right.
- Size and time say that files are the same, but of two files of one size and time that exchange
  names this is not true. So nothing is linked that a change of the same batch names.

A daemon that is killed between the two runs forgets the rule. Its first full pass deletes the old
place, unless that has been made anew by then, of the same files with their times.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from inosync.changes import Batch
from inosync.events import Change, Kind, Move
from inosync.extra import options
from inosync.filters import Filters
from inosync.plan import Listing

#: Bytes below which a directory is just sent: about what a link of 100 Mbit/s and 20 ms carries
#: while two more runs begin.
LEAST = 1_000_000

#: What a file counts at least, in bytes: its share of the list and of the protocol.
_FILE = 200

#: As many names are looked at to find out how much there is; more is certainly enough.
_NAMES = 2_000

#: As many paths of a renamed directory may be left out of what is linked.
_DOUBTS = 500

_LONGEST = 1_000  # bytes of a path, for all that is put before it in patterns and options

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
"""


class Status(Protocol):
    """What counts of lstat(2)'s answer; an ``os.stat_result`` is one."""

    @property
    def st_mode(self) -> int:
        """Type and permissions."""

    @property
    def st_size(self) -> int:
        """Bytes."""


#: Like plan's, for other questions.
Look = Callable[[bytes], Status | None]


@dataclass(frozen=True)
class Pave:
    """A step: make the ways to these directories, which are names for ``--files-from``, real."""

    names: tuple[bytes, ...]


@dataclass(frozen=True)
class Relink:
    """A step: fill directory `new` on the node from what it has at `old`.

    ``doubts`` are paths relative to it that are left to the ordinary run, and ``rules`` what
    excludes hide in it. ``gone`` are the paths that must be deleted on the node afterwards.
    """

    old: bytes
    new: bytes
    doubts: tuple[bytes, ...]
    rules: tuple[str, ...]
    gone: frozenset[bytes]


Step = Pave | Relink


def prevented(extra: Sequence[str]) -> bool:
    """Return whether a node's options keep renames from being anything but ordinary changes."""
    return not options(extra).isdisjoint(_PREVENTING.split())


def steps(
    batch: Batch, *, filters: Filters, look: Look, listing: Listing, least: int = LEAST
) -> tuple[Step, ...]:
    """Return what goes before the ordinary run of a batch, as the source is now, in order.

    `filters` are the rules of the source, compiled with its prefix; `least` is how many bytes a
    directory must have to be worth it.
    """
    if not batch.moves or batch.reason or batch.changes is None or filters.left_to_rsync:
        return ()
    survey = _Survey(batch.moves, filters, look)
    survey.consider(batch.changes)
    found = [
        relink
        for move in batch.moves
        if (relink := survey.relink(move)) is not None and _worth(relink.new, look, listing, least)
    ]
    if not found:
        return ()
    lead = filters.prefix + b"/" if filters.prefix else b"./"
    return (Pave(tuple(sorted(lead + relink.new for relink in found))), *found)


def holds(relink: Relink, *, look: Look) -> bool:
    """Return whether the source is still as it was when this step was thought of."""
    return _left(relink.new, relink.gone, look)


def _left(new: bytes, gone: Iterable[bytes], look: Look) -> bool:
    """Return whether `new` is a directory, named through real ones, and the others are gone."""
    if any(look(path) is not None for path in gone):
        return False
    way = [look(path) for path, _ in _upwards(new)]
    return all(status is not None and stat.S_ISDIR(status.st_mode) for status in way)


class _Survey:
    """What speaks against the renames of a batch."""

    def __init__(self, moves: Sequence[Move], filters: Filters, look: Look) -> None:
        self._filters = filters
        self._look = look
        self._doubts: dict[Move, set[bytes]] = {move: set() for move in moves}
        self._places: dict[bytes, set[Move]] = {}
        self._above: dict[bytes, set[Move]] = {}  # what is above any of its places
        self._bases: dict[bytes, set[Move]] = {b"": set(moves)}  # the old place, and what is above
        for move in moves:
            for place in move.places:
                self._places.setdefault(place, set()).add(move)
                for path, inner in _upwards(place):
                    if inner:
                        self._above.setdefault(path, set()).add(move)
            for path, _ in _upwards(move.old):
                self._bases.setdefault(path, set()).add(move)

    def consider(self, changes: Iterable[Change]) -> None:
        """Take note of what else has changed."""
        for path, moves in self._places.items():
            self._spoil(self._above.get(path, set()) - moves)
            if len(moves) > 1:
                self._spoil(moves)
        for change in changes:
            if change.kind is Kind.TREE:
                self._spoil(self._bases.get(change.path, set()))
            if change.kind is Kind.LEVEL:
                continue  # what has come where something left is named itself
            for path, inner in _upwards(change.path):
                for move in self._places.get(path, ()):
                    if inner and move in self._doubts:
                        self._doubts[move].add(inner)

    def _spoil(self, moves: set[Move]) -> None:
        for move in moves:
            self._doubts.pop(move, None)

    def relink(self, move: Move) -> Relink | None:
        """Return the step for a rename; None when it is left to the ordinary run."""
        doubts = self._doubts.get(move)
        if doubts is None or len(doubts) > _DOUBTS or not self._as_told(move):
            return None
        if max(map(len, (*doubts, *move.places))) > _LONGEST:
            return None
        rules = _rules(self._filters, move.places)
        if rules is None:
            return None
        gone = frozenset((move.old, *move.via))
        return Relink(move.old, move.new, tuple(sorted(doubts)), rules, gone)

    def _as_told(self, move: Move) -> bool:
        """Return whether the source is as a rename leaves it, in the open on both sides."""
        if any(one.startswith(two + b"/") for one in move.places for two in move.places):
            return False
        if not _left(move.new, (move.old, *move.via), self._look):
            return False
        admits = self._filters.admits_path
        return admits(move.old, directory=True) and admits(move.new, directory=True)


def _upwards(path: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a path and those above it but for the source itself, each with the way down."""
    inner = b""
    while path:
        yield path, inner
        path, _, name = path.rpartition(b"/")
        inner = _join(name, inner)


def _join(directory: bytes, name: bytes) -> bytes:
    return b"%b/%b" % (directory, name) if name else directory


def _worth(path: bytes, look: Look, listing: Listing, least: int) -> bool:
    """Return whether a directory has so much in it that it is worth runs of its own."""
    todo, names = [path], _NAMES
    while least > 0 and todo:
        directory = todo.pop()
        for name, is_directory in listing(directory):
            names -= 1
            inner = _join(directory, name)
            if is_directory:
                todo.append(inner)
            else:
                status = look(inner)
                least -= max(_FILE, status.st_size if status is not None else 0)
            if least <= 0 or names <= 0:
                return True
    return least <= 0


def _rules(filters: Filters, places: Iterable[bytes]) -> tuple[str, ...] | None:
    """Return the rules that hold below all these places, for a run that begins there.

    None when they may not be the same everywhere.
    """
    lead = filters.prefix + b"/" if filters.prefix else b""
    tops = [(lead + place).split(b"/") for place in places]
    kept = []
    for rule in filters.rules:
        if rule.by_name:
            kept.append(rule.text)
        elif not all(_elsewhere(rule.text, top) for top in tops):
            return None
    return tuple(kept)


def _elsewhere(text: str, top: Sequence[bytes]) -> bool:
    """Return whether a rule with a path cannot match anything below the directory `top`."""
    pattern = os.fsencode(text[2:] if text.startswith(("+ ", "- ")) else text)
    if not pattern.startswith(b"/") or b"**" in pattern:
        return False
    parts = pattern.strip(b"/").split(b"/")
    wild = any(byte in pattern for byte in b"*?[")
    return len(parts) <= len(top) or any(
        part != name and not (wild and any(byte in part for byte in b"*?[\\"))
        for part, name in zip(parts, top, strict=False)
    )
