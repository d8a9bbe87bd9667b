"""The table of rsync's options: what each one takes, prevents and shows.

Pure data. An option that is in no row takes no value, or takes it as ``--option=value``, and
prevents nothing. What the words of a node's ``extra`` mean by it is said in options.py.
"""

from __future__ import annotations

from dataclasses import dataclass

_PRETENDS = "nothing would be sent and yet it would look like success; to pretend, run inosync -p"
_ROLE = "it gives rsync another role"
_OURS = "what a run sends is decided by inosync"
_WRITES = "a source is never written to"
_EMPTIES = "a source that cannot be read would empty its mirrors"
_VANISHED = "a source that vanished would look mirrored"
_LAYOUT = "the layout of the mirror is decided by wpath; put /./ where the part to keep begins"
_FLAT = "what lies in subdirectories would never be sent"
_OLD_ARGS = "names would be taken apart on their way to the node; remove it"

_RULES = "its rules do not hold for what lies below an excluded directory; write them as rexcludes"
_LINKS = "what is behind a symbolic link changes without an event"
_EMPTY = "directories whose content is not named would be taken for empty"
_DEVICE = "it does not hold for what is named"
_OLD_TIMES = "directories would keep their old times and modes"
_LEFT_OUT = "directories would be left out"
_NAMES = "the names of one file may lie far apart"
_LIMIT = "it counts what a whole pass deletes"


@dataclass(frozen=True)
class Row:
    """What is known of the options with these ``names``, one blank between them.

    - ``value``: the next word may be its value.
    - ``refused``: why no node may have it.
    - ``no_list``: why a run over a list of names would differ from a full pass.
    - ``no_slices``: why a pass cannot be made in parts.
    - ``no_steps``: a hard link is no help with it or could do harm, or a step for renames would not
      mean what is meant.
    - ``manner``: it only changes how rsync speaks, of which no person hears anything.
    - ``in_place``: readers of a mirror always see half-written files under their final names; rsync
      refuses --partial-dir beside it.
    - ``keeps_half``: they see half a file after an interruption, unless there is a --partial-dir.
    - ``withholds``: it keeps more from a node than the exclude rules do.
    - ``follows``: it sends what a symbolic link points to.
    - ``whole``: files are sent whole, whatever the node has already.
    - ``timed``: it does something as soon as a run is started, whatever is sent, or when.
    - ``leads_out``: a run writes, and deletes, where a link on the mirror leads to.
    """

    names: str
    value: bool = False
    refused: str = ""
    no_list: str = ""
    no_slices: str = ""
    no_steps: bool = False
    manner: bool = False
    in_place: bool = False
    keeps_half: bool = False
    withholds: bool = False
    follows: bool = False
    whole: bool = False
    timed: bool = False
    leads_out: bool = False


#: One row for an option, or for several of which the same is known. From rsync's options.c; a test
#: compares the values with ``rsync --help``.
ROWS = (
    # Whether a run does what is meant.
    Row("-n --dry-run --list-only --help -V --version", refused=_PRETENDS),
    Row("--only-write-batch", value=True, refused=_PRETENDS),
    Row("--daemon --detach --no-detach --server --sender", refused=_ROLE),
    Row("--config --dparam", value=True, refused=_ROLE),
    Row("--files-from --read-batch", value=True, refused=_OURS),
    Row("-0 --from0", refused=_OURS),
    Row("--remove-source-files --remove-sent-files", refused=_WRITES),
    Row("--ignore-errors --delete-missing-args", refused=_EMPTIES),
    Row("--ignore-missing-args", refused=_VANISHED),
    Row("-R --relative --no-R --no-relative", refused=_LAYOUT),
    Row("--no-r --no-recursive", refused=_FLAT),
    # Which files are sent.
    Row("-f --filter", value=True, no_list=_RULES, no_steps=True, withholds=True),
    Row("--exclude --exclude-from", value=True, no_list=_RULES, no_steps=True, withholds=True),
    Row("--include --include-from", value=True, no_list=_RULES, no_steps=True, withholds=True),
    Row("-F", no_list=_RULES, no_steps=True, withholds=True),
    Row("-C --cvs-exclude", no_list=_RULES, no_steps=True, withholds=True),
    Row("-x --one-file-system", no_list=_DEVICE, no_steps=True, withholds=True),
    Row("-m --prune-empty-dirs", no_list=_EMPTY, no_steps=True, withholds=True),
    Row("--no-implied-dirs --no-i-d", no_list=_OLD_TIMES, no_steps=True),
    Row("--no-dirs --no-d --old-dirs --old-d", no_list=_LEFT_OUT, no_steps=True),
    Row("-d --dirs", no_steps=True),
    Row("--max-size --min-size", value=True, withholds=True),
    Row("-u --update --ignore-existing", withholds=True),
    Row("--existing --ignore-non-existing", no_steps=True, withholds=True),
    # Links.
    Row("-L --copy-links", no_list=_LINKS, no_steps=True, follows=True),
    Row("--copy-unsafe-links", no_list=_LINKS, no_steps=True, follows=True),
    Row("-k --copy-dirlinks", no_list=_LINKS, no_steps=True, follows=True),
    Row("-K --keep-dirlinks", no_steps=True, leads_out=True),
    Row("-H --hard-links", no_slices=_NAMES, no_steps=True),
    # What counts as a change.
    Row("--size-only", no_steps=True),
    Row("-I --ignore-times", no_steps=True),
    Row("-@ --modify-window", value=True, no_steps=True),
    # What becomes of a file at the other end.
    Row("--inplace", no_steps=True, in_place=True),
    Row("--append", no_steps=True, in_place=True),
    Row("--append-verify", no_steps=True, in_place=True),
    Row("--write-devices", no_steps=True, in_place=True),
    Row("-W --whole-file", whole=True),
    Row("--partial", keeps_half=True),
    Row("-P", keeps_half=True),
    Row("--partial-dir", value=True),
    Row("-T --temp-dir", value=True),
    Row("-b --backup", no_steps=True),
    Row("--backup-dir --suffix", value=True, no_steps=True),
    Row("--link-dest --copy-dest --compare-dest", value=True, no_steps=True),
    Row("--delete-excluded", no_steps=True),
    Row("--max-delete", value=True, no_slices=_LIMIT),
    Row("--chmod --chown --usermap --groupmap", value=True),
    Row("--iconv", value=True, no_steps=True),
    Row("--copy-as --confine-root", value=True, no_steps=True),
    # How it gets there.
    Row("-e --rsh --rsync-path", value=True),
    Row("-M --remote-option", value=True, no_steps=True),
    Row("--no-protect-args --no-secluded-args --no-s", no_steps=True),
    Row("--old-args", refused=_OLD_ARGS),
    Row("--address --port --sockopts --password-file --early-input --protocol", value=True),
    Row("--stop-after --stop-at --time-limit --write-batch", value=True, timed=True),
    Row("--timeout --contimeout --bwlimit --max-alloc", value=True),
    Row("-B --block-size --checksum-choice --cc --checksum-seed", value=True),
    Row("--compress-choice --zc --compress-level --zl --compress-threads --zt", value=True),
    Row("--skip-compress", value=True),
    # What it says.
    Row("-q --quiet -h --human-readable --msgs2stderr --no-msgs2stderr", manner=True),
    Row("-v --verbose --progress", manner=True),
    Row("--info --stderr", value=True, manner=True),
    Row("--debug --outbuf --out-format --log-format --log-file --log-file-format", value=True),
)

#: The row of each option.
TABLE = {name: row for row in ROWS for name in row.names.split()}
#: Of an option in no row.
_UNKNOWN = Row("")

#: Words behind ``--``, as rsync 3.5.0 has them: rsync takes no abbreviation. A test compares them.
_LONG = """
    8-bit-output acls address append append-verify archive atimes backup backup-dir
    block-size blocking-io bwlimit cc checksum checksum-choice checksum-seed chmod chown
    compare-dest compress compress-choice compress-level compress-threads config
    confine-root contimeout copy-as copy-dest copy-devices copy-dirlinks copy-links
    copy-unsafe-links crtimes cvs-exclude debug del delay-updates delete delete-after
    delete-before delete-delay delete-during delete-excluded delete-missing-args devices
    dirs dparam dry-run early-input exclude exclude-from executability existing fake-super
    files-from filter force from0 fsync fuzzy group groupmap hard-links help human-readable
    i-r iconv ignore-errors ignore-existing ignore-missing-args ignore-non-existing
    ignore-times inc-recursive include include-from info inplace insecure-links ipv4 ipv6
    itemize-changes keep-dirlinks link-dest links list-only log-file log-file-format
    log-format max-alloc max-delete max-size min-size mkpath modify-window msgs2stderr
    munge-links numeric-ids old-args old-d old-dirs omit-dir-times omit-link-times
    one-file-system only-write-batch open-noatime out-format outbuf owner partial
    partial-dir password-file perms port preallocate progress protect-args protocol
    prune-empty-dirs qsort quiet read-batch recursive relative remote-option
    remove-source-files rsh rsync-path safe-links secluded-args size-only skip-compress
    sockopts sparse specials stats stderr stop-after stop-at suffix super temp-dir
    time-limit timeout times trust-sender update usermap verbose version whole-file
    write-batch write-devices xattrs zc zl zt
"""
#: Those that may stand behind ``--no-``, beside single letters.
_NEGATED = """
    8-bit-output acls append atimes backup blocking-io bwlimit checksum compress contimeout
    crtimes delay-updates devices dirs force from0 fuzzy group hard-links human-readable i-d
    i-r iconv ignore-errors implied-dirs inc-recursive inplace insecure-links
    itemize-changes links mkpath motd msgs2stderr munge-links numeric-ids old-args
    omit-dir-times omit-link-times one-file-system open-noatime owner partial perms progress
    protect-args prune-empty-dirs recursive relative secluded-args sparse specials super
    timeout times verbose whole-file write-devices xattrs
"""
LONG = frozenset(
    [*(f"--{word}" for word in _LONG.split()), *(f"--no-{word}" for word in _NEGATED.split())]
) | {name for name in TABLE if name.startswith("--")}


def row_of(option: str) -> Row:
    """Return what is known of an option."""
    return TABLE.get(option, _UNKNOWN)
