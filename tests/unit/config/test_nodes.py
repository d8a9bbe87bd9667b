"""The nodes of a config, each as it is for each source."""

from __future__ import annotations

import dataclasses

import pytest
from support.scripts import Script


def test_a_node_that_names_changes(script: Script) -> None:
    config = script.load("rscope = 'changes'", base="wpath = www\nrnodes = ['a:/x', 'b:/x']\n")
    assert {pair.node.rscope for pair in config.pairs} == {"changes"}
    assert config.warnings == ()
    config = script.load(
        "rscope = 'changes'",
        base="wpath = www\nrnodes = ['a:/x', {'node': 'b:/x', 'rscope': 'tree'}]\n",
    )
    assert [pair.node.rscope for pair in config.pairs] == ["changes", "tree"]


def test_how_long_a_node_is_kept_warm(script: Script) -> None:
    nodes = "wpath = www\nrnodes = ['a:/x', {'node': 'b:/x', 'rwarm': 0}]\n"
    asked = ("", "rwarm = 60", "rwarm = None")
    found = [script.load(text, base=nodes).pairs for text in asked]
    assert [[pair.node.rwarm for pair in pairs] for pairs in found] == [
        [None, 0.0],
        [60.0, 0.0],
        [None, 0.0],
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [("extra = '-L'", "-L: what is behind a symbolic link"), ("extra = ['-x']", "-x: ")],
)
def test_what_only_works_in_passes_over_the_tree_is_told(
    script: Script, text: str, why: str
) -> None:
    config = script.load(f"rscope = 'changes'\n{text}")
    assert [pair.node.rscope for pair in config.pairs] == ["tree"]
    (warning,) = config.warnings
    assert f"rscope = 'changes': is \"tree\" for a:/www, because of {why}" in warning


ONE = "wpath = www\n"
TWO = "wpaths = [www, etc]\n"


@pytest.mark.parametrize(
    ("base", "text", "problem"),
    [
        (ONE, "", 'rnodes: is missing; write rnodes = ["host:/path"]'),
        (ONE, "rnodes = []", 'rnodes = []: is empty; write ["host:/path"]'),
        (ONE, "rnodes = 'a:/x'", "rnodes = 'a:/x': must be a list, not a string; write ['a:/x']"),
        (ONE, "rnodes = {'a:/x'}", 'must be a list; write ["host:/path"]'),
        (ONE, "rnodes = map(str, ['a:/x'])", 'must be a list; write ["host:/path"]'),
        (ONE, "rnodes = ['a:/x', 5]", "rnodes[1] = 5: must be a string"),
        (ONE, "rnodes = [['a:/x']]", "rnodes[0] = ['a:/x']: must be a string"),
        (ONE, "rnodes = ['a:/x', 'a:/x']", "rnodes[1] = 'a:/x': is listed twice; remove one"),
        (ONE, "rnodes = ['a:/x', {'node': 'a:/x'}]", "rnodes[1] = 'a:/x': is listed twice"),
        (ONE, "rnodes = ['']", "means a local path, and there is no rpath; write one"),
        (ONE, "rnodes = ['http://x']", "rnodes[0] = 'http://x': is a URL that rsync does not know"),
        (ONE, "rpath = 5\nrnodes = ['a:']", "rpath = 5: must be a string"),
        (ONE, "rpath = ''\nrnodes = ['a:']", "rpath = '': is empty"),
        (ONE, "rpath = '~bob/w'\nrnodes = ['a:']", "is with the remote path 'a:~bob/w', which st"),
        (ONE, "rpaths = '/w'\nrnodes = ['a:']", "rpaths = '/w': must be a list, not a string"),
        (ONE, "rpaths = ['/w', 5]\nrnodes = ['a:']", "rpaths[1] = 5: must be a string"),
        (ONE, "rpaths = []\nrnodes = ['a:']", "rpaths = []: has 0 paths for 1 watched"),
        (TWO, "rpaths = ['/w']\nrnodes = ['a:']", "rpaths = ['/w']: has 1 path for 2 watched"),
        (ONE, "rpaths = ['/w', '/x']\nrnodes = ['a:']", "has 2 paths for 1 watched; write one for"),
        (
            TWO,
            "rpaths = ['/w', '/e']\nrnodes = ['a:/x']",
            "names a path, and so does rpaths; write",
        ),
        (ONE, "rpaths = ['/w']\nrnodes = ['/mirror']", "names a path, and so does rpaths; write"),
        (ONE, "rpath = '/w'\nrnodes = ['a::m']", "write 'a::m/w' or 'a::m/'"),
        (ONE, "rpath = '/w'\nrnodes = ['rsync://a/m']", "write 'rsync://a/m/w' or 'rsync://a/m/'"),
        (ONE, "rnodes = ['a::']", "does not name a module"),
        (ONE, "rnodes = ['rsync://a/']", "does not name a module"),
        (TWO, "rnodes = ['a:/x']", "so that each would delete the other's files"),
        (TWO, "rpath = '/x'\nrnodes = ['a:']", "so that each would delete the other's files"),
        (ONE, "rnodes = ['a:/x', 'A:/x/']", "rnodes[1] = 'A:/x/': puts "),
        (ONE, "rnodes = [www]", "so that each run would start the next"),
        (ONE, "rnodes = ['a:/']", "would make the root directory there a mirror"),
        (
            ONE,
            "rnodes = [{'node': 'ssh://a:22/x', 'extra': '-e ssh'}]",
            "has a port, but extra names the remote shell itself",
        ),
        (
            ONE,
            "rnodes = [{'node': 'rsyncs://a/m/', 'extra': '--contimeout=5'}]",
            "goes through openssl, and extra has --contimeout",
        ),
        (
            ONE,
            "rnodes = [{'node': 'rsyncs://a/m/', 'rtls': {'ca': 'x'}}]",
            "rnodes[0]['rtls']['ca'] = 'x': must be an absolute path",
        ),
        (ONE, "rnodes = ['rsyncs://a/m/', 'rsyncs://A:874/m']", "rnodes[1] = 'rsyncs://A:874/m"),
        (ONE, "rnodes = [{}]", 'rnodes[0] = {}: has no "node"; write {"node": "host:/path", ...}'),
        (ONE, "rnodes = [{'node': None}]", 'has no "node"'),
        (ONE, "rnodes = [{'node': 5}]", "rnodes[0] = {'node': 5}: must be a string"),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rsped': 5}]",
            "rnodes[0]['rsped'] = 5: is no setting of",
        ),
        (ONE, "rnodes = [{'node': 'a:/x', 'rsped': 5}]", "did you mean rspeed?"),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'edelay': 5}]",
            "known are rmaxchange, rdelete, rkeep, rkeepmax, rspeed, extra, rtimeout, rretry",
        ),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rkeep': 5, 'extra': '-b'}]",
            "has -b in extra, and rkeep decides about old versions; remove one of them",
        ),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rdelete': 'some'}]",
            "rnodes[0]['rdelete'] = 'some': must be 'all' or 'seen' or 'start' or 'never'",
        ),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rdelete': 'never', 'extra': '--force'}]",
            'has --force in extra, and rdelete is "never"; remove one of them',
        ),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rdelete': 'seen', 'extra': '-L'}]",
            'cannot tell what others have put there (rdelete = "seen"), because of -L: what is be',
        ),
        (
            ONE,
            "rdelete = 'seen'\nrexcludes = ['dir-merge /.rules']\nrnodes = ['a:/x']",
            "(rdelete = \"seen\"): only rsync reads what 'dir-merge /.rules' hides; write these",
        ),
        (
            ONE,
            "rnodes = [{'node': 'a::x/', 'rrelay': True}]",
            "is a relay that is not reached over ssh; write the command that asks it as a list, ",
        ),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rrelay': '\"'}]",
            'such as "inosync -c /etc/other.py", or',
        ),
        (ONE, "rnodes = [{'node': 'a:/x', 'rrelay': []}]", "must be True, a command such as"),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rrelay': ['a', '']}]",
            "must be True, a command such as",
        ),
        (ONE, "rnodes = [{'node': 'a:/x', 'rrelay': 5}]", "must be True, a command such as"),
        (ONE, "rnodes = [{'node': 'a:/x', 5: 5}]", "rnodes[0][5] = 5: is no setting of a node"),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rverify': 5}]",
            "is no setting of a node",
        ),
        (ONE, "rnodes = [{'node': 'a:/x', 'extra': '-n'}]", "rnodes[0]['extra'] = '-n': holds -n"),
        (
            ONE,
            "rnodes = [{'node': 'a:/x', 'rretry': (1, 'x')}]",
            "rnodes[0]['rretry'][1] = 'x': must",
        ),
    ],
)
def test_nodes_that_are_refused(script: Script, base: str, text: str, problem: str) -> None:
    assert problem in script.problem(text, base=base)


def test_settings_of_one_node(script: Script) -> None:
    config = script.load(
        "rspeed = 7\nextra = '-a'\nrnodes = ['a:/x', {'node': 'b:/x', 'rspeed': 5, 'extra': '',"
        " 'rtimeout': 9, 'rretry': (2, 3)}, {'node': 'c:/x', 'rspeed': None}]",
        base=ONE,
    )
    a, b, c = config.nodes
    assert (a.rspeed, a.extra, a.rtimeout, a.rretry) == (7, ("-a",), 300, (1.0, 300.0))
    assert (b.rspeed, b.extra, b.rtimeout, b.rretry) == (5, (), 9, (2.0, 3.0))
    assert c == dataclasses.replace(a, name="c:/x")


def test_the_names_of_nodes(script: Script) -> None:
    config = script.load(
        "rpath = '/m\\x1b'\nrnodes = ['', 'u@a:', 'ssh://b:22', 'c:/\\n']", base=ONE
    )
    assert [node.name for node in config.nodes] == ["(local)", "u@a:", "ssh://b:22", "c:/\\n"]
    assert config.pairs[2].destination.port == 22


def test_links_that_are_written_through(script: Script) -> None:
    _, warning = script.load("extra = '-aH --inplace'").warnings
    assert "extra has --inplace and -H: " in warning
    (_,) = script.load("extra = '-a --inplace'").warnings


def test_half_written_files(script: Script) -> None:
    (warning,) = script.load("extra = '-aP'").warnings
    assert warning.endswith("extra has -P, so readers of the mirror can see half-written files")


def test_links_on_the_mirror_that_are_followed(script: Script) -> None:
    (warning,) = script.load("extra = '-aK'").warnings
    assert "extra has -K: where the mirror has a link" in warning
    assert warning.endswith("is written to and emptied, outside of the mirror even")


@pytest.mark.parametrize(
    ("node", "command"),
    [
        ("{'node': 'a:/x'}", ""),
        ("{'node': 'a:/x', 'rrelay': False}", ""),
        ("{'node': 'a:/x', 'rrelay': True}", "inosync"),
        ("{'node': 'a:/x', 'rrelay': 'inosync -c /etc/o.py'}", "inosync -c /etc/o.py"),
        ("{'node': 'a::x/', 'rrelay': ['ssh', 'a', 'inosync']}", ("ssh", "a", "inosync")),
    ],
)
def test_how_a_relay_is_asked(script: Script, node: str, command: object) -> None:
    (found,) = script.load(f"{ONE}rnodes = [{node}]").nodes
    assert found.rrelay == command
