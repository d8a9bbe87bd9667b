"""Who owns the files on a node that is entered as somebody else than root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import config_text, run_inosync, settings
from support.host import ORDINARY, SERVICE
from support.namespaces import need
from support.servers import SshServer
from support.trees import write

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

NAME, NUMBER = "inosync-node", 23456
SUDOERS = "docs/ownership.rst"


@pytest.fixture
def ordinary(open_path: Path) -> Iterator[SshServer]:
    """An sshd that lets in a user who is not root, and has a line in sudoers as the page says."""
    need("unshare", "--mount")
    users, shadow, sudoers = (open_path / name for name in ("passwd", "shadow", "sudoers"))
    known = Path("/etc/passwd").read_text()
    users.write_text(f"{known}{NAME}:x:{NUMBER}:{NUMBER}::{open_path}:/bin/sh\n")
    shadow.write_text(f"{Path('/etc/shadow').read_text()}{NAME}:*:19000:0:99999:7:::\n")
    page = Path(__file__).resolve().parents[2] / SUDOERS
    line = re.search(r"^    (mirror ALL=.*)$", page.read_text(), re.MULTILINE)
    assert line is not None
    sudoers.write_text(line[1].replace("mirror", NAME, 1) + "\n")
    sudoers.chmod(0o440)
    shadow.chmod(0o640)
    files = {"/etc/passwd": users, "/etc/shadow": shadow}
    if Path("/etc/sudoers").exists():
        files["/etc/sudoers"] = sudoers
    server = SshServer(open_path / "sshd", user=NAME, files=files)
    server.start()
    yield server
    server.stop()


def test_what_the_page_says_is_so(ordinary: SshServer, source: Path, open_path: Path) -> None:
    for name, owner in (("ours", 0), ("theirs", ORDINARY)):
        write(source, name, name)
        os.chown(source / name, owner, owner)
    os.chmod(source / "ours", 0o644)
    mirrors = open_path / "mirrors"
    mirrors.mkdir()
    os.chown(mirrors, NUMBER, NUMBER)
    extras = {
        "plain": "",
        "asked": "-a",
        "fake": "-a -M--fake-super",
        "sudo": "-a --rsync-path='sudo -n rsync'",
    }
    if not shutil.which("sudo") or not Path("/etc/sudoers").exists():
        del extras["sudo"]
    local = {
        "chown": "-a --chown=nobody:nogroup",
        "usermap": f"-a --usermap={ORDINARY}:nobody --groupmap={ORDINARY}:nogroup",
    }
    nodes = [
        {"node": ordinary.url(mirrors / name), "extra": extra} for name, extra in extras.items()
    ]
    nodes += [{"node": f"{mirrors / name}", "extra": extra} for name, extra in local.items()]
    config = open_path / "ownership.py"
    config.write_text(config_text(settings(source, *nodes)))

    def ask(command: str) -> str:
        done = run_inosync("-c", config, command, cwd=open_path, environment=ordinary.environment())
        assert done.returncode == 0, done.stdout + done.stderr + ordinary.log()
        return done.stdout

    said = [line for line in ask("--check").splitlines() if " asks for owners" in line]
    assert len(said) == 1
    assert said[0].startswith("warning")
    assert f"{mirrors}/asked: -a asks for owners, which only root gives" in said[0]
    assert f"all belongs to {NAME} there" in said[0]

    ask("--once")
    owners = {
        name: tuple((mirrors / name / each).stat().st_uid for each in ("ours", "theirs"))
        for name in (*extras, *local)
    }
    wanted = dict.fromkeys(extras, (NUMBER, NUMBER))
    wanted |= {"chown": (SERVICE, SERVICE), "usermap": (0, SERVICE)}
    wanted |= {"sudo": (0, ORDINARY)} if "sudo" in extras else {}
    assert owners == wanted
    kept = os.getxattr(mirrors / "fake" / "theirs", "user.rsync.%stat")
    assert kept.split()[-1] == f"{ORDINARY}:{ORDINARY}".encode()

    # And they come back.
    shell = ["rsync", "-a", "-M--fake-super", "-e", f"ssh -F {ordinary.config} -p {ordinary.port}"]
    there = f"{NAME}@127.0.0.1:{mirrors / 'fake'}/"
    subprocess.run([*shell, there, f"{open_path / 'back'}/"], check=True)
    back = [(open_path / "back" / each).stat().st_uid for each in ("ours", "theirs")]
    assert back == [0, ORDINARY]
