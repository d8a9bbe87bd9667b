"""A first config: what is written, what is asked for, and what is left as it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from inosync.commands.init import init, offer, text
from inosync.config.load import load
from inosync.errors import ConfigError, Exit


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be where a source with a file and an empty mirror are."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    for name in ("www", "mirror"):
        (tmp_path / name).mkdir()
    (tmp_path / "www/file").touch()
    return tmp_path


def settings(script: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(script, names)
    return names


def test_local_paths_are_absolute_and_all_else_is_as_it_was(here: Path) -> None:
    places = ["a@b:/c", "h::m/", "rsync://h/m", "mirror", "m/./x/", "/it's \udcff"]
    written = settings(text("www/", places))
    assert written["wpath"] == f"{here}/www/"
    kept = [*places[:3], f"{here}/mirror", f"{here}/m/./x/", places[-1]]
    assert written["rnodes"] == kept
    assert written["rscope"] == "changes"
    assert settings(text("/srv/./www", ["h:"]))["wpath"] == "/srv/./www"
    assert settings(text("www", ["h:"]))["wpath"] == f"{here}/www"


def test_what_the_comments_offer_can_be_set(here: Path) -> None:
    script = re.sub(r"^#(?=\w+ = )", "", text("www/", ["mirror"]), flags=re.MULTILINE)
    (here / "c.py").write_text(script)
    (here / "c.py").chmod(0o644)
    config = load(str(here / "c.py"))
    assert config.settings[0].rmaxdelete == 1000
    assert config.sources[0].excludes == ("*.tmp", "/cache/")


def test_what_is_missing_is_asked_for_where_somebody_can_answer(here: Path) -> None:
    said: list[str] = []
    asked: list[str] = []
    answers = iter(["", " www/ ", "", "mirror 'other mirror'"])

    def answer(question: str) -> str:
        asked.append(question.partition(" (")[0])
        return next(answers)

    assert init([], "c.py", ask=answer, say=said.append) == Exit.OK
    assert asked == ["Directory to mirror"] * 2 + ["Where to"] * 2
    nodes = settings((here / "c.py").read_text())["rnodes"]
    assert nodes == [f"{here}/mirror", f"{here}/other mirror"]
    assert said[0] == f"written: {here}/c.py"
    assert f"ok       {here}/www -> {here}/mirror: reachable" in said
    assert said[-1].startswith("start it: ")
    with pytest.raises(ConfigError, match="give SRC and at least one DEST"):
        init(["www/"], "d.py", ask=None, say=said.append)
    assert os.listdir(here).count("d.py") == 0


def test_nothing_is_lost_and_no_config_is_left_that_cannot_be_read(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    (here / "c.py").write_text("mine")
    with pytest.raises(ConfigError, match=r"c\.py exists and is left as it is"):
        init(["www/", "mirror"], "c.py", ask=None, say=said.append)
    assert (here / "c.py").read_text() == "mine"
    os.mkfifo(here / "pipe")
    with pytest.raises(ConfigError, match="pipe exists and is left as it is"):
        init(["www/", "mirror"], "pipe", ask=None, say=said.append)
    with pytest.raises(ConfigError, match="does not exist"):
        init(["nowhere/", "mirror"], "d.py", ask=None, say=said.append)
    assert not (here / "d.py").exists()
    with pytest.raises(ConfigError, match="cannot be written: File exists; -c FILE"):
        init(["www/", "mirror"], "c.py/e.py", ask=None, say=said.append)
    # An ordinary user's is made where it is looked for, with the directory.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here / "config"))
    user = os.getuid() or 1000
    assert init(["www/", "mirror"], None, ask=None, say=said.append, user=user) == Exit.OK
    assert (here / "config/inosync.py").exists()
    (here / "config/inosync.py").write_text("# theirs\nwpath = '/srv'\n")
    with pytest.raises(ConfigError, match=r"config/inosync\.py is a config already"):
        init(["www/", "mirror"], None, ask=None, say=said.append, user=user)


def test_a_template_that_says_nothing_yet_is_filled_in(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Debian package brings it; what is refused leaves it as it was."""
    template, said = "# Configuration\n\n#wpath = 1\n   \n", list[str]()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here))
    machine = (str(here / "inosync.py"),)
    (here / "inosync.py").write_text(template)
    (here / "inosync.py").chmod(0o644)
    with pytest.raises(ConfigError, match="does not exist"):
        init(["nowhere/", "mirror"], None, ask=None, say=said.append, machine=machine)
    assert (here / "inosync.py").read_text() == template
    assert init(["www/", "mirror"], None, ask=None, say=said.append, machine=machine) == Exit.OK
    written = (here / "inosync.py").read_text()
    assert written == f"{template}\n{text('www/', ['mirror'])}"
    with pytest.raises(ConfigError, match="is a config already"):
        init(["www/", "mirror"], None, ask=None, say=said.append, machine=machine)


def test_a_problem_is_told_and_the_config_stays_to_be_mended(here: Path) -> None:
    said: list[str] = []
    (here / "mirror").rmdir()
    (here / "mirror").touch()
    assert init(["www/", "mirror"], "c.py", ask=None, say=said.append) == Exit.USAGE
    assert (here / "c.py").exists()
    assert any(line.startswith("problem") for line in said)
    assert not any(line.startswith("start it") for line in said)


def test_what_starts_it(tmp_path: Path) -> None:
    top, units = str(tmp_path), tmp_path / "usr/lib/systemd/system"
    # Where there is no systemd, or no unit for it.
    assert offer("/etc/inosync.py", top=top) == "inosync -c /etc/inosync.py -d"
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert offer("/a b/c.py", top=top) == "inosync -c '/a b/c.py' -d"
    assert re.fullmatch(
        r"cp /\S+/examples/inosync\.service /etc/systemd/system/ && systemctl daemon-reload"
        " && systemctl enable --now inosync",
        offer("/etc/inosync.py", top=top),
    )
    assert offer("/etc/inosync/web.py", top=top).endswith("systemctl enable --now inosync@web")
    assert "/inosync@.service /etc" in offer("/etc/inosync/web.py", top=top)
    units.mkdir(parents=True)
    (units / "inosync@.service").touch()
    assert offer("/etc/inosync/web.py", top=top) == "systemctl enable --now inosync@web"
    own = os.path.expanduser("~/.config/inosync.py")
    assert offer(own, top=top, user=0) == f"inosync -c {own} -d"
    users = offer(own, top=top, user=1000)
    assert "/inosync-user.service " in users
    assert users.endswith("systemctl --user enable --now inosync && loginctl enable-linger")
