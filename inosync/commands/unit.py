"""What systemd's unit of a config keeps it from: its view is not the one that ``--check`` has.

Decides only: says what to ask systemd, and reads its answer, systemctl(1) ``show``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inosync.commands.probe import PROBLEM, Finding
from inosync.config.model import Config
from inosync.rsync.destination import Transport
from inosync.text import printable

#: What is asked.
_PROPERTIES = (
    "LoadState",
    "UnitFileState",
    "ActiveState",
    "User",
    "ExecStart",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "ReadWritePaths",
    "RuntimeDirectory",
    "LogsDirectory",
)

_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - nothing is made there
_HOMES = ("/home", "/root", "/run/user")

#: What ProtectSystem= makes read-only, systemd.exec(5).
_SYSTEM = {
    "yes": ("/usr", "/boot", "/efi"),
    "full": ("/usr", "/boot", "/efi", "/etc"),
    "strict": ("/",),
}


def name(file: str) -> str:
    """Return the unit that examples/ has for this config file, "" for none."""
    if file == "/etc/inosync.py":
        return "inosync.service"
    found = re.fullmatch(r"/etc/inosync/([\w.-]+)\.py", file)
    return f"inosync@{found[1]}.service" if found else ""


def question(unit: str) -> list[str]:
    """Return the command that asks systemd about a unit."""
    return ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", unit]


def findings(unit: str, answer: str, config: Config) -> Iterator[Finding]:
    """Yield what the unit keeps this config from, where it is one that runs, or is to."""
    shown = _shown(answer, config)
    if not shown:
        return
    sandbox = _sandbox(shown)
    cure = f"(systemctl edit {unit})"
    written = dict.fromkeys(_written(config))
    for path in dict.fromkeys([*(source.path for source in config.sources), *written]):
        if sandbox.hides(path):
            text = f"{printable(path)}: {unit} has a /tmp of its own: PrivateTmp=no {cure}"
            yield Finding(PROBLEM, text)
        elif path in written and not sandbox.writable(path):
            text = f"{printable(path)}: {unit} may not write there: ReadWritePaths={path} {cure}"
            yield Finding(PROBLEM, text)


def user(answer: str, config: Config) -> str:
    """Return the user as whom such a unit runs this config, "" for root."""
    return _shown(answer, config).get("User", "")


def _shown(answer: str, config: Config) -> dict[str, str]:
    """Return what systemd shows of the unit, if it runs this config, or is to."""
    shown = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    used = shown.get("UnitFileState") == "enabled" or shown.get("ActiveState") != "inactive"
    ours = f" {config.file} " in shown.get("ExecStart", "")
    return shown if shown.get("LoadState") == "loaded" and used and ours else {}


def _written(config: Config) -> Iterator[str]:
    """Yield what is written to on this machine."""
    for pair in config.pairs:
        if pair.destination.transport is Transport.LOCAL:
            yield os.path.normpath(pair.destination.path)
    files = (config.logfile, config.pidfile, config.socket, config.metricsfile, config.htmlfile)
    yield from (os.path.dirname(file) for file in files if file)


@dataclass(frozen=True)
class _Sandbox:
    """What a unit may write to: not what is `closed`, but what is `open`; ``private``: its /tmp."""

    closed: tuple[str, ...]
    open: tuple[str, ...]
    private: bool

    def hides(self, path: str) -> bool:
        """Return whether the unit sees something else at this path."""
        return self.private and _below(path, _TEMPORARY)

    def writable(self, path: str) -> bool:
        """Return whether the unit may write there. The longer rule counts."""
        allowed = max((len(each) for each in self.open if _below(path, (each,))), default=-1)
        refused = max((len(each) for each in self.closed if _below(path, (each,))), default=-1)
        return allowed >= refused


def _sandbox(shown: Mapping[str, str]) -> _Sandbox:
    homes = () if shown.get("ProtectHome", "no") == "no" else _HOMES
    paths = [path.lstrip("-+") for path in shown.get("ReadWritePaths", "").split()]
    paths += [f"/run/{each}" for each in shown.get("RuntimeDirectory", "").split()]
    paths += [f"/var/log/{each}" for each in shown.get("LogsDirectory", "").split()]
    return _Sandbox(
        closed=(*_SYSTEM.get(shown.get("ProtectSystem", "no"), ()), *homes),
        open=tuple(paths),
        private=shown.get("PrivateTmp") == "yes",
    )


def _below(path: str, directories: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(f"{each.rstrip('/')}/") for each in directories)
