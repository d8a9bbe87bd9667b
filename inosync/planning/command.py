"""The command line of one run of rsync.

Pure. Builds argv lists, never a shell command. What a run is to do was decided before (prepare.py);
what comes of it is read in rsync/output.py and judged in rsync/exits.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from inosync.config.model import Config, Pair
from inosync.planning.connection import limits, over_ssh, protection, transport
from inosync.planning.file_list import list_options, top
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.planning.run_rules import PARTIAL_DIRECTORY, first_rules, only_these
from inosync.planning.step_words import STEP_OPTIONS, clearing, link_options, relinking
from inosync.planning.steps import Clear, Relink, Renew
from inosync.rsync import differences
from inosync.rsync.filters import rsync_options
from inosync.rsync.kept import KEPT, backup_place
from inosync.rsync.options import (
    follows_links,
    keeps_partials,
    most_deletions,
    one_by_one,
    options,
    spoken,
    with_rules,
)
from inosync.rsync.program import Program

#: What makes a run of the lane for big files carry regular files and the directories on their way,
#: and nothing else: links and devices may be newer on the mirror than in its list.
_ONLY_FILES = ("--no-links", "--no-devices", "--no-specials", "--info=nonreg0")

#: The options of a user who says himself which times are equal.
WINDOW = ("--modify-window", "-@")

#: Of a slice: the directories on the way are made as well, and one that has vanished is no error.
_SLICED = ("--relative", "--ignore-missing-args")

#: The largest number that --max-delete takes (an int in options.c).
_ANY_NUMBER = 2**31 - 1


def command(run: Run, config: Config, program: Program) -> list[str]:
    """Return the argv of `run`."""
    argv = [config.rsync, *_mode(run)]
    argv += [*protection(run, program), "--stats", "--no-human-readable"]
    if program.compares_exactly and options(run.pair.node.extra).isdisjoint(WINDOW):
        # The quick check compares whole seconds unless told otherwise: a file rewritten with the
        # same size within one second would stay stale for ever. rsync(1), --modify-window.
        argv.append(modify_window(run.pair, -1))
    argv += limits(run)
    argv += _keeping(run)
    if config.logfile and not run.pretends:
        argv.append(f"--log-file={config.logfile}")
    if run.trees:
        argv += _SLICED
    elif run.pair.source.relative and not run.listed and not isinstance(run.step, Relink):
        argv.append("--relative")
    argv += transport(run, program)
    if isinstance(run.step, Relink):
        return [*argv, *relinking(run.pair, run.step, tells=run.tells)]
    return [*argv, *_carrying(run, config)]


def modify_window(pair: Pair, seconds: int) -> str:
    """Return the option by which the quick check of a run takes times for equal.

    Only the receiver makes that check. Over ssh it is told itself: for less than 0 rsync would say
    ``-@-1`` to it, which rrsync refuses.
    """
    word = f"--modify-window={seconds}"
    return f"--remote-option={word}" if over_ssh(pair) else word


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


def _carrying(run: Run, config: Config) -> list[str]:
    """Return the last words of a run that is no Relink: rules, the user's options, both ends."""
    source, extra = run.pair.source, run.pair.node.extra
    first = first_rules(run)
    words = rsync_options(source.excludes, first=first)
    all_sizes = run.kind is RunKind.COMPARISON or isinstance(run.step, Renew)
    size = 0 if all_sizes else config.of(source).rbigsize
    own = spoken(extra)
    if run.listed or run.trees:
        own = one_by_one(own)
    words += _lane_options(with_rules(own, first), size, big=run.big)
    if run.big and run.makes_way:
        words.append("--force")  # a file may replace a directory, which --delete does by itself
    if run.kind is RunKind.CONTENTS:
        only = only_these(run.only, source.prefix, links=follows_links(extra))
        words = [*_without_deletions(words), "--checksum", *only]
    elif not run.deletes and run.pair.node.rdelete != "all":
        words = _without_deletions(words)
    words += clearing(run.pair, run.step) if isinstance(run.step, Clear) else ()
    words += differences.OPTIONS if run.contents or run.kind is RunKind.COMPARISON else ()
    words += differences.TOLD if run.tells else ()
    if run.pretends:
        # Everything is counted, whatever limit the user has set to what is done.
        words += ["--dry-run", "--info=del", f"--max-delete={_ANY_NUMBER}"]
    elif run.limit and run.deletes and run.limit < most_deletions(extra):
        words.append(f"--max-delete={run.limit}")
    destination = run.pair.destination
    place = destination.folder if source.prefix else destination.text
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


def _mode(run: Run) -> list[str]:
    """Return the first words: how far a run reaches, and whether it deletes."""
    if isinstance(run.step, Relink):
        return link_options(run.pair, run.step)
    words = list_options() if run.listed else ["-ltrp", "--delete"]
    kept = (word for word in words if run.deletes or word != "--delete")
    return [*kept, *STEP_OPTIONS.get(type(run.step), ())]


def _without_deletions(words: Sequence[str]) -> list[str]:
    return [word for word in words if word != "--del" and not word.startswith("--delete")]


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
