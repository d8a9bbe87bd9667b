"""Where each source of a config goes on each of its nodes."""

from __future__ import annotations

import pytest
from support.scripts import Script

from inosync.config.model import Config
from inosync.rsync.destination import Transport

ONE = "wpath = www\n"
TWO = "wpaths = [www, etc]\n"


def texts(config: Config) -> list[str]:
    return [pair.destination.text for pair in config.pairs]


@pytest.mark.parametrize(
    ("base", "text", "destinations"),
    [
        # 0.2.2: rpath is a variable of the script
        (ONE, "rpath = '/w/'\nrnodes = ['a:' + rpath, 'b:' + rpath]", ["a:/w/", "b:/w/"]),
        (ONE, "rpath = ['/w']\nrnodes = ['a:' + rpath[0]]", ["a:/w"]),
        (ONE, "rpath = '/w'\nrnodes = ['a:/w', 'b:/else']", ["a:/w", "b:/else"]),
        # 0.2.3 and setop: it is appended
        (ONE, "rpath = '/w'\nrnodes = ['u@a:', 'ssh://b:22']", ["u@a:/w", "b:/w"]),
        (ONE, "rpath = '/mirror'\nrnodes = ['']", ["/mirror"]),
        (ONE, "rpath = 'mod/x'\nrnodes = ['rsync://b/', 'c::']", ["rsync://b/mod/x", "c::mod/x"]),
        (ONE, "rpaths = ['/w']\nrnodes = ['a:']", ["a:/w"]),
        (ONE, "rpath = '/x'\nrpaths = ['/w']\nrnodes = ['a:']", ["a:/w"]),
        (TWO, "rpaths = ['/w', '/e']\nrnodes = ['a:', '']", ["a:/w", "a:/e", "/w", "/e"]),
        (TWO, "rpaths = ['/w', 'e']\nrnodes = ['a::m']", ["a::m/w", "a::m/e"]),
        (TWO, "rpaths = ('w', 'e')\nrnodes = ['rsync://a/m']", ["rsync://a/m/w", "rsync://a/m/e"]),
        (TWO, "rpaths = ['~/w', '/e']\nrnodes = ['a:']", ["a:w", "a:/e"]),
        # a module that is complete, beside rpath
        (ONE, "rpath = '/w'\nrnodes = ['a::m/', 'rsync://a/n/']", ["a::m/", "rsync://a/n/"]),
        (ONE, "rnodes = ['a::m']", ["a::m"]),
        # the sources themselves, side by side on one node
        ("wpaths = [www[:-1], etc[:-1]]\n", "rnodes = ['a:/x']", ["a:/x", "a:/x"]),
        ("wpaths = [www[:-1], etc[:-1]]\n", "rpath = '/x'\nrnodes = ['a:']", ["a:/x", "a:/x"]),
        # one node with settings of its own
        (ONE, "rpath = '/w'\nrnodes = [{'node': 'a:', 'rspeed': 5}]", ["a:/w"]),
        (ONE, "rnodes = ('a:w', {'node': 'b:w'})", ["a:w", "b:w"]),
    ],
)
def test_where_mirrors_go(script: Script, base: str, text: str, destinations: list[str]) -> None:
    assert texts(script.load(text, base=base)) == destinations


def test_sources_and_nodes_in_order(script: Script) -> None:
    config = script.load("rpaths = ['/w', '/e']\nrnodes = ['a:', 'b:']", base=TWO)
    assert [source.path for source in config.sources] == [str(script.www), str(script.etc)]
    assert texts(config) == ["a:/w", "a:/e", "b:/w", "b:/e"]
    assert {pair.destination.transport for pair in config.pairs} == {Transport.SSH}


def test_the_whole_home_directory_as_a_mirror(script: Script) -> None:
    (warning,) = script.load(base=ONE + "rnodes = ['u@a:']\n").warnings
    assert warning.startswith(f"{script.path}: rnodes[0] = 'u@a:': makes the whole home directory")
    assert warning.endswith("write 'u@a:./'")
    assert script.load(base=ONE + "rnodes = ['u@a:./']\n").warnings == ()
    assert script.load(base="wpath = www[:-1]\nrnodes = ['u@a:']\n").warnings == ()


def test_an_rpath_that_nobody_needs(script: Script) -> None:
    (warning,) = script.load("rpath = '/else'").warnings
    assert warning.endswith("rpath = '/else': is not used: every node names its own path")
    assert script.load("rpath = '/www'").warnings == ()


def test_a_node_that_need_not_prove_anything(script: Script) -> None:
    node = "{'node': 'rsyncs://a/m/', 'rtls': {'verify': False}}"
    (warning,) = script.load(base=f"{ONE}rnodes = [{node}]\n").warnings
    assert "is not verified" in warning
    assert script.load(base=ONE + "rnodes = ['rsyncs://a/m/']\n").warnings == ()
