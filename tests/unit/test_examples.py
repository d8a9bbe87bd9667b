"""The configs that people copy, and those that they bring along, load as they are."""

from __future__ import annotations

import ast
import os
import pickle
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.scripts import watching

from inosync.changes import inotify_bits
from inosync.config.load import from_arguments, load
from inosync.config.model import Config
from inosync.config.settings import SETTINGS, Setting
from inosync.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
CLASSIC = ROOT / "tests" / "data" / "classic"
EXAMPLE = ROOT / "inosync.conf.example"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

_LOAD = """
import pickle, sys
from inosync.config.load import load
sys.stdout.buffer.write(pickle.dumps(load(sys.argv[1])))
"""
_PRIVATE = """
mount -t tmpfs tmpfs /var && mkdir -p /var/www && exec "$@"
"""


def with_var_www(file: Path) -> Config:
    """Load a config that watches /var/www, which is there for this process at least.

    Where it is missing, it is made in a mount namespace of its own: nothing of the system changes.
    """
    if os.path.isdir("/var/www"):
        return load(str(file))
    unshare = ["unshare", "--mount"] + ["--map-root-user"] * (os.geteuid() != 0)
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("there is no /var/www, and this user cannot make a namespace that has one")
    if file.is_relative_to("/var"):
        pytest.skip("there is no /var/www, and the config lies in /var, which the test would hide")
    command = [*unshare, "sh", "-c", _PRIVATE, "sh", sys.executable, "-c", _LOAD, str(file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr.decode()
    config = pickle.loads(run.stdout)
    assert isinstance(config, Config)
    return config


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """Write a config where it is trusted, whoever owns the working copy."""

    def write(text: str) -> Path:
        path = tmp_path / "default.py"
        path.write_text(text)
        path.chmod(0o644)
        return path

    return write


def destinations(config: Config) -> list[str]:
    return [pair.destination.text for pair in config.pairs]


# The classics, byte for byte


def test_inosync_0_2_2(copy: Callable[[str], Path]) -> None:
    config = with_var_www(copy((CLASSIC / "hollow.conf").read_text()))
    (source,) = config.sources
    assert (source.path, source.argument, source.prefix) == ("/var/www", "/var/www/", "")
    assert source.excludes == ("/localhost",)
    assert destinations(config) == [f"{name}.mirror.com:/var/www/" for name in "abc"]
    assert (config.settings[0].edelay, config.settings[0].emaxdelay, config.rsync) == (
        10,
        10,
        "/usr/bin/rsync",
    )
    assert [node.rspeed for node in config.nodes] == [0, 0, 0]
    assert config.emask == inotify_bits.DEFAULT_EMASK
    assert config.warnings == ()


def test_setop_inosync_0_1_0(copy: Callable[[str], Path]) -> None:
    text = (CLASSIC / "setop.conf").read_text()
    assert '\t"*.bin",' in text
    config = with_var_www(copy(textwrap.dedent(text)))
    (source,) = config.sources
    # Without a slash, the directory itself is copied, as rsync does it.
    assert (source.path, source.argument, source.prefix) == ("/var/www", "/var/www", "www")
    assert source.excludes == ("*.bin",)
    assert destinations(config) == [
        "user1@a.mirror.com:/var/www",
        "user2@b.mirror.com:/var/www",
        "user3@c.mirror.com:/var/www",
    ]


def test_inorun_0_2(copy: Callable[[str], Path]) -> None:
    # The copy that is left of this README has lost the lines of its lists.
    text = textwrap.dedent((CLASSIC / "inorun.conf").read_text())
    assert "#\t" in text
    nodes = 'rnodes = [\n\t"a.mirror.com:" + rpath,\n]\n'
    config = with_var_www(copy(text + nodes))
    assert destinations(config) == ["a.mirror.com:/var/www/"]
    assert config.settings[0].edelay == 10
    with pytest.raises(ConfigError, match=r"default\.py:\d+: SyntaxError: '\[' was never closed"):
        load(str(copy(text + "rnodes = [\n")))


@pytest.mark.parametrize("name", ["hollow", "setop"])
def test_the_commented_lines_of_the_classics(
    tmp_path: Path, copy: Callable[[str], Path], name: str
) -> None:
    text = textwrap.dedent((CLASSIC / f"{name}.conf").read_text())
    text = re.sub(r"^#(?=[a-z]+ = |\t| \"|\])", "", text, flags=re.MULTILINE)
    config = load(str(copy(watching(tmp_path, text.replace(' "IN', '"IN')))))
    assert config.nodes[0].extra == (("--rsh=ssh", "-a") if name == "setop" else ())
    assert config.sources[0].path == f"{tmp_path}/var/www"
    if name == "hollow":
        assert config.emask == inotify_bits.DEFAULT_EMASK & ~inotify_bits.IN_ATTRIB


def test_the_two_forms_of_0_2_3_with_helpers(tmp_path: Path, copy: Callable[[str], Path]) -> None:
    """What old configs set beside the settings is read in them, or is a setting for no purpose."""
    config = load(
        str(
            copy(
                watching(
                    tmp_path,
                    """
import socket
wpaths = ["/var/www/", "/etc/nginx/"]
rpath = "/unused"
rpaths = ["/var/cluster/www/", "/etc/nginx/"]
hosts = ["a", "b"]
domain = ".mirror.com"
rnodes = [host + domain + ":" for host in hosts if host != socket.gethostname()]
excludes = ["/localhost"]
""",
                )
            )
        )
    )
    assert destinations(config)[:2] == [
        "a.mirror.com:/var/cluster/www/",
        "a.mirror.com:/etc/nginx/",
    ]


@pytest.mark.parametrize(
    "line", ["pylsyncd {t}/./ /srv/dst/", "pylsyncd {t} a:", "pylsyncd {t}/./ a:/x b:: c::webdata"]
)
def test_the_command_lines_of_pylsyncd(tmp_path: Path, line: str) -> None:
    _, source, *nodes = line.replace("b::", "b::m").format(t=tmp_path).split()
    assert len(from_arguments(source, nodes).pairs) == len(nodes)


def test_the_rules_and_options_of_clsync(tmp_path: Path, copy: Callable[[str], Path]) -> None:
    text = """
wpath = "/var/www/"  # -W
rnodes = ["/mnt/mirror"]  # -D
edelay = 30  # -t
rbigsize = 1 << 28  # -B
rscope = "changes"
rexcludes = ["+ /*/", "+ /*/.ssh/", "+ /*/.ssh/authorized_keys", "*"]
"""
    assert load(str(copy(watching(tmp_path, text)))).settings[0].rbigsize == 1 << 28


@pytest.mark.parametrize("name", ["hollow", "setop", "inorun"])
def test_a_misspelt_setting_in_a_classic_is_an_error(
    tmp_path: Path, copy: Callable[[str], Path], name: str
) -> None:
    text = textwrap.dedent((CLASSIC / f"{name}.conf").read_text())
    nodes = 'rnodes = ["a:" + rpath]\n' * (name == "inorun")
    slips = 'rexclude = ["/tmp"]\nrnodez = ["b:/x"]\nrlink = 5\n'
    with pytest.raises(ConfigError) as caught:
        load(str(copy(watching(tmp_path, text + nodes + slips))))
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "rexclude",
        "rnodez",
        "rlink",
    ]


# Ours


def test_the_example(tmp_path: Path, copy: Callable[[str], Path]) -> None:
    config = load(str(copy(watching(tmp_path, EXAMPLE.read_text()))))
    assert config.sources[0].argument == f"{tmp_path}/var/www/"
    assert config.sources[0].excludes == ("/localhost",)
    assert destinations(config) == [
        "a.mirror.com:/var/www/",
        "user@b.mirror.com:/var/www/",
        "user@c.mirror.com:/var/www/",
        "d.mirror.com::www/",
        "rsync://e.mirror.com/www/",
        "/mnt/backup/www/",
        "f.mirror.com:/var/www/",
    ]
    assert config.pairs[2].destination.port == 2222
    assert (config.nodes[-1].rspeed, config.nodes[-1].extra) == (500, ("--compress",))
    assert config.warnings == ()


def commented(name: str) -> list[object]:
    """Return what the example sets a setting to, in comments."""
    found = re.findall(
        rf"^#({name} = (?:.*[^\[{{(]$|.*[\[{{(]\n(?:#    .*\n)+#[\]}})]$))",
        EXAMPLE.read_text(),
        re.MULTILINE,
    )
    texts = [re.sub("^#", "", text, flags=re.MULTILINE) for text in found]
    return [ast.literal_eval(text.partition(" = ")[2]) for text in texts]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_example_has_every_setting_with_its_default(setting: Setting) -> None:
    text = EXAMPLE.read_text()
    if setting.default is None or setting.default == []:
        assert re.search(rf"^#?{setting.name} = ", text, re.MULTILINE)
    elif live := re.search(rf"\(default: (.*)\)\n{setting.name} = ", text):
        assert ast.literal_eval(live[1]) == setting.default
    else:
        assert commented(setting.name) == [setting.default]


def test_the_example_has_nothing_else() -> None:
    names = set(re.findall(r"^#?([a-z_]+) = ", EXAMPLE.read_text(), re.MULTILINE))
    assert names == {setting.name for setting in SETTINGS}


def test_the_commented_lines_of_the_example(tmp_path: Path, copy: Callable[[str], Path]) -> None:
    text = re.sub(r"^#(?=[a-z]+ = |    [\"/]|[\]}])", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    several = text.replace('wpath = "/var/www/"\n', "", 1)
    several = re.sub(r"^rnodes = \[.*?^\]$", 'rnodes = ["a:"]', several, flags=re.M | re.S)
    config = load(str(copy(watching(tmp_path, several))))
    assert destinations(config) == ["a:/var/www/", "a:/etc/nginx/"]
    assert [source.excludes for source in config.sources] == [("/localhost",), ("*.bak",)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples(tmp_path: Path, copy: Callable[[str], Path], path: Path) -> None:
    config = load(str(copy(watching(tmp_path, path.read_text()))))
    assert config.pairs
    assert config.warnings == ()


def test_what_the_examples_show() -> None:
    assert {path.stem for path in EXAMPLES} >= {"jobs", "rsyncd", "ssh"}


def test_the_example_of_two_jobs(tmp_path: Path, copy: Callable[[str], Path]) -> None:
    text = (ROOT / "examples/jobs.py").read_text()
    config = load(str(copy(watching(tmp_path, text))))
    assert len(config.pairs) == 3
    assert [(own.edelay, own.rmaxdelete) for own in config.settings] == [(0.1, 0), (30.0, 20)]
    assert [pair.node.rscope for pair in config.pairs] == ["changes", "changes", "tree"]
    assert [pair.node.rkeep for pair in config.pairs] == [0, 0, 30]


def test_the_agent_for_pacemaker_says_what_it_can() -> None:
    agent = ROOT / "examples" / "failover" / "active"

    def ask(action: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([agent, action], capture_output=True, text=True, check=False)

    told = ask("meta-data")
    actions = ElementTree.fromstring(told.stdout).iter("action")
    names = [action.attrib["name"] for action in actions]
    assert names == ["start", "stop", "monitor", "validate-all", "meta-data"]
    running = Path("/run/failover/active").exists()
    assert ask("monitor").returncode == (0 if running else 7)
    assert ask("promote").returncode == 3
