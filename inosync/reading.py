"""One config being read: each setting by itself, and all the problems and warnings on the way.

Owns how a problem is worded: ``FILE: setting = value: what is wrong; what is accepted``. What
settings mean together is for the rooms that are handed a ``Reading``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inosync.settings import SETTINGS, Setting, is_given, unknown_names
from inosync.text import printable
from inosync.values import faults_of, shown


class Reading:
    """The names that a config defines, turned into values. Collects the problems with them.

    ``file`` is ``""`` for a config from the command line, ``cwd`` where relative paths begin
    (``""`` when there is no such place). ``given`` maps each setting that the config gives to the
    name that it uses there; ``values`` holds the parsed values of all, with the defaults, except
    those that were refused.
    """

    def __init__(
        self, file: str, names: Mapping[str, object], cwd: str, warnings: Sequence[str] = ()
    ) -> None:
        self.file = file
        self.cwd = cwd
        self.warnings = list(warnings)
        self.problems: list[str] = []
        self.given: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self._names = names
        for setting in SETTINGS:
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
        """Complain of what is missing, and of names that look like a misspelt setting.

        ``rpath_needed`` says that some node has to be completed.
        """
        families = {setting.name: setting.family or setting.name for setting in SETTINGS}
        settled = {families[name] for name in self.given}
        if not rpath_needed:
            settled.add("rpath")
        for name, what in unknown_names(self._names, settled):
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
        given = [name for name in setting.names if is_given(self._names.get(name))]
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
            self.values[setting.name] = setting.parse(value)
        except ValueError as error:
            self.refuse(name, value, error)
        return self.values.get(setting.name)
