"""The Ansible role, with a local connection and below a folder of the test, and a real sshd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.places import wait_equal
from support.servers import SshServer
from support.trees import write

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "packaging/ansible/roles"

pytestmark = pytest.mark.timeout(600)  # pip fetches, and a playbook takes half a minute


#: With the first pip would take the checkout for an installation.
_OURS = ("PYTHONPATH", "RUNTIME_DIRECTORY")


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        env={name: value for name, value in os.environ.items() if name not in _OURS} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of ansible-playbook: one that is installed, else one of its own."""
    if found := shutil.which("ansible-playbook"):
        return Path(found).parent
    folder = tmp_path_factory.mktemp("ansible")
    run(sys.executable, "-m", "venv", folder)
    pip = [folder / "bin/pip", "install", "--quiet", "ansible-core"]
    if subprocess.run(pip, check=False, capture_output=True).returncode:
        pytest.skip("ansible-core cannot be installed here")
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    kept = ("inosync", "docs", "examples", "pyproject.toml", "LICENSE", "inosync.conf.example")
    checkout.mkdir()
    for name in (*kept, *(path.name for path in ROOT.glob("*.rst"))):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
    run(*pip, "--wheel-dir", folder, checkout)
    return next(folder.glob("*.whl"))


def test_a_host_is_set_up_and_the_second_run_changes_nothing(
    ansible: Path, wheel: Path, ssh_server: SshServer, tmp_path: Path
) -> None:
    prefix, source, mirror = (tmp_path / name for name in ("root", "source", "mirror"))
    source.mkdir()
    write(source, "file", "x")
    keys = tmp_path / "authorized_keys"
    (ssh_server.folder / "authorized_keys").unlink()
    (ssh_server.folder / "authorized_keys").symlink_to(keys)
    config = f"wpath = '{source}/'\nrnodes = ['{ssh_server.url(mirror)}']\n"
    values = {
        "inosync_config": config,
        "inosync_name": "web",
        "inosync_package": str(wheel),
        "inosync_python": sys.executable,
        "inosync_packages": [],
        "inosync_prefix": str(prefix),
        "inosync_ssh_user": ssh_server.user,
        "inosync_host_key": str(ssh_server.folder / "host_key.pub"),
        "inosync_nodes": [
            {
                "host": "localhost",
                "address": f"[127.0.0.1]:{ssh_server.port}",
                "user": ssh_server.user,
                "authorized_keys": str(keys),
            }
        ],
        "inosync_known_hosts": [{"name": "other", "key": f"ssh-ed25519 {'A' * 68}"}],
        "inosync_unit": "[Service]\nNice=10\n",
        "inosync_start": False,
    }
    # As that user's own ssh would find key and hosts.
    home, bin_ = prefix / "root/.ssh", tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "ssh").write_text(
        f"#!/bin/sh\nexec {shutil.which('ssh')} -F /dev/null -i {home}/id_ed25519 "
        f'-o UserKnownHostsFile={home}/known_hosts "$@"\n'
    )
    (bin_ / "ssh").chmod(0o755)
    playbook = tmp_path / "site.yml"
    tasks = [{"hosts": "localhost", "connection": "local", "roles": ["inosync"], "vars": values}]
    playbook.write_text(json.dumps(tasks))
    environment = {
        "PATH": f"{bin_}:{os.environ['PATH']}",
        "ANSIBLE_PYTHON_INTERPRETER": str(ansible / "python3"),
        "ANSIBLE_ROLES_PATH": str(ROLE),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible"),
        "ANSIBLE_REMOTE_TMP": str(tmp_path / "ansible"),
        "LC_ALL": "C.UTF-8",
    }

    def play(*more: str) -> str:
        return run(ansible / "ansible-playbook", "-i", "localhost,", playbook, *more, **environment)

    assert re.search(r"changed=[1-9]", play())
    again = play()
    assert " changed=0 " in again, again

    etc = prefix / "etc"
    assert (etc / "inosync/web.py").read_text() == config
    unit = (etc / "systemd/system/inosync@.service").read_text()
    assert unit == (ROOT / "examples/inosync@.service").read_text()
    drop_in = etc / "systemd/system/inosync@web.service.d/ansible.conf"
    assert drop_in.read_text() == values["inosync_unit"]
    assert (home / "id_ed25519").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert keys.read_text().startswith("restrict ssh-ed25519 ")
    assert len(keys.read_text().splitlines()) == 1
    assert len((home / "known_hosts").read_text().splitlines()) == 2

    command = prefix / "usr/local/bin/inosync"
    assert os.readlink(command) == "/opt/inosync/bin/inosync"
    run(prefix / "opt/inosync/bin/inosync", "-c", etc / "inosync/web.py", "--once", **environment)
    wait_equal(source, mirror)

    # A config that is refused is not installed, and the old one stays.
    values["inosync_config"] = f"{config}rscop = 1\n"
    playbook.write_text(json.dumps(tasks))
    with pytest.raises(AssertionError, match="did you mean rscope"):
        play()
    assert (etc / "inosync/web.py").read_text() == config


def test_the_example_is_a_playbook(ansible: Path) -> None:
    playbook = ROOT / "packaging/ansible/site.yml"
    run(
        ansible / "ansible-playbook",
        *("-i", "main,", "--syntax-check", playbook),
        ANSIBLE_ROLES_PATH=str(ROLE),
        LC_ALL="C.UTF-8",
    )
