"""What was renamed: how a mirror gets it under its new path without a transfer.

Owns which renames of a batch are worth it, and the steps that then go before the ordinary run. That
run comes in any case, sends what differs and deletes the old place. So this is never needed, and in
doubt a rename is left to it. Pure: sees the source through the View that it is handed. Knows
neither mirrors nor processes; command.py makes the command lines.

What rsync (3.5.0) does, to a local path, over ssh and to a daemon alike:

- ``--link-dest=../../a/old SRC/b/new/ DEST/b/new/``: the path counts from the destination, the
  names from the source argument. So one run serves a whole directory, however deep, whatever its
  name. Files whose size and time are the same become hard links to those in the old place; literal
  data is 0. Where only mode or owner differ, the node makes a copy, and literal data is 0 as well.
- ``--copy-dest`` costs as little on the wire, but the node reads and writes everything, and needs
  the room for it until the old place is deleted.
- A file in another directory, under its name, is linked in the same way, by a run that names it.
- A file that gets another name in its directory is found by ``--fuzzy`` as long as it is there, so
  in a run that deletes nothing: by size and time in seconds, or by a similar name. Then the node
  makes a copy, and literal data is 0; the whole file is checked, so nothing has to be trusted. To
  a local path that needs ``--no-whole-file`` and costs more than to send: of 300 MB in memory a
  copy took 0.4 s, and that 0.6. But there, too, ``rspeed`` limits what is sent.
  Only for what the node lacks: of logs that are rotated, the last one.
- With another name in another directory ``--fuzzy --fuzzy --link-dest`` would find it, but not over
  ssh with ``--protect-args``, nor in a daemon, which look for the old place elsewhere. So it is
  sent.
- ``--ignore-existing``: what is there is the business of the ordinary run.
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
  So the old place must be deleted on the node, whatever has come in its place: a rule ``H /a/old``
  hides it from the ordinary run, first of all rules, until one has succeeded. It does not hide what
  a list names. What excludes keep there survives, as ever. Where a run fails, it may do so for
  ever, and rsync may delete nothing: so what has come there is sent with ``--ignore-times`` before
  the next one. That makes new files, which share nothing.
- A symbolic link on the way to the old place would be followed, too; links to what is not deleted
  would stay. So a directory serves only when nothing took its place, or that of a directory above
  it, since the mirror was last right.
- Size and time say that files are the same, but of two files of one size and time that exchange
  names this is not true. So nothing is linked that a change of the same batch names. That a file
  came to its new path is such a change, so it must be the only thing that happened there.

A daemon that is killed between the two runs forgets the rule. Its first full pass deletes the old
place, unless that has been made anew by then, of the same files with their times.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

from inosync.changes.batch import Batch
from inosync.changes.changes import Change, Kind, Move
from inosync.planning.file_list import lead
from inosync.planning.renamed_files import PER_RUN, Renamed, base_name, file_steps, home, stays
from inosync.planning.steps import Fuzzy, Pave, Relink, Step
from inosync.planning.view import View
from inosync.rsync.filters import Filters

#: Bytes below which a directory is just sent: about what a link of 100 Mbit/s and 20 ms carries
#: while two more runs begin.
LEAST = 1_000_000

#: What a file counts at least, in bytes: its share of the list and of the protocol.
_FILE = 200

#: As many names are looked at to find out how much there is; more is certainly enough.
_NAMES = 2_000

#: As many paths of a renamed directory may be left out of what is linked.
_DOUBTS = 500

#: A node's rsync may expand these in the destination of a linking step (``read_args`` in io.c), and
#: a backslash may be more than itself beside them.
_EXPANDED = re.compile(rb"[*?\[\\]")

_LONGEST = 1_000  # bytes of a path, for all that is put before it in patterns and options


def steps(
    batch: Batch,
    *,
    filters: Filters,
    view: View,
    least: int = LEAST,
    per_run: int = PER_RUN,
    owed: Iterable[bytes] = (),
    big: int = 0,
    delta: bool = True,
) -> tuple[Step, ...]:
    """Return what goes before the ordinary run of a batch, as the source is now, in order.

    `filters` are the rules of the source, compiled with its prefix; `least` is how many bytes a
    directory must have to be worth it, and `per_run` the same for each run that is only for files.
    `owed` is what the lane for files above `big` bytes has still to carry. `delta` says that rsync
    may make a file of one that is there.
    """
    if not batch.moves or batch.reason or batch.changes is None or not filters.plain:
        return ()
    survey = _Survey(batch.moves, filters, view)
    survey.consider(batch.changes)
    survey.consider_owed(owed)
    directories = [
        relink
        for move in batch.moves
        if (relink := survey.relink(move)) is not None and _worth(relink.new, view, least)
    ]
    files = [file for move in set(batch.moves) if (file := survey.file(move)) is not None]
    linked, alike = file_steps(files, per_run=per_run, big=big, delta=delta)
    relinks = [*directories, *linked]
    start = lead(filters.prefix)
    ways = {start + relink.new for relink in relinks if relink.new}
    return (
        *((Pave(tuple(sorted(ways))),) if ways else ()),
        *relinks,
        *((Fuzzy(tuple(start + name for name in alike)),) if alike else ()),
    )


def holds(relink: Relink, *, view: View) -> bool:
    """Return whether the source is still as it was when this step was thought of."""
    return _left(relink.new, relink.gone, view)


def _left(new: bytes, gone: Iterable[bytes], view: View) -> bool:
    """Return whether `new` is a directory, named through real ones, and the others are gone."""
    if any(view.look(path) is not None for path in gone):
        return False
    way = [view.look(path) for path, _ in _upwards(new)]
    return all(status is not None and stat.S_ISDIR(status.st_mode) for status in way)


class _Survey:
    """What speaks against the renames of a batch."""

    def __init__(self, moves: Sequence[Move], filters: Filters, view: View) -> None:
        self._filters = filters
        self._view = view
        self._doubts: dict[Move, set[bytes]] = {move: set() for move in moves}
        self._useless: set[Move] = set()  # their old directory is not what the node has
        self._named: set[bytes] = set()
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
            self._spoil(self._above.get(path, set()) - moves, wholly=True)
            if len(moves) > 1:
                self._spoil(moves)
        for change in changes:
            if change.kind is Kind.TREE:
                self._spoil(self._bases.get(change.path, set()), wholly=True)
            if change.kind is Kind.LEVEL:
                continue  # what has come where something left is named itself
            self._named.add(change.path)
            self._doubt(change.path)

    def consider_owed(self, paths: Iterable[bytes]) -> None:
        """Take note of what the node does not have yet as it was before the renames."""
        for path in paths:
            self._doubt(path, renamed=False)

    def _doubt(self, path: bytes, *, renamed: bool = True) -> None:
        """Take note that the node has this path otherwise.

        Not `renamed`: that is said of the time before the renames, so of no new place.
        """
        for above, inner in _upwards(path):
            for move in self._places.get(above, ()):
                if above == move.new and not (renamed and inner):
                    continue  # to be there is a change itself
                if move.file:
                    if inner or above == move.old:
                        self._spoil({move})
                elif inner and move in self._doubts:
                    self._doubts[move].add(inner)

    def _spoil(self, moves: Iterable[Move], *, wholly: bool = False) -> None:
        for move in moves:
            self._doubts.pop(move, None)
            if wholly:
                self._useless.add(move)

    def file(self, move: Move) -> Renamed | None:
        """Return a renamed file with its size; None when it is left to the ordinary run."""
        status = self._view.look(move.new)
        if not move.file or status is None or not stat.S_ISREG(status.st_mode):
            return None
        known = self._is_basis(move) if stays(move) else self._may_be_linked(move)
        return Renamed(move, status.st_size) if known and self._in_the_open(move) else None

    def _may_be_linked(self, move: Move) -> bool:
        same = move.sure and base_name(move.old) == base_name(move.new)
        return same and move in self._doubts and self._as_told(move)

    def _is_basis(self, move: Move) -> bool:
        """Return whether the node may have the file under its old name, as it is or nearly so."""
        if move in self._useless:
            return False
        # What was written under a name that is gone now was in the making: the node never had it.
        return move.old not in self._named or self._view.look(move.old) is not None

    def relink(self, move: Move) -> Relink | None:
        """Return the step for a directory; None when it is left to the ordinary run."""
        doubts = self._doubts.get(move)
        if move.file or doubts is None or len(doubts) > _DOUBTS:
            return None
        if max(map(len, doubts), default=0) > _LONGEST:
            return None
        if not (self._as_told(move) and self._in_the_open(move)):
            return None
        rules = _rules(self._filters, move.places)
        if rules is None:
            return None
        gone = frozenset(move.places[:-1])
        return Relink(move.old, move.new, tuple(sorted(doubts)), rules, gone)

    def _as_told(self, move: Move) -> bool:
        """Return whether the source is as a rename leaves it, and its new place can be told."""
        if any(one.startswith(two + b"/") for one in move.places for two in move.places):
            return False
        target = home(move.new) if move.file else move.new
        if _EXPANDED.search(target) or _EXPANDED.search(self._filters.prefix):
            return False
        return _left(target, move.places[:-1], self._view)

    def _in_the_open(self, move: Move) -> bool:
        """Return whether both ends may be named, and the rules hide neither."""
        if max(map(len, move.places)) > _LONGEST:
            return False
        admits, directory = self._filters.admits_path, not move.file
        return all(admits(path, directory=directory) for path in (move.old, move.new))


def _upwards(path: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a path and those above it but for the source itself, each with the way down."""
    inner = b""
    while path:
        yield path, inner
        path, _, name = path.rpartition(b"/")
        inner = _join(name, inner)


def _join(directory: bytes, name: bytes) -> bytes:
    return b"%b/%b" % (directory, name) if name else directory


def _worth(path: bytes, view: View, least: int) -> bool:
    """Return whether a directory has so much in it that it is worth runs of its own."""
    todo, names = [path], _NAMES
    while least > 0 and todo:
        directory = todo.pop()
        for name, is_directory in view.listing(directory):
            names -= 1
            inner = _join(directory, name)
            if is_directory:
                todo.append(inner)
            else:
                status = view.look(inner)
                least -= max(_FILE, status.st_size if status is not None else 0)
            if least <= 0 or names <= 0:
                return True
    return least <= 0


def _rules(filters: Filters, places: Iterable[bytes]) -> tuple[str, ...] | None:
    """Return the rules that hold below all these places, for a run that begins there.

    None when they may not be the same everywhere.
    """
    start = filters.prefix + b"/" if filters.prefix else b""
    tops = [(start + place).split(b"/") for place in places]
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
