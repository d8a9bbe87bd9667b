"""rsync's exclude language, compiled: may this path be watched, sent, deleted?

Owns the meaning of an exclude list: which rule an entry stands for, which paths a rule matches,
and how the same list is handed to rsync. It must not know where the list came from, what a config
looks like, or any file system: names go in, verdicts come out.

The language is that of ``rsync --exclude=PATTERN`` and ``rsync --filter=RULE`` (rsync(1), "FILTER
RULES IN DEPTH"); what one pattern matches is said in patterns.py, what one entry is in rules.py.
Where the manual page and the program differ, this follows
the program: the parents of the directory that ``-R`` names are sent whatever the rules say of them.
Only the whole named path is looked up, and excluding it excludes all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from inosync.errors import ConfigError
from inosync.rsync.patterns import Pattern, compile_pattern, negated
from inosync.rsync.rules import Entry, Sort, read_entry

_LONGEST_PATTERN = 4095  # rsync discards what is longer (MAXPATHLEN), with a message at each run

_Match = Callable[[bytes], "re.Match[bytes] | None"]
#: Given a directory, return what is true of the names in it that are hidden.
Hiding = Callable[[bytes], Callable[[bytes], object]]
#: Rules of one verdict, in a row: the verdict, and what matches a name and what a path.
_Step = tuple[bool, _Match | None, _Match | None]


@dataclass(frozen=True)
class Rule(Pattern):
    """One entry of an exclude list as it stands there, whether it includes, and its pattern."""

    text: str
    include: bool


@dataclass(frozen=True)
class Filters:
    """The exclude list of one source, ready to be asked. Immutable.

    `rules` are the entries that are decided here, in order. `left_to_rsync` are the config entries
    that only rsync applies: merge files, and every entry whose say depends on the content of one.
    A path that only they might hide is admitted: rsync is asked once too often, never too seldom.
    `guards` are the entries that say what is kept on a mirror though the source lacks it. In a
    `plain` list each entry is a pattern, as for ``--exclude``, that counts at both ends. `reserved`
    are rules of our own, for what is nobody's.
    """

    rules: tuple[Rule, ...] = ()
    left_to_rsync: tuple[str, ...] = ()
    prefix: bytes = b""
    guards: tuple[Rule, ...] = ()
    plain: bool = True
    reserved: frozenset[str] = frozenset()
    _lead: bytes = field(init=False, repr=False, compare=False)
    _file_steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)
    _directory_steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)
    _file_names: _Match | None = field(init=False, repr=False, compare=False)
    _directory_names: _Match | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lead = b"/" + self.prefix + b"/" if self.prefix else b"/"
        object.__setattr__(self, "_lead", lead)
        object.__setattr__(self, "_file_steps", _steps(self.rules, directory=False))
        object.__setattr__(self, "_directory_steps", _steps(self.rules, directory=True))
        object.__setattr__(self, "_file_names", _names_alone(self._file_steps))
        object.__setattr__(self, "_directory_names", _names_alone(self._directory_steps))

    def admits(self, path: bytes, *, directory: bool) -> bool:
        """Given that rsync has come to the parent of `path`, return whether it would take `path`.

        `path` is relative to the source, without leading or trailing slash; ``b""`` is the source
        itself. `directory` is lstat's answer: a symlink to a directory is not one.
        """
        steps = self._directory_steps if directory else self._file_steps
        if not steps:
            return True
        hides = self._directory_names if directory else self._file_names
        if hides is not None and path:  # as mostly: only our own names are excluded
            return hides(path[path.rfind(b"/") + 1 :]) is None
        subject = self._lead + path
        if not path:
            if not self.prefix:
                return True  # rsync never excludes the "." that a trailing slash sends
            subject = subject[:-1]
        return _taken(steps, subject[subject.rindex(b"/") + 1 :], subject)

    def hiding(self, *, directories: bool) -> Hiding | None:
        """Return what :meth:`admits` does not admit, to be asked about many names.

        None when it admits all, else a function: given a directory, it returns one that is true of
        the names in there that are hidden.
        """
        steps = self._directory_steps if directories else self._file_steps
        if not steps:
            return None
        match_name = self._directory_names if directories else self._file_names
        if match_name is not None:
            return lambda _: match_name

        def hiding(directory: bytes) -> Callable[[bytes], object]:
            lead = self._lead + directory + b"/" if directory else self._lead
            return lambda name: not _taken(steps, name, lead + name)

        return hiding

    def admits_path(self, path: bytes, *, directory: bool) -> bool:
        """Return whether rsync would come to `path` and take it.

        That is :meth:`admits` for the source itself, for every directory on the way and for the
        path: an excluded directory hides all that is below it.
        """
        if not self._directory_steps and not self._file_steps:
            return True
        if not self.admits(b"", directory=True):
            return False
        slash = path.find(b"/")
        while slash != -1:
            if not self.admits(path[:slash], directory=True):
                return False
            slash = path.find(b"/", slash + 1)
        return not path or self.admits(path, directory=directory)

    def may_hide_in(self, directory: bytes) -> bool:
        """Return whether anything directly in `directory` might be hidden; when unsure, True."""
        path = self._lead + directory if directory else self._lead[:-1]
        if self.left_to_rsync:
            return True
        rules = (rule for rule in self.rules if rule.text not in self.reserved)
        return any(_reaches_into(rule, path) for rule in rules if not rule.include)

    def rule_for(self, path: bytes, *, directory: bool) -> Rule | None:
        """Return the rule that decides about `path` itself; None when no rule does.

        The arguments are those of :meth:`admits`; parents are not looked at.
        """
        return self._first(self.rules, path, directory)

    def guard_of(self, path: bytes, *, directory: bool) -> Rule | None:
        """Return the rule that decides whether a mirror may keep `path`; None when no rule does."""
        return self._first(self.guards, path, directory)

    def _first(self, rules: Iterable[Rule], path: bytes, directory: bool) -> Rule | None:
        subject = self._lead + path if path else self._lead[:-1]
        name = subject[subject.rfind(b"/") + 1 :]
        if not subject:
            return None
        for rule in rules:
            expression = rule.expression(directory=directory)
            if expression is not None and re.match(
                expression, name if rule.by_name else subject, re.DOTALL
            ):
                return rule
        return None

    def decision(self, path: bytes, *, directory: bool) -> tuple[bytes, Rule | None, bool]:
        """Return what decides about `path`: a path, the rule that matches it, and the verdict.

        The verdict is that of :meth:`admits_path`. The path is that of the outermost directory on
        the way that is excluded and so hides it, else `path` itself; the rule None when none does.
        """
        parts = path.split(b"/") if path else []
        parents = [b"/".join(parts[:count]) for count in range(len(parts))]
        for parent in parents:
            if not self.admits(parent, directory=True):
                return parent, self.rule_for(parent, directory=True), False
        admitted = self.admits(path, directory=directory)
        return path, self.rule_for(path, directory=directory), admitted


def compile_filters(
    patterns: Sequence[str], *, prefix: bytes = b"", hidden: Iterable[str] = ()
) -> Filters:
    """Compile an exclude list.

    `patterns` are the entries in order, names as for ``--exclude`` or rules as for ``--filter``
    (see rules.py): the first that matches decides, what none matches is admitted. ``"!"`` forgets
    all entries before it, an empty entry is ignored. Rules that read files are left to rsync.

    `prefix` is what rsync puts before the names of this source: ``b"www"`` for ``rsync -r
    /var/www host:``, ``b"bar/baz"`` for ``-R /foo/./bar/baz``, ``b""`` for a trailing slash.
    `hidden` are names that are excluded whatever the list says.

    Raise ConfigError, with a problem for each, if an entry is no rule, or rsync would discard it.
    """
    plain: list[Entry] = []
    left: list[Entry] = []
    for entry in _entries(patterns):
        if entry.sort is Sort.CLEAR:
            plain.clear()
            left.clear()
        elif entry.sort in (Sort.FILE, Sort.CVS):
            if entry.may_clear:
                left[:0] = plain
                plain.clear()
            left.append(entry)
        elif entry.sort is Sort.PATTERN:
            # A file may include what an entry behind it would hide.
            (left or plain).append(entry)
    hidden = tuple(hidden)
    always = map(read_entry, hidden)
    return Filters(
        tuple(_compile_rule(entry) for entry in (*always, *plain) if entry.sent),
        tuple(entry.text for entry in left if entry.sent),
        prefix,
        tuple(_compile_rule(entry) for entry in (*left, *plain) if _guards(entry)),
        not any(entry.filter for entry in (*left, *plain)),
        frozenset(hidden),
    )


def without_files(patterns: Sequence[str]) -> list[str]:
    """Return the entries of a list without those that read rules from files."""
    return [text for text in patterns if read_entry(text).sort not in (Sort.FILE, Sort.CVS)]


def rsync_options(patterns: Sequence[str], *, first: Sequence[str] = ()) -> list[str]:
    """Return the words of an argv that give rsync the same list, in the same order.

    rsync keeps one list for ``--exclude`` and ``--filter``, in the order of the command line. So
    what ``"!"`` would forget is left out: it would forget rules of ours as well. `first` are words
    of rules that come before all others, and again behind a merge file that may forget them.
    """
    words = [*first]
    for entry in map(read_entry, patterns):
        if entry.sort is Sort.CLEAR:
            words = [*first]
        elif entry.filter:
            words += [f"--filter={entry.text}", *(first if entry.may_clear else ())]
        elif entry.sort is Sort.PATTERN:
            words.append(f"--exclude={entry.text}")
    return words


def _entries(patterns: Sequence[str]) -> list[Entry]:
    """Read all entries. Raise ConfigError, with a problem for each, if some are wrong."""
    entries: list[Entry] = []
    problems: list[str] = []
    for text in patterns:
        try:
            entries.append(entry := read_entry(text))
            _check_name(entry.pattern)
        except ValueError as error:
            shown = f"{text[:40]!r}..." if len(text) > _LONGEST_PATTERN // 2 else repr(text)
            problems.append(f"exclude rule {shown} {error}")
    if problems:
        raise ConfigError(problems)
    return entries


def _check_name(pattern: str) -> None:
    """Raise ValueError if no file can have the name, or rsync would discard the pattern."""
    if "\0" in pattern:
        raise ValueError("has a NUL character, which no file name has: remove it")
    try:
        length = len(os.fsencode(pattern))
    except UnicodeEncodeError:
        raise ValueError("has a character that no file name can have: remove it") from None
    if length > _LONGEST_PATTERN:
        raise ValueError(
            f"is {length} bytes long and rsync would ignore it: use at most {_LONGEST_PATTERN}"
        )


def _guards(entry: Entry) -> bool:
    """Return whether an entry may keep a path of the mirror from deletion."""
    return entry.sort is Sort.PATTERN and entry.kept


def _compile_rule(entry: Entry) -> Rule:
    compiled = compile_pattern(os.fsencode(entry.pattern))
    if entry.negated:
        compiled = negated(compiled)
    return Rule(
        compiled.by_name,
        compiled.file_expression,
        compiled.directory_expression,
        entry.text,
        entry.include,
    )


def _reaches_into(rule: Rule, directory: bytes) -> bool:
    """Return whether a rule may match anything in a directory, given from the transfer's top."""
    entry = read_entry(rule.text)
    pattern = os.fsencode(entry.pattern).rstrip(b"/")
    home = pattern.rpartition(b"/")[0]
    if rule.by_name or entry.negated or b"**" in pattern:
        return True
    if not home:
        return not directory
    expression = compile_pattern(home).directory_expression
    subject = directory if b"/" in home else directory.rpartition(b"/")[2]
    return expression is not None and re.match(expression, subject, re.DOTALL) is not None


def _steps(rules: Sequence[Rule], *, directory: bool) -> tuple[_Step, ...]:
    """Join neighbouring rules of one verdict into one expression each for names and paths."""
    steps: list[_Step] = []
    for include, row in groupby(rules, key=lambda rule: rule.include):
        members = list(row)
        names = _joined(rule.expression(directory=directory) for rule in members if rule.by_name)
        paths = _joined(
            rule.expression(directory=directory) for rule in members if not rule.by_name
        )
        if names is not None or paths is not None:
            steps.append((include, names, paths))
    while steps and steps[-1][0]:
        steps.pop()  # what nothing excludes is included anyway
    return tuple(steps)


def _names_alone(steps: Sequence[_Step]) -> _Match | None:
    """Return what matches exactly the hidden names; None where more than that decides."""
    if len(steps) != 1:
        return None
    _, match_name, match_path = steps[0]  # the last step always excludes
    return match_name if match_path is None else None


def _taken(steps: Iterable[_Step], name: bytes, subject: bytes) -> bool:
    """Return the verdict on a path; `name` is the last component of it."""
    for include, match_name, match_path in steps:
        if match_name is not None and match_name(name):
            return include
        if match_path is not None and match_path(subject):
            return include
    return True


def _joined(expressions: Iterable[bytes | None]) -> _Match | None:
    """Return what matches any of `expressions`; None when there is none to match."""
    matching = [expression for expression in expressions if expression is not None]
    return re.compile(b"|".join(matching), re.DOTALL).match if matching else None
