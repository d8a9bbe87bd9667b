"""The config: from a script, or from the command line, to frozen values.

Owns how a config is put together. After ``load`` nobody sees the script again. Reads the
config file and looks at the paths that the config names; starts nothing.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from inosync.changes.inotify_bits import IN_CREATE, IN_MOVED_TO, MASK_BITS
from inosync.config import script
from inosync.config.by_source import Share, shares
from inosync.config.faults import shown
from inosync.config.model import Config, Pair, Source, SourceSettings
from inosync.config.nodes import read_nodes
from inosync.config.overlaps import mirror_holding, source_holding, source_overlaps
from inosync.config.pairs import read_pairs
from inosync.config.reader import Reading
from inosync.config.sources import read_argument, read_source
from inosync.config.values import text
from inosync.errors import ConfigError
from inosync.rsync.destination import is_prefix
from inosync.text import printable

#: Where a config is looked for when none is named; the second is where inosync 0.2 had it.
DEFAULT_FILES = ("/etc/inosync.py", "/etc/inosync/default.py")

#: Seconds that a mirror rests at the most where ``edelay`` is "auto".
_LONGEST_REST = 10.0


def default_files(
    user: int | None = None, machine: tuple[str, ...] = DEFAULT_FILES
) -> tuple[str, ...]:
    """Return where a config is looked for when none is named: a user's own comes first.

    `user` is who looks for it; None: who runs this. The `machine` has these. Root has none of its
    own: what sudo leaves in HOME is somebody else's.
    """
    if (os.geteuid() if user is None else user) == 0:
        return machine
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return (os.path.join(home, "inosync.py"), *machine)


def found(named: str | None, places: Sequence[str] | None = None) -> str:
    """Return the config file that is meant: the first of the `places` where one is (None: of all).

    Raise ConfigError when there is none.
    """
    if chosen := named or os.environ.get("INOSYNC_CONFIG"):
        return chosen
    places = default_files() if places is None else places
    for place in places:
        if os.path.exists(place):
            return place
    wanted = " or ".join(places)
    raise ConfigError(
        [
            f"no config: write {printable(wanted)} (inosync init does it), or give -c FILE, "
            "or SRC and DEST"
        ]
    )


def load(path: str, *, insecure: bool = False) -> Config:
    """Run the config script at `path` and return what it says.

    `insecure` accepts a script that others can write to, with a warning. Relative paths are taken
    from the current directory. Raise ConfigError, which names all problems at once, each with
    file, setting, value and what is accepted.
    """
    cwd = _current_directory()
    ran = script.run(path, insecure=insecure)
    return _config(Reading(ran.file, ran.names, cwd, ran.warnings, unread=ran.unread))


def scratch(path: str) -> str:
    """Return the file in which the next ``metricsfile`` or ``htmlfile`` at `path` is written."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.tmp")


def from_arguments(source: str, destinations: Sequence[str]) -> Config:
    """Return the config of ``inosync SRC DEST [DEST...]``: one source, defaults for the rest.

    SRC follows pylsyncd's rule of the virtual root: see ``sources.read_argument``.
    Raise ConfigError as :func:`load` does; its lines speak of SRC and DEST.
    """
    names: dict[str, object] = {"wpath": source, "rnodes": list(destinations)}
    config = _config(Reading("", names, _current_directory()))
    (found,) = config.sources
    if not found.relative or "/./" in source:
        return config
    kept = printable(found.path)
    whole = f"has no /./ in it, so it goes to DEST{kept}; {kept}/./ puts what is in it into DEST"
    return dataclasses.replace(
        config, warnings=(*config.warnings, f"SRC = {shown(source)}: {whole}")
    )


def _current_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed; only relative paths miss it
        return ""


def _config(reading: Reading) -> Config:
    """Return what `reading` holds. Raise ConfigError if there is any problem with it."""
    wpaths = _wpaths(reading)
    by_source = shares(reading, wpaths)
    entries = read_nodes(reading, by_source, wpaths)
    sources = _read_sources(reading, wpaths, by_source)
    pairs = read_pairs(reading, entries, sources)
    for share in by_source:
        _check_share(reading, share)
    _check_together(reading, [source for source in sources if source is not None])
    _check_published(reading, [source for source in sources if source is not None], pairs)
    written = (entry.text for each in entries for entry in each)
    reading.check_names(rpath_needed=any(is_prefix(text) for text in written))
    if reading.problems:
        raise ConfigError(list(dict.fromkeys(reading.problems)))
    return Config(
        file=reading.file,
        sources=tuple(source for source in sources if source is not None),
        settings=tuple(
            SourceSettings(**_fields(SourceSettings, share.values)) for share in by_source
        ),
        pairs=tuple(pairs),
        warnings=tuple(dict.fromkeys(reading.warnings)),
        **_fields(Config, reading.values),
    )


def _fields(kind: type[Config | SourceSettings], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are fields of this class."""
    wanted = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in wanted}


def _wpaths(reading: Reading) -> dict[str, Any]:
    """Return the watched paths by the setting, or part of one, that names them."""
    if "wpaths" in reading.given:
        several = reading.values.get("wpaths", ())
        return {f"wpaths[{index}]": path for index, path in enumerate(several)}
    return {"wpath": reading.values["wpath"]} if "wpath" in reading.values else {}


def _read_sources(
    reading: Reading, wpaths: Mapping[str, Any], by_source: Sequence[Share]
) -> list[Source | None]:
    """Return the sources in order, None for each that is refused."""
    sources: dict[str, Source | None] = dict.fromkeys(wpaths)
    read = read_source if reading.file else read_argument
    for (setting, path), share in zip(wpaths.items(), by_source, strict=False):
        try:
            source = read(text(path), reading.cwd)
        except ValueError as error:
            reading.refuse(setting, path, error)
            continue
        excludes, place = share.values.get("rexcludes", ()), share.places["rexcludes"]
        sources[setting] = dataclasses.replace(source, excludes=excludes, excludes_from=place)
    found = {setting: source for setting, source in sources.items() if source is not None}
    for index, what in source_overlaps(list(found.values())):
        setting = list(found)[index]
        reading.refuse(setting, wpaths[setting], what)
        sources[setting] = None  # its mirrors would overlap as well, which is no news
    return list(sources.values())


def _check_share(reading: Reading, share: Share) -> None:
    """Check the settings of one source that limit one another; complete them."""
    edelay = share.values.get("edelay", 0.0)
    longest = share.values.setdefault("emaxdelay", _LONGEST_REST if edelay == "auto" else edelay)
    if edelay != "auto" and longest < edelay:
        what = f"must not be below {share.places['edelay']}, which is {edelay:g} seconds"
        reading.refuse(share.places["emaxdelay"], longest, what)
    if reading.values.get("wactive") and share.values.get("init") is False:
        what = "leaves on the mirrors what the other host has not sent (wactive); write True"
        reading.refuse(share.places["init"], False, what)
    if share.values.get("rbigsize") and reading.values.get("rparallel") == 1:
        place = share.places["rbigsize"]
        what = f"leaves no room beside a big file ({place}); write 2 or more"
        reading.refuse("rparallel", 1, what)


def _check_together(reading: Reading, sources: Sequence[Source]) -> None:
    """Check the settings that limit one another."""
    appearing = IN_CREATE | IN_MOVED_TO
    emask = reading.values.get("emask", appearing)
    if emask & appearing != appearing:
        names = [name for name, bit in MASK_BITS.items() if emask & bit]
        reading.warn(
            "emask",
            names,
            "without IN_CREATE and IN_MOVED_TO a new directory and what is in it only travel with "
            "some other change",
        )
    beat, on_beat = reading.values.get("beat"), reading.values.get("on_beat")
    if beat and "on_beat" not in reading.given:
        reading.refuse("beat", beat, "is for on_beat, which is not set; write both")
    if on_beat and "beat" not in reading.given:
        reading.refuse("on_beat", list(on_beat), "needs beat, the seconds between two of its runs")
    if reading.values.get("wactive"):
        _check_active(reading, sources)
    logfile = reading.values.get("logfile")
    if logfile and (source := source_holding(sources, logfile)):
        reading.refuse(
            "logfile",
            logfile,
            f"lies in the source {printable(source.path)}, so that each run would start the next; "
            "write a place outside, or exclude it",
        )


def _check_active(reading: Reading, sources: Sequence[Source]) -> None:
    """Check a config that another host has, too."""
    active = reading.values["wactive"]
    if active.startswith("/") and (source := source_holding(sources, active)):
        reading.refuse(
            "wactive",
            active,
            f"lies in the source {printable(source.path)}, so that the mirrors would have it, too; "
            "write a place outside, such as /run/inosync-active",
        )


def _check_published(reading: Reading, sources: Sequence[Source], pairs: Sequence[Pair]) -> None:
    """Check the files that the daemon keeps up to date: nothing may start or delete them."""
    for setting in ("metricsfile", "htmlfile"):
        path = reading.values.get(setting)
        if not path:
            continue
        files = (path, scratch(path))
        source = next(filter(None, (source_holding(sources, file) for file in files)), None)
        pair = next(filter(None, (mirror_holding(pairs, file) for file in files)), None)
        what = ""
        if source is not None:
            where = printable(source.path)
            what = f"lies in the source {where}, so that each run would start the next"
        elif pair is not None:
            what = f"lies in the mirror {pair.destination.shown}, whose runs would delete it"
        if what:
            name = printable(os.path.basename(scratch(path)))
            reading.refuse(
                setting, path, f"{what}; write a place outside, or exclude it and {name}"
            )
        elif setting == "htmlfile" and path == reading.values.get("metricsfile"):
            reading.refuse(setting, path, "is the metricsfile already; write another path")
