"""Every command of README.rst and of docs is run, or stands here with the reason why it is not.

Commands are run as they stand there, by a shell, in a folder that stands in for the machine: see
`PLACES`. A command that is new in a page fails the first test until it has found its table.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from support import processes
from support.daemon import PROJECT, inosync_command, inosync_environment
from support.places import wait_equal
from support.scripts import watching
from support.trees import write
from support.waiting import until

from inosync.config.load import load
from inosync.config.model import Config

T = TypeVar("T", bound=nodes.Node)

# ---- where each command is run -------------------------------------------------------------

#: The guide for those who come from elsewhere has a test of its own, test_moving_here.py.
PAGES = sorted(
    page
    for page in [*PROJECT.glob("*.rst"), *PROJECT.glob("docs/*.rst")]
    if page.name != "moving-here.rst"
)

#: In this order.
INSTALLING = (
    "python3 -m venv /opt/inosync",
    "/opt/inosync/bin/pip install .",
    "ln -s /opt/inosync/bin/inosync /usr/local/bin/inosync",
    "/opt/inosync/bin/pip install --upgrade .",
    "cp /opt/inosync/share/inosync/examples/inosync.service /etc/systemd/system/",
    "mkdir -p /usr/local/share/man/man5 /usr/local/share/man/man8",
    "ln -s /opt/inosync/share/man/man5/inosync.conf.5 /usr/local/share/man/man5/",
    "ln -s /opt/inosync/share/man/man8/inosync.8 /usr/local/share/man/man8/",
    "mkdir -p /usr/local/share/bash-completion/completions /usr/local/share/zsh/site-functions",
    "ln -s /opt/inosync/share/bash-completion/completions/inosync"
    " /usr/local/share/bash-completion/completions/",
    "ln -s /opt/inosync/share/zsh/site-functions/_inosync /usr/local/share/zsh/site-functions/",
    "mkdir -p /usr/local/share/fish/vendor_completions.d",
    "ln -s /opt/inosync/share/fish/vendor_completions.d/inosync.fish"
    " /usr/local/share/fish/vendor_completions.d/",
    "/opt/inosync/bin/pip install lupa",
    "inosync --from-lsyncd FILE",
)
UNINSTALLING = (
    "rm -f /etc/systemd/system/inosync.service",
    "rm -rf /var/lib/inosync",
    "rm -r /opt/inosync /usr/local/bin/inosync",
    "find /usr/local/share -lname '/opt/inosync/*' -delete",
)
WITH_PIPX = (
    "pipx install .",
    "pipx ensurepath",
    "pipx list",
    "pipx inject inosync lupa",
)
WITHOUT_PIPX = (
    "pipx install --force .",
    "pipx uninstall inosync",
)
MANUALS = (
    "man -l docs/man/inosync.8",
    "man -l docs/man/inosync.conf.5",
)
#: They mirror until they are stopped.
STAYING = (
    "inosync /var/www/./ mirror@web1.example.org:/srv/www",
    "inosync -d",
)
WITHOUT_A_DAEMON = (
    ". examples/completion/bash/inosync",
    "inosync --version",
    "inosync --check",
    "inosync --explain X",
    "inosync --explain PATH",
    "inosync --once",
    "inosync --verify",
    "inosync --verify --repair",
    'ssh-keygen -q -t ed25519 -N "" -f ~/.ssh/id_ed25519',
    "mkdir -p ~/.config/systemd/user",
    "cp examples/inosync-user.service ~/.config/systemd/user/inosync.service",
    "echo fs.inotify.max_user_watches=1000000 >/etc/sysctl.d/inotify.conf",
    "mkdir -p build",
)
ASKING = (
    "inosync --status",
    "inosync --status --json",
    "inosync --pause",
    "inosync --resume",
    "inosync --reload",
    "inosync --wait",
    "inosync --wait 120",
    "inosync status",
    "inosync wait 60",
    "inosync --sync",
    "inosync --sync --node NODE",
    "rsync -a build/ /var/www/ && inosync --wait 120 && curl -X PURGE https://cdn.example.org/",
)
STOPPING = r"kill $(inosync --status | grep -m1 -oP ', pid \K\d+')"
CLONING = "git clone REPOSITORY inosync && cd inosync"
_UNDO = "the story of docs/undo.rst, which tests/e2e/test_undo.py lives through"
_PACKAGES = "the story of tests/packages"
NOT_HERE = {
    "  2026-11-28 11:40:02  deleted             8120  /var/www/site/index.html": _UNDO,
    "  2026-11-28 11:40:02  deleted           310442  /var/www/site/logo.png": _UNDO,
    "# inosync --kept /var/www/site | head -3": _UNDO,
    '# inosync --restore /var/www/site --at "2026-11-28 11:40"': _UNDO,
    "/var/www -> backup:/www: 1204 kept:": _UNDO,
    "rm -rf /var/www/site": _UNDO,
    "inosync --kept": _UNDO,
    "inosync --kept --json PATH": "tests/unit/commands/test_verbs.py",
    "rsync -a --exclude=/.inosync-kept": _UNDO,
    "inosync --restore": _UNDO,
    "rm -rf": "a mistake that docs/guards.rst tells of",
    "rsync --dry-run": "what docs/guards.rst says is run",
    "cp -a": "named in a sentence of docs/undo.rst",
    "apt install rsync openssh-client python3-venv": "changes the machine that runs the tests",
    "./packaging/build deb": _PACKAGES,
    "REPOSITORY=https://... ./packaging/build pypi": _PACKAGES,
    "apt install ./build/inosync_*_all.deb": _PACKAGES,
    "apt remove inosync": _PACKAGES,
    "apt purge inosync": _PACKAGES,
    "apt install pipx": "changes the machine that runs the tests",
    "sysctl --system": "changes the machine that runs the tests",
    "git pull": "needs that repository",
    "git log --grep TITLE": "needs a clone with its history",
    "pre-commit install": "needs pre-commit, and changes the checkout",
    "ssh-copy-id mirror@web1.example.org": "needs that host",
    "systemctl daemon-reload": "needs systemd",
    "systemctl enable --now inosync": "needs systemd",
    "systemctl disable --now inosync": "needs systemd",
    "systemctl status inosync": "needs systemd",
    "systemctl start inosync": "needs systemd",
    "systemctl stop inosync": "needs systemd",
    "systemctl reload inosync": "needs systemd",
    "inosync --check && systemctl restart inosync": "needs systemd",
    "systemctl edit inosync": "needs systemd, and a person",
    "systemctl --user enable --now inosync": "needs systemd",
    "loginctl enable-linger": "needs systemd",
    "chgrp nagios /etc/inosync.py": "needs that group; tests/e2e/test_finding.py",
    "man inosync": "needs what is installed; the same page is one of MANUALS",
    "inosync --top": "needs a terminal; tests/e2e/test_asking.py",
    "inosync --status --all": "needs a relay; tests/e2e/test_relays_asked.py",
    "inosync --wait 120 --all": "needs a relay; tests/e2e/test_relays_asked.py",
    "inosync --wait 60": "begins the test of each that asks the daemon",
    "inosync init /var/www/ mirror@web1.example.org:/srv/www": "tests/e2e/test_init.py",
    "inosync init SRC DEST": "tests/e2e/test_init.py",
    "inosync init": "tests/packages/debian has it fill in the template",
    "inosync help": "tests/unit/commands/test_verbs.py",
    "inosync explain PATH": "tests/unit/commands/test_verbs.py",
    "inosync sync DEST": "tests/unit/commands/test_verbs.py",
    "./status": "says how to name a directory",
    "inosync SRC DEST...": "is one of tests/e2e/test_moving_here.py",
    "inosync SRC DEST [DEST ...]": "is one of tests/e2e/test_moving_here.py",
    "inosync -c /etc/inosync.py -p": "stays; tests/e2e/test_daemon.py",
    "./examples/demo": "tests/e2e/test_demo.py",
    "ln -sfn releases/8 /srv/app/current && inosync --wait 60 && purge-the-cache": (
        "needs that deployment; tests/e2e/test_ways.py"
    ),
    "./tests/run": "runs this test",
    "rsync -n": "says what is called, and is not for a person to run",
    "kill -9": "says what may happen to a daemon",
    "rsync --version": "says what is called",
    "python3 -m pip wheel --no-deps .": "tests/packages/test_ansible.py",
    "rsync -a -M--fake-super mirror@a.example.org:/srv/www/ /var/www/": (
        "needs that host; tests/e2e/test_ownership.py"
    ),
}
#: What only developers run, and whoever changes their pages tries by hand.
FOR_DEVELOPERS = re.compile(
    r"\./(scripts/tool|tests/run|tests/fresh|benchmarks/\w+)\b"
    r"|timeout --signal=INT 60 \./scripts/tool "
)
HERE = INSTALLING + UNINSTALLING + WITH_PIPX + WITHOUT_PIPX + MANUALS + STAYING + WITHOUT_A_DAEMON
HERE += (*ASKING, STOPPING, CLONING)

#: What stands in for what, in commands and configs; {} is the folder of the test.
PLACES = {
    "mirror@web1.example.org:": "{}",
    "/usr/local/": "{}/usr/local/",
    "/opt/": "{}/opt/",
    "/etc/": "{}/etc/",
    "/var/www": "{}/var/www",
    "/var/lib/": "{}/var/lib/",
    "REPOSITORY": "{}/repository",
    "FILE": "{}/lsyncd.conf.lua",
    "NODE": "{}/srv/www/",
    "PATH": "{}/var/www/index.html",
    " X": " {}/var/www/index.html",
}

# ---- what the pages say --------------------------------------------------------------------


def found(kind: type[T]) -> list[T]:
    """Return what there is of a kind in all pages."""
    texts = [page.read_text() for page in PAGES]
    quiet = {"syntax_highlight": "none"}
    documents = [publish_doctree(text, settings_overrides=quiet) for text in texts]
    return [node for document in documents for node in document.findall(kind)]


def is_config(text: str) -> bool:
    return bool(re.match(r"[a-z_]+ = ", text))


def commands() -> list[str]:
    """Return the commands of the pages, those within a sentence as well."""
    shown: list[str] = []
    for block in found(nodes.literal_block):
        # With a language it is something else. The synopsis is for no shell.
        section = block.parent.astext().partition("\n")[0]
        if not (block["classes"] or section == "Synopsis" or is_config(block.astext())):
            shown += block.astext().splitlines()
    programs = {command.split()[0] for command in shown}
    for literal in found(nodes.literal):
        text = literal.astext()
        first, _, more = text.partition(" ")
        if (first in programs and more) or re.match(r"\./\w|/opt/inosync/bin/\w", text):
            shown.append(text)
    return list(dict.fromkeys(shown))


def test_every_command_has_its_place() -> None:
    shown = {text for text in commands() if text in NOT_HERE or not FOR_DEVELOPERS.match(text)}
    known = {*HERE, *NOT_HERE}
    assert (sorted(shown - known), sorted(known - shown)) == ([], [])
    for reason in NOT_HERE.values():
        assert all((PROJECT / name).exists() for name in re.findall(r"tests/\S+\.py", reason))


def test_what_developers_run_is_there() -> None:
    for command in commands():
        if command not in NOT_HERE and FOR_DEVELOPERS.match(command):
            program, *words = re.sub(r"^timeout \S+ \d+ ", "", command).split()
            assert os.access(PROJECT / program, os.X_OK)
            assert all((PROJECT / word).exists() for word in words if word.startswith("tests/"))
            if program == "./benchmarks/run":
                cases = {path.stem for path in (PROJECT / "benchmarks/bench/cases").glob("*.py")}
                assert {word for word in words if not word.startswith("--")} <= cases


# ---- the machine ---------------------------------------------------------------------------


class Machine:
    """A folder with what the commands expect, and a shell that runs them in a checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: subprocess.Popen[bytes] | None = None
        folders = "opt srv etc/systemd/system etc/sysctl.d home/.ssh home/.config/systemd/user"
        folders += " usr/local/bin usr/local/share var/lib"
        for name in folders.split():
            (folder / name).mkdir(parents=True)
        for directory in (folder, folder / "etc"):
            directory.chmod(0o755)
        self.checkout = folder / "checkout"
        left = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "tests", "*.png")
        shutil.copytree(PROJECT, self.checkout, ignore=left)
        write(self.checkout, "build/new", "x")
        write(folder, "var/www/index.html", "x")
        text = 'sync{default.rsync, source="/var/www", target="host:/x"}'
        write(folder, "lsyncd.conf.lua", text)
        # The CDN is not for tests to purge.
        self._program("curl", f'echo "$@" >{shlex.quote(str(folder))}/purged')
        self._program("inosync", f'exec {shlex.join(inosync_command())} "$@"')
        self.config = folder / "etc/inosync.py"
        self.config.write_text(
            f'wpath = "{folder}/var/www/"\nrnodes = ["{folder}/srv/www/"]\nedelay = 0.1\n'
        )
        self.config.chmod(0o644)
        self.mark = f"HOME={folder}/home"
        self.environment = inosync_environment(
            {
                "HOME": f"{folder}/home",
                "PATH": f"{folder}/usr/local/bin:{os.environ['PATH']}",
                "RUNTIME_DIRECTORY": f"{folder}/run",
                "MANPAGER": "cat",
                # What pip knows already, and where it looks, is in the real home.
                "PIP_CACHE_DIR": f"{Path.home()}/.cache/pip",
                "PIP_CONFIG_FILE": f"{Path.home()}/.config/pip/pip.conf",
            }
            | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        )
        # They name other places in the real home.
        for name in [name for name in self.environment if name.startswith(("PIPX_", "XDG_"))]:
            del self.environment[name]

    def _program(self, name: str, text: str) -> None:
        path = self.folder / "usr/local/bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def here(self, command: str) -> str:
        """Return a command as it is on this machine."""
        places = "|".join(map(re.escape, PLACES))
        command = re.sub(places, lambda found: PLACES[found[0]].format(self.folder), command)
        # The config that inosync looks for by itself.
        return re.sub(r"\binosync (?=-|status|wait)", f"inosync -c {self.config} ", command)

    def run(self, command: str) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            ["bash", "-c", self.here(command)],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, command: str) -> None:
        """Run a command until `stop`."""
        self._started = subprocess.Popen(
            ["bash", "-c", f"exec {self.here(command)}"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        """End what the commands have started."""
        left = processes.marked(self.mark)
        processes.kill(left)
        processes.wait_gone(left)
        if self._started is not None:
            self._started.wait()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    result = Machine(tmp_path / "machine")
    yield result
    result.stop()


@pytest.mark.timeout(300)
def test_the_whole_machine_gets_it(machine: Machine) -> None:
    (machine.folder / "usr/local/bin/inosync").unlink()
    del machine.environment["PYTHONPATH"]
    machine.environment["PATH"] += f":{Path(sys.executable).parent}"
    *_, printed = [machine.run(command) for command in INSTALLING]
    assert 'wpath = "/var/www/"' in printed
    assert machine.run("inosync --version").startswith("inosync ")
    # Each link leads to something.
    links = [path for path in (machine.folder / "usr/local").rglob("*") if path.is_symlink()]
    assert len(links) == 6
    assert all(path.is_file() for path in links)
    for command in UNINSTALLING:
        machine.run(command)
    for folder in ("usr/local", "etc/systemd"):
        left = (machine.folder / folder).rglob("*")
        assert {path.name for path in left if not path.is_dir()} <= {"curl"}
    assert not (machine.folder / "opt/inosync").exists()


@pytest.mark.skipif(not shutil.which("pipx"), reason="pipx is not installed")
@pytest.mark.timeout(300)
def test_pipx_installs_it(machine: Machine) -> None:
    (machine.folder / "usr/local/bin/inosync").unlink()
    del machine.environment["PYTHONPATH"]
    printed = [machine.run(command) for command in WITH_PIPX]
    assert f"venvs are in {machine.folder}/home" in printed[2]
    machine.environment["PATH"] = f"{machine.folder}/home/.local/bin:{os.environ['PATH']}"
    assert machine.run("inosync --version").startswith("inosync ")
    assert 'wpath = "/var/www/"' in machine.run("inosync --from-lsyncd FILE")
    for command in WITHOUT_PIPX:
        machine.run(command)
    assert not (machine.folder / "home/.local/bin/inosync").exists()


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_it_can_be_cloned(machine: Machine) -> None:
    (machine.checkout / "inosync").rename(machine.folder / "package")
    machine.run("git init -q REPOSITORY")
    machine.run(CLONING)
    assert (machine.checkout / "inosync/.git").is_dir()


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
@pytest.mark.parametrize("command", MANUALS)
def test_the_manuals_can_be_read(machine: Machine, command: str) -> None:
    assert "inosync" in machine.run(command)


@pytest.mark.parametrize("command", STAYING)
def test_it_mirrors_until_it_is_stopped(machine: Machine, command: str) -> None:
    start = machine.run if command == "inosync -d" else machine.start
    start(command)
    source, mirror = machine.folder / "var/www", machine.folder / "srv/www"
    until(mirror.is_dir, what="the mirror")
    wait_equal(source, mirror)
    write(source, "later", "x")
    wait_equal(source, mirror)


@pytest.mark.parametrize("command", WITHOUT_A_DAEMON)
def test_it_ends_well(machine: Machine, command: str) -> None:
    if command == "inosync --verify":
        machine.run("inosync --once")
    machine.run(command)
    if "--once" in command:
        wait_equal(machine.folder / "var/www", machine.folder / "srv/www")


@pytest.mark.parametrize("command", ASKING)
def test_the_running_daemon_answers(machine: Machine, command: str) -> None:
    machine.run("inosync -d")
    machine.run("inosync --wait 60")
    machine.run(command)
    machine.run("inosync --resume")
    machine.run("inosync --wait 60")
    wait_equal(machine.folder / "var/www", machine.folder / "srv/www")
    if "PURGE" in command:
        assert (machine.folder / "srv/www/new").exists()
        assert (machine.folder / "purged").read_text() == "-X PURGE https://cdn.example.org/\n"


def test_the_daemon_is_stopped(machine: Machine) -> None:
    machine.run("inosync -d")
    machine.run(STOPPING)
    until(lambda: not list(machine.folder.glob("run/*.pid")), what="the end of the daemon")


# ---- configs -------------------------------------------------------------------------------


def configs() -> list[str]:
    """Return what the pages show of configs: whole ones, and single settings in sentences."""
    texts = [node.astext() for node in [*found(nodes.literal_block), *found(nodes.literal)]]
    return list(dict.fromkeys(text for text in texts if is_config(text)))


def loaded(machine: Machine, text: str) -> Config:
    """Load what a page shows, completed where it is a part of a config."""
    whole = "" if re.search("wpaths? = ", text) else 'wpath = "/var/www/"\n'
    whole += "" if "rnodes = " in text else 'rnodes = ["a.mirror.com:/var/www/"]\n'
    whole += text.replace("/usr/local/bin", f"{PROJECT}/examples/hooks")
    whole = whole.replace('user = "inosync"', f"user = {pwd.getpwuid(os.getuid()).pw_name!r}")
    whole = whole.replace("/var/lib/prometheus/node-exporter", f"{machine.folder}/var/lib")
    machine.config.write_text(watching(machine.folder, whole))
    return load(str(machine.config))


def test_every_config_loads(machine: Machine) -> None:
    assert len(configs()) > 8
    for text in configs():
        assert loaded(machine, text).warnings == (), text


def test_the_ten_nodes_are_ten(machine: Machine) -> None:
    (ten,) = [text for text in configs() if "range(" in text]
    config = loaded(machine, ten)
    assert len({node.name for node in config.nodes}) == 10
    assert config.rparallel == 10
    assert [node.rspeed for node in config.nodes] == [0] * 9 + [2000]
