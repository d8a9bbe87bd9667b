"""The file in which a daemon remembers its mirrors: where it is, how it is read and written.

Owns no content: bytes come in and go out. What cannot be read or written is told, never raised.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from inosync.system.replace import replace

_BOOT = "/proc/sys/kernel/random/boot_id"


def state_directory() -> Path:
    """Return the directory for what outlives the daemon; it need not be there.

    systemd's STATE_DIRECTORY, else /var/lib/inosync for root, and for others
    $XDG_STATE_HOME/inosync or ~/.local/state/inosync.
    """
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    if os.getuid() == 0:
        return Path("/var/lib/inosync")
    home = os.environ.get("XDG_STATE_HOME", "")
    return Path(home if home.startswith("/") else os.path.expanduser("~/.local/state"), "inosync")


def sum_of(text: str) -> str:
    """Return a short word that is another one for another text."""
    data = text.encode("utf-8", "surrogateescape")
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}{len(data):x}"


def boot() -> str:
    """Return what tells this start of the machine from others; "" where nothing does."""
    with contextlib.suppress(OSError):
        return Path(_BOOT).read_bytes().decode().strip()
    return ""


@dataclass(frozen=True)
class StateFile:
    """One such file."""

    path: str

    def read(self) -> tuple[bytes, str]:
        """Return what is in it, nothing when there is none, and why it cannot be read, or ""."""
        try:
            return Path(self.path).read_bytes(), ""
        except FileNotFoundError:
            return b"", ""
        except OSError as error:
            return b"", error.strerror or str(error)

    def write(self, content: bytes) -> str:
        """Put this in its place, at once; return why that cannot be done, or ""."""
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            replace(self.path, content, 0o600)
        except OSError as error:
            return error.strerror or str(error)
        return ""


def state_file(identity: str) -> StateFile:
    """Return the file of the config that has this identity: its path, or what tells it apart."""
    name = os.path.basename(identity).removesuffix(".py") if "/" in identity else "inosync"
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    return StateFile(str(state_directory() / f"{safe.lstrip('.')}-{sum_of(identity)}.json"))
