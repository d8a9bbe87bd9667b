"""Links that an rsync daemon alters."""

from __future__ import annotations

import pytest

from inosync.rsync.destination import parse_destination
from inosync.rsync.links import findings, in_transfer, listing

DAEMON = parse_destination("u@h::m/x")
DATE = b"2026/11/28 07:57:34"


def line(size: int, text: bytes, mode: bytes = b"lrwxrwxrwx") -> bytes:
    return b"%b %14d %b %b\n" % (mode, size, DATE, text)


def test_a_daemon_is_asked_by_name() -> None:
    asked = listing("/r", DAEMON, ("-aH",), [b"a b", b"#c"])
    assert asked is not None
    assert asked.names == b"./a b\0./#c\0"
    assert asked.argv[0] == "/r"
    assert asked.argv[-4:] == ("-aH", "--", "u@h::m/x/", ".")
    assert {"--list-only", "--files-from=-", "--from0"} < set(asked.argv)
    there = listing("/r", DAEMON, (), [b"a"], reach=["--contimeout=10"])
    assert there is not None
    assert "--contimeout=10" in there.argv


@pytest.mark.parametrize(
    ("there", "extra", "links"),
    [
        ("h:/m", (), [b"a"]),
        ("/m", (), [b"a"]),
        ("h::m", (), []),
        ("h::m", ("-aL",), [b"a"]),
        ("h::m", ("--no-links",), [b"a"]),
    ],
)
def test_where_there_is_nothing_to_ask(there: str, extra: tuple[str, ...], links: list) -> None:
    assert listing("/r", parse_destination(there), extra, links) is None


LINKS = {b"in": b"f", b"abs": b"/etc/x", b"up": b"../../u", b"a -> b": b"c -> d", b"n\nl": b"f"}


def test_links_that_are_as_they_were_are_none() -> None:
    lines = [line(len(target), name + b" -> " + target) for name, target in LINKS.items()]
    lines += [line(4, b"in", b"-rw-r--r--"), b"motd\n", line(3, b"other -> /x"), line(3, b"odd")]
    assert findings(lines, LINKS, DAEMON) == []
    # Drift is for the comparison to tell.
    assert findings([line(1, b"in -> g")], LINKS, DAEMON) == []


def test_disarmed_links_are_longer_than_what_they_lead_to() -> None:
    lines = [line(15 + 6, b"a -> b -> c -> d"), line(15 + 1, b"n\\#012l -> f")]
    (said,) = findings(lines, LINKS, DAEMON)
    assert said == (
        "2 links are disarmed there, such as a -> b (/rsyncd-munged/c -> d); "
        "set 'munge symlinks = no' and 'use chroot = yes' in rsyncd.conf on h"
    )


def test_stripped_links_lead_elsewhere() -> None:
    (said,) = findings([line(5, b"abs -> etc/x")], LINKS, DAEMON)
    assert said == (
        "1 link is made to lead elsewhere there, such as abs (etc/x for /etc/x); "
        "set 'use chroot = yes' in rsyncd.conf on h"
    )
    assert "such as up (../u for ../../u)" in findings([line(4, b"up -> ../u")], LINKS, DAEMON)[0]


def test_names_in_the_transfer() -> None:
    assert in_transfer("", {b"a": b"x"}) == {b"a": b"x"}
    assert in_transfer("www/site", {b"a": b"x"}) == {b"www/site/a": b"x"}
