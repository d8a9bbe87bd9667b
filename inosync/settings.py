"""The table of settings: what each is called, what it is when not given, and what it accepts.

Knows each setting by itself; what they mean together is not for here. To add a setting, add a row
to ``SETTINGS`` and a field of the same name to ``Config`` (``Node``, if it is one of each node).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inosync.extra import parse_extra
from inosync.value_lists import event_mask, excludes, paths, seconds_by_pattern, some
from inosync.values import (
    YEAR,
    arguments,
    file_to_replace,
    file_to_write,
    flag,
    group,
    one_of,
    optional,
    path_inside,
    program,
    retry,
    seconds,
    speed,
    text,
    umask,
    user,
    whole,
)


@dataclass(frozen=True)
class Setting:
    """One setting. ``default`` is written as a config would write it; None means "not set".

    ``parse`` turns a config's value into what the program uses, or raises ValueError with what is
    wrong and what is accepted. ``aliases`` are other names of the same setting. A ``per_node``
    setting may also stand in a node's dict. ``family`` names the setting that this one is another
    form of (``wpaths`` of ``wpath``).
    """

    name: str
    default: object
    parse: Callable[[Any], Any]
    aliases: tuple[str, ...] = ()
    per_node: bool = False
    family: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the proper one first."""
        return (self.name, *self.aliases)


SETTINGS = (
    Setting("wpath", None, text),
    Setting("wpaths", None, some('["/var/www/"]'), family="wpath"),
    # rpath is often a helper of the script, so only a node that needs it looks at it.
    Setting("rpath", None, lambda value: value),
    Setting("rpaths", None, paths, family="rpath"),
    Setting("rnodes", None, some('["host:/path"]')),
    Setting("rexcludes", [], excludes, aliases=("excludes", "inotify_excludes")),
    Setting("rspeed", 0, speed, per_node=True),
    Setting(
        "emask",
        [
            "IN_CLOSE_WRITE",
            "IN_CREATE",
            "IN_DELETE",
            "IN_MOVED_FROM",
            "IN_MOVED_TO",
            "IN_ATTRIB",
        ],
        event_mask,
    ),
    Setting("edelay", 10, seconds),
    Setting("emaxdelay", None, seconds),  # the same as edelay
    Setting("eopen", 60, seconds),
    Setting("init", True, flag),
    Setting("rfull", 86400, seconds),
    Setting("rverify", 0, seconds),
    Setting("rmaxdelete", 0, whole(0, 2**31 - 1, " of files (0: any)", 1000)),
    Setting("wmarker", "", optional(path_inside)),
    Setting("allow_empty", False, flag),
    Setting("rsync", "/usr/bin/rsync", program),
    Setting("extra", "", parse_extra, per_node=True),
    Setting("logfile", "", optional(file_to_write)),
    Setting("rtimeout", 300, whole(0, YEAR, " of seconds", 300), per_node=True),
    Setting("rretry", (1, 300), retry, per_node=True),
    Setting("rscope", "tree", one_of("tree", "changes"), per_node=True),
    Setting("rbigsize", 0, whole(0, 2**62, " of bytes (0: no lane for big files)", 2**27)),
    Setting("rbigdelay", 60, seconds),
    Setting("rsettle", {}, seconds_by_pattern),
    Setting("rparallel", 8, whole(1, 10_000, "", 8)),
    Setting("user", "", optional(user)),
    Setting("group", "", optional(group)),
    Setting("umask", 0o022, umask),
    Setting("pidfile", "", optional(file_to_write)),
    Setting("socket", "", optional(file_to_write)),
    Setting("on_change", [], arguments),
    Setting("on_success", [], arguments),
    Setting("on_failure", [], arguments),
    Setting("on_recover", [], arguments),
    Setting("hooktimeout", 60, whole(1, YEAR, " of seconds", 60)),
    Setting("metricsfile", "", optional(file_to_replace)),
    Setting("htmlfile", "", optional(file_to_replace)),
)
