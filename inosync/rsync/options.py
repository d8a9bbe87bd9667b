"""What the rsync options of a node (``extra``) mean for a run, by the table in option_table.py.

Pure. All words were accepted by parse_extra() in extra.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

from inosync.rsync.option_table import TABLE, row_of
from inosync.rsync.option_words import RULE_FILES, groups
from inosync.rsync.rules import parse_rule

#: What takes -c back when it stands behind it.
_NO_CHECKSUM = ("--no-c", "--no-checksum")

#: What says how a run gets to a node, and nothing of what it does there.
_REACHING = """
    -e --rsh --rsync-path -M --remote-option --address --port --sockopts --password-file -z
    --early-input --protocol --timeout --contimeout --bwlimit -4 --ipv4 -6 --ipv6 --compress
    --blocking-io --no-blocking-io --iconv
"""
#: What says with which attributes a file arrives.
_ATTRIBUTES = """
    -a --archive -o --owner -g --group -A --acls -X --xattrs -H --hard-links -D --devices
    --specials --numeric-ids -N --crtimes -U --atimes -E --executability -S --sparse
"""


def rule_files(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give the files that rsync reads rules from when a run with these options starts.

    Each with the rule of rsync that reads it likewise.
    """
    for group in groups(words):
        if not RULE_FILES.isdisjoint(group.names):
            yield group.value, ""
        elif not {"-f", "--filter"}.isdisjoint(group.names):
            entry = parse_rule(group.value)
            if entry.once:
                yield entry.pattern, group.value


def options(words: Sequence[str]) -> frozenset[str]:
    """Return the options among words: ``-a``, ``--rsh``, ..."""
    return frozenset[str]().union(*(group.names for group in groups(words)))


def spoken(words: Sequence[str]) -> tuple[str, ...]:
    """Return `words` without what only changes how rsync speaks.

    Nobody but inosync listens to a run: it counts deletions and finds differences by what rsync
    says, which ``-q`` keeps back, ``-h`` rounds and ``--info=none`` leaves out.
    """
    kept: list[str] = []
    for group in groups(words):
        manners = {name for name in group.names if row_of(name).manner}
        if group.names and group.names <= manners:
            continue
        first, *value = group.words
        if group.short and manners:
            letters = [letter for letter in group.letters if f"-{letter}" not in manners]
            first = f"-{''.join(letters)}{first[1 + len(group.letters) :]}"
        kept += [first, *value]
    return tuple(kept)


def one_by_one(words: Sequence[str]) -> tuple[str, ...]:
    """Return `words` for a run that carries a part of a source: no deletions ahead of it.

    ``--delete-before`` goes through what is still a link on the mirror, and deletes where that
    leads (generator.c, do_delete_pass): a run over the whole source sends that again, no other.
    """
    result: list[str] = []
    for group in groups(words):
        result += ("--delete-during",) if "--delete-before" in group.names else group.words
    return tuple(result)


def with_rules(words: Sequence[str], rules: Sequence[str]) -> list[str]:
    """Return `words` with those of `rules` again behind each that may forget all rules before it.

    That is a file of rules, in which a line with ``!`` does so.
    """
    result: list[str] = []
    for group in groups(words):
        result += group.words
        merges = not group.names.isdisjoint(("-f", "--filter")) and group.value.startswith(
            (".", "merge")
        )
        if merges or not RULE_FILES.isdisjoint(group.names):
            result += rules
    return result


def values(words: Sequence[str], names: Iterable[str]) -> Iterator[str]:
    """Give the values that the options with these `names` have, in order."""
    for group in groups(words):
        if not group.names.isdisjoint(names) and group.value:
            yield group.value


def reaching(words: Sequence[str], *, attributes: bool = False) -> Iterator[str]:
    """Give the words that say how a node is reached, and with which `attributes` files travel."""
    wanted = {*_REACHING.split(), *(_ATTRIBUTES.split() if attributes else ())}
    for group in groups(words):
        for name in sorted(group.names & wanted):
            yield name
            if row_of(name).value:
                yield group.value


def leads_out(words: Sequence[str]) -> str:
    """Return the option that lets a run write where a link on the mirror leads to, or ``""``."""
    given = options(words)
    return next((name for name in TABLE if name in given and TABLE[name].leads_out), "")


def writes_through(words: Sequence[str]) -> str:
    """Return the option that lets a run write one name of a file and change the others, or ``""``.

    That is where the mirror has links that the source has not any more.
    """
    given = options(words)
    if given.isdisjoint(("-H", "--hard-links")):
        return ""
    return next((name for name in TABLE if name in given and TABLE[name].in_place), "")


def keeps_in_place(words: Sequence[str]) -> bool:
    """Return whether old versions are kept beside their files, and a run can name these."""
    given = options(words)
    kept = not given.isdisjoint(("-b", "--backup")) and "--backup-dir" not in given
    return kept and not hindrance(words)


def suffix(words: Sequence[str]) -> str:
    """Return how the names of old versions end, where they are kept."""
    return ["" if aside(words) else "~", *values(words, ("--suffix",))][-1]


def aside(words: Sequence[str]) -> str:
    """Return the directory of old versions, with its slash; "" where they are not kept apart."""
    given = ["", *values(words, ("--backup-dir",))][-1]
    return given.rstrip("/") + "/" if given else ""


def backs_up(words: Sequence[str]) -> str:
    """Return the option that says where old versions are kept, ``""`` when none does."""
    return min(options(words) & {"-b", "--backup", "--backup-dir", "--suffix"}, default="")


def most_deletions(words: Sequence[str]) -> float:
    """Return how many files a run with these options may delete; infinite when any number."""
    most = math.inf
    for group in groups(words):
        if "--max-delete" in group.names:
            most = max(0, int(group.value)) if re.fullmatch(r"-?\d+", group.value) else most
    return most


def deletes_excluded(words: Sequence[str]) -> bool:
    """Return whether a run with these options deletes on the mirror what the excludes hide."""
    return "--delete-excluded" in options(words)


def half_written(words: Sequence[str]) -> str:
    """Return the option that lets half-written files be seen on a mirror, ``""`` when none does."""
    given = options(words)
    shown = [name for name in TABLE if name in given and TABLE[name].in_place]
    if "--partial-dir" not in given:
        shown += [name for name in TABLE if name in given and TABLE[name].keeps_half]
    return shown[0] if shown else ""


def keeps_partials(words: Sequence[str]) -> bool:
    """Return whether these options say where an interrupted file stays.

    A run that has one of them must not be given another ``--partial-dir``.
    """
    given = options(words)
    return "--partial-dir" in given or any(row_of(name).in_place for name in given)


def hindrance(words: Sequence[str]) -> str:
    """Return which of a node's options demands full passes: what and why, in words.

    ``""`` when none does.
    """
    for option in sorted(options(words)):
        if why := row_of(option).no_list:
            return f"{option}: {why}"
    return ""


def indivisible(words: Sequence[str]) -> str:
    """Return which of a node's options demands that a pass is one run: what and why, in words.

    ``""`` when none does.
    """
    for option in sorted(options(words)):
        if why := row_of(option).no_list or row_of(option).no_slices:
            return f"{option}: {why}"
    return ""


def prevented(words: Sequence[str]) -> bool:
    """Return whether a node's options keep renames from being anything but ordinary changes."""
    return any(row_of(option).no_steps for option in options(words))


def compares_contents(words: Sequence[str]) -> bool:
    """Return whether a run with these options takes no file for equal by size and date."""
    given = options(words)
    return not given.isdisjoint(("-c", "--checksum")) and given.isdisjoint(_NO_CHECKSUM)


def whole_files(words: Sequence[str]) -> bool:
    """Return whether a node's options have files sent whole, whatever is there already."""
    return any(row_of(option).whole for option in options(words))


def timed(words: Sequence[str]) -> bool:
    """Return whether it matters when a run with these options is started."""
    return any(row_of(option).timed for option in options(words))


def withholding(words: Sequence[str]) -> list[str]:
    """Return which options keep more from a node than the exclude rules do, sorted."""
    return sorted(option for option in options(words) if row_of(option).withholds)


def follows_links(words: Sequence[str]) -> bool:
    """Return whether a run with these options sends what a symbolic link points to."""
    return any(row_of(option).follows for option in options(words))
