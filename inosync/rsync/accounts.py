"""What a run complained of in all: from what it said on standard output and standard error.

Pure. What one line means is read in sentences.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from inosync.changes.changes import with_parents
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.rsync.differences import KEPT
from inosync.rsync.ends import Ends
from inosync.rsync.sentences import (
    LONGEST_RULE,
    complaint_of,
    says_nothing,
    tells_of_a_race,
)
from inosync.text import printable

#: What a run says that deletes nothing, for it does not know all that there is.
UNDELETED = b"IO error encountered -- skipping file deletion"
_ODD = re.compile(rb'skipping non-regular file "(.+)"', re.DOTALL)
#: How many directories and odd files an account names.
_MOST = 2_000


def account(
    lines: Iterable[bytes],
    errors: bytes,
    ends: Ends,
    *,
    cut: bool = False,
    ended: bool = False,
) -> Account:
    """Return what a run complained of on standard output, line by line, and standard error.

    That has lost its beginning when it is `cut`: what it said is not all known. The run has `ended`
    for an error in file I/O.
    """
    found: dict[bytes, Complaint] = {}
    understood, raced = not cut, False
    for line in errors.splitlines():
        if says_nothing(line):
            continue
        if tells_of_a_race(line):
            raced = True
        elif (complaint := complaint_of(line, ends)) is None:
            understood = False
        else:
            before = found.get(complaint.path)
            found[complaint.path] = complaint if before is None else _both(before, complaint)
    kept, odd, undeleted = _remarks(lines, ends)
    if ended and not any(complaint.final for complaint in found.values()):
        found |= {each.path: each for each in _unsaid(kept, ends)}
    return Account(
        tuple(found.values()),
        understood=understood,
        undeleted=undeleted,
        raced=raced,
        kept=tuple(_deepest(kept)),
        odd=tuple(odd),
        ended=ended,
    )


def told_apart(said: Account, there: Callable[[bytes], bool]) -> Account:
    """Return the account in which each complaint is of one path, of those that are `there`.

    Where none of those that it may be of is, it is of all.
    """
    found: dict[bytes, Complaint] = {}
    for complaint in said.complaints:
        paths = [complaint.path, complaint.other] if complaint.other else [complaint.path]
        for path in [path for path in paths if len(paths) > 1 and there(path)] or paths:
            found.setdefault(path, replace(complaint, path=path, other=b""))
    return replace(said, complaints=tuple(found.values()))


def _unsaid(kept: Iterable[bytes], ends: Ends) -> Iterator[Complaint]:
    """Give what an rsync daemon does not tell when it ends: whose old version had no place.

    Without being in the way no old version is to be deleted.
    """
    for name in kept:
        path = ends.original(name)
        if path and len(path) <= LONGEST_RULE:
            text = printable(KEPT + name)
            yield Complaint(path, Cause.OLD_IN_THE_WAY, text, final=True)


def _remarks(
    lines: Iterable[bytes], ends: Ends
) -> tuple[dict[bytes, None], dict[bytes, None], bool]:
    """Return what is said on standard output: directories that stay, odd files, no deletions."""
    kept: dict[bytes, None] = {}
    odd: dict[bytes, None] = {}
    undeleted = False
    for line in lines:
        # A progress report ends in a return, and the line goes on behind it.
        text = line.rstrip(b"\n").rpartition(b"\r")[2]
        path = None
        if text.startswith(KEPT):
            path, into = ends.of_transfer(text[len(KEPT) :]), kept
        elif found := _ODD.fullmatch(text):
            path, into = ends.of_transfer(found[1]), odd
        undeleted |= text == UNDELETED
        if path and len(into) < _MOST:
            into[path] = None
    return kept, odd, undeleted


def _both(one: Complaint, other: Complaint) -> Complaint:
    """Return the first, with how far both reach."""
    whole, blind = one.whole or other.whole, one.blind or other.blind
    return replace(one, whole=whole, blind=blind, final=one.final or other.final)


def _deepest(directories: Iterable[bytes]) -> Iterator[bytes]:
    """Give the directories in which there is none of the others."""
    known = dict.fromkeys(directories)
    parents = {above for path in known for above in islice(with_parents(path), 1, None)}
    return (path for path in known if path not in parents)
