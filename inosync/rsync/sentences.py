"""What a run says that it could not carry: paths of the source, with the cause.

Pure. Reads rsync's own sentences (generator.c, receiver.c, sender.c, flist.c, delete.c, rsync.c of
rsync 3.1 to 3.5) and ties each to a path. A sentence that is not known here, or whose path is not
below the source, makes the whole account not ``understood``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from inosync.changes.changes import with_parents
from inosync.rsync.causes import Cause
from inosync.rsync.differences import KEPT, below
from inosync.rsync.program import CHATTER
from inosync.rsync.tls import UNPROVED
from inosync.text import printable


@dataclass(frozen=True)
class Complaint:
    """One path that was not carried; ``text`` is what rsync said.

    ``whole``: all below it was not, either. ``blind``: for want of it nothing was deleted, and a
    run that leaves it out deletes again. ``final``: the run ended at it, and one that leaves it out
    goes on.
    """

    path: bytes
    cause: Cause
    text: str
    whole: bool = False
    blind: bool = False
    final: bool = False


@dataclass(frozen=True)
class Account:
    """All that a run complained of.

    ``understood``: every complaint was tied to a path. ``undeleted``: it left out all deletions.
    ``raced``: something vanished, or became something else, while it was read. ``kept`` are
    directories that stay on the mirror for what is excluded in them, and ``odd`` what is no file,
    directory or link and was not sent. ``ended``: it ended before it had come to everything. Paths
    are relative to the source.
    """

    complaints: tuple[Complaint, ...] = ()
    understood: bool = True
    undeleted: bool = False
    raced: bool = False
    kept: tuple[bytes, ...] = ()
    odd: tuple[bytes, ...] = ()
    ended: bool = False

    @property
    def room(self) -> bool:
        """Whether anything failed for lack of room."""
        return any(complaint.cause is Cause.ROOM for complaint in self.complaints)


SILENT = Account()


@dataclass(frozen=True)
class Places:
    """Where the two ends are: how rsync names a path.

    ``source`` is an absolute path, whose names begin with ``prefix`` in the transfer; ``target`` is
    the path of the destination, in its `module` where an rsync daemon has it. The names of old
    versions begin with ``aside`` and end in ``suffix``; both empty: none are kept.
    """

    source: bytes
    prefix: bytes
    target: bytes
    module: bool = False
    aside: bytes = b""
    suffix: bytes = b""


#: The longest path that a run can be told to leave out: rsync drops longer rules.
_LONGEST_RULE = 3_500
#: From this length on a temporary name does not tell the whole name (receiver.c, get_tmpname).
_LONGEST_NAME = 240
#: How many directories and odd files an account names.
MOST = 2_000

_TEMPORARY = re.compile(rb"\.(.+)\.[0-9A-Za-z]{6}", re.DOTALL)
_ESCAPE = re.compile(rb"\\#([0-7]{3})")
#: ``rsync: [sender] WHAT: WHY (ERRNO)``: rsyserr() in log.c; before 3.2 without the role.
_ERROR = re.compile(rb"rsync: (?:\[\w+\] )?(.+): [^:]+ \((\d+)\)", re.DOTALL)
#: Of full_fname() in util1.c: in quotes, and an rsync daemon adds its module.
_FULL = rb'"(.*)"(?: \(in [^()]+\))?'

#: Sentences of the sender with a whole path: pattern, and whether deletions are left out for it.
_SENT = (
    (re.compile(rb"opendir %b failed" % _FULL, re.DOTALL), True),
    (re.compile(rb"change_dir %b failed" % _FULL, re.DOTALL), True),
    (re.compile(rb"link_stat %b failed" % _FULL, re.DOTALL), True),
    (re.compile(rb"readlink_stat\(%b\)(?: failed)?" % _FULL, re.DOTALL), True),
    (re.compile(rb"readdir\(%b\)" % _FULL, re.DOTALL), True),
    (re.compile(rb"send_files failed to open %b" % _FULL, re.DOTALL), False),
    (re.compile(rb"read errors mapping %b" % _FULL, re.DOTALL), False),
)
#: Of the receiving end: pattern, the cause where the error alone does not tell it, and whether the
#: path is a temporary file.
_RECEIVED: tuple[tuple[re.Pattern[bytes], Cause | None, bool], ...] = (
    (re.compile(rb"mkstemp %b failed" % _FULL, re.DOTALL), None, True),
    (re.compile(rb"write failed on %b" % _FULL, re.DOTALL), None, False),
    (re.compile(rb"close failed on %b" % _FULL, re.DOTALL), None, False),
    (re.compile(rb"ftruncate failed on %b" % _FULL, re.DOTALL), None, False),
    (re.compile(rb"failed to set times on %b" % _FULL, re.DOTALL), Cause.TIMES, False),
    (
        re.compile(rb"failed to (?:set|modify) permissions on %b" % _FULL, re.DOTALL),
        Cause.MODES,
        False,
    ),
    (re.compile(rb"(?:chown|chgrp) %b failed" % _FULL, re.DOTALL), Cause.OWNER, False),
    (re.compile(rb"symlink %b -> .* failed" % _FULL, re.DOTALL), None, False),
    (re.compile(rb"mknod %b failed" % _FULL, re.DOTALL), None, False),
    (re.compile(rb'keep_backup failed: %b -> ".*"' % _FULL, re.DOTALL), None, False),
)
_MKDIR = re.compile(rb"recv_generator: mkdir %b failed" % _FULL, re.DOTALL)
#: These name a path as the transfer does.
_DELETE = re.compile(rb"delete_file: (?:unlink|rmdir|make_backup)\((.+)\) failed", re.DOTALL)
_RENAME = re.compile(rb'rename ".*" -> "(.*)"', re.DOTALL)
_SORT = rb"(regular file|directory|symlink|device file|special file)"
_WAY = re.compile(rb"could not make way for new %b: (.+)" % _SORT)
_OLD = re.compile(rb"could not make way for backup %b: (.+)" % _SORT)
_LONG = re.compile(rb"(?:filename overflows max-path len by \d+|skipping overly long name): (.+)")
#: Where the receiver ends for what failed (receiver.c, and finish_transfer() in rsync.c).
_FINAL = re.compile(rb"(?:write failed on|close failed on|keep_backup failed:) ")
#: Of a temporary file whose directory another run has deleted meanwhile (receiver.c).
_TAKEN = (re.compile(rb"stat %b failed" % _FULL, re.DOTALL), _RENAME)
_GONE = re.compile(rb'(?:file|directory) has vanished: "')
#: What says nothing of its own. Where the name of a backup is too long there is nothing to unlink,
#: and what could not be kept follows (backup.c).
_EMPTY = re.compile(
    rb"(?:rsync error: |rsync warning: |\*\*\* Skipping any contents from this failed directory"
    rb"|Warning: Permanently added |\*\* "
    rb"|rsync: (?:\[\w+\] )?unlink \".*\"(?: \(in [^()]+\))?: [^:]+ \(36\)$"
    rb"|rsync: (?:\[\w+\] )?(?:connection unexpectedly closed |write error: Broken pipe ))"
)
#: What is no complaint.
_SILENT = (_EMPTY, CHATTER, UNPROVED)

#: On standard output.
_ODD = re.compile(rb'skipping non-regular file "(.+)"', re.DOTALL)
UNDELETED = b"IO error encountered -- skipping file deletion"

_ENOENT, _EIO, _ENOTDIR, _ENOSPC, _EROFS = 2, 5, 20, 28, 30
_ENAMETOOLONG, _ELOOP, _EDQUOT = 36, 40, 122
_RACES = (_ENOENT, _ENOTDIR, _ELOOP)
_ERRORS = {
    1: Cause.FORBIDDEN,
    _EIO: Cause.DAMAGED,
    13: Cause.FORBIDDEN,
    _EROFS: Cause.READ_ONLY,
    27: Cause.TOO_LARGE,
    _ENOSPC: Cause.ROOM,
    _ENAMETOOLONG: Cause.TOO_LONG,
    _EDQUOT: Cause.ROOM,
}


def account(
    lines: Iterable[bytes],
    errors: bytes,
    places: Places,
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
        if not line.strip() or any(said.match(line) for said in _SILENT):
            continue
        if _GONE.match(line) or _lost_race(line):
            raced = True
            continue
        complaint = _complaint(line, places)
        if complaint is None:
            understood = False
        else:
            before = found.get(complaint.path)
            found[complaint.path] = complaint if before is None else _both(before, complaint)
    kept, odd, undeleted = _remarks(lines, places)
    if ended and not any(complaint.final for complaint in found.values()):
        found |= {each.path: each for each in _unsaid(kept, places)}
    return Account(
        tuple(found.values()),
        understood=understood,
        undeleted=undeleted,
        raced=raced,
        kept=tuple(_deepest(kept)),
        odd=tuple(odd),
        ended=ended,
    )


def _unsaid(kept: Iterable[bytes], places: Places) -> Iterator[Complaint]:
    """Give what an rsync daemon does not tell when it ends: whose old version had no place.

    Without being in the way no old version is to be deleted.
    """
    for name in kept:
        path = _of_old(name, places)
        if path and len(path) <= _LONGEST_RULE:
            text = f"cannot delete non-empty directory: {printable(name)}"
            yield Complaint(path, Cause.OLD_IN_THE_WAY, text, final=True)


def _of_old(name: bytes, places: Places) -> bytes | None:
    """Return the path whose old version has this name; None where that is no such name."""
    if not (places.aside or places.suffix) or not name.startswith(places.aside):
        return None
    path = name[len(places.aside) :]
    return path.removesuffix(places.suffix) if path.endswith(places.suffix) else None


def _remarks(
    lines: Iterable[bytes], places: Places
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
            path, into = _carried(text[len(KEPT) :], places), kept
        elif found := _ODD.fullmatch(text):
            path, into = _carried(found[1], places), odd
        undeleted |= text == UNDELETED
        if path and len(into) < MOST:
            into[path] = None
    return kept, odd, undeleted


def _both(one: Complaint, other: Complaint) -> Complaint:
    """Return the first, with how far both reach."""
    whole, blind = one.whole or other.whole, one.blind or other.blind
    return Complaint(one.path, one.cause, one.text, whole, blind, one.final or other.final)


def _lost_race(line: bytes) -> bool:
    error = _ERROR.fullmatch(line)
    if error is None or int(error[2]) not in _RACES:
        return False
    if any(pattern.fullmatch(error[1]) for pattern, _ in _SENT):
        return True
    return int(error[2]) == _ENOENT and any(taken.fullmatch(error[1]) for taken in _TAKEN)


def _complaint(line: bytes, places: Places) -> Complaint | None:
    """Return what a line complains of; None when it is not known what or of which path."""
    told, text, final = None, printable(line), False
    if error := _ERROR.fullmatch(line):
        told = _error(error[1], int(error[2]), places)
        final = _FINAL.match(error[1]) is not None
    elif old := _OLD.fullmatch(line):
        name = _of_old(_plain(old[2]), places)
        path = None if name is None else below(places.prefix, name)
        told, final = (path, Cause.OLD_IN_THE_WAY, False, False), True
    elif way := _WAY.fullmatch(line):
        told = _carried(way[2], places), Cause.IN_THE_WAY, way[1] == b"directory", False
    elif long := _LONG.fullmatch(line):
        told = _home(_carried(long[1], places)), Cause.TOO_LONG, True, True
    if told is None:
        return None
    path, cause, whole, blind = told
    if path is None or (blind and not path):
        return None  # without the source itself there is nothing to carry
    short = len(path) <= _LONGEST_RULE
    final &= short and bool(path) and cause is not Cause.ROOM  # of others there may be room
    return Complaint(path, cause, text, whole, blind and short, final)


def _error(
    what: bytes, number: int, places: Places
) -> tuple[bytes | None, Cause, bool, bool] | None:
    """Return of which path a system error is told: path, cause, ``whole``, ``blind``."""
    cause = _ERRORS.get(number, Cause.OTHER)
    for pattern, blind in _SENT:
        if match := pattern.fullmatch(what):
            here = Cause.UNREADABLE if cause is Cause.FORBIDDEN else cause
            return _sent(match[1], places), here, blind, blind
    for pattern, other, temporary in _RECEIVED:
        if match := pattern.fullmatch(what):
            path = _received(match[1], places, temporary=temporary)
            return path, other if other and cause is Cause.FORBIDDEN else cause, False, False
    if match := _MKDIR.fullmatch(what):
        return _received(match[1], places), cause, True, False
    if match := _DELETE.fullmatch(what) or _RENAME.fullmatch(what):
        return _carried(match[1], places), cause, False, False
    return None


def _sent(name: bytes, places: Places) -> bytes | None:
    """Return the path of a name as the sender has it."""
    return _under(_plain(name), places.source)


def _received(name: bytes, places: Places, *, temporary: bool = False) -> bytes | None:
    """Return the path of a name as the receiver has it."""
    target = _target(places)
    path = None if target is None else _under(_plain(name), target)
    if path is None:
        return None
    if temporary:
        parent, slash, base = path.rpartition(b"/")
        match = _TEMPORARY.fullmatch(base)
        if match is None or len(match[1]) > _LONGEST_NAME:
            return None
        path = parent + slash + match[1]
    return below(places.prefix, path or b".")


def _target(places: Places) -> bytes | None:
    """Return the directory at the node that all names there begin with, as far as it is known."""
    if places.module:
        return b"/" + places.target.partition(b"/")[2]
    return places.target or None


def _under(path: bytes, top: bytes) -> bytes | None:
    """Return `path` relative to `top`, which may itself be relative to a home directory."""
    whole = top.startswith(b"/")
    top = top.rstrip(b"/").removesuffix(b"/.")
    if not whole:
        # Where a home directory is, only the node knows.
        lead = b"/" + top.removeprefix(b"~/") + b"/"
        before, _, after = (path + b"/").partition(lead)
        if not before or (path + b"/").count(lead) != 1:
            return None
        return _relative(after.rstrip(b"/"))
    if path == top:
        return b""
    return _relative(path[len(top) + 1 :]) if path.startswith(top + b"/") else None


def _relative(path: bytes) -> bytes:
    return b"" if path == b"." else path.removeprefix(b"./")


def _carried(name: bytes, places: Places) -> bytes | None:
    """Return the path of a name as the transfer has it."""
    return below(places.prefix, _plain(name))


def _home(path: bytes | None) -> bytes | None:
    """Return the deepest directory on the way to `path` that a rule can name."""
    if path is None:
        return None
    path = path.rpartition(b"/")[0]
    while len(path) > _LONGEST_RULE:
        path = path.rpartition(b"/")[0]
    return path


def _plain(name: bytes) -> bytes:
    """Return a name of which rsync has escaped some bytes (log.c, filtered_fwrite)."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), name)


def _deepest(directories: Iterable[bytes]) -> Iterator[bytes]:
    """Give the directories in which there is none of the others."""
    known = dict.fromkeys(directories)
    parents = {above for path in known for above in islice(with_parents(path), 1, None)}
    return (path for path in known if path not in parents)
