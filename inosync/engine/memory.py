"""What is remembered of a mirror while nobody runs, and when that is in doubt.

Pure. What is known is one record for each mirror, in a file that ``system/state.py`` reads and
writes. A mirror of which nothing sure is known owes a full pass; one that is known to have had
everything at a moment owes what has changed since.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from inosync.planning.scan import Question
from inosync.planning.slices import Course, course_of

#: What files of this version are made like. Of one that is newer nothing is believed.
VERSION = 1

#: Nanoseconds by which the clock may be set back unnoticed: noted moments lie that much earlier.
STEP = 1_000_000_000

#: So many directories, of which nothing is made yet, are remembered of a pass.
MOST_PARTS = 10_000

#: File systems on which a rename moves the ctime of what is renamed, and names that come and go
#: that of their directory. ext4, btrfs, overlay, tmpfs and xfs were tried with random trees
#: (tests/property/test_scan.py does so where it runs); ext2 and ext3 are of the kind of ext4.
TRUSTED = frozenset({"btrfs", "ext2", "ext3", "ext4", "overlay", "tmpfs", "xfs"})


@dataclass(frozen=True)
class Place:
    """What a source lies on: its ``inode``, and which file systems those are.

    ``kinds`` are the types of its file system and of those that are mounted below it, ``home`` what
    tells them from others.
    """

    inode: int
    home: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Known:
    """What is known of a mirror: it had everything at ``moment`` (nanoseconds since 1970).

    At that time its source lay at ``inode`` of ``home``, and no ctime in it was known to be higher
    than ``highest``, which the path ``where`` had. It was made by rules, destination and options of
    which ``made_by`` is a sum, since the machine was started last (``boot``); ``ended`` says that
    the program came to its end, and left nothing on its way. It had everything but the ``rest`` of
    a pass, if there is one. ``begun``: it was not known to have anything, and runs have carried
    what there was since then. The clock was ``ahead`` (nanoseconds) of the one that is never set,
    if that is known. What rules or options left out may be on the node as it was when it was
    ``hidden``; None: they have been the same since the first pass.
    """

    moment: int
    inode: int
    home: str
    highest: int
    made_by: str
    boot: str
    ended: bool = False
    rest: Course | None = None
    begun: bool = False
    where: str | None = None
    ahead: int | None = None
    hidden: int | None = None


@dataclass(frozen=True)
class Recalled:
    """What to ask for a mirror that is known, and the ``rest`` of a pass that it owes.

    No question: it owes a full pass. ``cut``: runs that went on then may have been cut short.
    """

    question: Question | None
    rest: Course | None = None
    cut: bool = False


@dataclass(frozen=True)
class Present:
    """What a record is compared with: the same, as it is ``now`` (nanoseconds since 1970).

    ``there`` is the ctime of the path that had the highest one, or of what that has gone from; by
    so many nanoseconds is the clock ``ahead`` of the one that is never set.
    """

    now: int
    place: Place
    made_by: str
    boot: str
    there: int | None = None
    ahead: int = 0


def _set_back(known: Known, present: Present) -> bool:
    """Return whether the clock shows less than it did, or than it would had nobody set it.

    The latter is known since the machine was started last. Where it was set back by less than it
    has gone on since, what changed in between has a ctime from before the moment that is known.
    """
    if present.now < max(known.moment, known.highest):
        return True
    if known.ahead is None or known.boot != present.boot:
        return False
    return present.ahead < known.ahead - STEP


def _rolled_back(known: Known, present: Present) -> bool:
    """Return whether a source is as it was before: whatever is done to a path, its ctime rises."""
    return present.there is not None and present.there < known.highest


_Test = Callable[[Known, Present], bool]

#: Why what was seen later puts in doubt what is known.
ROLLED_BACK = "an older state of the source was brought back"

#: Why what is known is in doubt: the first that is true.
_REASONS: tuple[tuple[_Test, str], ...] = (
    (
        lambda known, present: known.begun,
        "what was begun was cut short, or others wrote there",
    ),
    (
        lambda known, present: known.home != present.place.home,
        "the source is on another file system, or others are mounted in it",
    ),
    (
        lambda known, present: known.inode != present.place.inode,
        "the source is another directory than it was",
    ),
    (
        lambda known, present: known.made_by != present.made_by,
        "rules, destination or options have changed",
    ),
    (_set_back, "the clock was set back"),
    (_rolled_back, ROLLED_BACK),
    (
        lambda known, present: known.boot != present.boot and not known.ended,
        "the machine went down while inosync ran",
    ),
)


def doubt(known: Known, present: Present) -> str:
    """Return why a mirror owes a full pass, or "" when it owes what has changed since."""
    if unsure := untrusted(present.place):
        return unsure
    return next((reason for test, reason in _REASONS if test(known, present)), "")


def told_since(known: Known, present: Present) -> int:
    """Return since when what differs has changed, as ctimes tell (nanoseconds since 1970).

    0: they do not. The source or the target is another directory, which may have been made before,
    the clock was set back, or an older state of the source was brought back.
    """
    lay, lies = known.made_by.partition(" ")[2], present.made_by.partition(" ")[2]
    moved = (known.home, known.inode, lay) != (present.place.home, present.place.inode, lies)
    if moved or _set_back(known, present) or _rolled_back(known, present):
        return 0
    if known.made_by != present.made_by and known.hidden is not None:
        return min(known.moment, known.hidden)
    return known.moment


def asked(recalled: Mapping[str, Recalled]) -> bool:
    """Return whether a walk is to find what has changed for any of these mirrors."""
    return any(each.question for each in recalled.values())


def untrusted(place: Place) -> str:
    """Return "" when the times of a source tell all that has changed in it, else why not."""
    if others := sorted(place.kinds - TRUSTED):
        return f"on {', '.join(others)} the times of files may not tell what was renamed"
    return ""


def bounded(rest: Course) -> bool:
    """Return whether the rest of a pass is not too much to be remembered."""
    return rest.parts(MOST_PARTS) is not None


def encode(known: Mapping[str, Known]) -> bytes:
    """Return the content of the file that remembers these mirrors; each rest is bounded."""
    mirrors = {name: _encoded(each) for name, each in sorted(known.items())}
    return (json.dumps({"version": VERSION, "mirrors": mirrors}) + "\n").encode()


def decode(content: bytes) -> tuple[dict[str, Known], str]:
    """Return what a file by `encode` says, and what is wrong with it; then it says nothing."""
    try:
        found = json.loads(content)
        if found["version"] > VERSION:
            return {}, "was written by a newer inosync"
        mirrors = {name: _decoded(each) for name, each in found["mirrors"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, "is broken"
    if not all(_sound(each) for each in mirrors.values()):
        return {}, "is broken"
    return mirrors, ""


def _encoded(known: Known) -> dict[str, object]:
    """Return a record as values that JSON can hold."""
    values = {each.name: getattr(known, each.name) for each in fields(known)}
    rest = known.rest
    if rest is None:
        del values["rest"]
        return values
    left = [[reach, os.fsdecode(path)] for reach, path in rest.parts(MOST_PARTS) or ()]
    return {**values, "rest": {"sizes": rest.sizes, "done": list(rest.done), "left": left}}


def _decoded(values: dict[str, Any]) -> Known:
    """Return the record that such values are; raise what Python raises where they are none."""
    rest = values.pop("rest", None)
    if rest is None:
        return Known(**values)
    parts = [(reach, os.fsencode(path)) for reach, path in rest["left"]]
    done = dict(zip(("weight", "directories", "files"), map(int, rest["done"]), strict=True))
    return Known(**values, rest=course_of(parts, sizes=bool(rest["sizes"]), **done))


def _sound(known: Known) -> bool:
    numbers = (known.moment, known.inode, known.highest)
    words = (known.home, known.made_by, known.boot)
    return (
        isinstance(known.begun, bool)
        and all(each is None or type(each) is int for each in (known.ahead, known.hidden))
        and all(type(number) is int for number in numbers)
        and all(isinstance(word, str) for word in words)
        and isinstance(known.ended, bool)
        and isinstance(known.where, str | None)
    )
