"""``--explain PATH``: which rule decides about a path, whether it is watched, where it lands.

Looks at the path and its parents with lstat; asks no daemon and no node.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from inosync.commands.places import find
from inosync.config.model import Config, Pair, Source
from inosync.rsync.filters import Rule, compile_filters, without_files
from inosync.rsync.kept import KEPT
from inosync.rsync.options import deletes_excluded, follows_links, options, withholding
from inosync.text import printable

#: What rsync only sends with these options, by the type of a file.
_SPECIAL = {
    stat.S_IFIFO: ("a FIFO", "--specials"),
    stat.S_IFSOCK: ("a socket", "--specials"),
    stat.S_IFCHR: ("a device", "--devices"),
    stat.S_IFBLK: ("a device", "--devices"),
}


@dataclass(frozen=True)
class _Subject:
    """The path that is explained, in its source.

    ``link`` is a symbolic link on the way to it; ``mode`` is 0 when there is no such file.
    """

    source: Source
    relative: bytes
    mode: int
    link: bytes | None

    @property
    def directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def shown(self, relative: bytes) -> str:
        """Return a path below the source for people."""
        return printable(os.path.join(os.fsencode(self.source.path), relative).rstrip(b"/"))


def explain(config: Config, path: str) -> list[str]:
    """Return what `config` makes of `path`, a line each. A slash at the end says "directory".

    Raise ConfigError if the path lies in no source.
    """
    found = find(config, path, "--explain")
    subjects = (_subject(*each, slash=path.endswith("/")) for each in found)
    return [line for subject in subjects for line in _explained(config, subject)]


def _explained(config: Config, subject: _Subject) -> list[str]:
    """Return the same for one of the sources that the path lies in."""
    source = subject.source
    decided, rule, admitted = source.filters.decision(subject.relative, directory=subject.directory)
    said = _verdict(subject, decided, rule, admitted)
    if admitted and source.filters.left_to_rsync and subject.link is None:
        said = _beside_files(subject)
    lines = [f"{subject.shown(subject.relative)}: {said}"]
    if not _exists(subject):
        kind = "directory" if subject.directory else "file"
        lines.append(f"  it does not exist: judged as a {kind} of this name")
    lines.append(f"  source: {printable(source.path)}")
    lines += _undecided(source)
    if subject.link is not None:
        lines.append("  the link itself is mirrored, and what is behind it is not even watched")
    lines.append(f"  watched: {_watched(subject, admitted)}")
    for pair in config.pairs:
        if pair.source.path == source.path:
            lines += _landing(subject, pair, admitted)
    return lines


def _subject(source: Source, relative: bytes, *, slash: bool) -> _Subject:
    root = os.fsencode(source.path)
    parts = relative.split(b"/") if relative else []
    for count in range(1, len(parts)):
        parent = b"/".join(parts[:count])
        if os.path.islink(os.path.join(root, parent)):
            return _Subject(source, relative, stat.S_IFREG, parent)
    try:
        mode = os.lstat(os.path.join(root, relative)).st_mode
    except OSError:
        mode = stat.S_IFDIR if slash else 0
    return _Subject(source, relative, mode, None)


def _exists(subject: _Subject) -> bool:
    return os.path.lexists(os.path.join(os.fsencode(subject.source.path), subject.relative))


def _verdict(subject: _Subject, decided: bytes, rule: Rule | None, admitted: bool) -> str:
    if subject.link is not None:
        return f"not mirrored: {subject.shown(subject.link)} is a symbolic link"
    if KEPT in os.fsdecode(decided).split("/") and not admitted:
        return f"not mirrored: {KEPT} is where mirrors keep what is overwritten or deleted (rkeep)"
    if rule is None:
        return "included: no rule matches it"
    # The first of equal entries decides; those before a "!" are forgotten.
    entries = subject.source.excludes
    begin = max((i + 1 for i, text in enumerate(entries) if text == "!"), default=0)
    name = f"{subject.source.excludes_from}[{entries.index(rule.text, begin)}] = {rule.text!r}"
    if admitted:
        return f"included by {name}"
    if decided == subject.relative:
        return f"excluded by {name}"
    return f"excluded: {name} hides {subject.shown(decided)} and all below it"


def _beside_files(subject: _Subject) -> str:
    """Return the verdict as far as the config alone says it: rules are read from files as well."""
    source = subject.source
    rules = without_files(source.excludes)
    filters = compile_filters(rules, prefix=source.filters.prefix)
    found = filters.decision(subject.relative, directory=subject.directory)
    if found[1] is None:
        return "included, unless a file of rules says otherwise: no rule of the config matches it"
    return f"{_verdict(subject, *found)}, unless a file of rules that comes first says otherwise"


def _undecided(source: Source) -> Iterator[str]:
    for text in source.filters.left_to_rsync:
        yield f"  rsync alone applies {source.excludes_from} {text!r}, which may decide otherwise"


def _watched(subject: _Subject, admitted: bool) -> str:
    if not admitted:
        return "no: what is excluded starts no run"
    if subject.link is not None:
        return "no"
    if subject.directory:
        return "yes"
    return f"yes, by its directory {subject.shown(os.path.dirname(subject.relative))}"


def _fate(subject: _Subject, pair: Pair) -> str:
    """Say what becomes on the node of a path that is not sent."""
    filters = subject.source.filters
    hidden = filters.decision(subject.relative, directory=subject.directory)[0]
    guard = filters.guard_of(
        hidden, directory=subject.directory or len(hidden) < len(subject.relative)
    )
    if guard is None or guard.include:
        return "deleted there (the rule hides it, and nothing protects it)"
    if deletes_excluded(pair.node.extra):
        return "deleted there (--delete-excluded)"
    return "left alone there"


def _landing(subject: _Subject, pair: Pair, admitted: bool) -> Iterator[str]:
    """Say what becomes of the path on one node."""
    given = options(pair.node.extra)
    where = pair.landing(os.fsdecode(subject.relative)).shown
    if not admitted:
        yield f"  not sent, and {_fate(subject, pair)}: {where}"
        return
    if subject.link is not None and not follows_links(pair.node.extra):
        yield f"  not sent: {where}"
        return
    kind, option = _SPECIAL.get(stat.S_IFMT(subject.mode), ("", ""))
    if kind and not given & {option, "-D", "-a", "--archive"}:
        yield f"  not sent, since it is {kind} (extra = {option!r} sends it): {where}"
        return
    yield f"  lands at {where}"
    for name in withholding(pair.node.extra):
        yield f"    unless {name} in extra keeps it back"
