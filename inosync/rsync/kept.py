"""Where a node keeps what runs overwrite and delete (``rkeep``): folders by day and by run.

Pure. Below the mirror's top there is ``.inosync-kept/DAY/TIME/``, and in it what one run has put
away, under its path in the transfer. DAY and TIME are in UTC, so that their order is that of time.
No two runs share a folder: the second would put its old versions in the place of the first one's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from inosync.rsync.destination import Destination, Transport

#: The folder in each mirror. Of a source that has one, for it is a mirror itself, it is hidden.
KEPT = ".inosync-kept"
#: The rule for both ends that leaves it alone, whatever it is: a link would lead out of the mirror.
RULE = f"--filter=-sr {KEPT}"

#: What a node says that may only be written to: rrsync -wo, and a module of an rsync daemon.
_WRITE_ONLY = ("reading from write-only server is not allowed", "module is write only")
#: What it says where nothing has been kept yet.
_NOTHING = "No such file or directory"

#: How many days that are over one pruning names: the daemon may have been away. It names days, and
#: not what is to stay, so that a clock that is wrong by years empties no mirror's folder.
PRUNED = 400

_DAY = 86_400
_PLACE = re.compile(rf"--backup-dir=(?:.*/)?{re.escape(KEPT)}/(\d{{4}}-\d\d-\d\d)/.*", re.DOTALL)
_FOLDER = re.compile(r"(\d{4})-(\d\d)-(\d\d)/(\d\d)(\d\d)(\d\d)\.(\d{6})Z")


def nothing_yet(said: Iterable[str]) -> bool:
    """Return whether lines of rsync say that there is no folder."""
    return any(_NOTHING in line and KEPT in line for line in said)


def write_only(said: Iterable[str]) -> bool:
    """Return whether lines of rsync say that the node may only be written to."""
    return any(words in line for words in _WRITE_ONLY for line in said)


def folder(wall: float) -> str:
    """Return the folder, below ``KEPT``, of the run that begins at this Unix time."""
    day, micros = divmod(round(wall * 1_000_000), _DAY * 1_000_000)
    seconds, micros = divmod(micros, 1_000_000)
    clock = f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}.{micros:06}Z"
    return f"{_date(day)}/{clock}"


def moment(name: str) -> float | None:
    """Return the Unix time that a folder is called after; None when it is called otherwise."""
    found = _FOLDER.fullmatch(name)
    if found is None:
        return None
    year, month, day, hours, minutes, seconds, micros = map(int, found.groups())
    days = _days(year, month, day)
    if not (1 <= month <= 12 and _date(days) == name[:10]):
        return None
    return days * _DAY + hours * 3600 + minutes * 60 + seconds + micros / 1_000_000


def day_of(argv: Iterable[str]) -> str:
    """Return the day for which the run with this argv keeps what it overwrites; "" for none."""
    found = (_PLACE.fullmatch(word) for word in argv)
    return next((match[1] for match in found if match), "")


def days_over(wall: float, keep: float) -> Iterator[str]:
    """Give the days all of whose runs were more than `keep` days ago, the latest first."""
    last = int((wall - keep * _DAY) // _DAY) - 1
    for day in range(last, last - PRUNED, -1):
        yield _date(day)


def patterns(days: Iterable[str]) -> list[str]:
    """Return patterns of rsync's that match these days alone; a whole month is one of them."""
    months: dict[str, dict[str, str]] = {}
    for day in sorted(days):
        tens = months.setdefault(day[:7], {})
        tens[day[8]] = tens.get(day[8], "") + day[9]
    found = []
    for month, tens in months.items():
        first = _days(int(month[:4]), int(month[5:]), 1)
        whole = sum(_date(first + number)[:7] == month for number in range(31))
        if sum(map(len, tens.values())) == whole:
            found.append(f"{month}-[0-3][0-9]")
        else:
            found += [f"{month}-{ten}[{ones}]" for ten, ones in tens.items()]
    return found


def backup_place(
    destination: Destination, *, restricted: bool, up: int = 0, below: str = ""
) -> str:
    """Return how a run names a folder `below` the mirror's top on the node.

    It counts from where the run goes, which is `up` directories below the mirror's top.
    """
    path = destination.path
    if destination.transport is Transport.SSH and (restricted or path.startswith("/")):
        # rrsync takes a path for one from the top of its directory, wherever the run goes, and
        # none with "..".
        return f"/{path.strip('/')}/{below}" if path.strip("/") else f"/{below}"
    if destination.transport is Transport.DAEMON and up:
        # It takes no "..": a path with a slash counts from the top of the module.
        inner = path.partition("/")[2].strip("/")
        return "/" + "/".join(part for part in (inner, below) if part)
    return f"{'../' * up}{below}"


def _date(day: int) -> str:
    """Return a day of the Gregorian calendar, counted from 1970-01-01."""
    # Years that begin in March, in eras of 400: a leap day is the last of its year.
    era, of_era = divmod(day + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    part = (5 * of_year + 2) // 153
    month = part + 3 if part < 10 else part - 9
    number = of_year - (153 * part + 2) // 5 + 1
    return f"{year + 400 * era + (month <= 2):04}-{month:02}-{number:02}"


def _days(year: int, month: int, number: int) -> int:
    """Return how many days a date is after 1970-01-01."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + number - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
