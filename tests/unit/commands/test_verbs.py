"""Commands as words, long names, and what a slip is answered with."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from inosync.commands import verbs
from inosync.commands.arguments import MODES, check, parser
from inosync.config import load
from inosync.errors import ConfigError


def read(*arguments: str) -> argparse.Namespace:
    """Return what the program makes of a command line."""
    known = parser()
    options = verbs.read(arguments, known, MODES)
    check(options, known)
    return options


def asked(*arguments: str) -> dict[str, object]:
    """Return what is asked for, without what is as ever."""
    usual = vars(parser().parse_args([]))
    found = vars(read(*arguments))
    return {name: value for name, value in found.items() if value != usual[name]}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the complaint about a wrong command line."""
    with pytest.raises(SystemExit, match="2"):
        read(*arguments)
    return capsys.readouterr().err.rpartition("error: ")[2].rstrip()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a directory that has a few others."""
    monkeypatch.chdir(tmp_path)
    for name in ("data", "sync", "explain"):
        (tmp_path / name).mkdir()


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("status", "--status"),
        ("status --json", "--json --status"),
        ("-c FILE -v status", "--config FILE --verbose --status"),
        ("-vc status sync", "--config=status -v --sync"),
        ("-cstatus sync --node sync", "-c status --sync --node sync"),
        ("wait", "--wait"),
        ("wait 120 --node a", "--wait 120 --node a"),
        ("wait --node a 120", "--wait 120 --node a"),
        ("--conf FILE sync", "-c FILE --sync"),
        ("--wait --node a 120", "--wait 120 --node a"),
        ("--kept --json data", "--kept data --json"),
        ("kept --json --node a data", "--kept data --json --node a"),
        ("--restore --at now -p data", "--restore data --at now -p"),
        ("verify --repair", "--verify --repair"),
        ("from-lsyncd FILE", "--from-lsyncd FILE"),
        ("status data x:/dest", "--status data x:/dest"),
        ("init", "--new"),
        ("-c FILE init data x:/dest", "--new -c FILE data x:/dest"),
        ("-dp", "--daemon --dry-run"),
    ],
)
def test_a_verb_is_its_option(words: str, options: str) -> None:
    assert asked(*words.split()) == asked(*options.split())


def test_every_mode_is_a_verb_and_old_words_mean_what_they_did() -> None:
    assert set(verbs.verbs(MODES)) >= {"status", "once", "top", "from-lsyncd", "help"}
    for words in ("data x:/dest", "sync x:/dest", "./explain x:/dest"):
        assert asked(*words.split()) == {"paths": words.split()}
    assert asked("--", "explain", "x:/dest") == {"paths": ["explain", "x:/dest"]}


def test_init_takes_all_words_and_is_no_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("init", "data") == {"new": True, "paths": ["data"]}
    (tmp_path / "init").mkdir()
    complaint = "write ./init for the directory, or --new for the command"
    assert refused(capsys, "init", "data", "x:/dest").endswith(complaint)
    assert asked("init") == {"new": True}


@pytest.mark.parametrize("arguments", [["help"], ["help", "status"], ["-v", "help"], ["--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        read(*arguments)
    assert "COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("statsu", "(there is only statsu); did you mean status?"),
        ("wiat 60", "wiat: no such directory, and no command; did you mean wait?"),
        ("data", "give either -c FILE, or SRC and at least one DEST (there is only data)"),
        ("/nowhere/sync", "(there is only /nowhere/sync)"),
        ("qqqq", "(there is only qqqq)"),
        ("--statsu", "unrecognized arguments: --statsu; did you mean --status?"),
        ("--synk --node a", "unrecognized arguments: --synk; did you mean --sync?"),
        ("-Q", "unrecognized arguments: -Q"),
        ("explain x:/dest", "write ./explain for the directory, or --explain for the command"),
        ("status sync", "(there is only sync)"),
        ("pause resume", "(there is only resume); one command at a time"),
        ("status --once", "--status and --once do not go together"),
        ("-d --log json", "do not go together: a daemon that detaches logs to syslog"),
        ("wait 1m", "argument --wait: '1m' is no number of seconds"),
        ("explain", "it lacks PATH: inosync explain PATH"),
        ("-v restore --yes", "it lacks PATH: inosync restore PATH"),
        ("--explain", "argument --explain: expected one argument"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_was_meant(
    words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, *words.split()).endswith(complaint)


def test_where_a_config_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, from the environment, a user's own, the machine's; root has none of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("INOSYNC_CONFIG", "from-environment")
    assert load.found("named") == "named"
    assert load.found(None) == "from-environment"
    monkeypatch.setenv("INOSYNC_CONFIG", "")
    etc = str(tmp_path / "etc.py")
    own = tmp_path / ".config/inosync.py"
    places = load.default_files(1000, (etc,))
    with pytest.raises(ConfigError, match=rf"write {own} or {etc}"):
        load.found(None, places)
    Path(etc).touch()
    assert load.found(None, places) == etc
    own.parent.mkdir()
    own.touch()
    assert load.found(None, places) == str(own)
    assert load.default_files(0, (etc,)) == (etc,)
    assert load.default_files() == load.default_files(os.geteuid(), load.DEFAULT_FILES)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load.default_files(1000, (etc,)) == (str(tmp_path / "inosync.py"), etc)
