"""What one line of rsync's says: nothing, that a race was lost, or what could not be carried.

Pure. Reads rsync's own sentences (generator.c, receiver.c, sender.c, flist.c, delete.c, rsync.c of
rsync 3.1 to 3.5) and ties each to a path. A sentence that is not known here, or whose path is not
below the source, is no complaint: what it means is not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Complaint
from inosync.rsync.ends import Ends
from inosync.rsync.program import CHATTER
from inosync.rsync.tls import UNPROVED
from inosync.text import printable

#: The longest path that a run can be told to leave out: rsync drops longer rules.
LONGEST_RULE = 3_500

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
_VANISHED = re.compile(rb'(?:file|directory) has vanished: "')
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

_EPERM, _ENOENT, _EIO, _EACCES, _ENOTDIR, _EFBIG = 1, 2, 5, 13, 20, 27
_ENOSPC, _EROFS, _ENAMETOOLONG, _ELOOP, _EDQUOT = 28, 30, 36, 40, 122
_RACES = (_ENOENT, _ENOTDIR, _ELOOP)
_ERRORS = {
    _EPERM: Cause.FORBIDDEN,
    _EIO: Cause.DAMAGED,
    _EACCES: Cause.FORBIDDEN,
    _EROFS: Cause.READ_ONLY,
    _EFBIG: Cause.TOO_LARGE,
    _ENOSPC: Cause.ROOM,
    _ENAMETOOLONG: Cause.TOO_LONG,
    _EDQUOT: Cause.ROOM,
}


@dataclass(frozen=True)
class _Said:
    """What a sentence says, as a ``Complaint`` does; of no path where its name tells none."""

    path: bytes | None
    cause: Cause
    whole: bool = False
    blind: bool = False
    final: bool = False
    other: bytes = b""


def says_nothing(line: bytes) -> bool:
    """Return whether a line of standard error says nothing of its own."""
    return not line.strip() or any(said.match(line) for said in _SILENT)


def tells_of_a_race(line: bytes) -> bool:
    """Return whether something vanished, or became something else, while it was read."""
    if _VANISHED.match(line):
        return True
    error = _ERROR.fullmatch(line)
    if error is None or int(error[2]) not in _RACES:
        return False
    if any(pattern.fullmatch(error[1]) for pattern, _ in _SENT):
        return True
    return int(error[2]) == _ENOENT and any(taken.fullmatch(error[1]) for taken in _TAKEN)


def complaint_of(line: bytes, ends: Ends) -> Complaint | None:
    """Return what a line complains of; None when it is not known what or of which path."""
    read = _read(line, ends)
    if read is None or read.path is None or (read.blind and not read.path):
        return None  # without the source itself there is nothing to carry
    short = len(read.path) <= LONGEST_RULE
    # Where there was no room for one there may be for others.
    final = read.final and short and bool(read.path) and read.cause is not Cause.ROOM
    blind = read.blind and short
    text = printable(line)
    return Complaint(read.path, read.cause, text, read.whole, blind, final, read.other)


def _read(line: bytes, ends: Ends) -> _Said | None:
    """Return what a line says; None when no sentence is like it."""
    if error := _ERROR.fullmatch(line):
        return _read_error(error[1], int(error[2]), ends)
    if old := _OLD.fullmatch(line):
        return _Said(ends.of_old(old[2]), Cause.OLD_IN_THE_WAY, final=True)
    if way := _WAY.fullmatch(line):
        whole = way[1] == b"directory"
        return _Said(ends.of_transfer(way[2]), Cause.IN_THE_WAY, whole=whole)
    if long := _LONG.fullmatch(line):
        path = _home(ends.of_transfer(long[1]))
        return _Said(path, Cause.TOO_LONG, whole=True, blind=True)
    return None


def _read_error(what: bytes, number: int, ends: Ends) -> _Said | None:
    """Return what a system error of this number is told of; None when no sentence is like it."""
    cause = _ERRORS.get(number, Cause.OTHER)
    forbidden = cause is Cause.FORBIDDEN
    for pattern, blind in _SENT:
        if match := pattern.fullmatch(what):
            cause = Cause.UNREADABLE if forbidden else cause
            return _Said(ends.of_sender(match[1]), cause, whole=blind, blind=blind)
    for pattern, other, temporary in _RECEIVED:
        if match := pattern.fullmatch(what):
            path = (ends.of_temporary if temporary else ends.of_receiver)(match[1])
            cause = other if other and forbidden else cause
            dotted = _dotted(path) if path and temporary else b""
            return _Said(path, cause, final=_FINAL.match(what) is not None, other=dotted)
    if match := _MKDIR.fullmatch(what):
        return _Said(ends.of_receiver(match[1]), cause, whole=True)
    if match := _DELETE.fullmatch(what) or _RENAME.fullmatch(what):
        return _Said(ends.of_transfer(match[1]), cause)
    return None


def _dotted(path: bytes) -> bytes:
    """Return the other path whose temporary file has the same name: rsync adds no second dot."""
    home, slash, name = path.rpartition(b"/")
    return home + slash + b"." + name


def _home(path: bytes | None) -> bytes | None:
    """Return the deepest directory on the way to `path` that a rule can name."""
    if path is None:
        return None
    path = path.rpartition(b"/")[0]
    while len(path) > LONGEST_RULE:
        path = path.rpartition(b"/")[0]
    return path
