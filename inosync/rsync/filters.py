"""rsync's exclude language, compiled: may this path be watched, sent, deleted?

Owns the meaning of an exclude list: which rule an entry stands for, which paths a rule matches,
and how the same list is handed to rsync. It must not know where the list came from, what a config
looks like, or any file system: names go in, verdicts come out.

The language is that of ``rsync --exclude=PATTERN`` (rsync(1), "FILTER RULES IN DEPTH"); what one
pattern matches is said in patterns.py. Where the manual page and the program differ, this follows
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
from inosync.rsync.patterns import Pattern, compile_pattern

_LONGEST_PATTERN = 4095  # rsync discards what is longer (MAXPATHLEN), with a message at each run

# An entry that rsync reads as --filter: a merge file. Only complete ones, with a space before the
# file name, and the dot with its modifiers only where no name would have them: ``._*`` and
# ``.press kit`` are names that people exclude. Without a file name, C means ``.cvsignore``.
_MERGE_RULE = re.compile(
    r"""
    (?: :,?MODIFIER* | \.(?:,MODIFIER+|[-+]MODIFIER*|C)? | (?:dir-)?merge(?:,MODIFIER+)? ) [ ].+
    | :,?MODIFIER*C MODIFIER* | \.C | (?:dir-)?merge,MODIFIER*C MODIFIER*
    """.replace("MODIFIER", "[-+/Cenwsrpx]"),
    re.DOTALL | re.VERBOSE,
)

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
    """

    rules: tuple[Rule, ...] = ()
    left_to_rsync: tuple[str, ...] = ()
    prefix: bytes = b""
    _lead: bytes = field(init=False, repr=False, compare=False)
    _file_steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)
    _directory_steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lead = b"/" + self.prefix + b"/" if self.prefix else b"/"
        object.__setattr__(self, "_lead", lead)
        object.__setattr__(self, "_file_steps", _steps(self.rules, directory=False))
        object.__setattr__(self, "_directory_steps", _steps(self.rules, directory=True))

    def admits(self, path: bytes, *, directory: bool) -> bool:
        """Given that rsync has come to the parent of `path`, return whether it would take `path`.

        `path` is relative to the source, without leading or trailing slash; ``b""`` is the source
        itself. `directory` is lstat's answer: a symlink to a directory is not one.
        """
        steps = self._directory_steps if directory else self._file_steps
        if not steps:
            return True
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
        _, match_name, match_path = steps[0]
        if len(steps) == 1 and match_path is None and match_name is not None:
            return lambda _: match_name  # the last step always excludes

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

    def rule_for(self, path: bytes, *, directory: bool) -> Rule | None:
        """Return the rule that decides about `path` itself; None when no rule does.

        The arguments are those of :meth:`admits`; parents are not looked at.
        """
        subject = self._lead + path if path else self._lead[:-1]
        name = subject[subject.rfind(b"/") + 1 :]
        if not subject:
            return None
        for rule in self.rules:
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


def compile_filters(patterns: Sequence[str], *, prefix: bytes = b"") -> Filters:
    """Compile an exclude list.

    `patterns` are the entries in order, as for ``--exclude``: the first that matches decides, what
    none matches is admitted. ``"+ pattern"`` includes, ``"!"`` forgets all entries before it, an
    empty entry is ignored. Merge rules as ``--filter`` has them are left to rsync.

    `prefix` is what rsync puts before the names of this source: ``b"www"`` for ``rsync -r
    /var/www host:``, ``b"bar/baz"`` for ``-R /foo/./bar/baz``, ``b""`` for a trailing slash.

    Raise ConfigError, with a problem for each, if rsync would refuse or discard entries.
    """
    rules: list[Rule] = []
    left_to_rsync: list[str] = []
    problems: list[str] = []
    for text in patterns:
        if problem := _problem(text):
            problems.append(problem)
        elif text == "!":
            rules.clear()
            left_to_rsync.clear()
        elif _MERGE_RULE.fullmatch(text):
            if _may_clear_list(text):
                left_to_rsync[:0] = [rule.text for rule in rules]
                rules.clear()
            left_to_rsync.append(text)
        elif left_to_rsync:
            # A merge file may include what this entry would hide.
            left_to_rsync.append(text)
        elif text:
            rules.append(_compile_rule(text))
    if problems:
        raise ConfigError(problems)
    return Filters(tuple(rules), tuple(left_to_rsync), prefix)


def rsync_options(patterns: Sequence[str], *, first: Sequence[str] = ()) -> list[str]:
    """Return the words of an argv that give rsync the same list, in the same order.

    rsync keeps one list for ``--exclude`` and ``--filter``, in the order of the command line. So
    what ``"!"`` would forget is left out: it would forget rules of ours as well. `first` are words
    of rules that come before all others, and again behind a merge file that may forget them.
    """
    words = [*first]
    for text in patterns:
        if text == "!":
            words = [*first]
        elif _MERGE_RULE.fullmatch(text):
            words += [f"--filter={text}", *(first if _may_clear_list(text) else ())]
        elif text:
            words.append(f"--exclude={text}")
    return words


def _may_clear_list(merge_rule: str) -> bool:
    """Return whether the merge file may hold a ``!`` that forgets the entries before it.

    One that is read per directory has a list of its own, and one that holds nothing but excludes
    (``-``) or includes (``+``) takes ``!`` for a name.
    """
    head = merge_rule.partition(" ")[0]
    return head.startswith((".", "merge")) and not ("-" in head or "+" in head)


def _split(text: str) -> tuple[bool, str]:
    """Return whether an entry includes, and its pattern."""
    if text.startswith(("+ ", "- ")):
        return text[0] == "+", text[2:]
    return False, text


def _problem(text: str) -> str:
    """Return what is wrong with an entry, as a line for a person; empty when nothing is."""
    _, pattern = _split(text)
    if text and not pattern:
        return f"exclude rule {text!r} has no pattern after its prefix: complete or remove it"
    if "\0" in pattern:
        return f"exclude rule {text!r} has a NUL character, which no file name has: remove it"
    try:
        length = len(os.fsencode(pattern))
    except UnicodeEncodeError:
        return f"exclude rule {text!r} has a character that no file name can have: remove it"
    if length > _LONGEST_PATTERN:
        return (
            f"exclude rule {text[:40]!r}... is {length} bytes long and rsync would ignore it: "
            f"use at most {_LONGEST_PATTERN}"
        )
    return ""


def _compile_rule(text: str) -> Rule:
    include, pattern = _split(text)
    compiled = compile_pattern(os.fsencode(pattern))
    return Rule(
        compiled.by_name, compiled.file_expression, compiled.directory_expression, text, include
    )


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
