"""Configs: what each setting accepts, what they mean together, and how problems are told."""

from __future__ import annotations

import ast
import dataclasses
import grp
import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inosync.changes import changes as events
from inosync.config.load import from_arguments, load
from inosync.config.model import Config, Node
from inosync.config.settings import SETTINGS
from inosync.config.values import YEAR, did_you_mean, group, shown, user
from inosync.errors import ConfigError
from inosync.rsync.destination import Transport

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
ROWS = {setting.name: setting for setting in SETTINGS}


class Script:
    """A config script with sources to watch; `www` and `etc` stand for them in its text."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "inosync.py"
        self.www, self.etc = directory / "www", directory / "etc"
        self.www.mkdir()
        self.etc.mkdir()

    def load(self, text: str = "", *, base: str = 'wpath = www\nrnodes = ["a:/www"]\n') -> Config:
        """Return the config of a script; `base` are the settings that each has to have."""
        self.path.write_text(f"www, etc = '{self.www}/', '{self.etc}/'\n{base}{text}\n")
        self.path.chmod(0o644)
        return load(str(self.path))

    def problems(self, text: str = "", **keywords: str) -> list[str]:
        """Return what is wrong with a script, without the file's name."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, **keywords)
        for problem in caught.value.problems:
            assert problem.startswith(f"{self.path}: ")
            assert problem.isprintable()
        return [problem.removeprefix(f"{self.path}: ") for problem in caught.value.problems]

    def problem(self, text: str = "", **keywords: str) -> str:
        """Return the one thing that is wrong with a script."""
        (problem,) = self.problems(text, **keywords)
        return problem


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(Path(os.path.realpath(tmp_path)))


def test_the_least_config(script: Script) -> None:
    config = script.load()
    assert config.file == str(script.path)
    (pair,) = config.pairs
    assert pair.source is config.sources[0]
    assert pair.node is config.nodes[0]
    assert (pair.source.path, pair.source.argument) == (str(script.www), f"{script.www}/")
    assert (pair.source.prefix, pair.source.relative, pair.source.excludes) == ("", False, ())
    assert pair.destination.text == "a:/www"
    assert (pair.node.name, pair.node.rspeed, pair.node.extra) == ("a:/www", 0, ())
    assert (pair.node.rtimeout, pair.node.rretry) == (300, (1.0, 300.0))
    assert config.emask == events.DEFAULT_EMASK
    assert (config.edelay, config.emaxdelay, config.init, config.rparallel) == (10, 10, True, 8)
    assert (config.rsync, config.logfile, config.pidfile) == ("/usr/bin/rsync", "", "")
    assert (config.user, config.group, config.umask) == ("", "", 0o022)
    assert config.warnings == ()


def test_a_config_does_not_change(script: Script) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        script.load().edelay = 5  # type: ignore[misc]


# The table of settings


def fields(kind: type[Config | Node]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_every_setting_has_a_field_and_every_field_a_setting() -> None:
    # These become the sources, the nodes and the pairs.
    consumed = {"wpath", "wpaths", "rpath", "rpaths", "rnodes", "rexcludes"}
    per_node = {row.name for row in SETTINGS if row.per_node}
    own = {"file", "sources", "nodes", "pairs", "warnings"}
    lonely = fields(Config) ^ (own | (set(ROWS) - consumed - per_node))
    assert lonely == set(), "a row needs a field of its name in Config, a field of Config a row"
    lonely = fields(Node) ^ ({"name"} | per_node)
    assert lonely == set(), "a per_node row needs a field of its name in Node, and a field a row"


def test_no_two_settings_share_a_name() -> None:
    names = [name for row in SETTINGS for name in row.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", [row for row in SETTINGS if row.default is not None])
def test_every_default_is_accepted(row: Any) -> None:
    row.parse(row.default)
    assert ast.literal_eval(repr(row.default)) == row.default


def get(name: str) -> Callable[[Config], Any]:
    def value(config: Config) -> Any:
        return getattr(config.nodes[0] if ROWS[name].per_node else config, name)

    return value


@pytest.mark.parametrize(
    ("setting", "written", "read"),
    [
        ("rspeed", "0", 0),
        ("rspeed", "500", 500),
        ("rspeed", "-1", 0),
        ("rspeed", "2**31 - 1", 2**31 - 1),
        ("emask", '["IN_DELETE"]', events.IN_DELETE),
        ("emask", '("IN_DELETE", "IN_DELETE")', events.IN_DELETE),
        ("emask", '{"IN_DELETE", "IN_MODIFY"}', events.IN_DELETE | events.IN_MODIFY),
        ("emask", "list(dict(IN_ATTRIB=1))", events.IN_ATTRIB),
        ("edelay", "0", 0.0),
        ("edelay", "0.25", 0.25),
        ("edelay", "31622400", float(YEAR)),
        ("emaxdelay", "10", 10.0),
        ("emaxdelay", "60.5", 60.5),
        ("init", "False", False),
        ("rsync", "'/bin/sh'", "/bin/sh"),
        ("extra", "'--rsh=ssh -a'", ("--rsh=ssh", "-a")),
        ("extra", "['-e', 'ssh -x']", ("-e", "ssh -x")),
        ("logfile", "'/var/rsync.log'", "/var/rsync.log"),
        ("logfile", "''", ""),
        ("logfile", "None", ""),
        ("rtimeout", "0", 0),
        ("rtimeout", "60", 60),
        ("rretry", "(0.5, 0.5)", (0.5, 0.5)),
        ("rretry", "[2, 600]", (2.0, 600.0)),
        ("rparallel", "1", 1),
        ("user", "''", ""),
        pytest.param("user", "'root'", "root", marks=ROOT_ONLY),
        pytest.param("group", "'root'", "root", marks=ROOT_ONLY),
        ("umask", "0", 0),
        ("umask", "0o777", 0o777),
        ("umask", "0o027", 0o027),
        ("umask", "'027'", 0o027),
        ("umask", "'0o27'", 0o027),
        ("umask", "'0'", 0),
        ("pidfile", "'/var/inosync.pid'", "/var/inosync.pid"),
        ("on_change", "['/bin/sh', '', '-c']", ("/bin/sh", "", "-c")),
        ("on_recover", "('/bin/sh',)", ("/bin/sh",)),
        ("on_failure", "[]", ()),
        ("hooktimeout", "1", 1),
        ("wmarker", "'sub/.mounted'", "sub/.mounted"),
        ("wmarker", "'..mounted'", "..mounted"),
        ("edelay", "None", 10.0),
    ],
)
def test_what_a_setting_accepts(script: Script, setting: str, written: str, read: object) -> None:
    value = get(setting)(script.load(f"{setting} = {written}"))
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("rspeed = '100'", "must be a whole number of KB/s (0: unlimited), such as 1000"),
        ("rspeed = 1.5", "must be a whole number of KB/s"),
        ("rspeed = True", "must be a whole number of KB/s"),
        ("rspeed = 2**31", "from 0 to 2147483647"),
        ("emask = 'IN_CREATE'", "must be a list, not a string; write ['IN_CREATE']"),
        ("emask = 256 | 512", "is a number; write the names of the events, such as ["),
        ("emask = {'IN_CREATE': '/bin/x'}", "a program per event, as inorun did"),
        ("emask = []", "is empty, so nothing would ever be mirrored"),
        ("emask = len", "must be a list; write ["),
        ("emask = (x for x in ['IN_CREATE'])", "must be a list; write ["),
        ("edelay = -1", "from 0 to one year"),
        ("edelay = 31622401", "from 0 to one year"),
        ("edelay = float('inf')", "from 0 to one year"),
        ("edelay = float('nan')", "from 0 to one year"),
        ("edelay = 10**400", "from 0 to one year"),
        ("edelay = 10**5000", "from 0 to one year"),
        ("rspeed = 10**5000", "from 0 to 2147483647"),
        ("edelay = True", "must be a number of seconds, such as 10 or 0.5"),
        ("edelay = '10'", "must be a number of seconds"),
        ("edelay = 1j", "must be a number of seconds"),
        ("emaxdelay = 9.9", "must not be below edelay, which is 10 seconds"),
        ("init = 1", "must be True or False"),
        ("init = 'no'", "must be True or False"),
        ("rsync = 'rsync'", "must be an absolute path"),
        ("rsync = '/nowhere/rsync'", "does not exist; install rsync or write its absolute path"),
        ("rsync = '/usr/bin'", "is no program that can be run"),
        ("rsync = '/etc/passwd'", "is no program that can be run"),
        ("rsync = '/usr/bin/rsync --x'", "does not exist"),
        ("rsync = ''", "is empty"),
        ("rsync = 5", "must be a string"),
        ("rsync = '/usr/bin/\\0'", "NUL"),
        ("rsync = '/usr/bin/\\ud800'", "holds a character that no file name can have"),
        ("extra = '-n'", "holds -n, which is refused"),
        ("extra = 5", "must be a string or a list of strings"),
        ("logfile = 'rsync.log'", "must be an absolute path"),
        ("logfile = '/nowhere/rsync.log'", "lies in '/nowhere', which is no directory; create it"),
        ("logfile = '/var'", "is a directory; write the path of a file"),
        ("logfile = '/var/x/'", "is a directory; write the path of a file"),
        ("logfile = False", "must be a string"),
        ("rtimeout = 0.5", "must be a whole number of seconds, such as 300"),
        ("rtimeout = -1", "must be a whole number of seconds from 0 to 31622400"),
        ("rretry = 5", "must be the first wait and the longest, in seconds, such as (1, 300)"),
        ("rretry = (1, 2, 3)", "must be the first wait and the longest"),
        ("rretry = (0, 300)", "the first is above 0 and not above the longest"),
        ("rretry = (301, 300)", "the first is above 0 and not above the longest"),
        ("rscope = 'file'", "must be 'tree' or 'changes'"),
        ("rscope = ['tree']", "must be 'tree' or 'changes'"),
        ("on_change = '/bin/sh'", "must be a list, not a string; write ['/bin/sh']"),
        ("hooktimeout = 0", "must be a whole number of seconds from 1 to"),
        ("rparallel = 0", "must be a whole number from 1 to 10000"),
        ("rparallel = 2.0", "must be a whole number, such as 8"),
        ("user = 'no-such-user'", "is no user of this system"),
        ("user = 0", "must be a string"),
        ("group = 'no-such-group'", "is no group of this system"),
        ("umask = '088'", 'must be an octal number from 0 to 0o777, such as 0o022 or "022"'),
        ("umask = '7777'", "must be an octal number"),
        ("umask = 0o1000", "must be an octal number"),
        ("umask = -1", "must be an octal number"),
        ("umask = True", "must be an octal number"),
        ("wmarker = '/mounted'", "must be a path inside the source"),
        ("wmarker = '../mounted'", "must be a path inside the source"),
        ("wmarker = 'a/../mounted'", "must be a path inside the source"),
        ("wmarker = 5", "must be a string"),
        ("pidfile = 'x.pid'", "must be an absolute path"),
        ("metricsfile = 'x.prom'", "must be an absolute path"),
        ("metricsfile = '/dev/null'", "is no ordinary file, and would be replaced by one"),
        ("htmlfile = '/nowhere/index.html'", "which is no directory; create it"),
        ("pidfile = '/nowhere/x.pid'", "which is no directory; create it"),
    ],
)
def test_what_a_setting_refuses(script: Script, written: str, complaint: str) -> None:
    problem = script.problem(written)
    assert problem.startswith(f"{written.partition(' ')[0]} = ")
    assert complaint in problem.partition(": ")[2]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("emask = ['IN_CLOSE']", "emask[0] = 'IN_CLOSE': is no event to wait for; did you mean "),
        ("emask = ['IN_CREATED']", "emask[0] = 'IN_CREATED': is no event to wait for; did you mea"),
        ("emask = ['', 'x']", "emask[0] = '': is empty"),
        ("emask = ['IN_DELETE', 5]", "emask[1] = 5: must be a string"),
        ("emask = ['IN_DELETE', 'IN_OPEN']", "emask[1] = 'IN_OPEN': tells of reading only, and "),
        ("emask = ['IN_ACCESS']", "emask[0] = 'IN_ACCESS': tells of reading only, and rsync's own"),
        ("emask = ['IN_CLOSE_NOWRITE']", "emask[0] = 'IN_CLOSE_NOWRITE': tells of reading only"),
        ("emask = ['ALL_EVENTS']", "emask[0] = 'ALL_EVENTS': is no event to wait for; known are "),
        ("on_change = ['sh']", "on_change[0] = 'sh': must be an absolute path"),
        ("on_change = ['/nowhere/x']", "on_change[0] = '/nowhere/x': is no program that can be "),
        ("on_success = ['/etc/passwd']", "on_success[0] = '/etc/passwd': is no program that can"),
        ("on_failure = ['/bin/sh', 5]", "on_failure[1] = 5: must be a string"),
        ("on_recover = ['/bin/sh', 'a\\0']", "on_recover[1] = 'a\\x00': holds a NUL character"),
        ("rretry = (1, 'x')", "rretry[1] = 'x': must be a number of seconds, such as 10 or 0.5"),
    ],
)
def test_the_wrong_part_of_a_value_is_named(script: Script, written: str, problem: str) -> None:
    assert script.problems(written)[0].startswith(problem)


@ROOT_ONLY
def test_users_and_groups_without_root() -> None:
    me = pwd.getpwnam("nobody")
    own_group = grp.getgrgid(me.pw_gid).gr_name
    before = os.getgroups()
    os.setgroups([])
    os.setegid(me.pw_gid)
    os.seteuid(me.pw_uid)
    try:
        assert user(me.pw_name) == me.pw_name
        with pytest.raises(ValueError, match="can only be set by root"):
            user("root")
        assert group(own_group) == own_group
        with pytest.raises(ValueError, match="can only be set by root"):
            group("root")
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def test_a_longest_delay_may_be_given_alone(script: Script) -> None:
    config = script.load("edelay = 2\nemaxdelay = 2")
    assert (config.edelay, config.emaxdelay) == (2, 2)
    assert script.load("edelay = 3").emaxdelay == 3


def test_the_default_rsync_has_to_be_there(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        dataclasses.replace(row, default="/nowhere/rsync") if row.name == "rsync" else row
        for row in SETTINGS
    ]
    monkeypatch.setattr("inosync.config.reader.SETTINGS", rows)
    assert script.problem() == (
        "rsync = '/nowhere/rsync': does not exist; install rsync or write its absolute path"
    )


# Names


@pytest.mark.parametrize(
    "text",
    [
        "import socket",
        "from socket import socket",
        "rbigsize = None",
        "_rbigsize = 1",
        # loop variables, helpers and functions
        "rnode = 'x'",
        "nodes = node = path = paths = hosts = ['x']",
        "rpath = '/www'",
        "base, site, domain, name, i, n, x = range(7)",
        "def exclude(): pass",
        "class rexclude: pass",
        "exclude = len",
        "rexcludes = []\nexclude = ['x']",
        "excludes = []\nrexclude = ['x']",
        "edelay = delay = 5",
        "RNODES = 1",
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
    ],
)
def test_names_that_look_like_a_setting(script: Script, text: str, name: str, meant: str) -> None:
    assert script.problem(text) == (
        f"{name}: unknown setting, did you mean {meant}? "
        f"(a variable of your own may be called _{name})"
    )


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
    assert script.load("rnodes = ['a:/x']", base=base).pairs
    problem = script.problem("rnodes = ['a:']", base=base)
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


# Lanes


def test_a_lane_for_big_files(script: Script) -> None:
    config = script.load(ONE + "rbigsize = 2 ** 30\nrbigdelay = 5\nrsettle = {'*.iso': 60, 'a': 1}")
    assert (config.rbigsize, config.rbigdelay) == (2**30, 5.0)
    assert config.rsettle == (("*.iso", 60.0), ("a", 1.0))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rbigsize = 1.5", "rbigsize = 1.5: must be a whole number of bytes (0: no lane"),
        ("rbigsize = 1\nrparallel = 1", "rparallel = 1: leaves no room beside a big file"),
        ("rbigsize = 1\nextra = '--max-size=5'", "has --max-size in extra, and rbigsize decides"),
        ("rbigdelay = -1", "rbigdelay = -1: must be a number of seconds"),
        ("rsettle = 5", "rsettle = 5: must be a dict of seconds by pattern"),
        ("rsettle = {'a': 'x'}", "rsettle['a'] = 'x': must be a number of seconds"),
        ("rsettle = {5: 1}", "rsettle[5] = 1: must be a string"),
        ("rsettle = {'!': 1}", "rsettle['!'] = 1: is for a rule, not a pattern"),
        ("rsettle = {'+ a': 1}", "rsettle['+ a'] = 1: is for a rule, not a pattern"),
        ("rsettle = {': .f': 1}", "rsettle[': .f'] = 1: is for a rule, not a pattern"),
        ("rsettle = {'d/': 1}", "rsettle['d/'] = 1: is for a pattern that no file matches"),
    ],
)
def test_lanes_that_are_refused(script: Script, text: str, problem: str) -> None:
    assert problem in script.problem(text)


# Values in messages


def test_a_node_that_names_changes(script: Script) -> None:
    config = script.load("rscope = 'changes'", base="wpath = www\nrnodes = ['a:/x', 'b:/x']\n")
    assert {pair.node.rscope for pair in config.pairs} == {"changes"}
    assert config.warnings == ()
    config = script.load(
        "rscope = 'changes'",
        base="wpath = www\nrnodes = ['a:/x', {'node': 'b:/x', 'rscope': 'tree'}]\n",
    )
    assert [pair.node.rscope for pair in config.pairs] == ["changes", "tree"]


def test_a_mask_that_misses_new_directories_is_told(script: Script) -> None:
    (warning,) = script.load("emask = ['IN_CLOSE_WRITE', 'IN_DELETE']").warnings
    assert "emask = ['IN_CLOSE_WRITE', 'IN_DELETE']: without IN_CREATE and IN_MOVED_TO" in warning


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


def test_values_are_short_and_safe_to_show() -> None:
    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError

    class Long:
        def __repr__(self) -> str:
            return "x" * 10_000

    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in (
        "x" * 10_000,
        ["x" * 50] * 50,
        {"key": "x" * 100},
        10**10_000,
        deep,
        Nasty(),
        Long(),
        "\n\x1b\udcff",
        b"\0",
    ):
        text = shown(value)
        assert len(text) <= 64
        assert text.isprintable()
    assert shown("/var/www/") == "'/var/www/'"
    assert shown(["a", 1]) == "['a', 1]"


def test_suggestions() -> None:
    names = [f"name{number:02}" for number in range(13)]
    assert did_you_mean("other", names[:12]) == f"known are {', '.join(names[:12])}"
    assert did_you_mean("other", names) == f"known are {', '.join(names[:12])}, ..."
    assert did_you_mean("name", ["names", "\nmaes"]) == "did you mean names?"
    assert did_you_mean("ab", ["abc", "abd", "abe", "abf"]) == "did you mean abc or abd or abe?"


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


# Sources


def test_what_is_watched(script: Script) -> None:
    base = "rnodes = ['a:/x']\n"
    assert script.problem(base=base) == 'wpath: is missing; write wpath = "/var/www/"'
    assert "is given, and so is wpaths" in script.problem("wpath = www\nwpaths = [etc]", base=base)
    assert script.load("wpaths = (www,)", base=base).sources[0].path == str(script.www)
    for text, problem in (
        ("wpaths = www", f"must be a list, not a string; write {shown([f'{script.www}/'])}"),
        ("wpaths = []", 'is empty; write ["/var/www/"]'),
        ("wpath = [www]", "must be a string"),
        ("import pathlib; wpath = pathlib.Path(www)", "must be a string"),
        ("wpath = ''", "is empty"),
        ("wpath = b'/x'", "must be a string"),
        ("wpath = '/nowhere'", "does not exist; create it"),
        ("wpath = '/\\0'", "NUL"),
        ("wpaths = [www, '']", "is empty"),
        ("wpaths = [www, www]", "is watched already; list it once"),
        ("import os; os.mkdir(www + 'x'); wpaths = [www, www + 'x/']", "lies in "),
    ):
        assert problem in script.problem(text, base=base)


def test_relative_sources_and_mirrors(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(script.directory)
    config = script.load(base="wpath = 'www/'\nrnodes = ['./mirror', 'm2/']\n")
    assert config.sources[0].argument == f"{script.www}/"
    assert [pair.destination.path for pair in config.pairs] == [
        f"{script.directory}/mirror",
        f"{script.directory}/m2/",
    ]
    assert [node.name for node in config.nodes] == ["./mirror", "m2/"]
    # A script that goes elsewhere does not move them.
    config = script.load("import os; os.chdir('/')", base="wpath = 'www/'\nrnodes = ['m']\n")
    assert config.sources[0].argument == f"{script.www}/"
    assert config.pairs[0].destination.text == f"{script.directory}/m"


def test_without_a_current_directory(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = script.directory / "gone"
    gone.mkdir()
    script.load()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load(str(script.path)).pairs
    with pytest.raises(ConfigError, match="SRC = 'x': is relative, and there is no current"):
        from_arguments("x", ["a:/x"])
    with pytest.raises(ConfigError, match="DEST = 'x': is relative, and there is no current"):
        from_arguments(str(script.www), ["x"])


# Excludes


@pytest.mark.parametrize("name", ["rexcludes", "excludes", "inotify_excludes"])
def test_excludes(script: Script, name: str) -> None:
    assert script.load(f"{name} = ['/a', '+ b', 'c']").sources[0].excludes == ("/a", "+ b", "c")
    assert script.problem(f"{name} = '*.bak'") == (
        f"{name} = '*.bak': must be a list, not a string; write ['*.bak']"
    )
    assert script.problems(f"{name} = ['a', 5, '\\0']") == [
        f"{name}[1] = 5: must be a string",
        f"{name}[2] = '\\x00': exclude rule '\\x00' has a NUL character, which no file name has: "
        "remove it",
    ]


def test_excludes_under_two_names(script: Script) -> None:
    assert script.load("rexcludes = excludes = ['a']").sources[0].excludes == ("a",)
    assert script.problem("excludes = ['a']\nrexcludes = ['b']") == (
        "excludes = ['a']: is not what rexcludes says; keep one"
    )
    assert script.problem("excludes = []\ninotify_excludes = ['b']") == (
        "inotify_excludes = ['b']: is not what excludes says; keep one"
    )


def test_excludes_of_each_source(script: Script) -> None:
    base = "wpaths = [www, etc]\nrnodes = ['a:/x']\nrnodes = ['h:']\nrpaths = ['/w', '/e']\n"
    config = script.load("excludes = {www: ['a'], etc: ['b']}", base=base)
    assert [source.excludes for source in config.sources] == [("a",), ("b",)]
    # The slash at the end may differ, and a source may have none.
    config = script.load("excludes = {etc[:-1]: ['b']}", base=base)
    assert [source.excludes for source in config.sources] == [(), ("b",)]
    assert script.load("excludes = {}", base=base).sources[0].excludes == ()
    for text, problem in (
        (
            "excludes = {'/www': []}",
            f"excludes['/www'] = []: is for no watched directory; known are {script.www}/, ",
        ),
        ("excludes = {www + 'x': ['a']}", f"did you mean {script.www}/?"),
        ("excludes = {www: [], www[:-1]: []}", "is a second list for one directory; join them"),
        ("excludes = {www: 'a'}", "] = 'a': must be a list, not a string; write ['a']"),
        ("excludes = {www: [5]}", "][0] = 5: must be a string"),
        ("excludes = {5: []}", "excludes[5] = []: must be a string"),
        ("excludes = {'': []}", "excludes[''] = []: is empty"),
    ):
        assert problem in script.problem(text, base=base)


def test_a_log_in_a_source(script: Script) -> None:
    problem = script.problem("logfile = www + 'rsync.log'")
    assert "lies in the source" in problem
    assert "so that each run would start the next" in problem
    assert script.load("logfile = www + 'rsync.log'\nrexcludes = ['*.log']").logfile
    assert script.load("logfile = etc + 'rsync.log'").logfile


@pytest.mark.parametrize("setting", ["metricsfile", "htmlfile"])
def test_a_published_file_in_a_source(script: Script, setting: str) -> None:
    problem = script.problem(f"{setting} = www + 'state'")
    assert "lies in the source" in problem
    assert "exclude it and .state.tmp" in problem
    # It grows under another name, which must not be mirrored either.
    assert ".state.tmp" in script.problem(f"{setting} = www + 'state'\nrexcludes = ['/state']")
    script.load(f"{setting} = www + 'state'\nrexcludes = ['/state', '/.state.tmp']")
    script.load(f"{setting} = etc + 'state'")


def test_a_published_file_in_a_mirror(script: Script, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    text = f"rnodes = [{str(mirror)!r}]\nhtmlfile = {f'{mirror}/state'!r}"
    problem = script.problem(text)
    assert f"lies in the mirror {mirror}, whose runs would delete it" in problem
    script.load(text + "\nrexcludes = ['/state', '/.state.tmp']")


def test_a_file_for_two_things(script: Script) -> None:
    problem = script.problem("metricsfile = htmlfile = etc + 'state'")
    assert problem.startswith("htmlfile = ")
    assert problem.endswith("is the metricsfile already; write another path")


# Nodes


def texts(config: Config) -> list[str]:
    return [pair.destination.text for pair in config.pairs]


ONE = "wpath = www\n"
TWO = "wpaths = [www, etc]\n"


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
        (TWO, "rpaths = ['/w']\nrnodes = ['a:']", "rpaths = ['/w']: has 1 paths for 2 watched"),
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
            "known are rspeed, extra, rtimeout, rretry",
        ),
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


def test_sources_and_nodes_in_order(script: Script) -> None:
    config = script.load("rpaths = ['/w', '/e']\nrnodes = ['a:', 'b:']", base=TWO)
    assert [source.path for source in config.sources] == [str(script.www), str(script.etc)]
    assert texts(config) == ["a:/w", "a:/e", "b:/w", "b:/e"]
    assert {pair.destination.transport for pair in config.pairs} == {Transport.SSH}


# Warnings


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


def test_half_written_files(script: Script) -> None:
    (warning,) = script.load("extra = '-aP'").warnings
    assert warning.endswith("extra has -P, so readers of the mirror can see half-written files")


def test_an_insecure_config(script: Script) -> None:
    script.load()
    script.path.chmod(0o666)
    with pytest.raises(ConfigError, match="can be written by its group and others"):
        load(str(script.path))
    (warning,) = load(str(script.path), insecure=True).warnings
    assert "can be written by its group and others" in warning


# Without a config


def test_the_config_of_a_command_line(script: Script) -> None:
    nodes = ["a:/x", "b::m", str(script.directory / "mirror")]
    config = from_arguments(f"{script.www}/./", nodes)
    from_script = script.load(f"wpath = {f'{script.www}/./'!r}\nrnodes = {nodes!r}", base="")
    assert config == dataclasses.replace(from_script, file="")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_command_line_without_a_virtual_root_keeps_the_whole_path(
    script: Script, slash: str
) -> None:
    config = from_arguments(f"{script.www}{slash}", ["a:/x"])
    assert config.sources[0].argument == f"/./{str(script.www)[1:]}"
    (warning,) = config.warnings
    assert f"goes to DEST{script.www}; {script.www}/./ puts what is in it into DEST" in warning
    # In a config, the same path means what it means to rsync.
    written = script.load(f"wpath = {f'{script.www}{slash}'!r}\nrnodes = ['a:/x']", base="")
    assert written.sources[0].argument == f"{script.www}{slash}"


def test_a_command_line_for_the_current_directory(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(script.www)
    config = from_arguments(".", ["a:/x"])
    assert (config.sources[0].argument, config.warnings) == (f"{script.www}/", ())


@pytest.mark.parametrize(
    ("source", "destination", "problem"),
    [
        ("/nowhere", "a:/x", "SRC = '/nowhere': does not exist; create it"),
        ("", "a:/x", "SRC = '': is empty"),
        ("/", "a:/x", "SRC = '/': is the root directory"),
        ("{www}", "", "DEST = '': is empty; write /local/directory"),
        ("{www}", "http://x", "DEST = 'http://x': is a URL that rsync does not know"),
        ("{www}", "a::", "DEST = 'a::': does not name a module"),
        ("{www}/", "{www}/x", "so that each run would start the next"),
        ("{www}", "b:/x", "DEST = 'b:/x': is listed twice; remove one"),
        ("{www}", "\0", "DEST = '\\x00': holds a NUL character"),
    ],
)
def test_problems_of_a_command_line(
    script: Script, source: str, destination: str, problem: str
) -> None:
    www = str(script.www)
    with pytest.raises(ConfigError, match=re.escape(problem)) as caught:
        from_arguments(source.format(www=www), ["b:/x", destination.format(www=www)])
    assert len(caught.value.problems) == 1


def test_a_command_line_without_destination(script: Script) -> None:
    with pytest.raises(ConfigError, match=re.escape("DEST = []: is empty")):
        from_arguments(str(script.www), [])
