"""Which names of a script are settings, and how problems with them are told."""

from __future__ import annotations

import dataclasses

import pytest
from support.scripts import Script

from inosync.config.reader import Reading
from inosync.config.settings import SETTINGS


def test_the_default_rsync_has_to_be_there() -> None:
    rows = [
        dataclasses.replace(row, default="/nowhere/rsync") if row.name == "rsync" else row
        for row in SETTINGS
    ]
    assert Reading("/c.py", {}, "/", settings=rows).problems == [
        "/c.py: rsync = '/nowhere/rsync': does not exist; install rsync or write its absolute path"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import socket",
        "from socket import socket",
        "rbigsize = None",
        "_rbigsize = 1",
        # loop variables, helpers and functions
        "rnode = 'x'\nrnodes += [rnode + ':/y']",
        "nodes = node = path = paths = hosts = ['x']\nprint(nodes, node, path, paths, hosts)",
        "for rnode in 'xy': pass",
        "rpath = '/www'",
        "base, site, domain, name, i, n, x = range(7)",
        "def exclude(): pass",
        "class rexclude: pass",
        "exclude = len",
        "rexcludes = []\nexclude = ['x']\nrexcludes += exclude",
        "excludes = []\nrexclude = ['x']\nexcludes += rexclude",
        "edelay = delay = 5\nemaxdelay = delay",
        "RNODES = 1\nrnodes *= RNODES",
        "zzyzx = ['x']\nvars()",
        "rexclude = None",
        "globals()['x' * 100_000] = 1",
        "globals()['\\n'] = 1",
    ],
)
def test_names_that_are_the_users_own(script: Script, text: str) -> None:
    script.load(text)


@pytest.mark.parametrize(
    ("text", "name", "meant"),
    [
        ("exclude = []", "exclude", "excludes"),
        ("rexclude = []", "rexclude", "rexcludes"),
        ("delay = 5", "delay", "edelay"),
        ("edely = 5", "edely", "edelay"),
        ("edelay = 5\nemaxdely = 5", "emaxdely", "emaxdelay"),
        ("EDELAY = 5", "EDELAY", "edelay"),
        ("log_file = '/x'", "log_file", "logfile"),
        ("extras = ''", "extras", "extra"),
        ("rscop = 'x'", "rscop", "rscope"),
        ("timeout = 5", "timeout", "rtimeout"),
        ("mask = 5", "mask", "emask or umask"),
        # beside the setting itself, if nothing reads it
        ("rexcludes = ['x']\nrexclude = ['y']", "rexclude", "rexcludes"),
        ("rnodez = ['b:/x']", "rnodez", "rnodes"),
        ("edelay = delay = 5", "delay", "edelay"),
        ("RNODES = ['b:/x']", "RNODES", "rnodes"),
    ],
)
def test_names_that_look_like_a_setting(script: Script, text: str, name: str, meant: str) -> None:
    assert script.problem(text) == (
        f"{name}: unknown setting, did you mean {meant}? "
        f"(a variable of your own may be called _{name})"
    )


def test_a_name_that_is_like_no_setting_and_that_nothing_reads(script: Script) -> None:
    assert script.problem("zzyzx = 5") == (
        "zzyzx: unknown setting, which nothing reads; remove it "
        "(a variable of your own may be called _zzyzx)"
    )
    assert script.problem("rlink = 5").startswith("rlink: unknown setting")  # of another version
    assert script.problem("base = 5").startswith("base: unknown setting")


def test_a_misspelt_name_of_what_is_needed(script: Script) -> None:
    assert script.problems(base="wpat = www\nrnode = ['a:/x']\n") == [
        "wpat: unknown setting, did you mean wpath? (a variable of your own may be called _wpat)",
        "rnode: unknown setting, did you mean rnodes? "
        "(a variable of your own may be called _rnode)",
        'wpath: is missing; write wpath = "/var/www/"',
        'rnodes: is missing; write rnodes = ["host:/path"]',
    ]
    assert script.problems(base="wpath = www\nnodes = ['a:/x']\n")[0].startswith("nodes: unknown")


def test_a_misspelt_rpath_matters_when_a_node_needs_it(script: Script) -> None:
    base = "wpath = www\nrpaht = '/x'\n"
    read = "print(rpaht)\n"
    assert script.load(f"{read}rnodes = ['a:/x']", base=base).pairs
    problem = script.problem(f"{read}rnodes = ['a:']", base=base)
    assert problem.startswith("rpaht: unknown setting, did you mean rpath?")


def test_all_problems_are_told_at_once(script: Script) -> None:
    problems = script.problems(
        "rexcludes = '*.bak'\nedelay = 'x'\nextra = '-n'\nrverify = 'x'\nlog_file = 1\ninit = 2",
        base="wpaths = [www, '/nowhere', 5]\n"
        "rnodes = ['http://x', '/x', {'node': 'a:/x', 'b': 1}]\n",
    )
    assert sorted(problem.split(" ")[0] for problem in problems) == [
        "edelay",
        "extra",
        "init",
        "log_file:",
        "rexcludes",
        "rnodes[0]",
        "rnodes[2]['b']",
        "rverify",
        "wpaths[1]",
        "wpaths[2]",
    ]


def test_passwords_are_not_shown(script: Script) -> None:
    nodes = [
        "rsync://user:secret@a/mod",
        "user:secret@a:/x",
        "rsync://user:secret" + "x" * 100 + "@a/mod",
        {"node": "rsync://user:secret@a/mod", "rspeed": "x"},
    ]
    for text in ("", "rpath = '/x'", "rpaths = ['/x']", "rnodes = [rnodes]", "emask = rnodes"):
        for problem in script.problems(text, base=f"wpath = www\nrnodes = {nodes}\n"):
            assert "secret" not in problem
