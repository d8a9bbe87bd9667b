"""One config being read: each setting by itself, and all the problems and warnings on the way.

Owns how a problem is worded: ``FILE: setting = value: what is wrong; what is accepted``, and which
names of a script are settings. What settings mean together is for the rooms that are handed a
``Reading``.
"""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from inosync.config.faults import Fault, Faults, faults_of, nearest, shown
from inosync.config.settings import SETTINGS, Setting
from inosync.config.values import text
from inosync.rsync.destination import mask
from inosync.text import printable


class BySource(dict[str, Any]):
    """The parsed values of one setting by source, as a config names the sources."""


def part_of(setting: str, key: object) -> str:
    """Return what a message calls the value for `key` in a setting that is a dict: paths whole."""
    return f"{setting}[{printable(repr(mask(key))) if isinstance(key, str) else shown(key)}]"


class Reading:
    """The names that a config defines, turned into values. Collects the problems with them.

    ``file`` is ``""`` for a config from the command line, ``cwd`` where relative paths begin
    (``""`` when there is no such place). ``given`` maps each setting that the config gives to the
    name that it uses there; ``values`` holds the parsed values of all, with the defaults, except
    those that were refused; a dict by source is a ``BySource``.
    """

    def __init__(
        self,
        file: str,
        names: Mapping[str, object],
        cwd: str,
        warnings: Sequence[str] = (),
        *,
        unread: Collection[str] = (),
        settings: Sequence[Setting] = SETTINGS,
    ) -> None:
        self.file = file
        self.cwd = cwd
        self.warnings = list(warnings)
        self.problems: list[str] = []
        self.given: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self._names = names
        self._unread = unread
        self._settings = settings
        for setting in settings:
            self._read(setting)

    def refuse(self, setting: str, value: object, error: ValueError | str) -> None:
        """Remember a problem with `setting`, which may be a part of one such as ``rnodes[0]``."""
        error = error if isinstance(error, ValueError) else ValueError(error)
        for where, part, what in faults_of(value, error):
            self.problems.append(f"{self._label(setting + where)} = {shown(part)}: {what}")

    def complain(self, setting: str, what: str) -> None:
        """Remember a problem with a name that has no value, or none worth showing."""
        self.problems.append(f"{self._label(setting)}: {what}")

    def warn(self, setting: str, value: object, what: str) -> None:
        """Remember something that is to be said at the start, though it is no error."""
        self.warnings.append(f"{self._label(setting)} = {shown(value)}: {what}")

    def check_names(self, *, rpath_needed: bool) -> None:
        """Complain of what is missing, and of names that are, or look like, a misspelt setting.

        ``rpath_needed`` says that some node has to be completed.
        """
        families = {
            name: setting.family or setting.name
            for setting in self._settings
            for name in setting.names
        }
        settled = {families[name] for name in self.given}
        if not rpath_needed:
            settled.add("rpath")
        for name, what in _unknown_names(self._names, families, settled, self._unread):
            self.complain(name, what)
        if "wpath" not in settled:
            self.complain("wpath", 'is missing; write wpath = "/var/www/"')
        if "rnodes" not in settled:
            self.complain("rnodes", 'is missing; write rnodes = ["host:/path"]')
        if {"wpath", "wpaths"} <= self.given.keys():
            self.complain("wpath", "is given, and so is wpaths; keep one of them")

    def _label(self, setting: str) -> str:
        """Return how a message begins: the file and the setting, or the word of the usage line."""
        if self.file:
            return f"{printable(self.file)}: {setting}"
        return {"wpath": "SRC", "rnodes": "DEST"}.get(setting.partition("[")[0], setting)

    def _read(self, setting: Setting) -> None:
        given = [name for name in setting.names if _is_given(self._names.get(name))]
        if not given:
            if setting.default is not None:
                self._parse(setting, setting.name, setting.default)
            return
        self.given[setting.name] = given[0]
        first = self._parse(setting, given[0], self._names[given[0]])
        for name in given[1:]:
            if self._parse(setting, name, self._names[name]) != first:
                self.refuse(name, self._names[name], f"is not what {given[0]} says; keep one")

    def _parse(self, setting: Setting, name: str, value: object) -> Any:
        try:
            parse = _by_source if _is_by_source(setting, value) else _for_all
            self.values[setting.name] = parse(setting, value)
        except ValueError as error:
            self.refuse(name, value, error)
        return self.values.get(setting.name)


def _is_by_source(setting: Setting, value: object) -> bool:
    """Return whether `value` has a value for each of several sources.

    Where a value itself is a dict, one by source has such dicts in it.
    """
    if not setting.per_source or not isinstance(value, dict):
        return False
    inner = value.values()
    return not isinstance(setting.default, dict) or any(isinstance(each, dict) for each in inner)


def _for_all(setting: Setting, value: object) -> Any:
    return setting.parse(value)


def _by_source(setting: Setting, value: Any) -> BySource:
    """Return the parsed values, but for those that are None, which says "not set"."""
    result, faults = BySource(), list[Fault]()
    for source, own in value.items():
        try:
            if own is not None:
                result[text(source)] = setting.parse(own)
        except ValueError as error:
            where, found = part_of("", source), faults_of(own, error)
            faults += [(where + inner, part, what) for inner, part, what in found]
    if faults:
        raise Faults(faults)
    return result


def _is_given(value: object) -> bool:
    """Return whether a script's variable can be meant as a setting.

    None says "not set", and a module or a class was imported: ``import socket``.
    """
    return value is not None and not isinstance(value, types.ModuleType | type)


def _unknown_names(
    names: Mapping[str, object],
    families: Mapping[str, str],
    settled: Collection[str],
    unread: Collection[str],
) -> list[tuple[str, str]]:
    """Return the names that look like a setting but are none, each with what is wrong.

    A script may have variables of its own. What it sets and leaves `unread` is none of them: a
    misspelt setting, or one of another version. One that is read is suspicious when it is like a
    setting (``rnode``, ``exclude``) that the script does not give: then it is probably that
    setting, misspelt. Beside the setting itself (``for rnode in hosts: rnodes.append(rnode +
    rpath)``; ``path`` beside ``wpath``) it is a helper. `families` has the family of each name of
    a setting, `settled` those of the settings that are given or that this config has no use for.
    """
    result: list[tuple[str, str]] = []
    for name, value in names.items():
        if name in families or name.startswith("_") or not _is_given(value):
            continue
        if not callable(value):
            near = nearest(name, families)
            helper = name not in unread
            if near and not any(families.get(other) in settled for other in near):
                helper = False
            if not helper:
                near = near or nearest(name, families, likeness=0.6)
                hint = "unknown setting, which nothing reads; remove it"
                if near:
                    hint = f"unknown setting, did you mean {' or '.join(near)}?"
                result.append((name, f"{hint} (a variable of your own may be called _{name})"))
    return result
