"""Configs: what their settings mean together."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from support.scripts import Script

from inosync.changes import inotify_bits
from inosync.config.faults import shown
from inosync.config.load import from_arguments, load
from inosync.errors import ConfigError


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
    assert config.emask == inotify_bits.DEFAULT_EMASK
    assert (
        config.settings[0].edelay,
        config.settings[0].emaxdelay,
        config.settings[0].init,
        config.rparallel,
    ) == (10, 10, True, "auto")
    assert (config.long_runs, config.all_runs) == (8, 32)
    assert (config.rsync, config.logfile, config.pidfile) == ("/usr/bin/rsync", "", "")
    assert (config.user, config.group, config.umask) == ("", "", 0o022)
    assert config.warnings == ()


def test_a_config_does_not_change(script: Script) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        script.load().rfull = 5  # type: ignore[misc]


def test_a_longest_delay_may_be_given_alone(script: Script) -> None:
    config = script.load("edelay = 2\nemaxdelay = 2")
    assert (config.settings[0].edelay, config.settings[0].emaxdelay) == (2, 2)
    assert script.load("edelay = 3").settings[0].emaxdelay == 3


def test_runs_may_set_the_pace(script: Script) -> None:
    (own,) = script.load("edelay = 'auto'").settings
    assert (own.edelay, own.emaxdelay) == ("auto", 10)
    (own,) = script.load("edelay = 'auto'\nemaxdelay = 0.5").settings
    assert (own.edelay, own.emaxdelay) == ("auto", 0.5)


def test_a_lane_for_big_files(script: Script) -> None:
    config = script.load("rbigsize = 2 ** 30\nrbigdelay = 5\nrsettle = {'*.iso': 60, 'a': 1}")
    assert (config.settings[0].rbigsize, config.rbigdelay) == (2**30, 5.0)
    assert config.settings[0].rsettle == (("*.iso", 60.0), ("a", 1.0))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rbigsize = 1.5", "rbigsize = 1.5: must be a whole number of bytes (0: no lane"),
        ("beat = 60", "beat = 60: is for on_beat, which is not set; write both"),
        ("on_beat = ['/bin/true']", "needs beat, the seconds between two of its runs"),
        ("wactive = wpath + 'active'", "the mirrors would have it, too"),
        ("wactive = '192.0.2.1'\ninit = False", "init = False: leaves on the mirrors what"),
        ("rbigsize = 1\nrparallel = 1", "rparallel = 1: leaves no room beside a big file"),
        ("rbigsize = 1\nextra = '--max-size=5'", "has --max-size in extra, and rbigsize decides"),
        ("rbigdelay = -1", "rbigdelay = -1: must be a number of seconds"),
        ("rpoll = 'often'", "rpoll = 'often': must be a number of seconds, such as 10 or 0.5, or"),
        ("rpoll = -1", "rpoll = -1: must be a number of seconds from 0 to one year (31622400), or"),
        ("rsettle = 5", "rsettle = 5: must be a dict of seconds by pattern"),
        ("rsettle = {'a': 'x'}", "rsettle['a'] = 'x': must be a number of seconds"),
        ("rsettle = {5: 1}", "rsettle[5] = 1: must be a string"),
        ("rsettle = {'!': 1}", "rsettle['!'] = 1: is for a rule, not a pattern"),
        ("rsettle = {'+ a': 1}", "rsettle['+ a'] = 1: is for a rule, not a pattern"),
        ("rsettle = {': .f': 1}", "rsettle[': .f'] = 1: is for a rule, not a pattern"),
        ("rsettle = {'d/': 1}", "rsettle['d/'] = 1: is for a pattern that no file matches"),
    ],
)
def test_values_that_are_refused(script: Script, text: str, problem: str) -> None:
    assert problem in script.problem(text)


def test_looks_through_sources_of_which_no_event_tells(script: Script) -> None:
    assert script.load().rpoll == 0.0
    assert script.load("rpoll = 5").rpoll == 5.0
    assert script.load("rpoll = 'auto'").rpoll == "auto"


def test_a_mask_that_misses_new_directories_is_told(script: Script) -> None:
    (warning,) = script.load("emask = ['IN_CLOSE_WRITE', 'IN_DELETE']").warnings
    assert "emask = ['IN_CLOSE_WRITE', 'IN_DELETE']: without IN_CREATE and IN_MOVED_TO" in warning


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
    ):
        assert problem in script.problem(text, base=base)
    # One may lie in another, where they do not land in one another.
    (script.www / "x").mkdir()
    base = "wpaths = [www, www + 'x/']\nrnodes = ['a:']\n"
    config = script.load("rpaths = ['/w', '/x']", base=base)
    assert [source.path for source in config.sources] == [str(script.www), f"{script.www}/x"]
    assert "which would delete it" in script.problem("rpaths = ['/w', '/w/x']", base=base)


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
            f"excludes['/www']: is for no watched directory; known are {script.www}/, ",
        ),
        ("excludes = {www + 'x': ['a']}", f"did you mean {script.www}/?"),
        ("excludes = {www: [], www[:-1]: []}", "is the second for one directory; keep one of them"),
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


def test_an_insecure_config(script: Script) -> None:
    script.load()
    script.path.chmod(0o666)
    with pytest.raises(ConfigError, match="can be written by its group and others"):
        load(str(script.path))
    (warning,) = load(str(script.path), insecure=True).warnings
    assert "can be written by its group and others" in warning


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
