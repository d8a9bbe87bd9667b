"""What lsyncd's tables ``rsync{}`` and ``ssh{}`` are in ours.

Owns their meaning (its manual, "Layer 4", and default-rsync.lua). Pure: knows neither Lua nor how
a config is written.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inosync.lsyncd.values import lua, number, table, words
from inosync.rsync.deletions import DELETING, untold
from inosync.rsync.extra import parse_extra
from inosync.rsync.options import hindrance, spoken
from inosync.rsync.program import chooses_shell

#: Options of rsync that are settings here, with the most that these may be.
_OWN = {"bwlimit": ("rspeed", 2**31 - 1), "timeout": ("rtimeout", 366 * 86400)}
#: Options that say yes or no: to lsyncd, whatever stands there is a yes, but for false.
_YES_OR_NO = """
    acls append append_verify archive backup checksum compress copy_dirlinks copy_links cvs_exclude
    devices dry_run executability existing group hard_links ignore_times inplace ipv4 ipv6
    keep_dirlinks links omit_dir_times omit_link_times one_file_system owner perms protect_args
    prune_empty_dirs quiet recursive sparse specials times update verbose whole_file xattrs
"""
#: Options of rsync that every run has, and those that would change nothing.
_ALWAYS = {"links", "times", "perms"}
_NO_NEED = {*_ALWAYS, "recursive", "protect_args", "verbose", "quiet"}
#: What archive = true stands for beside these.
_ARCHIVE = {"group", "owner", "devices", "specials"}
_PLAIN_SHELLS = ("ssh", "/usr/bin/ssh")
_SHARED = "with these in ~/.ssh/config instead of extra, runs share one ssh connection"
#: What its ``delete`` is here; nothing but true and "running" deletes while it runs.
_DELETES = {
    True: "all",
    "true": "all",
    "running": "seen",
    "startup": "start",
    False: "never",
    "false": "never",
}
#: lsyncd 2.0 had a list of options instead of a table.
OLD = ("rsyncOps", "rsyncOpts")


@dataclass
class Options:
    """What a sync says of rsync, ssh and deleting, in our words.

    ``port`` is the one that its destination has to name, 0 for none.
    """

    settings: dict[str, Any] = field(default_factory=dict)  # of the source, or of the daemon
    own: dict[str, Any] = field(default_factory=dict)  # of the node
    port: int = 0
    notes: list[str] = field(default_factory=list)


def undeleted(why: str) -> str:
    """Return the note that nothing is deleted where what vanishes is to go (``"running"``)."""
    return f'delete = "running": nothing is deleted, because of {why}'


def options(values: Mapping[str, Any], *, over_ssh: bool) -> Options:
    """Return what the `values` of a sync say of rsync, ssh and deleting."""
    result = Options()
    rsync = _rsync(values, result.notes)
    extra: list[str] = []
    for key, value in sorted(rsync.items()):
        extra += _option(result, key, value, archive=rsync.get("archive") is True)
    ssh = table(values.get("ssh"))
    if ssh and not over_ssh:
        result.notes.append("ssh: left out; the target is not reached over ssh")
        ssh = {}
    extra += _shell(result, ssh, str(rsync.get("rsh", "")), extra)
    if rsync.get("perms") is None and not rsync.get("archive"):
        result.notes.append("permissions are mirrored; extra = '--no-perms' if that is not wanted")
    given = values.get("delete", True)
    rdelete = _DELETES.get(given) if isinstance(given, bool | str) else None
    if rdelete is None:
        rdelete = "never"
        result.notes.append(f"delete = {lua(given)}: is not known; nothing is deleted")
    if rdelete == "seen" and (why := untold(extra)):
        rdelete = "never"
        result.notes.append(undeleted(why))
    if rdelete != "all":
        result.own["rdelete"] = rdelete
        result.notes += [f"{word}: left out, for delete" for word in extra if word in DELETING]
        extra = [word for word in extra if word not in DELETING]
    if extra:
        result.own["extra"] = extra
    if why := hindrance(extra):
        left = 'rscope = "changes" is left out, and each run passes over the whole tree'
        result.notes.append(f"{left}, because of {why}")
    else:
        result.settings["rscope"] = "changes"
    return result


def _rsync(values: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return the rsync table of a sync, with true and false where lsyncd sees nothing else."""
    for key in ("rsync", "ssh"):
        if key in values and not isinstance(values[key], dict):
            notes.append(f"{key} = {lua(values[key])}: is no table; left out")
    given = table(values.get("rsync"))
    result = {key: value for key, value in given.items() if isinstance(key, str)}
    notes += [
        f"rsync: {lua(given[key])} has no name; left out" for key in given.keys() - result.keys()
    ]
    for name in OLD:
        if name in values:
            result.setdefault("_extra", values[name])
    for key in result.keys() & set(_YES_OR_NO.split()):
        if isinstance(result[key], str) and result[key].lower() in ("false", "no", "off", "0", ""):
            notes.append(f"rsync.{key} = {lua(result[key])}: a string, so to lsyncd it is true")
        result[key] = result[key] is not False
    return result


def _option(result: Options, key: str, value: Any, *, archive: bool) -> list[str]:
    """Return the options that an entry of the rsync table is, or have its setting in `result`."""
    if key == "rsh" or _needless(key, value, archive=archive) or _is_set(result, key, value):
        return []
    if key == "_extra":
        given = words(value)
    elif isinstance(value, bool):
        name = key.replace("_", "-")
        given = [f"--{name}"] if value else [f"--no-{name}"]
    else:
        given = [f"--{key.replace('_', '-')}={word}" for word in words(value)]
    if not given and value != {}:
        result.notes.append(f"rsync.{key} = {lua(value)}: left out")
    return _accepted(given, result.notes)


def _is_set(result: Options, key: str, value: Any) -> bool:
    """Return whether an entry of the rsync table is a setting here, or nothing but a note."""
    if key in _OWN:
        setting, most = _OWN[key]
        if isinstance(count := number(value, 0, most), int):
            result.own[setting] = count
            return True
        if key == "bwlimit" and re.fullmatch(r"[\d.]+[kmgtKMGT]?i?[bB]?", str(value)):
            return False
        result.notes.append(f"rsync.{key} = {lua(value)}: is no number; left out")
    elif key == "dry_run":
        result.notes.append("rsync.dry_run: start inosync with -p instead")
    elif key != "binary":
        return False
    elif not str(value).startswith("/"):
        result.notes.append(f"rsync.binary = {lua(value)}: is no absolute path; left out")
    elif value != "/usr/bin/rsync":
        result.settings["rsync"] = str(value)
    return True


def _needless(key: str, value: Any, *, archive: bool) -> bool:
    """Return whether an option says only what is so anyway."""
    if value is False:  # to lsyncd: not given, which says something only of what would be
        return key not in _ALWAYS and not (archive and key in _ARCHIVE)
    return key in _NO_NEED


def _shell(result: Options, ssh: Mapping[Any, Any], rsh: str, extra: list[str]) -> list[str]:
    """Return the remote shell that a sync asks for, if it says more than a port.

    The last one counts, for lsyncd and for rsync. One that is named has to name the port as well;
    else that belongs into the destination.
    """
    result.notes += [
        f"ssh.{key}: left out"
        for key in sorted(map(str, ssh.keys() - {"binary", "identityFile", "options", "port"}))
        if key != "_extra"
    ]
    more: list[str] = []
    if "identityFile" in ssh:
        more += ["-i", str(ssh["identityFile"])]
    given = table(ssh.get("options"))
    more += [f"-o{key}={given[key]}" for key in sorted(map(str, given)) if key in given]
    more += words(ssh.get("options")) + words(ssh.get("_extra"))
    port = number(ssh.get("port", 22), 1, 65535)
    if not isinstance(port, int):
        result.notes.append(f"ssh.port = {lua(ssh['port'])}: is no port; left out")
        port = 22
    shell = rsh or str(ssh.get("binary", "ssh"))
    if not more and shell in _PLAIN_SHELLS and (port == 22 or not chooses_shell(extra)):
        result.port = port if port != 22 else 0
        return []
    if "port" in ssh:
        more += ["-p", str(port)]
    result.notes.append(_SHARED)
    return [f"--rsh={' '.join([shell, *map(shlex.quote, more)])}"]


def _accepted(given: list[str], notes: list[str]) -> list[str]:
    """Return the options among words that inosync takes; note the others."""
    accepted: list[str] = []
    while given:
        for count in (1, 2):  # an option's value may be a word of its own
            try:
                parse_extra(given[:count])
            except ValueError as error:
                problem = error
            else:
                accepted += given[:count]
                given = given[count:]
                break
        else:
            notes.append(f"{given[0]}: {problem}")
            given = given[1:]
    return list(spoken(accepted))
