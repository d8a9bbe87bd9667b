"""Asking the daemons on relays: how, and what becomes of what they say."""

from __future__ import annotations

import json
import sys

import pytest
from support.configs import make_config, make_pair, make_source
from support.scene import scene_snapshot

from inosync.commands.relays import argv, asked, once_round, picture
from inosync.config.model import Config
from inosync.errors import Exit

SSH = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=3"


@pytest.mark.parametrize(
    ("node", "own", "environment", "words"),
    [
        ("h:/m", {"rrelay": "inosync"}, {}, [*SSH.split(), "h", "inosync --status"]),
        (
            "ssh://u@h:2222/m",
            {"rrelay": "inosync -c '/etc/o t.py'"},
            {},
            [*SSH.split(), "-p", "2222", "u@h", "inosync -c '/etc/o t.py' --status"],
        ),
        (
            "h:/m",
            {"rrelay": "inosync", "extra": ("-a", "-e", "ssh -p 3 -i '/a b'")},
            {"RSYNC_RSH": "rsh"},
            ["ssh", "-p", "3", "-i", "/a b", "h", "inosync --status"],
        ),
        ("h:/m", {"rrelay": "x"}, {"RSYNC_RSH": "rsh -4"}, ["rsh", "-4", "h", "x --status"]),
        ("h::m", {"rrelay": ("ssh", "h", "x y")}, {}, ["ssh", "h", "x y", "--status"]),
    ],
)
def test_how_a_relay_is_asked(node: str, own: dict, environment: dict, words: list[str]) -> None:
    assert argv(make_pair(None, node, **own), ["--status"], environment) == words


def answering(*programs: str) -> Config:
    """Return a config whose relays are these programs of Python."""
    relays = [(sys.executable, "-I", "-S", "-c", text) for text in programs]
    sources = (make_source(), make_source("/srv/other"))
    pairs = [
        make_pair(source, f"/{number}", rrelay=words)
        for source in sources
        for number, words in enumerate(relays)
    ]
    return make_config([*pairs, make_pair(None, "plain:/m")])


def say(end: int, *, out: str = "", error: str = "") -> str:
    text = f"print({out!r}); print({error!r}, file=sys.stderr); sys.exit({end})"
    return f"import sys; {text}"


def test_what_they_answer_is_told_relay_by_relay() -> None:
    told = scene_snapshot()
    behind = {"node": "x:/", "status": None, "problem": "does not answer"}
    config = answering(
        say(0, out=json.dumps(told)),
        say(5, out=json.dumps(told)),
        say(6, out=json.dumps({**told, "relays": [behind]})),
    )
    answers = asked(config, ["--status", "--json"], levels=8)
    assert [answer.name for answer in answers] == ["/0", "/1", "/2"]  # once each, for all sources
    assert [answer.end for answer in answers] == [Exit.OK, Exit.NOT_IN_SYNC, Exit.UNANSWERED]
    assert [answer.problem for answer in answers] == ["", "", ""]
    lines = list(picture(answers[2].told()))
    assert lines[1].startswith("relay /2: ")
    assert lines[2].startswith("    ")
    assert lines[-1] == "relay /2 > x:/ does not answer"
    (answer,) = asked(config, ["--status"], levels=8, node="/1")
    assert answer.name == "/1"
    assert asked(config, ["--status"], levels=8, node="plain:/m") == []


@pytest.mark.parametrize(
    ("end", "out", "error", "problem"),
    [
        (
            255,
            "",
            "Connection refused\n",
            "does not answer (exit 255: Connection refused); asked by",
        ),
        (4, "", "a\ninosync: nobody runs\n", "does not answer (exit 4: nobody runs); asked by"),
        (127, "", "", "does not answer (exit 127: it said nothing); asked by: "),
        (0, "no JSON", "", "does not answer as a daemon of this version"),
        (0, "[1]", "", "does not answer as a daemon of this version"),
        (5, '{"synced": true}', "", "does not answer as a daemon of this version"),
        (5, '{"relays": [{}]}', "", "does not answer as a daemon of this version"),
        (5, '{"relays": 5}', "", "does not answer as a daemon of this version"),
    ],
)
def test_what_is_no_answer(end: int, out: str, error: str, problem: str) -> None:
    (answer,) = asked(answering(say(end, out=out, error=error)), ["--status"], levels=2)
    assert (answer.end, answer.status) == (Exit.UNANSWERED, None)
    assert answer.problem.startswith(problem)


def test_who_waits_is_told_what_lags_and_how_many_levels_are_left() -> None:
    words = "import sys; print(sys.argv[1:], file=sys.stderr); sys.exit(5)"
    lag = "inosync: not in sync after 1 s: x\ninosync: relay y does not answer"
    config = answering(words, say(6, error=lag), say(0, error="a banner"))
    answers = asked(config, ["--wait=1.000"], levels=3, seconds=1.0)
    assert [answer.end for answer in answers] == [Exit.NOT_IN_SYNC, Exit.UNANSWERED, Exit.OK]
    assert answers[0].lines == ("['--wait=1.000', '--all=2']",)
    assert answers[1].lines == ("not in sync after 1 s: x", "relay y does not answer")
    assert answers[2].lines == ()
    (last,) = asked(answering(words), ["--wait=1.000"], levels=1)
    assert last.lines == ("['--wait=1.000']",)


def test_one_that_hangs_is_not_waited_for() -> None:
    (answer,) = asked(
        answering("import time; time.sleep(60)"), ["--wait=0"], levels=1, seconds=-14.8
    )
    assert answer.problem.startswith("does not answer within 0 s; asked by: ")


def test_a_ring_is_told_once_round() -> None:
    own, behind = scene_snapshot(), scene_snapshot()
    behind["daemon"] = {**behind["daemon"], "pid": 7}
    # The clock on the wall was set a little meanwhile.
    start = own["daemon"]["started_at"] + 0.2
    again = {**own, "daemon": {**own["daemon"], "started_at": start}}
    more = {"node": "b:/", "status": {**behind, "relays": []}, "problem": ""}
    ring = {"node": "a:/", "status": {**again, "relays": [more]}, "problem": ""}
    told = once_round(
        {"node": "b:/", "status": {**behind, "relays": [ring]}, "problem": ""}, (own,)
    )
    assert told["status"]["daemon"]["pid"] == 7
    (last,) = told["status"]["relays"]
    assert (last["node"], last["status"]) == ("a:/", None)
    assert [*picture(told)][-1].startswith("relay b:/ > a:/ is in a ring: it feeds what feeds it")


@pytest.mark.parametrize("daemon", [{"pid": 8}, {"started_at": 5.0}, {"started_at": "x"}])
def test_what_is_only_alike_is_no_ring(daemon: dict) -> None:
    own, other = scene_snapshot(), scene_snapshot()
    alike = {"node": "b:/", "status": {**other, "daemon": {**other["daemon"], **daemon}}}
    assert once_round(alike, (own,)) == alike
    no_mirror = {"node": "b:/", "status": {**other, "mirrors": other["mirrors"][1:]}}
    assert once_round(no_mirror, (own,)) == no_mirror
    silent = {"node": "b:/", "status": None, "problem": "does not answer"}
    assert once_round(silent, (own,)) == silent
