"""Lists and dicts of a config, read by themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from inosync.changes.inotify_bits import IN_CREATE, IN_DELETE
from inosync.config.faults import faults_of
from inosync.config.value_lists import (
    event_mask,
    excludes,
    paths,
    seconds_by_pattern,
    some,
    tls,
)
from inosync.rsync.tls import Tls


def test_what_they_become() -> None:
    assert event_mask(["IN_CREATE", "IN_DELETE"]) == IN_CREATE | IN_DELETE
    assert excludes(("*.o", "+ a", "!")) == ("*.o", "+ a", "!")
    assert seconds_by_pattern({"*.iso": 60, "a": 0.5}) == (("*.iso", 60.0), ("a", 0.5))
    assert tls({}) == Tls()
    assert tls({"ca": "/a", "name": "h-1.org"}) == Tls(ca="/a", name="h-1.org")
    assert tls({"cert": "/a", "key": "/b", "verify": False}) == Tls("", "", "/a", "/b", False)
    assert paths(["/a", "/b"]) == ("/a", "/b")
    assert some('["host:"]')([1, {"node": ""}]) == (1, {"node": ""})


@pytest.mark.parametrize(
    ("parse", "value", "where", "what"),
    [
        (event_mask, ["IN_DELETED"], "[0]", "is no event to wait for; did you mean IN_DELETE"),
        (excludes, ["a", 5], "[1]", "must be a string"),
        (excludes, ["- "], "[0]", "has no pattern after its prefix"),
        (excludes, ["b", "a\0"], "[1]", "has a NUL character"),
        (seconds_by_pattern, {"*.iso": -1}, "['*.iso']", "from 0 to one year"),
        (seconds_by_pattern, {"+ a": 1}, "['+ a']", "is for a rule, not a pattern of file names"),
        (seconds_by_pattern, {"a/": 1}, "['a/']", "is for a pattern that no file matches"),
        (seconds_by_pattern, ["*.iso"], "", "must be a dict of seconds by pattern"),
        (tls, "/ca.pem", "", "must be a dict, such as"),
        (tls, {"cafile": "/a"}, "['cafile']", "is not known of TLS; known are ca, name"),
        (tls, {"ca": "a.pem"}, "['ca']", "must be an absolute path"),
        (tls, {"name": "-x"}, "['name']", "is no name of a host"),
        (tls, {"key": "/a"}, "", 'has a "key" and no "cert"'),
        (tls, {"ca": "/a", "verify": False}, "", "says what is to be proved, and"),
        (some('["host:"]'), [], "", 'is empty; write ["host:"]'),
    ],
)
def test_what_is_wrong_is_said_of_its_place(parse: Any, value: Any, where: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        parse(value)
    ((found, _, said),) = faults_of(value, caught.value)
    assert (found, what in said) == (where, True)


def test_rules_of_rsync() -> None:
    entries = ("P /own", "H a", "-p *.o", "exclude,srp b", ": .rules", "- merge requests")
    assert excludes(list(entries)) == entries
    for entry in ("P_X", "-foo bar", ":CC"):
        with pytest.raises(ValueError, match="for the name write"):
            excludes([entry])
    for entry in ("H *.iso", "P *.iso", "-! *.iso"):
        with pytest.raises(ValueError, match="is for a rule, not a pattern"):
            seconds_by_pattern({entry: 1})
