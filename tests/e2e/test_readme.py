"""Every command of README.rst is run, or stands here with the reason why it is not.

Commands are run as they stand there, by a shell, in a folder that stands in for the machine: see
`PLACES`. A command that is new in README.rst fails the first test until it has found its table.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from support import processes
from support.daemon import PROJECT, inosync_command, inosync_environment
from support.places import wait_equal
from support.trees import write
from support.waiting import until

from inosync.config import Config, load

# ---- where each command is run -------------------------------------------------------------

#: In this order.
INSTALLING = (
    "python3 -m venv /opt/inosync",
    "/opt/inosync/bin/pip install .",
    "ln -s /opt/inosync/bin/inosync /usr/bin/inosync",
    "/opt/inosync/bin/pip install lupa",
    "inosync --from-lsyncd FILE",
)
WITH_PIPX = (
    "pipx install .",
    "pipx ensurepath",
    "pipx list",
    "pipx inject inosync lupa",
)
MANUALS = (
    "man -l docs/man/inosync.8",
    "man -l docs/man/inosync.conf.5",
)
#: They mirror until they are stopped.
STAYING = (
    "inosync /var/www/./ backup.example.org:/srv/www",
    "inosync -d",
)
WITHOUT_A_DAEMON = (
    ". examples/completion/bash/inosync",
    "inosync --version",
    "inosync --check",
    "inosync --once",
    'ssh-keygen -q -t ed25519 -N "" -f ~/.ssh/id_ed25519',
    "cp examples/inosync.service /etc/systemd/system/",
    "mkdir -p ~/.config/systemd/user",
    "cp examples/inosync-user.service ~/.config/systemd/user/inosync.service",
    "echo fs.inotify.max_user_watches=1000000 >/etc/sysctl.d/inotify.conf",
)
ASKING = (
    "inosync --status",
    "inosync --reload",
    "inosync --wait 120",
    "inosync --sync --node NODE",
    "rsync -a build/ /var/www/ && inosync --wait 120 && curl -X PURGE https://cdn.example.org/",
)
NOT_HERE = {
    "apt install rsync openssh-client python3-venv": "changes the machine that runs the tests",
    "sysctl --system": "changes the machine that runs the tests",
    "ssh-copy-id mirror@web1.example.org": "needs that host",
    "systemctl daemon-reload": "needs systemd",
    "systemctl enable --now inosync": "needs systemd",
    "systemctl status inosync": "needs systemd",
    "systemctl edit inosync": "needs systemd, and a person",
    "systemctl --user enable --now inosync": "needs systemd",
    "loginctl enable-linger": "needs systemd",
    "./examples/demo": "tests/e2e/test_demo.py",
    "./tests/run": "runs this test",
    "./benchmarks/run": "takes hours; tests/e2e/test_benchmarks.py runs small ones",
    "inosync SRC DEST...": "is one of tests/e2e/test_moving_here.py",
    "rsync -n": "says what is called, and is not for a person to run",
}
HERE = INSTALLING + WITH_PIPX + MANUALS + STAYING + WITHOUT_A_DAEMON + ASKING

#: What stands in for what, in commands and configs; {} is the folder of the test.
PLACES = {
    "backup.example.org:": "{}",
    "/usr/bin/inosync": "{}/bin/inosync",
    "/opt/": "{}/opt/",
    "/etc/": "{}/etc/",
    "/var/www": "{}/var/www",
    "FILE": "{}/lsyncd.conf.lua",
    "NODE": "{}/srv/www/",
}

# ---- what README.rst says ------------------------------------------------------------------


def readme() -> nodes.document:
    return publish_doctree((PROJECT / "README.rst").read_text())


def commands() -> list[str]:
    """Return the commands of README.rst, those within a sentence as well."""
    found: list[str] = []
    for block in readme().findall(nodes.literal_block):
        # With a language it is a config, and what stands under "Use" is the synopsis.
        section = block.parent.astext().partition("\n")[0]
        if "code" not in block["classes"] and section != "Use":
            found += block.astext().splitlines()
    programs = {command.split()[0] for command in found}
    for literal in readme().findall(nodes.literal):
        text = literal.astext()
        first, _, more = text.partition(" ")
        if (first in programs and more) or re.match(r"\./\w|/opt/inosync/bin/\w", text):
            found.append(text)
    return list(dict.fromkeys(found))


def test_every_command_has_its_place() -> None:
    assert sorted(commands()) == sorted([*HERE, *NOT_HERE])
    for reason in NOT_HERE.values():
        assert all((PROJECT / name).exists() for name in re.findall(r"tests/\S+\.py", reason))


# ---- the machine ---------------------------------------------------------------------------


class Machine:
    """A folder with what the commands expect, and a shell that runs them in a checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: subprocess.Popen[bytes] | None = None
        folders = "bin opt srv etc/systemd/system etc/sysctl.d home/.ssh home/.config/systemd/user"
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
                "PATH": f"{folder}/bin:{os.environ['PATH']}",
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
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def here(self, command: str) -> str:
        """Return a command as it is on this machine."""
        places = "|".join(map(re.escape, PLACES))
        command = re.sub(places, lambda found: PLACES[found[0]].format(self.folder), command)
        # The config that inosync looks for by itself.
        return re.sub(r"\binosync (?=-)", f"inosync -c {self.config} ", command)

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
    (machine.folder / "bin/inosync").unlink()
    del machine.environment["PYTHONPATH"]
    machine.environment["PATH"] += f":{Path(sys.executable).parent}"
    *installing, printed = [machine.run(command) for command in INSTALLING]
    assert len(installing) == 4
    assert 'wpath = "/var/www/"' in printed
    assert machine.run("inosync --version").startswith("inosync ")


@pytest.mark.skipif(not shutil.which("pipx"), reason="pipx is not installed")
@pytest.mark.timeout(300)
def test_pipx_installs_it(machine: Machine) -> None:
    (machine.folder / "bin/inosync").unlink()
    del machine.environment["PYTHONPATH"]
    printed = [machine.run(command) for command in WITH_PIPX]
    assert f"venvs are in {machine.folder}/home" in printed[2]
    machine.environment["PATH"] = f"{machine.folder}/home/.local/bin:{os.environ['PATH']}"
    assert machine.run("inosync --version").startswith("inosync ")
    assert 'wpath = "/var/www/"' in machine.run("inosync --from-lsyncd FILE")


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
    machine.run(command)
    if "--once" in command:
        wait_equal(machine.folder / "var/www", machine.folder / "srv/www")


@pytest.mark.parametrize("command", ASKING)
def test_the_running_daemon_answers(machine: Machine, command: str) -> None:
    machine.run("inosync -d")
    machine.run("inosync --wait 60")
    machine.run(command)
    machine.run("inosync --wait 60")
    wait_equal(machine.folder / "var/www", machine.folder / "srv/www")
    if "PURGE" in command:
        assert (machine.folder / "srv/www/new").exists()
        assert (machine.folder / "purged").read_text() == "-X PURGE https://cdn.example.org/\n"


# ---- configs -------------------------------------------------------------------------------


def configs() -> list[str]:
    """Return what README.rst shows of configs: whole ones, and single settings in sentences."""
    blocks = [block for block in readme().findall(nodes.literal_block) if block["classes"]]
    texts = [literal.astext() for literal in readme().findall(nodes.literal)]
    single = [text for text in texts if re.match(r"[a-z]+ = ", text)]
    return list(dict.fromkeys([block.astext() for block in blocks] + single))


def loaded(machine: Machine, text: str) -> Config:
    """Load what README.rst shows, completed where it is a part of a config."""
    whole = "" if "wpath = " in text else 'wpath = "/var/www/"\n'
    whole += "" if "rnodes = " in text else 'rnodes = ["a.mirror.com:/var/www/"]\n'
    whole += text.replace("/usr/local/bin", f"{PROJECT}/examples/hooks")
    whole = whole.replace('wpath = "/var/www', f'wpath = "{machine.folder}/var/www')
    machine.config.write_text(whole)
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
