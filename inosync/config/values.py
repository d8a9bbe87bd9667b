"""What one value of a config may be. Each function here reads one sort of value.

Given whatever a script holds, return what the program uses, or raise ValueError with what is wrong
and what is accepted. Knows no setting. The only looks at the system are at the rsync program, at
directories that files are to be written to, and at the users and groups.
"""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import re
import shlex
from collections.abc import Callable, Collection
from typing import Any

from inosync.config.faults import Fault, Faults, shown

#: Longer times are mistakes: a wait of a year is already "never" to the person who set it.
YEAR = 366 * 86400


def text(value: object) -> str:
    """Return `value` if it is a string that the system can take, not empty."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if not value:
        raise ValueError("is empty")
    if "\0" in value:
        raise ValueError("holds a NUL character, which no path or name can")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise ValueError("holds a character that no file name can have") from None
    return value


def directory(value: object) -> str:
    """Return `value` if it may be a path; who lists several is told where these belong."""
    if isinstance(value, (list, tuple)):
        raise ValueError("must be a string; write wpaths = for several")
    return text(value)


def members(value: Any, example: str, *kinds: type[Any]) -> tuple[Any, ...]:
    """Return the items, as they are, of a list or tuple (or of one of `kinds`)."""
    items: Collection[Any] = value
    if isinstance(value, str):
        raise ValueError(f"must be a list, not a string; write [{shown(value)}]")
    if not isinstance(value, (list, tuple, *kinds)):
        raise ValueError(f"must be a list; write {example}")
    return tuple(items)


def each(
    value: object, parse: Callable[[Any], Any], example: str, *kinds: type[Any]
) -> tuple[Any, ...]:
    """Return the parsed items of a list or tuple (or of one of `kinds`), all faults together."""
    items: list[Any] = []
    faults: list[Fault] = []
    for index, item in enumerate(members(value, example, *kinds)):
        try:
            items.append(parse(item))
        except ValueError as error:
            faults.append((f"[{index}]", item, str(error)))
    if faults:
        raise Faults(faults)
    return tuple(items)


def whole(low: int, high: int, unit: str, example: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number{unit}, such as {example}")
        if not low <= value <= high:
            raise ValueError(f"must be a whole number{unit} from {low} to {high}")
        return value

    return parse


def speed(value: object) -> int:
    """Return KB/s. A negative number says "unlimited", as it did in 0.2."""
    if isinstance(value, int) and value < 0:
        return 0
    return whole(0, 2**31 - 1, " of KB/s (0: unlimited)", 1000)(value)


def seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of seconds, such as 10 or 0.5")
    if not 0 <= value <= YEAR:  # neither inf nor nan is
        raise ValueError("must be a number of seconds from 0 to one year (31622400)")
    return float(value)


def days(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of days, such as 30 or 0.5")
    if not 0 <= value <= 3660:
        raise ValueError("must be a number of days from 0 to ten years (3660)")
    return float(value)


def or_auto(number: Callable[[object], float]) -> Callable[[object], float | str]:
    """Return the reader of a setting that is such a `number`, or found by the program itself."""

    def parse(value: object) -> float | str:
        if value == "auto":
            return "auto"
        try:
            return number(value)
        except ValueError as error:
            raise ValueError(f'{error}, or "auto"') from None

    return parse


def retry(value: object) -> tuple[float, float]:
    wanted = "must be the first wait and the longest, in seconds, such as (1, 300)"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(wanted)
    first, ceiling = each(value, seconds, wanted)
    if not 0 < first <= ceiling:
        raise ValueError(f"{wanted}; the first is above 0 and not above the longest")
    return first, ceiling


def one_of(*words: str) -> Callable[[object], str]:
    """Return the reader of a setting that is one of some words."""

    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(f"must be {' or '.join(map(repr, words))}")
        return str(value)

    return parse


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be True or False")
    return value


def relay(value: object) -> str | tuple[str, ...]:
    """A parser for ``rrelay``: what is run on the node, or, as a tuple, here; ``""``: no relay."""
    if isinstance(value, bool):
        return "inosync" if value else ""
    wanted = 'must be True, a command such as "inosync -c /etc/other.py", or a list of words'
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"{wanted}: {error}") from None
    else:
        words = list(value) if isinstance(value, list | tuple) else []
    if not words or not all(isinstance(word, str) and word and "\0" not in word for word in words):
        raise ValueError(wanted)
    return value if isinstance(value, str) else tuple(words)


def beginning(value: object) -> bool | str:
    """A parser for ``init``."""
    if value != "changed" and not isinstance(value, bool):
        raise ValueError('must be True, "changed" or False')
    return value if isinstance(value, bool) else "changed"


def optional(parse: Callable[[object], str]) -> Callable[[object], str]:
    """Return a reader that takes ``""`` for "not set" and leaves the rest to `parse`."""
    return lambda value: "" if isinstance(value, str) and not value else parse(value)


def absolute_path(value: object) -> str:
    path = text(value)
    if not os.path.isabs(path):
        raise ValueError("must be an absolute path, beginning with /")
    return path


def active(value: object) -> str:
    """Return the path of a file, or an address as the kernel has it."""
    given = text(value)
    if given.startswith("/"):
        if given.endswith("/") or os.path.isdir(given):
            raise ValueError("is a directory; write the path of a file")
        return os.path.normpath(given)
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        raise ValueError(
            "must be the absolute path of a file, or an address without the length of its prefix, "
            'such as "192.0.2.10"'
        ) from None
    if address.is_unspecified or address.is_multicast or "%" in given:
        raise ValueError("is no address that a host can hold")
    return str(address)


def path_inside(value: object) -> str:
    """Return a path below a source."""
    path = text(value)
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError('must be a path inside the source, such as ".mounted"')
    return path


def file_to_write(value: object) -> str:
    path = absolute_path(value)
    directory = os.path.dirname(path)
    if path.endswith("/") or os.path.isdir(path):
        raise ValueError("is a directory; write the path of a file")
    if not os.path.isdir(directory):
        raise ValueError(f"lies in {shown(directory)}, which is no directory; create it")
    return path


def file_to_replace(value: object) -> str:
    """Return a path where new files replace old ones: nothing but a file may stand there."""
    path = file_to_write(value)
    if os.path.lexists(path) and not os.path.isfile(path):
        raise ValueError("is no ordinary file, and would be replaced by one; write another path")
    return path


def program(value: object) -> str:
    path = absolute_path(value)
    if not os.path.exists(path):
        raise ValueError("does not exist; install rsync or write its absolute path")
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise ValueError("is no program that can be run; write the absolute path of rsync")
    return path


def _argument(value: object) -> str:
    return value if isinstance(value, str) and not value else text(value)


def _hook(value: object) -> str:
    path = absolute_path(value)
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise ValueError("is no program that can be run; write the absolute path of one")
    return path


def arguments(value: object) -> tuple[str, ...]:
    """Return a command: a program and its arguments. No shell splits or reads it."""
    example = '["/usr/local/bin/program", "argument"]'
    items = list(members(value, example))
    faults: list[Fault] = []
    for index, item in enumerate(items):
        try:
            items[index] = _argument(item) if index else _hook(item)
        except ValueError as error:
            faults.append((f"[{index}]", item, str(error)))
    if faults:
        raise Faults(faults)
    return tuple(items)


_ROOT_ONLY = "can only be set by root; remove it or start inosync as root"


def user(value: object) -> str:
    """Return the name of a user. Root may name any, and anybody else themselves.

    A daemon that has become this user reads its config again, and must accept it.
    """
    name = text(value)
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        raise ValueError("is no user of this system; create it") from None
    if os.geteuid() not in (0, account.pw_uid):
        raise ValueError(_ROOT_ONLY)
    return name


def group(value: object) -> str:
    name = text(value)
    try:
        entry = grp.getgrnam(name)
    except KeyError:
        raise ValueError("is no group of this system; create it") from None
    if os.geteuid() != 0 and entry.gr_gid not in (os.getegid(), *os.getgroups()):
        raise ValueError(_ROOT_ONLY)
    return name


def umask(value: object) -> int:
    """Return a umask. A string is octal, as wherever people write a umask."""
    wanted = 'must be an octal number from 0 to 0o777, such as 0o022 or "022"'
    if isinstance(value, str):
        if not re.fullmatch("(0o)?[0-7]{1,4}", value):
            raise ValueError(wanted)
        value = int(value, 8)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 0o777:
        raise ValueError(wanted)
    return value
