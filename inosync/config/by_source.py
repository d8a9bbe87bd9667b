"""What a config says of each source, where a setting is one for all or a dict by source.

Owns what such a dict means: its keys are sources as ``wpaths`` has them, or the same paths written
otherwise, and ``"*"`` is for all that are not named. Others ask a :class:`Share`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inosync.config.faults import did_you_mean
from inosync.config.reader import BySource, Reading, part_of
from inosync.config.settings import SETTINGS, Setting
from inosync.rsync.destination import mask

#: Stands for all sources that a dict does not name.
REST = "*"


@dataclass(frozen=True)
class Share:
    """What a config says for one source.

    ``values`` are by setting, those of each node among them; what was refused or is not set has
    none. ``places`` says what the config calls each value: ``edelay``, ``edelay['/var/www/']``.
    """

    values: dict[str, Any]
    places: Mapping[str, str]

    def value(self, row: Setting) -> Any:
        """Return a value, or for one that was refused the default, which is good enough then."""
        return self.values[row.name] if row.name in self.values else default_of(row)


def default_of(row: Setting) -> Any:
    """Return the value of a setting that is not set."""
    return row.default if row.default is None else row.parse(row.default)


def shares(reading: Reading, wpaths: Mapping[str, Any]) -> list[Share]:
    """Return what `reading` has for each of `wpaths`, in order; refuse what is for none of them.

    `wpaths` are the watched paths by the settings that name them. If there are none, one share is
    returned, of a source that no dict names, so that all that is wrong with it is found as well.
    """
    values: list[dict[str, Any]] = [{} for _ in wpaths or (None,)]
    places: list[dict[str, str]] = [{} for _ in values]
    for row in SETTINGS:
        label = reading.given.get(row.name, row.name)
        value = reading.values.get(row.name)
        keys = _keys(reading, label, value, wpaths) if isinstance(value, BySource) else {}
        for index, setting in enumerate(wpaths or ("",)):
            found, place = value, label
            if isinstance(value, BySource):
                key = keys.get(setting, REST)
                found = value.get(key, default_of(row))
                place = part_of(label, key) if key in value else label
            places[index][row.name] = place
            if found is not None:
                values[index][row.name] = found
    return [Share(*each) for each in zip(values, places, strict=True)]


def _keys(
    reading: Reading, label: str, value: BySource, wpaths: Mapping[str, Any]
) -> dict[str, str]:
    """Return the key of `value` that is for a source, by the setting that names the source."""
    paths = {setting: path for setting, path in wpaths.items() if isinstance(path, str)}
    by_path: dict[str, str] = {}
    for setting, path in paths.items():
        by_path.setdefault(os.path.normpath(path), setting)
    found: dict[str, str] = {}
    for key in [each for each in value if each != REST and wpaths]:
        place, matching = part_of(label, key), by_path.get(os.path.normpath(key), "")
        if not matching:
            hint = did_you_mean(key, [mask(path) for path in paths.values()])
            reading.complain(place, f"is for no watched directory; {hint}")
        elif matching in found:
            reading.complain(place, "is the second for one directory; keep one of them")
        else:
            found[matching] = key
    return found
