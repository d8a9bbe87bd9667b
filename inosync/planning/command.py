"""The command line of one run of rsync.

Pure. Builds argv lists, never a shell command. What a run is to do was decided before (prepare.py);
what comes of it is read in rsync/output.py and judged in rsync/exits.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from inosync.config.model import Config, Pair
from inosync.planning.file_list import list_options, top
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.planning.steps import Clear, Fuzzy, Relink, Renew
from inosync.rsync import differences
from inosync.rsync.destination import Transport
from inosync.rsync.filters import rsync_options
from inosync.rsync.kept import KEPT, RULE, backup_place
from inosync.rsync.options import (
    keeps_partials,
    most_deletions,
    options,
    reaching,
    spoken,
    suffix,
    with_rules,
)
from inosync.rsync.own_places import own_places
from inosync.rsync.program import CONNECT_TIMEOUT, Program, chooses_shell, ssh_command
from inosync.rsync.tls import tls_words

#: Where the lane for big files keeps what was interrupted, in each directory of a mirror.
PARTIAL_DIRECTORY = ".inosync-partial"

#: While that lane has work, others spare its temporary files (.NAME.XXXXXX) and what it keeps. Both
#: are "perishable" (rsync(1), --partial-dir): they go with their directory, and so does a file that
#: only has such a name. It would keep its directory from giving way.
_LENIENT = (f"--filter=-rp .*.{'[0-9A-Za-z]' * 6}", f"--filter=-srp {PARTIAL_DIRECTORY}/")

#: What makes a run of that lane carry regular files and the directories on their way, and nothing
#: else: links and devices may be newer on the mirror than in its list. --force lets a file replace
#: a directory, which --delete would do by itself.
_ONLY_FILES = ("--no-links", "--no-devices", "--no-specials", "--info=nonreg0", "--force")

#: The options of a user who says himself which times are equal.
WINDOW = ("--modify-window", "-@")

#: White space at which rrsync, or a remote shell, takes a name apart that rsync has escaped.
_TORN = re.compile(r"[^\S \t]")

#: Of a list: a name that has vanished is no error, and ends in NUL. Like file_list.list_options.
_NAMED = ("--ignore-missing-args", "--from0", "--files-from=-")
#: Of a slice: the directories on the way are made as well, and one that has vanished is no error.
_SLICED = ("--relative", "--ignore-missing-args")
#: What steps do beside what a list does. --fuzzy takes a file with the same size and time, or with
#: a similar name, for the content of the one beside it that the node lacks. It needs rsync's
#: delta-transfer algorithm, which is off by default to a local path (rsync(1), --whole-file).
_STEP_OPTIONS: dict[type, tuple[str, ...]] = {
    Fuzzy: ("--ignore-existing", "--fuzzy", "--no-whole-file"),
    Renew: ("--ignore-times",),
    Clear: ("--force",),
}

#: The largest number that --max-delete takes (an int in options.c).
_ANY_NUMBER = 2**31 - 1


def command(run: Run, config: Config, program: Program) -> list[str]:
    """Return the argv of `run`."""
    argv = [config.rsync, *_mode(run)]
    argv += [*_protection(run, program), "--stats", "--no-human-readable"]
    if program.compares_exactly and options(run.pair.node.extra).isdisjoint(WINDOW):
        # The quick check compares whole seconds unless told otherwise: a file rewritten with the
        # same size within one second would stay stale for ever. rsync(1), --modify-window.
        argv.append(modify_window(run.pair, -1))
    argv += _limits(run)
    argv += _keeping(run)
    if config.logfile and not run.pretends:
        argv.append(f"--log-file={config.logfile}")
    if run.trees:
        argv += _SLICED
    elif run.pair.source.relative and not run.listed and not isinstance(run.step, Relink):
        argv.append("--relative")
    argv += _transport(run, program)
    if isinstance(run.step, Relink):
        return [*argv, *_relinking(run.pair, run.step, tells=run.tells)]
    return [*argv, *_carrying(run, config)]


def reach(pair: Pair, program: Program, *, attributes: bool = False) -> list[str]:
    """Return the words by which a run that is none of the mirror's own gets to its node.

    With the user's `attributes`, where files are to arrive with them.
    """
    run = Run(pair, RunKind.PASS)
    words = [*_protection(run, program), *_limits(run), *_transport(run, program)]
    return [*words, *reaching(pair.node.extra, attributes=attributes)]


def modify_window(pair: Pair, seconds: int) -> str:
    """Return the option by which the quick check of a run takes times for equal.

    Only the receiver makes that check. Over ssh it is told itself: for less than 0 rsync would say
    ``-@-1`` to it, which rrsync refuses.
    """
    word = f"--modify-window={seconds}"
    return f"--remote-option={word}" if _over_ssh(pair) else word


def _protection(run: Run, program: Program) -> list[str]:
    """Return what keeps the names in the command line whole on their way to the node."""
    if not (_over_ssh(run.pair) and program.escapes) or any(map(_TORN.search, _said(run))):
        return ["--protect-args"]
    # Both explicitly: RSYNC_OLD_ARGS and RSYNC_PROTECT_ARGS in the environment mean the opposite.
    return ["--no-old-args", "--no-protect-args"]


def _said(run: Run) -> list[str]:
    """Return the names that the command line of the node's rsync has."""
    step, places = run.step, [run.pair.landing().path]
    if isinstance(step, Relink):
        places += [os.fsdecode(step.old), os.fsdecode(step.new)]
    return [*places, os.fsdecode(step.path)] if isinstance(step, Clear) else places


def _over_ssh(pair: Pair) -> bool:
    return pair.destination.transport is Transport.SSH


def _limits(run: Run) -> list[str]:
    """Return the options for how long the run may be silent, and how fast it may send."""
    node, local = run.pair.node, run.pair.destination.transport is Transport.LOCAL
    words = []
    # Both ends of a local run wait for one that has ended already, in steps of 20 ms
    # (wait_process_with_flush() in main.c); with a timeout the one in front mostly comes too late
    # for the other's and takes two. The daemon sees for itself whether it does nothing.
    if node.rtimeout and not (local and run.short):
        words.append(f"--timeout={node.rtimeout}")
    if node.rspeed:
        words.append(f"--bwlimit={node.rspeed}")
    return words


def _keeping(run: Run) -> list[str]:
    """Return the options by which the node keeps what the run overwrites or deletes."""
    if not run.keep or run.pretends:
        return []
    pair, below, up = run.pair, [KEPT, run.keep], 0
    if isinstance(run.step, Relink):  # goes to the directory itself, and names count from there
        parts = [part for part in (pair.source.prefix, os.fsdecode(run.step.new)) if part]
        up = sum(part.count("/") + 1 for part in parts)
        below += parts
    where = backup_place(
        pair.destination, restricted=pair.node.restricted, up=up, below="/".join(below)
    )
    return ["--backup", f"--backup-dir={where}"]


def _transport(run: Run, program: Program) -> list[str]:
    """Return the options for how the node is reached."""
    node, destination = run.pair.node, run.pair.destination
    if destination.transport is Transport.LOCAL:
        # Both ends are the local rsync. To find out what it agrees on with itself, each end tries
        # all that it has and sets up OpenSSL for that: a tenth of the CPU time of a short run.
        return [f"--checksum-choice={program.checksum}"] if program.checksum else []
    if destination.transport is Transport.SSH:
        chosen = program.environment_shell or chooses_shell(node.extra)
        return [] if chosen else ["-e", ssh_command(destination, program.control)]
    if destination.tls:  # the connection is not rsync's own
        words = tls_words(destination, node.rtls)
    else:
        # Without TCP_NODELAY the last small packet of a short run waits for an acknowledgement.
        words = ["--sockopts=TCP_NODELAY", f"--contimeout={CONNECT_TIMEOUT}"]
    words.append("--no-motd")
    if run.short and node.rtimeout:
        # A daemon that is told of a timeout answers so with a small packet of its own, and what it
        # says next waits 40 ms for our acknowledgement: longer than the rest of a short run takes.
        # Its own configuration and keepalive end what is left there of a connection that broke.
        words.append("--remote-option=--timeout=0")
    return words


def _relinking(pair: Pair, relink: Relink, *, tells: bool) -> list[str]:
    """Return the last words of the step that fills a directory from what the node has."""
    first = [RULE, *(f"--exclude={_anchored('', path)}" for path in relink.doubts)]
    words = [*rsync_options(relink.rules, first=first), *spoken(pair.node.extra)]
    words += ("-ii", *differences.TOLD) if tells else ()  # once more "i": what is linked, too
    return [*words, "--", *_ends(pair, os.fsdecode(relink.new))]


def _carrying(run: Run, config: Config) -> list[str]:
    """Return the last words of any other run: rules, the user's options, both ends."""
    source, extra, prefix = run.pair.source, run.pair.node.extra, run.pair.source.prefix
    first = [RULE, *(_LENIENT if run.lenient else ())]
    first += [f"--filter=H {_anchored(prefix, path)}" for path in sorted(run.hide)]
    own = own_places(extra, run.pair.destination, restricted=run.pair.node.restricted)
    first += [f"--filter=P {_anchored('', os.fsencode(path))}" for path in own]
    # Of both sides explicitly: --delete-excluded makes a plain exclude one of the sender alone.
    left = sorted({*run.spare, *run.leave})
    first += [f"--filter=-sr {_anchored(prefix, path)}" for path in left]
    first += _deleting(run)
    words = rsync_options(source.excludes, first=first)
    all_sizes = run.kind is RunKind.COMPARISON or isinstance(run.step, Renew)
    size = 0 if all_sizes else config.of(source).rbigsize
    words += _lane_options(with_rules(spoken(extra), first), size, big=run.big)
    if run.kind is RunKind.CONTENTS:
        words = [*_without_deletions(words), "--checksum", *_only(run.only, prefix)]
    elif not run.deletes and run.pair.node.rdelete != "all":
        words = _without_deletions(words)
    words += _clearing(run.pair, run.step) if isinstance(run.step, Clear) else ()
    words += differences.OPTIONS if run.contents or run.kind is RunKind.COMPARISON else ()
    words += differences.TOLD if run.tells else ()
    if run.pretends:
        # Everything is counted, whatever limit the user has set to what is done.
        words += ["--dry-run", "--info=del", f"--max-delete={_ANY_NUMBER}"]
    elif run.limit and run.deletes and run.limit < most_deletions(extra):
        words.append(f"--max-delete={run.limit}")
    destination = run.pair.destination
    place = destination.folder if run.pair.source.prefix else destination.text
    return [*words, "--", *_starts(run), place]


def _starts(run: Run) -> list[str]:
    """Return what is sent.

    A directory of a slice has no slash at its end: should it have become a link, that is sent.
    """
    source = run.pair.source
    if run.trees:
        lead = f"{top(source)}./" + (f"{source.prefix}/" if source.prefix else "")
        return [lead + os.fsdecode(path) for path in run.trees]
    return [top(source) if run.listed else source.argument]


def _ends(pair: Pair, path: str) -> list[str]:
    """Return where the content of a directory of the source is, and where it goes."""
    here, there = pair.source.path, pair.landing(path)
    if there != pair.destination:
        return [f"{here}/{path}/" if path else f"{here}/", f"{there.text}/"]
    return [f"{here}/", there.text]


def _old_place(pair: Pair, relink: Relink) -> str:
    """Return how a node is told where it has the content of a directory."""
    if there := _from_its_root(pair, relink.old):
        return there
    up = "../" * (relink.new.count(b"/") + 1) if relink.new else ""
    return f"{up}{os.fsdecode(relink.old)}"


def _from_its_root(pair: Pair, path: bytes) -> str:
    """Return a path of the source as an absolute one on an ssh node, ``""`` if it is not known.

    rrsync takes a path for one from the top of its directory, and none with "..".
    """
    there = pair.landing(os.fsdecode(path)).path
    if not _over_ssh(pair) or not (pair.node.restricted or there.startswith("/")):
        return ""
    return there if there.startswith("/") else f"/{there}"


def _clearing(pair: Pair, clear: Clear) -> list[str]:
    """Return the options by which old versions go to a directory beside the one they were in.

    Its name ends as theirs, so that rsync protects it in every other run.
    """
    beside = clear.path + os.fsencode(suffix(pair.node.extra))
    place = _from_its_root(pair, beside) or "/".join(
        filter(None, (pair.source.prefix, os.fsdecode(beside)))
    )
    return [f"--backup-dir={place}", "--suffix="]


def _link_options(pair: Pair, relink: Relink) -> list[str]:
    """Return the words of a step that take the place of ``-ltrp --delete``."""
    link = f"--link-dest={_old_place(pair, relink)}"
    if not relink.names:
        return ["-ltrp", link]
    return ["-ltp", *_NAMED, "--ignore-existing", link]


def _anchored(prefix: str, path: bytes) -> str:
    """Return the pattern that matches just `path`, below `prefix` in the transfer."""
    whole = "/".join(part for part in (prefix, os.fsdecode(path)) if part)
    if re.search(r"[*?[]", whole):
        # Only in a pattern with wildcards is a backslash more than itself.
        whole = re.sub(r"([*?\[\\])", r"\\\1", whole)
    return f"/{whole}"


def _mode(run: Run) -> list[str]:
    """Return the first words: how far a run reaches. Only the ordinary ones delete."""
    if isinstance(run.step, Relink):
        return _link_options(run.pair, run.step)
    words = list_options() if run.listed else ["-ltrp", "--delete"]
    kept = (word for word in words if run.deletes or word != "--delete")
    return [*kept, *_STEP_OPTIONS.get(type(run.step), ())]


def _deleting(run: Run) -> list[str]:
    """Return the rules by which a run deletes what it may, and nothing else."""
    if not (run.gone and run.deletes) or run.kind is RunKind.COMPARISON:
        return []
    prefix = run.pair.source.prefix
    return [*(f"--filter=R {_anchored(prefix, path)}" for path in run.gone), "--filter=P *"]


def _only(files: Iterable[bytes], prefix: str) -> list[str]:
    """Return the rules that come last, and leave nothing but `files` to a run; none for none."""
    ways: dict[str, None] = {}
    for path in sorted(files):
        whole = b"/".join(part for part in (os.fsencode(prefix), path) if part)
        slash = whole.find(b"/")
        while slash != -1:
            ways[f"--include={_anchored('', whole[:slash])}/"] = None
            slash = whole.find(b"/", slash + 1)
        ways[f"--include={_anchored('', whole)}"] = None
    return [*ways, "--exclude=*"] if ways else []


def _without_deletions(words: Sequence[str]) -> list[str]:
    return [word for word in words if not word.startswith("--del")]


def _lane_options(extra: Sequence[str], size: int, *, big: bool) -> list[str]:
    """Return the user's options, and those that limit a run to its side of `size` bytes.

    Deletions are none of the business of the run for `big` files.
    """
    if not big:
        return [*extra, *([f"--max-size={size}"] if size else [])]
    words = _without_deletions(extra)
    words += [f"--min-size={size + 1}", *_ONLY_FILES]
    if not keeps_partials(words):
        words.append(f"--partial-dir={PARTIAL_DIRECTORY}")
    return words
