"""Configs for tests of pure rooms: no file is read and none needs to exist."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from inosync.changes.inotify_bits import DEFAULT_EMASK
from inosync.config.model import Config, Node, Pair, Source, SourceSettings
from inosync.rsync.destination import parse_destination
from inosync.rsync.tls import Tls


def make_source(path: str = "/srv/www", **settings: Any) -> Source:
    """Return a source whose contents are mirrored."""
    values: dict[str, Any] = {
        "path": path,
        "argument": f"{path}/",
        "prefix": "",
        "relative": False,
        "excludes": (),
    }
    return Source(**{**values, **settings})


def make_node(name: str = "a:/srv/www", **settings: Any) -> Node:
    """Return a node with the defaults."""
    values: dict[str, Any] = {
        "name": name,
        "rspeed": 0,
        "extra": (),
        "rtimeout": 300,
        "rretry": (1.0, 300.0),
        "rscope": "tree",
        "rwarm": None,
        "rlate": 120.0,
        "restricted": False,
        "rmaxchange": 0,
        "rkeep": 0.0,
        "rkeepmax": 0,
        "rdelete": "all",
        "rrelay": "",
        "rstreams": 1,
        "rtls": Tls(),
    }
    return Node(**{**values, **settings})


def make_pair(
    source: Source | None = None, destination: str = "a:/srv/www", **node_settings: Any
) -> Pair:
    """Return one mirror to be."""
    return Pair(
        source or make_source(),
        make_node(destination, **node_settings),
        parse_destination(destination),
    )


def make_settings(**settings: Any) -> SourceSettings:
    """Return the settings of a source, with the defaults."""
    values: dict[str, Any] = {
        "watch": "inotify",
        "edelay": 10.0,
        "emaxdelay": 10.0,
        "eopen": 60.0,
        "init": True,
        "rmaxdelete": 0,
        "wmarker": "",
        "rbigsize": 0,
        "rsettle": (),
    }
    return SourceSettings(**{**values, **settings})


def make_config(pairs: Sequence[Pair] = (), **settings: Any) -> Config:
    """Return a config of these mirrors, with the defaults; what is of one source is of each."""
    pairs = tuple(pairs) or (make_pair(),)
    names = {field.name for field in dataclasses.fields(SourceSettings)} & settings.keys()
    own = make_settings(**{name: settings.pop(name) for name in names})
    sources = tuple(dict.fromkeys(pair.source for pair in pairs))
    values: dict[str, Any] = {
        "file": "/etc/inosync.py",
        "sources": sources,
        "settings": (own,) * len(sources),
        "pairs": pairs,
        "emask": DEFAULT_EMASK,
        "wactive": "",
        "rrefresh": 0.0,
        "rfull": 0.0,
        "rverify": 0.0,
        "rpoll": 0.0,
        "allow_empty": False,
        "rbigdelay": 60.0,
        "rparallel": "auto",
        "rsync": "/usr/bin/rsync",
        "logfile": "",
        "user": "",
        "group": "",
        "umask": 0o022,
        "pidfile": "",
        "socket": "",
        "on_change": (),
        "on_success": (),
        "on_failure": (),
        "on_recover": (),
        "on_beat": (),
        "beat": 0,
        "hooktimeout": 60,
        "metricsfile": "",
        "htmlfile": "",
        "warnings": (),
    }
    return Config(**{**values, **settings})
