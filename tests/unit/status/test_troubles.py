"""What ails is told once, with whom it befalls, and the worst first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.scene import AT, crowd_snapshot, mirror, scene_snapshot

from inosync.status.model import FailureStatus, MirrorStatus, Snapshot
from inosync.status.table import tone
from inosync.status.troubles import fails, listed, short_names, title, troubles


def only(*mirrors: MirrorStatus) -> Snapshot:
    now = scene_snapshot()
    now["sources"] = now["sources"][:1]
    now["mirrors"] = list(mirrors)
    return now


def failing(node: str, *lines: str, **more: Any) -> MirrorStatus:
    made = mirror("/srv/www", node, 0)
    failure = FailureStatus(at=AT - 9, exit=255, meaning="", lines=list(lines))
    made |= {"state": "backoff", "reason": "ssh refused", "lag": 5.0, "last_failure": failure}
    made |= more  # type: ignore[typeddict-item]
    return made


def told(now: Snapshot) -> list[tuple[str, str]]:
    return [(each.state, each.who) for each in troubles(now)]


def test_what_ails_in_the_last_source_is_told_before_all_that_is_well() -> None:
    now = crowd_snapshot()
    dead, ailing = troubles(now)
    assert (dead.state, dead.who) == ("backoff", "mod4, mod11 (all 3 sources)")
    assert len(dead.mirrors) == 6
    assert dead.lag == 14400.0
    assert dead.next_try_at == AT + 188
    assert dead.waiting == "4,743 changes"
    assert dead.lines == ("cannot reach the node, or ssh refused (failures: 312)",)
    assert dead.failure is now["mirrors"][3]["last_failure"]
    assert (ailing.state, ailing.who) == ("ailing", "mod7.example.org:/srv/ (/srv/media)")
    assert ailing.lines[0].startswith("films/intro.mov cannot be read; let the user")
    assert (ailing.lag, ailing.waiting, ailing.found_at) == (None, "", None)


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("host mod1 port 22: refused", "host mod2 port 22: refused", True),
        ("to mod1 (10.0.0.1): refused (111)", "to mod2 (10.0.0.22): refused (111)", True),
        ("to mod1 (fd00::a1): refused", "to mod2 (fd00:0:12::b): refused", True),
        ('write failed on "/a/b": full', 'write failed on "/c": full', True),
        ("host mod1 port 22: refused", "host mod2 port 22: no route", False),
        ("a mod12 b", "a mod2 b", False),  # not its own name
    ],
)
def test_the_same_is_told_once(one: str, other: str, together: bool) -> None:
    now = only(failing("mod1:/m", one), failing("root@mod2:/m", other))
    both = [("backoff", "mod1, mod2")]
    each = [("backoff", "mod1:/m"), ("backoff", "root@mod2:/m")]
    assert told(now) == (both if together else each)


def test_what_else_keeps_two_apart() -> None:
    line = "no"
    other = failing("b:/m", line)
    assert other["last_failure"]
    other["last_failure"]["exit"] = 10
    apart = [other, failing("b:/m", line, reason="full"), failing("b:/m", line, last_failure=None)]
    for each in apart:
        assert len(troubles(only(failing("a:/m", line), each))) == 2
    # One that is tried at this moment belongs to those that wait for it.
    again = failing("b:/m", line, state="running", last_success_at=None)
    (both,) = troubles(only(again, failing("a:/m", line, next_try_at=None, full="start-up")))
    assert (both.state, both.who, both.next_try_at) == ("backoff", "b, a", None)
    assert both.last_success_at == AT - 23
    assert both.waiting == "a full pass"
    assert tone(both) == "bad"
    both = replace(both, state="running")
    assert tone(both) == "bad"
    assert tone(replace(both, failing=False)) == "busy"
    assert tone(replace(both, state="stopping")) == "wait"


def test_the_order_of_troubles() -> None:
    now = scene_snapshot()
    now["sources"][1] |= {"state": "held", "reason": "is gone", "unwatched": 2}
    now["sources"][1]["unwatched_examples"] = {"deep": "no watch left"}
    far = failing("a:/m", "x", lag=900.0, source="/srv/mail")
    drifted, noted = mirror("/srv/www", "c:/m", 0), mirror("/srv/www", "d:/m", 0)
    assert drifted["drift"]
    drifted["drift"] |= {"paths": 1, "examples": {"f": "content"}}
    noted["notes"] = ["d stays on the node"]
    now["mirrors"] = [
        failing("b:/m", "y"),
        far,
        noted,
        drifted,
        mirror("/srv/www", "e:/m", 0) | {"state": "stopping"},  # type: ignore[list-item]
    ]
    assert told(now) == [
        ("held", "source /srv/mail"),
        ("backoff", "a:/m (/srv/mail)"),
        ("backoff", "b:/m (/srv/www)"),
        ("stopping", "e:/m (/srv/www)"),
        ("unwatched", "source /srv/mail"),
        ("drift", "c:/m (/srv/www)"),
        ("note", "d:/m (/srv/www)"),
    ]
    lines = {each.state: each.lines for each in troubles(now)}
    assert lines["held"] == ("is gone",)
    assert lines["unwatched"] == ("2 directories cannot be watched", "deep: no watch left")
    assert lines["drift"] == ("1 path", "f: content")
    assert lines["note"] == ("d stays on the node",)
    assert lines["stopping"] == ()
    assert troubles(now)[5].found_at == AT - 3600
    # Those that have all but something keep their place among the others.
    assert [each["node"] for each in listed(now, now["sources"][0])] == ["d:/m", "c:/m"]


def test_who_is_named() -> None:
    now = scene_snapshot()
    assert told(now) == [("backoff", "tokyo.example.org:/srv/ (both sources)")]
    big = failing("a:/m", "x", lane="big")
    assert told(only(failing("a:/m", "x"), big)) == [("backoff", "a:/m, a:/m (big files)")]
    ((_, who),) = told(only(*(failing(f"n{each}:/m", "x") for each in range(63))))
    assert who.startswith("n0, n1, ")
    assert who.endswith(", n59 and 3 more")


def test_those_that_are_well_come_with_the_longest_behind_first() -> None:
    now = crowd_snapshot(1, 10)
    now["mirrors"][4]["lag"] = 7.0
    assert [
        title(each, short_names(now)).split(".")[0] for each in listed(now, now["sources"][0])
    ] == [
        *("mod5", "mod9", "mod1", "mod2", "mod3", "mod6", "mod7", "mod8", "mod10"),
    ]
    assert [fails(each) for each in now["mirrors"]].count(True) == 1


def test_short_names_say_which_node_is_meant() -> None:
    names = ["a:/m", "b:/m", "u@b:/n", "c::mod", "rsync://u@d:873/m", "[fd00::1]:/m", "/mnt/a"]
    names += ["web1.a.org:/m", "web2.a.org:/m", "web2.b.org:/m", "10.0.0.1:/m", "10.0.0.2:/m"]
    now = only(*(failing(name) for name in names))
    shown = ["a", "b:/m", "u@b:/n", "c", "d", "[fd00::1]", "/mnt/a"]
    shown += ["web1", "web2.a.org", "web2.b.org", "10.0.0.1", "10.0.0.2"]
    assert list(short_names(now).values()) == shown
    other = failing("a:/other")
    other["source"] = "/srv/other"
    now["mirrors"].append(other)
    assert list(short_names(now).values()) == [*shown, "a"]
    other["node"] = "web1.c.org:/m"
    assert short_names(now)["web1.a.org:/m"] == "web1.a.org"
    nameless = failing("", destination="x:/m")
    assert title(nameless, short_names(only(nameless))) == "x:/m"


def test_nodes_that_differ_by_source_are_told_once_by_their_host() -> None:
    now = crowd_snapshot()
    for each in now["mirrors"]:
        each["node"] += each["source"]
    assert troubles(now)[0].who == "mod4, mod11 (all 3 sources)"
