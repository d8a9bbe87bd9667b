"""Where a mirror goes: rsync's destination syntax, ssh:// and rsyncs:// URLs, taken apart.

Pure. Knows how rsync(1) tells a local path, a remote shell and an rsync daemon apart
(``check_for_hostspec`` in its main.c); looks at no file system and knows no settings.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv6Address

from inosync.text import printable

_FORMS = (
    "write /local/directory, host:/path, user@host:/path, host::module/path, "
    "rsync://host/module/path, rsyncs://host/module/path or ssh://user@host:port/path"
)

#: URLs of a module of an rsync daemon; the second one is behind TLS.
_MODULE_URL = re.compile(r"rsync(s?)://", re.IGNORECASE)

#: What no host or user name holds. ssh puts %h and %r into commands of its own (ProxyCommand).
_BAD_NAME = re.compile(r"[\s\x00-\x1f\x7f-\x9f/:@\[\]'\"`$;&|<>(){}*?!#,]")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

#: What the rsync at the other end may expand in a path that it is given (``read_args`` in io.c): it
#: would mirror into whatever matches.
_EXPANDED = re.compile(r"[*?\[]")

#: [user@]host: as rsync finds it: the first colon before any slash ends the host, and the last @
#: before it ends the user. Brackets hold an IPv6 address.
_HOST_PATH = re.compile(
    r"(?:(?P<user>[^/:]*)@)?(?:\[(?P<six>[^]/]*)\]|(?P<host>[^/:@\[\]]*)):(?P<rest>.*)", re.DOTALL
)

#: user:secret@ behind a scheme (but not host:873/...), and before a host: path.
_URL_PASSWORD = re.compile(r"(://(?!\[)[^/:@]*:)(?!\d+(?:/|$)).*@", re.DOTALL)
_SCP_PASSWORD = re.compile(r"^([^/:@]*:)[^/]*@(?=[^/]*:)")


class Transport(enum.Enum):
    """How rsync reaches a destination."""

    LOCAL = "local"
    SSH = "ssh"  # a remote shell
    DAEMON = "daemon"  # an rsync daemon


@dataclass(frozen=True)
class Destination:
    """One rsync destination.

    ``text`` is what rsync is given. ``host`` is ``""`` for a local one and an IPv6 address has no
    brackets; ``user`` is ``""`` and ``port`` 0 when not given. ``path`` is the local path, the
    remote path (``""``: the home directory) or ``module/path``. ``tls`` says that the rsync daemon
    is behind TLS: rsync is told the same URL without it, and how to get there.
    """

    text: str
    transport: Transport
    host: str
    user: str
    port: int
    path: str
    tls: bool = False

    @cached_property  # each message about a mirror has it
    def shown(self) -> str:
        """The destination for messages: one line, no password, with an ssh port, or with TLS."""
        if self.transport is Transport.SSH and self.port:
            path = self.path if self.path.startswith("/") else f"/~/{self.path}"
            return printable(f"ssh://{_authority(self.user, self.host)}:{self.port}{path}")
        # The path is what it is, even if it looks like a password.
        text = mask(self.text.removesuffix(self.path)) + self.path
        return printable(_MODULE_URL.sub("rsyncs://", text) if self.tls else text)

    @property
    def login(self) -> str:
        """Whom ssh is told to reach: the host, or ``user@host``."""
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def folder(self) -> str:
        """``text``, so that rsync takes it for a directory also where there is nothing yet.

        Without a slash rsync would make of it a copy of the only thing that it has to send.
        """
        return self.text if not self.path or self.path.endswith("/") else f"{self.text}/"

    def below(self, path: str) -> Destination:
        """Return the destination `path` below this one; this one for ``""``."""
        if not path:
            return self
        more = path if not self.path or self.path.endswith("/") else f"/{path}"
        return replace(self, text=self.text + more, path=self.path + more)


def mask(text: str) -> str:
    """Return `text` with a password that stands in a destination replaced by ``***``."""
    return _SCP_PASSWORD.sub(r"\1***@", _URL_PASSWORD.sub(r"\1***@", text))


def parse_destination(text: str) -> Destination:
    """Return the destination that `text` names.

    Accepts a local directory (a relative one stays relative), ``[user@]host:path`` (``host:`` is
    the home directory there), ``[user@]host::module[/path]``,
    ``rsync://[user@]host[:port]/module[/path]``, the same with ``rsyncs`` for one behind TLS, and
    ``ssh://[user@]host[:port][/path]`` (``/~/path`` lies in the home directory); a host may be an
    IPv6 address in brackets. ``~/`` behind ``host:`` is taken off: rsync does not expand it when it
    protects its arguments, and a relative path means the same.

    Raise ValueError, with what is wrong and what is right, for anything else.
    """
    if not text:
        raise ValueError(f"is empty; {_FORMS}")
    if "\0" in text:
        raise ValueError("holds a NUL character, which no path can")
    if text.startswith("-"):
        raise ValueError(f"looks like an option; {_FORMS}")
    if text.lower().startswith("ssh://"):
        return _parse_ssh_url(text)
    if found := _MODULE_URL.match(text):
        return _parse_module_url(text, text[found.end() :], tls=bool(found[1]))
    if _SCHEME.match(text):
        raise ValueError(f"is a URL that rsync does not know; {_FORMS}")
    if ":" in text.partition("/")[0]:
        return _parse_remote(text)
    if text.startswith("~"):
        raise ValueError('starts with "~", which is not expanded; write the absolute path')
    return Destination(text, Transport.LOCAL, "", "", 0, text)


def is_prefix(text: str) -> bool:
    """Return whether a node is only the beginning of a destination, to be completed by an rpath.

    That is ``""`` (local), ``host:`` and ``host::`` with nothing behind, and a URL that names a
    host and nothing behind it. ``ssh://host/`` names the root directory and is complete.
    """
    lowered = text.lower()
    if lowered.startswith("ssh://"):
        return "/" not in text[len("ssh://") :]
    if url := _MODULE_URL.match(text):
        return not text[url.end() :].partition("/")[2].strip("/")
    found = _HOST_PATH.fullmatch(text)
    return not text or (found is not None and found["rest"] in ("", ":"))


def is_bare_module(text: str) -> bool:
    """Return whether a node is ``host::module`` or ``rsync://host/module`` and ends there."""
    if url := _MODULE_URL.match(text):
        return bool(re.fullmatch(r"[^/]*/+[^/]+", text[url.end() :]))
    return bool(re.fullmatch(r"[^/]*::[^/:]+", text))


def join(node_text: str, rpath: str) -> str:
    """Return the destination of `rpath` on the node `node_text`, joined as inosync 0.2.3 did.

    ``"user@host:"`` and ``""`` are simply followed by the path. Below a host or a module of an
    rsync daemon (``host::mod``, ``rsync://host/mod``) exactly one slash separates the two, none
    where the module's name is still to come. Behind ``ssh://host`` a relative path means the home
    directory.
    """
    lowered = node_text.lower()
    if lowered.startswith("ssh://"):
        return node_text + (rpath if rpath.startswith("/") else f"/~/{rpath}")
    if node_text.endswith("::"):
        return node_text + rpath.lstrip("/")
    if _MODULE_URL.match(node_text) or "::" in node_text.partition("/")[0]:
        return node_text.rstrip("/") + "/" + rpath.lstrip("/")
    return node_text + rpath


def _parse_ssh_url(text: str) -> Destination:
    authority, slash, path = text[len("ssh://") :].partition("/")
    user, host, port = _split_authority(authority)
    # One slash: "host://path" would look like a URL again.
    path = _home(path) if path.startswith("~") else slash + path.lstrip("/")
    _check_expanded(path)
    rsync_text = f"{_authority(user, host)}:{path}"
    return Destination(rsync_text, Transport.SSH, host, user, port, path)


def _parse_module_url(text: str, rest: str, *, tls: bool) -> Destination:
    authority, _, path = rest.partition("/")
    user, host, port = _split_authority(authority)
    _check_module(path)
    _check_expanded(path)
    text = f"rsync://{rest}" if tls else text
    return Destination(text, Transport.DAEMON, host, user, port, path, tls)


def _parse_remote(text: str) -> Destination:
    head = text.partition("/")[0].rpartition("@")[2]
    if _is_ipv6(head.rpartition("::")[0]) or (head.endswith(":") and _is_ipv6(head[:-1])):
        raise ValueError("holds an IPv6 address without brackets; write [address]:/path")
    if _SCP_PASSWORD.match(text):
        raise ValueError("seems to hold a password, which rsync does not take from here; remove it")
    found = _HOST_PATH.fullmatch(text)
    if found is None:
        raise ValueError(f"does not name a host; {_FORMS}")
    user = _check_user(found["user"])
    host = _check_host(found["host"], found["six"])
    rest = found["rest"]
    _check_expanded(rest)
    if rest.startswith(":"):
        _check_module(rest[1:])
        return Destination(text, Transport.DAEMON, host, user, 0, rest[1:])
    if rest.startswith("~"):
        rest = _home(rest)
        text = f"{_authority(user, host)}:{rest}"
    return Destination(text, Transport.SSH, host, user, 0, rest)


def _split_authority(authority: str) -> tuple[str, str, int]:
    """Return user, host and port of the part of a URL between ``://`` and the next slash."""
    user, at, rest = authority.rpartition("@")
    if ":" in user:
        raise ValueError(
            "holds a password, which rsync does not take from a URL; remove it and use "
            'ssh keys, or extra = "--password-file=/path" for an rsync daemon'
        )
    found = re.fullmatch(r"(?:\[([^]]*)\]|([^:\[\]]*))(?::([^:]*))?", rest)
    if found is None:
        raise ValueError("does not name a host; write an IPv6 address in brackets: [::1]")
    user = _check_user(user if at else None)
    return user, _check_host(found[2], found[1]), _check_port(found[3])


def _check_port(port: str | None) -> int:
    if port is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ValueError("has no valid port behind the host; write one from 1 to 65535")
    return int(port)


def _check_user(user: str | None) -> str:
    if user is None:
        return ""
    _check_name(user.replace("@", ""), "user")
    return user


def _check_host(host: str | None, address: str | None) -> str:
    if address is not None:
        if not _is_ipv6(address):
            raise ValueError(f"has no IPv6 address in its brackets ({address!r:.40})")
        return address
    return _check_name(host or "", "host")


def _check_name(name: str, kind: str) -> str:
    if not name:
        raise ValueError(f"has no {kind} before the {'@' if kind == 'user' else 'path'}; {_FORMS}")
    if name.startswith("-"):
        raise ValueError(f"has a {kind} that starts with a dash, which ssh takes for an option")
    if bad := _BAD_NAME.search(name):
        raise ValueError(f"has a {kind} that holds {bad[0]!r}, which no {kind} name does")
    return name


def _check_module(path: str) -> None:
    if not path.partition("/")[0]:
        raise ValueError(
            "does not name a module of the rsync daemon; write host::module/path "
            "or rsync://host/module/path"
        )


def _check_expanded(path: str) -> None:
    if found := _EXPANDED.search(path):
        raise ValueError(
            f"holds {found[0]!r}, which rsync may expand there and mirror into what matches; "
            "write a path without * ? ["
        )


def _home(path: str) -> str:
    """Return the relative path that ``~`` or ``~/path`` means on a node."""
    tilde, _, rest = path.partition("/")
    if tilde != "~":
        raise ValueError(f"starts with {tilde!r:.40}, which is not expanded; write the whole path")
    rest = rest.lstrip("/")
    return f"./{rest}" if rest.startswith((":", "~")) else rest


def _authority(user: str, host: str) -> str:
    return (f"{user}@" if user else "") + (f"[{host}]" if ":" in host else host)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return "/" not in text
